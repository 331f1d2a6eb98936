"""The unmodified IoTDA SDK walks one package through its life, by every way its users sign in and over every door."""

import json
from types import SimpleNamespace

import pytest
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkiotda.v5 import (
    CreateOtaModule,
    CreateOtaModuleRequest,
    DeleteOtaPackageRequest,
    FileLocation,
    ListOtaPackageInfoRequest,
    ObsLocation,
    ShowOtaPackageRequest,
)

import huawei
import storage
from environment import fresh, in_order, seconds_from_now
from huawei import PACKAGE_ID, TIME, TIME_PATTERN, new_package, new_product, new_space

WAYS = ["plain", "derived", "looked-up"]


@pytest.mark.parametrize("way", WAYS)
def test_a_package_from_the_bucket_to_its_end(door, way, tmp_path):
    client = huawei.iotda(door, way)
    space = new_space(client)
    assert space.status_code == 201
    product = new_product(client, space.app_id)
    assert product.status_code == 201

    bucket, key = fresh("walk-"), "releases/2026/upgrade.bin"
    upgrade = tmp_path / "upgrade.bin"
    upgrade.write_bytes(b"\x7fELF firmware")
    objects = storage.obs()
    assert objects.createBucket(bucket).status == 200
    assert objects.putFile(bucket, key, str(upgrade)).status == 200

    ground = SimpleNamespace(app_id=space.app_id, product_id=product.product_id, bucket=bucket, key=key)
    created = new_package(client, ground, description="走一遍 the walk", custom_info="board=m4")
    assert created.status_code == 201

    shown = client.show_ota_package(ShowOtaPackageRequest(package_id=created.package_id))
    assert shown.status_code == 200
    assert json.loads(shown.raw_content) == json.loads(created.raw_content)
    assert shown.description == "走一遍 the walk"
    assert shown.file_location.obs_location.object_key == key

    request = ListOtaPackageInfoRequest(app_id=space.app_id, package_type="firmwarePackage")
    listed = client.list_ota_package_info(request)
    assert [package.package_id for package in listed.packages] == [created.package_id]
    assert listed.page.count == 1

    gone = client.delete_ota_package(DeleteOtaPackageRequest(package_id=created.package_id))
    assert (gone.status_code, gone.raw_content) == (204, b"")
    with pytest.raises(ClientRequestException) as missing:
        client.show_ota_package(ShowOtaPackageRequest(package_id=created.package_id))
    assert missing.value.status_code == 404
    assert client.list_ota_package_info(request).page.count == 0


def test_a_created_package_shows_the_members_of_the_document_in_their_order(ground):
    """The second example of the create document, member for member; product_name is the one the example lacks."""
    sign = ground.sha256
    location = ObsLocation(region_name="cn-north-4", bucket_name=ground.bucket, object_key=ground.key, sign=sign)
    created = new_package(
        huawei.iotda(),
        ground,
        support_source_versions=["V1.0", "V1.1"],
        description="package for version V1.0 and V1.1",
        custom_info="Updated the XX function and fixed the XXXX issue.",
        file_location=FileLocation(obs_location=location),
    )
    expected = {
        "package_id": PACKAGE_ID,
        "app_id": ground.app_id,
        "package_type": "firmwarePackage",
        "product_id": ground.product_id,
        "product_name": ground.product_name,
        "version": "V2.0",
        "support_source_versions": ["V1.0", "V1.1"],
        "description": "package for version V1.0 and V1.1",
        "custom_info": "Updated the XX function and fixed the XXXX issue.",
        "create_time": TIME,
        "file_location": {
            "obs_location": {
                "region_name": "cn-north-4",
                "bucket_name": ground.bucket,
                "object_key": ground.key,
                "sign": sign,
            }
        },
    }
    assert in_order(json.loads(created.raw_content)) == in_order(expected)
    assert abs(seconds_from_now(created.create_time, TIME_PATTERN)) < 120


