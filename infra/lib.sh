# shellcheck shell=bash disable=SC2034  # what is set here is read by the scripts that source it
# What the scripts of this folder share. Sourced, never run.

set -euo pipefail

STACK=${STACK:-vod}
REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-}}
PLAN=no
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$HERE")
export AWS_PAGER=""
readonly FUNCTIONS=(submit complete signer reconcile)
# shellcheck source=infra/buckets.sh
source "$HERE/buckets.sh"

say() { printf '%s\n' "$*" >&2; }
die() {
    say "error: $*"
    exit 1
}
step() { say "• $*"; }

# The comment at the top of a script is its help.
usage() {
    sed -n '2,/^$/s/^# \{0,1\}//p' "$0"
    exit 0
}

# Takes the options that all scripts have; the rest is in REST.
common_options() {
    REST=()
    while [ $# -gt 0 ]; do
        case $1 in
            --help | -h) usage ;;
            --plan) PLAN=yes ;;
            --stack) STACK=${2:?--stack needs a name} && shift ;;
            --region) REGION=${2:?--region needs a name} && shift ;;
            *) REST+=("$1") ;;
        esac
        shift
    done
    [[ $STACK =~ ^[a-z][a-z0-9-]{0,30}$ ]] ||
        die "the stack name '$STACK' must be 1 to 31 lower-case letters, digits and hyphens (it is part of a bucket's name)"
    [[ -z $REGION || $REGION =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || die "'$REGION' is not an AWS region"
    trap 'say "interrupted: run the same command again, it continues where this one stopped"; trap - INT TERM; exit 130' INT TERM
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is missing: install it, then start again"
    done
}

# The program of the vod command: $VOD, else the one that is built. Fails if there is none.
built_vod() {
    local built
    for built in "${VOD:-}" "${CARGO_TARGET_DIR:-$ROOT/target}"/{release,debug}/vod; do
        if [ -x "$built" ]; then
            echo "$built"
            return
        fi
    done
    return 1
}

# The vod command; cargo builds it first if there is none.
vod() {
    local built
    if built=$(built_vod); then
        "$built" "$@"
        return
    fi
    [ -z "${VOD:-}" ] || die "VOD names '$VOD', which is not a program"
    need cargo
    cargo run -q --locked --manifest-path "$ROOT/Cargo.toml" -p vod -- "$@"
}

# --------------------------------------------------------------------------------------------------- calls

# The words of AWS, explained by vod if it is built: a failure is no reason to build it.
explain() {
    local built
    if built=$(built_vod) && "$built" explain-error <<<"$1" 2>/dev/null; then
        return
    fi
    echo "$1"
}

# Runs the AWS CLI. A failure ends the script with a plain sentence.
aws_call() {
    local errors
    {
        errors=$(try_aws "$@" 2>&1 1>&3 3>&-) || die "$(explain "${errors:-aws $1 $2 failed}")"
    } 3>&1
}

try_aws() { aws --region "$REGION" --output json "$@"; }

# A call that changes something: shown instead with --plan.
change() {
    if [ "$PLAN" = yes ]; then
        plan_line "$@"
    else
        aws_call "$@" >/dev/null
    fi
}

# Shows a call without what may be secret or long.
plan_line() {
    local word line="would run: aws"
    for word in "$@"; do
        case $word in
            file:///dev/fd/* | file:///proc/*) word="…" ;;
            *$'\n'*) word="…" ;;
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
    ACCOUNT=$(aws_call sts get-caller-identity | jq -r .Account)
    CODE_BUCKET="$STACK-code-$ACCOUNT-$REGION"
    [ "${#CODE_BUCKET}" -le 63 ] ||
        die "the stack name '$STACK' is too long for $REGION: $((63 - ${#CODE_BUCKET} + ${#STACK})) letters at most (a bucket is named $CODE_BUCKET, and S3 takes 63)"
    SIGNING_SECRET="$STACK/signing"
    JWT_SECRET="$STACK/jwt"
    # CloudFront takes a web ACL of us-east-1 only, where stacks of all regions meet.
    WAF_STACK="$STACK-waf-$REGION"
}

