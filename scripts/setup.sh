#!/usr/bin/env bash
# Installs what is missing on this machine, and says what it does. Run it as often as you like.
#
#   scripts/setup.sh run          what `vod up` needs: a C compiler for the build, ffmpeg for the encodes
#   scripts/setup.sh run test     also what the tests and the bench need: Python tools in tests/.tools/venv, Node packages
set -euo pipefail
cd "$(dirname "$0")/.."

readonly VENV=tests/.tools/venv
# Each has a package.json and a lock file of its own.
readonly NODE_PROJECTS=(tests/signatures tests/players tests/infra)

# shellcheck disable=SC2034  # read by say
SAY_AS=setup
# shellcheck source=scripts/common.sh
source scripts/common.sh

# Runs a command as root: directly, or through sudo.
as_root() {
    local sudo=()
    [ "$(id -u)" -eq 0 ] || has sudo || die "need root to run '$*': run it yourself as root, then start again"
    [ "$(id -u)" -eq 0 ] || sudo=(sudo)
    "${sudo[@]}" "$@"
}

# install_packages WHY PACKAGE...
install_packages() {
    local why=$1
    shift
    if [ "$(uname -s)" = Darwin ]; then
        die "$why is missing: run 'brew install $*', then start again"
    fi
    has apt-get || die "$why is missing and this system has no apt-get: install the equivalent of '$*', then start again"
    say "installing $* ($why)"
    # The package lists of a fresh machine or container are empty or old.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >/dev/null ||
        die "'apt-get update' failed: is there a network?"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null ||
        die "'apt-get install $*' failed: install it yourself, then start again"
}

setup_run() {
    has cargo || die "cargo is missing: install Rust 1.95 or newer from https://rustup.rs, then start again"
    has cc || install_packages "a C compiler" build-essential
    { has ffmpeg && has ffprobe; } || install_packages ffmpeg ffmpeg
    # Into a variable: with pipefail, `grep -q` closing the pipe early would look like a failure of ffmpeg.
    local encoders
    encoders=$(ffmpeg -hide_banner -encoders 2>/dev/null)
    [[ $encoders == *libx264* ]] ||
        die "this ffmpeg has no libx264: install a build with it (Debian's has), then start again"
}

setup_test() {
    has openssl || install_packages openssl openssl
    { has jq && has curl; } || install_packages "jq and curl" jq curl
    has chromium || install_packages "a browser for the players" chromium
    has mpv || install_packages "a player" mpv
    local project
    for project in "${NODE_PROJECTS[@]}"; do
        setup_node "$project"
    done
    has python3 || install_packages "Python 3" python3 python3-venv
    local stamp=$VENV/.requirements
    ! cmp -s tests/requirements.txt "$stamp" || return 0
    say "installing the AWS CLI and other tools into $VENV"
    rm -rf "$VENV"
    python3 -m venv "$VENV" 2>/dev/null || {
        rm -rf "$VENV"
        install_packages "Python's venv module" python3-venv
        python3 -m venv "$VENV"
    }
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement tests/requirements.txt ||
        die "pip could not install tests/requirements.txt: is there a network?"
    cp tests/requirements.txt "$stamp"
}

# Installs the packages of one Node project, if they are not those of its lock file.
setup_node() {
    local stamp=$1/node_modules/.stamp
    ! cmp -s "$1/package-lock.json" "$stamp" || return 0
    has npm || install_packages "Node.js" nodejs npm
    say "installing the packages of $1"
    npm ci --prefix "$1" --no-audit --no-fund --loglevel=error >/dev/null ||
        die "npm could not install the packages of $1: is there a network?"
    cp "$1/package-lock.json" "$stamp"
}

[ $# -gt 0 ] || die "usage: scripts/setup.sh run [test]"
for part in "$@"; do
    case $part in
        run) setup_run ;;
        test) setup_test ;;
        *) die "unknown part '$part': say run or test" ;;
    esac
done
