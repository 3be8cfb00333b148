//! Tokens under a key set that a local server hands out.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::auth::{Auth, Expected, Scope};

const NOW: i64 = 1_767_225_600;
const SET: &str = include_str!("../../testdata/jwks.json");
const P256: &str = include_str!("../../../../crates/vod-core/testdata/cloudfront/p256.pkcs8.pem");
const RSA: &str = include_str!("../../../../crates/vod-core/testdata/cloudfront/rsa2048.pkcs1.pem");

/// A provider: what it answers, and how often it was asked.
struct Provider {
    answer: RwLock<(u16, String)>,
    asked: AtomicUsize,
}

impl Provider {
    async fn start() -> (Arc<Self>, String) {
        let provider = Arc::new(Self {
            answer: RwLock::new((200, SET.to_owned())),
            asked: AtomicUsize::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/jwks.json", get(Self::answer))
            .with_state(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (provider, url)
    }

    #[expect(clippy::unused_async, reason = "a handler is asynchronous")]
    async fn answer(State(provider): State<Arc<Self>>) -> (StatusCode, String) {
        provider.asked.fetch_add(1, Ordering::Relaxed);
        let (status, text) = provider.answer.read().unwrap().clone();
        (StatusCode::from_u16(status).unwrap(), text)
    }

    fn says(&self, status: u16, text: &str) {
        *self.answer.write().unwrap() = (status, text.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn der(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

fn claims() -> Value {
    json!({"exp": NOW + 60, "iss": "https://id.example.org", "aud": ["vod"], "scope": "playback"})
}

fn token(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let key = match algorithm {
        Algorithm::ES256 => EncodingKey::from_ec_der(&der(P256)),
        Algorithm::RS256 | Algorithm::RS512 | Algorithm::PS256 => EncodingKey::from_rsa_der(&der(RSA)),
        _ => EncodingKey::from_secret(SET.as_bytes()),
    };
    let header = Header {
        kid: kid.map(str::to_owned),
        ..Header::new(algorithm)
    };
    encode(&header, claims, &key).unwrap()
}

fn expected() -> Expected {
    Expected {
        issuer: Some("https://id.example.org".to_owned()),
        audience: Some("vod".to_owned()),
    }
}

async fn admit(auth: &Auth, token: &str) -> u16 {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let now = Timestamp::from_second(NOW).unwrap();
    match auth.admit(&headers, now, Scope::Playback).await {
        Ok(_) => 200,
        Err(problem) => problem.status().as_u16(),
    }
}

#[tokio::test]
async fn tokens_of_both_kinds_are_admitted_and_the_set_is_fetched_once() {
    let (provider, url) = Provider::start().await;
    let auth = Auth::jwks(&url, expected()).unwrap();
    for (algorithm, kid) in [
        (Algorithm::RS256, Some("rsa-1")),
        (Algorithm::ES256, Some("ec-1")),
        (Algorithm::RS256, None),
        (Algorithm::ES256, None),
    ] {
        assert_eq!(
            admit(&auth, &token(algorithm, kid, &claims())).await,
            200,
            "{algorithm:?} {kid:?}"
        );
    }
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let (provider, url) = Provider::start().await;
    let auth = Auth::jwks(&url, expected()).unwrap();
    let good = token(Algorithm::RS256, Some("rsa-1"), &claims());
    let without = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        token(Algorithm::ES256, Some("ec-1"), &claims)
    };
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        token(Algorithm::ES256, Some("ec-1"), &claims)
    };
    let (head, signature) = good.rsplit_once('.').unwrap();
    for bad in [
        // The public key as an HMAC secret, and other algorithms of the same family.
        token(Algorithm::HS256, Some("rsa-1"), &claims()),
        token(Algorithm::HS256, None, &claims()),
        token(Algorithm::RS512, Some("rsa-1"), &claims()),
        token(Algorithm::PS256, Some("rsa-1"), &claims()),
        // A key of the other kind, an unknown one, and one that looks like a path.
        token(Algorithm::RS256, Some("ec-1"), &claims()),
        token(Algorithm::ES256, Some("rsa-1"), &claims()),
        token(Algorithm::RS256, Some("rsa-2"), &claims()),
        token(Algorithm::RS256, Some("../../etc/passwd"), &claims()),
        // Algorithm none, with and without the good signature.
        format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).unwrap()),
        format!(
            "eyJhbGciOiJub25lIn0.{}.{signature}",
            good.split('.').nth(1).unwrap()
        ),
        format!("{head}."),
        format!("{head}.AAAA"),
        with("iss", json!("https://evil.example.org")),
        with("aud", json!("other")),
        with("exp", json!(NOW - 31)),
        with("nbf", json!(NOW + 31)),
        without("iss"),
        without("aud"),
        without("exp"),
    ] {
        assert_eq!(admit(&auth, &bad).await, 401, "{bad}");
    }
    assert_eq!(admit(&auth, &good).await, 200);
    assert_eq!(provider.asked(), 1, "unknown keys made us ask again and again");
}

#[tokio::test]
async fn a_new_key_is_found_and_a_provider_that_is_gone_locks_nobody_out() {
    let (provider, url) = Provider::start().await;
    let (rsa, ec) = (
        token(Algorithm::RS256, Some("rsa-1"), &claims()),
        token(Algorithm::ES256, Some("ec-1"), &claims()),
    );
    let set: Value = serde_json::from_str(SET).unwrap();
    provider.says(200, &json!({"keys": [set["keys"][0]]}).to_string());
    let mut jwks = Jwks::new(&url).unwrap();
    jwks.retry = Duration::ZERO;
    let auth = Auth::with_jwks(jwks, expected());
    assert_eq!((admit(&auth, &rsa).await, admit(&auth, &ec).await), (200, 401));
    provider.says(200, SET);
    assert_eq!(admit(&auth, &ec).await, 200);
    for (status, text) in [(500, SET), (200, "<html>"), (200, &*"x".repeat(SIZE_MAX + 1))] {
        provider.says(status, text);
        assert_eq!(
            admit(&auth, &token(Algorithm::RS256, Some("rsa-2"), &claims())).await,
            401
        );
        assert_eq!((admit(&auth, &rsa).await, admit(&auth, &ec).await), (200, 200));
    }
}

#[tokio::test]
async fn without_any_key_it_is_our_fault_and_the_provider_is_spared() {
    let (provider, url) = Provider::start().await;
    provider.says(503, "");
    let auth = Auth::jwks(&url, expected()).unwrap();
    let good = token(Algorithm::RS256, Some("rsa-1"), &claims());
    for _ in 0..5 {
        assert_eq!(admit(&auth, &good).await, 503);
    }
    assert_eq!(provider.asked(), 1);
    // What is no token of such a set at all costs no fetch.
    assert_eq!(admit(&auth, "x.y.z").await, 401);
}

#[test]
fn keys_that_are_not_for_this_are_skipped() {
    let set: Value = serde_json::from_str(SET).unwrap();
    let (rsa, ec) = (&set["keys"][0], &set["keys"][1]);
    let with = |key: &Value, name: &str, value: &str| {
        let mut key = key.clone();
        key[name] = value.into();
        key
    };
    for (key, count) in [
        (rsa.clone(), 1),
        (ec.clone(), 1),
        (with(ec, "alg", "ES256"), 1),
        (with(rsa, "alg", "RS512"), 0),
        (with(rsa, "use", "enc"), 0),
        (with(rsa, "n", "AQAB"), 0),
        (with(rsa, "n", "***"), 0),
        (with(ec, "crv", "P-384"), 0),
        (
            json!({"kty": "oct", "k": "AAAA", "kid": "rsa-1", "alg": "HS256"}),
            0,
        ),
        (json!({"kty": "RSA"}), 0),
        (json!("x"), 0),
    ] {
        let text = json!({"keys": [key]}).to_string();
        assert_eq!(parse(text.as_bytes()).unwrap().len(), count, "{text}");
    }
    let many = json!({"keys": vec![rsa; KEYS_MAX + 1]}).to_string();
    assert_eq!(parse(many.as_bytes()).unwrap().len(), KEYS_MAX);
}

#[test]
fn sets_come_by_https() {
    for (url, fits) in [
        ("https://id.example.org/.well-known/jwks.json", true),
        ("http://127.0.0.1:8080/jwks.json", true),
        ("http://localhost/jwks.json", true),
        ("http://id.example.org/jwks.json", false),
        ("http://127.0.0.1.example.org/jwks.json", false),
        ("file:///etc/passwd", false),
        ("jwks.json", false),
        ("", false),
    ] {
        assert_eq!(Jwks::new(url).is_ok(), fits, "{url}");
    }
}
