#!/usr/bin/env bash
# Puts hls.js of package-lock.json into web/: run it after a new version was chosen with `npm install`.
set -euo pipefail
cd "$(dirname "$0")"

npm ci --silent --no-fund --no-audit
cp node_modules/hls.js/LICENSE ../../web/hls.LICENSE.txt
gzip --no-name --best --stdout node_modules/hls.js/dist/hls.min.js >../../web/hls.min.js.gz
