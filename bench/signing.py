"""CloudFront signatures against botocore with cryptography and @aws-sdk/cloudfront-signer; playlists against a copy of
their bytes; and the signer through the edge.

All sign custom policies over SHA-256, another one each time. Where a row says "as documented" the key is read anew for
each URL, as in the examples of botocore's and the SDK's documentation; in all others it was parsed once. Ours verify
whole requests (parameters, policy, resource, time, signature), the others the bare signature. The rows "alone" are the
crypto library without any of this: the lower bound for everyone who uses it (docs/adr/0004-signatures-are-bounded.md).
"""

import hashlib
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from time import process_time

from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from common import binary, mid, table
from stack import client, running

ROOT = Path(__file__).resolve().parent.parent
KEYS = ROOT / "crates/vod-core/testdata/cloudfront"
ALGORITHMS = {"ES256": ("P-256", "p256"), "RS256": ("RSA-2048", "rsa2048")}
NOW = 1767225600
FOLDER = "https://d111111abcdef8.cloudfront.net/output/film-0123456789abcdef-01234567"
SECONDS = 1.0
CONNECTIONS = 16


def run(options, folder: Path) -> None:
    rows, ratios = [], {algorithm: [] for algorithm in ALGORITHMS}
    for algorithm, (title, name) in ALGORITHMS.items():
        files = [str(KEYS / f"{name}.pkcs8.pem"), str(KEYS / f"{name}.spki.pem")]
        ours = [binary(options, options.stack_profile, "examples/signing"), algorithm, *files, str(SECONDS)]
        node = ["node", str(ROOT / "bench/signing.mjs"), *files, str(SECONDS)]
        rounds = {}
        for _ in range(options.rounds):
            mine = answer(ours)
            ratios[algorithm].append(mine)
            found = {"ours": mine,
                     "  aws-lc alone": {"signed": mine["bare_signed"], "verified": mine["bare_verified"]},
                     **python(*files),
                     "@aws-sdk/cloudfront-signer, as documented": answer([*node, "pem"]),
                     "@aws-sdk/cloudfront-signer": answer([*node, "parsed"])}
            for contestant, rates in found.items():
                rounds.setdefault(contestant, []).append(rates)
        best = {what: mid(found[what] for found in rounds["ours"]) for what in ("signed", "verified")}
        for contestant, found in rounds.items():
            cells = []
            for what in ("signed", "verified"):
                rate = mid(one[what] for one in found) if what in found[0] else None
                cells += [f"{rate:,.0f}", f"{best[what] / rate:.1f}"] if rate else ["", ""]
            rows.append([f"{title}  {contestant}", *cells])
    table(f"(d) signed URLs and verifications per CPU second, median of {options.rounds} rounds",
          ["SHA-256, custom policy", "signed", "ours / it", "verified", "ours / it"], rows)
    rows = []
    for algorithm, (title, _) in ALGORITHMS.items():
        names = ("copies", "rewrites", "playlist_bytes")
        copies, rewrites, size = (mid(found[what] for found in ratios[algorithm]) for what in names)
        rows += [[f"{title}  copy {size:,.0f} bytes into a new buffer", f"{copies:,.0f}", f"{1e6 / copies:.1f}", "1.0"],
                 [f"{title}  rewrite to these bytes", f"{rewrites:,.0f}", f"{1e6 / rewrites:.1f}",
                  f"{copies / rewrites:.1f}"]]
    table("(e) a playlist of one hour (600 segments) for one viewer",
          ["", "per CPU second", "us", "time / copy"], rows)
    edge(options, folder)


def answer(command: list, **environment) -> dict:
    done = subprocess.run(command, stdout=subprocess.PIPE, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"bench: {command[0]} failed ({done.returncode})")
    return json.loads(done.stdout)


def python(private_file: str, public_file: str) -> dict:
    """Rates of botocore, and of cryptography below it."""
    def read():
        return serialization.load_pem_private_key(Path(private_file).read_bytes(), None)

    private = read()
    public = serialization.load_pem_public_key(Path(public_file).read_bytes())
    is_ec = isinstance(private, ec.EllipticCurvePrivateKey)
    how = (ec.ECDSA(hashes.SHA256()),) if is_ec else (padding.PKCS1v15(), hashes.SHA256())
    url, message = FOLDER + "/default/hls/video_720_00001.ts", b"x" * 180
    signature, expires = private.sign(message, *how), NOW

    def sign(signer):
        nonlocal expires
        expires += 1
        policy = signer.build_policy(FOLDER + "/*", datetime.fromtimestamp(expires, timezone.utc))
        signer.generate_presigned_url(url, policy=policy)

    parsed = CloudFrontSigner("K2", lambda message: private.sign(message, *how))
    documented = CloudFrontSigner("K2", lambda message: read().sign(message, *how))
    return {
        "botocore, as documented": {"signed": per_cpu_second(lambda: sign(documented))},
        "botocore": {"signed": per_cpu_second(lambda: sign(parsed))},
        "  cryptography alone": {
            "signed": per_cpu_second(lambda: private.sign(message, *how)),
            "verified": per_cpu_second(lambda: public.verify(signature, message, *how)),
        },
    }


def per_cpu_second(work) -> float:
    begun, count = process_time(), 0
    while (used := process_time() - begun) < SECONDS:
        for _ in range(16):
            work()
        count += 16
    return count / used


def edge(options, folder: Path) -> None:
    """/api/playback through edge, Function URL and signer, the record read from S3 each time."""
    state = folder / "signing"
    state.mkdir()
    with running(options, state) as endpoints:
        url = f"{endpoints['edge']}/api/playback?asset={put_film(endpoints)}"
        load = [binary(options, options.stack_profile, "examples/load"), url, str(CONNECTIONS)]
        answer([*load, "1"], TOKEN=endpoints["token"])
        found = [answer([*load, "3"], TOKEN=endpoints["token"]) for _ in range(options.rounds)]
    rate = mid(one["requests"] / one["seconds"] for one in found)
    p50, p99 = (mid(one[what] for one in found) for what in ("p50_ms", "p99_ms"))
    table(f"(f) /api/playback through the edge, {CONNECTIONS} connections, client on the same machine",
          ["", "requests/s", "p50 ms", "p99 ms"], [["signed links", f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}"]])


def put_film(endpoints: dict) -> str:
    """A COMPLETE asset without an encode; returns its id."""
    bucket, key, time = endpoints["bucket"], "input/film.mp4", "2026-01-01T00:00:00Z"
    digest = [hashlib.sha256(text.encode()).hexdigest() for text in (f"{bucket}\0{key}", "1")]
    asset = f"film-{digest[0][:16]}-{digest[1][:8]}"
    output = f"output/{asset}/default"
    record = {
        "schema": 1, "id": asset, "state": "COMPLETE", "progress": 100, "title": "film",
        "source": {"bucket": bucket, "key": key, "etag": "1", "size": 9, "uploaded_at": time},
        "outputs": [{"template": "default", "prefix": f"{output}/", "mp4": [{"key": f"{output}/mp4/video.mp4"}],
                     "hls": {"master": f"{output}/hls/video.m3u8", "variants": []}}],
        "created_at": time, "updated_at": time,
    }
    client(endpoints).put_object(Bucket=bucket, Key=f"catalog/{asset}.json", Body=json.dumps(record).encode())
    return asset
