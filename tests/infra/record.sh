#!/usr/bin/env bash
# Writes down which calls the functions make: runs the end-to-end tests and puts what is new into tests/infra/calls.json.
# Calls stay in it until they are removed by hand: some are made only when something goes wrong at the right moment.
set -euo pipefail
cd "$(dirname "$0")/../.."

VOD_CALLS=$(mktemp)
export VOD_CALLS
trap 'rm -f "$VOD_CALLS"' EXIT
scripts/test.sh --package vod-tests "$@"
jq -S --rawfile new "$VOD_CALLS" '
    reduce ($new | split("\n")[] | select(. != "") | capture("^(?<part>\\S+) (?<call>.+)$")) as $it (.; .[$it.part] += [$it.call])
    | map_values(unique)' tests/infra/calls.json >"$VOD_CALLS.json"
mv "$VOD_CALLS.json" tests/infra/calls.json
