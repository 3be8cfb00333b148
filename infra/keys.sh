#!/usr/bin/env bash
# Manages the keys of a stack, which sign links for viewers: `vod keys --stack NAME` under its old name.
# The private halves exist in Secrets Manager and nowhere else.
#
#   infra/keys.sh [show]         which keys there are, which one signs, and what to do next
#   infra/keys.sh ensure         makes the signing key and the key of the viewers' tokens, if missing (deploy.sh does)
#   infra/keys.sh rotate         adds a second key, waits until CloudFront knows it everywhere, signs with it
#   infra/keys.sh retire         takes the old key away, 7 days after a rotation, when nothing it signed is valid
#
# Options: --stack NAME (vod)  --region NAME  --algorithm ES256|RS256  --now (retire without the 7 days: videos stop)
#          --plan (show each call, change nothing)  --help
# If one of them is interrupted, run it again to continue.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

options ... -- "$@"
# vod says itself what an interrupt means.
trap - INT TERM
chosen=(--stack "$STACK")
[ -z "$REGION" ] || chosen+=(--region "$REGION")
[ "$PLAN" = no ] || chosen+=(--plan)
vod keys "${REST[@]}" "${chosen[@]}"
