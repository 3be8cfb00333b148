//! An event in, a summary out.

use jiff::SignedDuration;
use lambda_runtime::{Diagnostic, LambdaEvent};
use pipeline::{Error, Options, Reconcile, Summary};
use serde_json::Value;
use tracing::info;

/// Runs a pass, or the next part of one, and returns its [`Summary`]. The event may contain [`Options`].
#[tracing::instrument(skip_all, fields(request_id = %event.context.request_id))]
pub async fn handle(reconcile: &Reconcile, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    let summary = run(reconcile, event).await.map_err(|error| Diagnostic {
        error_type: error.kind().to_owned(),
        error_message: vod_aws::chain(&error),
    })?;
    let Summary {
        looked_at,
        lost,
        mended,
        given_up,
        waiting,
        failed,
        dry_run,
        finished,
        ..
    } = summary;
    info!(
        looked_at,
        lost, mended, given_up, waiting, failed, dry_run, finished, "reconciled"
    );
    // A summary consists of strings and numbers, which can always be serialized.
    Ok(serde_json::to_value(&summary).unwrap_or_default())
}

async fn run(reconcile: &Reconcile, event: LambdaEvent<Value>) -> Result<Summary, Error> {
    let options = match event.payload {
        Value::Null => Options::default(),
        payload => serde_json::from_value(payload).map_err(Error::Options)?,
    };
    let deadline = pipeline::deadline(event.context.deadline, SignedDuration::from_mins(5));
    // Boxed, because the future is deeply nested.
    Box::pin(reconcile.run(&options, &event.context.request_id, deadline)).await
}
