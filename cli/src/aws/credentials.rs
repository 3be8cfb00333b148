//! Credentials: asked for once, and again shortly before they end.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

use super::AwsError;
use crate::output::plain;
use crate::wire::root;

/// Credentials that end sooner are not used any more.
const MARGIN: Duration = Duration::from_mins(5);

/// One answer of a provider for all clients: a login process or SSO need not be bothered by each of them.
#[derive(Debug)]
pub(super) struct Cached {
    provider: SharedCredentialsProvider,
    kept: Mutex<Option<Credentials>>,
}

impl Cached {
    pub(super) fn new(provider: SharedCredentialsProvider) -> Self {
        Self {
            provider,
            kept: Mutex::new(None),
        }
    }

    async fn get(&self) -> Result {
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|kept| is_fresh(kept, SystemTime::now())) {
            return Ok(credentials.clone());
        }
        let credentials = self.provider.provide_credentials().await?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }
}

impl ProvideCredentials for Cached {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

fn is_fresh(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_none_or(|end| now + MARGIN < end)
}

/// Why there are none, for people.
pub(super) fn explain(error: &CredentialsError) -> AwsError {
    let reason = root(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => AwsError::NoCredentials(short(&reason)),
        _ => AwsError::BadCredentials(short(&reason)),
    }
}

/// In one line: the chain lists all that it has tried, of which a profile that is not there is worth telling.
fn short(reason: &str) -> String {
    if !reason.contains('\n') {
        return plain(reason);
    }
    let profile = "Profile: the credential provider was not enabled: ";
    let told = reason.lines().find_map(|line| line.trim().strip_prefix(profile));
    plain(told.unwrap_or("none were found"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_reason_has_one_line() {
        for (reason, told) in [
            ("the SSO session has expired", "the SSO session has expired"),
            (
                "no credentials found in chain. Attempted:\n  Profile: the credential provider was not enabled\n  Imds: off",
                "none were found",
            ),
            (
                "Attempted:\n  Profile: the credential provider was not enabled: no profile `films`\n  Imds: off",
                "no profile `films`",
            ),
        ] {
            assert_eq!(short(reason), told);
        }
    }

    /// Gives credentials that are good for this long, and counts how often it was asked.
    #[derive(Debug)]
    struct Counted(Option<Duration>, Arc<AtomicUsize>);

    impl ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.1.fetch_add(1, Ordering::Relaxed);
            let end = self.0.map(|time| SystemTime::now() + time);
            let credentials = Credentials::new("id", "secret", None, end, "test");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    #[tokio::test]
    async fn asked_for_once_and_again_shortly_before_they_end() {
        for (good_for, asked) in [(None, 1), (Some(3600), 1), (Some(60), 3)] {
            let count = Arc::new(AtomicUsize::new(0));
            let provider = Counted(good_for.map(Duration::from_secs), Arc::clone(&count));
            let cached = Cached::new(SharedCredentialsProvider::new(provider));
            for _ in 0..3 {
                assert_eq!(cached.get().await.unwrap().access_key_id(), "id");
            }
            assert_eq!(count.load(Ordering::Relaxed), asked, "{good_for:?}");
        }
    }
}