# The stack's description into STACK_JSON; {} if there is none.
read_stack() {
    local answer
    if answer=$(try_aws cloudformation describe-stacks --stack-name "$STACK" 2>&1); then
        STACK_JSON=$(jq '.Stacks[0]' <<<"$answer")
    elif [[ $answer == *"does not exist"* ]]; then
        STACK_JSON='{}'
    else
        die "$(explain "$answer")"
    fi
    STATUS=$(jq -r '.StackStatus // "NONE"' <<<"$STACK_JSON")
}

# The stack of the web ACL that deploy.sh has made; {} if there is none.
waf_stack() {
    local answer
    if answer=$(REGION=us-east-1 try_aws cloudformation describe-stacks --stack-name "$WAF_STACK" 2>&1); then
        jq -c '.Stacks[0]' <<<"$answer"
    elif [[ $answer == *"does not exist"* ]]; then
        echo '{}'
    else
        die "$(explain "$answer")"
    fi
}

# Deletes it. AWS refuses while a distribution uses the web ACL.
delete_waf() {
    local now
    now=$(waf_stack)
    [ "$now" != '{}' ] || return 0
    step "deleting the web ACL, stack $WAF_STACK in us-east-1"
    REGION=us-east-1 change cloudformation delete-stack --stack-name "$WAF_STACK"
    [ "$PLAN" = yes ] || REGION=us-east-1 try_aws cloudformation wait stack-delete-complete --stack-name "$WAF_STACK" ||
        die "the web ACL is still there: look at the events of stack '$WAF_STACK' in us-east-1, then start again"
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

output() { jq -r --arg name "$1" '.Outputs[]? | select(.OutputKey == $name) | .OutputValue' <<<"$STACK_JSON"; }
parameter() { jq -r --arg name "$1" '.Parameters[]? | select(.ParameterKey == $name) | .ParameterValue' <<<"$STACK_JSON"; }

# set_parameters NAME=VALUE...: changes these, keeps template and all others.
set_parameters() {
    local list pair
    list=$(jq -c '[.Parameters[] | {ParameterKey, UsePreviousValue: true}]' <<<"$STACK_JSON")
    for pair in "$@"; do
        list=$(jq -c --arg name "${pair%%=*}" --arg value "${pair#*=}" \
            'map(select(.ParameterKey != $name)) + [{ParameterKey: $name, ParameterValue: $value}]' <<<"$list")
    done
    if [ "$PLAN" = yes ]; then
        plan_line cloudformation update-stack --stack-name "$STACK" --use-previous-template --parameters "${@%%$'\n'*}"
        return
    fi
    local answer
    if ! answer=$(try_aws cloudformation update-stack --stack-name "$STACK" --use-previous-template \
        --capabilities CAPABILITY_IAM --parameters "$list" 2>&1); then
        [[ $answer == *"No updates are to be performed"* ]] && return
        die "$(explain "$answer")"
    fi
    try_aws cloudformation wait stack-update-complete --stack-name "$STACK" 2>/dev/null || stack_failed
    read_stack
}

# The first failures of a stack say why; the rest are their consequences.
stack_failed() {
    local why
    why=$(try_aws cloudformation describe-stack-events --stack-name "$STACK" 2>/dev/null | jq -r '
        [.StackEvents[] | select(.ResourceStatus | endswith("_FAILED"))
         | select((.ResourceStatusReason // "") | test("cancell?ed|The following resource") | not)]
        | reverse | .[:3][] | "  \(.LogicalResourceId): \(.ResourceStatusReason // "no reason given")"' || true)
    die "CloudFormation could not change stack '$STACK' and has rolled back its changes:
${why:-  no reason given}
  Fix that, then start again."
}
