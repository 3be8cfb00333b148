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

# Reads the names of the buckets from the stack, or, if an earlier run was stopped after the stack was gone, from the tags that
# deploy.sh has written.
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
    local keys="after 7 days (a deploy until then restores them)"
    [ "$KEYS" = keep ] || keys="at once and for good"
    say "stack $STACK in $REGION (account $ACCOUNT) is $STATUS"
    say "goes:  all resources of the stack: functions, queues, distribution, roles, alarms, logs"
    say "goes:  the bucket of the code, $CODE_BUCKET"
    [ "$WAF" = '{}' ] || say "goes:  the web ACL, stack $WAF_STACK in us-east-1"
    say "goes:  the keys $SIGNING_SECRET and $JWT_SECRET, $keys"
    if [ "$FILMS" = delete ]; then
        say "goes:  EVERY FILM, output and record in $BUCKET"
        [ -z "$OUTPUT_BUCKET" ] || say "goes:  EVERY OUTPUT in $OUTPUT_BUCKET"
    else
        say "stays: bucket $BUCKET with every film, output and record (--delete-films takes them)"
        [ -z "$OUTPUT_BUCKET" ] ||
            say "stays: bucket $OUTPUT_BUCKET with every output (--delete-films takes them; a new deploy needs --output-bucket $OUTPUT_BUCKET)"
    fi
    [ -z "$REPLICA" ] || say "stays: bucket $REPLICA with the copies of the uploads, in any case"
    [ "$MODE" = create ] || say "stays: bucket $BUCKET itself, and its own settings; the stack's settings are removed"
    say "stays: MediaConvert's list of past jobs (AWS keeps it for 3 months)"
}

# there BUCKET: whether it is named and exists.
there() { [ -n "$1" ] && bucket_exists "$1"; }

# release BUCKET SETTING...: removes the stack's part of these settings.
release() {
    local setting
    there "$1" || return 0
    step "removing the stack's settings from $1"
    for setting in "${@:2}"; do
        "merge_$setting" "$1" ""
    done
}

delete_bucket() {
    empty_bucket "$1"
    change s3api delete-bucket --bucket "$1"
}

# delete_films BUCKET MODE FOLDER...: other objects in a bucket that the stack does not own are never deleted.
delete_films() {
    local folder
    there "$1" || return 0
    step "deleting every film and output in $1"
    [ "$2" != create ] || { delete_bucket "$1"; return; }
    for folder in "${@:3}"; do
        empty_bucket "$1" "$folder/"
    done
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
    options --yes:YES=yes --delete-films:FILMS=delete --delete-keys:KEYS=delete -- "$@"
    check_account
    read_stack
    [ "$STATUS" = DELETE_FAILED ] || check_status
    read_names
    WAF=$(waf_stack)
    show
    [ "$PLAN$YES" != nono ] || die "nothing was changed: pass --yes to do this, or --plan to see each call"
    [ "$MODE" = create ] || release "$BUCKET" notification policy lifecycle replication cors
    [ "$OUTPUT_MODE" = create ] || release "$OUTPUT_BUCKET" policy lifecycle
    if [ "$STATUS" != NONE ]; then
        step "deleting stack $STACK (CloudFront takes some minutes)"
        delete_stack "$STACK"
    fi
    delete_waf
    # A bucket of the stack's own stays with its films, and with the settings of CloudFormation: a notification to a queue and a
    # replication under a role that are gone now (S3 would refuse to change a configuration that names them), and a CORS rule
    # for the distribution's name. Not before: a run that is stopped here must not leave a stack that gets no upload.
    [ "$MODE$FILMS" != createkeep ] || release "$BUCKET" notification replication cors
    if [ "$FILMS" = delete ]; then
        delete_films "$BUCKET" "$MODE" input output catalog ops web
        delete_films "$OUTPUT_BUCKET" "$OUTPUT_MODE" output
    fi
    if there "$CODE_BUCKET"; then
        step "deleting $CODE_BUCKET"
        delete_bucket "$CODE_BUCKET"
    fi
    delete_keys
    [ "$PLAN" = yes ] || say "done"
}

main "$@"
