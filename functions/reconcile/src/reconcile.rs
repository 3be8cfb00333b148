//! The function with its clients, one invocation of it, and why that may end early.

use std::time::Duration;

use complete::Complete;
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::{Context, Diagnostic};
use serde::Deserialize;
use submit::{Invocation, Submit, SubmitError};
use vod_aws::{
    AwsConfig, Catalog, CatalogError, DocumentError, Listing, ListingError, MediaConvert, MediaConvertError,
    Meter,
};

use crate::config::Config;
use crate::decide::Patience;

/// Where a pass that is not through keeps its place.
pub const CURSOR: &str = "ops/reconcile.json";

/// One repair may take so long and no longer, so that the claim of one that hangs is free again soon.
const REPAIR: Duration = Duration::from_secs(50);

/// The function, with its clients. Cheap to share.
#[derive(Debug, Clone)]
pub struct Reconcile {
    pub(crate) config: Config,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) catalog: Catalog,
    pub(crate) inputs: Listing,
    pub(crate) outputs: Listing,
    pub(crate) mediaconvert: MediaConvert,
    pub(crate) submit: Submit,
    pub(crate) complete: Complete,
    pub(crate) meter: Meter,
}

/// What a run can be told; anything else in the event (a schedule's, say) is not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Look and tell, change nothing.
    pub dry_run: bool,
    /// In place of the configured [`crate::GRACE_SECONDS`].
    pub grace_seconds: Option<u32>,
}

/// Why a run ended early. What it has done until then stands.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error("the event's options are malformed")]
    Options(#[source] serde_json::Error),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Listing(#[from] ListingError),
    #[error(transparent)]
    Cursor(#[from] DocumentError),
    #[error(transparent)]
    MediaConvert(#[from] MediaConvertError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Complete(#[from] complete::CompleteError),
    #[error("the repair took longer than {} s", REPAIR.as_secs())]
    Slow,
}

impl From<ReconcileError> for Diagnostic {
    fn from(error: ReconcileError) -> Self {
        let error_type = match &error {
            ReconcileError::Options(_) => "UnknownEvent",
            ReconcileError::Catalog(_) | ReconcileError::Cursor(_) => "CatalogUnavailable",
            ReconcileError::Listing(_) => "BucketUnavailable",
            ReconcileError::MediaConvert(_) => "MediaConvertUnavailable",
            ReconcileError::Submit(_) | ReconcileError::Complete(_) | ReconcileError::Slow => "RepairFailed",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: vod_aws::chain(&error),
        }
    }
}

/// One invocation.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Look and tell, change nothing.
    pub(crate) look_only: bool,
    pub(crate) patience: Patience,
    holder: String,
    deadline: Timestamp,
    /// Nothing is begun after this.
    pub(crate) stop: Timestamp,
}

impl Run {
    pub(crate) fn new(options: &Options, config: &Config, context: &Context) -> Self {
        let now = vod_aws::now();
        let deadline = i64::try_from(context.deadline).ok().filter(|&ms| ms > 0);
        let deadline = deadline.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let deadline = deadline.unwrap_or_else(|| now + SignedDuration::from_mins(5));
        let left = deadline.duration_since(now);
        let margin = SignedDuration::try_from(REPAIR).unwrap_or_default() + SignedDuration::from_secs(20);
        let grace = options.grace_seconds;
        Self {
            look_only: options.dry_run,
            patience: Patience {
                now,
                grace: grace.map_or(config.grace, |seconds| SignedDuration::from_secs(seconds.into())),
                retry: config.retry,
            },
            holder: format!("reconcile-{}", context.request_id),
            deadline,
            stop: deadline - margin.min(left / 2),
        }
    }

    /// Under whose name a repair that starts now claims, and until when.
    pub(crate) fn invocation(&self) -> Invocation {
        let limit = vod_aws::now() + REPAIR;
        Invocation {
            holder: self.holder.clone(),
            deadline: limit.min(self.deadline),
            repair: true,
        }
    }
}

impl Reconcile {
    pub fn new(aws: &AwsConfig, config: Config) -> Self {
        let mediaconvert = MediaConvert::new(vod_aws::mediaconvert(aws));
        Self::with_clients(vod_aws::s3(aws), mediaconvert, config)
    }

    /// With clients that exist already.
    pub fn with_clients(s3: aws_sdk_s3::Client, mediaconvert: MediaConvert, config: Config) -> Self {
        let submit = &config.submit;
        let complete = complete::Config {
            bucket: submit.bucket.clone(),
            application: submit.application.clone(),
        };
        Self {
            catalog: Catalog::new(s3.clone(), submit.bucket.clone()),
            inputs: Listing::new(s3.clone(), submit.bucket.clone()),
            outputs: Listing::new(s3.clone(), submit.output_bucket.clone()),
            mediaconvert: mediaconvert.clone(),
            complete: Complete::with_clients(s3.clone(), mediaconvert.clone(), complete),
            submit: Submit::with_clients(s3.clone(), mediaconvert, submit.clone()),
            s3,
            config,
            meter: Meter::default(),
        }
    }

    /// Has `meter` told what is found, and what comes of it.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.catalog = self.catalog.metered(meter.clone());
        self.complete = self.complete.metered(meter.clone());
        self.submit = self.submit.metered(meter.clone());
        self.meter = meter;
        self
    }

    /// A repair with a limit: what is cut off here is as if its invocation had died, which every repair survives.
    pub(crate) async fn limited<T>(
        repair: impl Future<Output = Result<T, ReconcileError>>,
    ) -> Result<T, ReconcileError> {
        // Boxed: the SDK's futures are large and a repair holds many.
        let ended = vod_aws::within(REPAIR, Box::pin(repair)).await;
        ended.unwrap_or(Err(ReconcileError::Slow))
    }
}
