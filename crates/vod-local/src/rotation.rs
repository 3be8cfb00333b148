//! The signing keys of a running stack: read from `secrets.json`, and read again when it changes.
//!
//! On AWS a rotation adds a public key to the key group and edits the secret; here `vod keys` edits the file. Either
//! way the edge trusts a key before the signer uses it, and goes on trusting the old one, so that no link breaks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use vod_core::cloudfront::{Keyring, PublicKeys};
use vod_state::secrets::Secrets;

/// Between two looks at the file.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The keys as they are now, for the signer and the edge.
pub(crate) struct SigningKeys {
    state: PathBuf,
    read: Secrets,
    signing: watch::Sender<Arc<Keyring>>,
    trusted: watch::Sender<Arc<PublicKeys>>,
}

impl SigningKeys {
    /// Those of `secrets`, which were read from the folder `state`.
    pub(crate) fn new(state: &Path, secrets: &Secrets) -> anyhow::Result<Self> {
        let keyring = keyring(secrets)?;
        Ok(Self {
            state: state.to_owned(),
            read: secrets.clone(),
            trusted: watch::Sender::new(Arc::new(keyring.public_keys().clone())),
            signing: watch::Sender::new(Arc::new(keyring)),
        })
    }

    /// For the signer.
    pub(crate) fn signing(&self) -> watch::Receiver<Arc<Keyring>> {
        self.signing.subscribe()
    }

    /// For the edge: its key group.
    pub(crate) fn trusted(&self) -> watch::Receiver<Arc<PublicKeys>> {
        self.trusted.subscribe()
    }

    /// Follows the file until `stop`. Keys that cannot be read leave those that are in use.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        let mut clock = tokio::time::interval(LOOK_EVERY);
        while stop.run_until_cancelled(clock.tick()).await.is_some() {
            if let Err(error) = self.look() {
                warn!(error = format!("{error:#}"), "kept the old signing keys");
            }
        }
    }

    fn look(&mut self) -> anyhow::Result<()> {
        let Some(secrets) = Secrets::read(&self.state)? else {
            return Ok(());
        };
        if secrets.signing == self.read.signing {
            return Ok(());
        }
        // Remembered before it is judged, so that a bad file is complained of once.
        self.read = secrets;
        let keyring = keyring(&self.read)?;
        info!(active = keyring.active(), "signing keys changed");
        self.trusted.send_replace(Arc::new(keyring.public_keys().clone()));
        self.signing.send_replace(Arc::new(keyring));
        Ok(())
    }
}

fn keyring(secrets: &Secrets) -> anyhow::Result<Keyring> {
    Keyring::from_json(&secrets.signing.to_string()).context("the signing keys in secrets.json are damaged")
}

#[cfg(test)]
mod tests {
    use vod_core::cloudfront::Algorithm;

    use super::*;

    #[test]
    fn a_change_is_seen_and_damage_is_survived() {
        let state = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(state.path()).unwrap();
        let mut keys = SigningKeys::new(state.path(), &secrets).unwrap();
        let (signing, trusted) = (keys.signing(), keys.trusted());
        let old = signing.borrow().active().to_owned();

        let new = Secrets::rotate(state.path(), Algorithm::Es256).unwrap();
        keys.look().unwrap();
        assert_eq!(signing.borrow().active(), new);
        assert!([&old, &new].iter().all(|id| trusted.borrow().contains_key(*id)));

        let file = state.path().join("secrets.json");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("BEGIN PUBLIC", "BEGIN NO")).unwrap();
        assert!(keys.look().is_err());
        assert_eq!(signing.borrow().active(), new);
        assert!(keys.look().is_ok(), "a bad file is complained of once");

        std::fs::write(&file, text).unwrap();
        Secrets::remove_key(state.path(), &old).unwrap();
        keys.look().unwrap();
        assert!(trusted.borrow().get(&old).is_none());
    }
}
