//! A video that was taken down comes back from its copy.

use tracing::info;
use vod_aws::{BucketError, Document};
use vod_core::asset::AssetId;
use vod_core::owner::{Said, said_key};
use vod_core::record::Record;
use vod_core::removal::{KEPT, Removal, removal_key, restored};

use crate::{Error, TakeDown};

/// Largest tombstone that is read, in bytes.
const REMOVAL_MAX: usize = 1 << 20;

/// The reason why a video cannot be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    #[error("no such asset")]
    Missing,
    #[error("the asset was not taken down")]
    NotRemoved,
    #[error("nothing is left to restore: the asset was purged, or taken down more than 30 days ago")]
    Gone,
    #[error("the file was uploaded again after the asset was taken down")]
    Replaced,
}

/// A restoration that failed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Refused(#[from] NotRestored),
    #[error(transparent)]
    Step(#[from] Error),
}

impl From<BucketError> for RestoreError {
    fn from(error: BucketError) -> Self {
        Self::Step(error.into())
    }
}

impl TakeDown {
    /// Restores a video: outputs, record, and what its owner has said, then the tombstone and the copies are deleted.
    /// Its attempts that were canceled stay so. Every step can be repeated.
    pub async fn restore(&self, asset: &AssetId) -> Result<Record, RestoreError> {
        let (catalog, uploads) = (&self.services.catalog, self.uploads());
        let removal = uploads
            .get_json::<Removal>(&removal_key(asset), REMOVAL_MAX)
            .await?;
        let found = catalog.get(asset).await?.map(|found| found.value);
        let Some(removal) = removal else {
            let why = found.map_or(NotRestored::Missing, |_| NotRestored::NotRemoved);
            return Err(why.into());
        };
        let is_due = vod_aws::now() > removal.value.removed_at + KEPT;
        let kept = self.trash.record(asset).await?.filter(|_| !is_due);
        let kept = kept.ok_or(NotRestored::Gone)?;
        let is_same = |found: &Record| found.created_at == kept.created_at;
        if !found.as_ref().is_none_or(is_same) {
            return Err(NotRestored::Replaced.into());
        }
        self.trash.copy_back(asset).await?;
        let mut record = restored(kept, removal.value.removed_at);
        record.updated_at = vod_aws::now();
        if found.is_none() && !catalog.claim(&record).await? {
            return Err(NotRestored::Replaced.into());
        }
        self.note(&record).await?;
        // If it is being taken down again at this moment, the newer tombstone stays.
        uploads.delete_if(&removal_key(asset), &removal.etag).await?;
        self.trash.erase(asset).await?;
        info!(%asset, state = record.state.as_str(), "restored");
        Ok(record)
    }

    /// Writes down what the owner of a video has said, as its record has it now.
    pub(crate) async fn note(&self, record: &Record) -> Result<(), BucketError> {
        let (id, services) = (&record.id, &self.services);
        let mut document = Document::new(services.s3.clone(), &services.bucket, &said_key(id));
        loop {
            let written: Option<Said> = document.read().await?;
            // Read after the document: the writer that comes last has the record of all changes before.
            let Some(record) = services.catalog.get(id).await? else {
                return Ok(());
            };
            let mut said = Said::of(&record.value);
            if let Some(written) = &written {
                said.unknown.clone_from(&written.unknown);
            }
            let is_noted = written.as_ref() == Some(&said) || (written.is_none() && said.is_empty());
            if is_noted || document.write(&said).await? {
                return Ok(());
            }
        }
    }
}
