"""Both unmodified Python SDKs of the Alibaba door, by each of their signatures: packages from upload to end."""

import hashlib
import time
from urllib.parse import parse_qs, urlsplit

import pytest

import huawei
from alibaba import (
    NOWHERE,
    UTC,
    UTC_PATTERN,
    WAYS,
    Refused,
    call,
    failure,
    listed,
    new_firmware,
    new_product,
    query,
    upload,
)
from environment import Like, download, fresh, image, seconds_from_now


@pytest.fixture(scope="module")
def product():
    return new_product()


@pytest.mark.parametrize("way", WAYS)
def test_a_package_from_the_upload_to_its_end(way, door):
    product = call(way, "CreateProduct", door, ProductName=fresh("meter"), NodeType=0, DataFormat=1)["ProductKey"]
    content = image(50_000, way)
    md5 = hashlib.md5(content).hexdigest()
    name, version = fresh("固件(1)_a-"), fresh("4.0.0-b_")
    created = call(
        way,
        "CreateOTAFirmware",
        door,
        FirmwareName=name,
        DestVersion=version,
        ProductKey=product,
        FirmwareUrl=upload(way, content, door=door),
        FirmwareSize=len(content),
        FirmwareSign=md5,
        SignMethod="MD5",
        FirmwareDesc="desc with space + plus & amp = 中文",
        Type=0,
        NeedToVerify=True,
        Udi='{"ota_notice":"a <b> & \\"c\\""}',
    )
    assert created["Success"] is True, created
    firmware_id = created["Data"]["FirmwareId"]

    info = call(way, "QueryOTAFirmware", door, FirmwareId=firmware_id)["FirmwareInfo"]
    link = info.pop("FirmwareUrl")
    # The newer SDK shows a list that an answer lacks as an empty one.
    assert info.pop("MultiFiles", []) == []
    assert info == {
        "SrcVersion": "",
        "FirmwareSign": md5,
        "ProductKey": product,
        "Type": 0,
        "UtcModified": UTC,
        "SignMethod": "MD5",
        "UtcCreate": created["Data"]["UtcCreate"],
        "FirmwareSize": len(content),
        "Status": 0,
        "FirmwareId": firmware_id,
        "FirmwareDesc": "desc with space + plus & amp = 中文",
        "DestVersion": version,
        "ProductName": Like("meter.*"),
        "FirmwareName": name,
        "ModuleName": "default",
        "Udi": '{"ota_notice":"a <b> & \\"c\\""}',
        "VerifyProgress": 0,
    }
    assert abs(seconds_from_now(info["UtcCreate"], UTC_PATTERN)) < 120
    assert download(link).content == content

    (entry,), answer = listed(way, ProductKey=product)
    assert (answer["Total"], answer["PageCount"], answer["CurrentPage"], answer["PageSize"]) == (1, 1, 1, 100)
    # The list has all that the details have, but for these three; its SrcVersion of a full package is null.
    details = {key: value for key, value in info.items() if key not in ("Udi", "VerifyProgress", "SrcVersion")}
    assert {key: value for key, value in entry.items() if value is not None} == details

    change = {"FirmwareName": fresh("renamed"), "FirmwareDesc": "改", "FirmwareUdi": "new text"}
    changed = call(way, "ModifyOTAFirmware", door, FirmwareId=firmware_id, ProductKey=product, **change)
    assert changed["Success"] is True, changed
    info = query(way, firmware_id)
    assert (info["FirmwareName"], info["FirmwareDesc"], info["Udi"]) == tuple(change.values())
    assert info["DestVersion"] == version

    assert call(way, "DeleteOTAFirmware", door, FirmwareId=firmware_id)["Success"] is True
    assert failure(call(way, "QueryOTAFirmware", door, FirmwareId=firmware_id)) == "iot.ota.FirmwareNotFound"
    assert listed(way, ProductKey=product)[0] == []
    assert call(way, "DeleteProduct", door, ProductKey=product)["Success"] is True


def test_the_download_link(product):
    content = image(30_000, "link")
    info = query("ACS3", new_firmware("ACS3", product, content))
    link = info["FirmwareUrl"]
    signed = {name: values[0] for name, values in parse_qs(urlsplit(link).query, strict_parsing=True).items()}
    assert set(signed) == {"Expires", "OSSAccessKeyId", "Signature"}
    assert int(signed["Expires"]) - time.time() == pytest.approx(24 * 3600, abs=120)
    assert urlsplit(link).path.endswith(".bin")

    whole = download(link)
    assert (whole.status_code, whole.content) == (200, content)
    # The devices of this vendor compare the name of the header letter by letter, and can read no chunks.
    assert "Content-Length" in list(whole.headers) and whole.headers["Content-Length"] == "30000"
    assert "Transfer-Encoding" not in whole.headers and "Content-Encoding" not in whole.headers
    first, rest = download(link, Range="bytes=0-9999"), download(link, Range="bytes=10000-")
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.headers["Content-Range"] == "bytes 0-9999/30000"
    assert first.content + rest.content == content

    for other in (
        link.replace("Signature=", "Signature=A"),
        link.replace("Expires=1", "Expires=2"),
        link.split("?")[0],
    ):
        assert download(other).status_code == 403


