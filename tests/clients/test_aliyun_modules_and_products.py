"""Modules and products of the Alibaba door, by both Python SDKs."""

import pytest

from alibaba import REQUEST_ID, WAYS, Refused, call, failure, listed, new_firmware, new_product, query
from environment import Like, fresh


def modules(way, product):
    answer = call(way, "ListOTAModuleByProduct", ProductKey=product)
    assert (answer["Success"], answer["RequestId"]) == (True, REQUEST_ID), answer
    assert isinstance(answer["Data"], list)
    return {module["ModuleName"]: module for module in answer["Data"]}


def succeed(answer):
    assert (answer["Success"], answer["RequestId"]) == (True, REQUEST_ID), answer
    assert not answer.get("Code") and not answer.get("ErrorMessage")


@pytest.mark.parametrize("way", WAYS)
def test_the_life_of_a_module(way, door):
    product = new_product(way)
    assert list(modules(way, product)) == ["default"]
    name = fresh("MCU-1_a.")
    succeed(call(way, "CreateOTAModule", door, ProductKey=product, ModuleName=name, AliasName="电机", Desc="the motor"))
    module = modules(way, product)[name]
    assert module == {
        "ProductKey": product,
        "ModuleName": name,
        "AliasName": "电机",
        "Desc": "the motor",
        "GmtCreate": Like(r"\d{4}-.+"),
        "GmtModified": Like(r"\d{4}-.+"),
    }

    firmware_id = new_firmware(way, product, ModuleName=name)
    assert query(way, firmware_id)["ModuleName"] == name
    assert [entry["ModuleName"] for entry in listed(way, ProductKey=product)[0]] == [name]
    in_use = call(way, "DeleteOTAModule", door, ProductKey=product, ModuleName=name)
    assert failure(in_use) == Like(r"iot\.ota\..+")

    succeed(call(way, "UpdateOTAModule", door, ProductKey=product, ModuleName=name, AliasName="新", Desc="another"))
    assert (modules(way, product)[name]["AliasName"], modules(way, product)[name]["Desc"]) == ("新", "another")

    succeed(call(way, "DeleteOTAFirmware", FirmwareId=firmware_id))
    succeed(call(way, "DeleteOTAModule", door, ProductKey=product, ModuleName=name))
    assert list(modules(way, product)) == ["default"]


def test_what_module_operations_refuse():
    product = new_product()
    succeed(call("ACS3", "CreateOTAModule", ProductKey=product, ModuleName="Motor"))

    def creation(name, **parameters):
        return failure(call("ACS3", "CreateOTAModule", ProductKey=product, ModuleName=name, **parameters))

    for name in ("default", "Motor", "motor", "m" * 65, "a b", "模块"):
        assert creation(name) == Like(r"iot\.(check|common|ota)\..+"), name
    assert creation("other", AliasName="a" * 65) == Like(r"iot\..+")
    assert creation("other", Desc="d" * 101) == Like(r"iot\..+")
    assert set(modules("ACS3", product)) == {"default", "Motor"}

    for action, parameters in (
        ("UpdateOTAModule", {"ModuleName": "nowhere", "AliasName": "a"}),
        ("DeleteOTAModule", {"ModuleName": "nowhere"}),
        ("DeleteOTAModule", {"ModuleName": "default"}),
    ):
        assert failure(call("ACS3", action, ProductKey=product, **parameters)) == Like(r"iot\.ota\..+")
    for action in ("CreateOTAModule", "UpdateOTAModule", "DeleteOTAModule"):
        answer = call("ACS3", action, ProductKey="a1unknown00", ModuleName="m")
        assert failure(answer) == Like(r"iot\.(prod|ota)\..+")
    with pytest.raises(Refused) as refusal:
        call("ACS3", "ListOTAModuleByProduct")
    assert (refusal.value.status, refusal.value.code) == (400, "MissingProductKey")


def test_ten_own_modules_per_product():
    product = new_product()
    for number in range(10):
        succeed(call("ACS3", "CreateOTAModule", ProductKey=product, ModuleName=f"m{number}"))
    assert len(modules("ACS3", product)) == 11
    eleventh = call("ACS3", "CreateOTAModule", ProductKey=product, ModuleName="m10")
    assert failure(eleventh) == Like(r"iot\.ota\..+")


@pytest.mark.parametrize("way", WAYS)
def test_the_life_of_a_product(way, door):
    name = fresh("水表_")
    created = call(
        way,
        "CreateProduct",
        door,
        ProductName=name,
        NodeType=1,
        AliyunCommodityCode="iothub_senior",
        AuthType="secret",
        DataFormat=1,
        NetType="WIFI",
        Description="测量 water",
    )
    succeed(created)
    key = created["ProductKey"]
    assert key == Like(r"[A-Za-z][A-Za-z0-9]{10,}")
    expected = {
        "ProductKey": key,
        "ProductName": name,
        "NodeType": 1,
        "AuthType": "secret",
        "DataFormat": 1,
        "Description": "测量 water",
        "AliyunCommodityCode": "iothub_senior",
    }
    assert {member: created["Data"][member] for member in expected} == expected

    queried = call(way, "QueryProduct", door, ProductKey=key)
    succeed(queried)
    assert {member: queried["Data"][member] for member in expected} == expected
    assert queried["Data"]["DeviceCount"] == 0
    assert isinstance(queried["Data"]["GmtCreate"], int)

    answer = call(way, "QueryProductList", door, CurrentPage=1, PageSize=2)
    succeed(answer)
    # The paging members of this list stand inside Data.
    page = answer["Data"]
    assert (page["CurrentPage"], page["PageSize"]) == (1, 2)
    assert page["PageCount"] == -(-page["Total"] // 2)
    newest = page["List"]["ProductInfo"][0]
    assert (newest["ProductKey"], newest["ProductName"], newest["NodeType"]) == (key, name, 1)

    succeed(call(way, "DeleteProduct", door, ProductKey=key))
    assert failure(call(way, "QueryProduct", door, ProductKey=key)) == "iot.prod.NotExistedProduct"
    assert failure(call(way, "DeleteProduct", door, ProductKey=key)) == "iot.prod.NotExistedProduct"


def test_what_product_operations_refuse():
    taken = fresh("meter")
    new_product(name=taken)
    refused = {
        "iot.prod.AlreadyExistedProductName": {"ProductName": taken},
        "iot.prod.InvalidFormattedProductName": {"ProductName": "abc"},
        "iot.prod.InvalidNodeType": {"NodeType": 7},
        "iot.prod.LongProductDesc": {"Description": "d" * 101},
    }
    for code, parameters in refused.items():
        answer = call("ACS3", "CreateProduct", **{"ProductName": fresh("meter"), "NodeType": 0, **parameters})
        assert failure(answer) == code
    for page in ({"CurrentPage": 0}, {"PageSize": 0}, {"PageSize": 201}):
        answer = call("ACS3", "QueryProductList", **{"CurrentPage": 1, "PageSize": 10, **page})
        assert failure(answer) == "iot.common.InvalidPageParams"
    for missing, parameters in (("ProductName", {"NodeType": 0}), ("NodeType", {"ProductName": fresh("meter")})):
        with pytest.raises(Refused) as refusal:
            call("ACS3", "CreateProduct", **parameters)
        assert (refusal.value.status, refusal.value.code) == (400, f"Missing{missing}")
