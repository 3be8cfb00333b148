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

declare -A DAYS=()

main() {
    common_options "$@"
    set -- "${REST[@]}"
    local given=no
    while [ $# -gt 0 ]; do
        case $1 in
            --source-ia) DAYS[SourceIaDays]=${2:?$1 needs days} ;;
            --source-glacier) DAYS[SourceGlacierDays]=${2:?$1 needs days} ;;
            --output-ia) DAYS[OutputIaDays]=${2:?$1 needs days} ;;
            --output-glacier-ir) DAYS[OutputGlacierIrDays]=${2:?$1 needs days} ;;
            *) die "unknown argument '$1': see infra/lifecycle.sh --help" ;;
        esac
        given=yes
        shift 2
    done
    check_account
    need_stack
    local name changes=()
    for name in "${DAY_NAMES[@]}"; do
        DAYS[$name]=${DAYS[$name]:-$(parameter "$name")}
    done
    check_days
    for name in "${DAY_NAMES[@]}"; do
        changes+=("$name=${DAYS[$name]}")
    done
    if [ "$given" = no ]; then
        printf '%s\n' "${changes[@]}"
        return
    fi
    step "setting ${changes[*]}"
    set_parameters "${changes[@]}"
    merge_lifecycles
}

main "$@"
