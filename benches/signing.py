"""Requests as the vendors' SDKs send them, signed and ready to be written to a socket."""

import base64
import hashlib
import hmac
import json
import time
import urllib.parse
import uuid


def raw(method, target, host, headers=(), body=b""):
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def own(method, path, host, key, body=b""):
    """Otaru's own API."""
    pair = base64.b64encode(":".join(key).encode()).decode()
    headers = [("Authorization", f"Basic {pair}")]
    if body:
        headers.append(("Content-Type", "application/json"))
    return raw(method, f"/api/v1{path}", host, headers, body)


def iotda(method, path, query, host, key, body=b""):
    """Huawei IoTDA v5, SDK-HMAC-SHA256."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    quote = lambda text: urllib.parse.quote(str(text), safe="-_.~")
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(query.items()))
    headers = [("host", host), ("x-sdk-date", date)]
    if body:
        headers.insert(0, ("content-type", "application/json"))
    names = ";".join(name for name, _ in headers)
    canonical = "\n".join([
        method, f"{path}/", query, *(f"{name}:{value}" for name, value in headers), "", names,
        hashlib.sha256(body).hexdigest()])
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key[1].encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    sent = [("X-Sdk-Date", date)] + ([("Content-Type", "application/json")] if body else [])
    sent.append(("Authorization", f"SDK-HMAC-SHA256 Access={key[0]}, SignedHeaders={names}, Signature={signature}"))
    return raw(method, f"{path}?{query}" if query else path, host, sent, body)


def aliyun(action, parameters, host, key):
    """Alibaba Cloud RPC, signature version 1.0; each has a nonce of its own."""
    parameters = {
        "Action": action, "Version": "2018-01-20", "Format": "JSON", "AccessKeyId": key[0],
        "SignatureMethod": "HMAC-SHA1", "SignatureVersion": "1.0", "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "RegionId": "cn-shanghai", **parameters}
    quote = lambda text: urllib.parse.quote(str(text), safe="-_.~")
    query = "&".join(f"{quote(name)}={quote(value)}" for name, value in sorted(parameters.items()))
    to_sign = f"GET&%2F&{quote(query)}"
    digest = hmac.new(f"{key[1]}&".encode(), to_sign.encode(), hashlib.sha1).digest()
    return raw("GET", f"/?{query}&Signature={quote(base64.b64encode(digest).decode())}", host)


def northbound(method, path, host, app_key, token):
    """Huawei northbound v1.5, after a login."""
    return raw(method, path, host, [("app_key", app_key), ("Authorization", f"Bearer {token}")])


def write(path, requests):
    with open(path, "wb") as file:
        for request in requests:
            file.write(request + b"\0")


def as_json(body):
    return json.dumps(body, separators=(",", ":")).encode()
