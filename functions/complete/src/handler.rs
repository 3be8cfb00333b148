//! One event of MediaConvert into one record.

use lambda_runtime::{Diagnostic, LambdaEvent};
use serde_json::Value;
use tracing::{info, warn};
use vod_aws::{
    AwsConfig, Catalog, CatalogError, DocumentError, MediaConvert, MediaConvertError, Meter, Removals,
};
use vod_core::events::{EventError, JobEvent, parse_job_event};
use vod_core::record::Record;
use vod_core::state::{self, Change};

use crate::config::Config;

/// The function, with its clients. Cheap to share.
#[derive(Debug, Clone)]
pub struct Complete {
    config: Config,
    catalog: Catalog,
    removals: Removals,
    mediaconvert: MediaConvert,
}

/// Why an event must be delivered again.
#[derive(Debug, thiserror::Error)]
pub enum CompleteError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Removals(#[from] DocumentError),
    #[error(transparent)]
    MediaConvert(#[from] MediaConvertError),
    /// The record is claimed before its job is created, so this is a record that someone has deleted; the
    /// event goes to the dead letters, where a person or `reconcile` sees it.
    #[error("there is no record of asset `{0}`")]
    NoRecord(String),
}

impl From<CompleteError> for Diagnostic {
    fn from(error: CompleteError) -> Self {
        let error_type = match &error {
            CompleteError::Event(_) => "UnknownEvent",
            CompleteError::Catalog(_) | CompleteError::Removals(_) => "CatalogUnavailable",
            CompleteError::MediaConvert(_) => "MediaConvertUnavailable",
            CompleteError::NoRecord(_) => "NoRecord",
        };
        Self {
            error_type: error_type.to_owned(),
            error_message: vod_aws::chain(&error),
        }
    }
}

impl Complete {
    pub fn new(aws: &AwsConfig, config: Config) -> Self {
        let mediaconvert = MediaConvert::new(vod_aws::mediaconvert(aws));
        Self::with_clients(vod_aws::s3(aws), mediaconvert, config)
    }

    /// With clients that exist already.
    pub fn with_clients(s3: aws_sdk_s3::Client, mediaconvert: MediaConvert, config: Config) -> Self {
        Self {
            catalog: Catalog::new(s3.clone(), config.bucket.clone()),
            removals: Removals::new(s3, config.bucket.clone()),
            mediaconvert,
            config,
        }
    }

    /// Has `meter` told what comes of events.
    #[must_use]
    pub fn metered(mut self, meter: Meter) -> Self {
        self.catalog = self.catalog.metered(meter);
        self
    }

    /// Takes `MediaConvert Job State Change` from EventBridge. Safe to repeat and to reorder: see
    /// [`vod_core::state`].
    #[tracing::instrument(skip_all, fields(request_id = %event.context.request_id, asset = tracing::field::Empty))]
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, CompleteError> {
        let Some(event) = parse_job_event(&event.payload, &self.config.application)? else {
            info!("not a job of this application");
            return Ok(Value::Null);
        };
        tracing::Span::current().record("asset", event.asset.as_str());
        let (job_id, status) = (&event.job_id, &event.status);
        let Some(change) = &event.change else {
            info!(%job_id, %status, "nothing to record");
            return Ok(Value::Null);
        };
        let mut before = None;
        let record = self.catalog.change_with(&event.asset, event.encoded, |record| {
            before = Some(record.state);
            record_event(record, &event, change)
        });
        let Some(record) = record.await? else {
            self.without_record(&event, change).await?;
            return Ok(Value::Null);
        };
        let (from, to) = (before.unwrap_or(record.state).as_str(), record.state.as_str());
        info!(%job_id, %status, from, to, progress = record.progress, "recorded");
        Ok(Value::Null)
    }

    /// What was taken down needs no record, and no job: one that was created at that very moment, or by a delivery that
    /// died, is known to nobody but us.
    async fn without_record(&self, event: &JobEvent, change: &Change) -> Result<(), CompleteError> {
        let (job_id, status) = (&event.job_id, &event.status);
        if self.removals.get(&event.asset).await?.is_none() {
            return Err(CompleteError::NoRecord(event.asset.to_string()));
        }
        info!(%job_id, %status, "the video was taken down since");
        if let Change::Progress(_) = change {
            self.mediaconvert.cancel_job(job_id).await?;
            info!(%job_id, "job canceled, unless it has ended");
        }
        Ok(())
    }
}

/// Applies an event to a record; what events do not tell (the distance of thumbnails) comes from the attempt's
/// entry. Returns whether anything changed.
pub fn record_event(record: &mut Record, event: &JobEvent, change: &Change) -> bool {
    let mut change = change.clone();
    if let Change::Complete { outputs, .. } = &mut change {
        let attempt = record.attempt_mut(&event.template, event.attempt);
        let interval = attempt.thumbnail_interval_ms;
        if let Some(thumbnails) = &mut outputs.thumbnails {
            thumbnails.interval_ms = interval;
        }
        if outputs.prefix.is_empty() {
            warn!(job_id = %event.job_id, "COMPLETE names no outputs");
            outputs.prefix = vod_core::keys::output_prefix(&event.asset, &event.template, event.attempt);
        }
    }
    let at = event.at.unwrap_or_else(vod_aws::now);
    state::apply(record, &event.template, event.attempt, &event.job_id, &change, at)
}
