//! Bearer tokens for signer and owner.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;

/// The claims of a bearer token for the signer.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Grant<'a> {
    /// Scopes, separated by spaces.
    pub scope: &'a str,
    /// Patterns with `*` of the assets that it is valid for; empty for all.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub assets: &'a [String],
    /// Whose token it is (`sub`); without one it is `vod`.
    #[serde(skip)]
    pub subject: Option<&'a str>,
    /// The folder below `input/` to which it may upload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_prefix: Option<&'a str>,
    /// The largest file that it may upload, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// How long it is valid, in seconds from now.
    #[serde(skip)]
    pub seconds: i64,
    /// The issuer (`iss`), if the signer checks it.
    #[serde(rename = "iss", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<&'a str>,
    /// The audience (`aud`), if the signer checks it.
    #[serde(rename = "aud", skip_serializing_if = "Option::is_none")]
    pub audience: Option<&'a str>,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    #[serde(flatten)]
    grant: Grant<'a>,
    iat: i64,
    exp: i64,
}

/// A bearer token (HS256) for the signer that has this key.
pub fn token(key: &str, grant: &Grant<'_>) -> anyhow::Result<String> {
    let now = Timestamp::now();
    let until = now
        .checked_add(SignedDuration::from_secs(grant.seconds))
        .context("the token's time to live is too long")?;
    let claims = Claims {
        sub: grant.subject.unwrap_or("vod"),
        grant: *grant,
        iat: now.as_second(),
        exp: until.as_second(),
    };
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).context("failed to make a token")
}
