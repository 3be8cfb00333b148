#!/usr/bin/env bash
# Builds what the bench measures as it ships (release for the function, fast for the stack), then measures.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --package submit
cargo build --profile fast --locked --package vod --package transcode --package vod-core --package vod-local --examples --bins
tests/.tools/venv/bin/pip install --quiet --disable-pip-version-check --requirement bench/requirements.txt
exec tests/.tools/venv/bin/python bench/run.py "$@"
