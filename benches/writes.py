"""Packages made one by one, each durable before it is answered, against rows committed by the bare database."""


import signing
from ground import KEY, PLACE, Otaru, exchange, paired, reference, wrk
from lists import BUCKET, OBJECT, put_object


def measure(report, store_name, data, url, bare, seconds):
    """`bare` names the reference's database, which lies on the same disk."""
    with Otaru(data, store=url, core="0,1") as otaru:
        if otaru.call("GET", "/packages?limit=1")["total"] == 0:
            otaru.call("POST", "/products", {"name": "meter", "code": "METER"})
        put_object(otaru)
        product = otaru.call("GET", "/products/METER")
        tenant = otaru.call("GET", "/tenant")["id"]
        version = iter(range(otaru.call("GET", "/packages?limit=1")["total"], 1 << 40))

        def make():
            body = signing.as_json({
                "app_id": product["space"], "product_id": product["code"], "package_type": "firmwarePackage",
                "version": f"w{next(version)}",
                "file_location": {"obs_location": {"region_name": "here", "bucket_name": BUCKET, "object_key": OBJECT}}})
            return signing.iotda("POST", f"/v5/iot/{tenant}/ota-upgrades/packages", {}, otaru.host, KEY, body)

        status, body = exchange(otaru.host, make())
        if status != 201 and status != 200:
            raise SystemExit(f"a package is not made: {status} {body[:400]}")

        def ours(round):
            path = PLACE / "creations.requests"
            signing.write(path, (make() for _ in range(seconds * 12_000)))
            return wrk(otaru.host, path, seconds, connections=32)["rate"]

        ours, theirs = paired(ours, lambda _: reference("commits", *bare, "--callers", 32, "--seconds", seconds))
        report.ratio(f"packages made one by one, 32 callers, {store_name}", ours, theirs, "commits/s", 0.5)
