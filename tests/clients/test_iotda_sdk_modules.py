"""The five module operations of the IoTDA SDK: create, list, show, update and delete."""

import json

import pytest
from huaweicloudsdkiotda.v5 import (
    CreateOtaModule,
    CreateOtaModuleRequest,
    DeleteOtaModuleRequest,
    ListOtaModulesRequest,
    ShowOtaModuleRequest,
    UpdateOtaModule,
    UpdateOtaModuleRequest,
)

import huawei
from environment import Like, fresh, in_order, seconds_from_now
from huawei import NOWHERE, TIME, TIME_PATTERN, new_product, new_space, refused


def create(client, app_id, product_id, module_name, **members):
    body = CreateOtaModule(app_id=app_id, product_id=product_id, module_name=module_name, **members)
    return client.create_ota_module(CreateOtaModuleRequest(body=body))


def test_the_life_of_a_module(door, ground):
    client = huawei.iotda(door)
    name = fresh("b-m_s.")
    created = create(client, ground.app_id, ground.product_id, name, alias_name="电池_1.0-a", description="the battery")
    assert created.status_code == 201
    expected = {
        "module_id": Like(r"[A-Za-z0-9-]{1,36}"),
        "app_id": ground.app_id,
        "product_id": ground.product_id,
        "product_name": ground.product_name,
        "module_name": name,
        "alias_name": "电池_1.0-a",
        "description": "the battery",
        "create_time": TIME,
    }
    assert in_order(json.loads(created.raw_content)) == in_order(expected)
    assert abs(seconds_from_now(created.create_time, TIME_PATTERN)) < 120

    shown = client.show_ota_module(ShowOtaModuleRequest(module_id=created.module_id))
    assert (shown.status_code, json.loads(shown.raw_content)) == (200, json.loads(created.raw_content))

    change = UpdateOtaModule(alias_name="新电池", description="the new battery")
    updated = client.update_ota_module(UpdateOtaModuleRequest(module_id=created.module_id, body=change))
    assert updated.status_code == 200
    changed = {**json.loads(created.raw_content), "alias_name": "新电池", "description": "the new battery"}
    assert json.loads(updated.raw_content) == changed
    # A member that an update leaves out stays as it is.
    partial = UpdateOtaModuleRequest(module_id=created.module_id, body=UpdateOtaModule(alias_name="x"))
    assert json.loads(client.update_ota_module(partial).raw_content) == {**changed, "alias_name": "x"}
    again = client.show_ota_module(ShowOtaModuleRequest(module_id=created.module_id))
    assert (again.alias_name, again.description) == ("x", "the new battery")

    gone = client.delete_ota_module(DeleteOtaModuleRequest(module_id=created.module_id))
    assert (gone.status_code, gone.raw_content) == (204, b"")
    assert refused(client.show_ota_module, ShowOtaModuleRequest(module_id=created.module_id))[0] == 404


def test_modules_are_listed_newest_first_with_filter_and_paging():
    client = huawei.iotda()
    space = new_space(client)
    meter, valve = (new_product(client, space.app_id).product_id for _ in range(2))
    names = [f"module{number}" for number in range(7)]
    created = [create(client, space.app_id, meter, name).module_id for name in names][::-1]
    other = create(client, space.app_id, valve, "module0").module_id

    def page(**query):
        answer = client.list_ota_modules(ListOtaModulesRequest(app_id=space.app_id, **query))
        assert answer.status_code == 200
        return [module.module_id for module in answer.modules], answer.page

    listed, whole = page()
    assert (listed, whole.count) == ([other, *created], 8)
    first, after_first = page(product_id=meter, limit=3)
    assert (first, after_first.count) == (created[:3], 7)
    assert page(product_id=meter, limit=3, marker=after_first.marker)[0] == created[3:6]
    assert page(product_id=meter, limit=3, marker=after_first.marker, offset=1)[0] == created[4:7]
    assert page(product_id=meter, limit=50, offset=5)[0] == created[5:]
    assert page(product_id=meter, offset=7)[0] == []
    assert page(product_id=valve)[0] == [other]

    answer = client.list_ota_modules(ListOtaModulesRequest(app_id=space.app_id, product_id=meter, offset=500))
    assert json.loads(answer.raw_content) == {"modules": [], "page": {"count": 7, "marker": None}}


def test_a_module_without_the_optional_members_shows_none():
    client = huawei.iotda()
    space = new_space(client)
    created = create(client, space.app_id, new_product(client, space.app_id).product_id, "m" * 64)
    members = ["module_id", "app_id", "product_id", "product_name", "module_name", "create_time"]
    assert list(json.loads(created.raw_content)) == members


@pytest.mark.parametrize(
    "member, value",
    [
        ("app_id", None),
        ("product_id", None),
        ("product_id", NOWHERE),
        ("module_name", None),
        ("module_name", ""),
        ("module_name", "m" * 65),
        ("module_name", "b m s"),
        ("alias_name", "a" * 65),
        ("alias_name", "a b"),
        ("description", "d" * 1025),
    ],
)
def test_a_module_outside_the_limits(ground, member, value):
    body = {"app_id": ground.app_id, "product_id": ground.product_id, "module_name": fresh("m")}
    body[member] = value
    request = CreateOtaModuleRequest(body=CreateOtaModule(**{k: v for k, v in body.items() if v is not None}))
    assert refused(huawei.iotda().create_ota_module, request)[:2] == (400, "IOTDA.000006")


def test_a_module_name_is_unique_in_its_product(ground):
    client = huawei.iotda()
    name = fresh("twice")
    create(client, ground.app_id, ground.product_id, name)
    assert refused(create, client, ground.app_id, ground.product_id, name)[0] in (400, 403)


def test_refusals_of_the_other_module_operations(ground):
    client = huawei.iotda()
    missing = [
        refused(client.show_ota_module, ShowOtaModuleRequest(module_id=NOWHERE)),
        refused(client.delete_ota_module, DeleteOtaModuleRequest(module_id=NOWHERE)),
        refused(
            client.update_ota_module,
            UpdateOtaModuleRequest(module_id=NOWHERE, body=UpdateOtaModule(alias_name="a")),
        ),
    ]
    assert {(status, code) for status, code, _ in missing} == {(404, missing[0][1])}
    assert refused(client.list_ota_modules, ListOtaModulesRequest())[:2] == (400, "IOTDA.000006")
    assert refused(client.list_ota_modules, ListOtaModulesRequest(app_id=NOWHERE))[:2] == (403, "IOTDA.001000")
    for name, value, code in (("limit", 51, "000017"), ("marker", "x", "000018"), ("offset", 501, "000018")):
        request = ListOtaModulesRequest(app_id=ground.app_id, **{name: value})
        assert refused(client.list_ota_modules, request)[:2] == (400, "IOTDA." + code)
