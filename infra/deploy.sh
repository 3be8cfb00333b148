#!/usr/bin/env bash
# Deploys the whole pipeline to AWS: a first deployment or an upgrade, with the same command.
#
#   infra/deploy.sh [--stack NAME] [--region NAME]
#
# --bucket NAME         use this bucket instead of <stack>-<account>-<region>; if it exists, our settings are merged
#                       with its own
# --output-bucket NAME  another bucket for the outputs alone, likewise; chosen once, before the first film
# --set NAME=VALUE      a parameter of infra/template.yaml, such as AlarmEmail, AllowedOrigins, DomainName, GeoRestriction,
#                       PriceClass, TrafficShift, Waf;
#                       what is not named stays as it is in the stack
# --packages FOLDER     functions that are built already: <name>.zip, or <name>/bootstrap.zip as cargo lambda leaves them
# --source TEXT         what the packages were built from, such as "v1.2.3 4f9c1d2": shown in the description of each version
# --only FUNCTION       ship this one function with `cargo lambda deploy` and point its alias at it; nothing else
# --no-smoke            leave out the smoke test: a 2-second film, uploaded, encoded, played, and refused unsigned
# --plan                show each call that would change something, and change nothing
# --help
#
# CLOUDFORMATION_ROLE_ARN in the environment: CloudFormation then works under that role, not with your rights
# (infra/github.yaml makes one).
# Needs the AWS CLI, jq, openssl, curl, Rust with cargo-lambda, and ffmpeg for the smoke test. VOD names the vod command
# if it is not to be the one that is built here.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

BUCKET=""
OUTPUT_BUCKET=""
PACKAGES=""
SOURCE=""
ONLY=""
SMOKE=yes
declare -A SET=()

options() {
    common_options "$@"
    set -- "${REST[@]}"
    while [ $# -gt 0 ]; do
        case $1 in
            --bucket) BUCKET=${2:?--bucket needs a name} && shift ;;
            --output-bucket) OUTPUT_BUCKET=${2:?--output-bucket needs a name} && shift ;;
            --set)
                [[ ${2:-} == *=* ]] || die "--set needs NAME=VALUE"
                SET[${2%%=*}]=${2#*=}
                shift
                ;;
            --packages) PACKAGES=${2:?--packages needs a folder} && shift ;;
            --source) SOURCE=${2:?--source needs a text} && shift ;;
            --only) ONLY=${2:?--only needs a function} && shift ;;
            --no-smoke) SMOKE=no ;;
            *) die "unknown argument '$1': see infra/deploy.sh --help" ;;
        esac
        shift
    done
    local name
    for name in "${!SET[@]}"; do
        case $name in
            PublicKey* | *SecretArn) die "$name belongs to infra/keys.sh and vod keys" ;;
            OriginAccess*) die "$name belongs to infra/origin-access.sh" ;;
            BucketName | BucketMode) die "use --bucket instead of --set $name" ;;
            Source) die "use --source instead of --set $name" ;;
            OutputBucketName | OutputBucketMode) die "use --output-bucket instead of --set $name" ;;
            *) grep -q "^  $name:" "$HERE/template.yaml" || die "infra/template.yaml has no parameter '$name'" ;;
        esac
    done
}

# What a parameter will be: as given now, else as it is in the stack, else the template's default.
wanted() {
    local value=${SET[$1]-$(parameter "$1")}
    [ -n "$value" ] || [ -n "${SET[$1]+given}" ] || value=$(sed -n "/^  $1:/,/^  [A-Z]/s/^    Default: *//p" "$HERE/template.yaml")
    printf '%s' "${value//\"/}"
}

