"""Two copies of the server are one registry: what is made through one is listed, queried and downloaded through the other.

The last test kills the second copy and goes on through nginx, so the order of the tests is that of this file.
"""

import base64
import hashlib
import os
import signal
import time
import uuid
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from huaweicloudsdkiotda.v5 import (
    DeleteOtaPackageRequest,
    ListOtaPackageInfoRequest,
    ShowOtaPackageRequest,
)

import alibaba
import huawei
import storage
from environment import ACCESS_KEY, HTTP, OBJECTS, SECRET_KEY, download, fresh, image

OTHER_HTTP = os.environ["OTARU_OTHER_HTTP"]
OTHER_OBJECTS = os.environ["OTARU_OTHER_OBJECTS"]
OTHER_PID = int(os.environ["OTARU_OTHER_PID"])
FRONT_HTTP = os.environ["OTARU_FRONT_HTTP"]
FRONT_OBJECTS = os.environ["OTARU_FRONT_OBJECTS"]
PAIR = (ACCESS_KEY, SECRET_KEY)
TUS = {"Tus-Resumable": "1.0.0"}


def api(method, path, door, **options):
    return requests.request(method, door + "/api/v1" + path, auth=PAIR, timeout=30, **options)


def at(door, link):
    """The same link at another copy."""
    parts = urlsplit(link)
    return f"{door}{parts.path}?{parts.query}"


def firmware(content, door=HTTP, other=OTHER_HTTP):
    """A firmware whose every step goes through another copy than the one before; its id."""
    product = alibaba.call("V1", "CreateProduct", door, ProductName=fresh("meter"), NodeType=0, DataFormat=1)["ProductKey"]
    place = alibaba.call("ACS3", "GenerateOTAUploadURL", other, FileSuffix="bin")["Data"]
    place["Host"] = door + urlsplit(place["Host"]).path
    assert alibaba.post_form(place, content).status_code == 204
    created = alibaba.call(
        "ACS3",
        "CreateOTAFirmware",
        other,
        FirmwareName=fresh("fw"),
        DestVersion=fresh("v"),
        ProductKey=product,
        FirmwareUrl=place["FirmwareUrl"],
    )
    assert created["Success"] is True, created
    return created["Data"]["FirmwareId"], product


def test_alibaba_every_step_through_the_other_copy():
    content = image(60_000, "alibaba")
    firmware_id, product = firmware(content)
    for door in (HTTP, OTHER_HTTP):
        info = alibaba.call("V1", "QueryOTAFirmware", door, FirmwareId=firmware_id)["FirmwareInfo"]
        assert info["ProductKey"] == product
        listed = alibaba.call("ACS3", "ListOTAFirmware", door, CurrentPage=1, PageSize=100, ProductKey=product)
        assert [item["FirmwareId"] for item in listed["FirmwareInfo"]["SimpleFirmwareInfo"]] == [firmware_id]
        for link in (at(HTTP, info["FirmwareUrl"]), at(OTHER_HTTP, info["FirmwareUrl"])):
            assert download(link).content == content
    part = download(at(OTHER_HTTP, info["FirmwareUrl"]), Range="bytes=100-299")
    assert (part.status_code, part.content) == (206, content[100:300])
    assert alibaba.call("V1", "DeleteOTAFirmware", OTHER_HTTP, FirmwareId=firmware_id)["Success"] is True
    assert alibaba.call("V1", "QueryOTAFirmware", HTTP, FirmwareId=firmware_id)["Success"] is False


def test_a_download_is_sent_on_to_the_object_store_where_that_is_wanted():
    content = image(60_000, "direct")
    firmware_id, _ = firmware(content)
    info = alibaba.call("V1", "QueryOTAFirmware", HTTP, FirmwareId=firmware_id)["FirmwareInfo"]
    link = at(os.environ["OTARU_DIRECT_HTTP"], info["FirmwareUrl"])
    sent_on = requests.get(link, allow_redirects=False, timeout=30)
    assert sent_on.status_code == 302
    assert sent_on.headers["Location"].startswith(os.environ["OTARU_STORE_OF_BYTES"] + "/")
    assert download(link).content == content
    part = download(link, Range="bytes=100-299")
    assert (part.status_code, part.content) == (206, content[100:300])
    head = requests.head(link, allow_redirects=False, timeout=30)
    assert (head.status_code, head.headers["Content-Length"]) == (200, "60000")
    assert requests.get(link.replace("Signature=", "Signature=A"), allow_redirects=False, timeout=30).status_code == 403


