# shellcheck shell=bash
# The settings of buckets that a stack does not own, or that outlive it. Sourced by lib.sh, never run.
#
# Ours are merged with those of the bucket's owner. Their names start with the stack's, so that a second run replaces
# them and destroy.sh finds them. A setting that could not be read is never taken for an empty one.

# read_setting WHAT NONE CALL...: prints the answer of S3; nothing if the error code is one of NONE (codes with | between them).
# Any other failure ends the script.
read_setting() {
    local what=$1 none=$2 errors
    shift 2
    {
        if ! errors=$(try_aws "$@" 2>&1 1>&3 3>&-); then
            [[ $errors =~ \((${none:-never})\) ]] || die "${what:+cannot read $what: }$(explain "${errors:-aws $1 $2 failed}")"
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

# setting BUCKET WHAT NONE: a setting of the bucket as S3 has it, with its keys in order; {} if there is none.
setting() {
    local found
    found=$(read_setting "the $2 of bucket '$1'" "$3" s3api "get-bucket-$2" --bucket "$1") || exit 1
    jq -cS 'if .Policy then .Policy | fromjson else . end' <<<"${found:-{\}}"
}

# store BUCKET BEFORE NOW MEMBER WHAT OPTION...: stores a setting that has changed; deletes it if it has no MEMBER left.
store() {
    local bucket=$1 before=$2 now=$3 member=$4 what=$5 option=--policy
    shift 5
    [ "$now" != "$before" ] || return 0
    [ "$what" = policy ] || option="--${what%-configuration}-configuration"
    if [ "$(jq --arg name "$member" '.[$name] // [] | length' <<<"$now")" != 0 ]; then
        change s3api "put-bucket-$what" --bucket "$bucket" "$option" "$now" "$@"
    elif [ "$before" != '{}' ]; then
        change s3api "delete-bucket-${what%-configuration}" --bucket "$bucket"
    fi
}

# ------------------------------------------------------------------------------------------- notification

# merge_notification BUCKET QUEUE: has new objects under input/ announced to the queue; without a queue, removes that.
merge_notification() {
    local bucket=$1 queue=$2 before now how=()
    before=$(setting "$bucket" notification-configuration "")
    # CloudFormation names neither its notification nor its queue: the ARN shows whose it was. S3 takes no
    # configuration with a queue that is gone.
    now=$(jq -cS --arg id "vod-$STACK" --arg queue "$queue" --arg ours ":sqs:$REGION:$ACCOUNT:$STACK-UploadQueue-[A-Za-z0-9]+\$" '
        .QueueConfigurations = ((.QueueConfigurations // []) | map(select(.Id != $id and (.QueueArn | test($ours) | not))))
        | if $queue != "" then .QueueConfigurations += [{Id: $id, QueueArn: $queue, Events: ["s3:ObjectCreated:*"],
            Filter: {Key: {FilterRules: [{Name: "prefix", Value: "input/"}]}}}] else . end
        | if .QueueConfigurations == [] then del(.QueueConfigurations) else . end' <<<"$before")
    [ "$now" != "$before" ] || return 0
    # A setting of the owner may lead to a target that is gone: no reason to keep ours.
    [ -n "$queue" ] || how=(--skip-destination-validation)
    change s3api put-bucket-notification-configuration --bucket "$bucket" --notification-configuration "$now" "${how[@]}"
}

# -------------------------------------------------------------------------------------------------- policy

sid() { tr -cd '[:alnum:]' <<<"Vod$STACK"; }

# merge_policies WAYS: merges the policies of those buckets that the stack does not own.
merge_policies() {
    local outputs read="output web"
    outputs=$(parameter OutputBucketName)
    [ -z "$outputs" ] || read=web
    ! is_foreign Bucket || merge_policy "$(output Bucket)" "$1" "$read" "input output catalog jobs ops web"
    ! is_foreign OutputBucket || merge_policy "$outputs" "$1" output output
}

# is_foreign PARAMETER: whether the stack uses this bucket and does not own it.
is_foreign() { [ -n "$(parameter "$1Name")" ] && [ "$(parameter "$1Mode")" = existing ]; }

# merge_policy BUCKET WAYS [READ TLS]: lets CloudFront read the folders READ by OAC, OAI or both, and refuses plain HTTP
# for the folders TLS; with no way, removes both.
merge_policy() {
    local bucket=$1 ways=$2 before now
    before=$(setting "$bucket" policy NoSuchBucketPolicy)
    now=$(jq -cS --arg sid "$(sid)" --arg ways "$ways" --arg bucket "$bucket" --arg account "$ACCOUNT" \
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
    store "$bucket" "$before" "$now" Statement policy
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

# merge_lifecycles: merges the stack's days into those of its buckets that it does not own.
merge_lifecycles() {
    local days=() name
    for name in "${DAY_NAMES[@]}"; do
        days+=("$(parameter "$name")")
    done
    ! is_foreign Bucket || merge_lifecycle "$(output Bucket)" "${days[@]}"
    ! is_foreign OutputBucket || merge_lifecycle "$(parameter OutputBucketName)" "${days[@]}"
}

# merge_lifecycle BUCKET [SOURCE_IA SOURCE_GLACIER OUTPUT_IA OUTPUT_GLACIER_IR]: without days, removes ours.
# S3 takes rules with `Prefix` (as CloudFormation writes them) or with `Filter`, never both: all are made `Filter`.
merge_lifecycle() {
    local bucket=$1 before now size how=()
    before=$(setting "$bucket" lifecycle-configuration NoSuchLifecycleConfiguration)
    now=$(jq -cS --arg id "vod-$STACK" '
        ($ARGS.positional | if . == [""] then [] else map(tonumber) end) as $days
        | {Rules: ((.Rules // []) | map(select((.ID // "") | IN($id + ("-sources", "-outputs", "-leftovers", "-trash", "-sessions")) | not)
            | if has("Prefix") then .Filter = {Prefix} | del(.Prefix) else . end))}
        | if ($days | length) == 0 then . else .Rules += [
            {ID: ($id + "-sources"), Status: "Enabled", Filter: {Prefix: "input/"}, Transitions:
                [{Days: $days[0], StorageClass: "STANDARD_IA"}, {Days: $days[1], StorageClass: "GLACIER"}]},
            {ID: ($id + "-outputs"), Status: "Enabled", Filter: {Prefix: "output/"}, Transitions:
                [{Days: $days[2], StorageClass: "STANDARD_IA"}, {Days: $days[3], StorageClass: "GLACIER_IR"}],
                AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}},
            {ID: ($id + "-leftovers"), Status: "Enabled", Filter: {Prefix: "input/"}, AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}},
            {ID: ($id + "-trash"), Status: "Enabled", Filter: {Prefix: "ops/trash/"}, Expiration: {Days: 30},
                AbortIncompleteMultipartUpload: {DaysAfterInitiation: 7}},
            {ID: ($id + "-sessions"), Status: "Enabled", Filter: {Prefix: "ops/uploads/"}, Expiration: {Days: 8}}
          ] end' --args "${@:2}" <<<"$before")
    # A setting of the whole bucket: without it S3 would go back to its default.
    size=$(jq -r '.TransitionDefaultMinimumObjectSize // ""' <<<"$before")
    [ -z "$size" ] || how=(--transition-default-minimum-object-size "$size")
    store "$bucket" "$before" "$now" Rules lifecycle-configuration "${how[@]}"
}

# --------------------------------------------------------------------------------------------- replication

# merge_replication BUCKET [REPLICA ROLE]: has uploads and templates copied, deletions not; without a replica, removes
# ours. S3 knows one role for all rules of a bucket.
merge_replication() {
    local bucket=$1 replica=${2:-} role=${3:-} before now theirs known ours=no
    before=$(setting "$bucket" replication ReplicationConfigurationNotFoundError | jq -c '.ReplicationConfiguration // .')
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
    now=$(jq -cS --arg id "vod-$STACK" --arg role "$role" --arg replica "$replica" --argjson theirs "$theirs" -n '
        def rule($name; $prefix; $class; $priority): {ID: "\($id)-\($name)", Status: "Enabled", Priority: $priority, Filter: {Prefix: $prefix},
            DeleteMarkerReplication: {Status: "Disabled"}, Destination: ({Bucket: "arn:aws:s3:::\($replica)"} + $class)};
        ([$theirs[].Priority // 0] | max // 0) as $top
        | {Role: $role, Rules: ($theirs + if $replica == "" then [] else
            [rule("sources"; "input/"; {StorageClass: "GLACIER_IR", Metrics: {Status: "Enabled"}}; $top + 1), rule("templates"; "jobs/"; {}; $top + 2)] end)}')
    store "$bucket" "$before" "$now" Rules replication
}

# ---------------------------------------------------------------------------------------------------- CORS

# merge_cors BUCKET [ORIGINS...]: lets pages of these origins (some of them with commas between) upload into the bucket;
# without one, removes that. The rule is that of infra/template.yaml.
merge_cors() {
    local bucket=$1 before now
    before=$(setting "$bucket" cors NoSuchCORSConfiguration)
    now=$(jq -cS --arg id "vod-$STACK" '
        ($ARGS.positional | map(split(",")[])) as $origins
        | .CORSRules = ((.CORSRules // []) | map(select(.ID != $id))) + if $origins == [] then [] else [{ID: $id, AllowedMethods: ["PUT", "POST"],
            AllowedHeaders: ["*"], ExposeHeaders: ["ETag"], MaxAgeSeconds: 3600, AllowedOrigins: $origins}] end' \
        --args "${@:2}" <<<"$before")
    store "$bucket" "$before" "$now" CORSRules cors
}

# Prints the mechanisms by which the stack lets CloudFront read.
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