# What would otherwise fail after minutes, half-way through a stack.
check_parameters() {
    local name certificate
    for name in "${DAY_NAMES[@]}"; do
        DAYS[$name]=$(wanted "$name")
    done
    check_days
    certificate=$(wanted CertificateArn)
    [[ -z $certificate || $certificate == arn:*:acm:us-east-1:* ]] ||
        die "CloudFront takes certificates of us-east-1 alone, in whatever region the stack is, and CertificateArn is '$certificate': request or import one there ('aws acm request-certificate --region us-east-1 …')"
    if [ -n "$(wanted DomainName)" ] && [ -z "$certificate" ]; then
        [[ -n $(wanted HostedZoneId) && $REGION == us-east-1 ]] ||
            die "DomainName needs a CertificateArn of us-east-1; only a stack in us-east-1 with a HostedZoneId makes one itself"
    fi
}

check_quotas() {
    local left
    left=$(aws_call lambda get-account-settings | jq -r .AccountLimit.UnreservedConcurrentExecutions)
    [ "$left" -ge 100 ] ||
        say "note: all functions of the account in $REGION share $left concurrent executions, as new accounts do. Submit may take up to $(wanted SubmitConcurrency) of them, and viewers get errors (429, 5xx) while none is left: raise 'Concurrent executions' in Service Quotas before viewers come"
    [ "$left" -ge 10 ] || die "only $left concurrent Lambda executions are left in $REGION: raise 'Concurrent executions' in Service Quotas, or free reserved ones"
    if ! stack_exists; then
        left=$(aws_call mediaconvert list-queues | jq '[.Queues[] | select(.PricingPlan == "ON_DEMAND")] | length')
        [ "$left" -lt 10 ] || die "the account has $left MediaConvert queues in $REGION, and 10 is the default limit: delete one, or raise 'On-demand queues' in Service Quotas"
    fi
}

# Decides about the bucket: the stack's own, or one that exists.
choose_bucket() {
    MODE=$(parameter BucketMode)
    local known
    known=$(parameter BucketName)
    if [ -n "$known" ]; then
        [[ -z $BUCKET || $BUCKET == "$known" ]] || die "stack '$STACK' uses bucket '$known', and videos cannot be moved: use another --stack for '$BUCKET'"
        BUCKET=$known
        return
    fi
    BUCKET=${BUCKET:-$STACK-$ACCOUNT-$REGION}
    look_at_bucket "$BUCKET" --bucket
    MODE=$FOUND
}

# look_at_bucket NAME OPTION: `create` or `existing` into FOUND.
look_at_bucket() {
    local answer where
    if answer=$(try_aws s3api get-bucket-location --bucket "$1" 2>&1); then
        where=$(jq -r '.LocationConstraint // "us-east-1"' <<<"$answer")
        [ "$where" = "$REGION" ] || die "bucket '$1' is in $where, the stack in $REGION: they must be in one region"
        say "bucket '$1' exists: its own settings stay, and the stack's are merged with them"
        check_bucket "$1" "$2"
        FOUND=existing
    elif [[ $answer == *NoSuchBucket* ]]; then
        FOUND=create
    elif [[ $answer == *AccessDenied* || $answer == *Forbidden* ]]; then
        die "bucket '$1' belongs to another account or denies access: choose another with $2"
    else
        die "$(explain "$answer")"
    fi
}

# check_bucket NAME OPTION: whether the stack can work with it.
check_bucket() {
    local found
    found=$(read_setting "the encryption of bucket '$1'" ServerSideEncryptionConfigurationNotFoundError s3api get-bucket-encryption --bucket "$1" |
        jq -r '.ServerSideEncryptionConfiguration.Rules[0].ApplyServerSideEncryptionByDefault.SSEAlgorithm // ""')
    [[ $found != aws:kms* ]] ||
        die "bucket '$1' encrypts with $found, and neither the functions nor MediaConvert nor CloudFront may use that key: every encode would fail. Choose another bucket with $2, or have new objects encrypted with S3's own key: aws s3api put-bucket-encryption --bucket $1 --server-side-encryption-configuration '{\"Rules\":[{\"ApplyServerSideEncryptionByDefault\":{\"SSEAlgorithm\":\"AES256\"}}]}'"
    found=$(read_setting "Block Public Access of bucket '$1'" NoSuchPublicAccessBlockConfiguration s3api get-public-access-block --bucket "$1" |
        jq -r '.PublicAccessBlockConfiguration | [.BlockPublicAcls, .IgnorePublicAcls, .BlockPublicPolicy, .RestrictPublicBuckets] | all')
    [ "$found" = true ] ||
        say "note: bucket '$1' does not have all four settings of Block Public Access on: a policy or an ACL of yours can make films public. Turn them on with aws s3api put-public-access-block, unless other objects in it have to be public"
}

