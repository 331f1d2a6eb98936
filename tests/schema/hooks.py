"""What the judge has to know of Otaru that no OpenAPI document can say. Every exception is here, with its reason."""

import os

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

OWN_KEY = os.environ["OTARU_AK"]


@schemathesis.serializer("application/offset+octet-stream", "application/octet-stream")
def as_bytes(ctx, value):
    """Bytes are bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(ctx, case, kwargs):
    """The key that the judge signs in with is listed with the others; without it, it would judge refusals only."""
    if case.path_parameters and OWN_KEY in str(case.path_parameters.get("id", "")):
        case.path_parameters["id"] = "another"


@schemathesis.check
def accepts_what_is_right(ctx, response, case):
    """As `positive_data_acceptance`, but for what is right only if the server said it before: a cursor is opaque."""
    if response.status_code == 400 and response.json().get("field") == "cursor":
        return None
    return positive_data_acceptance(ctx, response, case)
