#!/usr/bin/env bash
# Deletes a stack. Videos stay unless an option says otherwise.
#
#   infra/destroy.sh --plan       lists what goes and what stays
#   infra/destroy.sh --yes        does it
#
# --stack NAME (vod)  --region NAME
# --delete-films    also every film, output and record (the bucket itself too, if the stack made it; in one that was
#                   there before, input/, output/, catalog/, ops/ and web/, and nothing else)
# --delete-keys     also the signing keys at once; otherwise Secrets Manager keeps them for 7 days
# --help
# If it is interrupted, run it again to continue.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

YES=no
FILMS=keep
KEYS=keep

# Of the stack; or, when an earlier run was stopped after the stack had gone, as deploy.sh has written them down.
read_names() {
    local tags='[]'
    BUCKET=$(parameter BucketName)
    MODE=$(parameter BucketMode)
    OUTPUT_BUCKET=$(parameter OutputBucketName)
    OUTPUT_MODE=$(parameter OutputBucketMode)
    REPLICA=$(parameter ReplicaBucketName)
    [ -z "$BUCKET" ] || return 0
    tags=$(read_setting "the tags of bucket '$CODE_BUCKET', which say where the films are" "NoSuchTagSet|NoSuchBucket" \
        s3api get-bucket-tagging --bucket "$CODE_BUCKET" | jq -c .TagSet)
    read -r BUCKET MODE OUTPUT_BUCKET OUTPUT_MODE < <(jq -r --arg default "$STACK-$ACCOUNT-$REGION" '
        map({key: .Key, value: .Value}) | from_entries
        | [.["vod:bucket"] // $default, .["vod:bucket-mode"] // "create", .["vod:output-bucket"] // "", .["vod:output-mode"] // ""] | join(" ")' <<<"${tags:-[]}") || true
}

show() {
    say "stack $STACK in $REGION (account $ACCOUNT) is $STATUS"
    say "goes:  all resources of the stack: functions, queues, distribution, roles, alarms, logs"
    say "goes:  the bucket of the code, $CODE_BUCKET"
    [ "$WAF" = '{}' ] || say "goes:  the web ACL, stack $WAF_STACK in us-east-1"
    if [ "$KEYS" = delete ]; then
        say "goes:  the keys $SIGNING_SECRET and $JWT_SECRET, at once and for good"
    else
        say "goes:  the keys $SIGNING_SECRET and $JWT_SECRET, after 7 days (a deploy until then restores them)"
    fi
    if [ "$FILMS" = delete ]; then
        say "goes:  EVERY FILM, output and record in $BUCKET"
    else
        say "stays: bucket $BUCKET with every film, output and record (--delete-films takes them)"
    fi
    if [ -n "$OUTPUT_BUCKET" ]; then
        if [ "$FILMS" = delete ]; then
            say "goes:  EVERY OUTPUT in $OUTPUT_BUCKET"
        else
            say "stays: bucket $OUTPUT_BUCKET with every output (--delete-films takes them; a new deploy needs --output-bucket $OUTPUT_BUCKET)"
        fi
    fi
    [ -n "$REPLICA" ] && say "stays: bucket $REPLICA with the copies of the uploads, in any case"
    [ "$MODE" = existing ] && say "stays: bucket $BUCKET itself, and its own settings; the stack's settings are removed"
    say "stays: MediaConvert's list of past jobs (AWS keeps it for 3 months)"
}

release_bucket() {
    [ "$MODE" = existing ] || return 0
    bucket_exists "$BUCKET" || return 0
    step "taking our settings out of $BUCKET"
    merge_notification "$BUCKET" ""
    merge_policy "$BUCKET" ""
    merge_lifecycle "$BUCKET"
    merge_replication "$BUCKET"
    merge_cors "$BUCKET"
}

release_output_bucket() {
    [[ -n $OUTPUT_BUCKET && $OUTPUT_MODE == existing ]] || return 0
    bucket_exists "$OUTPUT_BUCKET" || return 0
    step "taking our settings out of $OUTPUT_BUCKET"
    merge_policy "$OUTPUT_BUCKET" ""
    merge_lifecycle "$OUTPUT_BUCKET"
}

# A bucket of the stack's own stays with its films, and with what CloudFormation has set in it: a notification to a queue
# and a replication under a role that are gone now (S3 would refuse to change a configuration that names them), and a
# CORS rule for the distribution's name.
release_own_bucket() {
    [[ $MODE == create && $FILMS == keep ]] || return 0
    bucket_exists "$BUCKET" || return 0
    step "taking from $BUCKET what led to the stack"
    merge_notification "$BUCKET" ""
    merge_replication "$BUCKET"
    merge_cors "$BUCKET"
}

delete_stack() {
    [ "$STATUS" != NONE ] || return 0
    step "deleting stack $STACK (CloudFront takes some minutes)"
    change cloudformation delete-stack --stack-name "$STACK"
    [ "$PLAN" = yes ] || try_aws cloudformation wait stack-delete-complete --stack-name "$STACK" 2>/dev/null || stack_failed
}

delete_films() {
    [ "$FILMS" = delete ] || return 0
    bucket_exists "$BUCKET" || return 0
    step "deleting every film in $BUCKET"
    if [ "$MODE" = existing ]; then
        # Other objects in a bucket that the stack does not own are never deleted.
        local folder
        for folder in input output catalog ops web; do
            empty_bucket "$BUCKET" "$folder/"
        done
    else
        empty_bucket "$BUCKET"
        change s3api delete-bucket --bucket "$BUCKET"
    fi
}

delete_outputs() {
    [[ $FILMS == delete && -n $OUTPUT_BUCKET ]] || return 0
    bucket_exists "$OUTPUT_BUCKET" || return 0
    step "deleting every output in $OUTPUT_BUCKET"
    empty_bucket "$OUTPUT_BUCKET" output/
    [ "$OUTPUT_MODE" = existing ] || empty_bucket "$OUTPUT_BUCKET"
    [ "$OUTPUT_MODE" = existing ] || change s3api delete-bucket --bucket "$OUTPUT_BUCKET"
}

delete_code() {
    bucket_exists "$CODE_BUCKET" || return 0
    step "deleting $CODE_BUCKET"
    empty_bucket "$CODE_BUCKET"
    change s3api delete-bucket --bucket "$CODE_BUCKET"
}

delete_keys() {
    local name found how=(--recovery-window-in-days 7)
    [ "$KEYS" = keep ] || how=(--force-delete-without-recovery)
    for name in "$SIGNING_SECRET" "$JWT_SECRET"; do
        found=$(read_setting "secret '$name'" ResourceNotFoundException secretsmanager describe-secret --secret-id "$name")
        # One that waits for its deletion already cannot be deleted a second time.
        [ "$(jq 'has("DeletedDate")' <<<"$found")" = false ] || continue
        step "deleting $name"
        change secretsmanager delete-secret --secret-id "$name" "${how[@]}"
    done
}

main() {
    common_options "$@"
    set -- "${REST[@]}"
    while [ $# -gt 0 ]; do
        case $1 in
            --yes) YES=yes ;;
            --delete-films) FILMS=delete ;;
            --delete-keys) KEYS=delete ;;
            *) die "unknown argument '$1': see infra/destroy.sh --help" ;;
        esac
        shift
    done
    check_account
    read_stack
    [ "$STATUS" = DELETE_FAILED ] || check_status
    read_names
    WAF=$(waf_stack)
    show
    if [ "$PLAN" = no ] && [ "$YES" = no ]; then
        die "nothing was changed: pass --yes to do this, or --plan to see each call"
    fi
    release_bucket
    release_output_bucket
    delete_stack
    delete_waf
    # Not before: a run that is stopped here must not leave a stack that hears of no upload.
    release_own_bucket
    delete_films
    delete_outputs
    delete_code
    delete_keys
    [ "$PLAN" = yes ] || say "done"
}

main "$@"
