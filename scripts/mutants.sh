#!/usr/bin/env bash
# Takes each safeguard out of the source, one line at a time, and wants to see the simulation fail: a check
# that cannot turn red proves nothing. Works in a copy of the last commit; minutes for each. Arguments: names.
set -euo pipefail
cd "$(dirname "$0")/.."
COPY=$(mktemp -d)
trap 'rm -rf "$COPY"' EXIT
git archive HEAD | tar -x --touch -C "$COPY"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
cd "$COPY"
USUAL="--uploads 2000 --seed 1"
survived=()

# mutant NAME FILE SED SETTINGS: the edit has to change the file, the program has to compile and then to fail.
mutant() {
    local name=$1 file=$2 edit=$3 settings=$4
    [[ -z ${ONLY:-} || " $ONLY " == *" $name "* ]] || return 0
    cp "$file" original
    sed -i "$edit" "$file"
    echo "== $name ($settings)"
    if diff --unified=0 --label "$file" --label "$file" original "$file"; then
        echo "scripts/mutants.sh: the edit of $file finds its line no more; adapt it" >&2
        exit 2
    fi
    cargo build --quiet --locked --profile fast --package vod-sim
    # shellcheck disable=SC2086 # Settings are words.
    if "$CARGO_TARGET_DIR/fast/vod-sim" $settings >log 2>&1; then
        survived+=("$name")
        echo "NOT NOTICED"
    fi
    grep -m 3 -E '^(lost|encoded twice|FAULT)' log
    mv original "$file"
    # Its time is older than the build's: without this the mutant would stay in the next one.
    touch "$file"
}

ONLY=$*
mutant no-if-none-match crates/vod-aws/src/bucket.rs 's/put\.if_none_match("\*")/put/' "$USUAL"
mutant no-if-match crates/vod-aws/src/bucket.rs 's/Some(etag) => put\.if_match(etag)/Some(_) => put/' "$USUAL"
mutant no-terminal crates/vod-core/src/state.rs \
    's/if target\.rank() <= job\.state\.rank() {/if target == job.state {/' "$USUAL"
mutant no-reconcile crates/pipeline/src/reconcile/scan.rs \
    's/^\( *\)&& vod_aws::now() < self\.run\.stop$/\1\&\& vod_aws::now() > self.run.stop/' "$USUAL"
# Another safeguard covers for these at the usual settings: see scripts/sim.sh.
mutant no-lease crates/vod-core/src/attempt/next.rs 's/if lease\.until > now =>/if lease.until < lease.until =>/' \
    "--uploads 150 --faults 8 --seed 1 --heard --token-seconds 1 --removals 0"
mutant no-batch-failures functions/submit/src/handler.rs \
    's/failures\.push(json!({"itemIdentifier": message\.id}));/failures.extend(None::<Value>);/' \
    "--uploads 120 --faults 4 --seed 2 --queues-only --create-rate 2 --removals 0"
mutant no-search crates/pipeline/src/submit.rs 's/if !invocation\.made_first(record)/if record.schema == 0/' \
    "--uploads 120 --faults 10 --seed 2 --removals 0"
# Both looks at the tombstone: the second would cover for the first.
mutant no-tombstone crates/pipeline/src/submit.rs \
    's/\.filter(covers)/.filter(covers).filter(|_| object.key.is_empty())/' "$USUAL --removals 10"
mutant no-second-look crates/pipeline/src/submit.rs \
    's/latest\.as_ref()\.filter(covers)/latest.as_ref().filter(covers).filter(|_| object.key.is_empty())/' "$USUAL --removals 10 --create-rate 10"
mutant no-cancel crates/pipeline/src/complete.rs \
    's/if let Change::Progress(_) = change {/if let Change::Canceled = change {/' "$USUAL --removals 10 --create-rate 10"

if ((${#survived[@]})); then
    echo "not noticed: ${survived[*]}" >&2
    exit 1
fi
