"""The unmodified S3 SDK against the object door, with both of its signatures, and what a package keeps of an object."""

import hashlib
import io
import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

import alibaba
import huawei
import storage
from environment import OBJECTS, download, fresh, image
from storage import KEYS
from tls_front import tls_front

SIGNATURES = ["s3v4", "s3"]
PART = 5 * 1024 * 1024


@pytest.fixture(params=SIGNATURES)
def signature(request):
    return request.param


@pytest.fixture
def client(signature):
    return storage.s3(signature)


@pytest.fixture
def bucket(client):
    name = fresh("s3-")
    client.create_bucket(Bucket=name)
    return name


def content_of(client, bucket, key, **options):
    return client.get_object(Bucket=bucket, Key=key, **options)["Body"].read()


def refusal_of(call, **arguments):
    with pytest.raises(ClientError) as refusal:
        call(**arguments)
    answer = refusal.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_buckets(client, bucket):
    client.head_bucket(Bucket=bucket)
    assert bucket in [entry["Name"] for entry in client.list_buckets()["Buckets"]]
    client.delete_bucket(Bucket=bucket)
    assert refusal_of(client.list_objects_v2, Bucket=bucket) == (404, "NoSuchBucket")


@pytest.mark.parametrize("key", KEYS)
def test_put_head_get_and_delete(client, bucket, key):
    content = image(3000, key)
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    assert client.put_object(Bucket=bucket, Key=key, Body=content)["ETag"] == etag
    head = client.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (3000, etag)
    assert content_of(client, bucket, key) == content
    client.delete_object(Bucket=bucket, Key=key)
    assert refusal_of(client.get_object, Bucket=bucket, Key=key) == (404, "NoSuchKey")


def test_ranges(client, bucket):
    content = image(3000, "ranges")
    client.put_object(Bucket=bucket, Key="object.bin", Body=content)
    spans = {"0-0": content[:1], "100-199": content[100:200], "2900-": content[2900:], "-10": content[-10:]}
    for span, expected in spans.items():
        answer = client.get_object(Bucket=bucket, Key="object.bin", Range=f"bytes={span}")
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206
        assert answer["Body"].read() == expected
    outside = refusal_of(client.get_object, Bucket=bucket, Key="object.bin", Range="bytes=3000-")
    assert outside == (416, "InvalidRange")


def test_a_multipart_upload_and_download(client, bucket):
    content = image(12 * 1024 * 1024, "multipart")
    parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
    client.upload_fileobj(io.BytesIO(content), bucket, "big image.img", Config=parts)
    assert client.head_object(Bucket=bucket, Key="big image.img")["ContentLength"] == len(content)
    fetched = io.BytesIO()
    client.download_fileobj(bucket, "big image.img", fetched, Config=parts)
    assert hashlib.sha256(fetched.getvalue()).digest() == hashlib.sha256(content).digest()


def test_lists_in_pages(client, bucket):
    keys = sorted(["a/1.bin", "a/2.bin", "a/b/3.bin", "b c.bin", "固件/升级.bin"], key=str.encode)
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"content")
    pages = list(client.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
    assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
    older = client.get_paginator("list_objects").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    assert [entry["Key"] for page in older for entry in page["Contents"]] == keys

    folder = client.list_objects_v2(Bucket=bucket, Prefix="a/", Delimiter="/")
    assert [entry["Key"] for entry in folder["Contents"]] == keys[:2]
    assert [entry["Prefix"] for entry in folder["CommonPrefixes"]] == ["a/b/"]
    after = client.list_objects_v2(Bucket=bucket, StartAfter="a/2.bin")
    assert [entry["Key"] for entry in after["Contents"]] == keys[2:]
    assert client.list_objects_v2(Bucket=bucket, Prefix="z")["KeyCount"] == 0


def test_copies(client, bucket):
    client.put_object(Bucket=bucket, Key="固件/from here.bin", Body=b"content")
    client.copy_object(Bucket=bucket, Key="to/there.bin", CopySource={"Bucket": bucket, "Key": "固件/from here.bin"})
    assert content_of(client, bucket, "to/there.bin") == b"content"


@pytest.mark.parametrize("key", KEYS)
def test_signed_links_to_put_and_get(client, bucket, key):
    content = image(2000, key)
    link = client.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=300)
    stored = requests.put(link, data=content, timeout=30)
    assert stored.status_code == 200, stored.text
    link = client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=300)
    fetched = requests.get(link, timeout=30)
    assert (fetched.status_code, fetched.content) == (200, content)


