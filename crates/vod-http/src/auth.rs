//! Checks bearer tokens: JWT with HS256 under a shared secret, or RS256 and ES256 under a provider's key set.

use http::HeaderMap;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::{Deserialize, Deserializer};
use vod_core::asset;

use crate::jwks::{Jwks, NotASet};
use crate::problem::Problem;

/// How far the clocks of issuer and verifier may differ, in seconds.
const LEEWAY: i64 = 30;

/// Shortest HS256 key, in bytes: that of the hash, as RFC 7518 section 3.2 asks.
const KEY_MIN: usize = 32;

/// Longest token that is looked at, in bytes.
const TOKEN_MAX: usize = 8_192;

/// What a token may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Links to watch.
    Playback,
    /// The records.
    Library,
    /// Uploads.
    Upload,
    /// Everything.
    Admin,
}

impl Scope {
    /// As it stands in the claim.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Playback => "playback",
            Self::Library => "library",
            Self::Upload => "upload",
            Self::Admin => "admin",
        }
    }
}

/// What else a token must say.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`. Amazon Cognito's access tokens have none: there it is the app client's id (`client_id`).
    pub audience: Option<String>,
}

/// A key that is too short to keep anybody out.
#[derive(Debug, thiserror::Error)]
#[error("the token key has {0} bytes; HS256 needs {KEY_MIN} or more")]
pub struct ShortKey(usize);

/// Checks tokens.
pub struct Auth {
    keys: Keys,
    /// All but the algorithm, which is the key's, and the audience.
    validation: Validation,
    audience: Option<String>,
}

/// What tokens are signed with.
enum Keys {
    Secret(DecodingKey),
    Set(Box<Jwks>),
}

impl Auth {
    /// Tokens signed with HMAC-SHA-256 under `secret`, and with no other algorithm.
    pub fn hs256(secret: &str, expected: Expected) -> Result<Self, ShortKey> {
        let secret = secret.trim().as_bytes();
        if secret.len() < KEY_MIN {
            return Err(ShortKey(secret.len()));
        }
        Ok(Self::new(
            Keys::Secret(DecodingKey::from_secret(secret)),
            expected,
        ))
    }

    /// Tokens signed with RS256 or ES256 under a key of the set at `url`. Such a key signs for others as well, so
    /// issuer and audience should both be expected.
    pub fn jwks(url: &str, expected: Expected) -> Result<Self, NotASet> {
        Ok(Self::with_jwks(Jwks::new(url)?, expected))
    }

    pub(crate) fn with_jwks(jwks: Jwks, expected: Expected) -> Self {
        Self::new(Keys::Set(Box::new(jwks)), expected)
    }

    fn new(keys: Keys, expected: Expected) -> Self {
        Self {
            keys,
            audience: expected.audience.clone(),
            validation: validation(expected),
        }
    }

    /// The viewer behind a request, if its token is good and has `scope`.
    pub async fn admit(&self, headers: &HeaderMap, now: Timestamp, scope: Scope) -> Result<Viewer, Problem> {
        let token =
            bearer(headers).ok_or_else(|| Problem::unauthorized("Bearer", "a bearer token is required"))?;
        if token.len() > TOKEN_MAX {
            return Err(invalid());
        }
        let claims = self.claims(token).await?;
        let for_us = self
            .audience
            .as_deref()
            .is_none_or(|audience| claims.is_for(audience));
        if !for_us || !claims.is_current(now.as_second()) {
            return Err(invalid());
        }
        if !claims.may(scope) {
            return Err(
                Problem::forbidden(format!("the token lacks the scope `{}`", scope.as_str()))
                    .authenticate(r#"Bearer error="insufficient_scope""#),
            );
        }
        Ok(Viewer {
            assets: claims.assets,
            subject: claims.sub,
            upload_prefix: claims.upload_prefix,
            max_bytes: claims.max_bytes,
        })
    }

    /// What a token says that one of our keys signed.
    async fn claims(&self, token: &str) -> Result<Claims, Problem> {
        let found;
        let (key, algorithm) = match &self.keys {
            Keys::Secret(key) => (key, Algorithm::HS256),
            Keys::Set(set) => {
                let header = decode_header(token).map_err(|_| invalid())?;
                if ![Algorithm::RS256, Algorithm::ES256].contains(&header.alg) {
                    return Err(invalid());
                }
                let key = set.find(header.kid.as_deref(), header.alg).await;
                let key = key.map_err(|error| Problem::unavailable("the token keys", &*error))?;
                found = key.ok_or_else(invalid)?;
                (&found.public, found.algorithm)
            }
        };
        let mut validation = self.validation.clone();
        validation.algorithms = vec![algorithm];
        let token = decode::<Claims>(token, key, &validation).map_err(|_| invalid())?;
        if asks_for_more(&token.header) {
            return Err(invalid());
        }
        Ok(token.claims)
    }
}

/// Whether a header names an extension, which the recipient must understand or else refuse the token (RFC 7515
/// section 4.1.11). None is understood here, nor is a payload without base64url (RFC 7797).
fn asks_for_more(header: &Header) -> bool {
    header.crit.is_some() || header.extras.inner().contains_key("b64")
}

fn validation(expected: Expected) -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    // Times are compared with our own clock, in `Claims::is_current`.
    validation.validate_exp = false;
    // The audience is looked at in `Claims::is_for`.
    validation.validate_aud = false;
    if let Some(issuer) = expected.issuer {
        validation.set_issuer(&[issuer]);
        validation.required_spec_claims.insert("iss".to_owned());
    }
    validation
}

