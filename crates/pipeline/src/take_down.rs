//! A video is taken down: tombstone, jobs, copies, record, outputs, in this order.
//!
//! The tombstone comes first, so that an invocation that reads it starts nothing with the asset. Submit reads it again
//! after each claim: a delivery that was in flight either claims before the record is looked at for the last time, and
//! the record is deleted, or finds the tombstone, and closes its record. Every step can be repeated: a removal that was
//! interrupted is completed by the next one.

use std::time::Duration;

use jiff::SignedDuration;
use vod_aws::{Bucket, Versioned};
use vod_core::asset::AssetId;
use vod_core::keys::{asset_prefix, record_key};
use vod_core::owner::said_key;
use vod_core::record::Record;
use vod_core::removal::Removal;

use crate::trash::Trash;
use crate::{Error, Services};

/// How long a job may take to end after it was canceled.
const CANCEL_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);
/// The pause between two looks at a canceled job.
const POLL: Duration = Duration::from_millis(200);
/// Tries to delete a record that others write to at the same time.
const TRIES: u32 = 12;

/// Takes videos down. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TakeDown {
    pub(crate) services: Services,
    pub(crate) outputs: Bucket,
    pub(crate) trash: Trash,
}

/// What was removed.
#[derive(Debug, Clone)]
pub struct Removed {
    /// The tombstone.
    pub removal: Removal,
    /// The number of objects that were deleted under `output/`.
    pub outputs: usize,
    /// Ids of the jobs that were canceled.
    pub canceled: Vec<String>,
}

/// What became of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovedUpload {
    Removed,
    /// It did not exist any more.
    Gone,
    /// Another upload is at its key, and stays.
    Replaced,
}

impl TakeDown {
    pub fn new(services: Services, output_bucket: &str) -> Self {
        let outputs = Bucket::new(services.s3.clone(), output_bucket);
        Self {
            trash: Trash::new(&services, outputs.clone()),
            outputs,
            services,
        }
    }

    /// Removes a video and keeps a copy, from which it can be restored for [`KEPT`]. The caller then invalidates
    /// `/output/<asset>/*` at the edge, so that links that are still valid lead nowhere.
    ///
    /// [`KEPT`]: vod_core::removal::KEPT
    pub async fn keep(&self, asset: &AssetId) -> Result<Removed, Error> {
        let (removal, canceled) = self.remove_record(asset, true).await?;
        self.finish(asset, removal, canceled).await
    }

    /// Removes a video and all copies of it. The caller invalidates as after [`Self::keep`].
    pub async fn purge(&self, asset: &AssetId) -> Result<Removed, Error> {
        let mut outputs = 0;
        let (removal, canceled) = match self.remove_record(asset, false).await {
            // A full disk has no room for the tombstone, but objects can be deleted.
            Err(Error::Bucket(error)) if error.is_disk_full() => {
                outputs = self.remove_outputs(asset).await?;
                if outputs == 0 {
                    return Err(error.into());
                }
                self.remove_record(asset, false).await?
            }
            removed => removed?,
        };
        self.trash.erase(asset).await?;
        let removed = self.finish(asset, removal, canceled).await?;
        Ok(Removed {
            outputs: outputs + removed.outputs,
            ..removed
        })
    }

    async fn finish(
        &self,
        asset: &AssetId,
        removal: Removal,
        canceled: Vec<String>,
    ) -> Result<Removed, Error> {
        let outputs = self.remove_outputs(asset).await?;
        // The record has what the owner has said, and the copy of the record too.
        self.uploads().delete(&[said_key(asset)]).await?;
        Ok(Removed {
            removal,
            outputs,
            canceled,
        })
    }

