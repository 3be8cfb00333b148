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

# access_step USE ALSO_ALLOW
access_step() {
    set_parameters "OriginAccess=$1" "OriginAccessAlsoAllow=$2"
    merge_policies "$1 $2"
}

main() {
    common_options "$@"
    [ "${#REST[@]}" -le 1 ] || die "one argument at most, OAC or OAI: see infra/origin-access.sh --help"
    local to=${REST[0]:-} from
    [[ -z $to || $to =~ ^(OAC|OAI)$ ]] || die "the way is OAC or OAI, not '$to'"
    check_account
    need_stack
    from=$(parameter OriginAccess)
    if [ -z "$to" ]; then
        echo "$from"
        return
    fi
    if [ "$from" = "$to" ] && [ -z "$(parameter OriginAccessAlsoAllow)" ]; then
        say "the bucket is read by $to already"
        return
    fi
    if [ "$from" != "$to" ]; then
        step "the bucket takes $from and $to"
        access_step "$from" "$to"
        step "the distribution goes over to $to"
        access_step "$to" "$from"
    fi
    step "the bucket takes $to alone"
    access_step "$to" ""
}

main "$@"
