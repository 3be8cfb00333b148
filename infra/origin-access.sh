#!/usr/bin/env bash
# Switches how CloudFront authenticates to the bucket: origin access control (OAC, the default) or the legacy origin access
# identity (OAI).
#
#   infra/origin-access.sh            shows the way that is in use
#   infra/origin-access.sh OAI        switches; also OAC
#
# Options: --stack NAME (vod)  --region NAME  --plan (show each call, change nothing)  --help
# In three steps, so that no playback stops: the bucket takes both, the distribution switches, the bucket takes the
# new way alone. Stopped in between, run it again. OAI cannot read objects under SSE-KMS, and not in regions that
# opened after 2022.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

main() {
    options ... -- "$@"
    [ "${#REST[@]}" -le 1 ] || die "one argument at most, OAC or OAI: see infra/origin-access.sh --help"
    local to=${REST[0]:-} from also steps both use allow
    [[ -z $to || $to =~ ^(OAC|OAI)$ ]] || die "the mechanism is OAC or OAI, not '$to'"
    check_account
    need_stack
    from=$(parameter OriginAccess)
    also=$(parameter OriginAccessAlsoAllow)
    [ -n "$to" ] || { echo "$from" && return; }
    case $from:$also in
        "$to:") say "the bucket is read by $to already" && return ;;
        "$to:"*) steps=("$to") ;;
        *) steps=("$from $to" "$to $from" "$to") ;;
    esac
    for both in "${steps[@]}"; do
        read -r use allow <<<"$both"
        step "the distribution uses $use, the bucket accepts ${both/ / and }"
        set_parameters "OriginAccess=$use" "OriginAccessAlsoAllow=$allow"
        merge_policies "$both"
    done
}

main "$@"
