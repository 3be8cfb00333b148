"""Adds to each body its SHA-256, which CloudFront needs to sign a request to a Function URL (tests/tests/openapi.rs)."""
import hashlib

import requests
import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    body = requests.Request("POST", "http://x/", json=case.body).prepare().body if isinstance(case.body, (dict, list, str, int, float)) else None
    if body:
        data = body.encode() if isinstance(body, str) else body
        case.headers["x-amz-content-sha256"] = hashlib.sha256(data).hexdigest()
