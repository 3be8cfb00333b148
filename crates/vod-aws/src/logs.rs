//! Logs of a Lambda: JSON lines with the fields of the spans they stand in.

use std::error::Error;
use std::str::FromStr;

use tracing::Level;

/// Lambda's own variable for the level; `INFO` where it is absent or unknown.
const LEVEL: &str = "AWS_LAMBDA_LOG_LEVEL";

/// Starts logging to standard output. Lambda adds its own time, so ours is left out.
pub fn init_logs() {
    let level = std::env::var(LEVEL)
        .ok()
        .and_then(|level| Level::from_str(&level).ok());
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .with_max_level(level.unwrap_or(Level::INFO))
        .without_time()
        .finish();
    // Fails only where a subscriber is set already, which is as well.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// An error with its causes on one line. Among them is what a service has answered: its code, and its message.
pub fn chain<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Wrappers often say just what they wrap.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
