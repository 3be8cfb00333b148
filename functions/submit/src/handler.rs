//! An event in, an answer out: SQS needs to know which deliveries have failed.

use jiff::SignedDuration;
use lambda_runtime::{Diagnostic, LambdaEvent};
use pipeline::{Error, Submit};
use serde_json::{Value, json};
use vod_core::asset::AssetId;
use vod_core::attempt::Invocation;
use vod_core::events::{Delivery, ObjectCreated, Upload, parse_upload_event};

/// Takes S3 notifications directly, in SQS, in SNS in SQS, and EventBridge's `Object Created`. A message that fails
/// for the `max_receives`-th time is given up.
///
/// Safe to repeat: what has been done is found in the record and not done again. An SQS batch is answered with
/// `batchItemFailures`; any other event succeeds or fails as a whole.
#[tracing::instrument(skip_all, fields(request_id = %event.context.request_id))]
pub async fn handle(
    submit: &Submit,
    max_receives: u32,
    event: LambdaEvent<Value>,
) -> Result<Value, Diagnostic> {
    let answer = deliver_all(submit, max_receives, &event).await;
    answer.map_err(|error| Diagnostic {
        error_type: error.kind().to_owned(),
        error_message: vod_aws::chain(&error),
    })
}

async fn deliver_all(submit: &Submit, max_receives: u32, event: &LambdaEvent<Value>) -> Result<Value, Error> {
    let deadline = pipeline::deadline(event.context.deadline, SignedDuration::from_mins(1));
    let invocation = |holder: &str| Invocation {
        holder: holder.to_owned(),
        deadline,
        repair: false,
    };
    let messages = match parse_upload_event(&event.payload)? {
        Delivery::Direct(uploads) => {
            let invocation = invocation(&event.context.request_id);
            deliver(submit, &uploads, None, &invocation).await?;
            return Ok(Value::Null);
        }
        Delivery::Messages(messages) => messages,
    };
    let mut failures = Vec::new();
    for message in messages {
        let receive_count = message.receive_count;
        let last = (receive_count >= max_receives).then_some(receive_count);
        let done = match message.uploads {
            Ok(uploads) => deliver(submit, &uploads, last, &invocation(&message.id)).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = done {
            let (message_id, error) = (&message.id, vod_aws::chain(&error));
            tracing::error!(message_id, receive_count, error, "message failed");
            failures.push(json!({"itemIdentifier": message.id}));
        }
    }
    Ok(json!({"batchItemFailures": failures}))
}

/// Submits the uploads of one delivery. If this is the message's last one, `last` is its number.
async fn deliver(
    submit: &Submit,
    uploads: &[Upload],
    last: Option<u32>,
    invocation: &Invocation,
) -> Result<(), Error> {
    let mut failure = None;
    for upload in uploads {
        let Upload::Created(object) = upload else { continue };
        // One that fails must not affect the others of this delivery.
        if let Err(error) = deliver_one(submit, object, last, invocation).await {
            failure = Some(error);
        }
    }
    failure.map_or(Ok(()), Err)
}

#[tracing::instrument(skip_all, fields(asset = asset(object).map(|id| id.to_string())))]
async fn deliver_one(
    submit: &Submit,
    object: &ObjectCreated,
    last: Option<u32>,
    invocation: &Invocation,
) -> Result<(), Error> {
    let done = submit.upload(object, invocation).await;
    if let Err(error) = &done {
        tracing::error!(key = %object.key, error = vod_aws::chain(error), "upload failed");
        if let Some(deliveries) = last {
            Box::pin(submit.give_up(object, deliveries, invocation, error)).await;
        }
    }
    done
}

/// The asset, if the event alone identifies it.
fn asset(object: &ObjectCreated) -> Option<AssetId> {
    let (version, etag) = (object.version.as_deref(), object.etag.as_deref()?);
    Some(AssetId::new(&object.bucket, &object.key, version, etag))
}
