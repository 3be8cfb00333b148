//! The cache of credentials, and why there are none.

use std::error::Error;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::identity::SharedIdentityCache;

use vod_aws::root;

use super::AwsError;
use crate::output::plain;

/// Credentials that expire sooner are fetched again.
const MARGIN: Duration = Duration::from_mins(5);
/// Longest time that a provider may take: a login process may wait for its user.
const TIMEOUT: Duration = Duration::from_mins(2);

/// One cache for the clients of all services, so that a login process or SSO is asked once.
pub(super) fn cache() -> SharedIdentityCache {
    IdentityCache::lazy()
        .buffer_time(MARGIN)
        .load_timeout(TIMEOUT)
        .build()
}

/// The credentials' part in the failure of a call: why there were none to sign it with. `None`: there were.
pub(super) fn in_chain(error: &(dyn Error + 'static)) -> Option<AwsError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return Some(explain(error));
        }
        cause = error.source();
    }
    None
}

/// Why there are no credentials, for people.
fn explain(error: &CredentialsError) -> AwsError {
    let reason = root(error);
    match error {
        CredentialsError::CredentialsNotLoaded(_) => AwsError::NoCredentials(short(&reason)),
        _ => AwsError::BadCredentials(short(&reason)),
    }
}

/// Shortens a reason to one line. The provider chain lists everything that it tried; only a missing profile is worth
/// repeating.
fn short(reason: &str) -> String {
    if !reason.contains('\n') {
        return plain(reason);
    }
    let profile = "Profile: the credential provider was not enabled: ";
    let missing = reason.lines().find_map(|line| line.trim().strip_prefix(profile));
    plain(missing.unwrap_or("none were found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_line() {
        for (reason, expected) in [
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
            assert_eq!(short(reason), expected);
        }
    }
}