def test_a_written_nonce_is_used_up_on_every_copy():
    members = {"ProductName": fresh("meter"), "NodeType": 0, "DataFormat": 1}
    parameters = alibaba.common_parameters("CreateProduct", Format="JSON", **members)
    parameters["Signature"] = alibaba.signature("GET", parameters)
    first = requests.get(HTTP + "/", params=parameters, timeout=30)
    assert (first.status_code, first.json()["Success"]) == (200, True), first.text
    for door in (OTHER_HTTP, HTTP):
        again = requests.get(door + "/", params=parameters, timeout=30)
        assert (again.status_code, again.json()["Code"]) == (400, "SignatureNonceUsed"), again.text


def test_iotda_made_by_one_and_shown_by_the_other():
    one, other = huawei.iotda(), huawei.iotda(OTHER_HTTP)
    space = huawei.new_space(one)
    product = huawei.new_product(other, space.app_id)
    bucket, key, content = fresh("iotda-"), "v2/upgrade.bin", image(40_000, "iotda")
    put, get = storage.s3(), storage.s3(endpoint=OTHER_OBJECTS)
    put.create_bucket(Bucket=bucket)
    put.put_object(Bucket=bucket, Key=key, Body=content)
    assert get.get_object(Bucket=bucket, Key=key)["Body"].read() == content

    ground = SimpleNamespace(app_id=space.app_id, product_id=product.product_id, bucket=bucket, key=key)
    made = huawei.new_package(other, ground)
    shown = one.show_ota_package(ShowOtaPackageRequest(package_id=made.package_id))
    assert (shown.version, shown.product_id) == ("V2.0", product.product_id)
    listed = one.list_ota_package_info(ListOtaPackageInfoRequest(app_id=space.app_id, package_type="firmwarePackage"))
    assert [package.package_id for package in listed.packages] == [made.package_id]
    assert listed.page.count == 1
    one.delete_ota_package(DeleteOtaPackageRequest(package_id=made.package_id))
    assert huawei.refused(other.show_ota_package, ShowOtaPackageRequest(package_id=made.package_id))[0] == 404


def test_v15_a_token_of_one_copy_is_good_on_the_other():
    login = {"appId": ACCESS_KEY, "secret": SECRET_KEY}
    token = requests.post(HTTP + "/iocm/app/sec/v1.1.0/login", data=login, timeout=30).json()["accessToken"]
    headers = {"app_key": ACCESS_KEY, "Authorization": f"Bearer {token}"}
    for door in (OTHER_HTTP, HTTP, FRONT_HTTP):
        answer = requests.get(
            door + "/iodm/northbound/v1.5.0/category",
            params={"fileType": "firmwarePackage", "pageNo": 0, "pageSize": 10},
            headers=headers,
            timeout=30,
        )
        assert answer.status_code == 200, answer.text


def test_an_object_in_parts_through_both_doors():
    one, other = storage.s3(), storage.s3(endpoint=OTHER_OBJECTS)
    bucket, key = fresh("parts-"), "large.bin"
    content = image(11 << 20, "parts")
    one.create_bucket(Bucket=bucket)
    upload = one.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = []
    for number, client in ((1, other), (2, one), (3, other)):
        body = content[(number - 1) * (5 << 20) : number * (5 << 20)]
        etag = client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    other.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    for client in (one, other):
        got = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        assert hashlib.sha256(got).digest() == hashlib.sha256(content).digest()


