//! `<state>/secrets.json`: the keys of one stack. Made at the first start; they survive restarts, so that links and
//! tokens do too.

use std::fmt;
use std::fs::{self, File};
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, bail};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::fill;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{EncodingKey, Header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::{Ring, RingKey};

use crate::endpoints::write_private;
use crate::ids::letters;

/// Every scope that the signer knows.
pub const ALL_SCOPES: &str = "playback library upload admin";

/// Most public keys in a key group, at CloudFront and so here.
const KEYS_MAX: usize = 5;

/// The keys. `Debug` is left out on purpose.
#[derive(Clone, Serialize, Deserialize)]
pub struct Secrets {
    /// The secret of the stack's access key.
    #[serde(default)]
    pub secret_key: String,
    /// The HS256 key of viewers' tokens.
    pub jwt_secret: String,
    /// The signing secret, in the form that Secrets Manager would hold.
    pub signing: Value,
}

/// Characters of a secret that is chosen; one of AWS has 40.
const CHOSEN: std::ops::RangeInclusive<usize> = 8..=128;

/// A secret of the access key that somebody chose, instead of the random one. `Debug` does not show it.
#[derive(Clone)]
pub struct ChosenSecret(String);

/// A secret that is not fit to be one.
#[derive(Debug, thiserror::Error)]
#[error("a secret has {} to {} printable ASCII characters and no spaces", CHOSEN.start(), CHOSEN.end())]
pub struct NoSecret;

impl ChosenSecret {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ChosenSecret {
    type Err = NoSecret;

    fn from_str(text: &str) -> Result<Self, NoSecret> {
        let fit = CHOSEN.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fit.then(|| Self(text.to_owned())).ok_or(NoSecret)
    }
}

impl fmt::Debug for ChosenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChosenSecret")
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    scope: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    assets: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    iat: i64,
    exp: i64,
}

/// What a bearer token for the signer lets its holder do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grant<'a> {
    /// Scopes, separated by spaces.
    pub scope: &'a str,
    /// Patterns with `*` of the assets that it is good for; empty for all.
    pub assets: &'a [String],
    /// How long it is good, from now.
    pub seconds: i64,
    /// Who says so (`iss`), where the signer wants to know.
    pub issuer: Option<&'a str>,
    /// For whom it is (`aud`), likewise.
    pub audience: Option<&'a str>,
}

/// A bearer token (HS256) for the signer that has this key.
pub fn token(key: &str, grant: &Grant<'_>) -> anyhow::Result<String> {
    let now = Timestamp::now();
    let until = now
        .checked_add(SignedDuration::from_secs(grant.seconds))
        .context("the token's time to live is too long")?;
    let claims = Claims {
        sub: "vod",
        scope: grant.scope,
        assets: grant.assets,
        iss: grant.issuer,
        aud: grant.audience,
        iat: now.as_second(),
        exp: until.as_second(),
    };
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::default(), &claims, &key).context("failed to make a token")
}

