"""The unmodified OBS SDK against the object door, with each of its signatures: how back offices bring packages in."""

import hashlib
import time

import pytest
import requests
from obs import CompleteMultipartUploadRequest, CompletePart, GetObjectHeader, PutObjectHeader

import storage
from environment import fresh, image
from storage import KEYS

SIGNATURES = [None, "v2", "v4"]


@pytest.fixture(params=SIGNATURES, ids=lambda signature: signature or "obs")
def signature(request):
    return request.param


@pytest.fixture
def client(signature):
    return storage.obs(signature)


@pytest.fixture
def bucket(client):
    name = fresh("obs-")
    created = client.createBucket(name)
    assert created.status == 200, created.errorMessage
    return name


def put(client, bucket, key, content, **options):
    answer = client.putContent(bucket, key, content, **options)
    assert answer.status == 200, answer.errorMessage
    return answer


def content_of(client, bucket, key, **options):
    answer = client.getObject(bucket, key, loadStreamInMemory=True, **options)
    assert answer.status in (200, 206), answer.errorMessage
    return answer.body.buffer


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_buckets(client, bucket):
    assert client.headBucket(bucket).status == 200
    assert client.headBucket(fresh("nowhere-")).status == 404
    assert bucket in [entry.name for entry in client.listBuckets().body.buckets]
    assert client.deleteBucket(bucket).status == 204
    assert client.headBucket(bucket).status == 404


@pytest.mark.parametrize("key", KEYS)
def test_put_head_get_and_delete(client, bucket, key):
    content = image(3000, key)
    etag = f'"{hashlib.md5(content).hexdigest()}"'
    assert put(client, bucket, key, content).body.etag == etag

    head = client.getObjectMetadata(bucket, key)
    assert (head.status, head.body.contentLength, head.body.etag) == (200, 3000, etag)
    assert head.body.lastModified
    assert content_of(client, bucket, key) == content
    assert [entry.key for entry in client.listObjects(bucket).body.contents] == [key]

    assert client.deleteObject(bucket, key).status == 204
    assert client.getObjectMetadata(bucket, key).status == 404
    missing = client.getObject(bucket, key)
    assert (missing.status, missing.errorCode) == (404, "NoSuchKey")


def test_an_empty_object_and_an_overwritten_one(client, bucket):
    put(client, bucket, "object.bin", b"")
    assert client.getObjectMetadata(bucket, "object.bin").body.contentLength == 0
    put(client, bucket, "object.bin", b"first")
    put(client, bucket, "object.bin", b"second")
    assert content_of(client, bucket, "object.bin") == b"second"


def test_put_from_a_file_and_from_a_stream(client, bucket, tmp_path):
    source = tmp_path / "upgrade.tar.gz"
    source.write_bytes(image(700_000, "file"))
    answer = client.putFile(bucket, "from/file.tar.gz", str(source))
    assert answer.status == 200, answer.errorMessage
    target = tmp_path / "downloaded.tar.gz"
    assert client.getObject(bucket, "from/file.tar.gz", downloadPath=str(target)).status == 200
    assert digest(target) == digest(source)
    # Without a length the SDK sends the stream chunked.
    with source.open("rb") as stream:
        put(client, bucket, "from/stream.tar.gz", stream)
    assert hashlib.sha256(content_of(client, bucket, "from/stream.tar.gz")).hexdigest() == digest(source)


def test_ranges(client, bucket):
    content = image(3000, "ranges")
    put(client, bucket, "object.bin", content)
    for span, expected in {"0-0": content[:1], "100-199": content[100:200], "2900-": content[2900:]}.items():
        answer = client.getObject(bucket, "object.bin", headers=GetObjectHeader(range=span), loadStreamInMemory=True)
        assert (answer.status, answer.body.buffer) == (206, expected)
        assert int(answer.body.contentLength) == len(expected)


def test_lists_by_prefix_marker_and_delimiter(client, bucket):
    keys = sorted(["a/1.bin", "a/2.bin", "a/b/3.bin", "a/b/4.bin", "c.bin", "固件/升级.bin"], key=str.encode)
    for key in keys:
        put(client, bucket, key, b"content")

    def names(**query):
        body = client.listObjects(bucket, **query).body
        return [entry.key for entry in body.contents], [entry.prefix for entry in body.commonPrefixs], body

    assert names()[0] == keys
    assert names(prefix="a/")[0] == keys[:4]
    assert names(prefix="固件/")[0] == ["固件/升级.bin"]
    assert names(marker="a/2.bin")[0] == keys[2:]
    found, folders, _ = names(delimiter="/")
    assert (found, folders) == (["c.bin"], ["a/", "固件/"])
    found, folders, _ = names(prefix="a/", delimiter="/")
    assert (found, folders) == (["a/1.bin", "a/2.bin"], ["a/b/"])

    met, marker = [], None
    while True:
        found, _, body = names(max_keys=2, marker=marker)
        met += found
        if not body.is_truncated:
            break
        marker = body.next_marker or found[-1]
    assert met == keys
    sizes = {entry.key: entry.size for entry in client.listObjects(bucket).body.contents}
    assert sizes == {key: 7 for key in keys}


