//! Verifies a signed request as CloudFront does: selects the signature, checks it, and names the response body of a
//! refusal.

use std::borrow::Cow;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use super::encoding::decode;
use super::keyring::PublicKeys;
use super::keys::Hash;
use super::policy::{LATEST_EPOCH, Policy, canned};
use super::resource;
use super::{COOKIE_PREFIX, PARAMETERS};

/// A viewer's request, as far as it matters here.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// `http` or `https`, as the viewer used it.
    pub scheme: &'a str,
    /// The viewer's `Host`, with its port if it named one.
    pub host: &'a str,
    /// The path as it came, still percent-encoded.
    pub path: &'a str,
    /// The query as it came, without its question mark.
    pub query: &'a str,
    /// The `Cookie` header.
    pub cookies: &'a str,
    /// The viewer's address; an `IpAddress` condition fails without one.
    pub address: Option<IpAddr>,
    /// Seconds since the epoch.
    pub now: i64,
}

/// The content of a valid signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Id of the key that signed.
    pub key_id: String,
    /// First second at which access ends.
    pub expires: i64,
}

/// A reason why a request is refused. [`Denied::body`] is CloudFront's response body, with status 403.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No `Key-Pair-Id`; this is also the answer to a request with no signature at all.
    #[error("missing key-pair-id")]
    MissingKey,
    /// No `Signature`.
    #[error("missing signature")]
    MissingSignature,
    /// Neither `Policy` nor `Expires`.
    #[error("missing policy")]
    MissingPolicy,
    /// The key is not trusted here.
    #[error("unknown key")]
    InvalidKey,
    /// `Signature` is not base64.
    #[error("signature cannot be decoded")]
    MalformedSignature,
    /// `Policy` or `Expires` is not what it should be.
    #[error("malformed policy")]
    MalformedPolicy,
    /// The request is well formed, but not allowed.
    #[error("access denied: {0}")]
    AccessDenied(Reason),
}

/// The reason behind `AccessDenied`, for tests and logs; the response does not contain it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The signature is not the key's over this policy.
    #[error("wrong signature")]
    Signature,
    /// `Hash-Algorithm` names a hash that CloudFront does not know.
    #[error("unknown hash algorithm")]
    Hash,
    /// The policy is for another URL.
    #[error("other resource")]
    Resource,
    /// The policy has ended.
    #[error("expired")]
    Expired,
    /// The policy is not valid yet.
    #[error("not yet valid")]
    NotYet,
    /// The viewer's address is not in the policy's range.
    #[error("other address")]
    Address,
}

impl Denied {
    /// The `Code` and `Message` of the answer.
    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::MissingKey => (
                "MissingKey",
                "Missing Key-Pair-Id query parameter or cookie value",
            ),
            Self::MissingSignature => (
                "MissingSignature",
                "Missing Signature query parameter or cookie value",
            ),
            Self::MissingPolicy => ("MissingPolicy", "Missing Policy query parameter or cookie value"),
            Self::InvalidKey => ("InvalidKey", "Unknown Key"),
            Self::MalformedSignature => ("MalformedSignature", "Could not unencode Signature"),
            Self::MalformedPolicy => ("MalformedPolicy", "Malformed Policy"),
            Self::AccessDenied(_) => ("AccessDenied", "Access denied"),
        }
    }

    /// The body of the 403, on one line, of type `text/xml`.
    pub fn body(self) -> String {
        let (code, message) = self.texts();
        format!(
            r#"<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>"#
        )
    }
}

/// Checks a request against the trusted keys.
///
/// A URL with any of CloudFront's parameters counts as a signed URL, and then cookies are not looked at, even
/// where the parameters are incomplete and the cookies are good.
pub fn verify(keys: &PublicKeys, request: &Request<'_>) -> Result<Verified, Denied> {
    let own_query = without_signature(request.query);
    let signed_url = own_query.len() != request.query.len();
    let fields = if signed_url {
        Fields::of_query(request.query)
    } else {
        Fields::of_cookies(request.cookies)
    };

    let key_id = fields.key_id.ok_or(Denied::MissingKey)?;
    let signature = fields.signature.ok_or(Denied::MissingSignature)?;
    let terms = match (&fields.policy, &fields.expires) {
        (Some(policy), _) => Terms::custom(policy)?,
        (None, Some(expires)) => Terms::canned(expires, request, &own_query)?,
        (None, None) => return Err(Denied::MissingPolicy),
    };
    let key = keys.get(&*key_id).ok_or(Denied::InvalidKey)?;
    let signature = decode(&signature).map_err(|_| Denied::MalformedSignature)?;
    let hash =
        Hash::parse(fields.hash.as_deref().unwrap_or_default()).ok_or(Denied::AccessDenied(Reason::Hash))?;
    if !key.verify(hash, &terms.signed, &signature) {
        return Err(Denied::AccessDenied(Reason::Signature));
    }
    terms
        .policy
        .check(request, &own_query)
        .map_err(Denied::AccessDenied)?;
    Ok(Verified {
        key_id: key_id.into_owned(),
        expires: terms.policy.expires,
    })
}

