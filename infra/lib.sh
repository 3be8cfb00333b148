# shellcheck shell=bash disable=SC2034  # what is set here is read by the scripts that source it
# Functions that the scripts of this folder share. Sourced, never run.

set -euo pipefail

STACK=${STACK:-vod}
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
PLAN=no
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
export AWS_PAGER=""
readonly FUNCTIONS=(submit complete signer owner reconcile)
# shellcheck source=scripts/common.sh
source "$ROOT/scripts/common.sh"
# shellcheck source=infra/buckets.sh
source "$HERE/buckets.sh"

step() { say "• $*"; }

# Prints the comment at the top of a script, which is its help.
usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
}

# options SPEC... -- ARGUMENT...: reads the arguments of a script. The SPEC of an option with a value is --name=VARIABLE
# (--name+LIST appends, --name@MAP takes NAME=VALUE), the one of a flag is --name:VARIABLE=VALUE. With the SPEC "...", arguments
# that have none go to REST.
options() {
    local -A specs=()
    local spec target
    set -- --stack=STACK --region=REGION --plan:PLAN=yes "$@"
    while [ "$1" != -- ]; do
        spec=${1#"${1%%[=+@:]*}"}
        specs[${1%"$spec"}]=$spec
        shift
    done
    REST=()
    while shift && [ $# -gt 0 ]; do
        [[ $1 != --help && $1 != -h ]] || usage
        spec=${specs[${1:-none}]-}
        target=${spec:1}
        case $spec in
            "")
                [ -n "${specs[...]+taken}" ] || die "unknown argument '$1': see infra/$(basename "$0") --help"
                REST+=("$1") && continue
                ;;
            :*) printf -v "${target%%=*}" %s "${target#*=}" && continue ;;
            @*) [[ ${2:-} == *=* ]] || die "$1 needs NAME=VALUE" ;;
            *) [ -n "${2:-}" ] || die "$1 needs a value" ;;
        esac
        local -n list=${target%%\[*}
        case $spec in
            @*) list[${2%%=*}]=${2#*=} ;;
            +*) list+=("$2") ;;
            *) printf -v "$target" %s "$2" ;;
        esac
        shift
    done
    [[ $STACK =~ ^[a-z][a-z0-9-]{0,30}$ ]] ||
        die "the stack name '$STACK' must be 1 to 31 lower-case letters, digits and hyphens (it is part of a bucket's name)"
    [[ -z $REGION || $REGION =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || die "'$REGION' is not an AWS region"
    trap 'say "interrupted: run the same command again, it continues where this one stopped"; trap - INT TERM; exit 130' INT TERM
}

# Prints the status of a response; fails if there is none.
status() { curl --silent --show-error --max-time 60 --output /dev/null --write-out '%{http_code}\n' "$1"; }

# Finds the program of the vod command: $VOD, else the one that is built. Fails if there is none.
built_vod() {
    local program
    for program in "${VOD:-}" "${CARGO_TARGET_DIR:-$ROOT/target}"/{release,debug}/vod; do
        command -v "$program" && return
    done
    return 1
}

# Runs the vod command; cargo builds it first if there is none.
vod() {
    if built_vod >/dev/null; then
        "$(built_vod)" "$@"
    else
        [ -z "${VOD:-}" ] || die "VOD names '$VOD', which is not a program"
        need cargo
        cargo run -q --locked --manifest-path "$ROOT/Cargo.toml" -p vod -- "$@"
    fi
}

# --------------------------------------------------------------------------------------------------- calls

# Explains an error of AWS, by vod if it is built: a failure is no reason to build it.
explain() { "$(built_vod)" explain-error <<<"$1" 2>/dev/null || echo "$1"; }

# Runs the AWS CLI. A failure ends the script with a plain sentence.
aws_call() { read_setting "" "" "$@"; }

try_aws() { aws --region "$REGION" --output json "$@"; }

# Makes a call that changes something; with --plan it is shown instead.
change() {
    if [ "$PLAN" = yes ]; then
        plan_line "$@"
    else
        aws_call "$@" >/dev/null
    fi
}

# change_in FOLDER COMMAND...: the same for another program.
change_in() {
    if [ "$PLAN" = yes ]; then
        say "would run: ${*:2}"
    else
        (cd "$1" && "${@:2}") >&2
    fi
}

# Shows a call without what may be secret or long.
plan_line() {
    local word line="would run: aws"
    for word in "$@"; do
        case $word in
            file:///dev/fd/* | file:///proc/* | *$'\n'*) word="…" ;;
        esac
        line+=" $(printf '%q' "$word")"
    done
    say "${line//\$\'\\342\\200\\246\'/…}"
}

# --------------------------------------------------------------------------------------------- who and where

check_account() {
    need aws jq openssl
    if [ -z "$REGION" ]; then
        REGION=$(aws configure get region 2>/dev/null || true)
        [ -n "$REGION" ] || die "no region is set: pass --region NAME or set AWS_REGION"
    fi
    ACCOUNT=$(aws_call sts get-caller-identity --query Account --output text)
    CODE_BUCKET="$STACK-code-$ACCOUNT-$REGION"
    [ "${#CODE_BUCKET}" -le 63 ] ||
        die "the stack name '$STACK' is too long for $REGION: $((63 - ${#CODE_BUCKET} + ${#STACK})) letters at most (a bucket is named $CODE_BUCKET, and S3 takes 63)"
    SIGNING_SECRET="$STACK/signing"
    JWT_SECRET="$STACK/jwt"
    # CloudFront takes a web ACL of us-east-1 only, where stacks of all regions meet.
    WAF_STACK="$STACK-waf-$REGION"
}

# description STACK: CloudFormation's description of it; {} if there is none.
description() {
    local answer
    if answer=$(try_aws cloudformation describe-stacks --stack-name "$1" --query 'Stacks[0]' 2>&1); then
        echo "$answer"
    elif [[ $answer == *"does not exist"* ]]; then
        echo '{}'
    else
        die "$(explain "$answer")"
    fi
}

read_stack() {
    local found
    found=$(description "$STACK")
    use_stack "$found"
}

# use_stack DESCRIPTION: sets STATUS and what `output` and `parameter` print, all by one jq.
declare -A VALUES=()
use_stack() {
    local fields field
    STACK_JSON=$1 VALUES=()
    mapfile -d '' -t fields < <(jq -j '.StackStatus // "NONE", "\u0000",
        ((.Outputs // [])[] | "output \(.OutputKey)\u0000\(.OutputValue)\u0000"),
        ((.Parameters // [])[] | "parameter \(.ParameterKey)\u0000\(.ParameterValue)\u0000")' <<<"$STACK_JSON")
    STATUS=${fields[0]}
    for ((field = 1; field < ${#fields[@]}; field += 2)); do
        VALUES[${fields[field]}]=${fields[field + 1]}
    done
}

# The stack of the web ACL that deploy.sh has made; {} if there is none.
waf_stack() { REGION=us-east-1 description "$WAF_STACK"; }

# Deletes a stack and waits until it is gone.
delete_stack() {
    change cloudformation delete-stack --stack-name "$1"
    [ "$PLAN" = yes ] || try_aws cloudformation wait stack-delete-complete --stack-name "$1" 2>/dev/null || stack_failed "$1"
}

# AWS refuses while a distribution uses the web ACL.
delete_waf() {
    local now
    now=$(waf_stack)
    [ "$now" != '{}' ] || return 0
    step "deleting the web ACL, stack $WAF_STACK in us-east-1"
    REGION=us-east-1 delete_stack "$WAF_STACK"
}

# Ends the script if the stack cannot be worked on now.
check_status() {
    case $STATUS in
        REVIEW_IN_PROGRESS) ;;
        *_IN_PROGRESS) die "another update is running (stack '$STACK' is $STATUS): wait until it has ended, then start again" ;;
        UPDATE_ROLLBACK_FAILED)
            die "stack '$STACK' is stuck in $STATUS: run 'aws cloudformation continue-update-rollback --stack-name $STACK --region $REGION', then start again" ;;
        DELETE_FAILED) die "stack '$STACK' is half deleted ($STATUS): run infra/destroy.sh --stack $STACK again first" ;;
        *) ;;
    esac
}

stack_exists() { [[ $STATUS != NONE && $STATUS != REVIEW_IN_PROGRESS ]]; }
need_stack() {
    read_stack
    stack_exists || die "there is no stack '$STACK' in $REGION: run infra/deploy.sh first, or pass another with --stack and --region"
    check_status
}

output() { printf '%s\n' "${VALUES["output $1"]-}"; }
parameter() { printf '%s\n' "${VALUES["parameter $1"]-}"; }

# set_parameters NAME=VALUE...: changes these, keeps template and all others.
set_parameters() {
    local list answer
    list=$(jq -c '($ARGS.positional | map(capture("^(?<ParameterKey>[^=]+)=(?<ParameterValue>.*)"; "s"))) as $set
        | [.Parameters[] | select(.ParameterKey | IN($set[].ParameterKey) | not) | {ParameterKey, UsePreviousValue: true}] + $set' \
        --args "$@" <<<"$STACK_JSON")
    [ "$PLAN" = no ] || { plan_line cloudformation update-stack --stack-name "$STACK" --use-previous-template --parameters "$@" && return; }
    if ! answer=$(try_aws cloudformation update-stack --stack-name "$STACK" --use-previous-template \
        --capabilities CAPABILITY_IAM --parameters "$list" 2>&1); then
        [[ $answer == *"No updates are to be performed"* ]] && return
        die "$(explain "$answer")"
    fi
    try_aws cloudformation wait stack-update-complete --stack-name "$STACK" 2>/dev/null || stack_failed "$STACK"
    read_stack
}

# The first failures of a stack say why; the rest are their consequences.
stack_failed() {
    local why
    why=$(try_aws cloudformation describe-stack-events --stack-name "$1" 2>/dev/null | jq -r '
        [.StackEvents[] | select(.ResourceStatus | endswith("_FAILED"))
         | select((.ResourceStatusReason // "") | test("cancell?ed|The following resource") | not)]
        | reverse | .[:3][] | "  \(.LogicalResourceId): \(.ResourceStatusReason // "no reason given")"' || true)
    die "CloudFormation could not change stack '$1' and has rolled back its changes:
${why:-  no reason given}
  Fix that, then start again."
}
