"""Adds to each body its SHA-256, without which CloudFront cannot sign a request to a Function URL (tests/tests/openapi.rs)."""
import hashlib

import requests

send = requests.Session.send


def send_with_digest(self, request, **options):
    if request.body:
        body = request.body.encode() if isinstance(request.body, str) else request.body
        if isinstance(body, bytes):
            request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
    return send(self, request, **options)


requests.Session.send = send_with_digest
