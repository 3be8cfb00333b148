# shellcheck shell=bash
# The settings of buckets that a stack does not own, or that outlive it. Sourced by lib.sh, never run.
#
# Ours are merged with those of the bucket's owner. Their names start with the stack's, so that a second run replaces
# them and destroy.sh finds them. A setting that could not be read is never taken for an empty one.

# read_setting WHAT NONE CALL...: what S3 answers; nothing if the error code is one of NONE (codes with | between them).
# Any other failure ends the script.
read_setting() {
    local what=$1 none=$2 errors
    shift 2
    {
        if ! errors=$(try_aws "$@" 2>&1 1>&3 3>&-); then
            [[ $errors =~ \((${none:-never})\) ]] || die "cannot read $what: $(explain "${errors:-aws $1 $2 failed}")"
        fi
    } 3>&1
}

bucket_exists() {
    local errors
    errors=$(try_aws s3api head-bucket --bucket "$1" 2>&1) && return 0
    # HEAD has no body: its status is all that S3 says.
    [[ $errors == *"(404)"* ]] || die "cannot see whether bucket '$1' exists: $(explain "$errors")"
    return 1
}

# ------------------------------------------------------------------------------------------- notification

# merge_notification BUCKET QUEUE: has new objects under input/ announced to the queue; without a queue, takes ours away.
merge_notification() {
    local bucket=$1 queue=$2 before now how=()
    before=$(read_setting "the notifications of bucket '$bucket'" "" s3api get-bucket-notification-configuration --bucket "$bucket")
    before=$(jq -cS . <<<"${before:-{\}}")
    # CloudFormation names neither its notification nor its queue: the ARN shows whose it was. S3 takes no
    # configuration with a queue that is gone.
    now=$(jq -cS --arg id "vod-$STACK" --arg queue "$queue" --arg ours ":sqs:$REGION:$ACCOUNT:$STACK-UploadQueue-[A-Za-z0-9]+\$" '
        .QueueConfigurations = ((.QueueConfigurations // []) | map(select(.Id != $id and (.QueueArn | test($ours) | not))))
        | if $queue != "" then .QueueConfigurations += [{Id: $id, QueueArn: $queue, Events: ["s3:ObjectCreated:*"],
            Filter: {Key: {FilterRules: [{Name: "prefix", Value: "input/"}]}}}] else . end
        | if .QueueConfigurations == [] then del(.QueueConfigurations) else . end' <<<"$before")
    [ "$now" != "$before" ] || return 0
    # What the owner has set may lead to a target that is gone: no reason to keep ours.
    [ -n "$queue" ] || how=(--skip-destination-validation)
    change s3api put-bucket-notification-configuration --bucket "$bucket" --notification-configuration "$now" "${how[@]}"
}

# -------------------------------------------------------------------------------------------------- policy

sid() { tr -cd '[:alnum:]' <<<"Vod$STACK"; }

# merge_policies WAYS: of the stack's buckets, those that it does not own.
merge_policies() {
    local outputs
    outputs=$(parameter OutputBucketName)
    if [ "$(parameter BucketMode)" = existing ]; then
        if [ -n "$outputs" ]; then
            merge_policy "$(output Bucket)" "$1" web "input output catalog jobs ops web"
        else
            merge_policy "$(output Bucket)" "$1" "output web" "input output catalog jobs ops web"
        fi
    fi
    if [ -n "$outputs" ] && [ "$(parameter OutputBucketMode)" = existing ]; then
        merge_policy "$outputs" "$1" output output
    fi
}

# merge_policy BUCKET WAYS [READ TLS]: lets CloudFront read the folders READ by OAC, OAI or both, and refuses plain HTTP
# for the folders TLS; with no way, takes both away.
merge_policy() {
    local bucket=$1 ways=$2 before now
    before=$(read_setting "the policy of bucket '$bucket'" NoSuchBucketPolicy s3api get-bucket-policy --bucket "$bucket")
    before=$(jq -r .Policy <<<"${before:-{\"Policy\":\"{\}\"\}}")
    now=$(jq -c --arg sid "$(sid)" --arg ways "$ways" --arg bucket "$bucket" --arg account "$ACCOUNT" \
        --arg distribution "$(output DistributionId)" --arg user "$(output OriginAccessIdentityUser)" \
        --arg read "${3:-}" --arg tls "${4:-}" '
        def below($folders): $folders | split(" ") | map("arn:aws:s3:::\($bucket)/\(.)/*");
        def reads($way; $principal): {Sid: ($sid + $way), Effect: "Allow", Principal: $principal, Action: "s3:GetObject", Resource: below($read)};
        .Version = "2012-10-17"
        | .Statement = ((.Statement // []) | if type == "array" then . else [.] end
            | map(select((.Sid // "") | IN($sid + ("Oac", "Oai", "TlsOnly")) | not)))
        | if $ways | contains("OAC") then .Statement += [reads("Oac"; {Service: "cloudfront.amazonaws.com"}) + {
            Condition: {StringEquals: {"AWS:SourceArn": "arn:aws:cloudfront::\($account):distribution/\($distribution)"}}}] else . end
        | if $ways | contains("OAI") then .Statement += [reads("Oai"; {CanonicalUser: $user})] else . end
        | if $ways != "" then .Statement += [{Sid: ($sid + "TlsOnly"), Effect: "Deny", Principal: "*", Action: "s3:*",
            Resource: below($tls), Condition: {Bool: {"aws:SecureTransport": "false"}}}] else . end' <<<"$before")
    if [ "$(jq '.Statement | length' <<<"$now")" != 0 ]; then
        change s3api put-bucket-policy --bucket "$bucket" --policy "$now"
    elif [ "$before" != '{}' ]; then
        change s3api delete-bucket-policy --bucket "$bucket"
    fi
}

# ----------------------------------------------------------------------------------------------- lifecycle

declare -A DAYS=()
DAY_NAMES=(SourceIaDays SourceGlacierDays OutputIaDays OutputGlacierIrDays)

# check_days: checks DAYS by S3's own rules, which CloudFormation would report only after minutes.
check_days() {
    local name pair ia cold
    for name in "${DAY_NAMES[@]}"; do
        [[ ${DAYS[$name]} =~ ^[0-9]{1,5}$ ]] || die "$name must be a number of days, not '${DAYS[$name]}'"
        DAYS[$name]=$((10#${DAYS[$name]}))
    done
    for pair in "SourceIaDays SourceGlacierDays" "OutputIaDays OutputGlacierIrDays"; do
        read -r ia cold <<<"$pair"
        [ "${DAYS[$ia]}" -ge 30 ] || die "S3 moves nothing to STANDARD_IA before 30 days: $ia is ${DAYS[$ia]}"
        [ "${DAYS[$cold]}" -ge $((DAYS[$ia] + 30)) ] ||
            die "S3 keeps things in STANDARD_IA for 30 days at least: $cold must be $((DAYS[$ia] + 30)) or more, not ${DAYS[$cold]}"
    done
}

# merge_lifecycles: with the stack's days, in those of its buckets that it does not own.
merge_lifecycles() {
    local days=() name outputs
    outputs=$(parameter OutputBucketName)
    for name in "${DAY_NAMES[@]}"; do
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
# S3 takes rules with `Prefix` (as CloudFormation writes them) or with `Filter`, never both: all are made `Filter`.
merge_lifecycle() {
    local bucket=$1 before now size how=()
    before=$(read_setting "the lifecycle rules of bucket '$bucket'" NoSuchLifecycleConfiguration s3api get-bucket-lifecycle-configuration --bucket "$bucket")
    before=${before:-{\}}
    now=$(jq -c --arg id "vod-$STACK" --argjson days "$(jq -nc '$ARGS.positional | map(tonumber)' --args "${@:2}")" '
        {Rules: ((.Rules // []) | map(select((.ID // "") | IN($id + ("-sources", "-outputs", "-leftovers")) | not)
            | if has("Prefix") then .Filter = {Prefix} | del(.Prefix) else . end))}
        | if ($days | length) == 0 then . else .Rules += [
            {ID: ($id + "-sources"), Status: "Enabled", Filter: {Prefix: "input/"}, Transitions:
                [{Days: $days[0], StorageClass: "STANDARD_IA"}, {Days: $days[1], StorageClass: "GLACIER"}]},
            {ID: ($id + "-outputs"), Status: "Enabled", Filter: {Prefix: "output/"}, Transitions:
                [{Days: $days[2], StorageClass: "STANDARD_IA"}, {Days: $days[3], StorageClass: "GLACIER_IR"}],
                AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}},
            {ID: ($id + "-leftovers"), Status: "Enabled", Filter: {Prefix: "input/"}, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}}
          ] end' <<<"$before")
    # A setting of the whole bucket: without a word S3 would put it back to its default.
    size=$(jq -r '.TransitionDefaultMinimumObjectSize // ""' <<<"$before")
    [ -z "$size" ] || how=(--transition-default-minimum-object-size "$size")
    if [ "$(jq '.Rules | length' <<<"$now")" != 0 ]; then
        change s3api put-bucket-lifecycle-configuration --bucket "$bucket" --lifecycle-configuration "$now" "${how[@]}"
    elif [ "$before" != '{}' ]; then
        change s3api delete-bucket-lifecycle --bucket "$bucket"
    fi
}

# --------------------------------------------------------------------------------------------- replication

# merge_replication BUCKET [REPLICA ROLE]: has uploads and templates copied, deletions not; without a replica, takes
# ours away. S3 knows one role for all rules of a bucket.
merge_replication() {
    local bucket=$1 replica=${2:-} role=${3:-} before now theirs known ours=no
    before=$(read_setting "the replication of bucket '$bucket'" ReplicationConfigurationNotFoundError s3api get-bucket-replication --bucket "$bucket")
    before=$(jq -c '.ReplicationConfiguration // {}' <<<"${before:-{\}}")
    known=$(jq -r '.Role // ""' <<<"$before")
    # The role of a stack of this name, perhaps of one that is gone, and its role with it.
    [[ ! $known =~ :role/$STACK-ReplicationRole-[A-Za-z0-9]+$ ]] || ours=yes
    theirs=$(jq -c --arg id "vod-$STACK-" '[(.Rules // [])[] | select((.ID // "") | IN($id + ("sources", "templates")) | not)]' <<<"$before")
    if [ -z "$replica" ]; then
        # Under a role that goes with the stack no rule copies anything.
        [ "$ours" = no ] || theirs='[]'
        [ "$(jq '.Rules // [] | length' <<<"$before")" != "$(jq length <<<"$theirs")" ] || return 0
        role=$known
    elif [ "$theirs" != '[]' ] && [ "$ours" = no ] && [ "$role" != "$known" ]; then
        die "bucket '$bucket' has replication rules of its own under another role: add one for input/ to them, and deploy with --set ReplicaBucketName="
    fi
    now=$(jq -c --arg id "vod-$STACK" --arg role "$role" --arg replica "$replica" --argjson theirs "$theirs" -n '
        def rule($name; $prefix; $class; $priority): {ID: "\($id)-\($name)", Status: "Enabled", Priority: $priority, Filter: {Prefix: $prefix},
            DeleteMarkerReplication: {Status: "Disabled"}, Destination: ({Bucket: "arn:aws:s3:::\($replica)"} + $class)};
        ([$theirs[].Priority // 0] | max // 0) as $top
        | {Role: $role, Rules: ($theirs + if $replica == "" then [] else
            [rule("sources"; "input/"; {StorageClass: "GLACIER_IR", Metrics: {Status: "Enabled"}}; $top + 1), rule("templates"; "jobs/"; {}; $top + 2)] end)}')
    if [ "$(jq '.Rules | length' <<<"$now")" = 0 ]; then
        change s3api delete-bucket-replication --bucket "$bucket"
    else
        change s3api put-bucket-replication --bucket "$bucket" --replication-configuration "$now"
    fi
}

# ---------------------------------------------------------------------------------------------------- CORS

# merge_cors BUCKET [ORIGINS...]: lets pages of these origins (some of them with commas between) upload into the bucket;
# without one, takes that away. The rule is that of infra/template.yaml.
merge_cors() {
    local bucket=$1 before now
    before=$(read_setting "the CORS rules of bucket '$bucket'" NoSuchCORSConfiguration s3api get-bucket-cors --bucket "$bucket")
    before=$(jq -cS '{CORSRules: (.CORSRules // [])}' <<<"${before:-{\}}")
    now=$(jq -cS --arg id "vod-$STACK" '
        ($ARGS.positional | map(split(",")[])) as $origins
        | .CORSRules |= map(select(.ID != $id)) + if $origins == [] then [] else [{ID: $id, AllowedMethods: ["PUT", "POST"],
            AllowedHeaders: ["*"], ExposeHeaders: ["ETag"], MaxAgeSeconds: 3600, AllowedOrigins: $origins}] end' \
        --args "${@:2}" <<<"$before")
    if [ "$now" = "$before" ]; then
        return
    elif [ "$(jq '.CORSRules | length' <<<"$now")" = 0 ]; then
        change s3api delete-bucket-cors --bucket "$bucket"
    else
        change s3api put-bucket-cors --bucket "$bucket" --cors-configuration "$now"
    fi
}

# The ways that the stack lets CloudFront in by.
ways_in() { echo "$(parameter OriginAccess) $(parameter OriginAccessAlsoAllow)"; }

# ------------------------------------------------------------------------------------------------ deletion

# empty_bucket BUCKET [PREFIX]: every version and every delete marker, a thousand at a time.
empty_bucket() {
    local bucket=$1 prefix=${2:-} page refused
    while :; do
        page=$(aws_call s3api list-object-versions --bucket "$bucket" --prefix "$prefix" --max-items 1000 |
            jq -c '{Quiet: true, Objects: [(.Versions // [])[], (.DeleteMarkers // [])[] | {Key, VersionId}]}')
        [ "$(jq '.Objects | length' <<<"$page")" -gt 0 ] || return 0
        if [ "$PLAN" = yes ]; then
            plan_line s3api delete-objects --bucket "$bucket" --delete "file://"<(printf '%s' "$page")
            return
        fi
        # S3 answers 200 even if it refuses single objects, and would list them again forever.
        refused=$(aws_call s3api delete-objects --bucket "$bucket" --delete "file://"<(printf '%s' "$page") |
            jq -r '.Errors[0] // empty | "\(.Key): \(.Code), \(.Message // "no reason given" | rtrimstr("."))"')
        [ -z "$refused" ] || die "S3 does not delete $refused. Look for Object Lock, a Deny in the policy of bucket '$bucket', or a missing right to s3:DeleteObjectVersion, then start again"
    done
}
