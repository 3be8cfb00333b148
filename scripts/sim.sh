#!/usr/bin/env bash
# Simulates 100,000 uploads under three seeds (SEEDS="4 5" for others). Arguments reach the simulation:
# --uploads 1000000, --create-rate 5, --mutate no-lease; --help tells more. The first build takes minutes:
# with optimisation the simulation is ten times as fast.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --profile fast --package vod-sim
simulation=${CARGO_TARGET_DIR:-target}/fast/vod-sim
failed=0
for seed in ${SEEDS:-1 2 3}; do
    "$simulation" --seed "$seed" "$@" || failed=1
done
exit "$failed"