fn invalid() -> Problem {
    Problem::unauthorized(r#"Bearer error="invalid_token""#, "the token is not valid")
}

/// Origin access control signs requests to the function and overwrites `authorization`, so the edge passes the
/// viewer's own on under another name, and overwrites what a client sent under that name.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers
        .get("x-viewer-authorization")
        .or_else(|| headers.get(http::header::AUTHORIZATION))?;
    let (kind, token) = value.to_str().ok()?.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whom a token let in, and what it may see.
#[derive(Debug, Clone)]
pub struct Viewer {
    assets: Option<Vec<String>>,
    /// Whose token it is (`sub`).
    pub subject: Option<String>,
    /// The folder below `input/` that its uploads go to (`upload_prefix`).
    pub upload_prefix: Option<String>,
    /// The largest file that it may upload, in bytes (`max_bytes`).
    pub max_bytes: Option<u64>,
}

impl Viewer {
    /// Whether the token's patterns, if it has any, cover this asset.
    pub fn sees(&self, asset: &str) -> bool {
        self.assets
            .as_ref()
            .is_none_or(|patterns| patterns.iter().any(|pattern| matches(pattern, asset)))
    }

    /// What ids begin with that the viewer may see, of those that begin with `prefix`: in order, and none within
    /// another. Nothing outside needs to be looked at, so how long an answer takes tells nothing of it.
    pub fn reaches(&self, prefix: &str) -> Vec<String> {
        let Some(patterns) = &self.assets else {
            return vec![prefix.to_owned()];
        };
        let literals = patterns
            .iter()
            .map(|pattern| pattern.split('*').next().unwrap_or_default());
        let mut reaches: Vec<&str> = literals
            .filter_map(|literal| {
                if literal.starts_with(prefix) {
                    Some(literal)
                } else {
                    prefix.starts_with(literal).then_some(prefix)
                }
            })
            .filter(|reach| may_begin_an_id(reach))
            .collect();
        reaches.sort_unstable();
        reaches.dedup_by(|next, kept| next.starts_with(*kept));
        reaches.into_iter().map(str::to_owned).collect()
    }

    /// Whether the token is limited to some assets.
    pub fn is_limited(&self) -> bool {
        self.assets.is_some()
    }
}

fn may_begin_an_id(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= asset::MAX_LEN && text.bytes().all(is_part)
}

/// `*` is any number of characters, and the only wildcard.
fn matches(pattern: &str, asset: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = asset.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(previous) = last.replace(piece) {
            let Some(at) = rest.find(previous) else {
                return false;
            };
            rest = &rest[at + previous.len()..];
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[derive(Deserialize)]
struct Claims {
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    aud: Option<Names>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    token_use: Option<String>,
    #[serde(default)]
    scope: Names,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    assets: Option<Vec<String>>,
    #[serde(default, deserialize_with = "present")]
    upload_prefix: Option<String>,
    #[serde(default, deserialize_with = "present")]
    max_bytes: Option<u64>,
}

/// A claim that limits the token has its type wherever it is present. Identity providers write null for an attribute that
/// a user lacks; read as absent, it would open everything.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(claim: D) -> Result<Option<T>, D::Error> {
    T::deserialize(claim).map(Some)
}

impl Claims {
    /// Whether it was made for us. A token with another audience is not, whoever its client is.
    fn is_for(&self, audience: &str) -> bool {
        match &self.aud {
            Some(Names::One(one)) => one == audience,
            Some(Names::List(list)) => list.iter().any(|one| one == audience),
            None => {
                self.token_use.as_deref() == Some("access") && self.client_id.as_deref() == Some(audience)
            }
        }
    }

    /// RFC 8693 has scopes in one string with spaces; some issuers write an array.
    fn may(&self, scope: Scope) -> bool {
        let fits = |name: &str| name == scope.as_str() || name == Scope::Admin.as_str();
        match &self.scope {
            Names::One(text) => text.split_ascii_whitespace().any(fits),
            Names::List(list) => list.iter().any(|name| fits(name)),
        }
    }

    fn is_current(&self, now: i64) -> bool {
        now < self.exp.saturating_add(LEEWAY) && self.nbf.is_none_or(|nbf| now >= nbf.saturating_sub(LEEWAY))
    }
}

/// One string, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    One(String),
    List(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

#[cfg(test)]
mod tests;
