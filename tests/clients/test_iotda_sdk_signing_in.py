"""Who may enter the IoTDA door: keys, tokens of the IAM SDK, the project look-up, and who may not."""

import json
from datetime import datetime, timedelta, timezone

import pytest
import requests
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.signer.algorithm import SigningAlgorithm
from huaweicloudsdkiam.v3 import KeystoneCreateUserTokenByPasswordRequest, KeystoneCreateUserTokenByPasswordRequestBody
from huaweicloudsdkiotda.v5 import ListOtaPackageInfoRequest

import huawei
from environment import ACCESS_KEY, DOMAIN, HTTP, PROJECT_ID, SECRET_KEY, Like, fresh, seconds_from_now
from huawei import PACKAGES

LIST = ListOtaPackageInfoRequest(package_type="firmwarePackage", limit=1)
SOME_ID = Like(r".+")


def password_login(name=ACCESS_KEY, password=SECRET_KEY, domain=DOMAIN, scope=None):
    """One key pair opens every door: the key's id is the user's name, its secret the password."""
    user = {"name": name, "password": password, "domain": {"name": domain}}
    identity = {"methods": ["password"], "password": {"user": user}}
    return {"identity": identity, "scope": scope or {"project": {"name": huawei.REGION}}}


def new_token(door=HTTP, **login):
    # The IAM SDK signs this request as well, although it is the one that needs no signature: any key pair will do.
    client = huawei.iam(door, "NOBODYSACCESSKEY", "nobody's secret key")
    body = KeystoneCreateUserTokenByPasswordRequestBody(auth=password_login(**login))
    return client.keystone_create_user_token_by_password(KeystoneCreateUserTokenByPasswordRequest(body=body))


def refusal_of(client):
    with pytest.raises(ClientRequestException) as refusal:
        client.list_ota_package_info(LIST)
    return refusal.value.status_code, refusal.value.error_code


def test_a_token_by_user_name_and_password(door):
    answer = new_token(door)
    assert answer.status_code == 201
    assert answer.x_subject_token
    token = json.loads(answer.raw_content)["token"]
    assert set(token) == {"methods", "issued_at", "expires_at", "user", "project", "roles", "catalog"}
    assert token["methods"] == ["password"]
    assert token["user"] == {
        "id": SOME_ID,
        "name": ACCESS_KEY,
        "domain": {"id": SOME_ID, "name": DOMAIN},
        "password_expires_at": "",
    }
    assert (token["project"]["id"], token["project"]["name"]) == (PROJECT_ID, huawei.REGION)
    assert token["project"]["domain"] == token["user"]["domain"]

    pattern = "%Y-%m-%dT%H:%M:%S.%fZ"
    assert token["issued_at"] == Like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
    assert abs(seconds_from_now(token["issued_at"], pattern)) < 120
    assert seconds_from_now(token["expires_at"], pattern) == pytest.approx(24 * 3600, abs=120)


def test_the_token_alone_opens_the_door(door):
    headers = {"X-Auth-Token": new_token(door).x_subject_token, "Content-Type": "application/json"}
    answer = requests.get(
        f"{door}{PACKAGES}?package_type=firmwarePackage",
        headers=headers,
        verify=huawei.http_config(door).ssl_ca_cert or True,
        timeout=30,
    )
    assert answer.status_code == 200
    assert set(answer.json()) == {"packages", "page"}


def test_the_token_beside_a_signature_of_the_sdk(door):
    token = new_token(door).x_subject_token
    for client in (huawei.iotda(door), huawei.iotda(door, secret_key="the token is what counts")):
        invoker = client.list_ota_package_info_invoker(LIST).add_header("X-Auth-Token", token)
        assert invoker.invoke().status_code == 200
    # A preset Authorization keeps the SDK from signing at all.
    preset = huawei.iotda(door).list_ota_package_info_invoker(LIST).add_header("X-Auth-Token", token)
    assert preset.add_header("Authorization", "none").invoke().status_code == 200


