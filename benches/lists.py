"""Lists and look-ups, through each dialect: against a bare handler that runs the same statement."""

import base64
import email.utils
import hashlib
import hmac
import json
import time
import urllib.parse

import signing
from ground import KEY, PLACE, Otaru, exchange, handler, paired, wait_until, wrk

LINES = {"small": 1_000, "middle": 100_000, "large": 1_000_000}
# A package's own bytes do not matter here; all share one object.
BUCKET, OBJECT = "benchmarks", "firmware.bin"


def fill(otaru, count):
    """Brings a registry to `count` packages, by our own import."""
    there = otaru.call("GET", "/packages?limit=1")["total"]
    if there >= count:
        return
    if there == 0:
        otaru.call("POST", "/products", {"name": "meter", "code": "METER", "model": "M1", "manufacturer": "Acme",
                                         "device_type": "WaterMeter", "protocol": "MQTT"})
    path = PLACE / "import.ndjson"
    source = put_object(otaru)
    with open(path, "w") as file:
        for number in range(there, count):
            file.write(json.dumps({"product": "METER", "version": f"v{number}", "files": [{"object": source}]}) + "\n")
    otaru.command("package", "import", path)
    path.unlink()


def put_object(otaru):
    """The one object, by AWS signature version 2, which needs nothing but a date."""
    host = otaru.doors["objects"]
    for target, body in ((f"/{BUCKET}", b""), (f"/{BUCKET}/{OBJECT}", b"firmware" * 128)):
        date = email.utils.formatdate(usegmt=True)
        digest = hmac.new(KEY[1].encode(), f"PUT\n\n\n{date}\n{target}".encode(), hashlib.sha1).digest()
        headers = [("Date", date), ("Authorization", f"AWS {KEY[0]}:{base64.b64encode(digest).decode()}")]
        status, answer = exchange(host, signing.raw("PUT", target, host, headers, body))
        if status not in (200, 409):
            raise SystemExit(f"PUT {target}: {status} {answer}")
    return {"bucket": BUCKET, "key": OBJECT}