# The same for the outputs, if they have a bucket of their own.
choose_output_bucket() {
    local known
    known=$(parameter OutputBucketName)
    OUTPUT_MODE=create
    if stack_exists; then
        [[ -z $OUTPUT_BUCKET || $OUTPUT_BUCKET == "$known" ]] ||
            die "the outputs of stack '$STACK' are in bucket '${known:-$BUCKET}', and videos cannot be moved: use another --stack for '$OUTPUT_BUCKET'"
        OUTPUT_BUCKET=$known
        [ -z "$known" ] || OUTPUT_MODE=$(parameter OutputBucketMode)
    elif [ -n "$OUTPUT_BUCKET" ]; then
        [ "$OUTPUT_BUCKET" != "$BUCKET" ] || die "--output-bucket is the bucket of the uploads: leave it out to have the outputs there"
        look_at_bucket "$OUTPUT_BUCKET" --output-bucket
        OUTPUT_MODE=$FOUND
    fi
}

# What S3 would refuse after minutes, or accept without a copy ever arriving.
check_replica() {
    local replica where versions
    replica=$(wanted ReplicaBucketName)
    [ -n "$replica" ] || return 0
    where=$(read_setting "the region of bucket '$replica'" NoSuchBucket s3api get-bucket-location --bucket "$replica" | jq -r '.LocationConstraint // "us-east-1"')
    [ -n "$where" ] || die "there is no bucket '$replica' to copy uploads to: make it in another region with infra/replica.yaml (docs/operations.md, a second region)"
    [ "$where" != "$REGION" ] || die "bucket '$replica' is in $REGION like the stack: a copy for the day when a region is gone must be in another"
    versions=$(aws_call s3api get-bucket-versioning --bucket "$replica" | jq -r '.Status // ""')
    [ "$versions" = Enabled ] ||
        die "bucket '$replica' is not versioned, and S3 copies into versioned buckets only: infra/replica.yaml makes one"
}

# Edges near the stack, and so near most viewers; a stack that exists keeps what it has. The lists of places are AWS's
# (https://aws.amazon.com/cloudfront/pricing/): class 200 leaves out Australia, New Zealand and South America.
choose_price_class() {
    if [ -n "${SET[PriceClass]:-}" ] || stack_exists; then
        return
    fi
    case $REGION in
        sa-* | ap-southeast-2 | ap-southeast-4 | ap-southeast-6) SET[PriceClass]=PriceClass_All ;;
        ap-* | me-* | af-*) SET[PriceClass]=PriceClass_200 ;;
        *) return ;;
    esac
    say "CloudFront delivers with ${SET[PriceClass]}, because PriceClass_100 has no edges near $REGION: a gigabyte costs more there. Others by --set PriceClass=…"
}

# choose_waf: with Waf=managed, the web ACL and its ARN into WebAclArn; when that ends, no ACL.
choose_waf() {
    local before now=${SET[Waf]-$(parameter Waf)}
    before=$(parameter Waf)
    if [ "$now" = managed ]; then
        [ -z "${SET[WebAclArn]:-}" ] || die "Waf=managed makes a web ACL: take --set Waf=none for '${SET[WebAclArn]}'"
        deploy_waf
    elif [ "$before" = managed ] && [ -z "${SET[WebAclArn]:-}" ]; then
        SET[WebAclArn]=""
    fi
}

