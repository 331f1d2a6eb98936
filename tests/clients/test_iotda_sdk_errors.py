"""What the IoTDA door refuses, as the SDK reports it: HTTP status, code and a text, for packages and their lists."""

import json

import pytest
from huaweicloudsdkiotda.v5 import (
    CreateOtaPackage,
    CreateOtaPackageRequest,
    DeleteOtaPackageRequest,
    FileLocation,
    ListOtaPackageInfoRequest,
    ObsLocation,
    ShowOtaPackageRequest,
)

import huawei
import storage
from environment import fresh
from huawei import NOWHERE, PACKAGES, refused

ABSENT = object()


def body_with(ground, changes):
    """A valid create body with some members changed or left out; names with a dot belong to the obs_location."""
    body = {
        "app_id": ground.app_id,
        "package_type": "firmwarePackage",
        "product_id": ground.product_id,
        "version": "V1",
    }
    location = {"region_name": "cn-north-4", "bucket_name": ground.bucket, "object_key": ground.key}
    file_location = None
    for name, value in changes.items():
        if name == "file_location":
            file_location = value
        else:
            target, member = (location, name[1:]) if name.startswith(".") else (body, name)
            target.pop(member, None) if value is ABSENT else target.update({member: value})
    if file_location is None:
        file_location = FileLocation(obs_location=ObsLocation(**location))
    if file_location is not ABSENT:
        body["file_location"] = file_location
    return CreateOtaPackage(**body)


def refused_body(ground, **changes):
    changes = {"." + name[1:] if name.startswith("_") else name: value for name, value in changes.items()}
    request = CreateOtaPackageRequest(body=body_with(ground, changes))
    return refused(huawei.iotda().create_ota_package, request)


INVALID = [
    ("app_id", ABSENT),
    ("app_id", ""),
    ("app_id", "a" * 37),
    ("app_id", "a.b"),
    ("package_type", ABSENT),
    ("package_type", "hardwarePackage"),
    ("product_id", ABSENT),
    ("product_id", "p" * 37),
    ("product_id", "p q"),
    ("product_id", NOWHERE),
    ("version", ABSENT),
    ("version", ""),
    ("version", "v" * 257),
    ("version", "V 1"),
    ("version", "版本"),
    ("support_source_versions", [f"V{number}" for number in range(21)]),
    ("support_source_versions", ["V1 0"]),
    ("description", "d" * 1025),
    ("custom_info", "c" * 4097),
    ("file_location", ABSENT),
    ("file_location", FileLocation()),
    ("_region_name", ABSENT),
    ("_region_name", "r" * 257),
    ("_region_name", "cn_north_4"),
    ("_bucket_name", ABSENT),
    ("_bucket_name", "ab"),
    ("_bucket_name", "b" * 64),
    ("_bucket_name", "Bucket"),
    ("_object_key", ABSENT),
    ("_object_key", "k" * 1021 + ".bin"),
    ("_sign", "5" * 63),
    ("_sign", "5" * 63 + "-"),
    ("_sign_method", "MD5"),
]


def label(value):
    return "absent" if value is ABSENT else str(value)[:24]


@pytest.mark.parametrize("member, value", INVALID, ids=[f"{name.strip('_')}-{label(value)}" for name, value in INVALID])
def test_a_body_outside_the_documented_limits(ground, member, value):
    status, code, _ = refused_body(ground, **{member: value})
    assert (status, code) == (400, "IOTDA.000006")


def test_a_module_name_and_the_type_go_together(ground):
    assert refused_body(ground, module_name="bms")[0] == 400
    assert refused_body(ground, package_type="modulePackage")[0] == 400
    assert refused_body(ground, package_type="modulePackage", module_name=fresh("nowhere"))[0] == 400
    assert refused_body(ground, package_type="modulePackage", module_name="m" * 65)[0] == 400


def test_a_space_that_does_not_exist_is_forbidden(ground):
    assert refused_body(ground, app_id=NOWHERE)[:2] == (403, "IOTDA.001000")
    request = ListOtaPackageInfoRequest(app_id=NOWHERE, package_type="firmwarePackage")
    assert refused(huawei.iotda().list_ota_package_info, request)[:2] == (403, "IOTDA.001000")


def test_an_object_that_is_not_there_is_named(ground):
    status, code, text = refused_body(ground, _object_key="nowhere/upgrade.bin")
    assert (status, code) == (400, "IOTDA.019306")
    assert ground.bucket in text and "nowhere/upgrade.bin" in text


