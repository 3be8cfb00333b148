//! The place between two pages of a listing, as a caller carries it: sealed, so that it names no record that the
//! caller may not see.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Sets this key apart from whatever else the same private key may serve.
const PURPOSE: &[u8] = b"vod: cursor of a listing, 1";
/// Places are filled up to a multiple of so many bytes, because a length can reveal a name. Every record's key fits once.
const BLOCK: usize = 128;
/// Longest cursor that is looked at, in characters.
pub const MAX_LEN: usize = 2_048;

/// Seals places with AES-256-GCM-SIV (RFC 8452).
pub(crate) struct CursorKey(RandomizedNonceKey);

impl CursorKey {
    /// The key that follows from the private half of a signing key: every instance of the signer has the same.
    pub(crate) fn derive(private_pem: &str) -> Result<Self, Unspecified> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, private_pem.trim().as_bytes());
        let derived = hmac::sign(&secret, PURPOSE);
        RandomizedNonceKey::new(&AES_256_GCM_SIV, derived.as_ref()).map(Self)
    }

    /// A cursor: nonce and sealed place, in base64url.
    pub(crate) fn seal(&self, place: &str) -> Result<String, Unspecified> {
        let mut sealed = place.as_bytes().to_vec();
        sealed.resize(place.len().next_multiple_of(BLOCK), 0);
        let nonce = self.0.seal_in_place_append_tag(Aad::empty(), &mut sealed)?;
        let cursor = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(URL_SAFE_NO_PAD.encode(cursor))
    }

    /// The place, if this key sealed it.
    pub(crate) fn open(&self, cursor: &str) -> Option<String> {
        if cursor.len() > MAX_LEN {
            return None;
        }
        let cursor = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (nonce, sealed) = cursor.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let place = self.0.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
        let place = std::str::from_utf8(place).ok()?;
        Some(place.trim_end_matches('\0').to_owned())
    }
}

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(secret: &str) -> CursorKey {
        CursorKey::derive(secret).unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_opens_only_with_its_key(place in "[^\0]{0,300}") {
            let cursor = key("a").seal(&place).unwrap();
            prop_assert_eq!(key("a").open(&cursor), Some(place));
            prop_assert_eq!(key("b").open(&cursor), None);
        }

        #[test]
        fn no_text_is_a_fault(text in "\\PC{0,200}") {
            prop_assert_eq!(key("a").open(&text), None);
        }
    }

    #[test]
    fn a_cursor_tells_neither_name_nor_length_nor_sameness() {
        let place = "catalog/red-a-333f1467f57a7d0f-e9435731.json";
        let (one, two) = (key("a").seal(place).unwrap(), key("a").seal(place).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), key("a").seal("catalog/x").unwrap().len());
        let bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
        assert!(!bytes.windows(3).any(|window| window == b"red"));
    }

    #[test]
    fn a_changed_cursor_is_none() {
        let cursor = key("a").seal("catalog/x").unwrap();
        for at in 0..cursor.len() - 1 {
            let other = if cursor.as_bytes()[at] == b'A' { "B" } else { "A" };
            let mut changed = cursor.clone();
            changed.replace_range(at..=at, other);
            assert_eq!(key("a").open(&changed), None, "{at}");
        }
        assert_eq!(key("a").open(&"A".repeat(MAX_LEN + 4)), None);
    }
}
