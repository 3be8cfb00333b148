//! An event of MediaConvert goes on record.

use serde_json::Value;
use tracing::{info, warn};
use vod_core::attempt::event::fold;
use vod_core::events::{JobEvent, parse_job_event};
use vod_core::record::Record;
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
        if !self.fold(&event, change).await? {
            self.call_off(&event, change).await?;
        }
        Ok(())
    }

    /// Puts an event on record. `false`: the video was removed, and the record, if there is one, does not know the job.
    async fn fold(&self, event: &JobEvent, change: &Change) -> Result<bool, Error> {
        let (now, mut before, mut checked) = (vod_aws::now(), None, None);
        loop {
            let mut is_unknown = false;
            let apply = |record: &mut Record| {
                before = Some(record.state);
                is_unknown = !record.has_job(&event.job_id) && checked != Some(record.created_at);
                !is_unknown && fold(record, event, change, now)
            };
            let catalog = &self.services.catalog;
            let found = catalog.change_with(&event.asset, event.encoded, apply).await?;
            if let Some(record) = found.as_ref().filter(|_| !is_unknown) {
                let (from, to) = (before.unwrap_or(record.state).as_str(), record.state.as_str());
                let (job_id, status) = (&event.job_id, &event.status);
                info!(%job_id, %status, from, to, progress = record.progress, "recorded");
                return Ok(true);
            }
            // The record may be of a delivery that was in flight when the video was removed, and the job of an earlier
            // one. Such a record is claimed after the tombstone is written, so the tombstone is read after the record.
            let removal = self.services.removals.get(&event.asset).await?;
            match (removal, found) {
                (None, None) => return Err(Error::NoRecord(event.asset.to_string())),
                (Some(_), None) => return Ok(false),
                (Some(removal), Some(record)) if removal.covers(&record.source) => return Ok(false),
                (_, Some(record)) => checked = Some(record.created_at),
            }
        }
    }

    /// A removed video needs no job. One that was created during the removal, or by a delivery that died, is canceled.
    async fn call_off(&self, event: &JobEvent, change: &Change) -> Result<(), Error> {
        let (job_id, status) = (&event.job_id, &event.status);
        info!(%job_id, %status, "the video was removed");
        if let Change::Progress(_) = change {
            self.services.mediaconvert.cancel_job(job_id).await?;
            info!(%job_id, "job canceled, unless it has ended");
        }
        Ok(())
    }
}