def test_what_a_request_leaves_out_the_answer_leaves_out(ground):
    created = new_package(huawei.iotda(), ground, version="V2.1")
    assert list(json.loads(created.raw_content)) == [
        "package_id",
        "app_id",
        "package_type",
        "product_id",
        "product_name",
        "version",
        "create_time",
        "file_location",
    ]
    location = json.loads(created.raw_content)["file_location"]["obs_location"]
    assert list(location) == ["region_name", "bucket_name", "object_key"]


@pytest.mark.parametrize("sign_method", ["SHA-256", "SHA256"])
def test_both_spellings_of_the_sign_method_are_kept(ground, sign_method):
    location = ObsLocation("cn-north-4", ground.bucket, ground.key, sign_method, ground.sha256)
    created = new_package(huawei.iotda(), ground, file_location=FileLocation(obs_location=location))
    stored = json.loads(created.raw_content)["file_location"]["obs_location"]
    assert list(stored) == ["region_name", "bucket_name", "object_key", "sign_method", "sign"]
    assert stored["sign_method"] == sign_method


def test_a_sign_that_differs_from_the_object_does_not_prevent_the_package(ground):
    location = ObsLocation("cn-north-4", ground.bucket, ground.key, sign="5a" * 32)
    created = new_package(huawei.iotda(), ground, file_location=FileLocation(obs_location=location))
    assert created.status_code == 201
    assert created.file_location.obs_location.sign == "5a" * 32


def test_the_same_version_twice_makes_two_packages(ground):
    client = huawei.iotda()
    first, second = (new_package(client, ground, version="V9.9") for _ in range(2))
    assert first.package_id != second.package_id


def test_software_packages_and_module_packages(ground):
    client = huawei.iotda()
    software = new_package(client, ground, "softwarePackage", "V3.0")
    assert software.package_type == "softwarePackage"

    module_name = fresh("bms.")
    module = CreateOtaModule(app_id=ground.app_id, product_id=ground.product_id, module_name=module_name)
    client.create_ota_module(CreateOtaModuleRequest(body=module))
    package = new_package(client, ground, "modulePackage", "V4.0", module_name=module_name)
    answer = json.loads(package.raw_content)
    assert answer["module_name"] == module_name
    assert list(answer)[:6] == ["package_id", "app_id", "package_type", "product_id", "product_name", "module_name"]

    shown = client.show_ota_package(ShowOtaPackageRequest(package_id=package.package_id))
    assert (shown.package_type, shown.module_name) == ("modulePackage", module_name)


def test_every_field_at_its_longest(ground):
    """Lengths count characters, not bytes: three bytes each, a Chinese description still fits."""
    created = new_package(
        huawei.iotda(),
        ground,
        version="v" * 252 + "_-.9",
        support_source_versions=[f"V1.{minor}_a-b" for minor in range(20)],
        description="述" * 1024,
        custom_info="息" * 4096,
    )
    assert created.version == "v" * 252 + "_-.9"
    assert len(created.support_source_versions) == 20
    assert created.description == "述" * 1024
    assert created.custom_info == "息" * 4096


SUFFIXES = ".bin .dav .tar .gz .zip .gzip .apk .tar.gz .tar.xz .pack .exe .bat .img .BIN"


def test_every_file_suffix_of_the_document(ground):
    client, objects = huawei.iotda(), storage.obs()
    for suffix in SUFFIXES.split():
        key = "suffixes/upgrade" + suffix
        assert objects.putContent(ground.bucket, key, b"content").status == 200
        assert new_package(client, ground, object_key=key).file_location.obs_location.object_key == key


def test_the_longest_object_key(ground):
    key = "/".join(["k" * 255] * 4)[: 1024 - 4] + ".bin"
    assert len(key) == 1024
    assert storage.obs().putContent(ground.bucket, key, b"content").status == 200
    assert new_package(huawei.iotda(), ground, object_key=key).file_location.obs_location.object_key == key


def test_an_instance_id_is_accepted_and_ignored(ground):
    client = huawei.iotda()
    package_id = new_package(client, ground).package_id
    shown = client.show_ota_package(ShowOtaPackageRequest(instance_id="e495cf17", package_id=package_id))
    assert shown.package_id == package_id