def settle(otaru, count):
    """Waits until pages in the middle are near a milestone: housekeeping comes by once a minute."""
    if count < 1_000_000:
        return
    query = {"PageSize": 10, "CurrentPage": count // 20}

    def is_quick():
        began = time.monotonic()
        exchange(otaru.host, signing.aliyun("ListOTAFirmware", query, otaru.host, KEY))
        return time.monotonic() - began < 0.004

    wait_until("milestones along the list", is_quick, 900)


class Dialects:
    """Requests of each dialect for the same registry."""

    # A server remembers the nonces of a quarter of an hour, and of one key no more than 200,000: more than a client has calls, and
    # fewer than a benchmark sends.
    CALLS_PER_KEY = 100_000

    def __init__(self, otaru):
        self.otaru, self.host = otaru, otaru.host
        self.calls = self.CALLS_PER_KEY
        self.tenant = otaru.call("GET", "/tenant")["id"]
        newest = otaru.call("GET", "/packages?limit=1")["items"][0]
        self.newest = newest["id"]
        form = urllib.parse.urlencode({"appId": KEY[0], "secret": KEY[1]}).encode()
        _, answer = exchange(self.host, signing.raw(
            "POST", "/iocm/app/sec/v1.1.0/login", self.host, [("Content-Type", "application/x-www-form-urlencoded")], form))
        self.token = json.loads(answer)["accessToken"]
        listed = json.loads(exchange(self.host, signing.aliyun("ListOTAFirmware", {"PageSize": 1, "CurrentPage": 1}, self.host, KEY))[1])
        self.firmware = listed["FirmwareInfo"]["SimpleFirmwareInfo"][0]["FirmwareId"]

    def aliyun(self, action, parameters):
        """A call, after so many by another key."""
        if self.calls >= self.CALLS_PER_KEY:
            key = self.otaru.call("POST", "/keys", {"role": "viewer", "label": "benchmarks"})
            self.key, self.calls = (key["id"], key["secret"]), 0
        self.calls += 1
        return signing.aliyun(action, parameters, self.host, self.key)

    def page(self, dialect, number=1, marker=None):
        if dialect == "iotda":
            path = f"/v5/iot/{self.tenant}/ota-upgrades/packages"
            query = {"package_type": "firmwarePackage", "limit": 10} | ({"marker": marker} if marker else {})
            return lambda: signing.iotda("GET", path, query, self.host, KEY)
        if dialect == "aliyun":
            return lambda: self.aliyun("ListOTAFirmware", {"PageSize": 10, "CurrentPage": number})
        if dialect == "v1.5":
            path = f"/iodm/northbound/v1.5.0/category?fileType=firmwarePackage&pageNo={number - 1}&pageSize=10"
            return lambda: signing.northbound("GET", path, self.host, KEY[0], self.token)
        return lambda: signing.own("GET", "/packages?limit=10&module_kind=firmware", self.host, KEY)

    def one(self, dialect):
        if dialect == "iotda":
            path = f"/v5/iot/{self.tenant}/ota-upgrades/packages/{self.newest}"
            return lambda: signing.iotda("GET", path, {}, self.host, KEY)
        if dialect == "aliyun":
            return lambda: self.aliyun("QueryOTAFirmware", {"FirmwareId": self.firmware})
        if dialect == "v1.5":
            path = f"/iodm/northbound/v1.5.0/category/{self.newest}"
            return lambda: signing.northbound("GET", path, self.host, KEY[0], self.token)
        return lambda: signing.own("GET", f"/packages/{self.newest}", self.host, KEY)


DIALECTS = ("iotda", "aliyun", "v1.5", "own")
NEWEST = "x'" + "ff" * 12


def prepared(make, seconds, name):
    """A file of requests: for Alibaba's dialect enough that no nonce comes twice."""
    path = PLACE / f"{name}.requests"
    signing.write(path, (make() for _ in range(seconds * 40_000 if "aliyun" in name else 100)))
    return path


def statement_of(kind, dialect, dialects):
    """The statement that a request comes down to, and its parameters."""
    tenant = f"x'{dialects.tenant}"
    if kind == "one":
        return "packages::BY_ID", "", [f"x'{dialects.newest}"]
    if dialect == "aliyun":
        return "package_lists::PAGE", "WHERE p.tenant_id = $1 AND p.id < $3", [tenant, f"x'{count_key(tenant, 'ff')}", NEWEST, 10]
    holding = "WHERE p.tenant_id = $1 AND p.module_kind = $2 AND p.id < $4"
    return "package_lists::PAGE", holding, [tenant, 0, f"x'{count_key(tenant, '00')}", NEWEST, 10]


def count_key(tenant, kind):
    return "74" + tenant[2:] + kind


def measure(report, store_name, data, url, seconds):
    """Page of ten with total, and query one, each against the bare handler."""
    with Otaru(data, store=url) as otaru:
        fill(otaru, LINES["middle"])
        dialects = Dialects(otaru)
        where = {"postgres_url": url} if url else {"sqlite": data / "otaru.db"}
        for kind, title in (("page", "page of 10 of 100,000, with total"), ("one", "query one of 100,000")):
            for dialect in DIALECTS:
                make = dialects.page(dialect) if kind == "page" else dialects.one(dialect)
                status, body = exchange(otaru.host, make())
                if status != 200:
                    raise SystemExit(f"{dialect}: {status} {body[:300]}")
                name, holding, parameters = statement_of(kind, dialect, dialects)
                with handler(name, holding, parameters, len(body), **where) as bare:
                    plain = prepared(lambda: signing.raw("GET", "/", bare), 1, "bare")
                    wrk(bare, plain, 1), wrk(otaru.host, prepared(make, 1, f"warm-{dialect}"), 1)
                    ours, theirs = paired(
                        lambda _: wrk(otaru.host, prepared(make, seconds, f"ours-{dialect}"), seconds)["rate"],
                        lambda _: wrk(bare, plain, seconds)["rate"])
                report.ratio(f"{title}, {dialect}, {store_name}", ours, theirs, "requests/s", 0.7)


def depth(report, store_name, small_data, large_data, small_url, large_url, seconds):
    """A page of a million against the same page of a thousand: the first, the last by marker, the middle by number."""
    with Otaru(small_data, store=small_url) as small, Otaru(large_data, store=large_url) as large:
        fill(small, LINES["small"])
        fill(large, LINES["large"])
        settle(large, LINES["large"])
        here, there = Dialects(small), Dialects(large)
        markers = {LINES[name]: last_marker(dialects, LINES[name]) for name, dialects in (("small", here), ("large", there))}
        pages = [
            ("first page, iotda", lambda d, n: d.page("iotda")),
            ("last page by marker, iotda", lambda d, n: d.page("iotda", marker=markers[n])),
            ("page by number in the middle, aliyun", lambda d, n: d.page("aliyun", n // 20)),
            ("page by number in the middle, v1.5", lambda d, n: d.page("v1.5", n // 20)),
            ("last page by number, aliyun", lambda d, n: d.page("aliyun", n // 10)),
        ]
        for title, page in pages:
            ours, theirs = paired(
                lambda r: wrk(large.host, prepared(page(there, LINES["large"]), seconds, f"large-aliyun-{r}"), seconds)["rate"],
                lambda r: wrk(small.host, prepared(page(here, LINES["small"]), seconds, f"small-aliyun-{r}"), seconds)["rate"])
            report.ratio(f"{title}: of 1,000,000 against of 1,000, {store_name}", ours, theirs, "requests/s", 1 / 1.5)


def last_marker(dialects, count):
    """The id behind which the last ten records of a list are; its total is looked at on the way."""
    answer = json.loads(exchange(dialects.host, dialects.page("v1.5", count // 10 - 1)())[1])
    if answer["totalCount"] != count or len(answer["data"]) != 10:
        raise SystemExit(f"the page before the last of {count} is not right: {answer}")
    return answer["data"][-1]["fileId"]


def memory(report, data, requests=500_000):
    """What the server holds after many requests, against after few; and at rest after them."""
    with Otaru(data) as otaru:
        fill(otaru, LINES["middle"])
        dialects = Dialects(otaru)
        sizes = {}
        done, round = 0, 0
        while done < requests:
            dialect = DIALECTS[round % len(DIALECTS)]
            done += wrk(otaru.host, prepared(dialects.page(dialect), 4, f"memory-{dialect}"), 4)["requests"]
            round += 1
            if done >= 50_000 and "few" not in sizes and round >= len(DIALECTS):
                sizes["few"] = (done, otaru.memory_mb())
        report.least(f"memory after {sizes['few'][0]} list requests against after {done}", sizes["few"][1], otaru.memory_mb(), "MB", 1 / 1.1)
        report.below("memory after the list load", otaru.memory_mb(), "MB", 64)
