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

read_options() {
    options --bucket=BUCKET --output-bucket=OUTPUT_BUCKET --set@SET --packages=PACKAGES --source=SOURCE --only=ONLY --no-smoke:SMOKE=no -- "$@"
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

# Prints a parameter as it will be: as given now, else as it is in the stack, else the template's default.
wanted() {
    local value=${SET[$1]-$(parameter "$1")}
    [ -n "$value" ] || [ -n "${SET[$1]+given}" ] || value=$(sed -n "/^  $1:/,/^  [A-Z]/s/^    Default: *//p" "$HERE/template.yaml")
    printf '%s' "${value//\"/}"
}

# Checks what would otherwise fail after minutes, half-way through a stack.
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
    left=$(aws_call lambda get-account-settings --query AccountLimit.UnreservedConcurrentExecutions --output text)
    [ "$left" -ge 100 ] ||
        say "note: all functions of the account in $REGION share $left concurrent executions, as new accounts do. Submit may take up to $(wanted SubmitConcurrency) of them, and viewers get errors (429, 5xx) while none is left: raise 'Concurrent executions' in Service Quotas before viewers come"
    [ "$left" -ge 10 ] || die "only $left concurrent Lambda executions are left in $REGION: raise 'Concurrent executions' in Service Quotas, or free reserved ones"
    if ! stack_exists; then
        left=$(aws_call mediaconvert list-queues | jq '[.Queues[] | select(.PricingPlan == "ON_DEMAND")] | length')
        [ "$left" -lt 10 ] || die "the account has $left MediaConvert queues in $REGION, and 10 is the default limit: delete one, or raise 'On-demand queues' in Service Quotas"
    fi
}

# choose_bucket PARAMETER NAME OPTION: the one that the stack has, or else NAME; sets CHOSEN and FOUND.
choose_bucket() {
    CHOSEN=$2 FOUND=create
    if stack_exists; then
        CHOSEN=$(parameter "$1Name") FOUND=$(parameter "$1Mode")
        [[ -z $2 || $2 == "$CHOSEN" ]] || die "stack '$STACK' uses bucket '${CHOSEN:-$BUCKET}', and videos cannot be moved: use another --stack for '$2'"
    elif [ -n "$2" ]; then
        look_at_bucket "$2" "$3"
    fi
}

choose_buckets() {
    if ! stack_exists; then
        BUCKET=${BUCKET:-$STACK-$ACCOUNT-$REGION}
        [ "$OUTPUT_BUCKET" != "$BUCKET" ] || die "--output-bucket is the bucket of the uploads: leave it out to have the outputs there"
    fi
    choose_bucket Bucket "$BUCKET" --bucket
    BUCKET=$CHOSEN MODE=$FOUND
    choose_bucket OutputBucket "$OUTPUT_BUCKET" --output-bucket
    OUTPUT_BUCKET=$CHOSEN OUTPUT_MODE=$FOUND
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

# Checks what S3 would refuse after minutes, or accept without a copy ever arriving.
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

# Chooses edges near the stack, and so near most viewers; a stack that exists keeps what it has. The lists of places are AWS's
# (https://aws.amazon.com/cloudfront/pricing/): class 200 leaves out Australia, New Zealand and South America.
choose_price_class() {
    [ -z "${SET[PriceClass]:-}" ] || return 0
    ! stack_exists || return 0
    case $REGION in
        sa-* | ap-southeast-2 | ap-southeast-4 | ap-southeast-6) SET[PriceClass]=PriceClass_All ;;
        ap-* | me-* | af-*) SET[PriceClass]=PriceClass_200 ;;
        *) return ;;
    esac
    say "CloudFront delivers with ${SET[PriceClass]}, because PriceClass_100 has no edges near $REGION: a gigabyte costs more there. Others by --set PriceClass=…"
}

# Makes the web ACL with Waf=managed, and sets WebAclArn; when that ends, no ACL.
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
    local now
    now=$(waf_stack)
    [[ $(jq -r .StackStatus <<<"$now") != ROLLBACK_* ]] || delete_waf
    step "deploying the web ACL, stack $WAF_STACK in us-east-1"
    REGION=us-east-1 deploy_template "$WAF_STACK" waf.yaml
    [ "$PLAN" = no ] || { SET[WebAclArn]="the-arn-of-that-acl" && return; }
    SET[WebAclArn]=$(now=$(waf_stack) && use_stack "$now" && output WebAclArn)
    [ -n "${SET[WebAclArn]}" ] || die "stack '$WAF_STACK' in us-east-1 has no output WebAclArn: look at its events, then start again"
}