@pytest.mark.parametrize("size", [300_000, 18 << 20], ids=["short", "long"])
def test_an_upload_goes_on_through_the_other_copy(size):
    content = image(size, "tus")
    half = size // 2
    name = base64.b64encode(b"upgrade.swu").decode()
    made = api("POST", "/uploads", HTTP, headers={**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {name}"})
    assert made.status_code == 201, made.text
    path = urlsplit(made.headers["Location"]).path.removeprefix("/api/v1")
    piece = {**TUS, "Content-Type": "application/offset+octet-stream"}
    sent = api("PATCH", path, HTTP, headers={**piece, "Upload-Offset": "0"}, data=content[:half])
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(half)), sent.text
    assert api("HEAD", path, OTHER_HTTP, headers=TUS).headers["Upload-Offset"] == str(half)
    wrong = api("PATCH", path, OTHER_HTTP, headers={**piece, "Upload-Offset": "7"}, data=b"x")
    assert wrong.status_code == 409
    sent = api("PATCH", path, OTHER_HTTP, headers={**piece, "Upload-Offset": str(half)}, data=content[half:])
    assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(size)), sent.text
    seen = api("GET", path, HTTP).json()
    assert (seen["is_complete"], seen["sha256"]) == (True, hashlib.sha256(content).hexdigest())


def test_a_revoked_key_is_refused_by_both_within_seconds():
    made = api("POST", "/keys", HTTP, json={"role": "viewer", "label": fresh("key")}).json()
    pair = (made["id"], made["secret"])

    def asked(door):
        return requests.get(door + "/api/v1/products", auth=pair, timeout=30).status_code

    assert (asked(HTTP), asked(OTHER_HTTP)) == (200, 200)
    assert api("DELETE", f"/keys/{made['id']}", HTTP).status_code == 204
    assert asked(HTTP) == 401
    deadline = time.monotonic() + 8
    while asked(OTHER_HTTP) != 401:
        assert time.monotonic() < deadline, "the other copy still lets the key in"
        time.sleep(0.3)


def test_each_copy_grants_its_share_of_a_quota():
    """The vendor documents 20 queries a second; two copies grant ten each."""
    for door in (HTTP, OTHER_HTTP):
        time.sleep(1.1)
        begun, answers = time.monotonic(), []
        while len(answers) < 11:
            parameters = alibaba.common_parameters("QueryOTAFirmware", Format="JSON", FirmwareId=alibaba.NOWHERE)
            parameters["Signature"] = alibaba.signature("GET", parameters)
            answers.append(requests.get(door + "/", params=parameters, timeout=30).json().get("Code"))
        assert time.monotonic() - begun < 1, "too slow a machine to judge a rate per second"
        throttled = [code for code in answers if code == "Throttling.User"]
        assert (len(throttled), answers[-1]) == (1, "Throttling.User"), answers
    time.sleep(1.1)


def test_one_goes_on_when_the_other_is_killed():
    content = image(3 << 20, "survivor")
    firmware_id, _ = firmware(content)
    os.kill(OTHER_PID, signal.SIGKILL)
    for _ in range(6):
        info = alibaba.call("V1", "QueryOTAFirmware", FRONT_HTTP, FirmwareId=firmware_id)
        assert info["Success"] is True, info
    link = info["FirmwareInfo"]["FirmwareUrl"]
    assert link.startswith(FRONT_HTTP + "/")
    assert download(link).content == content
    second, _ = firmware(image(50_000, str(uuid.uuid4())), FRONT_HTTP, FRONT_HTTP)
    assert alibaba.call("V1", "QueryOTAFirmware", FRONT_HTTP, FirmwareId=second)["Success"] is True
    objects = storage.s3(endpoint=FRONT_OBJECTS)
    bucket = fresh("after-")
    objects.create_bucket(Bucket=bucket)
    objects.put_object(Bucket=bucket, Key="a", Body=b"still here")
    assert objects.get_object(Bucket=bucket, Key="a")["Body"].read() == b"still here"
    assert requests.get(FRONT_HTTP + "/readyz", timeout=5).status_code == 200
