"""The older northbound (v1.5) as its clients drive it: forms and JSON in plain calls; no SDK of it is published today.

An application may make a hundred calls a minute, so the judges here are sparing; only the last one is not, with a key
pair of its own. The contract knows https alone; both addresses of the HTTP door answer alike.
"""

import time
from types import SimpleNamespace

import pytest
import requests
from huaweicloudsdkiotda.v5 import CreateOtaModule, CreateOtaModuleRequest

import huawei
from environment import (
    ACCESS_KEY,
    BURST_ACCESS_KEY,
    BURST_SECRET_KEY,
    CA,
    DOORS,
    SECRET_KEY,
    Like,
    fresh,
    seconds_from_now,
)
from huawei import NOWHERE, TIME, TIME_PATTERN

LOGIN = "/iocm/app/sec/v1.1.0/login"
REFRESH = "/iocm/app/sec/v1.1.0/refreshToken"
LOGOUT = "/iocm/app/sec/v1.1.0/logout"
CATEGORY = "/iodm/northbound/v1.5.0/category"
# The last one is the TLS address where there is one: what clients of this contract talk to.
DOOR = DOORS[-1]
MEMBERS = (
    "fileId name version fileType deviceType model manufacturerName protocolType description date uploadTime"
).split()


THROTTLED = (403, "1010009")


def send_once(method, path, **options):
    return requests.request(method, DOOR + path, verify=CA or True, timeout=10, **options)


def send(method, path, **options):
    """A call of a patient client: two runs of the judges within a minute share one allowance."""
    deadline = time.monotonic() + 70
    while True:
        answer = send_once(method, path, **options)
        throttled = answer.status_code == 403 and answer.json().get("error_code") == "1010009"
        if not throttled or time.monotonic() > deadline:
            return answer
        time.sleep(3)


def login(app_id=ACCESS_KEY, secret=SECRET_KEY):
    answer = send("POST", LOGIN, data={"appId": app_id, "secret": secret})
    assert answer.status_code == 200, answer.text
    return answer.json()


def signed_in(token, app_id=ACCESS_KEY):
    return {"app_key": app_id, "Authorization": f"Bearer {token}", "Content-Type": "application/json"}


@pytest.fixture
def token():
    return login()["accessToken"]


def ask(token, path, method="GET"):
    return send(method, CATEGORY + path, headers=signed_in(token))


def failure(answer):
    error = answer.json()
    assert list(error) == ["error_code", "error_desc"]
    assert all(isinstance(text, str) and text for text in error.values())
    return answer.status_code, error["error_code"]


INVALID_TOKEN = (403, "1010005")


def test_the_login_form():
    answer = login()
    assert set(answer) == {"accessToken", "tokenType", "refreshToken", "expiresIn", "scope"}
    assert (answer["tokenType"], answer["expiresIn"], answer["scope"]) == ("bearer", 3600, "default")
    for wrong in ({"appId": ACCESS_KEY, "secret": "wrong"}, {"appId": "nobody", "secret": SECRET_KEY}):
        refused = send("POST", LOGIN, data=wrong)
        assert failure(refused) == (401, "100208")


def test_only_the_newest_token_is_valid():
    first = login()
    assert ask(first["accessToken"], "?pageSize=1").status_code == 200
    second = login()
    assert failure(ask(first["accessToken"], "?pageSize=1")) == INVALID_TOKEN
    assert ask(second["accessToken"], "?pageSize=1").status_code == 200

    body = {"appId": ACCESS_KEY, "secret": SECRET_KEY, "refreshToken": second["refreshToken"]}
    refreshed = send("POST", REFRESH, json=body)
    assert refreshed.status_code == 200
    assert set(refreshed.json()) == set(second)
    assert failure(ask(second["accessToken"], "?pageSize=1")) == INVALID_TOKEN
    assert ask(refreshed.json()["accessToken"], "?pageSize=1").status_code == 200
    # A refresh token is good for one use, and of no use to another secret.
    assert send("POST", REFRESH, json=body).status_code != 200
    stolen = {**body, "secret": "wrong", "refreshToken": refreshed.json()["refreshToken"]}
    assert failure(send("POST", REFRESH, json=stolen)) == (401, "100208")


def test_logging_out(token):
    answer = send("POST", LOGOUT, json={"accessToken": token}, headers=signed_in(token))
    assert (answer.status_code, answer.content) == (204, b"")
    assert failure(ask(token, "?pageSize=1")) == INVALID_TOKEN


def test_both_headers_are_mandatory(token):
    good = signed_in(token)
    wrong = [
        {},
        {"app_key": good["app_key"]},
        {"Authorization": good["Authorization"]},
        {**good, "app_key": "another"},
        {**good, "Authorization": "Bearer unknown"},
        {**good, "Authorization": token},
    ]
    for headers in wrong:
        answer = send("GET", f"{CATEGORY}/{NOWHERE}", headers=headers)
        assert failure(answer) == INVALID_TOKEN, headers
        assert answer.json()["error_desc"] == "App_key or access_token is invalid."
    # The document's own example has a Content-Type, its table does not.
    del good["Content-Type"]
    assert send("GET", CATEGORY, headers=good).status_code == 200