deploy_waf() {
    local now answer call=(cloudformation deploy --stack-name "$WAF_STACK" --template-file "$HERE/waf.yaml" --no-fail-on-empty-changeset --tags "vod:stack=$STACK")
    [ -z "${CLOUDFORMATION_ROLE_ARN:-}" ] || call+=(--role-arn "$CLOUDFORMATION_ROLE_ARN")
    now=$(waf_stack)
    [[ $(jq -r .StackStatus <<<"$now") != ROLLBACK_* ]] || delete_waf
    step "deploying the web ACL, stack $WAF_STACK in us-east-1"
    if [ "$PLAN" = yes ]; then
        REGION=us-east-1 plan_line "${call[@]}"
        SET[WebAclArn]="the-arn-of-that-acl"
        return
    fi
    answer=$(REGION=us-east-1 try_aws "${call[@]}" 2>&1) || die "$(explain "$answer")"
    SET[WebAclArn]=$(waf_stack | jq -r '.Outputs[]? | select(.OutputKey == "WebAclArn") | .OutputValue')
    [ -n "${SET[WebAclArn]}" ] || die "stack '$WAF_STACK' in us-east-1 has no output WebAclArn: look at its events, then start again"
}

# Makes the keys that are missing. Their public halves and the ARNs of their secrets into KEYS.
ensure_keys() {
    local how=(--stack "$STACK" --region "$REGION" --json)
    [ "$PLAN" = no ] || how+=(--plan)
    KEYS=$(vod keys ensure "${how[@]}")
}

make_code_bucket() {
    ! bucket_exists "$CODE_BUCKET" || return 0
    step "making the bucket of the code, $CODE_BUCKET"
    local where=()
    [ "$REGION" = us-east-1 ] || where=(--create-bucket-configuration "LocationConstraint=$REGION")
    change s3api create-bucket --bucket "$CODE_BUCKET" "${where[@]}"
}

# At each run, so that a run that was interrupted between two of these steps is completed by the next.
secure_code_bucket() {
    change s3api put-public-access-block --bucket "$CODE_BUCKET" --public-access-block-configuration \
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
    # So that destroy.sh, stopped after it has deleted the stack, still knows where the films are.
    local tags="{Key=vod:stack,Value=$STACK},{Key=vod:bucket,Value=$BUCKET},{Key=vod:bucket-mode,Value=$MODE}"
    [ -z "$OUTPUT_BUCKET" ] || tags+=",{Key=vod:output-bucket,Value=$OUTPUT_BUCKET},{Key=vod:output-mode,Value=$OUTPUT_MODE}"
    change s3api put-bucket-tagging --bucket "$CODE_BUCKET" --tagging "TagSet=[$tags]"
}

build() {
    [ -z "$PACKAGES" ] || return 0
    need cargo
    cargo lambda --version >/dev/null 2>&1 || die "cargo-lambda is missing: 'pip install cargo-lambda' or see https://www.cargo-lambda.info, then start again"
    step "building the functions for arm64"
    PACKAGES=$ROOT/target/lambda
    if [ "$PLAN" = yes ]; then
        say "would run: cargo lambda build --release --arm64 --locked --output-format zip"
        return
    fi
    local names=() name
    for name in "${FUNCTIONS[@]}"; do
        names+=(--package "$name" --bin "$name")
    done
    (cd "$ROOT" && cargo lambda build --release --arm64 --locked --output-format zip "${names[@]}") >&2
}

package_of() {
    local path
    for path in "$PACKAGES/$1.zip" "$PACKAGES/$1/bootstrap.zip"; do
        if [ -f "$path" ]; then
            echo "$path"
            return
        fi
    done
    [ "$PLAN" = yes ] || die "there is no package of $1 in $PACKAGES"
}

