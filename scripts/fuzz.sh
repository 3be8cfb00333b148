#!/usr/bin/env bash
# Fuzzes what strangers can send: every target of fuzz/, FUZZ_SECONDS each (30). Arguments name targets instead.
#
#   scripts/fuzz.sh                             all, a short run: a check, not a search
#   FUZZ_SECONDS=3600 scripts/fuzz.sh playlist  a search
#
# Works on stable Rust: there is no unsafe code of ours for a sanitizer to look at. The first build takes minutes. What
# is found goes to fuzz/artifacts/<target>/; `cargo fuzz run --sanitizer none <target> <file>` runs it again. The
# corpus of a run is in fuzz/corpus/<target>/, where the next one starts; fuzz/seeds/ has the first inputs.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

readonly SECONDS_EACH=${FUZZ_SECONDS:-30}
# Longest input in bytes; longest time for one in seconds, on a busy machine; most memory in MB.
readonly MAX_LEN=4096 TIMEOUT=25 RSS_MB=1024
# Address space in KB, which bounds a single allocation too. Threads reserve more than they use.
readonly SPACE_KB=$((8 << 20))

cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz --version 0.13.1
cargo fuzz build --sanitizer none

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list)
failed=()
for target in "${targets[@]}"; do
    echo "fuzz: $target"
    mkdir -p "corpus/$target"
    options=(-max_total_time="$SECONDS_EACH" -max_len="$MAX_LEN" -timeout="$TIMEOUT" -rss_limit_mb="$RSS_MB")
    [ ! -f "dictionaries/$target.dict" ] || options+=(-dict="dictionaries/$target.dict")
    log=$(mktemp)
    if (
        ulimit -v "$SPACE_KB"
        cargo fuzz run --sanitizer none "$target" "corpus/$target" "seeds/$target" -- "${options[@]}"
    ) >"$log" 2>&1; then
        grep -E '^Done|DONE' "$log" | tail -n 2
    else
        failed+=("$target")
        # The error is above the last lines of libFuzzer, which name the file of the input.
        grep -A 4 'panicked at\|^==[0-9]*== ERROR' "$log" | head -n 20 || true
        tail -n 20 "$log"
    fi
    rm -f "$log"
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "fuzz: something was found by ${failed[*]}" >&2
    exit 1
fi
