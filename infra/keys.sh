#!/usr/bin/env bash
# The keys of a stack: they sign what viewers may watch. Private halves exist in Secrets Manager and nowhere else.
#
#   infra/keys.sh [show]         which keys there are, which one signs, and what to do next
#   infra/keys.sh ensure         makes the signing key and the key of the viewers' tokens, if missing (deploy.sh does)
#   infra/keys.sh rotate         adds a second key, waits until CloudFront knows it everywhere, signs with it
#   infra/keys.sh retire         takes the old key away, 7 days after a rotation, when nothing it signed is valid
#
# Options: --stack NAME (vod)  --region NAME  --algorithm ES256|RS256  --now (retire without the 7 days: films stop)
#          --plan (show each call, change nothing)  --help
# Stopped half-way, each of them goes on where it was when it is run again.

# shellcheck source=infra/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# A signed link is good for 7 days at most.
readonly LONGEST_LINK=$((7 * 86400))
# A key group reaches all edges within minutes.
readonly SPREAD_SECONDS=${VOD_SPREAD_SECONDS:-300}
ALGORITHM=ES256
NOW=no

# A new private key as PEM (PKCS#8).
new_private_key() {
    case $ALGORITHM in
        ES256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null ;;
        RS256) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 2>/dev/null ;;
        *) die "the algorithm is ES256 or RS256, not '$ALGORITHM'" ;;
    esac
}

# The keyring with one key more: its id is CloudFront's to give, so it waits under a name of its own.
add_key() {
    local keyring=$1 private public
    private=$(new_private_key)
    public=$(openssl pkey -pubout <<<"$private")
    # printf is a builtin: what it prints is in no process list.
    jq -c --arg id "pending-$(date -u +%Y%m%d%H%M%S)" --arg algorithm "$ALGORITHM" --arg public "$public" \
        --rawfile private <(printf '%s\n' "$private") \
        '.keys += [{id: $id, algorithm: $algorithm, private_pem: $private, public_pem: ($public + "\n")}]
         | .active //= $id' <<<"$keyring"
}

read_keyring() { KEYRING=$(secret_value "$SIGNING_SECRET" || echo '{"keys":[]}'); }
write_keyring() {
    secret_put "$SIGNING_SECRET" "Keys that sign what viewers of the stack $STACK may watch" <<<"$1"
    [ "$PLAN" = yes ] || KEYRING=$1
}

ensure() {
    read_keyring
    if [ "$(jq '.keys | length' <<<"$KEYRING")" = 0 ]; then
        step "making the signing key ($ALGORITHM)"
        write_keyring "$(add_key '{"keys":[]}')"
    fi
    if ! secret_value "$JWT_SECRET" >/dev/null; then
        step "making the key of the viewers' tokens"
        openssl rand -hex 32 | secret_put "$JWT_SECRET" "HS256 key of the tokens of viewers of the stack $STACK"
    fi
}

# Which slot of the stack holds a public key: One, Two or nothing.
slot_of() {
    local slot
    for slot in One Two; do
        if [ "$(parameter "PublicKey$slot" | tr -d '[:space:]')" = "$(tr -d '[:space:]' <<<"$1")" ]; then
            echo "$slot"
            return
        fi
    done
}

# Gives the keys of the ring the ids that CloudFront has given them.
settle() {
    local index slot id fixed=$KEYRING
    for index in $(jq -r '.keys | keys[]' <<<"$KEYRING"); do
        slot=$(slot_of "$(jq -r --argjson i "$index" '.keys[$i].public_pem' <<<"$KEYRING")")
        [ -n "$slot" ] || continue
        id=$(output "Key${slot}Id")
        fixed=$(jq -c --argjson i "$index" --arg id "$id" \
            '.keys[$i].id as $old | .keys[$i].id = $id | if .active == $old then .active = $id else . end' <<<"$fixed")
    done
    [ "$fixed" = "$(jq -c . <<<"$KEYRING")" ] || write_keyring "$fixed"
}

