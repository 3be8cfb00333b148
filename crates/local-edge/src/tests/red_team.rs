//! One test per attempt to get what one should not get, over real sockets: edge, signer and S3.
//!
//! Each says which answer it wants; [`refused`] also looks for what an answer must never hold.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use vod_core::cloudfront::{Policy, Signature, encoding, sign};
use vod_core::grant::Grant;

use crate::testing::{Answer, NOW, SECRET, TestEdge, keyring, token, token_with};

/// `attempt!(name, status "words of the answer", |edge| what is tried)`
macro_rules! attempt {
    ($name:ident, $status:literal $words:literal, |$edge:ident| $answer:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let $edge = &TestEdge::new().await;
            let answer: Answer = $answer.await;
            refused(&answer, $status, $words);
        }
    };
}

mod grants;
mod hosts;
mod logs;
mod parameters;
mod paths;
mod shapes;
mod signatures;
mod tokens;

/// The answer is a clear no, and holds nothing of ours.
#[track_caller]
fn refused(answer: &Answer, status: u16, words: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{text}");
    assert!(text.contains(words), "`{words}` is not in: {text}");
    harmless(answer);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let cacheable = answer.header("cache-control");
    assert!(
        matches!(cacheable, "" | "no-store" | "private, no-store"),
        "{cacheable}"
    );
}

#[track_caller]
fn harmless(answer: &Answer) {
    let text = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    for leak in [
        SECRET,
        "BEGIN",
        "Signature=",
        "AWS4-HMAC",
        "x-amz-",
        "panicked",
        "src/",
        "/tmp",
        "SQL",
        "lease",
    ] {
        assert!(!text.contains(leak), "`{leak}` leaks: {text}");
    }
    // What lies in the outputs and behind them.
    for content in ["0123456789", "mp4\"", "secret"] {
        assert_ne!(String::from_utf8_lossy(&answer.body), content);
    }
}

fn playback(edge: &TestEdge) -> String {
    format!("/api/playback?asset={}", edge.asset)
}

fn bearer(header: &Header, claims: &Value, key: &[u8]) -> String {
    let key = EncodingKey::from_secret(key);
    format!("Bearer {}", jsonwebtoken::encode(header, claims, &key).unwrap())
}

fn claims() -> Value {
    json!({"exp": NOW + 60, "scope": "admin"})
}

/// A token that the right key signed, whose header is written by hand.
fn signed_token(header: &Value) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(&claims()));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();
    format!("Bearer {message}.{signature}")
}

/// A token whose header and claims are written by hand.
fn forged(header: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("Bearer {}.{}.{signature}", part(header), part(&claims()))
}

fn cookies(signature: &Signature) -> String {
    let pairs = signature.cookies();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("; ")
}

/// Any text as a policy, signed with the good key.
fn signed_text(policy: &str) -> Signature {
    let signature = keyring("K2P256").signing_key().sign(policy.as_bytes()).unwrap();
    Signature {
        policy: encoding::encode(policy.as_bytes()),
        signature: encoding::encode(&signature),
        ..any_signature()
    }
}

fn any_signature() -> Signature {
    sign(&keyring("K2P256"), &policy("*", NOW + 60)).unwrap()
}

fn policy(resource: &str, expires: i64) -> Policy {
    Policy {
        resource: Some(resource.to_owned()),
        expires,
        not_before: None,
        source: None,
    }
}

fn grant(edge: &TestEdge) -> String {
    Grant::from(edge.signature(NOW + 60)).encode()
}

fn play(edge: &TestEdge, grant: &str) -> String {
    format!("/play/{grant}/{}/default/hls/video.m3u8", edge.asset)
}