# Puts the packages where their content says: the same code is never uploaded twice and never overwritten.
ship() {
    local name zip digest key
    for name in "${FUNCTIONS[@]}"; do
        zip=$(package_of "$name")
        digest=$( ([ -n "$zip" ] && openssl dgst -sha256 -r "$zip" || echo not-built-yet) | cut -d ' ' -f 1)
        key="functions/$name/$digest.zip"
        SET[${name^}Code]=$key
        if try_aws s3api head-object --bucket "$CODE_BUCKET" --key "$key" >/dev/null 2>&1; then
            continue
        fi
        step "shipping $name ($(($(wc -c <"${zip:-/dev/null}") / 1024)) KiB)"
        change s3api put-object --bucket "$CODE_BUCKET" --key "$key" --body "${zip:-$name.zip}"
    done
}

# The parameters that are not the caller's to choose.
own_parameters() {
    SET[BucketName]=$BUCKET
    SET[BucketMode]=$MODE
    SET[OutputBucketName]=$OUTPUT_BUCKET
    SET[OutputBucketMode]=$OUTPUT_MODE
    SET[CodeBucket]=$CODE_BUCKET
    local arn="arn:aws:secretsmanager:$REGION:$ACCOUNT:secret:"
    # With --plan there may be no secret yet.
    SET[SigningSecretArn]=$(jq -r --arg planned "$arn$SIGNING_SECRET" '.signing_secret // $planned' <<<"$KEYS")
    SET[JwtSecretArn]=$(jq -r --arg planned "$arn$JWT_SECRET" '.jwt_secret // $planned' <<<"$KEYS")
    if ! stack_exists; then
        # After a destroy the secret may still be there, with one key or two.
        SET[PublicKeyOne]=$(jq -r '.keys[0].public_pem // ""' <<<"$KEYS")
        SET[PublicKeyTwo]=$(jq -r '.keys[1].public_pem // ""' <<<"$KEYS")
    fi
    # Never that of an earlier deploy: it says what these packages are.
    SET[Source]=$SOURCE
    SET[Release]=$(release)
}

# What makes a new version of the functions: their code, the template, and the parameters that reach them.
release() {
    local name
    {
        cat "$HERE/template.yaml"
        for name in BucketName OutputBucketName Source {Submit,Complete,Signer,Reconcile}Code RulesOff Auth{Issuer,Audience,JwksUrl} {Signing,Jwt}SecretArn \
            SubnetIds SecurityGroupIds; do
            printf '%s=%s\n' "$name" "${SET[$name]-$(parameter "$name")}"
        done
    } | openssl dgst -sha256 -r | cut -c 1-12
}

deploy_stack() {
    local name pairs=()
    for name in $(printf '%s\n' "${!SET[@]}" | sort); do
        pairs+=("$name=${SET[$name]}")
    done
    step "deploying stack $STACK in $REGION (the first time takes about 8 minutes, most of it CloudFront's)"
    local call=(cloudformation deploy --stack-name "$STACK" --template-file "$HERE/template.yaml"
        --s3-bucket "$CODE_BUCKET" --s3-prefix templates --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset
        --tags "vod:stack=$STACK" --parameter-overrides "${pairs[@]}")
    [ -z "${CLOUDFORMATION_ROLE_ARN:-}" ] || call+=(--role-arn "$CLOUDFORMATION_ROLE_ARN")
    if [ "$PLAN" = yes ]; then
        plan_line "${call[@]}"
        return
    fi
    local answer
    if ! answer=$(try_aws "${call[@]}" 2>&1); then
        [[ $answer == *"Failed to create/update the stack"* ]] && stack_failed
        die "$(explain "$answer")"
    fi
    read_stack
}

# What a stack cannot do to a bucket that it does not own.
merge_buckets() {
    if [ "$MODE" = existing ]; then
        step "merging our settings into $BUCKET"
        merge_notification "$BUCKET" "$(output UploadQueueArn)"
        merge_replication "$BUCKET" "$(parameter ReplicaBucketName)" "$(output ReplicationRoleArn)"
        merge_cors "$BUCKET" "$(output Url)" "$(parameter AllowedOrigins)"
    fi
    merge_policies "$(ways_in)"
    merge_lifecycles
}

