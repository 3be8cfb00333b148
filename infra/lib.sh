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
    [[ -z $REGION || $REGION =~ ^[a-z]{2}(-[a-z]+)+-[0-9]$ ]] || die "'$REGION' is no AWS region"
    trap 'say "interrupted: run the same command again, it goes on where this one stopped"; trap - INT TERM; exit 130' INT TERM
}

need() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is missing: install it, then start again"
    done
}

# --------------------------------------------------------------------------------------------------- calls

# What AWS says, and what that means to a person.
explain() {
    case $1 in
        *"Unable to locate credentials"* | *NoCredentials*)
            echo "there are no AWS credentials: run 'aws configure sso' or set AWS_PROFILE, then start again" ;;
        *ExpiredToken* | *"token included in the request is expired"* | *"SSO session"*expired*)
            echo "the AWS credentials have expired: sign in again ('aws sso login'), then start again" ;;
        *InvalidClientTokenId* | *UnrecognizedClient* | *SignatureDoesNotMatch* | *InvalidAccessKeyId*)
            echo "AWS does not know these credentials: check AWS_PROFILE and the keys" ;;
        *"Could not connect to the endpoint"*)
            echo "AWS cannot be reached in region '$REGION': check the region's name and the network" ;;
        *AccessDenied* | *UnauthorizedOperation* | *"not authorized"*)
            echo "the credentials lack a permission; AWS says: $(tail -n 1 <<<"$1")" ;;
        *BucketAlreadyExists*)
            echo "that bucket's name is taken by another account: choose one with --bucket" ;;
        *LimitExceeded* | *TooMany* | *ServiceQuotaExceeded*)
            echo "a quota of the account is used up: raise it in Service Quotas, or remove what is not used; AWS says: $(tail -n 1 <<<"$1")" ;;
        *"Versioning must be 'Enabled'"*)
            echo "S3 copies from versioned buckets only: turn versioning on ('aws s3api put-bucket-versioning --versioning-configuration Status=Enabled --bucket …'), then start again" ;;
        *"_IN_PROGRESS state"* | *OperationInProgress* | *InvalidChangeSetStatus* | *ResourceExistsException* | *BucketAlreadyOwnedByYou* | *OperationAborted*)
            echo "another run is under way, or AWS has not finished the last one: wait until it has ended, then start again" ;;
        *Throttling* | *"Rate exceeded"*) echo "AWS is throttling: start again in a minute" ;;
        *) echo "$1" ;;
    esac
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
        [ -n "$REGION" ] || die "no region is set: say --region NAME or set AWS_REGION"
    fi
    ACCOUNT=$(aws_call sts get-caller-identity | jq -r .Account)
    CODE_BUCKET="$STACK-code-$ACCOUNT-$REGION"
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
        *_IN_PROGRESS) die "another run is under way (stack '$STACK' is $STATUS): wait until it has ended, then start again" ;;
        UPDATE_ROLLBACK_FAILED)
            die "stack '$STACK' is stuck in $STATUS: run 'aws cloudformation continue-update-rollback --stack-name $STACK --region $REGION', then start again" ;;
        DELETE_FAILED) die "stack '$STACK' is half deleted ($STATUS): run infra/destroy.sh --stack $STACK again first" ;;
        *) ;;
    esac
}

