//! The schedule of `reconcile`, as EventBridge keeps it on AWS: at start, and every few minutes.

use std::time::Duration;

use local_lambda::events::{InvokeError, Invoker};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// From the end of one run to the next.
const PERIOD: Duration = Duration::from_mins(3);

/// Runs until `shutdown`.
pub(crate) async fn run(invoker: Invoker, shutdown: CancellationToken) {
    loop {
        match shutdown.run_until_cancelled(pass(&invoker)).await {
            None => return,
            // Someone runs it by hand at this moment.
            Some(Ok(()) | Err(InvokeError::Refused { .. })) => {}
            Some(Err(error)) => tracing::error!(%error, "reconcile did not run"),
        }
        if shutdown
            .run_until_cancelled(tokio::time::sleep(PERIOD))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// A whole pass: one that runs out of time is continued at once.
async fn pass(invoker: &Invoker) -> Result<(), InvokeError> {
    loop {
        let summary = invoker.invoke("reconcile", &json!({})).await?;
        if summary.get("finished").and_then(Value::as_bool) != Some(false) {
            return Ok(());
        }
    }
}