@pytest.mark.parametrize("package_type", ["firmwarePackage", "softwarePackage"])
def test_a_package_of_iotda_is_here_with_its_eleven_members(token, ground, package_type):
    client = huawei.iotda()
    version = fresh("V1.1.")
    package = huawei.new_package(client, ground, package_type, version, description="Test package made by WYH")
    listed = ask(token, f"?&fileType={package_type}&version={version}&pageNo=0&pageSize=10")
    assert listed.status_code == 200
    page = listed.json()
    assert list(page) == ["data", "pageNo", "pageSize", "totalCount"]
    assert (page["pageNo"], page["pageSize"], page["totalCount"]) == (0, 10, 1)
    (entry,) = page["data"]

    shown = ask(token, "/" + entry["fileId"])
    assert shown.headers["Content-Type"].split(";")[0] == "application/json"
    assert (shown.status_code, shown.json()) == (200, entry)
    assert list(shown.json()) == MEMBERS
    assert all(isinstance(value, str) for value in entry.values())
    assert entry["fileId"] == Like(r"[A-Za-z0-9_-]{1,64}")
    assert (entry["version"], entry["fileType"]) == (version, package_type)
    assert entry["name"].endswith("-" + version)
    assert (entry["deviceType"], entry["manufacturerName"], entry["protocolType"]) == ("Meter", "Acme", "MQTT")
    assert entry["description"] == "Test package made by WYH"
    assert entry["uploadTime"] == TIME
    assert abs(seconds_from_now(entry["uploadTime"], TIME_PATTERN)) < 120

    deleted = ask(token, "/" + entry["fileId"], "DELETE")
    assert (deleted.status_code, deleted.content) == (200, b"")
    assert failure(ask(token, "/" + entry["fileId"])) == (404, "123002")
    gone = huawei.signed("GET", f"{huawei.BASE}/ota-upgrades/packages/{package.package_id}")
    assert gone.status_code == 404


def test_pages_and_filters(token, ground):
    client = huawei.iotda()
    version = fresh("V1.2.")
    app_id = huawei.new_space(client).app_id
    maker, kind = fresh("maker"), fresh("Type")
    product = huawei.new_product(client, app_id, device_type=kind, manufacturer_name=maker)
    place = SimpleNamespace(app_id=app_id, product_id=product.product_id, bucket=ground.bucket, key=ground.key)
    versions = [f"{version}.{number}" for number in range(3)]
    for each in versions:
        huawei.new_package(client, place, version=each)
    huawei.new_package(client, place, "softwarePackage", versions[0])

    def page(query):
        answer = ask(token, "?&" + query)
        assert answer.status_code == 200, answer.text
        return [entry["version"] for entry in answer.json()["data"]], answer.json()["totalCount"]

    maker_query = f"manufacturerName={maker}"
    newest_first = [versions[0], *versions[::-1]]
    assert page(maker_query) == (newest_first, 4)
    assert page(f"manufactureName={maker}") == (newest_first, 4)
    assert page(f"deviceType={kind}&fileType=firmwarePackage") == (versions[::-1], 3)
    assert page(f"{maker_query}&fileType=softwarePackage") == (versions[:1], 1)
    assert page(f"{maker_query}&version={versions[0]}") == ([versions[0]] * 2, 2)
    assert page(f"{maker_query}&pageNo=1&pageSize=3") == (newest_first[3:], 4)
    assert page(f"{maker_query}&pageNo=2&pageSize=3") == ([], 4)
    assert page(f"{maker_query}&model=nowhere") == ([], 0)
    everything = ask(token, "").json()
    assert (everything["pageNo"], everything["pageSize"]) == (0, 10)
    assert everything["totalCount"] >= 4


def test_pages_beyond_the_limit(token):
    for query in ("pageSize=101", "pageSize=0", "pageNo=-1", "pageSize=-1"):
        assert failure(ask(token, "?" + query)) == (400, "123029"), query


def test_a_file_that_is_not_there_and_one_that_cannot_be(token):
    for method in ("GET", "DELETE"):
        missing = ask(token, "/" + NOWHERE, method)
        assert failure(missing) == (404, "123002")
        assert missing.json()["error_desc"] == "Device or package file not found."
        for file_id in ("no!file", "f" * 65, "%20"):
            malformed = ask(token, "/" + file_id, method)
            assert failure(malformed) == (400, "120015"), file_id
    assert malformed.json()["error_desc"] == "Bad request error."


def test_modules_are_left_out(token, ground):
    """This contract has a word for firmware and for software and for nothing else."""
    client = huawei.iotda()
    name, version = fresh("bms"), fresh("V1.3.")
    module = CreateOtaModule(app_id=ground.app_id, product_id=ground.product_id, module_name=name)
    client.create_ota_module(CreateOtaModuleRequest(body=module))
    package = huawei.new_package(client, ground, "modulePackage", version, module_name=name)
    assert ask(token, f"?version={version}").json()["data"] == []
    assert failure(ask(token, "/" + package.package_id)) == (404, "123002")


def test_the_hundred_and_first_call_of_a_minute():
    """Calls with a bad token do not count, so that nobody can use up the allowance of another."""
    token = login(BURST_ACCESS_KEY, BURST_SECRET_KEY)["accessToken"]
    good, bad = signed_in(token, BURST_ACCESS_KEY), signed_in("unknown", BURST_ACCESS_KEY)

    def ask_once(headers):
        return send_once("GET", f"{CATEGORY}/{NOWHERE}", headers=headers)

    if failure(ask_once(good)) == THROTTLED:
        time.sleep(61)  # An earlier run has used up this minute.
        ask_once(good)
    begun = time.monotonic()
    for _ in range(20):
        assert failure(ask_once(bad)) == INVALID_TOKEN
    # One call has been made above, and the contract leaves open whether the login counts as well.
    assert {failure(ask_once(good)) for _ in range(98)} == {(404, "123002")}
    ask_once(good)
    beyond = ask_once(good)
    assert time.monotonic() - begun < 60, "too slow a machine to reach the limit within its window"
    assert failure(beyond) == THROTTLED
    assert beyond.json()["error_desc"] == "app throttle exceed."
