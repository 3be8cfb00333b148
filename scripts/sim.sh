#!/usr/bin/env bash
# Simulates 100,000 uploads under three seeds (SEEDS="4 5" for others). Arguments reach the simulation:
# --uploads 1000000, --create-rate 5, --mutate no-lease; --help lists all. The first build takes minutes:
# with optimization the simulation is ten times as fast.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --profile fast --package vod-sim
simulation=${CARGO_TARGET_DIR:-target}/fast/vod-sim
failed=0
simulate() {
    "$simulation" "$@" || failed=1
}

for seed in ${SEEDS:-1 2 3}; do
    simulate --seed "$seed" "$@"
done
if (($# == 0)); then
    # Where one safeguard covers for another, each is tested alone once: leases, the queue, the search.
    echo "== forgetful tokens: leases alone keep deliveries apart"
    simulate --uploads 150 --faults 8 --seed 1 --heard --token-seconds 1 --removals 0
    echo "== no reconcile: what SQS brings again is enough"
    simulate --uploads 120 --faults 4 --seed 2 --queues-only --create-rate 2 --removals 0
    echo "== many deaths: the search alone finds jobs that are not on record"
    simulate --uploads 120 --faults 10 --seed 2 --removals 0
    echo "== many removals: what is taken down stays down"
    simulate --uploads 2000 --seed 1 --removals 10 --create-rate 10
    echo "== vod up, killed 50 times"
    VOD_KILLS=50 scripts/test.sh --test kill || failed=1
fi
exit "$failed"