# The page. A file that is stored compressed goes under its plain name. Names stay the same when their content changes,
# so an edge has to ask each time: without a word of ours it would keep them for a day.
upload_page() {
    local file
    step "uploading the page"
    change s3 sync --no-progress --cache-control no-cache --exclude '*.gz' "$ROOT/web" "s3://$BUCKET/web"
    for file in "$ROOT"/web/*.js.gz; do
        change s3api put-object --bucket "$BUCKET" --key "web/$(basename "$file" .gz)" --body "$file" \
            --cache-control no-cache --content-type "text/javascript" --content-encoding gzip
    done
}

# One function alone, as cargo-lambda does it; role and variables are the stack's.
deploy_only() {
    [[ " ${FUNCTIONS[*]} " == *" $ONLY "* ]] || die "there is no function '$ONLY': it is one of ${FUNCTIONS[*]}"
    need_stack
    build_one
    local config role memory timeout call
    config=$(aws_call lambda get-function-configuration --function-name "$STACK-$ONLY")
    role=$(jq -r .Role <<<"$config")
    memory=$(jq -r .MemorySize <<<"$config")
    timeout=$(jq -r .Timeout <<<"$config")
    call=(cargo lambda deploy --region "$REGION" --binary-name "$ONLY" --lambda-dir "${PACKAGES:-$ROOT/target/lambda}"
        --iam-role "$role" --memory "$memory" --timeout "$timeout" --alias live "$STACK-$ONLY")
    if [ "$PLAN" = yes ]; then
        say "would run: ${call[*]}"
        return
    fi
    (cd "$ROOT/functions/$ONLY" && "${call[@]}") >&2
    say "$STACK-$ONLY is live; the next infra/deploy.sh updates the whole stack"
}

build_one() {
    [ -z "$PACKAGES" ] || return 0
    [ "$PLAN" = no ] || return 0
    need cargo
    (cd "$ROOT" && cargo lambda build --release --arm64 --locked --package "$ONLY" --bin "$ONLY") >&2
}

finish() {
    if [ "$PLAN" = yes ]; then
        [ "$SMOKE" = no ] || say "would run: infra/smoke.sh --stack $STACK --region $REGION"
        say "nothing was changed"
        return
    fi
    if [ "$SMOKE" = yes ]; then
        "$HERE/smoke.sh" --stack "$STACK" --region "$REGION"
    fi
    [ -z "$(parameter DomainName)" ] || [ -n "$(parameter HostedZoneId)" ] ||
        say "DNS: $(parameter DomainName) has to be a CNAME (or ALIAS) of $(output DistributionDomain)"
    say "ready: $(output Url)/ · upload to s3://$BUCKET/input/ · dashboard: $(output Dashboard)"
}

deploy() {
    options "$@"
    check_account
    if [ -n "$ONLY" ]; then
        deploy_only
        return
    fi
    [ "$SMOKE" = no ] || need curl ffmpeg
    read_stack
    check_status
    if [[ $STATUS == ROLLBACK_COMPLETE || $STATUS == ROLLBACK_FAILED ]]; then
        step "an earlier creation failed and left an empty stack: taking it away"
        change cloudformation delete-stack --stack-name "$STACK"
        [ "$PLAN" = yes ] || try_aws cloudformation wait stack-delete-complete --stack-name "$STACK" || stack_failed
        STACK_JSON='{}' STATUS=NONE
    fi
    check_parameters
    check_quotas
    choose_bucket
    choose_output_bucket
    check_replica
    choose_price_class
    ensure_keys
    build
    make_code_bucket
    secure_code_bucket
    ship
    choose_waf
    own_parameters
    deploy_stack
    [ "$(parameter Waf)" = managed ] || delete_waf
    if stack_exists; then
        # CloudFront's ids of new keys are known now.
        ensure_keys
        merge_buckets
    fi
    upload_page
    finish
}

deploy "$@"
