//! Asset ids: `<slug>-<k>-<v>`, which follow from a bucket listing alone.
//!
//! Two uploads called `x.mp4` in two folders have two ids, all versions of one key share
//! [`AssetId::key_prefix`], and nothing that a user typed reaches a URL or MediaConvert's `userMetadata`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::sha256_hex;

/// Longest slug, in characters.
const SLUG_MAX: usize = 40;
/// Number of hex digits for bucket and key.
const KEY_HEX: usize = 16;
/// Number of hex digits for the version.
const VERSION_HEX: usize = 8;

/// Longest id, in characters.
pub const MAX_LEN: usize = SLUG_MAX + 1 + KEY_HEX + 1 + VERSION_HEX;

/// The id of one version of one upload: `<slug>-<16 hex>-<8 hex>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AssetId(String);

/// The error of a text that is not an asset id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an asset id (expected <name>-<16 hex>-<8 hex>): `{0}`")]
pub struct NotAnAssetId(String);

impl AssetId {
    /// The id of an object: of its version id, or of its `etag` (quotes are dropped) in a bucket without
    /// versioning, where the version id is absent or `null`.
    pub fn new(bucket: &str, key: &str, version: Option<&str>, etag: &str) -> Self {
        let version = match version {
            Some(version) if !version.is_empty() && version != "null" => version,
            _ => etag.trim_matches('"'),
        };
        let version = sha256_hex(version.as_bytes());
        Self(format!(
            "{}{}",
            Self::key_prefix(bucket, key),
            &version[..VERSION_HEX]
        ))
    }

    /// The common prefix of the ids of all versions of one key: `<slug>-<16 hex>-`.
    pub fn key_prefix(bucket: &str, key: &str) -> String {
        let digest = sha256_hex(format!("{bucket}\0{key}").as_bytes());
        format!("{}-{}-", slug(key), &digest[..KEY_HEX])
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The readable part of an id: the file name without its suffix, reduced to ASCII letters, digits and `-`.
fn slug(key: &str) -> String {
    let name = key.rsplit('/').next().unwrap_or(key);
    let stem = match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ => name,
    };
    let mut slug = String::new();
    for c in stem.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= SLUG_MAX {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "video".to_owned()
    } else {
        slug.to_owned()
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_slug(text: &str) -> bool {
    (1..=SLUG_MAX).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

impl FromStr for AssetId {
    type Err = NotAnAssetId;

    fn from_str(text: &str) -> Result<Self, NotAnAssetId> {
        let mut parts = text.rsplitn(3, '-');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(version), Some(key), Some(slug))
                if is_hex(version, VERSION_HEX) && is_hex(key, KEY_HEX) && is_slug(slug) =>
            {
                Ok(Self(text.to_owned()))
            }
            // The text may be hostile and long: show its beginning only.
            _ => Err(NotAnAssetId(text.chars().take(100).collect())),
        }
    }
}

impl TryFrom<String> for AssetId {
    type Error = NotAnAssetId;

    fn try_from(text: String) -> Result<Self, NotAnAssetId> {
        text.parse()
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Made with Python's hashlib; ARCHITECTURE.md lists them for other implementations.
    #[test]
    fn vectors() {
        let cases = [
            (
                "vod",
                "input/my film.mp4",
                Some("v1"),
                "",
                "my-film-b4032d909eef0738-3bfc2695",
            ),
            (
                "vod",
                "input/a/x.mp4",
                None,
                "\"d41d8cd98f00b204e9800998ecf8427e\"",
                "x-6c074fc1015a9297-f215faf9",
            ),
            (
                "vod",
                "input/b/x.mp4",
                None,
                "d41d8cd98f00b204e9800998ecf8427e",
                "x-23950f87ffd8dec9-f215faf9",
            ),
            (
                "vod",
                "input/한국 & café+1.mp4",
                None,
                "d41d8cd98f00b204e9800998ecf8427e",
                "caf-1-8c596257d7d40333-f215faf9",
            ),
            (
                "vod",
                "input/한국.mp4",
                Some("null"),
                "d41d8cd98f00b204e9800998ecf8427e",
                "video-750be8457f166b9a-f215faf9",
            ),
            (
                "vod",
                "input/.hidden",
                None,
                "d41d8cd98f00b204e9800998ecf8427e",
                "hidden-ff5b31a0894f45d4-f215faf9",
            ),
            (
                "vod",
                "input/Straße--99__final(2).MOV",
                None,
                "d41d8cd98f00b204e9800998ecf8427e",
                "Stra-e-99-final-2-77675530b4bbeb1f-f215faf9",
            ),
        ];
        for (bucket, key, version, etag, id) in cases {
            assert_eq!(AssetId::new(bucket, key, version, etag).as_str(), id, "{key}");
        }
    }

    #[test]
    fn slugs() {
        let cases = [
            ("input/my film.mp4", "my-film"),
            ("input/한국 & café+1.mp4", "caf-1"),
            ("input/한국.mp4", "video"),
            ("input/.mp4", "mp4"),
            ("input/x/", "video"),
            ("input/archive.tar.gz", "archive-tar"),
            ("no-slash", "no-slash"),
            ("input/../x", "x"),
            ("input/---.mp4", "video"),
        ];
        for (key, expected) in cases {
            assert_eq!(slug(key), expected, "{key}");
        }
    }

    #[test]
    fn quotes_and_null_version_do_not_matter() {
        let plain = AssetId::new("b", "k", None, "abc");
        assert_eq!(plain, AssetId::new("b", "k", Some("null"), "\"abc\""));
        assert_ne!(plain, AssetId::new("b", "k", Some("v"), "abc"));
    }

    #[test]
    fn refuses_what_is_no_id() {
        for text in [
            "",
            "x",
            "a-b-c",
            "../../x-0123456789abcdef-01234567",
            "x-0123456789ABCDEF-01234567",
        ] {
            assert!(text.parse::<AssetId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_id_reads_back(key in "\\PC{0,60}", etag in "[a-f0-9]{32}") {
            let id = AssetId::new("bucket", &key, None, &etag);
            prop_assert!(id.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
            prop_assert!(id.as_str().starts_with(&AssetId::key_prefix("bucket", &key)));
            prop_assert_eq!(id.as_str().parse::<AssetId>(), Ok(id.clone()));
        }
    }
}
