//! The bucket, and that it tells of uploads.

use anyhow::{bail, ensure};
use vod_core::keys::INPUT;

use crate::aws::sdk_error;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;

pub(super) async fn bucket(stack: &Stack) -> anyhow::Result<String> {
    let (s3, bucket) = (stack.s3(), &stack.bucket);
    if stack.outputs.is_none() {
        let head = s3.head_bucket().bucket(bucket).send().await;
        head.map_err(|error| sdk_error(&format!("bucket `{bucket}`"), "s3:ListBucket", error))?;
        return Ok(format!("`{bucket}` is there"));
    }
    is_in_region(stack, bucket).await?;
    if stack.output_bucket == *bucket {
        return Ok(format!("`{bucket}` is there"));
    }
    is_in_region(stack, &stack.output_bucket).await?;
    Ok(format!("`{bucket}` and `{}` are there", stack.output_bucket))
}

/// MediaConvert and the functions work in one region, and so do their buckets.
async fn is_in_region(stack: &Stack, bucket: &str) -> anyhow::Result<()> {
    let place = stack.s3().get_bucket_location().bucket(bucket).send().await;
    let place =
        place.map_err(|error| sdk_error(&format!("bucket `{bucket}`"), "s3:GetBucketLocation", error))?;
    // The oldest regions have names of their own here (S3 API, LocationConstraint).
    let region = match place.location_constraint().map_or("", |place| place.as_str()) {
        "" => "us-east-1",
        "EU" => "eu-west-1",
        region => region,
    };
    let home = stack.aws.region();
    ensure!(region == home, "`{bucket}` is in {region}, the stack in {home}");
    Ok(())
}

/// Whether the bucket tells the queue of what comes under `input/`.
pub(super) async fn notification(stack: &Stack, outputs: &Outputs) -> anyhow::Result<String> {
    let call = stack
        .s3()
        .get_bucket_notification_configuration()
        .bucket(&stack.bucket);
    let found = call.send().await.map_err(|error| {
        let what = format!("notifications of `{}`", stack.bucket);
        sdk_error(&what, "s3:GetBucketNotification", error)
    })?;
    let mut wrong = "the bucket tells the queue of nothing";
    for setting in found.queue_configurations() {
        if setting.queue_arn() != outputs.upload_queue_arn {
            continue;
        }
        let creates = setting
            .events()
            .iter()
            .any(|event| event.as_str() == "s3:ObjectCreated:*");
        let rules = setting
            .filter()
            .and_then(|filter| filter.key())
            .map_or(&[][..], |key| key.filter_rules());
        // A suffix would leave out uploads, a longer prefix as well.
        let is_wide = rules.iter().all(|rule| {
            let name = rule.name().map_or("", |name| name.as_str());
            name.eq_ignore_ascii_case("prefix") && INPUT.starts_with(rule.value().unwrap_or_default())
        });
        match (creates, is_wide) {
            (true, true) => return Ok(format!("uploads under {INPUT} are told to the queue")),
            (false, _) => wrong = "the bucket does not tell the queue of all that is created",
            (true, false) => wrong = "the bucket tells the queue of some uploads only",
        }
    }
    bail!(wrong)
}
