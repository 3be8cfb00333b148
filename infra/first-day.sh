#!/usr/bin/env bash
# Checks the behavior of AWS that could not be checked without an account, and writes one report. It takes about an hour,
# most of it waiting. The rows are those of the table in infra/README.md.
#
#   infra/first-day.sh [--report FILE]     default: first-day-<stack>.md in this folder
#
# It needs a stack that runs: infra/deploy.sh first. It only looks, but for one row: --film lets it run infra/smoke.sh, which
# uploads a film of 2 seconds (a cent of MediaConvert), plays it, and afterwards takes it down again with vod rm --source.
# --film               also what needs an encoded film
# --only ROW           one row; repeatable
# --stack NAME (vod)  --region NAME  --plan (list the commands, run none)  --help
# A check that fails does not stop the others; the exit code is 1 if any has failed. No secret is printed: what the calls
# answer goes through a filter, and no check reads the value of a secret.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

REPORT=""
FILM=no
ONLY=()
declare -i PASSED=0 FAILED=0 SKIPPED=0
ROWS=()

# ------------------------------------------------------------------------------------------------- the checks
#
# row ID NEEDS EXPECTED COMMAND...: EXPECTED is a regular expression that the answer has to have; NEEDS is `stack`, `film` (an
# asset that is COMPLETE), `replica` or `origins`.

checks() {
    row origin-request-policy stack '"?CREATE_COMPLETE|UPDATE_COMPLETE' resource_status ToSigner
    row distribution-deployed stack 'Deployed' aws_text cloudfront get-distribution --id "$(output DistributionId)" --query Distribution.Status
    row function-url-by-oac stack '^401' status "$(output Url)/api/assets?limit=1"
    # 401 is the function's answer: CloudFront has handed the digest on, and signed it. 403 would be the Function URL's own.
    row digest-of-a-body stack '^401' status_of_post "$(output Url)/api/uploads"
    row unsigned-is-refused stack '^403' status "$(output Url)/output/first-day"
    row cors-preflight origins 'access-control-allow-origin' preflight "$(output Url)/api/playback"
    row gzip-to-the-viewer film 'content-encoding: gzip' playlist_headers
    row viewers-place stack 'x-amz-cf-pop' headers "$(output Url)/"
    row public-key-newline stack 'BEGIN PUBLIC KEY' aws_text cloudfront get-public-key-config --id "$(a_key)" --query PublicKeyConfig.EncodedKey
    row notification stack 'input/' aws_text s3api get-bucket-notification-configuration --bucket "$(output Bucket)"
    row lifecycle stack 'GLACIER' aws_text s3api get-bucket-lifecycle-configuration --bucket "$(output Bucket)"
    row queue-for-jobs stack 'ACTIVE' aws_text mediaconvert get-queue --name "$(last_part "$(output MediaConvertQueueArn)")" --query Queue.Status
    row describe-endpoints stack '.' aws_text cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=DescribeEndpoints --query 'length(Events)'
    row concurrency stack '^[0-9]{2,}$' aws_text lambda get-account-settings --query AccountLimit.ConcurrentExecutions
    row release-alarm-dimensions stack 'ExecutedVersion' aws_text cloudwatch list-metrics --namespace AWS/Lambda --metric-name Errors --dimensions "Name=FunctionName,Value=$(output SignerFunction)"
    row url-5xx-dimensions stack 'FunctionName' aws_text cloudwatch list-metrics --namespace AWS/Lambda --metric-name Url5xxCount --dimensions "Name=FunctionName,Value=$(output SignerFunction)"
    row shift-order stack 'SignerAlias' alarm_before_alias
    row alarms-quiet stack '^0$' aws_text cloudwatch describe-alarms --state-value ALARM --alarm-name-prefix "$STACK-" --query 'length(MetricAlarms)'
    row secret-versions stack 'AWSCURRENT' aws_text secretsmanager describe-secret --secret-id "$STACK/signing" --query VersionIdsToStages
    row keys-settled stack '^K[A-Z0-9]+ +[A-Z0-9]+ +signs' vod keys show --stack "$STACK" --region "$REGION"
    row doctor stack 'ok +playback' vod doctor --stack "$STACK" --region "$REGION"
    row upload-to-playback film 'smoke test passed' film
    row replication-status replica 'COMPLETED|PENDING' copy_of_the_newest
    row replication-metric replica 'OperationsFailedReplication' aws_text cloudwatch list-metrics --namespace AWS/S3 --metric-name OperationsFailedReplication
    row drift stack 'DETECTION_COMPLETE|DETECTION_IN_PROGRESS' drift
}

# ---------------------------------------------------------------------------------------------- what they call

