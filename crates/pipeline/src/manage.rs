//! Requests of owners about their videos: edit, take down, restore, encode again. The command and the functions share the rules.

use tracing::info;
use vod_aws::{BucketError, Edge, EdgeError, Queue, QueueError};
use vod_core::asset::AssetId;
use vod_core::attempt::{Again, NotAgain, again, upload};
use vod_core::events::upload_message;
use vod_core::keys::{JOBS, asset_prefix, template_name};
use vod_core::owner::{Edit, NotSaid};
use vod_core::record::Record;

use crate::{Error, NotCaptions, NotRestored, Removed, RestoreError, Services, TakeDown};

/// The name of the built-in template.
const DEFAULT: &str = "default";

/// Manages videos. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Manage {
    pub(crate) services: Services,
    pub(crate) take_down: TakeDown,
    uploads: Queue,
    edge: Edge,
}

/// A request about a video that failed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    #[error("no such asset")]
    Missing,
    #[error(transparent)]
    NotSaid(#[from] NotSaid),
    #[error(transparent)]
    NotAgain(#[from] NotAgain),
    #[error(transparent)]
    NotRestored(#[from] NotRestored),
    #[error(transparent)]
    NotCaptions(#[from] NotCaptions),
    #[error("there is no template `{name}`; there are: {known}")]
    NoTemplate { name: String, known: String },
    #[error("the upload was deleted or replaced, so it cannot be encoded again")]
    SourceGone,
    #[error("what was removed may still be served for some time: {0}; send the request again")]
    NotInvalidated(#[source] EdgeError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Step(#[from] Error),
}

/// The way in which a client can react to an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Send another request (400).
    Invalid,
    /// The asset does not exist (404).
    Missing,
    /// The state of the asset is in the way (409).
    Conflict,
    /// Send the request again later (503).
    Unavailable,
}

impl ManageError {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Missing
            | Self::NotRestored(NotRestored::Missing)
            | Self::NotCaptions(NotCaptions::Missing) => Kind::Missing,
            Self::NotSaid(NotSaid::NoFrames)
            | Self::NotAgain(_)
            | Self::NotRestored(_)
            | Self::NotCaptions(NotCaptions::TooMany(_))
            | Self::SourceGone
            | Self::Step(Error::JobContinues { .. } | Error::RecordContended(_)) => Kind::Conflict,
            Self::NotSaid(_) | Self::NotCaptions(_) | Self::NoTemplate { .. } => Kind::Invalid,
            Self::NotInvalidated(_) | Self::Queue(_) | Self::Step(_) => Kind::Unavailable,
        }
    }
}

impl From<BucketError> for ManageError {
    fn from(error: BucketError) -> Self {
        Self::Step(error.into())
    }
}

impl From<RestoreError> for ManageError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Refused(why) => Self::NotRestored(why),
            RestoreError::Step(error) => Self::Step(error),
        }
    }
}

/// The paths of all outputs at the edge.
fn all_of(asset: &AssetId) -> String {
    format!("/{}*", asset_prefix(asset))
}

impl Manage {
    /// `uploads` is the queue from which `submit` gets uploads.
    pub fn new(services: Services, output_bucket: &str, uploads: Queue, edge: Edge) -> Self {
        Self {
            take_down: TakeDown::new(services.clone(), output_bucket),
            services,
            uploads,
            edge,
        }
    }

    /// Changes title or poster.
    pub async fn edit(&self, asset: &AssetId, edit: Edit) -> Result<Record, ManageError> {
        let edit = edit.checked()?;
        let mut refused = None;
        let change = |record: &mut Record| {
            let applied = edit.apply(record);
            refused = applied.err();
            applied == Ok(true)
        };
        let record = self.services.catalog.change(asset, change).await?;
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        let record = record.ok_or(ManageError::Missing)?;
        // Repeated even if nothing has changed: an earlier call may have died before this.
        self.take_down.note(&record).await?;
        Ok(record)
    }

    /// Takes a video down and keeps a copy for 30 days. A repeated call changes nothing.
    pub async fn remove(&self, asset: &AssetId, distribution: &str) -> Result<Removed, ManageError> {
        self.known(asset).await?;
        let removed = self.take_down.keep(asset).await?;
        self.invalidate(distribution, &all_of(asset)).await?;
        Ok(removed)
    }

    /// Takes a video down and deletes its upload and all copies.
    pub async fn purge(&self, asset: &AssetId, distribution: &str) -> Result<Removed, ManageError> {
        self.known(asset).await?;
        let removed = self.take_down.purge(asset).await?;
        if let Some(key) = &removed.removal.key {
            self.take_down.remove_upload(asset, key).await?;
        }
        self.invalidate(distribution, &all_of(asset)).await?;
        Ok(removed)
    }

    /// Has a record, or had one.
    async fn known(&self, asset: &AssetId) -> Result<(), ManageError> {
        let is_known = self.services.catalog.get(asset).await?.is_some()
            || self.services.removals.get(asset).await?.is_some();
        if is_known {
            Ok(())
        } else {
            Err(ManageError::Missing)
        }
    }

    /// Has links that are still valid lead nowhere.
    pub(crate) async fn invalidate(&self, distribution: &str, path: &str) -> Result<(), ManageError> {
        let done = self.edge.invalidate(distribution, path).await;
        done.map_err(ManageError::NotInvalidated)
    }

    /// Restores a video that was taken down.
    pub async fn restore(&self, asset: &AssetId) -> Result<Record, ManageError> {
        Ok(self.take_down.restore(asset).await?)
    }

    /// Tries again what has failed.
    pub async fn retry(&self, asset: &AssetId) -> Result<Record, ManageError> {
        self.again(asset, Again::Failed).await
    }

    /// Encodes a video with `template`, again or for the first time.
    pub async fn encode(&self, asset: &AssetId, template: &str) -> Result<Record, ManageError> {
        let known = self.templates().await?;
        if !known.iter().any(|name| name == template) {
            return Err(ManageError::NoTemplate {
                name: template.chars().take(100).collect(),
                known: known.join(", "),
            });
        }
        self.again(asset, Again::With(template)).await
    }

    /// Plans the next attempt, and has `submit` create its job.
    async fn again(&self, asset: &AssetId, what: Again<'_>) -> Result<Record, ManageError> {
        let catalog = &self.services.catalog;
        let known = catalog.get(asset).await?.ok_or(ManageError::Missing)?;
        let source = &known.value.source;
        let head = self.services.head(&source.bucket, &source.key).await?;
        if !head.is_some_and(|head| upload::is_current(source, &head)) {
            return Err(ManageError::SourceGone);
        }
        let mut refused = None;
        let change = |record: &mut Record| {
            refused = again(record, what, vod_aws::now()).err();
            refused.is_none()
        };
        let record = catalog.change(asset, change).await?;
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        let record = record.ok_or(ManageError::Missing)?;
        info!(%asset, ?what, "planned again");
        // If this message is lost, reconcile finds the planned attempt.
        self.uploads.send(&upload_message(&record.source)).await?;
        Ok(record)
    }

    /// The names of the templates in the bucket, or of the built-in one.
    async fn templates(&self) -> Result<Vec<String>, BucketError> {
        let bucket = vod_aws::Bucket::new(self.services.s3.clone(), self.services.bucket.clone());
        let keys = bucket.keys(JOBS, None).await?.entries;
        let mut names: Vec<_> = keys.iter().filter_map(|key| template_name(key)).collect();
        if names.is_empty() {
            names.push(DEFAULT.to_owned());
        }
        Ok(names)
    }
}
