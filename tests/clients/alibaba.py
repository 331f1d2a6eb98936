"""Alibaba Cloud SDK clients pointed at the judged server, one call for them all, and a signer for bare requests."""

import base64
import hashlib
import hmac
import importlib
import json
import time
import uuid
from collections import defaultdict, deque
from urllib.parse import quote

import requests
from alibabacloud_iot20180120 import models
from alibabacloud_iot20180120.client import Client
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_tea_openapi.models import Config
from aliyunsdkcore.acs_exception.exceptions import ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.http import protocol_type

from environment import ACCESS_KEY, CA, HTTP, SECRET_KEY, Like, fresh, host

# V1 is the older SDK; the newer one signs by ACS3 unless told otherwise.
WAYS = ["V1", "ACS3", "v2", "ACS3-HMAC-SM3"]

UTC = Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UTC_PATTERN = "%Y-%m-%dT%H:%M:%S.%fZ"
FIRMWARE_ID = Like(r"[A-Za-z0-9]{8,64}")
REQUEST_ID = Like(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}")

# A well-formed id that nothing has.
NOWHERE = "UfuxnwygsuSkVE0VCN00000100"

# The documented queries per second of an account. The judges stay below them, as a well-behaved program does.
QPS = {"QueryOTAFirmware": 20, "ModifyOTAFirmware": 5}
QPS |= dict.fromkeys(("CreateProduct", "QueryProduct", "QueryProductList"), 50)
_calls = defaultdict(deque)


def keep_pace(action):
    allowed = QPS.get(action, 10) - 1
    calls = _calls[action]
    while calls and calls[0] < time.monotonic() - 1.2:
        calls.popleft()
    if len(calls) >= allowed:
        time.sleep(max(0.0, calls[0] + 1.2 - time.monotonic()))
        calls.popleft()
    calls.append(time.monotonic())


class Refused(Exception):
    """A gateway failure as an SDK reports it: HTTP status and code."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


def call(way, action, door=HTTP, access_key=ACCESS_KEY, secret_key=SECRET_KEY, **parameters):
    """Calls one operation through an SDK and gives back what the SDK understood, as a plain dictionary."""
    keep_pace(action)
    if way == "V1":
        return _by_v1(action, door, access_key, secret_key, parameters)
    return _by_tea(way, action, door, access_key, secret_key, parameters)


def _by_v1(action, door, access_key, secret_key, parameters):
    module = importlib.import_module(f"aliyunsdkiot.request.v20180120.{action}Request")
    request = getattr(module, f"{action}Request")()
    request.set_endpoint(host(door))
    # The SDK compares this by identity, so it must be its own constant.
    request.set_protocol_type(protocol_type.HTTPS if door.startswith("https:") else protocol_type.HTTP)
    for name, value in parameters.items():
        # The SDK's generator adds an s to the names of lists, also where the name has one.
        getattr(request, f"set_{name}" + ("s" if isinstance(value, list) else ""))(value)
    client = AcsClient(access_key, secret_key, "cn-shanghai", auto_retry=False, verify=CA)
    try:
        return json.loads(client.do_action_with_exception(request))
    except ServerException as error:
        raise Refused(error.get_http_status(), error.get_error_code(), error.get_error_msg()) from None


# How the newer SDK spells the operations.
METHODS = {
    "CreateOTAFirmware": "create_otafirmware",
    "CreateOTAModule": "create_otamodule",
    "CreateProduct": "create_product",
    "DeleteOTAFirmware": "delete_otafirmware",
    "DeleteOTAModule": "delete_otamodule",
    "DeleteProduct": "delete_product",
    "GenerateOTAUploadURL": "generate_otaupload_url",
    "ListOTAFirmware": "list_otafirmware",
    "ListOTAModuleByProduct": "list_otamodule_by_product",
    "ModifyOTAFirmware": "modify_otafirmware",
    "QueryOTAFirmware": "query_otafirmware",
    "QueryProduct": "query_product",
    "QueryProductList": "query_product_list",
    "UpdateOTAModule": "update_otamodule",
}


def _by_tea(way, action, door, access_key, secret_key, parameters):
    config = Config(access_key_id=access_key, access_key_secret=secret_key, endpoint=host(door), ca=CA)
    config.protocol = door.split(":")[0]
    if way != "ACS3":
        config.signature_algorithm = way
    request = getattr(models, f"{action}Request")().from_map(parameters)
    try:
        return getattr(Client(config), METHODS[action])(request).body.to_map()
    except AlibabaCloudException as error:
        raise Refused(error.status_code, error.code, error.message) from None


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def common_parameters(action, access_key=ACCESS_KEY, **changes):
    """The common parameters of a V1 request; a change of None leaves the parameter out."""
    parameters = {
        "Action": action,
        "Version": "2018-01-20",
        "AccessKeyId": access_key,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "Timestamp": now(),
        **changes,
    }
    return {name: str(value) for name, value in parameters.items() if value is not None}


def string_to_sign(method, parameters):
    def encode(text):
        return quote(text, safe="-_.~")

    pairs = "&".join(f"{encode(name)}={encode(parameters[name])}" for name in sorted(parameters))
    return f"{method}&%2F&{encode(pairs)}"


def signature(method, parameters, secret_key=SECRET_KEY):
    digest = hmac.new((secret_key + "&").encode(), string_to_sign(method, parameters).encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def bare(action, method="GET", secret_key=SECRET_KEY, in_form=(), headers=None, **parameters):
    """A bare signed request. Names in `in_form` travel in a form body, or all of them if it is `...`."""
    keep_pace(action)
    parameters = common_parameters(action, **parameters)
    parameters["Signature"] = signature(method, parameters, secret_key)
    return send(method, parameters, in_form, headers)


def send(method, parameters, in_form=(), headers=None):
    form = {name: value for name, value in parameters.items() if in_form is ... or name in in_form}
    query = {name: value for name, value in parameters.items() if name not in form}
    return requests.request(method, HTTP + "/", params=query, data=form or None, headers=headers, timeout=30)


def upload(way, content, suffix="bin", door=HTTP):
    """Brings a file in as the vendor's guide says: ask for a place, then post a form to it. Gives back its URL."""
    place = call(way, "GenerateOTAUploadURL", door, FileSuffix=suffix)["Data"]
    answer = post_form(place, content)
    assert answer.status_code == 204, answer.text
    return place["FirmwareUrl"]


