# shellcheck shell=bash
# Functions that the scripts of this repository share. Sourced, never run. SAY_AS goes before each message; INSTALL says
# how to get a missing tool.

say() { printf '%s\n' "${SAY_AS:+$SAY_AS: }$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
need() {
    local tool
    for tool in "$@"; do
        has "$tool" || die "$tool is missing: ${INSTALL:-install it, then start again}"
    done
}