def test_copies(client, bucket):
    content = image(5000, "copy")
    put(client, bucket, "固件/from here.bin", content)
    copied = client.copyObject(bucket, "固件/from here.bin", bucket, "to/there.bin")
    assert copied.status == 200, copied.errorMessage
    assert content_of(client, bucket, "to/there.bin") == content
    assert client.copyObject(bucket, "nowhere.bin", bucket, "to/nowhere.bin").status == 404


def test_a_resumable_upload_and_download_in_parts(client, bucket, tmp_path):
    source, target = tmp_path / "big.img", tmp_path / "downloaded.img"
    source.write_bytes(image(12 * 1024 * 1024, "parts"))
    part = 5 * 1024 * 1024
    uploaded = client.uploadFile(bucket, "big image.img", str(source), part, taskNum=3, enableCheckpoint=True)
    assert uploaded.status == 200, uploaded.errorMessage
    assert client.getObjectMetadata(bucket, "big image.img").body.contentLength == 12 * 1024 * 1024
    downloaded = client.downloadFile(bucket, "big image.img", str(target), part, taskNum=3)
    assert downloaded.status == 200, downloaded.errorMessage
    assert digest(target) == digest(source)


def test_parts_by_hand(client, bucket):
    parts = [image(5 * 1024 * 1024, "one"), image(1000, "two")]
    upload = client.initiateMultipartUpload(bucket, "by hand.bin").body.uploadId
    etags = [client.uploadPart(bucket, "by hand.bin", number, upload, parts[number - 1]).body.etag for number in (1, 2)]
    listed = client.listParts(bucket, "by hand.bin", upload).body.parts
    assert [(part.partNumber, part.size) for part in listed] == [(1, len(parts[0])), (2, len(parts[1]))]
    whole = CompleteMultipartUploadRequest([CompletePart(number, etags[number - 1]) for number in (1, 2)])
    assert client.completeMultipartUpload(bucket, "by hand.bin", upload, whole).status == 200
    assert content_of(client, bucket, "by hand.bin") == b"".join(parts)

    given_up = client.initiateMultipartUpload(bucket, "given up.bin").body.uploadId
    assert client.uploadPart(bucket, "given up.bin", 1, given_up, b"content").status == 200
    assert client.abortMultipartUpload(bucket, "given up.bin", given_up).status == 204
    assert client.getObjectMetadata(bucket, "given up.bin").status == 404


@pytest.mark.parametrize("key", KEYS)
def test_signed_links_to_put_and_get(client, signature, bucket, key):
    content = image(2000, key)
    link = client.createSignedUrl("PUT", bucket, key, expires=300, headers={"Content-Type": "application/octet-stream"})
    stored = requests.put(link.signedUrl, data=content, headers=link.actualSignedRequestHeaders, timeout=30)
    assert stored.status_code == 200, stored.text
    link = client.createSignedUrl("GET", bucket, key, expires=300)
    fetched = requests.get(link.signedUrl, headers=link.actualSignedRequestHeaders, timeout=30)
    assert (fetched.status_code, fetched.content) == (200, content)


def test_signed_links_that_must_not_open(client, bucket):
    put(client, bucket, "object.bin", b"content")
    put(client, bucket, "other.bin", b"content")
    link = client.createSignedUrl("GET", bucket, "object.bin", expires=300).signedUrl
    assert requests.get(link, timeout=30).status_code == 200
    another_object = requests.get(link.replace("object.bin", "other.bin"), timeout=30)
    assert another_object.status_code == 403
    assert requests.put(link, data=b"overwritten", timeout=30).status_code == 403
    bare = requests.get(link.split("?")[0], timeout=30)
    assert bare.status_code == 403
    short = client.createSignedUrl("GET", bucket, "object.bin", expires=1).signedUrl
    time.sleep(2.5)
    assert requests.get(short, timeout=30).status_code == 403
    assert content_of(client, bucket, "object.bin") == b"content"


def test_a_wrong_secret_and_an_unknown_key(signature, bucket):
    wrong = storage.obs(signature, secret_key="wrong").putContent(bucket, "object.bin", b"content")
    assert (wrong.status, wrong.errorCode) == (403, "SignatureDoesNotMatch")
    unknown = storage.obs(signature, access_key="NOBODY").putContent(bucket, "object.bin", b"content")
    assert (unknown.status, unknown.errorCode) == (403, "InvalidAccessKeyId")
    assert storage.obs(signature).listObjects(bucket).body.contents == []


def test_a_bucket_that_is_not_there(client):
    answer = client.putContent(fresh("nowhere-"), "object.bin", b"content")
    assert (answer.status, answer.errorCode) == (404, "NoSuchBucket")


def test_a_body_that_does_not_match_its_digest(client, bucket):
    wrong = PutObjectHeader(md5="XrY7u+Ae7tCTyyK7j1rNww==")  # The MD5 of "hello world".
    answer = client.putContent(bucket, "object.bin", b"something else", headers=wrong)
    assert (answer.status, answer.errorCode) == (400, "BadDigest")
    assert client.getObjectMetadata(bucket, "object.bin").status == 404