@pytest.mark.parametrize("way", WAYS)
def test_a_package_of_several_files(way, product):
    contents = [image(size, f"{way}{size}") for size in (1000, 2000, 3000)]
    first, *others = [upload(way, content, "tar.gz") for content in contents]
    md5 = [hashlib.md5(content).hexdigest() for content in contents]
    files = [{"Name": "bootloader", "Url": first, "Size": 1000, "FileMd5": md5[0], "SignValue": md5[0]}]
    files += [{"Name": f"文件{number}", "Url": url} for number, url in enumerate(others)]
    firmware_id = new_firmware(way, product, MultiFiles=files, NeedToVerify=False)

    info = query(way, firmware_id)
    assert info["Status"] == -1
    assert {"FirmwareUrl", "FirmwareSize", "FirmwareSign"}.isdisjoint(info)
    assert info["MultiFiles"] == [
        {"Name": name, "Size": len(content), "FileMd5": sum_, "SignValue": sum_, "Url": Like("https?://.*")}
        for name, content, sum_ in zip(("bootloader", "文件0", "文件1"), contents, md5, strict=True)
    ]
    assert [download(file["Url"]).content for file in info["MultiFiles"]] == contents
    (entry,) = [entry for entry in listed(way, ProductKey=product)[0] if entry["FirmwareId"] == firmware_id]
    assert {"FirmwareSize", "FirmwareSign", "MultiFiles"}.isdisjoint(entry)


@pytest.mark.parametrize("way", WAYS)
def test_a_delta_package(way, product):
    version = fresh("2.0-")
    firmware_id = new_firmware(way, product, DestVersion=version, Type=1, SrcVersion="1.0.0")
    assert (query(way, firmware_id)["Type"], query(way, firmware_id)["SrcVersion"]) == (1, "1.0.0")
    (entry,), _ = listed(way, DestVersion=version)
    assert (entry["Type"], entry["SrcVersion"]) == (1, "1.0.0")


def test_what_a_creation_refuses(product):
    def creation(**parameters):
        base = {"FirmwareName": fresh("fw"), "DestVersion": fresh("v"), "ProductKey": product, "FirmwareUrl": url}
        answer = call("ACS3", "CreateOTAFirmware", **{**base, **parameters})
        return failure(answer)

    url = upload("ACS3", b"content")
    for wrong in (
        {"FirmwareName": "n" * 41},
        {"FirmwareName": "-begins wrongly"},
        {"FirmwareName": "_begins"},
        {"DestVersion": "v" * 65},
        {"DestVersion": "1 0"},
        {"DestVersion": "版本"},
        {"FirmwareDesc": "d" * 101},
        {"Udi": "u" * 4097},
        {"Type": 2},
        {"SignMethod": "CRC32"},
        {"Type": 1, "SrcVersion": "1.0.0", "DestVersion": "1.0.0"},
        {"MultiFiles": [{"Name": "n" * 33, "Url": url}], "FirmwareUrl": None},
        {"MultiFiles": [{"Name": "same", "Url": url}, {"Name": "same", "Url": url}], "FirmwareUrl": None},
    ):
        assert creation(**wrong) == Like(r"iot\.(check|common|ota)\..+"), wrong
    assert creation(ProductKey="a1unknown00") == "iot.prod.NotExistedProduct"
    assert creation(ModuleName="nowhere") == Like(r"iot\.ota\..+")
    assert creation(FirmwareUrl=url.replace(".bin", "0.bin")) == Like(r"iot\.ota\..+")


def test_names_are_unique_in_the_account_and_versions_in_the_module(product):
    name, version = fresh("fw"), fresh("v")
    new_firmware("ACS3", product, FirmwareName=name, DestVersion=version)
    for taken in ({"FirmwareName": name}, {"DestVersion": version}):
        parameters = {"FirmwareName": fresh("fw"), "DestVersion": fresh("v"), "ProductKey": product, **taken}
        answer = call("ACS3", "CreateOTAFirmware", FirmwareUrl=upload("ACS3", b"content"), **parameters)
        assert failure(answer) == Like(r"iot\.ota\..+")
    elsewhere = new_firmware("ACS3", new_product(), DestVersion=version)
    assert query("ACS3", elsewhere)["DestVersion"] == version