/// `query` without CloudFront's five parameters: what the policy is about, and what an origin is sent.
pub fn without_signature(query: &str) -> Cow<'_, str> {
    let ours = |pair: &&str| PARAMETERS.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name));
    if !query.split('&').any(|pair| ours(&pair)) {
        return Cow::Borrowed(query);
    }
    Cow::Owned(
        query
            .split('&')
            .filter(|pair| !ours(pair))
            .collect::<Vec<_>>()
            .join("&"),
    )
}

#[derive(Default)]
struct Fields<'a> {
    policy: Option<Cow<'a, str>>,
    expires: Option<Cow<'a, str>>,
    signature: Option<Cow<'a, str>>,
    key_id: Option<Cow<'a, str>>,
    hash: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    fn of_query(query: &'a str) -> Self {
        let mut fields = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.set(name, percent_decode_str(value).decode_utf8_lossy());
        }
        fields
    }

    fn of_cookies(header: &'a str) -> Self {
        let mut fields = Self::default();
        for (name, value) in header
            .split(';')
            .filter_map(|cookie| cookie.trim().split_once('='))
        {
            if let Some(name) = name.strip_prefix(COOKIE_PREFIX) {
                fields.set(name, Cow::Borrowed(value));
            }
        }
        fields
    }

    /// The first of several counts; an empty one is none.
    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        let field = match name {
            "Policy" => &mut self.policy,
            "Expires" => &mut self.expires,
            "Signature" => &mut self.signature,
            "Key-Pair-Id" => &mut self.key_id,
            "Hash-Algorithm" => &mut self.hash,
            _ => return,
        };
        if !value.is_empty() {
            field.get_or_insert(value);
        }
    }
}

/// A policy, and the bytes that were signed: serializing the JSON again could change them.
struct Terms {
    policy: Policy,
    signed: Vec<u8>,
}

impl Terms {
    fn custom(encoded: &str) -> Result<Self, Denied> {
        let signed = decode(encoded).map_err(|_| Denied::MalformedPolicy)?;
        let policy = Policy::parse(&signed).map_err(|_| Denied::MalformedPolicy)?;
        Ok(Self { policy, signed })
    }

    /// CloudFront rebuilds the canned policy from the request, so its resource is right by construction.
    fn canned(expires: &str, request: &Request<'_>, own_query: &str) -> Result<Self, Denied> {
        let digits = expires.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = expires
            .parse()
            .ok()
            .filter(|seconds| digits && *seconds <= LATEST_EPOCH);
        let expires = seconds.ok_or(Denied::MalformedPolicy)?;
        let question = if own_query.is_empty() { "" } else { "?" };
        let url = format!(
            "{}://{}{}{question}{own_query}",
            request.scheme, request.host, request.path
        );
        let policy = Policy {
            resource: None,
            expires,
            not_before: None,
            source: None,
        };
        Ok(Self {
            policy,
            signed: canned(&url, expires).into_bytes(),
        })
    }
}

impl Policy {
    /// Whether the policy allows this request.
    fn check(&self, request: &Request<'_>, own_query: &str) -> Result<(), Reason> {
        let url = Request {
            query: own_query,
            ..*request
        };
        if self
            .resource
            .as_deref()
            .is_some_and(|pattern| !resource::covers(pattern, &url))
        {
            return Err(Reason::Resource);
        }
        if request.now >= self.expires {
            return Err(Reason::Expired);
        }
        if self.not_before.is_some_and(|not_before| request.now < not_before) {
            return Err(Reason::NotYet);
        }
        match (self.source, request.address) {
            (None, _) => Ok(()),
            (Some(network), Some(address)) if network.contains(address) => Ok(()),
            _ => Err(Reason::Address),
        }
    }
}
