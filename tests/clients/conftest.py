"""The ground every judge stands on: a space with a product, and a bucket with a firmware image in it."""

import hashlib
from types import SimpleNamespace

import pytest

import huawei
import storage
from environment import DOORS, fresh, image


def pytest_report_header():
    return "judged doors: " + " ".join(DOORS)


def pytest_generate_tests(metafunc):
    if "door" in metafunc.fixturenames:
        metafunc.parametrize("door", DOORS, ids=[door.split(":")[0] for door in DOORS])


@pytest.fixture(scope="session")
def ground():
    client = huawei.iotda()
    space = huawei.new_space(client)
    product = huawei.new_product(client, space.app_id)
    content = image(40_000, seed="ground")
    bucket, key = fresh("ground-"), "bbb/upgrade.bin"
    objects = storage.obs()
    assert objects.createBucket(bucket).status == 200
    assert objects.putContent(bucket, key, content).status == 200
    return SimpleNamespace(
        app_id=space.app_id,
        product_id=product.product_id,
        product_name=product.name,
        bucket=bucket,
        key=key,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )
