#!/usr/bin/env bash
# Runs every test: with nextest where it is installed, else with cargo test. Arguments reach the runner.
set -euo pipefail
cd "$(dirname "$0")/.."

# The end-to-end tests start the binaries of other packages; one build for all targets makes them, and
# with the same features as the tests, so that nothing is compiled twice.
cargo build --workspace --all-targets --locked
# Some 300 calls of the AWS CLI would spend a second each on its imports: it is started once, and each call is a fork of it.
venv=$PWD/tests/.tools/venv
cli=$(mktemp -d)
exec 3< <(exec "$venv/bin/python" tests/infra/aws_server.py "$cli")
server=$!
trap 'kill "$server"; rm -rf "$cli"' EXIT
read -r _ <&3 # ready
PATH="$cli:$venv/bin:$PATH"
export PATH

if cargo nextest --version >/dev/null 2>&1; then
    # One more than there are processors: tests of whole stacks wait most of the time.
    export NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}
    cargo nextest run --workspace --locked "$@"
    exit
fi
# Without nextest, test binaries run one after the other and their tests in parallel.
cargo test --workspace --locked "$@"
