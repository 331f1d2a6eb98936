"""The Alibaba door in bytes: what goes out in XML and JSON, and what the gateway in front of the operations refuses."""

import base64
import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from xml.etree import ElementTree

import pytest
import requests

from alibaba import (
    NOWHERE,
    REQUEST_ID,
    UTC,
    bare,
    call,
    common_parameters,
    new_firmware,
    new_product,
    post_form,
    send,
    signature,
    string_to_sign,
    upload,
)
from environment import BURST_ACCESS_KEY, BURST_SECRET_KEY, HTTP, Like, fresh, image

LISTED = (
    "SrcVersion FirmwareSign ProductKey Type UtcModified SignMethod UtcCreate FirmwareSize Status FirmwareId "
    "FirmwareDesc DestVersion ProductName FirmwareName ModuleName"
).split()
DETAILED = (
    "SrcVersion FirmwareSign ProductKey Type UtcModified SignMethod UtcCreate FirmwareSize Status FirmwareId "
    "FirmwareDesc FirmwareUrl DestVersion ProductName FirmwareName ModuleName Udi VerifyProgress"
).split()


@pytest.fixture(scope="module")
def product():
    return new_product()


@pytest.fixture(scope="module")
def firmware(product):
    texts = {"FirmwareDesc": "描述 <a> & \"b\" 'c'", "Udi": '{"ota_notice":"Upgrade <now> & here"}'}
    return new_firmware("ACS3", product, image(924, "raw"), DestVersion=fresh("4.0.0-"), **texts)


def compact_json(answer):
    """The body, which must be compact and raw UTF-8: some readers of this vendor's answers know no escapes."""
    assert answer.headers["Content-Type"].replace(" ", "").lower() == "application/json;charset=utf-8"
    body = answer.content.decode()
    parsed = json.loads(body)
    assert body == json.dumps(parsed, ensure_ascii=False, separators=(",", ":"))
    return parsed


def xml(answer):
    assert answer.headers["Content-Type"] == "text/xml;charset=utf-8"
    root = ElementTree.fromstring(answer.content)
    assert all(not element.attrib and not element.tag.startswith("{") for element in root.iter())
    return root


def gateway_failure(answer, status, code):
    assert answer.status_code == status, answer.text
    root = xml(answer)
    assert (root.tag, root.findtext("Code")) == ("Error", code)
    assert [element.tag for element in root] == ["RequestId", "HostId", "Code", "Message", "Recommend"]
    assert root.findtext("RequestId") == REQUEST_ID
    assert root.findtext("Message")
    return root.findtext("Message")


def test_a_list_in_json_in_the_order_of_the_document(product, firmware):
    answer = bare("ListOTAFirmware", Format="JSON", CurrentPage=1, PageSize=10, ProductKey=product)
    body = compact_json(answer)
    members = ["PageCount", "PageSize", "RequestId", "FirmwareInfo", "CurrentPage", "Success", "Total"]
    assert list(body) == members
    assert [body[name] for name in members if name not in ("RequestId", "FirmwareInfo")] == [1, 10, 1, True, 1]
    assert body["RequestId"] == REQUEST_ID == answer.headers["x-acs-request-id"]
    (entry,) = body["FirmwareInfo"]["SimpleFirmwareInfo"]
    assert list(entry) == LISTED
    assert entry["SrcVersion"] is None
    assert [type(entry[name]) for name in ("Type", "FirmwareSize", "Status")] == [int, int, int]


def test_a_list_in_xml_as_the_default_in_the_order_of_the_document(product, firmware):
    root = xml(bare("ListOTAFirmware", CurrentPage=1, PageSize=10, ProductKey=product))
    assert root.tag == "ListOTAFirmwareResponse"
    members = ["PageCount", "PageSize", "RequestId", "FirmwareInfo", "CurrentPage", "Success", "Total"]
    assert [element.tag for element in root] == members
    (entry,) = root.findall("FirmwareInfo/SimpleFirmwareInfo")
    # A full package has no source version: null in JSON, no element here.
    assert [element.tag for element in entry] == [name for name in LISTED if name != "SrcVersion"]
    assert (root.findtext("Success"), root.findtext("Total")) == ("true", "1")
    assert entry.findtext("FirmwareSize") == "924"