stack_exists() { [[ $STATUS != NONE && $STATUS != REVIEW_IN_PROGRESS ]]; }
need_stack() {
    read_stack
    stack_exists || die "there is no stack '$STACK' in $REGION: run infra/deploy.sh first, or name another with --stack and --region"
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
         | select((.ResourceStatusReason // "") | test("cancelled|The following resource") | not)]
        | reverse | .[:3][] | "  \(.LogicalResourceId): \(.ResourceStatusReason // "no reason given")"' || true)
    die "CloudFormation could not change stack '$STACK' and has taken its changes back:
${why:-  no reason given}
  Mend that, then start again."
}

# ------------------------------------------------------------------------------------------------- secrets

# The value of a secret on standard output; fails if there is none.
secret_value() { try_aws secretsmanager get-secret-value --secret-id "$1" 2>/dev/null | jq -er .SecretString; }

# secret_put NAME DESCRIPTION < VALUE: makes or changes it. The value passes through pipes only: it stands in no
# argument and in no file.
secret_put() {
    local name=$1 value state
    value=$(cat)
    state=$(try_aws secretsmanager describe-secret --secret-id "$name" 2>/dev/null | jq -r 'if .DeletedDate then "deleted" else "there" end' || true)
    if [ "$state" = deleted ]; then
        change secretsmanager restore-secret --secret-id "$name"
    fi
    if [ -z "$state" ]; then
        change secretsmanager create-secret --name "$name" --description "$2" --tags "Key=vod:stack,Value=$STACK" \
            --secret-string "file://"<(printf '%s' "$value")
    else
        change secretsmanager put-secret-value --secret-id "$name" --secret-string "file://"<(printf '%s' "$value")
    fi
}

secret_arn() { try_aws secretsmanager describe-secret --secret-id "$1" 2>/dev/null | jq -er .ARN; }

# ------------------------------------------------------------------------------------- buckets of other people

# ours_in_bucket: settings that an existing bucket needs, merged with what stands there. Sid and ids start with
# the stack's name, so that a second run replaces them and destroy.sh finds them.
sid() { tr -cd '[:alnum:]' <<<"Vod$STACK"; }

merge_notification() {
    local bucket=$1 queue=$2 now
    now=$(aws_call s3api get-bucket-notification-configuration --bucket "$bucket")
    now=$(jq -c --arg id "vod-$STACK" --arg queue "$queue" '
        .QueueConfigurations = ((.QueueConfigurations // []) | map(select(.Id != $id)))
        | if $queue == "" then . else .QueueConfigurations += [{Id: $id, QueueArn: $queue, Events: ["s3:ObjectCreated:*"],
            Filter: {Key: {FilterRules: [{Name: "prefix", Value: "input/"}]}}}] end' <<<"${now:-{\}}")
    change s3api put-bucket-notification-configuration --bucket "$bucket" --notification-configuration "$now"
}

# merge_policies WAYS: of the stack's buckets, those that it does not own.
merge_policies() {
    local outputs
    outputs=$(parameter OutputBucketName)
    if [ "$(parameter BucketMode)" = existing ]; then
        if [ -n "$outputs" ]; then
            merge_policy "$(output Bucket)" "$1" web
        else
            merge_policy "$(output Bucket)" "$1" output web
        fi
    fi
    if [ -n "$outputs" ] && [ "$(parameter OutputBucketMode)" = existing ]; then
        merge_policy "$outputs" "$1" output
    fi
}

# merge_policy BUCKET WAYS FOLDER...: lets CloudFront read the folders by OAC, OAI or both; with no way, takes it away.
merge_policy() {
    local bucket=$1 ways=$2 now
    now=$(try_aws s3api get-bucket-policy --bucket "$bucket" 2>/dev/null | jq -r .Policy || true)
    now=$(jq -c --arg sid "$(sid)" --arg ways "$ways" --arg bucket "$bucket" --arg account "$ACCOUNT" \
        --arg distribution "$(output DistributionId)" --arg user "$(output OriginAccessIdentityUser)" \
        --argjson folders "$(jq -nc '$ARGS.positional' --args "${@:3}")" '
        def reads($principal): {Sid: $sid, Effect: "Allow", Principal: $principal, Action: "s3:GetObject",
            Resource: ($folders | map("arn:aws:s3:::\($bucket)/\(.)/*"))};
        .Version = "2012-10-17"
        | .Statement = ((.Statement // []) | map(select((.Sid // "") | startswith($sid) | not)))
        | if $ways | contains("OAC") then .Statement += [reads({Service: "cloudfront.amazonaws.com"}) + {Sid: ($sid + "Oac"),
            Condition: {StringEquals: {"AWS:SourceArn": "arn:aws:cloudfront::\($account):distribution/\($distribution)"}}}] else . end
        | if $ways | contains("OAI") then .Statement += [reads({CanonicalUser: $user}) + {Sid: ($sid + "Oai")}] else . end' <<<"${now:-{\}}")
    if [ "$(jq '.Statement | length' <<<"$now")" = 0 ]; then
        change s3api delete-bucket-policy --bucket "$bucket"
    else
        change s3api put-bucket-policy --bucket "$bucket" --policy "$now"
    fi
}

# merge_lifecycles: with the stack's days, in those of its buckets that it does not own.
merge_lifecycles() {
    local days=() name outputs
    outputs=$(parameter OutputBucketName)
    for name in SourceIaDays SourceGlacierDays OutputIaDays OutputGlacierIrDays; do
        days+=("$(parameter "$name")")
    done
    if [ "$(parameter BucketMode)" = existing ]; then
        merge_lifecycle "$(output Bucket)" "${days[@]}"
    fi
    if [ -n "$outputs" ] && [ "$(parameter OutputBucketMode)" = existing ]; then
        merge_lifecycle "$outputs" "${days[@]}"
    fi
}

# merge_lifecycle BUCKET [SOURCE_IA SOURCE_GLACIER OUTPUT_IA OUTPUT_GLACIER_IR]: without days, takes ours away.
merge_lifecycle() {
    local bucket=$1 now
    now=$(try_aws s3api get-bucket-lifecycle-configuration --bucket "$bucket" 2>/dev/null || echo '{}')
    now=$(jq -c --arg id "vod-$STACK" --argjson days "$(jq -nc '$ARGS.positional | map(tonumber)' --args "${@:2}")" '
        {Rules: ((.Rules // []) | map(select(.ID | startswith($id + "-") | not)))}
        | if ($days | length) == 0 then . else .Rules += [
            {ID: ($id + "-sources"), Status: "Enabled", Filter: {Prefix: "input/"}, Transitions:
                [{Days: $days[0], StorageClass: "STANDARD_IA"}, {Days: $days[1], StorageClass: "GLACIER"}]},
            {ID: ($id + "-outputs"), Status: "Enabled", Filter: {Prefix: "output/"}, Transitions:
                [{Days: $days[2], StorageClass: "STANDARD_IA"}, {Days: $days[3], StorageClass: "GLACIER_IR"}],
                AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}},
            {ID: ($id + "-leftovers"), Status: "Enabled", Filter: {Prefix: "input/"}, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}}
          ] end' <<<"$now")
    if [ "$(jq '.Rules | length' <<<"$now")" = 0 ]; then
        change s3api delete-bucket-lifecycle --bucket "$bucket"
    else
        change s3api put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration "$now"
    fi
}

# merge_replication BUCKET [REPLICA ROLE]: has uploads and templates copied, deletions not; without a replica, takes
# ours away. S3 knows one role for all rules of a bucket.
merge_replication() {
    local bucket=$1 replica=${2:-} role=${3:-} now theirs
    now=$(try_aws s3api get-bucket-replication --bucket "$bucket" 2>/dev/null | jq -c .ReplicationConfiguration || true)
    now=${now:-{\}}
    theirs=$(jq -c --arg id "vod-$STACK-" '[(.Rules // [])[] | select((.ID // "") | startswith($id) | not)]' <<<"$now")
    if [ -z "$replica" ]; then
        [ "$(jq '.Rules // [] | length' <<<"$now")" != "$(jq length <<<"$theirs")" ] || return 0
        role=$(jq -r '.Role // ""' <<<"$now")
    elif [ "$theirs" != '[]' ] && [ "$role" != "$(jq -r .Role <<<"$now")" ]; then
        die "bucket '$bucket' has replication rules of its own under another role: add one for input/ to them, and deploy with --set ReplicaBucketName="
    fi
    now=$(jq -c --arg id "vod-$STACK" --arg role "$role" --arg replica "$replica" --argjson theirs "$theirs" -n '
        def rule($name; $prefix; $class; $priority): {ID: "\($id)-\($name)", Status: "Enabled", Priority: $priority, Filter: {Prefix: $prefix},
            DeleteMarkerReplication: {Status: "Disabled"}, Destination: ({Bucket: "arn:aws:s3:::\($replica)"} + $class)};
        ([$theirs[].Priority // 0] | max // 0) as $top
        | {Role: $role, Rules: ($theirs + if $replica == "" then [] else
            [rule("sources"; "input/"; {StorageClass: "GLACIER_IR"}; $top + 1), rule("templates"; "jobs/"; {}; $top + 2)] end)}')
    if [ "$(jq '.Rules | length' <<<"$now")" = 0 ]; then
        change s3api delete-bucket-replication --bucket "$bucket"
    else
        change s3api put-bucket-replication --bucket "$bucket" --replication-configuration "$now"
    fi
}

# The ways that the stack lets CloudFront in by.
ways_in() { echo "$(parameter OriginAccess) $(parameter OriginAccessAlsoAllow)"; }

# empty_bucket BUCKET [PREFIX]: every version and every delete marker, a thousand at a time.
empty_bucket() {
    local bucket=$1 prefix=${2:-} page
    while :; do
        page=$(aws_call s3api list-object-versions --bucket "$bucket" --prefix "$prefix" --max-items 1000 |
            jq -c '{Quiet: true, Objects: [(.Versions // [])[], (.DeleteMarkers // [])[] | {Key, VersionId}]}')
        [ "$(jq '.Objects | length' <<<"$page")" -gt 0 ] || return 0
        change s3api delete-objects --bucket "$bucket" --delete "file://"<(printf '%s' "$page")
        [ "$PLAN" = no ] || return 0
    done
}
