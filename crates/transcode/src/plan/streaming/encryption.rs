//! Encryption of the segments of an HLS group with a key of the job (RFC 8216, section 4.3.2.4).

use std::fmt;

use mediaconvert_job::model::{HlsEncryptionSettings, HlsGroupSettings};
use serde::{Deserialize, Serialize};

use crate::plan::Refusal;

/// Each segment is encrypted as a whole, with AES-128 in CBC mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    pub key: Key,
    /// The same for all segments; absent: the number of the segment.
    pub vector: Option<Key>,
    /// Playlists contain the initialization vector.
    pub vector_listed: bool,
    /// Where players get the key.
    pub url: String,
    pub format: Option<String>,
    pub format_versions: Option<String>,
}

/// 16 bytes that no log shows.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key(pub [u8; 16]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Encryption {
    /// The encryption that a group asks for. `path` is that of the group's settings.
    pub(crate) fn of(settings: &HlsGroupSettings, path: &str) -> Result<Option<Self>, Refusal> {
        let Some(encryption) = &settings.encryption else {
            return Ok(None);
        };
        if *encryption == HlsEncryptionSettings::default() {
            return Ok(None);
        }
        let path = format!("{path}/encryption");
        let key = &encryption.static_key_provider;
        let url = key.url.clone().filter(|url| !url.trim().is_empty());
        let url = url.ok_or_else(|| {
            Refusal::setting(
                format!("{path}/staticKeyProvider"),
                "url is a required property: players get the key from there",
            )
        })?;
        let value = key.static_key_value.as_deref().unwrap_or_default();
        let vector = encryption.constant_initialization_vector.as_deref();
        Ok(Some(Self {
            key: bytes(value, &format!("{path}/staticKeyProvider/staticKeyValue"))?,
            vector: vector
                .map(|text| bytes(text, &format!("{path}/constantInitializationVector")))
                .transpose()?,
            vector_listed: encryption.initialization_vector_in_manifest.as_deref() == Some("INCLUDE"),
            url,
            format: key.key_format.clone(),
            format_versions: key.key_format_versions.clone(),
        }))
    }

    /// The initialization vector of a segment.
    pub(crate) fn vector_of(&self, number: u128) -> [u8; 16] {
        self.vector.map_or(number.to_be_bytes(), |vector| vector.0)
    }
}

fn bytes(text: &str, path: &str) -> Result<Key, Refusal> {
    // The value is a secret: it is not in the message.
    let refuse = || Refusal::setting(path, "must be 32 hexadecimal digits");
    if text.len() != 32 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(refuse());
    }
    let number = u128::from_str_radix(text, 16).map_err(|_| refuse())?;
    Ok(Key(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(encryption: &Value) -> Result<Option<Encryption>, Refusal> {
        let settings = serde_json::from_value(json!({ "encryption": encryption })).expect("fits the model");
        Encryption::of(&settings, "/g")
    }

    #[test]
    fn keys_are_read_and_not_shown() {
        let full = json!({"encryptionMethod": "AES128", "type": "STATIC_KEY", "staticKeyProvider": {
            "staticKeyValue": "000102030405060708090a0b0c0d0e0f", "url": "https://example.com/key"}});
        let read = of(&full).expect("is read").expect("is encrypted");
        assert_eq!(read.key.0[..3], [0, 1, 2]);
        assert_eq!(read.vector_of(7)[15], 7);
        assert!(!format!("{read:?}").contains("15"), "{read:?}");
        for (member, value, path) in [
            (
                "staticKeyValue",
                json!("00"),
                "/g/encryption/staticKeyProvider/staticKeyValue",
            ),
            (
                "staticKeyValue",
                json!("+00102030405060708090a0b0c0d0e0f"),
                "/g/encryption/staticKeyProvider/staticKeyValue",
            ),
            ("url", json!(null), "/g/encryption/staticKeyProvider"),
        ] {
            let mut wrong = full.clone();
            wrong["staticKeyProvider"][member] = value;
            assert_eq!(of(&wrong).expect_err("is refused").path, path, "{member}");
        }
        assert_eq!(of(&json!({})), Ok(None));
    }
}
