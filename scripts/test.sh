#!/usr/bin/env bash
# Runs every test: with nextest where it is installed, else with cargo test. Arguments reach the runner.
set -euo pipefail
cd "$(dirname "$0")/.."

# The end-to-end tests start the binaries of other packages; one build for all targets makes them, and
# with the same features as the tests, so that nothing is compiled twice.
cargo build --workspace --all-targets --locked
PATH="$PWD/tests/.tools/venv/bin:$PATH"
export PATH

if cargo nextest --version >/dev/null 2>&1; then
    # One more than there are processors: tests of whole stacks wait most of the time.
    export NEXTEST_TEST_THREADS=${NEXTEST_TEST_THREADS:-$(($(getconf _NPROCESSORS_ONLN) + 1))}
    exec cargo nextest run --workspace --locked "$@"
fi
# Without nextest, test binaries run one after the other and their tests in parallel.
exec cargo test --workspace --locked "$@"