impl Secrets {
    /// Reads the keys of a state folder.
    pub fn read(state: &Path) -> anyhow::Result<Option<Self>> {
        let path = state.join("secrets.json");
        match fs::read(&path) {
            Ok(text) => {
                let secrets = serde_json::from_slice(&text);
                secrets
                    .map(Some)
                    .with_context(|| format!("{} is damaged", path.display()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    /// Reads the keys, or makes them at the first start.
    pub(crate) fn open(state: &Path) -> anyhow::Result<Self> {
        let mut secrets = match Self::read(state)? {
            Some(secrets) if !secrets.secret_key.is_empty() => return Ok(secrets),
            // Of a version in which it was the same everywhere.
            Some(secrets) => secrets,
            None => {
                let mut ring = Ring::empty();
                ring.add(signing_key(local_id(), Algorithm::Es256)?);
                Self {
                    secret_key: String::new(),
                    jwt_secret: URL_SAFE_NO_PAD.encode(random::<32>()?),
                    signing: serde_json::to_value(ring)?,
                }
            }
        };
        // 40 characters, as AWS's.
        secrets.secret_key = URL_SAFE_NO_PAD.encode(random::<30>()?);
        write_private(&state.join("secrets.json"), &serde_json::to_vec_pretty(&secrets)?)?;
        Ok(secrets)
    }

    /// Adds a signing key and makes it the active one; what the others signed stays good. Returns its id.
    pub fn rotate(state: &Path, algorithm: Algorithm) -> anyhow::Result<String> {
        Self::edit_signing(state, |ring| {
            if ring.keys.len() >= KEYS_MAX {
                bail!(
                    "a key group holds {KEYS_MAX} keys; remove one that has signed nothing which is still good"
                );
            }
            ring.add(signing_key(local_id(), algorithm)?);
            ring.activate()?;
            Ok(ring.active.clone())
        })
    }

    /// Removes a key that is not active: what it signed ends.
    pub fn remove_key(state: &Path, id: &str) -> anyhow::Result<()> {
        Self::edit_signing(state, |ring| Ok(ring.remove(id)?))
    }

    fn edit_signing<T>(state: &Path, edit: impl FnOnce(&mut Ring) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let never = || {
            let state = state.display();
            format!(
                "no stack was ever started on `{state}`: start it with `vod up`, or name its folder with --state"
            )
        };
        // Two edits at one instant would lose one of them. Held until it is dropped; the stack's own lock is another file.
        let folder = File::open(state).with_context(never)?;
        let locked = folder.lock();
        locked.with_context(|| format!("failed to lock {}", state.display()))?;
        let mut secrets = Self::read(state)?.with_context(never)?;
        let mut ring = secrets.ring()?;
        let done = edit(&mut ring).context("the signing keys stay as they are")?;
        secrets.signing = serde_json::to_value(ring)?;
        write_private(&state.join("secrets.json"), &serde_json::to_vec_pretty(&secrets)?)?;
        Ok(done)
    }

    /// The signing keys, to look at or to edit.
    pub fn ring(&self) -> anyhow::Result<Ring> {
        serde_json::from_value(self.signing.clone()).context("the signing keys cannot be read")
    }

    /// A bearer token for the signer: scopes separated by spaces, good for `seconds`, and for `assets` alone (patterns
    /// with `*`) unless that is empty.
    pub fn token(&self, scope: &str, assets: &[String], seconds: i64) -> anyhow::Result<String> {
        let grant = Grant {
            scope,
            assets,
            seconds,
            ..Grant::default()
        };
        token(&self.jwt_secret, &grant)
    }
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes).map_err(|_| anyhow!("the system gives no random bytes"))?;
    Ok(bytes)
}

/// A random secret of 256 bits, as 64 hexadecimal digits.
pub fn random_hex() -> anyhow::Result<String> {
    Ok(hex::encode(random::<32>()?))
}

/// An id of the form that CloudFront gives.
fn local_id() -> String {
    format!("K{}", letters(13).to_ascii_uppercase())
}

/// A new key pair as one entry of the signing secret.
pub fn signing_key(id: String, algorithm: Algorithm) -> anyhow::Result<RingKey> {
    let failed = |_| anyhow!("failed to make a signing key");
    let (private_pem, public): (_, PublicKeyX509Der<'_>) = match algorithm {
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).map_err(failed)?;
            let private = pair.to_pkcs8v1().map_err(failed)?;
            (
                pem("PRIVATE KEY", private.as_ref()),
                pair.public_key().as_der().map_err(failed)?,
            )
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            (
                pem("PRIVATE KEY", private.as_ref()),
                pair.public_key().as_der().map_err(failed)?,
            )
        }
    };
    Ok(RingKey {
        id,
        algorithm,
        private_pem: Some(private_pem),
        public_pem: pem("PUBLIC KEY", public.as_ref()),
    })
}

/// RFC 7468: base64 in lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in STANDARD.encode(der).as_bytes().chunks(64) {
        text.extend(line.iter().map(|&byte| char::from(byte)));
        text.push('\n');
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use vod_core::cloudfront::Keyring;

    use super::*;

    #[test]
    fn keys_survive_a_restart_and_make_a_keyring() {
        let state = tempfile::tempdir().unwrap();
        let first = Secrets::open(state.path()).unwrap();
        let second = Secrets::open(state.path()).unwrap();
        assert_eq!(first.jwt_secret, second.jwt_secret);
        assert_eq!(first.secret_key, second.secret_key);
        assert_eq!(first.secret_key.len(), 40);
        let elsewhere = Secrets::open(tempfile::tempdir().unwrap().path()).unwrap();
        assert_ne!(first.secret_key, elsewhere.secret_key);
        assert_eq!(first.signing, second.signing);
        assert!(Keyring::from_json(&first.signing.to_string()).is_ok());
    }

    #[test]
    fn keys_of_both_kinds_sign() {
        for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
            let mut ring = Ring::empty();
            ring.add(signing_key(local_id(), algorithm).unwrap());
            let keyring = Keyring::from_json(&serde_json::to_string(&ring).unwrap()).unwrap();
            assert_eq!(keyring.signing_key().algorithm(), algorithm);
        }
        assert_eq!(random_hex().unwrap().len(), 64);
    }