def test_details_in_json_in_the_order_of_the_document(firmware):
    body = compact_json(bare("QueryOTAFirmware", Format="json", FirmwareId=firmware))
    assert list(body) == ["RequestId", "FirmwareInfo", "Success"]
    info = body["FirmwareInfo"]
    assert list(info) == DETAILED
    assert (info["SrcVersion"], info["Udi"]) == ("", '{"ota_notice":"Upgrade <now> & here"}')


def test_details_in_xml_in_the_order_of_the_document(firmware):
    answer = bare("QueryOTAFirmware", FirmwareId=firmware)
    root = xml(answer)
    assert root.tag == "QueryOTAFirmwareResponse"
    assert [element.tag for element in root] == ["RequestId", "FirmwareInfo", "Success"]
    assert [element.tag for element in root.find("FirmwareInfo")] == DETAILED
    assert root.findtext("FirmwareInfo/FirmwareDesc") == "描述 <a> & \"b\" 'c'"
    assert root.findtext("FirmwareInfo/FirmwareUrl").count("&") == 2
    # As in the document's sample: an empty text has both tags, and a quote in a text stays a quote.
    text = answer.content.decode()
    assert "<SrcVersion></SrcVersion>" in text
    assert '<Udi>{"ota_notice":"Upgrade &lt;now&gt; &amp; here"}</Udi>' in text
    assert re.search(r">\s+<", text.split("?>")[-1]) is None


def test_members_that_were_never_set_are_left_out():
    firmware = new_firmware("ACS3", new_product())
    info = compact_json(bare("QueryOTAFirmware", Format="JSON", FirmwareId=firmware))["FirmwareInfo"]
    assert list(info) == [name for name in DETAILED if name not in ("FirmwareDesc", "Udi")]
    root = xml(bare("QueryOTAFirmware", FirmwareId=firmware))
    assert root.find("FirmwareInfo/Udi") is None and root.find("FirmwareInfo/FirmwareDesc") is None


def test_several_files_and_modules_nest_in_xml():
    product = new_product()
    files = [{"Name": name, "Url": upload("ACS3", name.encode())} for name in ("f0", "f1")]
    firmware = new_firmware("ACS3", product, MultiFiles=files)
    info = xml(bare("QueryOTAFirmware", FirmwareId=firmware)).find("FirmwareInfo")
    assert [file.findtext("Name") for file in info.findall("MultiFiles/MultiFiles")] == ["f0", "f1"]
    assert len(info.findall("MultiFiles")) == 1
    call("ACS3", "CreateOTAModule", ProductKey=product, ModuleName="m1")
    root = xml(bare("ListOTAModuleByProduct", ProductKey=product))
    assert {module.findtext("ModuleName") for module in root.findall("Data/Data")} == {"default", "m1"}


def test_an_empty_list():
    empty = {"CurrentPage": 1, "PageSize": 10, "DestVersion": fresh("nowhere")}
    body = compact_json(bare("ListOTAFirmware", Format="JSON", **empty))
    assert body["FirmwareInfo"] == {"SimpleFirmwareInfo": []}
    assert (body["Total"], body["PageCount"]) == (0, 0)
    assert xml(bare("ListOTAFirmware", **empty)).find("FirmwareInfo") is not None


def test_a_business_failure_is_an_answer():
    answer = bare("QueryOTAFirmware", Format="JSON", FirmwareId=NOWHERE)
    assert answer.status_code == 200
    body = compact_json(answer)
    assert (body["Success"], body["Code"]) == (False, "iot.ota.FirmwareNotFound")
    assert body["ErrorMessage"] == "The specified firmware does not exist."
    root = xml(bare("QueryOTAFirmware", FirmwareId=NOWHERE))
    assert (root.tag, root.findtext("Code")) == ("QueryOTAFirmwareResponse", "iot.ota.FirmwareNotFound")


