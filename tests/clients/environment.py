"""Where the judged server stands and who may talk to it.

Everything comes from the environment, so that the same judges run against a fresh local server, a cluster or a copy
behind a proxy. `run` explains each name; a missing one is an error, never a skipped test.
"""

import os
import random
import re
import secrets
import time
from datetime import datetime, timezone

import requests


def _need(name):
    value = os.environ.get(name, "").rstrip("/")
    if not value:
        raise RuntimeError(f"{name} is not set: start the judges through tests/clients/run, which lists what they need")
    return value


HTTP = _need("OTARU_HTTP")
OBJECTS = _need("OTARU_OBJECTS")
HTTPS = os.environ.get("OTARU_HTTPS", "").rstrip("/")
CA = _need("OTARU_CA") if HTTPS else os.environ.get("OTARU_CA") or None

ACCESS_KEY = _need("OTARU_AK")
SECRET_KEY = _need("OTARU_SK")
PROJECT_ID = _need("OTARU_PROJECT_ID")
DOMAIN = _need("OTARU_DOMAIN")

# A second key pair with an allowance of its own: tests that exhaust a limit use it, so that they starve nobody else.
BURST_ACCESS_KEY = _need("OTARU_AK2")
BURST_SECRET_KEY = _need("OTARU_SK2")

# The addresses of the HTTP door. A test that takes `door` runs once for each.
DOORS = [HTTP, HTTPS] if HTTPS else [HTTP]


def host(address):
    """The `host:port` of an address, as the SDKs that want no scheme are given it."""
    return address.split("://", 1)[1]


def fresh(prefix):
    """A name that no earlier run has used, so that the judges also run twice against one server."""
    return prefix + secrets.token_hex(5)


def image(size, seed):
    """Bytes that look like nothing in particular, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def download(link, **headers):
    """What a device does with a link it was given: nothing but a GET, here with a look at a Range now and then."""
    return requests.get(link, headers=headers, verify=CA or True, timeout=60)


class Like:
    """Equals every text that matches a pattern as a whole: for ids and times, whose values only the server knows."""

    def __init__(self, pattern):
        self.pattern = re.compile(pattern, re.DOTALL)

    def __eq__(self, other):
        return isinstance(other, str) and self.pattern.fullmatch(other) is not None

    def __repr__(self):
        return f"Like({self.pattern.pattern!r})"


def in_order(value):
    """A JSON value with its objects turned into lists of pairs, so that `==` also compares the order of the members."""
    if isinstance(value, dict):
        return [(name, in_order(member)) for name, member in value.items()]
    if isinstance(value, list):
        return [in_order(item) for item in value]
    return value


def seconds_from_now(text, pattern):
    """How far a UTC time of the given `strptime` pattern lies from now, in seconds; negative for the past."""
    return datetime.strptime(text, pattern).replace(tzinfo=timezone.utc).timestamp() - time.time()