# deploy_template NAME TEMPLATE OPTION...: creates or updates a stack.
deploy_template() {
    local answer call=(cloudformation deploy --stack-name "$1" --template-file "$HERE/$2" --no-fail-on-empty-changeset
        --tags "vod:stack=$STACK" "${@:3}")
    [ -z "${CLOUDFORMATION_ROLE_ARN:-}" ] || call+=(--role-arn "$CLOUDFORMATION_ROLE_ARN")
    if [ "$PLAN" = yes ]; then
        plan_line "${call[@]}"
    elif ! answer=$(try_aws "${call[@]}" 2>&1); then
        [[ $answer == *"Failed to create/update the stack"* ]] && stack_failed "$1"
        die "$(explain "$answer")"
    fi
}

# Makes the keys that are missing, and sets KEYS to their public halves and the ARNs of their secrets.
ensure_keys() {
    local how=(--stack "$STACK" --region "$REGION" --json)
    [ "$PLAN" = no ] || how+=(--plan)
    KEYS=$(vod keys ensure "${how[@]}")
}

make_code_bucket() {
    local where=() tags="{Key=vod:stack,Value=$STACK},{Key=vod:bucket,Value=$BUCKET},{Key=vod:bucket-mode,Value=$MODE}"
    if ! bucket_exists "$CODE_BUCKET"; then
        step "making the bucket of the code, $CODE_BUCKET"
        [ "$REGION" = us-east-1 ] || where=(--create-bucket-configuration "LocationConstraint=$REGION")
        change s3api create-bucket --bucket "$CODE_BUCKET" "${where[@]}"
    fi
    # At each run, so that a run that was interrupted between two of these steps is completed by the next.
    change s3api put-public-access-block --bucket "$CODE_BUCKET" --public-access-block-configuration \
        "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true"
    # So that destroy.sh, stopped after it has deleted the stack, still knows where the films are.
    [ -z "$OUTPUT_BUCKET" ] || tags+=",{Key=vod:output-bucket,Value=$OUTPUT_BUCKET},{Key=vod:output-mode,Value=$OUTPUT_MODE}"
    change s3api put-bucket-tagging --bucket "$CODE_BUCKET" --tagging "TagSet=[$tags]"
}

# build FORMAT FUNCTION...: zip, or binary as `cargo lambda deploy` takes it.
build() {
    [ -z "$PACKAGES" ] || return 0
    need cargo
    cargo lambda --version >/dev/null 2>&1 || die "cargo-lambda is missing: 'pip install cargo-lambda' or see https://www.cargo-lambda.info, then start again"
    step "building for arm64: ${*:2}"
    PACKAGES=$ROOT/target/lambda
    local name call=(cargo lambda build --release --arm64 --locked --output-format "$1")
    for name in "${@:2}"; do
        call+=(--package "$name" --bin "$name")
    done
    change_in "$ROOT" "${call[@]}"
}