@pytest.mark.parametrize(
    "how",
    [
        {"method": "GET"},
        {"method": "POST"},
        {"method": "POST", "in_form": ...},
        {"method": "POST", "in_form": ("FirmwareId", "Format")},
    ],
    ids=["query by GET", "query by POST", "form", "mixed"],
)
def test_parameters_in_query_and_form(firmware, how):
    odd = {"Ünknown *~'(": " a+b&c=ä%20 ", "RegionId": "", "IotInstanceId": "iot-060a0001"}
    answer = bare("QueryOTAFirmware", Format="JSON", FirmwareId=firmware, **odd, **how)
    assert compact_json(answer)["FirmwareInfo"]["FirmwareId"] == firmware


def test_the_format_of_the_answer(firmware):
    by_accept = bare("QueryOTAFirmware", FirmwareId=firmware, headers={"Accept": "application/json"})
    assert compact_json(by_accept)["Success"] is True
    # A Format that is given decides.
    assert xml(bare("QueryOTAFirmware", FirmwareId=firmware, Format="XML", headers={"Accept": "application/json"}))
    failed = bare("QueryOTAFirmware", Format="JSON", secret_key="wrong", FirmwareId=firmware)
    assert list(compact_json(failed)) == ["RequestId", "HostId", "Code", "Message", "Recommend"]


def test_a_wrong_signature_ends_in_the_string_that_was_to_be_signed():
    parameters = common_parameters("ListOTAFirmware", CurrentPage="1", PageSize="10", ProductKey="a b*~/é")
    wrong = {**parameters, "Signature": signature("GET", parameters, "wrong")}
    message = gateway_failure(send("GET", wrong), 400, "SignatureDoesNotMatch")
    assert message.split("string to sign is:")[1] == string_to_sign("GET", parameters)
    # The method is signed as well.
    signed_for_get = {**parameters, "Signature": signature("GET", parameters)}
    gateway_failure(send("POST", signed_for_get), 400, "SignatureDoesNotMatch")


def test_a_request_works_once():
    parameters = common_parameters("ListOTAFirmware", CurrentPage="1", PageSize="10")
    parameters["Signature"] = signature("GET", parameters)
    time.sleep(0.2)
    assert send("GET", parameters).status_code == 200
    gateway_failure(send("GET", parameters), 400, "SignatureNonceUsed")


def test_a_creation_works_once(product):
    name = fresh("m")
    parameters = common_parameters("CreateOTAModule", ProductKey=product, ModuleName=name)
    parameters["Signature"] = signature("POST", parameters)
    assert xml(send("POST", parameters, in_form=...)).findtext("Success") == "true"
    gateway_failure(send("POST", parameters, in_form=...), 400, "SignatureNonceUsed")


