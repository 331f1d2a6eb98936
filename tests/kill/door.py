"""A client of the server's own API and of its object door, of nothing but the standard library: every call opens a connection of
its own, so that a server that is killed shows in exactly the calls that it cut."""

import base64
import hashlib
import hmac
import http.client
import json
import time
import urllib.parse

REGION = "us-east-1"
# Where a test sets the server's clock, its clients go along.
clock_ahead_s = 0


class Refused(Exception):
    """The server answered, and the answer is no."""

    def __init__(self, status, body):
        super().__init__(f"{status} {body[:300]!r}")
        self.status, self.body = status, body


class Cut(Exception):
    """There was no answer: nobody knows what the server did."""


class Unreachable(Cut):
    """There was nobody to ask."""


def _send(url, method, body, headers, timeout_s):
    parts = urllib.parse.urlsplit(url)
    path = parts.path + ("?" + parts.query if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout_s)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict((name.lower(), value) for name, value in answer.getheaders()), answer.read()
    except ConnectionRefusedError as error:
        raise Unreachable(f"{method} {path}: {error!r}") from error
    except (OSError, http.client.HTTPException) as error:
        raise Cut(f"{method} {path}: {error!r}") from error
    finally:
        connection.close()


class Door:
    """One copy of the server, as one key pair sees it."""

    def __init__(self, http_url, objects_url, pair, timeout_s=60):
        self.http, self.objects, self.pair, self.timeout_s = http_url, objects_url, pair, timeout_s

    def api(self, method, path, body=None, **headers):
        """The own API: the answer's JSON, or nothing where it has none; with `raw` headers and all."""
        raw = headers.pop("raw", False)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["Authorization"] = "Basic " + base64.b64encode(":".join(self.pair).encode()).decode()
        if isinstance(body, (dict, list)):
            body, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        elif body is not None:
            headers.setdefault("Content-Type", "application/octet-stream")
        status, given, text = _send(self.http + "/api/v1" + path, method, body, headers, self.timeout_s)
        if status >= 400:
            raise Refused(status, text)
        if raw:
            return given
        return json.loads(text) if text else None

    def download(self, link):
        """The bytes behind a link, asked of this copy whatever the link says."""
        parts = urllib.parse.urlsplit(link)
        status, _, body = _send(f"{self.http}{parts.path}?{parts.query}", "GET", None, {}, self.timeout_s)
        if status != 200:
            raise Refused(status, body)
        return body

    def object(self, method, bucket, key="", body=None, query=""):
        """The object door, signed as S3 clients do (Signature Version 4); headers and body of the answer."""
        host = urllib.parse.urlsplit(self.objects).netloc
        path = "/" + bucket + ("/" + urllib.parse.quote(key) if key else "")
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + clock_ahead_s))
        digest = hashlib.sha256(body or b"").hexdigest()
        headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        pairs = [pair if "=" in pair else pair + "=" for pair in sorted(query.split("&"))] if query else []
        request = "\n".join([method, path, "&".join(pairs), lines, names, digest])
        scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(request.encode()).hexdigest()])
        secret = ("AWS4" + self.pair[1]).encode()
        for part in scope.split("/"):
            secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
        signature = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.pair[0]}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        url = self.objects + path + ("?" + query if query else "")
        status, given, text = _send(url, method, body, headers, self.timeout_s)
        if status >= 400:
            raise Refused(status, text)
        return given, text

    def packages(self):
        """Every package, by the pages of the list; each once, as many as the total says."""
        found, cursor = {}, ""
        while True:
            page = self.api("GET", "/packages?limit=200" + (f"&cursor={cursor}" if cursor else ""))
            for package in page["items"]:
                assert package["id"] not in found, f"package {package['id']} is listed twice"
                found[package["id"]] = package
            cursor = page["next_cursor"]
            if not cursor:
                assert len(found) == page["total"], f"{len(found)} packages are listed, the total says {page['total']}"
                return found
