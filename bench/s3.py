"""The S3 endpoint against a plain copy of the same file on the same disk."""

import os
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from common import measure, mid, table
from stack import client, running

BLOCK = 1 << 20


def run(options, folder: Path) -> None:
    source = folder / "large.bin"
    with source.open("wb") as file:
        block = os.urandom(BLOCK)
        for _ in range(options.mebibytes):
            file.write(block)
    with running(options, folder) as endpoints:
        results = rounds(options, folder, source, endpoints)
    report(options, results)


def rounds(options, folder: Path, source: Path, endpoints: dict) -> dict:
    s3 = client(endpoints)
    results = {"cp": [], "cp and fsync": [], "PUT": [], "GET": []}
    for number in range(options.rounds):
        # Not below input/: nothing is to be encoded.
        place = {"Bucket": endpoints["bucket"], "Key": f"ops/bench-{number}"}
        copy = folder / "copy.bin"
        results["cp"].append(measure(["cp", source, copy], folder).wall)
        copy.unlink()
        flushed = measure(["dd", f"if={source}", f"of={copy}", "bs=1M", "conv=fsync", "status=none"], folder)
        results["cp and fsync"].append(flushed.wall)
        copy.unlink()
        results["PUT"].append(put(s3.generate_presigned_url("put_object", Params=place), source))
        results["GET"].append(get(s3.generate_presigned_url("get_object", Params=place), source))
        s3.delete_object(**place)
    return results


def put(url: str, source: Path) -> float:
    begun = monotonic()
    connection, path = connect(url)
    with source.open("rb") as file:
        connection.putrequest("PUT", path)
        connection.putheader("content-length", str(source.stat().st_size))
        connection.endheaders()
        connection.sock.sendfile(file)
        answer = connection.getresponse()
        text = answer.read()
    if answer.status != 200:
        sys.exit(f"bench: PUT gave {answer.status}: {text.decode(errors='replace')}")
    return monotonic() - begun


def get(url: str, source: Path) -> float:
    begun = monotonic()
    connection, path = connect(url)
    connection.request("GET", path)
    answer = connection.getresponse()
    buffer, size = bytearray(BLOCK), 0
    while count := answer.readinto(buffer):
        size += count
    if answer.status != 200 or size != source.stat().st_size:
        sys.exit(f"bench: GET gave {answer.status} and {size} bytes")
    return monotonic() - begun


def connect(url: str):
    parts = urlsplit(url)
    return HTTPConnection(parts.netloc), f"{parts.path}?{parts.query}"


def report(options, results: dict) -> None:
    megabytes = options.mebibytes * BLOCK / 1e6
    rows = []
    for name, seconds in results.items():
        ratio = mid(mine / plain for mine, plain in zip(seconds, results["cp"]))
        rows.append([name, f"{mid(seconds):.2f}", f"{megabytes / mid(seconds):.0f}", f"{ratio:.2f}"])
    table(
        f"(c) S3 endpoint, {options.mebibytes} MiB, median of {options.rounds} rounds (GET is read into memory)",
        ["", "s", "MB/s", "time / cp"],
        rows,
    )