def post_form(place, content, **changes):
    fields = {
        "key": place["Key"],
        "OSSAccessKeyId": place["OSSAccessKeyId"],
        "policy": place["Policy"],
        "Signature": place["Signature"],
        **changes,
    }
    file = {"file": ("upgrade.bin", content, "application/octet-stream")}
    return requests.post(place["Host"], data=fields, files=file, verify=CA or True, timeout=60)


def new_product(way="ACS3", name=None):
    answer = call(way, "CreateProduct", ProductName=name or fresh("meter"), NodeType=0, DataFormat=1)
    return answer["ProductKey"]


def new_firmware(way, product, content=b"firmware", **parameters):
    """Makes a package and gives back its id; what a test does not name is chosen so that it collides with nothing."""
    parameters = {"FirmwareName": fresh("fw"), "DestVersion": fresh("v"), "ProductKey": product, **parameters}
    if "FirmwareUrl" not in parameters and "MultiFiles" not in parameters:
        parameters["FirmwareUrl"] = upload(way, content)
    answer = call(way, "CreateOTAFirmware", **parameters)
    assert answer["Success"] is True, answer
    assert (answer["Data"]["FirmwareId"], answer["Data"]["UtcCreate"]) == (FIRMWARE_ID, UTC)
    return answer["Data"]["FirmwareId"]


def query(way, firmware_id):
    answer = call(way, "QueryOTAFirmware", FirmwareId=firmware_id)
    assert (answer["Success"], answer["RequestId"]) == (True, REQUEST_ID), answer
    assert not answer.get("Code")
    return answer["FirmwareInfo"]


def failure(answer):
    """A business failure: a normal answer that says so."""
    assert answer["Success"] is False
    assert answer["RequestId"] == REQUEST_ID
    assert answer["ErrorMessage"]
    return answer["Code"]


def listed(way, **filters):
    answer = call(way, "ListOTAFirmware", **{"CurrentPage": 1, "PageSize": 100, **filters})
    assert answer["Success"] is True, answer
    return answer["FirmwareInfo"].get("SimpleFirmwareInfo", []), answer
