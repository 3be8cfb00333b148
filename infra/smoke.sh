#!/usr/bin/env bash
# Checks that a stack works: uploads a 2-second film with vod, waits until it can be watched, plays it with ffmpeg by its signed
# links, and checks that requests without a signature are refused.
#
#   infra/smoke.sh [--stack NAME] [--region NAME]
#   infra/smoke.sh --state .vod     the stack of `vod up` with this state folder
#
# --minutes N   give up after so long (15: MediaConvert's queue may be full)
# --plan        show each call, change nothing
# --help
# VOD_TOKEN is the viewer's token, where an identity provider makes them.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

STATE=""
MINUTES=15
CHOICE=()

# Chooses CloudFront's own name while the owner's domain does not lead there yet.
choose_url() {
    local domain
    domain=$(output DistributionDomain)
    if [ -n "$(parameter DomainName)" ] && [ -n "$domain" ] && ! status "$(output Url)/" >/dev/null 2>&1; then
        say "note: $(output Url) does not answer. It needs a CNAME (or ALIAS) to $domain; the test goes to that name meanwhile"
        export VOD_URL="https://$domain"
    fi
}

# wait_for ASSET: its links go to $WORK/links.json.
wait_for() {
    local deadline=$((SECONDS + MINUTES * 60)) patience=$((SECONDS + ${VOD_REFUSAL_SECONDS:-60})) said
    step "waiting for the encode"
    until vod sign "$1" --ttl 1h --json "${CHOICE[@]}" >"$WORK/links.json" 2>"$WORK/said"; do
        said=$(tail -n 1 "$WORK/said")
        said=${said#error: }
        case $said in
            # There is no record yet, or no output, or the distribution is still spreading.
            *"HTTP 404)" | *"HTTP 5"??")" | "could not reach"* | *" is QUEUED"* | *" is SUBMITTED"* | *" is PROGRESSING"*) ;;
            # A permission that is new, such as CloudFront's to call the signer, takes some seconds to reach every host.
            *"HTTP 403)") [ "$SECONDS" -lt "$patience" ] || die "the signer refuses the token: $said" ;;
            *"HTTP 401)") die "the signer refuses the token: $said" ;;
            *) die "there is nothing to watch: $said" ;;
        esac
        [ "$SECONDS" -lt "$deadline" ] ||
            die "no film after $MINUTES minutes ($said): check the dead letters and the logs of $STACK-submit and $STACK-complete"
        sleep "${VOD_POLL_SECONDS:-5}"
    done
}

# plays WHAT LINK: decodes all of it, as a player would. The log has the addresses, with their signatures.
plays() {
    ffmpeg -nostdin -hide_banner -nostats -loglevel verbose -i "$2" -f null - 2>"$WORK/log" ||
        die "$1 does not play: $(tail -n 2 "$WORK/log" | sed -E 's/[a-z]+:\/\/[^ ]*/…/g')"
    step "$1 plays"
}

# refused WHAT URL
refused() {
    local answer
    answer=$(status "$2") || true
    [ "$answer" = 403 ] || die "$1 answers $answer instead of 403"
    step "$1: 403"
}

play() {
    local mp4 segment
    plays "the signed playlist" "$(jq -r .hls "$WORK/links.json")"
    segment=$(sed -n "s/.*HLS request for url '\([^']*\)'.*/\1/p" "$WORK/log" | tail -n 1)
    mp4=$(jq -r '.mp4[0].url' "$WORK/links.json")
    plays "the signed MP4" "$mp4"
    refused "the MP4 without its signature" "${mp4%%\?*}"
    refused "a segment without its signature" "${segment%%\?*}"
}

main() {
    options --state=STATE --minutes=MINUTES -- "$@"
    need jq curl ffmpeg
    if [ -n "$STATE" ]; then
        CHOICE=(--state "$STATE")
    else
        check_account
        need_stack
        choose_url
        CHOICE=(--stack "$STACK" --region "$REGION")
        [ -z "$(parameter AuthJwksUrl)" ] ||
            : "${VOD_TOKEN:?an identity provider makes the tokens of this stack: set VOD_TOKEN to one with the scope playback}"
    fi
    WORK=$(mktemp -d)
    trap 'rm -rf "$WORK"' EXIT
    # Korean, a space and signs that URLs and S3 events write differently.
    local key asset began=$SECONDS
    key="smoke/스모크 테스트+$(date -u +%Y%m%d%H%M%S).mp4"
    ffmpeg -nostdin -loglevel error -f lavfi -i testsrc2=size=1280x720:rate=30:duration=2 -f lavfi -i sine=duration=2 \
        -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -shortest "$WORK/clip.mp4"
    step "uploading input/$key"
    [ "$PLAN" = no ] || { say "would run: vod upload --key '$key' ${CHOICE[*]}" && return; }
    asset=$(vod upload "$WORK/clip.mp4" --key "$key" "${CHOICE[@]}")
    wait_for "$asset"
    play
    say "smoke test passed in $((SECONDS - began)) s: upload, encode, playback, refusal. It cost about a cent: MediaConvert"
    say "bills 10 s per output at least; storage and requests are below a hundredth of that. The film stays: $asset"
}

[ "${BASH_SOURCE[0]}" != "$0" ] || main "$@"