def test_tokens_live_beside_each_other():
    older, newer = new_token().x_subject_token, new_token().x_subject_token
    assert older != newer
    for token in (older, newer):
        client = huawei.iotda(secret_key="unknown")
        assert client.list_ota_package_info_invoker(LIST).add_header("X-Auth-Token", token).invoke().status_code == 200


def test_the_scope_is_a_project_by_name_or_id_or_the_domain():
    for scope in ({"project": {"id": PROJECT_ID}}, {"project": {"name": huawei.REGION}}, {"domain": {"name": DOMAIN}}):
        assert new_token(scope=scope).status_code == 201


@pytest.mark.parametrize("wrong", [{"password": "wrong"}, {"name": "NOBODY"}, {"domain": "nowhere"}], ids=str)
def test_a_wrong_password_name_or_domain(wrong):
    answer = requests.post(HTTP + "/v3/auth/tokens", json={"auth": password_login(**wrong)}, timeout=30)
    assert answer.status_code == 401
    assert "X-Subject-Token" not in answer.headers
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "title"}
    assert (error["code"], error["title"]) == (401, "Unauthorized")

    with pytest.raises(ClientRequestException) as refusal:
        new_token(**wrong)
    assert refusal.value.status_code == 401


def test_the_project_look_up_answers_exactly_one():
    """The SDK stops when it finds none or several; here the answer itself is read."""
    answer = huawei.signed("GET", "/v3/projects", [("name", huawei.REGION)])
    assert answer.status_code == 200
    assert [(project["id"], project["name"]) for project in answer.json()["projects"]] == [(PROJECT_ID, huawei.REGION)]


@pytest.mark.parametrize("way", ["plain", "derived"])
def test_a_wrong_secret_or_an_unknown_key(door, way):
    assert refusal_of(huawei.iotda(door, way, secret_key="wrong")) == (401, "IOTDA.000002")
    assert refusal_of(huawei.iotda(door, way, access_key="NOBODY")) == (401, "IOTDA.000002")


def test_a_signature_algorithm_that_is_not_served():
    client = huawei.iotda(signing_algorithm=SigningAlgorithm.HMAC_SM3)
    assert refusal_of(client) == (401, "IOTDA.000002")


def test_another_project():
    assert refusal_of(huawei.iotda(project_id="f" * 32)) == (403, "IOTDA.000021")


def test_a_client_that_was_told_no_project():
    """With an endpoint and without a project id the SDK sends the placeholder itself as the project."""
    status, code = refusal_of(huawei.iotda(project_id=None))
    assert status in (400, 403)
    assert code.startswith("IOTDA.")


def test_nobody_and_an_unknown_token():
    url = f"{HTTP}{PACKAGES}?package_type=firmwarePackage"
    for headers in ({}, {"X-Auth-Token": "no such token"}, {"Authorization": "Basic b3RhcnU6b3RhcnU="}):
        answer = requests.get(url, headers=headers, timeout=30)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "IOTDA.000002")


@pytest.mark.parametrize("minutes", [-20, 20])
def test_a_date_outside_a_quarter_of_an_hour(minutes):
    date = (datetime.now(timezone.utc) + timedelta(minutes=minutes)).strftime("%Y%m%dT%H%M%SZ")
    query = [("package_type", "firmwarePackage")]
    answer = huawei.signed("GET", PACKAGES, query, headers={"X-Sdk-Date": date})
    assert (answer.status_code, answer.json()["error_code"]) == (401, "IOTDA.000002")


def test_what_was_signed_is_what_counts():
    """A body that changed on the way is refused, and so is JSON that claims to be an unsigned payload."""
    space = json.dumps({"app_name": fresh("space")}).encode()
    changed = huawei.signed("POST", huawei.BASE + "/apps", body=space, sent=space.replace(b"space", b"store"))
    unsigned_payload = {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"}
    unsigned = huawei.signed("POST", huawei.BASE + "/apps", body=space, headers=unsigned_payload)
    for answer in (changed, unsigned):
        assert (answer.status_code, answer.json()["error_code"]) == (401, "IOTDA.000002")
