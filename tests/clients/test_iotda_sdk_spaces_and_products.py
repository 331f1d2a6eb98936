"""What stands around a package in the IoTDA SDK: resource spaces and products."""

import json

import pytest
from huaweicloudsdkiotda.v5 import (
    AddApplication,
    AddApplicationRequest,
    AddProduct,
    CreateProductRequest,
    DeleteApplicationRequest,
    DeleteProductRequest,
    ListProductsRequest,
    ShowApplicationRequest,
    ShowApplicationsRequest,
    ShowProductRequest,
    UpdateApplicationDTO,
    UpdateApplicationRequest,
    UpdateProduct,
    UpdateProductRequest,
)

import huawei
from environment import Like, fresh
from huawei import NOWHERE, TIME, new_product, new_space, refused

APP_ID = Like(r"[A-Za-z0-9_-]{1,36}")


def test_the_life_of_a_space(door):
    client = huawei.iotda(door)
    name = fresh("空间-")
    created = new_space(client, name)
    assert created.status_code == 201
    space = json.loads(created.raw_content)
    assert space == {"app_id": APP_ID, "app_name": name, "create_time": TIME, "default_app": False}

    shown = client.show_application(ShowApplicationRequest(app_id=created.app_id))
    assert (shown.status_code, json.loads(shown.raw_content)) == (200, space)

    renamed = fresh("renamed-")
    change = UpdateApplicationDTO(app_name=renamed)
    updated = client.update_application(UpdateApplicationRequest(app_id=created.app_id, body=change))
    assert (updated.status_code, updated.app_name) == (200, renamed)
    listed = client.show_applications(ShowApplicationsRequest())
    assert (created.app_id, renamed) in [(app.app_id, app.app_name) for app in listed.applications]

    gone = client.delete_application(DeleteApplicationRequest(app_id=created.app_id))
    assert (gone.status_code, gone.raw_content) == (204, b"")
    missing = refused(client.show_application, ShowApplicationRequest(app_id=created.app_id))
    assert missing[:2] == (403, "IOTDA.001000")


def test_one_space_is_there_from_the_start():
    client = huawei.iotda()
    new_space(client)
    default = client.show_applications(ShowApplicationsRequest(default_app=True)).applications
    assert [app.default_app for app in default] == [True]
    others = client.show_applications(ShowApplicationsRequest(default_app=False)).applications
    assert {app.default_app for app in others} == {False}
    everything = client.show_applications(ShowApplicationsRequest()).applications
    assert len(everything) == len(others) + 1


@pytest.mark.parametrize("name", [None, "", "n" * 65])
def test_a_space_needs_a_name(name):
    body = AddApplication(app_name=name) if name is not None else AddApplication()
    refusal = refused(huawei.iotda().add_application, AddApplicationRequest(body=body))
    assert refusal[0] == 400 and refusal[1].startswith("IOTDA.")


def test_the_life_of_a_product(door):
    client = huawei.iotda(door)
    space_name = fresh("space")
    space = new_space(client, space_name)
    name = fresh("水表-")
    created = new_product(
        client,
        space.app_id,
        name=name,
        protocol_type="CoAP",
        data_format="binary",
        industry="water",
        description="measures water",
    )
    assert created.status_code == 201
    product = json.loads(created.raw_content)
    assert product == {
        "app_id": space.app_id,
        "app_name": space_name,
        "product_id": APP_ID,
        "name": name,
        "device_type": "Meter",
        "protocol_type": "CoAP",
        "data_format": "binary",
        "manufacturer_name": "Acme",
        "industry": "water",
        "description": "measures water",
        "service_capabilities": [],
        "create_time": TIME,
    }
    shown = client.show_product(ShowProductRequest(product_id=created.product_id, app_id=space.app_id))
    assert (shown.status_code, json.loads(shown.raw_content)) == (200, product)

    renamed = fresh("meter")
    change = UpdateProduct(app_id=space.app_id, name=renamed, description="measures much")
    updated = client.update_product(UpdateProductRequest(product_id=created.product_id, body=change))
    assert (updated.status_code, updated.name, updated.description) == (200, renamed, "measures much")
    assert updated.manufacturer_name == "Acme"

    gone = client.delete_product(DeleteProductRequest(product_id=created.product_id, app_id=space.app_id))
    assert (gone.status_code, gone.raw_content) == (204, b"")
    assert refused(client.show_product, ShowProductRequest(product_id=created.product_id))[0] == 404


def test_products_are_listed_newest_first_with_filter_and_paging():
    client = huawei.iotda()
    space = new_space(client)
    names = [f"meter{number}" for number in range(5)]
    created = [new_product(client, space.app_id, name=name).product_id for name in names][::-1]

    def page(**query):
        answer = client.list_products(ListProductsRequest(app_id=space.app_id, **query))
        return [product.product_id for product in answer.products], answer.page

    listed, whole = page()
    assert (listed, whole.count) == (created, 5)
    first, after_first = page(limit=2)
    assert (first, after_first.count) == (created[:2], 5)
    assert page(limit=2, marker=after_first.marker)[0] == created[2:4]
    assert page(limit=2, offset=4)[0] == created[4:]
    named, of_one = page(product_name="meter3")
    assert (named, of_one.count) == ([created[1]], 1)


def test_a_product_takes_the_id_it_is_given():
    client = huawei.iotda()
    space = new_space(client)
    chosen = fresh("own_id-")
    assert new_product(client, space.app_id, product_id=chosen).product_id == chosen


@pytest.mark.parametrize(
    "member, value",
    [
        ("name", None),
        ("name", "n" * 65),
        ("device_type", None),
        ("device_type", "d" * 33),
        ("protocol_type", None),
        ("protocol_type", "Pigeon"),
        ("data_format", None),
        ("data_format", "xml"),
        ("service_capabilities", None),
        ("manufacturer_name", "m" * 33),
        ("industry", "i" * 65),
        ("description", "d" * 129),
    ],
)
def test_a_product_outside_the_limits(ground, member, value):
    body = {
        "name": fresh("meter"),
        "device_type": "Meter",
        "protocol_type": "MQTT",
        "data_format": "json",
        "service_capabilities": [],
        "app_id": ground.app_id,
    }
    body[member] = value
    product = AddProduct(**{name: value for name, value in body.items() if value is not None})
    assert refused(huawei.iotda().create_product, CreateProductRequest(body=product))[:2] == (400, "IOTDA.000006")


def test_a_product_of_a_space_that_does_not_exist():
    client = huawei.iotda()
    assert refused(new_product, client, NOWHERE)[:2] == (403, "IOTDA.001000")