@pytest.mark.parametrize(
    "changes, status, code",
    [
        ({"Action": "NoSuchAction"}, 404, "InvalidAction.NotFound"),
        ({"Action": "listotafirmware"}, 404, "InvalidAction.NotFound"),
        ({"Version": "2017-04-20"}, 400, "InvalidVersion"),
        ({"Version": None}, 400, "MissingVersion"),
        ({"AccessKeyId": None}, 400, "MissingAccessKeyId"),
        ({"AccessKeyId": "NOBODY"}, 404, "InvalidAccessKeyId.NotFound"),
        ({"SignatureMethod": None}, 400, "MissingSignatureMethod"),
        ({"SignatureMethod": "HMAC-MD5"}, 400, "InvalidSignatureMethod"),
        ({"SignatureVersion": None}, 400, "MissingSignatureVersion"),
        ({"SignatureNonce": None}, 400, "MissingSignatureNonce"),
        ({"Timestamp": None}, 400, "MissingTimestamp"),
        ({"Timestamp": "yesterday"}, 400, "InvalidTimeStamp.Format"),
        ({"Timestamp": "2026-01-02 03:04:05"}, 400, "InvalidTimeStamp.Format"),
        ({"CurrentPage": None}, 400, "MissingCurrentPage"),
        ({"PageSize": None}, 400, "MissingPageSize"),
    ],
    ids=str,
)
def test_what_the_gateway_refuses(changes, status, code):
    parameters = {"CurrentPage": 1, "PageSize": 10, **changes}
    action = parameters.pop("Action", "ListOTAFirmware")
    gateway_failure(bare(action, **parameters), status, code)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_timestamp_outside_a_quarter_of_an_hour(minutes):
    timestamp = (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = bare("ListOTAFirmware", CurrentPage=1, PageSize=10, Timestamp=timestamp)
    gateway_failure(answer, 400, "InvalidTimeStamp.Expired")


def test_a_request_without_a_signature():
    gateway_failure(requests.get(HTTP + "/", common_parameters("ListOTAFirmware"), timeout=30), 400, "MissingSignature")


def test_a_missing_parameter_is_named():
    gateway_failure(bare("QueryOTAFirmware"), 400, "MissingFirmwareId")
    gateway_failure(bare("DeleteOTAFirmware"), 400, "MissingFirmwareId")


def test_a_burst_beyond_the_allowance_is_denied_and_passes():
    """The list allows ten queries per second. Another account's allowance is used up, so that no other test starves."""

    def one(_):
        parameters = common_parameters("ListOTAFirmware", BURST_ACCESS_KEY, Format="JSON", CurrentPage=1, PageSize=1)
        parameters["Signature"] = signature("GET", parameters, BURST_SECRET_KEY)
        return send("GET", parameters)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(60)))
    served = [answer for answer in answers if answer.status_code == 200]
    denied = [answer for answer in answers if answer.status_code != 200]
    assert len(served) >= 10 and denied
    for answer in denied:
        assert (answer.status_code, compact_json(answer)["Code"]) == (400, "Throttling.User")
        assert answer.headers["x-acs-retry-after"] == Like(r"[1-9]\d*")
    time.sleep(1.5)
    assert one(None).status_code == 200


def test_the_upload_form():
    content = image(5000, "form")
    answer = call("ACS3", "GenerateOTAUploadURL", FileSuffix="tar.gz")
    place = answer["Data"]
    assert set(place) == set("Key OSSAccessKeyId Signature Host Policy ObjectStorage FirmwareUrl UtcCreate".split())
    assert (place["ObjectStorage"], place["Key"]) == ("OSS", Like(r"ota/.+\.tar\.gz"))
    assert place["FirmwareUrl"] == place["Host"].rstrip("/") + "/" + place["Key"]
    policy = json.loads(base64.b64decode(place["Policy"]))
    assert policy["expiration"] == UTC
    assert ["content-length-range", 0, 1048576000] in policy["conditions"]

    def oss_error(response):
        root = ElementTree.fromstring(response.content)
        assert root.tag == "Error" and root.findtext("Message")
        return response.status_code, root.findtext("Code")

    another_signature = post_form(place, content, Signature="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert oss_error(another_signature) == (403, "SignatureDoesNotMatch")
    assert oss_error(post_form(place, content, key="ota/another.tar.gz")) == (403, "AccessDenied")
    assert oss_error(post_form(place, content, OSSAccessKeyId="NOBODY")) == (403, "InvalidAccessKeyId")

    etag = f'"{hashlib.md5(content).hexdigest().upper()}"'
    plain = post_form(place, content)
    assert (plain.status_code, plain.content, plain.headers["ETag"]) == (204, b"", etag)
    told = post_form(place, content, success_action_status="201")
    root = ElementTree.fromstring(told.content)
    assert (told.status_code, root.tag, root.findtext("Key")) == (201, "PostResponse", place["Key"])
    assert root.findtext("ETag") == etag
    assert post_form(place, content, success_action_status="200").status_code == 200
    by_small_name = post_form(place, content, Signature=None, signature=place["Signature"])
    assert by_small_name.status_code == 204


@pytest.mark.parametrize("suffix", "bin dav apk tar gz tar.gz zip gzip".split())
def test_every_suffix_of_the_upload(suffix):
    place = call("V1", "GenerateOTAUploadURL", FileSuffix=suffix)["Data"]
    assert place["Key"].endswith("." + suffix)


def test_the_upload_without_a_suffix_and_with_an_unknown_one():
    assert call("V1", "GenerateOTAUploadURL")["Data"]["Key"].endswith(".bin")
    assert call("V1", "GenerateOTAUploadURL", FileSuffix="doc")["Success"] is False