    /// Writes the tombstone, ends what is running and deletes the record: jobs must end before their outputs can be
    /// deleted for good, and later attempts must not take the place of one of them. Returns the tombstone and the ids
    /// of the jobs that were canceled.
    async fn remove_record(&self, asset: &AssetId, keep: bool) -> Result<(Removal, Vec<String>), Error> {
        let Services {
            catalog, removals, ..
        } = &self.services;
        let (mut canceled, mut written) = (Vec::new(), None::<Removal>);
        for _ in 0..TRIES {
            let (found, now) = (catalog.get(asset).await?, vod_aws::now());
            let record = found.as_ref().map(|found| &found.value);
            // A record that a delivery claims after the tombstone was written is closed by that delivery.
            let is_removed =
                |removal: &mut Removal| record.is_none_or(|record| !removal.covers(&record.source));
            if let Some(removal) = written.take_if(is_removed) {
                return Ok((removal, canceled));
            }
            let removal = |earlier: Option<&Removal>| Removal::new(asset, record, earlier, now);
            let removal = removals.put(asset, removal).await?;
            let Some(Versioned { value: record, etag }) = found else {
                // A delivery may have claimed the upload before the tombstone was there: look again.
                written = Some(removal);
                continue;
            };
            for job in self.cancel_jobs(&record).await? {
                // A record that has changed meanwhile may still list it as active.
                if !canceled.contains(&job) {
                    canceled.push(job);
                }
            }
            if keep {
                self.trash.keep(&record).await?;
            }
            // Before the record: without it, the time in the entry's key would be unknown.
            catalog.unindex(&record).await?;
            // On condition: a job that goes on record at this moment must not be forgotten. A later one finds no
            // record, and `complete` cancels it.
            if self.uploads().delete_if(&record_key(asset), &etag).await? {
                return Ok((removal, canceled));
            }
        }
        Err(Error::RecordContended(asset.to_string()))
    }

    /// Cancels the jobs that have not ended, and waits for their end. Returns the ids of those that were canceled.
    async fn cancel_jobs(&self, record: &Record) -> Result<Vec<String>, Error> {
        let mediaconvert = &self.services.mediaconvert;
        let active = record.jobs.iter().filter(|job| !job.state.is_terminal());
        let mut canceled = Vec::new();
        for id in active.filter_map(|job| job.job_id.as_deref()) {
            if mediaconvert.cancel_job(id).await? {
                canceled.push(id.to_owned());
            }
            let limit = vod_aws::now() + CANCEL_TIMEOUT;
            while let Some(job) = mediaconvert.job(id).await?
                && !job.has_ended()
            {
                if vod_aws::now() > limit {
                    return Err(Error::JobContinues {
                        id: id.to_owned(),
                        status: job.status,
                    });
                }
                vod_aws::sleep(POLL).await;
            }
        }
        Ok(canceled)
    }

    /// Every key under `output/<asset>/`.
    pub async fn outputs(&self, asset: &AssetId) -> Result<Vec<String>, Error> {
        let all = self.outputs.all(&asset_prefix(asset)).await?;
        Ok(all.into_iter().map(|listed| listed.key).collect())
    }

    /// Deletes outputs until there are none: a job's last ones may have been written while the first were deleted.
    async fn remove_outputs(&self, asset: &AssetId) -> Result<usize, Error> {
        let mut removed = 0;
        loop {
            let keys = self.outputs(asset).await?;
            if keys.is_empty() {
                return Ok(removed);
            }
            self.outputs.delete(&keys).await?;
            removed += keys.len();
        }
    }

    /// Deletes the upload, unless another one is at its key by now.
    pub async fn remove_upload(&self, asset: &AssetId, key: &str) -> Result<RemovedUpload, Error> {
        let bucket = &self.services.bucket;
        let Some(head) = self.services.head(bucket, key).await? else {
            return Ok(RemovedUpload::Gone);
        };
        // On condition: what is uploaded at this moment must not be lost.
        let is_same = AssetId::new(bucket, key, head.version.as_deref(), &head.etag) == *asset;
        let etag = format!("\"{}\"", head.etag);
        if is_same && self.uploads().delete_if(key, &etag).await? {
            Ok(RemovedUpload::Removed)
        } else {
            Ok(RemovedUpload::Replaced)
        }
    }

    pub(crate) fn uploads(&self) -> Bucket {
        Bucket::new(self.services.s3.clone(), &self.services.bucket)
    }
}
