//! Prepares the start of a stack: its folder, its ports, its tasks.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use vod_state::secrets::ChosenSecret;

/// Looks at the state folder's lock before another stack is believed to hold it; 50 ms between two.
const LOCK_TRIES: u32 = 20;

/// Makes the state folder, for its owner alone, and takes it for this process.
pub(super) fn lock(state: &Path) -> anyhow::Result<File> {
    let created = fs::DirBuilder::new().recursive(true).mode(0o700).create(state);
    created.with_context(|| format!("failed to make the state folder {}", state.display()))?;
    let path = state.join("lock");
    let file = File::create(&path).with_context(|| format!("failed to open {}", path.display()))?;
    let mut tries = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A process that was killed leaves its lock to a child it was just about to start, for a moment.
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(TryLockError::WouldBlock) => bail!(
                "another `vod up` is running on {}; stop it, or give this one another folder with --state",
                state.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("failed to lock {}", path.display()));
            }
        }
    }
}

pub(super) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let hint =
        "is another program using the port? choose another with --api or --edge (port 0 picks a free one)";
    TcpListener::bind(address)
        .await
        .with_context(|| format!("failed to listen on {address}: {hint}"))
}

/// The URL of a listener for programs on this machine.
pub(super) fn url(listener: &TcpListener) -> anyhow::Result<String> {
    let mut address = listener.local_addr()?;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Ok(format!("http://{address}"))
}

/// A secret that was chosen may be a weak one, so it is good on this machine only.
pub(super) fn check_secret(secret: Option<&ChosenSecret>, api: SocketAddr) -> anyhow::Result<()> {
    match secret {
        _ if api.ip().is_loopback() => {}
        Some(_) => bail!(
            "--secret is for an --api on loopback, and other machines may reach {api}; without --secret, a random one is used"
        ),
        None => tracing::warn!(
            %api,
            "other machines may reach the API, unencrypted: anyone with the secret in endpoints.json can read, change and \
             delete everything"
        ),
    }
    Ok(())
}

/// Starts a part that ends with the stack, and cannot fail.
pub(super) fn spawn(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    part: impl Future<Output = ()> + Send + 'static,
) {
    tasks.spawn(async move {
        part.await;
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_secret_is_for_loopback_only() {
        let chosen: ChosenSecret = "chosen-secret".parse().unwrap();
        for (api, fine) in [
            ("127.0.0.1:9000", true),
            ("[::1]:9000", true),
            ("0.0.0.0:9000", false),
            ("192.0.2.1:9000", false),
        ] {
            let api = api.parse().unwrap();
            assert_eq!(check_secret(Some(&chosen), api).is_ok(), fine, "{api}");
            assert!(check_secret(None, api).is_ok());
        }
    }
}
