use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const NOW: i64 = 1_767_225_600;

fn token(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(secret.as_bytes()),
    )
    .unwrap()
}

async fn admit(auth: &Auth, value: &str, scope: Scope) -> Result<Viewer, u16> {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", value.parse().unwrap());
    let now = Timestamp::from_second(NOW).unwrap();
    auth.admit(&headers, now, scope)
        .await
        .map_err(|problem| problem.status().as_u16())
}

#[tokio::test]
async fn good_and_bad_tokens() {
    let auth = Auth::hs256(SECRET, Expected::default()).unwrap();
    let good = json!({"exp": NOW + 60, "scope": "playback library"});
    let hs256 = |claims: &Value| format!("Bearer {}", token(Algorithm::HS256, SECRET, claims));
    assert!(admit(&auth, &hs256(&good), Scope::Playback).await.is_ok());
    assert!(
        admit(&auth, &hs256(&good).replace("Bearer", "bearer"), Scope::Library)
            .await
            .is_ok()
    );
    assert_eq!(admit(&auth, &hs256(&good), Scope::Upload).await.unwrap_err(), 403);
    assert!(
        admit(
            &auth,
            &hs256(&json!({"exp": NOW - 29, "scope": ["admin"]})),
            Scope::Upload
        )
        .await
        .is_ok()
    );
    assert!(
        admit(
            &auth,
            &hs256(&json!({"exp": NOW + 9, "nbf": NOW + 30, "scope": "admin"})),
            Scope::Admin
        )
        .await
        .is_ok()
    );
    let none = "eyJhbGciOiJub25lIn0.eyJleHAiOjk5OTk5OTk5OTksInNjb3BlIjoiYWRtaW4ifQ.";
    for bad in [
        hs256(&json!({"exp": NOW - 30, "scope": "playback"})),
        hs256(&json!({"exp": NOW + 60, "nbf": NOW + 31, "scope": "playback"})),
        hs256(&json!({"scope": "playback"})),
        hs256(&json!({"exp": "soon", "scope": "playback"})),
        hs256(&json!({"exp": NOW + 60, "scope": "playback", "assets": "all"})),
        hs256(&json!({"exp": NOW + 60, "scope": "playback", "assets": null})),
        hs256(&json!({"exp": NOW + 60, "scope": "playback", "assets": [null]})),
        hs256(&json!({"exp": NOW + 60, "scope": null})),
        format!("Bearer {}", token(Algorithm::HS512, SECRET, &good)),
        format!(
            "Bearer {}",
            token(Algorithm::HS256, "another key of thirty-two bytes!!", &good)
        ),
        format!("Bearer {none}"),
        format!("Bearer {none}{}", "x".repeat(TOKEN_MAX)),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        format!("Basic {}", token(Algorithm::HS256, SECRET, &good)),
        format!("{}x", hs256(&good)),
    ] {
        assert_eq!(
            admit(&auth, &bad, Scope::Playback).await.unwrap_err(),
            401,
            "{bad}"
        );
    }
    assert_eq!(
        admit(&auth, &hs256(&json!({"exp": NOW + 60})), Scope::Playback)
            .await
            .unwrap_err(),
        403
    );
}

#[tokio::test]
async fn a_header_that_names_an_extension_is_refused() {
    let auth = Auth::hs256(SECRET, Expected::default()).unwrap();
    let claims = json!({"exp": NOW + 60, "scope": "playback"});
    for (members, fits) in [
        (json!({}), true),
        (json!({"kid": "one", "x-unknown": 1}), true),
        (json!({"crit": ["exp"]}), false),
        (json!({"crit": ["x-unknown"], "x-unknown": 1}), false),
        (json!({"crit": []}), false),
        (json!({"crit": "exp"}), false),
        (json!({"crit": ["b64"], "b64": false}), false),
        (json!({"b64": false}), false),
        (json!({"b64": true}), false),
    ] {
        let mut header = json!({"alg": "HS256", "typ": "JWT"});
        header
            .as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        let signed = signed(&header, &claims);
        let admitted = admit(&auth, &signed, Scope::Playback).await;
        assert_eq!(admitted.map(|_| ()).err(), (!fits).then_some(401), "{members}");
    }
}

/// A token of this very header, with a good signature.
fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("Bearer {message}.{signature}")
}

#[tokio::test]
async fn issuer_and_audience() {
    let expected = Expected {
        issuer: Some("us".to_owned()),
        audience: Some("vod".to_owned()),
    };
    let auth = Auth::hs256(SECRET, expected).unwrap();
    let open = Auth::hs256(SECRET, Expected::default()).unwrap();
    for (claims, fits) in [
        (json!({"iss": "us", "aud": "vod"}), true),
        (json!({"iss": "us", "aud": ["x", "vod"]}), true),
        (json!({"iss": "us", "aud": "x"}), false),
        (json!({"iss": "them", "aud": "vod"}), false),
        (json!({"iss": "us"}), false),
        (json!({"aud": "vod"}), false),
        // Amazon Cognito: in access tokens the client stands in for the audience, and in no others.
        (
            json!({"iss": "us", "client_id": "vod", "token_use": "access"}),
            true,
        ),
        (
            json!({"iss": "us", "client_id": "x", "token_use": "access"}),
            false,
        ),
        (json!({"iss": "us", "client_id": "vod", "token_use": "id"}), false),
        (json!({"iss": "us", "client_id": "vod"}), false),
        (
            json!({"iss": "us", "client_id": "vod", "token_use": "access", "aud": "x"}),
            false,
        ),
    ] {
        let mut claims = claims;
        claims["exp"] = (NOW + 60).into();
        claims["scope"] = "playback".into();
        let bearer = format!("Bearer {}", token(Algorithm::HS256, SECRET, &claims));
        assert_eq!(
            admit(&auth, &bearer, Scope::Playback).await.is_ok(),
            fits,
            "{claims}"
        );
        assert!(admit(&open, &bearer, Scope::Playback).await.is_ok());
    }
}

#[test]
fn the_viewers_own_header_comes_first() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "AWS4-HMAC-SHA256 Credential=x".parse().unwrap());
    assert_eq!(bearer(&headers), None);
    headers.insert("x-viewer-authorization", "Bearer abc".parse().unwrap());
    assert_eq!(bearer(&headers), Some("abc"));
}

#[test]
fn patterns() {
    for (pattern, asset, fits) in [
        ("film-1", "film-1", true),
        ("film-1", "film-12", false),
        ("film-*", "film-12", true),
        ("*", "film", true),
        ("*-2", "film-12-2", true),
        ("f*l*1", "film-1", true),
        ("f*ilm*ilm", "film", false),
        ("", "film", false),
        ("f**1", "film-1", true),
        ("film-1*film-1", "film-1", false),
    ] {
        assert_eq!(matches(pattern, asset), fits, "{pattern} {asset}");
    }
}

#[test]
fn a_short_key_is_refused() {
    assert!(Auth::hs256("short", Expected::default()).is_err());
}