@pytest.mark.parametrize("key", ["upgrade.txt", "upgrade", "bin", "upgrade.bin.exe_"])
def test_a_file_of_another_kind(ground, key):
    assert storage.obs().putContent(ground.bucket, key, b"content").status == 200
    assert refused_body(ground, _object_key=key)[:2] == (400, "IOTDA.019305")


def test_a_package_that_is_not_there():
    client = huawei.iotda()
    shown = refused(client.show_ota_package, ShowOtaPackageRequest(package_id=NOWHERE))
    deleted = refused(client.delete_ota_package, DeleteOtaPackageRequest(package_id=NOWHERE))
    assert shown[0] == deleted[0] == 404
    assert shown[1] == deleted[1] and shown[1].startswith("IOTDA.")


@pytest.mark.parametrize(
    "query, code",
    [
        ({"package_type": ABSENT}, "IOTDA.000006"),
        ({"package_type": "hardwarePackage"}, "IOTDA.000006"),
        ({"app_id": "a" * 37}, "IOTDA.000006"),
        ({"product_id": "p" * 37}, "IOTDA.000006"),
        ({"version": "v" * 257}, "IOTDA.000006"),
        ({"version": "V 1"}, "IOTDA.000006"),
        ({"limit": 0}, "IOTDA.000017"),
        ({"limit": 51}, "IOTDA.000017"),
        ({"limit": -1}, "IOTDA.000017"),
        ({"limit": "ten"}, "IOTDA.000017"),
        ({"limit": ""}, "IOTDA.000017"),
        ({"marker": "f" * 23}, "IOTDA.000018"),
        ({"marker": "f" * 25}, "IOTDA.000018"),
        ({"marker": "g" * 24}, "IOTDA.000018"),
        ({"marker": ""}, "IOTDA.000018"),
        ({"offset": -1}, "IOTDA.000018"),
        ({"offset": 501}, "IOTDA.000018"),
        ({"offset": "ten"}, "IOTDA.000018"),
    ],
    ids=str,
)
def test_a_list_outside_the_documented_limits(query, code):
    members = {"package_type": "firmwarePackage", **query}
    members = {name: value for name, value in members.items() if value is not ABSENT}
    status, error_code, _ = refused(huawei.iotda().list_ota_package_info, ListOtaPackageInfoRequest(**members))
    assert (status, error_code) == (400, code)


def test_a_list_without_a_type_sent_bare():
    """The example request of the list document lacks package_type, its table makes it mandatory: the table holds."""
    answer = huawei.signed("GET", PACKAGES)
    assert answer.status_code == 400
    assert answer.json()["error_code"] == "IOTDA.000006"


@pytest.mark.parametrize("body", [b'{"app_id": ', b"<package/>", b"\xff\xfe{}"], ids=repr)
def test_a_body_that_is_no_json(body):
    answer = huawei.signed("POST", PACKAGES, body=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "IOTDA.000008")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"', b'{"app_id": 5}'], ids=repr)
def test_a_body_that_is_json_of_another_shape(body):
    answer = huawei.signed("POST", PACKAGES, body=body)
    assert answer.status_code == 400
    assert answer.json()["error_code"] in ("IOTDA.000008", "IOTDA.000006")


def test_an_error_has_two_members_and_a_request_id():
    answer = huawei.signed("GET", f"{PACKAGES}/{NOWHERE}")
    assert answer.headers["Content-Type"].split(";")[0] == "application/json"
    assert answer.headers["X-Request-Id"]
    error = json.loads(answer.text)
    assert list(error) == ["error_code", "error_msg"]
    assert all(isinstance(text, str) and text for text in error.values())


def test_a_body_as_other_clients_write_it(ground):
    """An unknown member, raw UTF-8 instead of escapes, and a media type with a charset."""
    location = {"region_name": "cn-north-4", "bucket_name": ground.bucket, "object_key": ground.key}
    body = {
        "app_id": ground.app_id,
        "package_type": "firmwarePackage",
        "product_id": ground.product_id,
        "version": "V-other",
        "description": "固件",
        "colour": "green",
        "file_location": {"obs_location": location},
    }
    raw = json.dumps(body, ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json;charset=UTF-8"}
    answer = huawei.signed("POST", PACKAGES, body=raw, headers=headers)
    assert answer.status_code == 201
    assert answer.headers["X-Request-Id"]
    assert answer.json()["description"] == "固件"
    assert "colour" not in answer.json()