@pytest.mark.parametrize("way", ["V1", "ACS3"])
def test_pages_and_filters(way):
    product, other = new_product(way), new_product(way)
    version = fresh("7.0-")
    newest_first = [new_firmware(way, product) for _ in range(6)]
    newest_first = [new_firmware(way, product, DestVersion=version), *newest_first[::-1]]
    elsewhere = new_firmware(way, other, DestVersion=version)

    def page(**parameters):
        entries, answer = listed(way, **parameters)
        numbers = [answer[name] for name in ("CurrentPage", "PageSize", "PageCount", "Total")]
        return [entry["FirmwareId"] for entry in entries], numbers

    assert page(ProductKey=product, PageSize=3) == (newest_first[:3], [1, 3, 3, 7])
    assert page(ProductKey=product, PageSize=3, CurrentPage=2) == (newest_first[3:6], [2, 3, 3, 7])
    assert page(ProductKey=product, PageSize=3, CurrentPage=3) == (newest_first[6:], [3, 3, 3, 7])
    assert page(ProductKey=product, PageSize=3, CurrentPage=4) == ([], [4, 3, 3, 7])
    assert page(ProductKey=product, PageSize=7) == (newest_first, [1, 7, 1, 7])
    assert page(DestVersion=version) == ([elsewhere, newest_first[0]], [1, 100, 1, 2])
    assert page(DestVersion=version, ProductKey=product) == (newest_first[:1], [1, 100, 1, 1])
    assert page(DestVersion=version[:-1]) == ([], [1, 100, 0, 0])
    assert page(ProductKey="a1unknown00") == ([], [1, 100, 0, 0])
    everything, (_, _, _, total) = page(PageSize=2)
    assert everything == [elsewhere, newest_first[0]] and total >= 8

    for wrong in ({"CurrentPage": 0}, {"CurrentPage": -1}, {"PageSize": 0}, {"PageSize": -1}, {"PageSize": 101}):
        answer = call(way, "ListOTAFirmware", **{"CurrentPage": 1, "PageSize": 10, **wrong})
        assert failure(answer) == "iot.common.InvalidPageParams", wrong


@pytest.mark.parametrize("way", WAYS)
def test_a_firmware_that_is_not_there(way, product):
    assert failure(call(way, "QueryOTAFirmware", FirmwareId=NOWHERE)) == "iot.ota.FirmwareNotFound"
    assert failure(call(way, "DeleteOTAFirmware", FirmwareId=NOWHERE)) == "iot.ota.FirmwareNotFound"
    answer = call(way, "ModifyOTAFirmware", FirmwareId=NOWHERE, ProductKey=product, FirmwareName=fresh("fw"))
    assert failure(answer) == "iot.ota.FirmwareNotFound"


@pytest.mark.parametrize("way", WAYS)
def test_a_wrong_secret_an_unknown_key_and_a_missing_parameter(way, door):
    with pytest.raises(Refused) as refusal:
        call(way, "QueryOTAFirmware", door, secret_key="wrong", FirmwareId=NOWHERE)
    # The older SDK compares the server's string to sign with its own; where they are the same, the secret is at fault.
    code = "InvalidAccessKeySecret" if way == "V1" else "SignatureDoesNotMatch"
    assert (refusal.value.status, refusal.value.code) == (400, code)
    with pytest.raises(Refused) as refusal:
        call(way, "QueryOTAFirmware", door, access_key="NOBODY", FirmwareId=NOWHERE)
    assert (refusal.value.status, refusal.value.code) == (404, "InvalidAccessKeyId.NotFound")
    with pytest.raises(Refused) as refusal:
        call(way, "QueryOTAFirmware", door)
    assert (refusal.value.status, refusal.value.code) == (400, "MissingFirmwareId")


def test_packages_of_the_other_vendor_are_here_too(ground):
    """A package made through IoTDA, as this door shows it: its source versions do not make it a delta."""
    version = fresh("V-crossing-")
    huawei.new_package(huawei.iotda(), ground, version=version, support_source_versions=["V1.0", "V1.1"])
    (entry,), _ = listed("ACS3", DestVersion=version)
    assert (entry["ModuleName"], entry["Type"], entry["SrcVersion"]) == ("default", 0, "V1.0")
    assert entry["ProductName"] == ground.product_name
    info = query("ACS3", entry["FirmwareId"])
    assert info["FirmwareSize"] == len(ground.content)
    assert download(info["FirmwareUrl"]).content == ground.content