# Uploads the packages under names of their content: the same code is never uploaded twice and never overwritten.
ship() {
    local name zip digest key
    for name in "${FUNCTIONS[@]}"; do
        zip=$(find "$PACKAGES/$name.zip" "$PACKAGES/$name/bootstrap.zip" -type f 2>/dev/null | head -n 1) || true
        [ -n "$zip" ] || [ "$PLAN" = yes ] || die "there is no package of $name in $PACKAGES"
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

# Sets the parameters that the caller cannot choose.
own_parameters() {
    SET+=([BucketName]=$BUCKET [BucketMode]=$MODE [OutputBucketName]=$OUTPUT_BUCKET [OutputBucketMode]=$OUTPUT_MODE [CodeBucket]=$CODE_BUCKET)
    local keys
    # With --plan there may be no secret yet. After a destroy it may still be there, with one key or two.
    mapfile -d '' -t keys < <(jq -j --arg planned "arn:aws:secretsmanager:$REGION:$ACCOUNT:secret:$STACK/" '
        .signing_secret // "\($planned)signing", .jwt_secret // "\($planned)jwt", .keys[0].public_pem // "", .keys[1].public_pem // ""
        | rtrimstr("\n"), "\u0000"' <<<"$KEYS")
    SET+=([SigningSecretArn]=${keys[0]} [JwtSecretArn]=${keys[1]})
    stack_exists || SET+=([PublicKeyOne]=${keys[2]} [PublicKeyTwo]=${keys[3]})
    # Never that of an earlier deploy: it says what these packages are.
    SET[Source]=$SOURCE
    SET[Release]=$(release)
}

# Prints a digest of what makes a new version of the functions: their code, the template, and the parameters that reach them.
release() {
    local name
    {
        cat "$HERE/template.yaml"
        for name in BucketName OutputBucketName Source {Submit,Complete,Signer,Owner,Reconcile}Code RulesOff Auth{Issuer,Audience,JwksUrl} {Signing,Jwt}SecretArn \
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
    deploy_template "$STACK" template.yaml --s3-bucket "$CODE_BUCKET" --s3-prefix templates --capabilities CAPABILITY_IAM \
        --parameter-overrides "${pairs[@]}"
    [ "$PLAN" = yes ] || read_stack
}

# Changes what a stack cannot change in a bucket that it does not own.
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

# Uploads the page. A file that is stored compressed gets its plain name. Names stay the same when their content changes, so an
# edge has to ask each time: without no-cache it would keep them for a day.
upload_page() {
    local file
    step "uploading the page"
    change s3 sync --no-progress --cache-control no-cache --exclude '*.gz' "$ROOT/web" "s3://$BUCKET/web"
    for file in "$ROOT"/web/*.js.gz; do
        change s3api put-object --bucket "$BUCKET" --key "web/$(basename "$file" .gz)" --body "$file" \
            --cache-control no-cache --content-type "text/javascript" --content-encoding gzip
    done
}

# Deploys one function alone with cargo-lambda; role and variables are the stack's.
deploy_only() {
    [[ " ${FUNCTIONS[*]} " == *" $ONLY "* ]] || die "there is no function '$ONLY': it is one of ${FUNCTIONS[*]}"
    need_stack
    build binary "$ONLY"
    local config role memory timeout call
    config=$(aws_call lambda get-function-configuration --function-name "$STACK-$ONLY")
    read -r role memory timeout < <(jq -r '"\(.Role) \(.MemorySize) \(.Timeout)"' <<<"$config")
    call=(cargo lambda deploy --region "$REGION" --binary-name "$ONLY" --lambda-dir "$PACKAGES"
        --iam-role "$role" --memory "$memory" --timeout "$timeout" --alias live "$STACK-$ONLY")
    change_in "$ROOT/functions/$ONLY" "${call[@]}"
    [ "$PLAN" = yes ] || say "$STACK-$ONLY is live; the next infra/deploy.sh updates the whole stack"
}

finish() {
    if [ "$PLAN" = yes ]; then
        [ "$SMOKE" = no ] || say "would run: infra/smoke.sh --stack $STACK --region $REGION"
        say "nothing was changed"
        return
    fi
    [ "$SMOKE" = no ] || "$HERE/smoke.sh" --stack "$STACK" --region "$REGION"
    [ -z "$(parameter DomainName)" ] || [ -n "$(parameter HostedZoneId)" ] ||
        say "DNS: $(parameter DomainName) has to be a CNAME (or ALIAS) of $(output DistributionDomain)"
    say "ready: $(output Url)/ · upload to s3://$BUCKET/input/ · dashboard: $(output Dashboard)"
}

deploy() {
    read_options "$@"
    check_account
    [ -z "$ONLY" ] || { deploy_only; return; }
    [ "$SMOKE" = no ] || need curl ffmpeg
    read_stack
    check_status
    if [[ $STATUS == ROLLBACK_COMPLETE || $STATUS == ROLLBACK_FAILED ]]; then
        step "an earlier creation failed and left an empty stack: removing it"
        delete_stack "$STACK"
        use_stack '{}'
    fi
    check_parameters
    check_quotas
    choose_buckets
    check_replica
    choose_price_class
    ensure_keys
    build zip "${FUNCTIONS[@]}"
    make_code_bucket
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
