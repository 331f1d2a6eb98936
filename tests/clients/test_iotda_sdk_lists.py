"""The IoTDA SDK pages through more than fifty packages: exact counts, newest first, by limit, marker and offset."""

import json
from types import SimpleNamespace

import pytest
from huaweicloudsdkiotda.v5 import ListOtaPackageInfoRequest

import huawei
from environment import Like, in_order
from huawei import PACKAGE_ID, TIME, new_package, new_product, new_space

MARKER = Like(r"[0-9a-f]{24}")
TOTAL = 53


@pytest.fixture(scope="module")
def shelf(ground):
    """A space of its own: 53 firmware versions of a meter, two pieces of software for it, two firmwares of a valve."""
    client = huawei.iotda()
    space = new_space(client)
    meter, valve = new_product(client, space.app_id), new_product(client, space.app_id)
    place = SimpleNamespace(app_id=space.app_id, product_id=meter.product_id, bucket=ground.bucket, key=ground.key)
    created = [new_package(client, place, version=f"V{number}").package_id for number in range(1, TOTAL + 1)]
    software = [new_package(client, place, "softwarePackage", version).package_id for version in ("V1", "V2")]
    place.product_id = valve.product_id
    other = [new_package(client, place, version=version).package_id for version in ("V1", "V7")]
    return SimpleNamespace(
        client=client,
        app_id=space.app_id,
        meter=meter,
        valve=valve,
        newest_first=created[::-1],
        software=software[::-1],
        other=other[::-1],
    )


def page(shelf, package_type="firmwarePackage", **filters):
    request = ListOtaPackageInfoRequest(app_id=shelf.app_id, package_type=package_type, **filters)
    answer = shelf.client.list_ota_package_info(request)
    assert answer.status_code == 200
    return answer


def meter_page(shelf, **paging):
    return page(shelf, product_id=shelf.meter.product_id, **paging)


def ids(answer):
    return [package.package_id for package in answer.packages]


def test_ten_of_the_newest_by_default(shelf):
    answer = meter_page(shelf)
    assert ids(answer) == shelf.newest_first[:10]
    assert answer.page.count == TOTAL


def test_fifty_at_a_time_and_the_rest_after_the_marker(shelf):
    first = meter_page(shelf, limit=50)
    assert ids(first) == shelf.newest_first[:50]
    rest = meter_page(shelf, limit=50, marker=first.page.marker)
    assert ids(rest) == shelf.newest_first[50:]
    assert (first.page.count, rest.page.count) == (TOTAL, TOTAL)


def test_the_marker_is_written_in_either_case(shelf):
    first = meter_page(shelf, limit=5)
    assert ids(meter_page(shelf, limit=5, marker=first.page.marker.upper())) == shelf.newest_first[5:10]
    assert ids(meter_page(shelf, limit=5, marker="f" * 24)) == shelf.newest_first[:5]
    assert ids(meter_page(shelf, limit=5, marker="0" * 24)) == []


def test_the_offset_skips_and_ends_in_an_empty_list(shelf):
    assert ids(meter_page(shelf, limit=50, offset=0)) == shelf.newest_first[:50]
    assert ids(meter_page(shelf, limit=50, offset=50)) == shelf.newest_first[50:]
    assert ids(meter_page(shelf, limit=1, offset=TOTAL - 1)) == shelf.newest_first[-1:]
    for offset in (TOTAL, 500):
        beyond = meter_page(shelf, limit=50, offset=offset)
        assert json.loads(beyond.raw_content) == {"packages": [], "page": {"count": TOTAL, "marker": None}}


def test_marker_and_offset_combine(shelf):
    first = meter_page(shelf, limit=10)
    jump = meter_page(shelf, limit=10, marker=first.page.marker, offset=5)
    assert ids(jump) == shelf.newest_first[15:25]
    assert jump.page.count == TOTAL


@pytest.mark.parametrize("limit", [1, 7, 49])
def test_following_the_marker_meets_every_package_once(shelf, limit):
    met, marker = [], None
    while True:
        answer = meter_page(shelf, limit=limit, **({"marker": marker} if marker else {}))
        assert answer.page.count == TOTAL
        if not answer.packages:
            break
        met += ids(answer)
        marker = answer.page.marker
    assert met == shelf.newest_first


def test_filters_narrow_what_is_listed_and_counted(shelf):
    meter, valve = shelf.meter.product_id, shelf.valve.product_id
    both = page(shelf, limit=50)
    assert ids(both)[:3] == shelf.other + shelf.newest_first[:1]
    assert both.page.count == TOTAL + 2

    software = page(shelf, "softwarePackage")
    assert (ids(software), software.page.count) == (shelf.software, 2)
    assert ids(page(shelf, "modulePackage")) == []

    of_valve = page(shelf, product_id=valve)
    assert (ids(of_valve), of_valve.page.count) == (shelf.other, 2)

    seventh = page(shelf, version="V7")
    assert (ids(seventh), seventh.page.count) == ([shelf.other[0], shelf.newest_first[-7]], 2)
    assert ids(page(shelf, version="V7", product_id=meter)) == [shelf.newest_first[-7]]
    assert ids(page(shelf, "softwarePackage", version="V2", product_id=meter)) == [shelf.software[0]]
    assert ids(page(shelf, "softwarePackage", product_id=valve)) == []
    # The version is compared as a whole: V5 names one package, not V5 and the V5x.
    assert ids(page(shelf, version="V5")) == [shelf.newest_first[-5]]
    assert page(shelf, version="V404").page.count == 0


def test_without_a_space_every_space_is_listed(shelf, ground):
    newest = new_package(shelf.client, ground, version="V-everywhere")
    request = ListOtaPackageInfoRequest(package_type="firmwarePackage", limit=2)
    answer = shelf.client.list_ota_package_info(request)
    assert ids(answer)[0] == newest.package_id
    assert answer.page.count >= TOTAL + 3

    by_product = ListOtaPackageInfoRequest(package_type="firmwarePackage", product_id=shelf.valve.product_id)
    assert ids(shelf.client.list_ota_package_info(by_product)) == shelf.other


def test_a_listed_package_shows_the_members_of_the_document_in_their_order(shelf, ground):
    version = "V-members"
    members = {"support_source_versions": ["V1.0", "V1.1"], "description": "包", "custom_info": "Fixed & <new>"}
    new_package(shelf.client, ground, version=version, **members)
    request = ListOtaPackageInfoRequest(app_id=ground.app_id, package_type="firmwarePackage", version=version)
    answer = shelf.client.list_ota_package_info(request)
    expected = {
        "packages": [
            {
                "package_id": PACKAGE_ID,
                "app_id": ground.app_id,
                "package_type": "firmwarePackage",
                "product_id": ground.product_id,
                "product_name": ground.product_name,
                "version": version,
                **members,
                "create_time": TIME,
            }
        ],
        "page": {"count": 1, "marker": MARKER},
    }
    assert in_order(json.loads(answer.raw_content)) == in_order(expected)
