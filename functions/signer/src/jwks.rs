//! The public keys of an identity provider (Cognito, Auth0, Keycloak…): a JSON Web Key Set by URL, RFC 7517.
//!
//! A key decides which algorithm its tokens have, never the token; symmetric keys in a set are not looked at. The set
//! is fetched again when it is old and when a token names a key that it lacks, at most every [`RETRY`], so that
//! strangers cannot have us hammer the provider. While the provider cannot be reached, known keys stay good.

use std::error::Error;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::http::Request;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::Uri;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::Mutex;
use tracing::warn;

use crate::outgoing::connector;

/// How old a set may grow.
const TIME_TO_LIVE: Duration = Duration::from_mins(10);
/// Between two fetches, whatever tokens say.
const RETRY: Duration = Duration::from_secs(30);
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
    connector: Connector,
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
            connector: connector(),
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

    async fn fetch(&self) -> Result<Vec<u8>, Failure> {
        let request = http::Request::get(&self.url)
            .header("accept", "application/json")
            .body(SdkBody::empty())?;
        let mut response = self.connector.call(Request::try_from(request)?).await?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(format!("the key set answers with status {status}").into());
        }
        let mut body = ByteStream::new(std::mem::replace(response.body_mut(), SdkBody::empty()));
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
            if bytes.len() > SIZE_MAX {
                return Err(format!("the key set has more than {SIZE_MAX} bytes").into());
            }
        }
        Ok(bytes)
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

/// As much of a JSON Web Key as is used.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

/// The keys of a set that can be used. Others are skipped, as RFC 7517 section 5 asks.
fn parse(bytes: &[u8]) -> Result<Vec<Key>, Failure> {
    // The parser's words would quote the set; there is no secret in it, and no use either.
    let set: Set = serde_json::from_slice(bytes).map_err(|_| "the answer is not a json web key set")?;
    let keys = set.keys.into_iter().take(KEYS_MAX);
    Ok(keys
        .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
        .filter_map(Jwk::into_key)
        .collect())
}

impl Jwk {
    fn into_key(self) -> Option<Key> {
        let is_for_signatures = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig");
        let (name, algorithm, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => {
                let n = self.n?;
                // Base64 has four characters for three bytes.
                MODULUS.contains(&(n.len() * 3 / 4)).then_some(())?;
                let key = DecodingKey::from_rsa_components(&n, &self.e?).ok()?;
                ("RS256", Algorithm::RS256, key)
            }
            ("EC", Some("P-256")) => {
                let key = DecodingKey::from_ec_components(&self.x?, &self.y?).ok()?;
                ("ES256", Algorithm::ES256, key)
            }
            _ => return None,
        };
        let fits = is_for_signatures && self.alg.as_deref().is_none_or(|alg| alg == name);
        fits.then_some(Key {
            id: self.kid,
            algorithm,
            public: key,
        })
    }
}

#[cfg(test)]
mod tests;
