//! The grant: a signed wildcard policy as one segment of a path.
//!
//! `/play/<grant>/<key>` carries the signature in its path, because CloudFront takes its own query parameters
//! away before the origin, and because some players drop queries. A grant is
//! `<policy>.<signature>.<key id>.<hash>`, the first two in base64url without padding. It says nothing that
//! the query of a signed URL does not say, and is checked by the same rules.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cloudfront::{Denied, Hash, PublicKeys, Request, Signature, Verified, encoding, verify};

/// Longest grant, in bytes. An RSA grant over the longest asset id is under 700; what a playlist's URL may
/// hold in all is CloudFront's 8,192.
pub const MAX_LEN: usize = 2_048;

/// A signature packed into the path of a playlist, so that any player can carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant(Signature);

impl From<Signature> for Grant {
    fn from(signature: Signature) -> Self {
        Self(signature)
    }
}

impl Grant {
    /// The grant as a path segment of unreserved characters.
    pub fn encode(&self) -> String {
        let recode = |text: &str| URL_SAFE_NO_PAD.encode(encoding::decode(text).unwrap_or_default());
        let Signature {
            policy,
            signature,
            key_id,
            hash,
        } = &self.0;
        format!(
            "{}.{}.{key_id}.{}",
            recode(policy),
            recode(signature),
            hash.name()
        )
    }

    /// Reads a grant. What is wrong with it is named as the edge would name the same fault in a query.
    pub fn decode(text: &str) -> Result<Self, Denied> {
        if text.len() > MAX_LEN {
            return Err(Denied::MalformedPolicy);
        }
        let mut parts = text.split('.');
        let mut part = |missing: Denied| parts.next().filter(|part| !part.is_empty()).ok_or(missing);
        let policy = part(Denied::MissingPolicy)?;
        let signature = part(Denied::MissingSignature)?;
        let key_id = part(Denied::MissingKey)?;
        let hash = part(Denied::MissingKey)?;
        if parts.next().is_some()
            || !key_id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(Denied::InvalidKey);
        }
        let hash = match hash {
            "SHA1" => Hash::Sha1,
            "SHA256" => Hash::Sha256,
            _ => return Err(Denied::AccessDenied(crate::cloudfront::Reason::Hash)),
        };
        let recode = |text: &str, fault| {
            URL_SAFE_NO_PAD
                .decode(text)
                .map(|bytes| encoding::encode(&bytes))
                .map_err(|_| fault)
        };
        Ok(Self(Signature {
            policy: recode(policy, Denied::MalformedPolicy)?,
            signature: recode(signature, Denied::MalformedSignature)?,
            key_id: key_id.to_owned(),
            hash,
        }))
    }

    /// The same signature as a query string, for a URL under `/output/`.
    pub fn to_query(&self) -> String {
        self.0.query()
    }

    /// Whether the grant opens `key`, exactly as the edge would judge its signed URL. The query and cookies of
    /// `viewer` are not looked at, and its path is that of the object.
    pub fn verify(&self, keys: &PublicKeys, viewer: &Request<'_>) -> Result<Verified, Denied> {
        verify(
            keys,
            &Request {
                query: &self.to_query(),
                cookies: "",
                ..*viewer
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grant(policy: &[u8], signature: &[u8]) -> Grant {
        Grant(Signature {
            policy: encoding::encode(policy),
            signature: encoding::encode(signature),
            key_id: "K2JCJMDEHXQW5F".to_owned(),
            hash: Hash::Sha256,
        })
    }

    #[test]
    fn is_one_path_segment_and_says_what_the_query_says() {
        let grant = grant(br#"{"a":"??>"}"#, &[0xfb, 0xff]);
        assert_eq!(grant.encode(), "eyJhIjoiPz8-In0.-_8.K2JCJMDEHXQW5F.SHA256");
        assert_eq!(
            grant.to_query(),
            "Policy=eyJhIjoiPz8-In0_&Signature=-~8_&Key-Pair-Id=K2JCJMDEHXQW5F&Hash-Algorithm=SHA256"
        );
    }

    #[test]
    fn faults_are_named_as_at_the_edge() {
        let good = grant(b"{}", b"sig").encode();
        assert!(Grant::decode(&good).is_ok());
        for (text, denied) in [
            (String::new(), Denied::MissingPolicy),
            ("e30".to_owned(), Denied::MissingSignature),
            ("e30.".to_owned(), Denied::MissingSignature),
            ("e30.c2ln".to_owned(), Denied::MissingKey),
            ("e30.c2ln.K2".to_owned(), Denied::MissingKey),
            (format!("{good}.x"), Denied::InvalidKey),
            (good.replace("K2", "K&"), Denied::InvalidKey),
            (good.replace("e30", "e3+"), Denied::MalformedPolicy),
            (good.replace("e30", "e31"), Denied::MalformedPolicy),
            (good.replace("c2ln", "c2l!"), Denied::MalformedSignature),
            (
                good.replace("SHA256", "MD5"),
                Denied::AccessDenied(crate::cloudfront::Reason::Hash),
            ),
            ("a".repeat(MAX_LEN + 1), Denied::MalformedPolicy),
        ] {
            assert_eq!(Grant::decode(&text), Err(denied), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(policy in prop::collection::vec(any::<u8>(), 1..200), signature in prop::collection::vec(any::<u8>(), 1..300)) {
            let grant = grant(&policy, &signature);
            let text = grant.encode();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)));
            prop_assert_eq!(Grant::decode(&text), Ok(grant));
        }
    }
}
