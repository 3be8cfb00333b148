//! An event of MediaConvert in, nothing out.

use lambda_runtime::{Diagnostic, LambdaEvent};
use pipeline::Complete;
use serde_json::Value;

/// Takes `MediaConvert Job State Change` from EventBridge. Safe to repeat and to reorder.
#[tracing::instrument(skip_all, fields(request_id = %event.context.request_id))]
pub async fn handle(complete: &Complete, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    // Boxed: the SDK's futures are deep.
    let recorded = Box::pin(complete.record(&event.payload)).await;
    recorded.map(|()| Value::Null).map_err(|error| Diagnostic {
        error_type: error.kind().to_owned(),
        error_message: vod_aws::chain(&error),
    })
}
