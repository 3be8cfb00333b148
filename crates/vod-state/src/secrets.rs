//! `<state>/secrets.json`: the keys of one stack. The first start makes them. They survive restarts, so that links and tokens do
//! too.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::Ring;
use vod_ids::letters;

use crate::endpoints::{read_json, write_private};
use crate::keys::{random, signing_key};
use crate::{Grant, token};

/// Every scope that the signer knows.
pub const ALL_SCOPES: &str = "playback library upload admin";

/// The most public keys in a key group of CloudFront, and so here.
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

/// The length of a chosen secret in characters. AWS's have 40.
const CHOSEN: std::ops::RangeInclusive<usize> = 8..=128;

/// A secret of the access key that the user chose, instead of the random one. `Debug` does not show it.
#[derive(Clone)]
pub struct ChosenSecret(String);

/// A text that cannot be a secret.
#[derive(Debug, thiserror::Error)]
#[error("a secret has {} to {} printable ASCII characters and no spaces", CHOSEN.start(), CHOSEN.end())]
pub struct NoSecret;

impl ChosenSecret {
    /// The secret itself.
    pub fn as_str(&self) -> &str {
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

impl Secrets {
    /// Reads the keys of a state folder.
    pub fn read(state: &Path) -> anyhow::Result<Option<Self>> {
        read_json(&state.join("secrets.json"), "")
    }

    /// Reads the keys, or makes them at the first start.
    pub fn open(state: &Path) -> anyhow::Result<Self> {
        let mut secrets = match Self::read(state)? {
            Some(secrets) if !secrets.secret_key.is_empty() => return Ok(secrets),
            // From a version in which the secret was the same everywhere.
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

    /// Adds a signing key and makes it the active one. Links signed with the others stay valid. Returns its id.
    pub fn rotate(state: &Path, algorithm: Algorithm) -> anyhow::Result<String> {
        Self::edit_signing(state, |ring| {
            if ring.keys.len() >= KEYS_MAX {
                bail!("a key group holds {KEYS_MAX} keys; remove one whose links have all expired");
            }
            ring.add(signing_key(local_id(), algorithm)?);
            ring.activate()?;
            Ok(ring.active.clone())
        })
    }

    /// Removes a key that is not active. Links signed with it become invalid.
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
        // Of two edits at the same time, one would be lost. The lock lasts until `folder` is dropped; the stack's own lock is
        // another file.
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

    /// The signing keys.
    pub fn ring(&self) -> anyhow::Result<Ring> {
        serde_json::from_value(self.signing.clone()).context("the signing keys cannot be read")
    }

    /// A bearer token for the signer: scopes separated by spaces, valid for `seconds`, and only for `assets` (patterns with `*`)
    /// unless that is empty.
    pub fn token(&self, scope: &str, assets: &[String], seconds: i64) -> anyhow::Result<String> {
        self.grant(&Grant {
            scope,
            assets,
            seconds,
            ..Grant::default()
        })
    }

    /// A bearer token with these claims.
    pub fn grant(&self, grant: &Grant<'_>) -> anyhow::Result<String> {
        token(&self.jwt_secret, grant)
    }
}

/// An id of the form that CloudFront gives.
fn local_id() -> String {
    format!("K{}", letters(13).to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use std::fs;

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
