#!/usr/bin/env bash
# Sets the days after which videos move to cheaper storage. Sources: STANDARD_IA, then GLACIER. Outputs: STANDARD_IA, then GLACIER_IR, which
# still answers at once; a film in GLACIER itself would answer 403 to its viewers.
#
#   infra/lifecycle.sh                                            shows the days
#   infra/lifecycle.sh --source-ia 30 --source-glacier 60 --output-ia 30 --output-glacier-ir 60
#
# Options: --stack NAME (vod)  --region NAME  --plan (show each call, change nothing)  --help
# The days are the stack's parameters, so the next deploy keeps them. In a bucket that the stack does not own, our
# rules are merged with the existing ones.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    options '--source-ia=DAYS[SourceIaDays]' '--source-glacier=DAYS[SourceGlacierDays]' '--output-ia=DAYS[OutputIaDays]' \
        '--output-glacier-ir=DAYS[OutputGlacierIrDays]' -- "$@"
    local name changes=() given=${#DAYS[@]}
    check_account
    need_stack
    for name in "${DAY_NAMES[@]}"; do
        DAYS[$name]=${DAYS[$name]:-$(parameter "$name")}
    done
    check_days
    for name in "${DAY_NAMES[@]}"; do
        changes+=("$name=${DAYS[$name]}")
    done
    [ "$given" != 0 ] || { printf '%s\n' "${changes[@]}" && return; }
    step "setting ${changes[*]}"
    set_parameters "${changes[@]}"
    merge_lifecycles
}

main "$@"