show() {
    read_keyring
    jq -r '.active as $active | .keys[] | "\(.id)  \(.algorithm)  \(if .id == $active then "signs" else "verifies" end)"' <<<"$KEYRING"
    case $(jq -r '[(.keys | length), (.keys[-1].id == .active)] | join(" ")' <<<"$KEYRING") in
        "0 "*) say "no keys yet: infra/deploy.sh makes them" ;;
        "1 "*) say "next: nothing; 'keys.sh rotate' when you want a new key" ;;
        "2 false") say "next: 'keys.sh rotate' again, a rotation has been interrupted" ;;
        *) say "next: 'keys.sh retire', 7 days after the rotation" ;;
    esac
}

rotate() {
    need_stack
    read_keyring
    case $(jq -r '[(.keys | length), (.keys[-1].id == .active)] | join(" ")' <<<"$KEYRING") in
        "0 "*) die "the stack has no keys: run infra/deploy.sh first" ;;
        "1 "*)
            step "making a second key ($ALGORITHM)"
            write_keyring "$(add_key "$KEYRING")"
            ;;
        "2 false") step "going on with a rotation that was interrupted" ;;
        *) die "both slots are full since the last rotation: run 'infra/keys.sh retire' first" ;;
    esac
    if [ "$PLAN" = yes ]; then
        plan_line cloudformation update-stack --stack-name "$STACK" --use-previous-template --parameters "the free slot = the new public key"
        say "would wait $SPREAD_SECONDS s, then make the new key the active one in $SIGNING_SECRET"
        return
    fi
    local public free
    public=$(jq -r '.keys[-1].public_pem' <<<"$KEYRING")
    if [ -z "$(slot_of "$public")" ]; then
        free=One
        [ -z "$(parameter PublicKeyOne)" ] || free=Two
        [ -z "$(parameter "PublicKey$free")" ] || die "both key slots of the stack are full: run 'infra/keys.sh retire' first"
        step "giving CloudFront the public half (slot $free)"
        set_parameters "PublicKey$free=$public"
    fi
    settle
    step "waiting $SPREAD_SECONDS s until every edge knows it"
    sleep "$SPREAD_SECONDS"
    write_keyring "$(jq -c '.active = .keys[-1].id' <<<"$KEYRING")"
    aws_call secretsmanager tag-resource --secret-id "$SIGNING_SECRET" --tags "Key=vod:activated,Value=$(date -u +%s)" >/dev/null
    say "the new key signs. What the old one signed stays good; run 'infra/keys.sh retire' after 7 days."
}

retire() {
    need_stack
    read_keyring
    [ "$(jq -r '[(.keys | length), (.keys[-1].id == .active)] | join(" ")' <<<"$KEYRING")" = "2 true" ] ||
        die "there is no old key to retire: 'infra/keys.sh show' tells what there is"
    local since age slot
    since=$(aws_call secretsmanager describe-secret --secret-id "$SIGNING_SECRET" |
        jq -r '.Tags[]? | select(.Key == "vod:activated") | .Value')
    age=$(($(date -u +%s) - ${since:-$(date -u +%s)}))
    [ "$NOW" = yes ] || [ "$age" -ge "$LONGEST_LINK" ] ||
        die "links of the old key may still be good for $(((LONGEST_LINK - age + 86399) / 86400)) days: wait, or say --now and stop them"
    slot=$(slot_of "$(jq -r '.keys[0].public_pem' <<<"$KEYRING")")
    if [ -n "$slot" ]; then
        step "taking the old key from CloudFront (slot $slot)"
        set_parameters "PublicKey$slot="
    fi
    step "taking it from the secret"
    write_keyring "$(jq -c 'del(.keys[0])' <<<"$KEYRING")"
}

main() {
    common_options "$@"
    set -- "${REST[@]}"
    local what=show
    while [ $# -gt 0 ]; do
        case $1 in
            show | ensure | rotate | retire) what=$1 ;;
            --algorithm) ALGORITHM=${2:?--algorithm needs ES256 or RS256} && shift ;;
            --now) NOW=yes ;;
            *) die "unknown argument '$1': see infra/keys.sh --help" ;;
        esac
        shift
    done
    [[ $ALGORITHM =~ ^(ES256|RS256)$ ]] || die "the algorithm is ES256 or RS256, not '$ALGORITHM'"
    check_account
    "$what"
}

# deploy.sh takes the functions and calls them itself.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    main "$@"
fi
