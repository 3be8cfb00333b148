//! Event in, summary out.

use lambda_runtime::LambdaEvent;
use serde_json::Value;
use tracing::info;

use crate::pass;
use crate::reconcile::{Options, Reconcile, ReconcileError, Run};
use crate::summary::Summary;

impl Reconcile {
    /// Looks through the bucket, mends what it can and returns a [`Summary`]. Stops before the deadline; the next
    /// invocation goes on there. Safe to run at any time and twice at once.
    #[tracing::instrument(skip_all, fields(request_id = %event.context.request_id))]
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, ReconcileError> {
        let options = match event.payload {
            Value::Null => Options::default(),
            payload => serde_json::from_value(payload).map_err(ReconcileError::Options)?,
        };
        let run = Run::new(&options, &self.config, &event.context);
        let summary = pass::run(self, &run).await?;
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
        // Of strings and numbers alone, a summary cannot fail to be written.
        Ok(serde_json::to_value(&summary).unwrap_or_default())
    }
}
