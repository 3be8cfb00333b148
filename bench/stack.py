"""A `vod up` of its own, for the parts that measure one."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import boto3
from botocore.config import Config

from common import binary


@contextmanager
def running(options, folder: Path):
    """Starts it with its state in a folder and gives its endpoints; it is stopped at the end of the block."""
    state = folder / "state"
    log = folder / "vod.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [binary(options, options.stack_profile, "vod"), "--state", state, "up", "--api", "127.0.0.1:0"]
            + ["--edge", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        file = state / "endpoints.json"
        while not file.is_file():
            if process.poll() is not None:
                sys.exit(f"bench: vod up ended: {log.read_text()}")
            sleep(0.05)
        yield json.loads(file.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def client(endpoints: dict):
    """botocore's S3."""
    return boto3.client(
        "s3",
        endpoint_url=endpoints["api"],
        region_name=endpoints["region"],
        aws_access_key_id=endpoints["access_key"],
        aws_secret_access_key=endpoints["secret_key"],
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