    #[test]
    fn a_chosen_secret_fits_into_a_signature_and_stays_out_of_logs() {
        let secret: ChosenSecret = "chosen-secret".parse().unwrap();
        assert!(!format!("{secret:?}").contains("chosen-"));
        for unfit in ["", "short", "two words", "line\nend-of-it", "schlüssel-lang"] {
            assert!(unfit.parse::<ChosenSecret>().is_err(), "{unfit}");
        }
    }

    #[test]
    fn a_state_folder_of_an_older_version_gets_a_secret_and_keeps_its_keys() {
        let state = tempfile::tempdir().unwrap();
        let before = Secrets::open(state.path()).unwrap();
        let old = serde_json::json!({"jwt_secret": before.jwt_secret, "signing": before.signing});
        fs::write(state.path().join("secrets.json"), old.to_string()).unwrap();
        let after = Secrets::open(state.path()).unwrap();
        assert_eq!(
            (&after.jwt_secret, &after.signing),
            (&before.jwt_secret, &before.signing)
        );
        assert_eq!(after.secret_key.len(), 40);
        assert_ne!(after.secret_key, before.secret_key);
        assert_eq!(Secrets::open(state.path()).unwrap().secret_key, after.secret_key);
    }

    #[test]
    fn a_key_group_holds_five_keys_and_never_loses_the_active_one() {
        let state = tempfile::tempdir().unwrap();
        assert!(Secrets::rotate(state.path(), Algorithm::Es256).is_err());
        Secrets::open(state.path()).unwrap();
        for _ in 1..KEYS_MAX {
            Secrets::rotate(state.path(), Algorithm::Es256).unwrap();
        }
        let full = Secrets::read(state.path()).unwrap().unwrap();
        assert!(Secrets::rotate(state.path(), Algorithm::Es256).is_err());
        let active = full.signing["active"].as_str().unwrap();
        assert!(Secrets::remove_key(state.path(), active).is_err());
        assert!(Secrets::remove_key(state.path(), "K2NONE").is_err());
        let first = full.signing["keys"][0]["id"].as_str().unwrap();
        Secrets::remove_key(state.path(), first).unwrap();
        let keyring =
            Keyring::from_json(&Secrets::read(state.path()).unwrap().unwrap().signing.to_string()).unwrap();
        assert_eq!(keyring.active(), active);
        assert!(keyring.public_keys().get(first).is_none());
    }

    #[test]
    fn rotations_at_one_instant_lose_no_key() {
        let state = tempfile::tempdir().unwrap();
        Secrets::open(state.path()).unwrap();
        let start = std::sync::Barrier::new(KEYS_MAX - 1);
        std::thread::scope(|scope| {
            for _ in 1..KEYS_MAX {
                scope.spawn(|| {
                    start.wait();
                    Secrets::rotate(state.path(), Algorithm::Es256).unwrap()
                });
            }
        });
        let secrets = Secrets::read(state.path()).unwrap().unwrap();
        assert_eq!(secrets.signing["keys"].as_array().unwrap().len(), KEYS_MAX);
    }

    #[test]
    fn tokens_have_three_parts_and_an_end() {
        let state = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(state.path()).unwrap();
        let token = secrets.token("playback", &[], 60).unwrap();
        assert_eq!(token.split('.').count(), 3);
        assert!(secrets.token("playback", &[], i64::MAX).is_err());
    }
}
