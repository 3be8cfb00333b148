//! Logs of a Lambda function: JSON lines with the fields of their spans.

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
    // Fails only if a subscriber is set already, which then stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// An error with its causes on one line, including the code and message of a service that refused a call.
pub fn chain<E: Error + ?Sized>(error: &E) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Wrappers often repeat the text of their cause.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// The innermost cause: "connection refused" and not "client error (Connect)".
pub fn root(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
