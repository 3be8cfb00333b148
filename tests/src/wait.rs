//! Waiting for a condition, never for a time.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Between two looks.
const POLL: Duration = Duration::from_millis(100);

/// The longest that a short encode may take on a busy machine with two processors.
pub const ENCODE: Duration = Duration::from_mins(8);

/// The longest that anything without an encode may take.
pub const SOON: Duration = Duration::from_mins(3);

/// Looks until there is something, or fails with `what` when `patience` is over.
pub fn until<T>(
    what: &str,
    patience: Duration,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if begun.elapsed() > patience {
            bail!("waited {} seconds in vain for {what}", patience.as_secs());
        }
        std::thread::sleep(POLL);
    }
}
