"""Huawei Cloud SDK clients pointed at the judged server, and signed requests that no SDK would send."""

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials, GlobalCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkiam.v3 import IamClient
from huaweicloudsdkiotda.v5 import (
    AddApplication,
    AddApplicationRequest,
    AddProduct,
    CreateOtaPackage,
    CreateOtaPackageRequest,
    CreateProductRequest,
    FileLocation,
    IoTDAClient,
    ObsLocation,
)

from environment import ACCESS_KEY, CA, HTTP, PROJECT_ID, SECRET_KEY, Like, fresh, host

REGION = "cn-north-4"

# What every path of the IoTDA door begins with.
BASE = f"/v5/iot/{PROJECT_ID}"
PACKAGES = BASE + "/ota-upgrades/packages"

PACKAGE_ID = Like(r"[A-Za-z0-9-]{1,36}")
TIME = Like(r"\d{8}T\d{6}Z")
TIME_PATTERN = "%Y%m%dT%H%M%SZ"

# A well-formed id that nothing has.
NOWHERE = "0" * 24


def http_config(door):
    config = HttpConfig.get_default_config()
    if door.startswith("https:"):
        config.ssl_ca_cert = CA
    return config


def iotda(door=HTTP, way="plain", access_key=ACCESS_KEY, secret_key=SECRET_KEY, project_id=PROJECT_ID, **config):
    """An IoTDA client, built as the SDK's users build it.

    `plain`: credentials with a project id, and an endpoint. `derived`: a region and the derived signature, which the
    SDK chooses for every host outside the vendor's own. `looked-up`: no project id, so that the SDK first asks IAM.
    """
    http = http_config(door)
    for name, value in config.items():
        setattr(http, name, value)
    builder = IoTDAClient.new_builder().with_http_config(http)
    credentials = BasicCredentials(access_key, secret_key, project_id)
    if way == "plain":
        return builder.with_credentials(credentials).with_endpoint(door).build()
    if way == "derived":
        credentials.with_derived_predicate(BasicCredentials.get_default_derived_predicate())
        return builder.with_credentials(credentials).with_region(Region(REGION, door)).build()
    if way == "looked-up":
        # The SDK keeps what it looked up for as long as the process lives; each door is to be asked once.
        BasicCredentials._CACHE.clear()
        credentials = BasicCredentials(access_key, secret_key).with_iam_endpoint(door)
        return builder.with_credentials(credentials).with_region(Region(REGION, door)).build()
    raise ValueError(way)


def iam(door=HTTP, access_key=ACCESS_KEY, secret_key=SECRET_KEY):
    credentials = GlobalCredentials(access_key, secret_key, "0" * 32)
    builder = IamClient.new_builder().with_http_config(http_config(door))
    return builder.with_credentials(credentials).with_endpoint(door).build()


def signed(method, path, query=(), body=b"", headers=None, sent=None):
    """Sends any request, signed by the SDK's own signer: also one that the SDK could not build.

    `sent` is a body other than the signed one, as if something on the way had changed it.
    """
    request = SdkRequest(
        method=method,
        schema="http",
        host=host(HTTP),
        resource_path=path,
        query_params=list(query),
        header_params={"Content-Type": "application/json", **(headers or {})},
        body=body,
    )
    Signer(BasicCredentials(ACCESS_KEY, SECRET_KEY)).sign(request)
    body = body if sent is None else sent
    return requests.request(method, HTTP + request.uri, data=body, headers=request.header_params, timeout=30)


def refused(call, *arguments):
    """The HTTP status, the code and the text with which the SDK reports a refusal."""
    with pytest.raises(ClientRequestException) as refusal:
        call(*arguments)
    assert refusal.value.error_msg, "an error says what was wrong"
    assert refusal.value.request_id, "an error names its request"
    return refusal.value.status_code, refusal.value.error_code, refusal.value.error_msg


def new_space(client, name=None):
    return client.add_application(AddApplicationRequest(body=AddApplication(app_name=name or fresh("space"))))


def new_product(client, app_id, **members):
    members = {
        "name": fresh("meter"),
        "device_type": "Meter",
        "protocol_type": "MQTT",
        "data_format": "json",
        "service_capabilities": [],
        "manufacturer_name": "Acme",
        **members,
    }
    return client.create_product(CreateProductRequest(body=AddProduct(app_id=app_id, **members)))


def new_package(client, ground, package_type="firmwarePackage", version="V2.0", object_key=None, **members):
    """A package of the object that `ground` names, in its space and for its product."""
    location = ObsLocation(region_name=REGION, bucket_name=ground.bucket, object_key=object_key or ground.key)
    body = CreateOtaPackage(
        app_id=ground.app_id,
        package_type=package_type,
        product_id=ground.product_id,
        version=version,
        **{"file_location": FileLocation(obs_location=location), **members},
    )
    return client.create_ota_package(CreateOtaPackageRequest(body=body))
