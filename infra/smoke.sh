#!/usr/bin/env bash
# Checks that a stack works: uploads a 2-second film, waits until it is encoded, plays it by its signed URLs, and
# sees it refused without.
#
#   infra/smoke.sh [--stack NAME] [--region NAME]
#   infra/smoke.sh --url http://127.0.0.1:8080 --bucket vod     a stack that CloudFormation does not know, such as
#                                                               `vod up`; the viewer's token is then in VOD_TOKEN
#
# --minutes N   give up after so long (15: MediaConvert's queue may be full)
# --plan        show each call, change nothing
# --help

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

URL=""
BUCKET=""
MINUTES=15

# get OUT URL [TOKEN]: the status, 000 if there was no answer; the body goes to OUT. Headers reach curl through a pipe,
# not as arguments.
get() {
    local status
    status=$(curl --silent --show-error --max-time 60 --output "$1" --write-out '%{http_code}' \
        --config <(if [ -n "${3:-}" ]; then printf 'header = "Authorization: Bearer %s"\n' "$3"; fi) "$2") || status=000
    echo "$status"
}

# The address to test: the stack's, or CloudFront's own name while the owner's does not lead anywhere yet.
choose_url() {
    URL=$(output Url)
    local domain
    domain=$(output DistributionDomain)
    if [ -n "$(parameter DomainName)" ] && [ -n "$domain" ] && [ "$(get /dev/null "$URL/" 2>/dev/null)" = 000 ]; then
        say "note: $URL does not answer. It needs a CNAME (or ALIAS) to $domain; the test goes to that name meanwhile"
        URL="https://$domain"
    fi
}

wait_for() {
    local key=$1 token=$2 deadline=$((SECONDS + MINUTES * 60)) patience=$((SECONDS + ${VOD_REFUSAL_SECONDS:-60})) source status
    source=$(jq -rn --arg key "$key" '$key | @uri')
    step "waiting for the encode"
    while :; do
        status=$(get "$WORK/playback.json" "$URL/api/playback?source=$source&ttl_seconds=3600" "$token")
        case $status in
            200) return ;;
            401) die "the signer refuses the token ($status): $(head -c 300 "$WORK/playback.json")" ;;
            # A permission that is new, such as CloudFront's to call the signer, takes some seconds to reach every host.
            403) [ "$SECONDS" -lt "$patience" ] || die "the signer refuses the token ($status): $(head -c 300 "$WORK/playback.json")" ;;
            # 404: no record yet; 409: not encoded yet; 000 and 5xx: the distribution is still spreading.
            404 | 409 | 000 | 5??) ;;
            *) die "the signer responds with $status: $(head -c 300 "$WORK/playback.json")" ;;
        esac
        if grep -q '"ERROR"' "$WORK/playback.json" 2>/dev/null; then
            die "the encode failed: $(head -c 600 "$WORK/playback.json")"
        fi
        [ "$SECONDS" -lt "$deadline" ] || die "no film after $MINUTES minutes (last response: $status). The upload is s3://$BUCKET/$key: check the dead letters and the logs of $STACK-submit and $STACK-complete"
        sleep "${VOD_POLL_SECONDS:-5}"
    done
}

# expect STATUS WHAT URL
expect() {
    local status
    status=$(get "$WORK/body" "$3")
    [ "$status" = "$1" ] || die "$2 answers $status instead of $1: $(head -c 300 "$WORK/body")"
    step "$2: $status"
}

play() {
    local hls mp4 variant segment
    hls=$(jq -r .hls "$WORK/playback.json")
    mp4=$(jq -r '.mp4[0].url' "$WORK/playback.json")
    expect 200 "the signed playlist" "$hls"
    grep -q '^#EXTM3U' "$WORK/body" || die "the response is not a playlist: $(head -c 200 "$WORK/body")"
    variant=$(grep -v '^#' "$WORK/body" | head -n 1)
    [[ $variant == http* ]] || variant="${hls%/*}/$variant"
    expect 200 "its variant" "$variant"
    segment=$(grep -v '^#' "$WORK/body" | head -n 1)
    case $segment in
        http*) ;;
        /*) segment="$URL$segment" ;;
        *) segment="${variant%/*}/$segment" ;;
    esac
    expect 200 "its first segment" "$segment"
    expect 200 "the signed MP4" "$mp4"
    expect 403 "the MP4 without its signature" "${mp4%%\?*}"
    expect 403 "a segment without its signature" "${segment%%\?*}"
}

main() {
    common_options "$@"
    set -- "${REST[@]}"
    while [ $# -gt 0 ]; do
        case $1 in
            --url) URL=${2:?--url needs one} && shift ;;
            --bucket) BUCKET=${2:?--bucket needs a name} && shift ;;
            --minutes) MINUTES=${2:?--minutes needs a number} && shift ;;
            *) die "unknown argument '$1': see infra/smoke.sh --help" ;;
        esac
        shift
    done
    need aws jq openssl curl ffmpeg
    if [ -z "$URL" ]; then
        check_account
        need_stack
        choose_url
        BUCKET=$(output Bucket)
        if [ -n "$(parameter AuthJwksUrl)" ]; then
            : "${VOD_TOKEN:?an identity provider makes the tokens of this stack: set VOD_TOKEN to one with the scope playback}"
        else
            VOD_TOKEN=$(vod token --stack "$STACK" --region "$REGION" --scope playback --ttl 2h)
        fi
    fi
    : "${BUCKET:?pass --bucket as well}" "${VOD_TOKEN:?set VOD_TOKEN to a viewer token}"
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    # Korean, a space and signs that URLs and S3 events write differently.
    local key began=$SECONDS
    key="input/smoke/스모크 테스트+$(date -u +%Y%m%d%H%M%S).mp4"
    ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=1280x720:rate=30:duration=2 -f lavfi -i sine=duration=2 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -shortest "$WORK/clip.mp4"
    step "uploading $key"
    change s3api put-object --bucket "$BUCKET" --key "$key" --body "$WORK/clip.mp4"
    [ "$PLAN" = no ] || return 0
    wait_for "$key" "$VOD_TOKEN"
    play
    say "smoke test passed in $((SECONDS - began)) s: upload, encode, playback, refusal. It cost about a cent: MediaConvert"
    say "bills 10 s per output at least; storage and requests are below a hundredth of that. The film stays: $(jq -r .asset "$WORK/playback.json")"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