aws_text() { try_aws "$@" --output text; }
last_part() { printf '%s' "${1##*[:/]}"; }
headers() { curl --silent --show-error --max-time 30 --output /dev/null --dump-header - "$@"; }
resource_status() {
    aws_text cloudformation describe-stack-resource --stack-name "$STACK" --logical-resource-id "$1" --query StackResourceDetail.ResourceStatus
}
status_of_post() {
    curl --silent --show-error --max-time 30 --output /dev/null --write-out '%{http_code}' --data-raw '{}' \
        --header "x-amz-content-sha256: $(printf '{}' | sha256sum | cut -c1-64)" "$1"
}
an_origin() { parameter AllowedOrigins | cut -d , -f 1; }
preflight() { headers -X OPTIONS -H "Origin: $(an_origin)" -H 'Access-Control-Request-Method: GET' -H 'Access-Control-Request-Headers: authorization' "$1"; }
a_key() { output KeyOneId | grep . || output KeyTwoId; }
alarm_before_alias() {
    aws_text cloudformation describe-stack-events --stack-name "$STACK" --max-items 300 \
        --query "StackEvents[?starts_with(LogicalResourceId, 'Signer')].[Timestamp,LogicalResourceId,ResourceStatus]"
}
drift() {
    local id
    id=$(aws_text cloudformation detect-stack-drift --stack-name "$STACK" --query StackDriftDetectionId)
    aws_text cloudformation describe-stack-drift-detection-status --stack-drift-detection-id "$id" --query DetectionStatus
}
copy_of_the_newest() {
    local bucket key
    bucket=$(output Bucket)
    key=$(aws_text s3api list-objects-v2 --bucket "$bucket" --prefix input/ --query 'sort_by(Contents, &LastModified)[-1].Key')
    aws_text s3api head-object --bucket "$bucket" --key "$key" --query ReplicationStatus
}
a_complete_asset() {
    vod ls --json --stack "$STACK" --region "$REGION" | jq -er 'first(.[] | select(.state == "COMPLETE") | .id)'
}
# The link holds a signature, so it is given to curl through a pipe and is never printed.
playlist_headers() {
    local asset link
    asset=$(a_complete_asset)
    link=$(vod sign "$asset" --json --stack "$STACK" --region "$REGION" | jq -er .hls)
    curl --silent --show-error --max-time 30 --output /dev/null --dump-header - -H 'Accept-Encoding: gzip' --config <(printf 'url = "%s"\n' "$link")
}
film() {
    local said asset
    said=$("$HERE/smoke.sh" --stack "$STACK" --region "$REGION" 2>&1) || {
        printf '%s\n' "$said"
        return 1
    }
    printf '%s\n' "$said"
    asset=$(sed -n 's/.*The film stays: //p' <<<"$said" | tail -n 1)
    vod rm "$asset" --source --yes --stack "$STACK" --region "$REGION"
}

# ------------------------------------------------------------------------------------------------ the report

# Signatures, tokens and keys never reach the report, whatever a service says.
without_secrets() {
    sed -E -e 's/(Signature|Policy|Key-Pair-Id|token|X-Amz-[A-Za-z-]+)=[^&"[:space:]]+/\1=***/g' \
        -e 's/eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*/***/g' -e 's/(AKIA|ASIA)[A-Z0-9]{12,}/***/g' \
        -e '/BEGIN [A-Z ]*PRIVATE KEY/,/END [A-Z ]*PRIVATE KEY/d'
}

wanted() { [ "${#ONLY[@]}" = 0 ] || [[ " ${ONLY[*]} " == *" $1 "* ]]; }
# Prints the reason why a row is left out, or nothing.
missing() {
    case $1 in
        film) [ "$FILM" = yes ] || echo "pass --film" ;;
        origins) [ -n "$(an_origin)" ] || echo "the stack has no AllowedOrigins" ;;
        replica) [ -n "$(parameter ReplicaBucketName)" ] || echo "the stack has no ReplicaBucketName" ;;
        *) ;;
    esac
}

row() {
    local id=$1 needs=$2 expected=$3 answer="" why verdict code=0
    shift 3
    ROWS+=("$id")
    wanted "$id" || return 0
    why=$(missing "$needs")
    [ "$PLAN" = no ] || { say "$id: $*" && return; }
    if [ -z "$why" ]; then
        answer=$("$@" 2>&1) || code=$?
        answer=$(without_secrets <<<"$answer")
        answer=${answer:0:4000}
    fi
    if [ -n "$why" ]; then
        SKIPPED+=1
        verdict="skipped: $why"
    elif [ "$code" = 0 ] && grep -Eq -- "$expected" <<<"$answer"; then
        PASSED+=1
        verdict="as expected"
    else
        FAILED+=1
        verdict="NOT as expected (exit code $code; expected /$expected/)"
    fi
    say "$id: $verdict"
    entry "$id" "$verdict" "$*" "$answer"
}

# shellcheck disable=SC2016  # the grave accents are Markdown
entry() { printf '## %s\n\n%s\n\n```\n$ %s\n%s\n```\n\n' "$1" "$2" "$3" "$4" | without_secrets >>"$REPORT"; }

main() {
    options --report=REPORT --film:FILM=yes --only+ONLY -- "$@"
    need curl
    check_account
    need_stack
    REPORT=${REPORT:-first-day-$STACK.md}
    if [ "$PLAN" = no ]; then
        say "this looks at stack $STACK in $REGION and writes $REPORT; it changes nothing$([ "$FILM" = no ] || echo ' but uploads and removes one film')"
        printf '# First day of stack %s in %s, %s\n\n' "$STACK" "$REGION" "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$REPORT"
    fi
    checks
    local id
    for id in "${ONLY[@]}"; do
        [[ " ${ROWS[*]} " == *" $id "* ]] || die "there is no row '$id': the table in infra/README.md has them"
    done
    [ "$PLAN" = no ] || return 0
    printf '%d as expected, %d not, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED" | tee -a "$REPORT" >&2
    [ "$FAILED" = 0 ]
}

main "$@"
