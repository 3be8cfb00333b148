//! The public keys of an identity provider (Cognito, Auth0, Keycloak…): a JSON Web Key Set by URL, RFC 7517.
//!
//! A key decides which algorithm its tokens have, never the token; symmetric keys in a set are not looked at. The set
//! is fetched again when it is old and when a token names a key that it lacks, at most every [`RETRY`], so that
//! strangers cannot have us hammer the provider. While the provider cannot be reached, known keys stay good.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Uri;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::Mutex;
use tracing::warn;
use vod_aws::Wire;

/// How old a set may grow.
const TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// Between two fetches, whatever tokens say.
const RETRY: Duration = Duration::from_secs(30);
/// A viewer waits for the answer: a connection has 2 s, and the whole request 5 s.
const CONNECT: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest set, in bytes; those of large providers have a few thousand.
const SIZE_MAX: usize = 64 << 10;
/// Keys that are looked at.
const KEYS_MAX: usize = 64;
/// Bytes of an RSA modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1_024;

type Failure = Box<dyn Error + Send + Sync>;

/// Why a URL is not that of a key set.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an https url (http is for this machine only): `{0}`")]
pub struct NotASet(String);

/// A key set, fetched when needed.
pub(crate) struct Jwks {
    url: String,
    wire: Wire,
    /// The last set that was fetched. Read by every request, so never held across a fetch.
    known: RwLock<Arc<Known>>,
    /// When a fetch was last tried; held while one runs.
    tried: Mutex<Option<Instant>>,
    retry: Duration,
}

#[derive(Default)]
struct Known {
    keys: Vec<Key>,
    fetched: Option<Instant>,
}

/// A key that tokens are checked with.
#[derive(Clone)]
pub(crate) struct Key {
    id: Option<String>,
    pub(crate) algorithm: Algorithm,
    pub(crate) public: DecodingKey,
}

impl Jwks {
    pub(crate) fn new(url: &str) -> Result<Self, NotASet> {
        if !is_trusted(url) {
            return Err(NotASet(url.to_owned()));
        }
        Ok(Self {
            url: url.to_owned(),
            wire: Wire::new(CONNECT, SIZE_MAX),
            known: RwLock::default(),
            tried: Mutex::default(),
            retry: RETRY,
        })
    }

    /// The key that a token names, if it is one for the token's algorithm. A token without a name will do where there
    /// is one such key only. The error is that the provider cannot be reached and no key is known at all.
    pub(crate) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Option<Key>, Failure> {
        let known = self.known();
        let is_fresh = known.fetched.is_some_and(|at| at.elapsed() < TIME_TO_LIVE);
        if is_fresh && let Some(key) = known.find(id, algorithm) {
            return Ok(Some(key));
        }
        if let Err(error) = self.refresh(known.fetched).await {
            if self.known().fetched.is_none() {
                return Err(error);
            }
            warn!(error = %vod_aws::chain(&*error), "kept the old token keys");
        }
        Ok(self.known().find(id, algorithm))
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Fetches the set, unless somebody did so since `seen`, or it is too soon.
    async fn refresh(&self, seen: Option<Instant>) -> Result<(), Failure> {
        let mut tried = self.tried.lock().await;
        if self.known().fetched != seen {
            return Ok(());
        }
        if tried.is_some_and(|at| at.elapsed() < self.retry) {
            return match seen {
                Some(_) => Ok(()),
                None => Err("the last attempt failed a moment ago".into()),
            };
        }
        *tried = Some(Instant::now());
        let keys = parse(&self.fetch().await?)?;
        let fetched = Some(Instant::now());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Known { keys, fetched });
        Ok(())
    }

    async fn fetch(&self) -> Result<Bytes, Failure> {
        let request = http::Request::get(&self.url)
            .header("accept", "application/json")
            .body(SdkBody::empty())?;
        let response = self.wire.send(request, TIMEOUT).await?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!("the key set answers with status {status}").into());
        }
        Ok(response.into_body())
    }
}

impl Known {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Key> {
        let mut fitting = self.keys.iter().filter(|key| key.algorithm == algorithm);
        match id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).cloned(),
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(only.clone()),
                _ => None,
            },
        }
    }
}

/// Whoever can change a key set on its way lets himself in.
fn is_trusted(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let is_loopback = |host: &str| host == "localhost" || host == "127.0.0.1" || host == "[::1]";
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// The keys of a set that can be used. Others are skipped, as RFC 7517 section 5 asks.
fn parse(bytes: &[u8]) -> Result<Vec<Key>, Failure> {
    // The parser's words would quote the set; there is no secret in it, and no use either.
    let set: Set = serde_json::from_slice(bytes).map_err(|_| "the answer is not a json web key set")?;
    let keys = set.keys.into_iter().take(KEYS_MAX);
    Ok(keys
        .filter_map(|key| usable(&serde_json::from_value(key).ok()?))
        .collect())
}

fn usable(key: &Jwk) -> Option<Key> {
    let algorithm = match &key.algorithm {
        // Base64 has four characters for three bytes.
        AlgorithmParameters::RSA(rsa) if MODULUS.contains(&(rsa.n.len() * 3 / 4)) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Algorithm::ES256,
        _ => return None,
    };
    let about = &key.common;
    let is_for_signatures = about
        .public_key_use
        .as_ref()
        .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let fits = is_for_signatures && about.key_algorithm.is_none_or(|own| own == algorithm.into());
    Some(Key {
        id: about.key_id.clone(),
        algorithm,
        public: DecodingKey::from_jwk(key).ok().filter(|_| fits)?,
    })
}

#[cfg(test)]
mod tests;
