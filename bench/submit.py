"""Cold start of `submit`: from spawn to its first answer over TLS, against the same thing in plain Python."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from queue import Empty
from time import monotonic

import fake_aws
from common import binary, mid, table
from runtime_api import RuntimeApi

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE.parent / "job-templates/default.json"


def run(options, folder: Path) -> None:
    url, trusted = fake_aws.start(folder)
    rust = binary(options, options.function_profile, "submit")
    contestants = {"submit (Rust)": [rust], "the same in Python": [sys.executable, HERE / "python_submit.py"]}
    runs = {name: [] for name in contestants}
    # The first of each only warms the page cache.
    for number in range(options.cold_starts + 1):
        for name, command in contestants.items():
            used = cold_start(command, url, trusted)
            if number:
                runs[name].append(used)
    report(options, rust, runs)


def environment(url: str, trusted: Path, api: str) -> dict:
    return {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": api,
        "AWS_LAMBDA_FUNCTION_NAME": "submit",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ENDPOINT_URL_MEDIACONVERT": url,
        "SSL_CERT_FILE": str(trusted),
        "AWS_CA_BUNDLE": str(trusted),
        "BUCKET": "vod",
        "MEDIACONVERT_ROLE_ARN": "arn:aws:iam::123456789012:role/vod",
        "JOB_TEMPLATE": str(TEMPLATE),
    }


def event() -> dict:
    item = {"key": "input/my+film.mp4", "size": 1048576, "eTag": "d41d8cd98f00b204e9800998ecf8427e",
            "sequencer": "0055AED6DCD90281E5"}  # fmt: skip
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
              "eventTime": "2026-11-21T10:00:00.000Z", "eventName": "ObjectCreated:Put",
              "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": "vod"}, "object": item}}  # fmt: skip
    message = {"messageId": "1", "receiptHandle": "r", "body": json.dumps({"Records": [record]}),
               "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "md5OfBody": "",
               "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
               "awsRegion": "us-east-1"}  # fmt: skip
    return {"Records": [message]}


def cold_start(command: list, url: str, trusted: Path) -> dict:
    api = RuntimeApi()
    api.events.put(event())
    begun = monotonic()
    process = subprocess.Popen(
        command, env=environment(url, trusted, api.address), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        at, path, body = api.answers.get(timeout=30)
    except Empty:
        process.kill()
        sys.exit(f"bench: {command[-1]} said nothing: {process.stderr.read().decode(errors='replace')[-2000:]}")
    peak = peak_kib(process.pid)
    process.send_signal(signal.SIGKILL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = -signal.SIGKILL
    said = process.stderr.read().decode(errors="replace")
    process.stderr.close()
    api.events.put(None)
    api.server.shutdown()
    api.server.server_close()
    if not path.endswith("/response") or json.loads(body) != {"batchItemFailures": []}:
        sys.exit(f"bench: {command[-1]} failed: {body.decode()} {said[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return {"wall": (at - begun) * 1e3, "cpu": cpu * 1e3, "peak": peak / 1024}


def peak_kib(pid: int) -> int:
    """Not from rusage: that counts what the parent had before exec."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


def python_size() -> int:
    """What would have to be in the package, less Python itself: boto3 with what it needs."""
    import boto3

    site = Path(boto3.__file__).parent.parent
    names = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3")
    return sum(file.stat().st_size for name in names for file in (site / name).rglob("*") if file.is_file())


def report(options, rust: Path, runs: dict) -> None:
    sizes = {"submit (Rust)": rust.stat().st_size, "the same in Python": python_size()}
    rows = []
    for name, used in runs.items():
        wall, cpu, peak = (mid(one[what] for one in used) for what in ("wall", "cpu", "peak"))
        fastest = min(one["wall"] for one in used)
        rows.append([name, f"{wall:.1f} ({fastest:.1f})", f"{cpu:.1f}", f"{peak:.1f}", f"{sizes[name] / 1e6:.1f}"])
    ours, theirs = runs.values()
    ratios = [mid(b[what] for b in theirs) / mid(a[what] for a in ours) for what in ("wall", "cpu", "peak")]
    size = sizes["the same in Python"] / sizes["submit (Rust)"]
    rows.append(["Python / Rust", *(f"{ratio:.1f}x" for ratio in ratios), f"{size:.1f}x"])
    rows.append(["target", "", ">= 20x", "", ""])
    table(
        f"(b) Cold start of submit over TLS, median of {options.cold_starts}",
        ["", "spawn to answer ms (min)", "CPU ms", "peak MiB", "size MB"],
        rows,
    )
