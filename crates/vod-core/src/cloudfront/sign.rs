//! Signing: policy in, query string, URL or cookies out.

use std::fmt;

use super::encoding::encode;
use super::key_error::KeyError;
use super::keyring::Keyring;
use super::keys::Hash;
use super::policy::{Policy, canned};

/// A signed custom policy, in the encoding of CloudFront.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The policy, encoded.
    pub policy: String,
    /// The signature over the policy's JSON, encoded.
    pub signature: String,
    /// Id of the public key at CloudFront.
    pub key_id: String,
    /// The hash under the signature.
    pub hash: Hash,
}

/// Signs a custom policy with the active key, over SHA-256.
pub fn sign(keyring: &Keyring, policy: &Policy) -> Result<Signature, KeyError> {
    let json = policy.to_json();
    let signature = keyring.signing_key().sign(json.as_bytes())?;
    Ok(Signature {
        policy: encode(json.as_bytes()),
        signature: encode(&signature),
        key_id: keyring.active().to_owned(),
        hash: Hash::Sha256,
    })
}

/// Signs `url` alone until `expires`, with a canned policy: shorter than a custom one, but for one file. The policy
/// itself is not sent, since CloudFront rebuilds it from the request; so `url` must be what the viewer will use,
/// byte by byte, and a wildcard in it is a character like any other.
pub fn sign_canned(keyring: &Keyring, url: &str, expires: i64) -> Result<Canned, KeyError> {
    let signature = keyring.signing_key().sign(canned(url, expires).as_bytes())?;
    Ok(Canned {
        url: url.to_owned(),
        expires: expires.to_string(),
        signature: encode(&signature),
        key_id: keyring.active().to_owned(),
    })
}

/// A signature for one URL.
#[derive(Clone, PartialEq, Eq)]
pub struct Canned {
    url: String,
    expires: String,
    signature: String,
    key_id: String,
}

impl Canned {
    /// The URL with `Expires=…&Signature=…&Key-Pair-Id=…&Hash-Algorithm=SHA256` behind its own query.
    pub fn url(&self) -> String {
        let (expires, signature, key_id) = (&self.expires, &self.signature, &self.key_id);
        let query =
            format!("Expires={expires}&Signature={signature}&Key-Pair-Id={key_id}&Hash-Algorithm=SHA256");
        with_query(&self.url, &query)
    }

    /// Names and values of the cookies that say the same.
    pub fn cookies(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CloudFront-Expires", self.expires.clone()),
            ("CloudFront-Signature", self.signature.clone()),
            ("CloudFront-Key-Pair-Id", self.key_id.clone()),
            ("CloudFront-Hash-Algorithm", Hash::Sha256.name().to_owned()),
        ]
    }
}

impl Signature {
    /// `Policy=…&Signature=…&Key-Pair-Id=…&Hash-Algorithm=SHA256`, with nothing that needs escaping. SHA-1,
    /// which is what CloudFront assumes, is not named.
    pub fn query(&self) -> String {
        let (policy, signature, key_id) = (&self.policy, &self.signature, &self.key_id);
        let hash = match self.hash {
            Hash::Sha1 => "",
            Hash::Sha256 => "&Hash-Algorithm=SHA256",
        };
        format!("Policy={policy}&Signature={signature}&Key-Pair-Id={key_id}{hash}")
    }

    /// `url` with the signature behind its own query.
    pub fn url(&self, url: &str) -> String {
        with_query(url, &self.query())
    }

    /// Names and values of the cookies that say the same.
    pub fn cookies(&self) -> Vec<(&'static str, String)> {
        let mut cookies = vec![
            ("CloudFront-Policy", self.policy.clone()),
            ("CloudFront-Signature", self.signature.clone()),
            ("CloudFront-Key-Pair-Id", self.key_id.clone()),
        ];
        if self.hash == Hash::Sha256 {
            cookies.push(("CloudFront-Hash-Algorithm", self.hash.name().to_owned()));
        }
        cookies
    }
}

// A signature opens doors until it expires, so it is not for logs.

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature")
            .field("key_id", &self.key_id)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canned")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn with_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
}
