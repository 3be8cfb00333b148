//! An event of MediaConvert goes on record.

use serde_json::Value;
use tracing::{info, warn};
use vod_core::attempt::event::fold;
use vod_core::events::{JobEvent, parse_job_event};
use vod_core::state::Change;

use crate::{Error, Services};

/// Records events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Complete {
    services: Services,
    application: String,
}

impl Complete {
    /// For the jobs of `application`.
    pub fn new(services: Services, application: String) -> Self {
        Self {
            services,
            application,
        }
    }

    /// Records a `MediaConvert Job State Change`. Safe to repeat and to reorder: see [`vod_core::state`].
    #[tracing::instrument(skip_all, fields(asset = tracing::field::Empty))]
    pub async fn record(&self, event: &Value) -> Result<(), Error> {
        let Some(event) = parse_job_event(event, &self.application)? else {
            info!("not a job of this application");
            return Ok(());
        };
        tracing::Span::current().record("asset", event.asset.as_str());
        let (job_id, status) = (&event.job_id, &event.status);
        let Some(change) = &event.change else {
            info!(%job_id, %status, "nothing to record");
            return Ok(());
        };
        if matches!(change, Change::Complete { outputs, .. } if outputs.prefix.is_empty()) {
            warn!(%job_id, "COMPLETE names no outputs");
        }
        let (now, mut before) = (vod_aws::now(), None);
        let catalog = &self.services.catalog;
        let changed = catalog.change_with(&event.asset, event.encoded, |record| {
            before = Some(record.state);
            fold(record, &event, change, now)
        });
        let Some(record) = changed.await? else {
            return self.without_record(&event, change).await;
        };
        let (from, to) = (before.unwrap_or(record.state).as_str(), record.state.as_str());
        info!(%job_id, %status, from, to, progress = record.progress, "recorded");
        Ok(())
    }

    /// A removed video needs no record and no job. A job that was created during the removal, or by a delivery that
    /// died, is canceled here.
    async fn without_record(&self, event: &JobEvent, change: &Change) -> Result<(), Error> {
        let (job_id, status) = (&event.job_id, &event.status);
        if self.services.removals.get(&event.asset).await?.is_none() {
            return Err(Error::NoRecord(event.asset.to_string()));
        }
        info!(%job_id, %status, "the video was removed");
        if let Change::Progress(_) = change {
            self.services.mediaconvert.cancel_job(job_id).await?;
            info!(%job_id, "job canceled, unless it has ended");
        }
        Ok(())
    }
}