def test_signed_links_that_must_not_open(client, bucket):
    client.put_object(Bucket=bucket, Key="object.bin", Body=b"content")
    where = {"Bucket": bucket, "Key": "object.bin"}
    link = client.generate_presigned_url("get_object", where, ExpiresIn=300)
    assert requests.get(link, timeout=30).status_code == 200
    assert requests.put(link, data=b"overwritten", timeout=30).status_code == 403
    assert requests.get(link.replace("object.bin", "other.bin"), timeout=30).status_code == 403
    short = client.generate_presigned_url("get_object", where, ExpiresIn=1)
    time.sleep(2.5)
    assert requests.get(short, timeout=30).status_code == 403
    assert content_of(client, bucket, "object.bin") == b"content"


def test_a_wrong_secret_and_an_unknown_key(signature, client, bucket):
    put = {"Bucket": bucket, "Key": "object.bin", "Body": b"content"}
    wrong = storage.s3(signature, secret_key="wrong")
    assert refusal_of(wrong.put_object, **put) == (403, "SignatureDoesNotMatch")
    unknown = storage.s3(signature, access_key="NOBODY")
    assert refusal_of(unknown.put_object, **put) == (403, "InvalidAccessKeyId")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_body_that_does_not_match_its_digest(client, bucket):
    put = {"Bucket": bucket, "Key": "object.bin", "Body": b"something else"}
    assert refusal_of(client.put_object, **put, ContentMD5="XrY7u+Ae7tCTyyK7j1rNww==") == (400, "BadDigest")
    sha256 = "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="  # Of "hello world".
    assert refusal_of(client.put_object, **put, ChecksumSHA256=sha256) == (400, "BadDigest")
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_checksums_in_trailers(tmp_path):
    """Over TLS the SDK streams its body in chunks and puts the checksum behind it; parts of an upload do the same."""
    with tls_front(OBJECTS, tmp_path) as (endpoint, certificate):
        client = storage.s3("s3v4", endpoint=endpoint, ca=certificate)
        sent = []
        client.meta.events.register("before-send.s3", lambda request, **_: sent.append(request.headers))
        bucket = fresh("tls-")
        client.create_bucket(Bucket=bucket)

        content = image(300_000, "trailers")
        client.put_object(Bucket=bucket, Key="object.bin", Body=io.BytesIO(content))
        assert sent[-1]["X-Amz-Content-SHA256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        assert client.head_object(Bucket=bucket, Key="object.bin")["ContentLength"] == len(content)
        assert content_of(client, bucket, "object.bin") == content

        big = image(12 * 1024 * 1024, "trailers in parts")
        parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
        client.upload_fileobj(io.BytesIO(big), bucket, "big.img", Config=parts)
        assert hashlib.sha256(content_of(client, bucket, "big.img")).digest() == hashlib.sha256(big).digest()


def test_a_package_keeps_the_bytes_it_was_made_from(ground):
    """Neither a later upload under the same key nor the end of the object changes what a package delivers."""
    client = storage.s3()
    bucket, version = fresh("kept-"), fresh("V-kept-")
    first, second = image(9000, "first"), image(8000, "second")
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="upgrade.bin", Body=first)
    place = SimpleNamespace(app_id=ground.app_id, product_id=ground.product_id, bucket=bucket, key="upgrade.bin")
    huawei.new_package(huawei.iotda(), place, version=version)

    (entry,), _ = alibaba.listed("ACS3", DestVersion=version)
    assert entry["FirmwareSize"] == len(first)

    def delivered():
        firmware = alibaba.query("ACS3", entry["FirmwareId"])
        assert set(parse_qs(urlsplit(firmware["FirmwareUrl"]).query)) == {"Expires", "OSSAccessKeyId", "Signature"}
        return download(firmware["FirmwareUrl"]).content

    assert delivered() == first
    client.put_object(Bucket=bucket, Key="upgrade.bin", Body=second)
    assert content_of(client, bucket, "upgrade.bin") == second
    assert delivered() == first
    client.delete_object(Bucket=bucket, Key="upgrade.bin")
    assert delivered() == first
