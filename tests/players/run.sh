#!/usr/bin/env bash
# Real players against a real stack: starts `vod up` of its own on free ports, converts a clip, and plays it.
# A tool that is missing fails the run. Arguments are patterns of test names.
#
#   tests/players/run.sh              all of it
#   tests/players/run.sh mpv          what has mpv in its name
set -euo pipefail
vod=${VOD:-${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/debug/vod}
VOD=$(realpath --canonicalize-missing "$vod")
export VOD
cd "$(dirname "$0")"

# shellcheck disable=SC2034  # read by say and need
SAY_AS=players INSTALL="'make setup' installs it"
# shellcheck source=scripts/common.sh
source ../../scripts/common.sh

need node npm curl ffmpeg ffprobe mpv chromium
[ -x "$VOD" ] || die "$VOD is missing: 'cargo build --package vod' makes it"

cmp -s package-lock.json node_modules/.stamp || die "the packages of package-lock.json are missing: 'make setup' installs them"
# One stack for the page, and one with films of other templates.
VOD_STATE=$(mktemp -d)
VOD_FILMS=$(mktemp -d)
export VOD_STATE VOD_FILMS
stacks=()
stop() {
    kill "${stacks[@]}" 2>/dev/null && wait "${stacks[@]}" 2>/dev/null
    rm -rf "$VOD_STATE" "$VOD_FILMS"
}
trap stop EXIT
start() {
    VOD_STATE=$1 "$VOD" up --api 127.0.0.1:0 --edge 127.0.0.1:0 >"$1/out" 2>"$1/log" &
    stacks+=($!)
    # Written by rename when everything answers.
    until [ -s "$1/endpoints.json" ]; do
        kill -0 $! 2>/dev/null || die "vod up ended: $(cat "$1/log")"
        sleep 0.1
    done
}
start "$VOD_STATE"
start "$VOD_FILMS"
# The first frames are black, as in most films; the clock in the picture helps to understand a failure.
clip="$VOD_STATE/A walk by the sea.mp4"
ffmpeg -hide_banner -loglevel error -f lavfi -i testsrc2=size=1280x720:rate=30:duration=10 \
    -f lavfi -i sine=frequency=440:duration=10 -vf fade=in:0:20 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac "$clip"
"$VOD" upload "$clip" --wait >/dev/null 2>"$VOD_STATE/upload" ||
    die "the clip was not converted: $(cat "$VOD_STATE/upload" "$VOD_STATE/log")"

# A film in two languages with subtitles, by the built-in template.
languages="$VOD_FILMS/Two languages.mkv"
printf '1\n00:00:00,500 --> 00:00:01,500\nGood evening\n' >"$VOD_FILMS/en.srt"
ffmpeg -hide_banner -loglevel error -f lavfi -i testsrc2=size=640x360:rate=25:duration=4 -f lavfi -i sine=frequency=440:duration=4 \
    -f lavfi -i sine=frequency=880:duration=4 -i "$VOD_FILMS/en.srt" -map 0 -map 1 -map 2 -map 3 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac -c:s srt \
    -metadata:s:a:0 language=eng -metadata:s:a:1 language=ger -metadata:s:s:0 language=eng "$languages"
VOD_STATE=$VOD_FILMS "$VOD" upload "$languages" --wait >/dev/null 2>"$VOD_FILMS/upload" ||
    die "the film in two languages was not converted: $(cat "$VOD_FILMS/upload" "$VOD_FILMS/log")"

# The same film by other templates, one after the other: a template under jobs/ is for all uploads that follow.
film() (
    export VOD_STATE=$VOD_FILMS
    eval "$("$VOD" env)"
    node lib/templates.mjs "$1" | curl --fail --silent --show-error --aws-sigv4 aws:amz:us-east-1:s3 --header "x-amz-content-sha256: UNSIGNED-PAYLOAD" \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --request PUT --data-binary @- \
        "$AWS_ENDPOINT_URL/vod/jobs/film.json" || die "the template $1 was not stored"
    "$VOD" upload "$clip" --key "$1/film.mp4" --wait >/dev/null 2>"$VOD_STATE/upload" ||
        die "the clip was not converted by $1: $(cat "$VOD_STATE/upload" "$VOD_STATE/log")"
)
film cmaf
film dash
film indexed

npm run --silent types
patterns=("${@/#/--test-name-pattern=}")
node --test --test-concurrency=2 --test-timeout=600000 --test-reporter=spec "${patterns[@]}" ./*.test.mjs
