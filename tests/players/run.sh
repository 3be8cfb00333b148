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

need node npm ffmpeg ffprobe mpv chromium
[ -x "$VOD" ] || die "$VOD is missing: 'cargo build --package vod' makes it"

cmp -s package-lock.json node_modules/.stamp || die "the packages of package-lock.json are missing: 'make setup' installs them"
VOD_STATE=$(mktemp -d)
export VOD_STATE
stop() {
    kill "$stack" 2>/dev/null && wait "$stack" 2>/dev/null
    rm -rf "$VOD_STATE"
}
"$VOD" up --api 127.0.0.1:0 --edge 127.0.0.1:0 >"$VOD_STATE/out" 2>"$VOD_STATE/log" &
stack=$!
trap stop EXIT

# Written by rename when everything answers.
until [ -s "$VOD_STATE/endpoints.json" ]; do
    kill -0 "$stack" 2>/dev/null || die "vod up ended: $(cat "$VOD_STATE/log")"
    sleep 0.1
done
# The first frames are black, as in most films; the clock in the picture helps to understand a failure.
ffmpeg -hide_banner -loglevel error -f lavfi -i testsrc2=size=1280x720:rate=30:duration=10 \
    -f lavfi -i sine=frequency=440:duration=10 -vf fade=in:0:20 \
    -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac "$VOD_STATE/A walk by the sea.mp4"
"$VOD" upload "$VOD_STATE/A walk by the sea.mp4" --wait >/dev/null 2>"$VOD_STATE/upload" ||
    die "the clip was not converted: $(cat "$VOD_STATE/upload" "$VOD_STATE/log")"

npm run --silent types
patterns=("${@/#/--test-name-pattern=}")
node --test --test-concurrency=2 --test-timeout=600000 --test-reporter=spec "${patterns[@]}" ./*.test.mjs
