//! The signing secret: several keys, one of them active, so that a rotation interrupts no viewer.

use std::collections::BTreeMap;

use super::key_error::KeyError;
use super::keys::{Algorithm, Hash, PublicKey, SigningKey};
use super::ring::{Ring, RingKey};
use crate::cursor::CursorKey;

/// A reason why a signing secret cannot be used. It never contains a part of a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Not the JSON of a signing secret. The parser's message could quote the secret, so only the position is given.
    #[error("the signing secret is not the expected json (line {line}, column {column})")]
    Json {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error.
        column: usize,
    },
    /// No key has the id that `active` names.
    #[error("the active key is not among the keys: `{0}`")]
    NoActive(String),
    /// The active key comes without its private half.
    #[error("the active key has no private half: `{0}`")]
    NoPrivate(String),
    /// Two keys share an id.
    #[error("two keys have the id `{0}`")]
    Twice(String),
    /// An id that a URL cannot contain.
    #[error("not a key id (letters, digits, - and _ are expected): `{0}`")]
    Id(String),
    /// A key that cannot be read.
    #[error("key `{id}`: {half} key: {source}")]
    Key {
        /// The key's id.
        id: String,
        /// `private` or `public`.
        half: &'static str,
        /// The reason.
        source: KeyError,
    },
    /// A key of another kind than the secret says.
    #[error("key `{id}` is {found}, not {expected}")]
    Algorithm {
        /// The key's id.
        id: String,
        /// The key's own algorithm.
        found: Algorithm,
        /// The algorithm in the secret.
        expected: Algorithm,
    },
    /// Private and public half of different keys.
    #[error("key `{0}`: its private and public halves do not belong together")]
    Mismatch(String),
}

/// Public keys by their CloudFront id: the keys that an edge trusts.
pub type PublicKeys = BTreeMap<String, PublicKey>;

/// All keys of the signing secret, parsed and checked. The `Debug` of a key shows its kind only.
#[derive(Debug)]
pub struct Keyring {
    active: String,
    signing: SigningKey,
    public: PublicKeys,
    /// The active key's, then those of all others that have a private half.
    cursors: Vec<CursorKey>,
}

impl Keyring {
    /// Reads `{"active":"K2…","keys":[{"id","algorithm","private_pem","public_pem"}]}`. Every key must have a
    /// public half; only the active one needs its private half.
    pub fn from_json(json: &str) -> Result<Self, KeyringError> {
        let secret: Ring = serde_json::from_str(json).map_err(|error| KeyringError::Json {
            line: error.line(),
            column: error.column(),
        })?;
        let mut public = PublicKeys::default();
        let (mut signing, mut cursors) = (None, Vec::new());
        for entry in secret.keys {
            check_id(&entry.id)?;
            let (key, private) = entry.parse()?;
            let is_active = entry.id == secret.active;
            if let Some(cursor) = entry.cursor_key()? {
                cursors.insert(if is_active { 0 } else { cursors.len() }, cursor);
            }
            if is_active {
                signing = Some(private.ok_or_else(|| KeyringError::NoPrivate(entry.id.clone()))?);
            }
            if public.insert(entry.id.clone(), key).is_some() {
                return Err(KeyringError::Twice(entry.id));
            }
        }
        let signing = signing.ok_or_else(|| KeyringError::NoActive(secret.active.clone()))?;
        Ok(Self {
            active: secret.active,
            signing,
            public,
            cursors,
        })
    }

    /// Id of the key that signs.
    pub fn active(&self) -> &str {
        &self.active
    }

    /// The key that signs.
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The place between two pages as a cursor that only this secret opens.
    pub fn seal_place(&self, place: &str) -> Result<String, KeyError> {
        let active = self.cursors.first().ok_or(KeyError::Signing)?;
        active.seal(place).map_err(|_| KeyError::Signing)
    }

    /// The place that a cursor encodes; `None` if it was not made here, or with a key that has left the secret.
    pub fn open_place(&self, cursor: &str) -> Option<String> {
        self.cursors.iter().find_map(|key| key.open(cursor))
    }

    /// The public halves of all keys.
    pub fn public_keys(&self) -> &PublicKeys {
        &self.public
    }
}

fn check_id(id: &str) -> Result<(), KeyringError> {
    let fine = !id.is_empty()
        && id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fine {
        Ok(())
    } else {
        Err(KeyringError::Id(id.to_owned()))
    }
}

impl RingKey {
    fn parse(&self) -> Result<(PublicKey, Option<SigningKey>), KeyringError> {
        let fault = |half| {
            move |source| KeyringError::Key {
                id: self.id.clone(),
                half,
                source,
            }
        };
        let public = PublicKey::from_pem(&self.public_pem).map_err(fault("public"))?;
        self.check_algorithm(public.algorithm())?;
        let Some(pem) = &self.private_pem else {
            return Ok((public, None));
        };
        let private = SigningKey::from_pem(pem).map_err(fault("private"))?;
        self.check_algorithm(private.algorithm())?;

        // One signature at start is cheaper than every viewer's 403 later.
        let probe = self.id.as_bytes();
        let signature = private.sign(probe).map_err(fault("private"))?;
        if !public.verify(Hash::Sha256, probe, &signature) {
            return Err(KeyringError::Mismatch(self.id.clone()));
        }
        Ok((public, Some(private)))
    }

    fn cursor_key(&self) -> Result<Option<CursorKey>, KeyringError> {
        let key = self.private_pem.as_deref().map(CursorKey::derive).transpose();
        key.map_err(|_| KeyringError::Key {
            id: self.id.clone(),
            half: "private",
            source: KeyError::Signing,
        })
    }

    fn check_algorithm(&self, found: Algorithm) -> Result<(), KeyringError> {
        if found == self.algorithm {
            return Ok(());
        }
        Err(KeyringError::Algorithm {
            id: self.id.clone(),
            found,
            expected: self.algorithm,
        })
    }
}
