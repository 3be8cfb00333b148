"""CloudFront signatures against botocore with cryptography and @aws-sdk/cloudfront-signer; playlists against a copy of
their bytes; and the signer through the edge.

All sign custom policies over SHA-256, with keys that are parsed once where nothing else is said. Ours verify whole requests (parameters, policy,
resource, time, signature), the others the bare signature.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from time import process_time

import boto3
from botocore.config import Config
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from common import binary, mid, table
from s3 import start

ROOT = Path(__file__).resolve().parent.parent
KEYS = ROOT / "crates/vod-core/testdata/cloudfront"
ALGORITHMS = {"ES256": ("P-256", "p256"), "RS256": ("RSA-2048", "rsa2048")}
NOW = 1767225600
FOLDER = "https://d111111abcdef8.cloudfront.net/output/film-0123456789abcdef-01234567"
SECONDS = 1.0
CONNECTIONS = 16


def run(options, folder: Path) -> None:
    rows, ratios = [], []
    for algorithm, (title, name) in ALGORITHMS.items():
        files = [str(KEYS / f"{name}.pkcs8.pem"), str(KEYS / f"{name}.spki.pem")]
        ours = [binary(options, options.stack_profile, "examples/signing"), algorithm, *files, str(SECONDS)]
        node = ["node", str(ROOT / "bench/signing.mjs"), *files, str(SECONDS)]
        forms = {"@aws-sdk/cloudfront-signer": "pem", "the same, key parsed once": "parsed"}
        results = {name: [] for name in ("ours", "botocore + cryptography", *forms)}
        for _ in range(options.rounds):
            results["ours"].append(answer(ours))
            results["botocore + cryptography"].append(python(*files))
            for contestant, form in forms.items():
                results[contestant].append(answer([*node, form]))
        ratios += results["ours"]
        for contestant, rounds in results.items():
            signed, verified = (mid(found[what] for found in rounds) for what in ("signed", "verified"))
            best = [mid(found[what] for found in results["ours"]) for what in ("signed", "verified")]
            rows.append([f"{title}  {contestant}", f"{signed:,.0f}", f"{best[0] / signed:.1f}",
                         f"{verified:,.0f}", f"{best[1] / verified:.1f}"])
    table(f"(d) signed URLs and verifications per CPU second, median of {options.rounds} rounds",
          ["SHA-256, custom policy", "signed", "ours / it", "verified", "ours / it"], rows)
    rewrites, copies, size = (mid(found[what] for found in ratios) for what in ("rewrites", "copies", "playlist_bytes"))
    table("(e) a playlist of one hour (600 segments) for one viewer",
          ["", "per CPU second", "us", "time / copy"],
          [[f"copy {size:,.0f} bytes out", f"{copies:,.0f}", f"{1e6 / copies:.1f}", "1.00"],
           ["rewrite to the same bytes", f"{rewrites:,.0f}", f"{1e6 / rewrites:.1f}", f"{copies / rewrites:.2f}"]])
    edge(options, folder)


def answer(command: list, **environment) -> dict:
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, **environment})
    return json.loads(done.stdout)


def python(private_file: str, public_file: str) -> dict:
    private = serialization.load_pem_private_key(Path(private_file).read_bytes(), None)
    public = serialization.load_pem_public_key(Path(public_file).read_bytes())
    is_ec = isinstance(private, ec.EllipticCurvePrivateKey)
    how = (ec.ECDSA(hashes.SHA256()),) if is_ec else (padding.PKCS1v15(), hashes.SHA256())
    signer = CloudFrontSigner("K2", lambda message: private.sign(message, *how))
    url, message = FOLDER + "/default/hls/video_720_00001.ts", b"x" * 180
    signature, expires = private.sign(message, *how), NOW

    def sign():
        nonlocal expires
        expires += 1
        policy = signer.build_policy(FOLDER + "/*", datetime.fromtimestamp(expires, timezone.utc))
        signer.generate_presigned_url(url, policy=policy)

    return {"signed": per_cpu_second(sign), "verified": per_cpu_second(lambda: public.verify(signature, message, *how))}


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
    process, endpoints = start(options, state)
    try:
        url = f"{endpoints['edge']}/api/playback?asset={put_film(endpoints)}"
        load = [binary(options, options.stack_profile, "examples/load"), url, str(CONNECTIONS), "3"]
        answer([*load[:-1], "1"], TOKEN=endpoints["token"])
        found = [answer(load, TOKEN=endpoints["token"]) for _ in range(options.rounds)]
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error}")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
    rate = mid(one["requests"] / one["seconds"] for one in found)
    p50, p99 = (mid(one[what] for one in found) for what in ("p50_ms", "p99_ms"))
    table(f"(f) /api/playback through the edge, {CONNECTIONS} connections, client on the same machine",
          ["", "requests/s", "p50 ms", "p99 ms"], [["signed links", f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}"]])


def put_film(endpoints: dict) -> str:
    """A COMPLETE asset without an encode; returns its id."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoints["api"],
        region_name=endpoints["region"],
        aws_access_key_id=endpoints["access_key"],
        aws_secret_access_key=endpoints["secret_key"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
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
    client.put_object(Bucket=bucket, Key=f"catalog/{asset}.json", Body=json.dumps(record).encode())
    return asset
