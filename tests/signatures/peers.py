"""Judges signatures of ours with openssl, cryptography and botocore, and makes signatures of their own.

Reads {"keys": {id: {"private": file, "public": file}}, "ours": [...], "now": seconds} on standard input and writes
{"checks": how many held, "made": [{"name", "url", "cookies"}]}. The first thing that does not hold ends it with an
error. Nothing here is shared with the signer under test: URLs are taken apart with the standard library alone.
"""

import base64
import datetime
import json
import subprocess
import sys
import tempfile
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

PARAMETERS = ("Expires", "Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm")
HASHES = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}


def encode(data):
    return base64.b64encode(data).decode().translate(str.maketrans("+=/", "-_~"))


def decode(text):
    return base64.b64decode(text.translate(str.maketrans("-_~", "+=/")), validate=True)


def at(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


class Key:
    """One key pair, in the hands of openssl and of cryptography."""

    def __init__(self, key_id, files):
        self.id, self.files = key_id, files
        with open(files["private"], "rb") as file:
            self.private = serialization.load_pem_private_key(file.read(), None)
        with open(files["public"], "rb") as file:
            self.public = serialization.load_pem_public_key(file.read())
        self.is_rsa = isinstance(self.private, rsa.RSAPrivateKey)

    def arguments(self, name):
        algorithm = HASHES[name]()
        return (padding.PKCS1v15(), algorithm) if self.is_rsa else (ec.ECDSA(algorithm),)

    def sign(self, name, message):
        return self.private.sign(message, *self.arguments(name))

    def verify(self, name, message, signature):
        self.public.verify(signature, message, *self.arguments(name))

    def openssl_sign(self, name, message):
        command = ["openssl", "dgst", "-" + name.lower(), "-sign", self.files["private"]]
        return subprocess.run(command, input=message, stdout=subprocess.PIPE, check=True).stdout

    def openssl_verify(self, name, message, signature):
        with tempfile.NamedTemporaryFile() as file:
            file.write(signature)
            file.flush()
            command = ["openssl", "dgst", "-" + name.lower(), "-verify", self.files["public"], "-signature", file.name]
            subprocess.run(command, input=message, stdout=subprocess.PIPE, check=True)


def take_apart(ours):
    """The URL as it was before it was signed, and CloudFront's parameters from its query or from the cookies."""
    parts = urlsplit(ours["url"])
    pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    own = "&".join(pair for pair in parts.query.split("&") if pair.split("=")[0] not in PARAMETERS)
    found = {name: value for name, value in pairs if name in PARAMETERS}
    if not found:
        cookies = (cookie.split("=", 1) for cookie in ours["cookies"].split("; "))
        found = {name.removeprefix("CloudFront-"): value for name, value in cookies}
    return urlunsplit(parts._replace(query=own)), found


def judge(keys, ours):
    """Three verdicts on one signature of ours."""
    url, found = take_apart(ours)
    key, name = keys[found["Key-Pair-Id"]], found["Hash-Algorithm"]
    signature = decode(found["Signature"])
    signer = CloudFrontSigner(key.id, lambda message: key.sign(name, message))
    terms = ours["terms"]
    policy = signer.build_policy(
        terms["resource"],
        at(terms["expires"]),
        date_greater_than=at(terms["not_before"]) if "not_before" in terms else None,
        ip_address=terms.get("source"),
    ).encode()
    if "Policy" in found:
        assert decode(found["Policy"]) == policy, f"{ours['name']}: botocore writes another policy: {policy}"
    else:
        assert found["Expires"] == str(terms["expires"]), ours["name"]

    key.verify(name, policy, signature)
    key.openssl_verify(name, policy, signature)
    # RSA signatures are deterministic, so that botocore must come to the very same URL.
    if key.is_rsa and ours["cookies"]:
        assert signature == key.sign(name, policy), f"{ours['name']}: botocore's signer signs otherwise"
    elif key.is_rsa:
        how = {"policy": policy.decode()} if "Policy" in found else {"date_less_than": at(terms["expires"])}
        theirs = signer.generate_presigned_url(url, **how) + "&Hash-Algorithm=" + name
        assert theirs == ours["url"], f"{ours['name']}: botocore signs otherwise: {theirs}"


def make(keys, now):
    """Signed requests by openssl (written out by hand, as the developer guide shows) and by botocore."""
    base = "https://d111111abcdef8.cloudfront.net/output/film"
    segment, later = base + "/hls/video_00001.ts", now + 3600
    for key in keys.values():
        for name in HASHES:
            for tool, sign in (("openssl", key.openssl_sign), ("botocore", key.sign)):
                signer = CloudFrontSigner(key.id, lambda message, sign=sign, name=name: sign(name, message))
                hash_name = {} if name == "SHA1" else {"Hash-Algorithm": name}
                policy = signer.build_policy(base + "/*", at(later), at(now), "192.0.2.0/24")
                extra = "".join(f"&{k}={v}" for k, v in hash_name.items())
                what = f"{tool} {key.id} {name}"
                yield {"name": what + " custom", "cookies": "",
                       "url": signer.generate_presigned_url(segment, policy=policy) + extra}
                yield {"name": what + " canned", "cookies": "",
                       "url": signer.generate_presigned_url(segment + "?size=1", date_less_than=at(later)) + extra}
                canned = signer.build_policy(segment, at(later))
                for form, end, signed in (("custom", {"Policy": encode(policy.encode())}, policy),
                                          ("canned", {"Expires": later}, canned)):
                    found = {**end, "Signature": encode(sign(name, signed.encode())), "Key-Pair-Id": key.id, **hash_name}
                    yield {"name": f"{what} {form} cookies", "url": segment,
                           "cookies": "; ".join(f"CloudFront-{k}={v}" for k, v in found.items())}


def main():
    ask = json.load(sys.stdin)
    keys = {key_id: Key(key_id, files) for key_id, files in ask["keys"].items()}
    for ours in ask["ours"]:
        judge(keys, ours)
    json.dump({"checks": len(ask["ours"]), "made": list(make(keys, ask["now"]))}, sys.stdout)


main()
