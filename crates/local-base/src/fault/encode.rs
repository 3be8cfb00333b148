//! Faults of the encoder: killed, or out of disk space.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Faults;
use super::spec::Place;

/// Between two looks at the disk.
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Faults {
    /// When the encoder of `input` gets its SIGKILL, counted from its start.
    pub fn kill_after(&self, input: &str) -> Option<Duration> {
        let (rule, after) = self.drawn(input, |rule| rule.place == Place::Ffmpeg).pop()?;
        tracing::warn!(fault = rule.name, input, ?after, "fault");
        Some(after)
    }

    /// Returns when the state folder is over its budget.
    async fn disk_full(&self) {
        loop {
            if let Some(budget) = self.disk()
                && self.inner.disk.is_full(budget).await
            {
                tracing::warn!(fault = "disk.full", "fault");
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// An encode that fails with `full` when the injected disk budget is used up, as ffmpeg fails by itself on a disk that is full.
/// `stop` stops it.
pub async fn while_there_is_room<T, E>(
    faults: Option<&Faults>,
    stop: &CancellationToken,
    full: E,
    encode: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let Some(faults) = faults else {
        return encode.await;
    };
    let mut encode = std::pin::pin!(encode);
    tokio::select! {
        result = &mut encode => result,
        () = faults.disk_full() => {
            stop.cancel();
            // Waits until it is reaped, so that it writes no more.
            let _ = encode.await;
            Err(full)
        }
    }
}
