"""Object storage clients pointed at the judged server's object door."""

import boto3
from botocore.config import Config
from obs import ObsClient

from environment import ACCESS_KEY, OBJECTS, SECRET_KEY

# Keys that every client encodes in its own way.
KEYS = ["upgrade.bin", "folder/sub folder/upgrade 1.0+2.bin", "固件/升级 包.bin", "odd/~!$&'()*,;=:@%.bin"]


def obs(signature=None, secret_key=SECRET_KEY, access_key=ACCESS_KEY):
    """An OBS client in path style. Without a signature the SDK takes its default, `obs`, and settles what it means."""
    chosen = {"signature": signature} if signature else {}
    return ObsClient(access_key_id=access_key, secret_access_key=secret_key, server=OBJECTS, path_style=True, **chosen)


def s3(signature="s3v4", secret_key=SECRET_KEY, access_key=ACCESS_KEY, endpoint=OBJECTS, ca=None):
    """An S3 client in path style; `s3v4` and `s3` (the older one) are botocore's names of the two signatures.

    With the older one this SDK signs a path that is only a bucket with a slash at its end and sends it without; the OBS
    SDK signs the same path as it sends it. A server that serves both tries both.
    """
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        verify=ca,
        config=Config(signature_version=signature, s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
