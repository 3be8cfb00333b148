//! Secrets: fixed ones of a local stack, or Secrets Manager's with a time to live.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tracing::warn;

use crate::secrets_manager::SecretsManager;

/// How old a secret may grow before it is fetched again: a rotation is seen within this time.
const TIME_TO_LIVE: Duration = Duration::from_mins(5);

/// A secret that could not be fetched, or is not what it should be. Holds nothing of the secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("secret `{name}`: {reason}")]
pub struct SecretError {
    /// Name or ARN.
    name: String,
    reason: String,
}

/// A parsed secret.
pub struct Secret<T>(Source<T>);

enum Source<T> {
    Local(watch::Receiver<Arc<T>>),
    Remote(Box<Remote<T>>),
}

type Parse<T> = dyn Fn(&str) -> Result<T, String> + Send + Sync;

struct Remote<T> {
    manager: SecretsManager,
    name: String,
    parse: Box<Parse<T>>,
    fetched: Mutex<Option<(Instant, Arc<T>)>>,
}

impl<T> Secret<T> {
    /// A secret that stays as it is.
    pub fn fixed(value: T) -> Self {
        Self::watched(watch::channel(Arc::new(value)).1)
    }

    /// A secret that its owner may change at any time.
    pub fn watched(value: watch::Receiver<Arc<T>>) -> Self {
        Self(Source::Local(value))
    }

    /// A secret of Secrets Manager, parsed once per fetch.
    pub fn remote(
        manager: SecretsManager,
        name: String,
        parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> Self {
        Self(Source::Remote(Box::new(Remote {
            manager,
            name,
            parse: Box::new(parse),
            fetched: Mutex::new(None),
        })))
    }

    /// The secret as it is now. When a refresh fails the old one is kept: a service that cannot be reached
    /// must not stop those who watch or upload.
    pub async fn get(&self) -> Result<Arc<T>, SecretError> {
        match &self.0 {
            Source::Local(value) => Ok(value.borrow().clone()),
            Source::Remote(remote) => remote.get().await,
        }
    }
}

impl<T> Remote<T> {
    async fn get(&self) -> Result<Arc<T>, SecretError> {
        // Held across the fetch, so that of many requests at a cold start one fetches.
        let mut fetched = self.fetched.lock().await;
        if let Some((at, value)) = fetched.as_ref()
            && at.elapsed() < TIME_TO_LIVE
        {
            return Ok(value.clone());
        }
        match (self.fetch().await, fetched.as_ref()) {
            (Ok(value), _) => {
                *fetched = Some((Instant::now(), value.clone()));
                Ok(value)
            }
            (Err(error), Some((_, old))) => {
                warn!(%error, "kept the old secret");
                let old = old.clone();
                *fetched = Some((Instant::now(), old.clone()));
                Ok(old)
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn fetch(&self) -> Result<Arc<T>, SecretError> {
        let fetched = self.manager.get(&self.name).await;
        let parsed = fetched
            .map_err(|reason| format!("it could not be fetched: {reason}"))
            .and_then(|text| (self.parse)(&text));
        parsed.map(Arc::new).map_err(|reason| SecretError {
            name: self.name.clone(),
            reason,
        })
    }
}
