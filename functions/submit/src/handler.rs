//! Event in, answer out: which deliveries succeeded is all that SQS wants to know.

use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, Diagnostic, LambdaEvent};
use serde_json::{Value, json};
use vod_aws::{
    AwsConfig, Catalog, CatalogError, DocumentError, MediaConvert, MediaConvertError, Meter, Removals,
    SourceError, Sources, TemplatesError,
};
use vod_core::asset::AssetId;
use vod_core::events::{Delivery, EventError, ObjectCreated, Upload, parse_upload_event};

use crate::config::Config;

/// The function, with its clients. Cheap to share.
#[derive(Debug, Clone)]
pub struct Submit {
    pub(crate) config: Config,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) catalog: Catalog,
    pub(crate) sources: Sources,
    pub(crate) removals: Removals,
    pub(crate) mediaconvert: MediaConvert,
}

/// Why an upload must be delivered again. What cannot get better by trying again ends in the record instead.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Removals(#[from] DocumentError),
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    #[error("failed to create a job of `{asset}`")]
    CreateJob {
        asset: String,
        source: vod_aws::CreateJobError,
    },
    #[error(transparent)]
    Search(#[from] MediaConvertError),
    #[error("too little time left to create a job safely; it is delivered again")]
    OutOfTime,
}

impl From<SubmitError> for Diagnostic {
    fn from(error: SubmitError) -> Self {
        // Stable words for alarms; type names would change under refactoring.
        let error_type = match &error {
            SubmitError::Event(_) => "UnknownEvent",
            SubmitError::Catalog(_) => "CatalogUnavailable",
            SubmitError::Source(_) | SubmitError::Removals(_) | SubmitError::Templates(_) => {
                "BucketUnavailable"
            }
            SubmitError::CreateJob { .. } => "CreateJobFailed",
            SubmitError::Search(_) => "MediaConvertUnavailable",
            SubmitError::OutOfTime => "OutOfTime",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: vod_aws::chain(&error),
        }
    }
}

/// Whose delivery this is, and until when it may act.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The same for every redelivery of one message: SQS hands a message out again only when the function
    /// that had it must have ended.
    pub holder: String,
    /// When Lambda ends this invocation.
    pub deadline: Timestamp,
    /// Whether `reconcile` goes on with what deliveries have left: the record counts how often that was in vain.
    pub repair: bool,
}

impl Submit {
    pub fn new(aws: &AwsConfig, config: Config) -> Self {
        Self::with_clients(
            vod_aws::s3(aws),
            MediaConvert::new(vod_aws::mediaconvert(aws)),
            config,
        )
    }

    /// With clients that exist already.
    pub fn with_clients(s3: aws_sdk_s3::Client, mediaconvert: MediaConvert, config: Config) -> Self {
        Self {
            catalog: Catalog::new(s3.clone(), config.bucket.clone()),
            sources: Sources::new(s3.clone()),
            removals: Removals::new(s3.clone(), config.bucket.clone()),
            mediaconvert,
            s3,
            config,
        }
    }

    /// Has `meter` told what comes of uploads.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.catalog = self.catalog.metered(meter);
        self
    }

    /// The tombstones of what was taken down.
    pub fn removals(&self) -> &Removals {
        &self.removals
    }

    /// What the function was configured with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes S3 notifications straight, in SQS, in SNS in SQS, and EventBridge's `Object Created`.
    ///
    /// Safe to repeat: what has been done is found in the record and not done again. An SQS batch is answered
    /// with `batchItemFailures`; any other event succeeds or fails as a whole.
    #[tracing::instrument(skip_all, fields(request_id = %event.context.request_id))]
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, SubmitError> {
        let deadline = deadline(&event.context);
        match parse_upload_event(&event.payload)? {
            Delivery::Direct(uploads) => {
                let invocation = Invocation {
                    holder: event.context.request_id.clone(),
                    deadline,
                    repair: false,
                };
                self.uploads(&uploads, None, &invocation).await?;
                Ok(Value::Null)
            }
            Delivery::Messages(messages) => {
                let mut failures = Vec::new();
                for message in messages {
                    let invocation = Invocation {
                        holder: message.id.clone(),
                        deadline,
                        repair: false,
                    };
                    let last = message.receive_count >= self.config.max_receives;
                    let last = last.then_some(message.receive_count);
                    let done = match message.uploads {
                        Ok(uploads) => self.uploads(&uploads, last, &invocation).await,
                        Err(error) => Err(error.into()),
                    };
                    if let Err(error) = done {
                        let (message_id, receive_count) = (&message.id, message.receive_count);
                        tracing::error!(
                            message_id,
                            receive_count,
                            error = vod_aws::chain(&error),
                            "message failed"
                        );
                        failures.push(json!({"itemIdentifier": message.id}));
                    }
                }
                Ok(json!({"batchItemFailures": failures}))
            }
        }
    }

    /// `last`: the number of the message's last delivery, if this is it.
    async fn uploads(
        &self,
        uploads: &[Upload],
        last: Option<u32>,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let mut failure = None;
        for upload in uploads {
            let Upload::Created(object) = upload else { continue };
            // The others of this delivery must not suffer from one.
            if let Err(error) = self.deliver(object, last, invocation).await {
                failure = Some(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    #[tracing::instrument(skip_all, fields(asset = asset(object).map(|id| id.to_string())))]
    async fn deliver(
        &self,
        object: &ObjectCreated,
        last: Option<u32>,
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let done = self.upload(object, invocation).await;
        if let Err(error) = &done {
            tracing::error!(key = %object.key, error = vod_aws::chain(error), "upload failed");
            if let Some(deliveries) = last {
                Box::pin(self.give_up(object, deliveries, invocation, error)).await;
            }
        }
        done
    }

    /// Brings one upload as far as its jobs, or finishes what a delivery that died has begun. Repeating it changes
    /// nothing.
    pub async fn upload(&self, object: &ObjectCreated, invocation: &Invocation) -> Result<(), SubmitError> {
        if !object.key.starts_with(vod_core::keys::INPUT) {
            tracing::warn!(key = %object.key, "ignored an object outside of input/");
            return Ok(());
        }
        // Boxed: the SDK's futures are large and this one holds many.
        Box::pin(self.submit(object, invocation)).await
    }
}

/// The asset, where the event alone tells it.
fn asset(object: &ObjectCreated) -> Option<AssetId> {
    let etag = object.etag.as_deref()?;
    Some(AssetId::new(
        &object.bucket,
        &object.key,
        object.version.as_deref(),
        etag,
    ))
}

/// Lambda's deadline; a test without one has a minute.
fn deadline(context: &Context) -> Timestamp {
    let deadline = i64::try_from(context.deadline).ok().filter(|&ms| ms > 0);
    let deadline = deadline.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    deadline.unwrap_or_else(|| vod_aws::now() + SignedDuration::from_mins(1))
}
