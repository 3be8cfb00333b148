//! The check of one upload, one record or one output folder, and what is found there.

use jiff::SignedDuration;
use vod_aws::BucketError;
use vod_core::asset::AssetId;
use vod_core::attempt::repair::{self, RecordStep, UploadStep};
use vod_core::object::Listed;
use vod_core::record::{Record, Source, State};
use vod_core::removal::Removal;

use super::rebuild::{self, Adopted};
use super::repair::{abandon, ask, resubmit};
use super::summary::Outcome;
use super::{Reconcile, RunInfo, limited};
use crate::Error;

/// The finding that a removal was not complete, that a job went on after it, or that a delivery in flight has recorded
/// the video and closed its record. The owner removes the video again.
pub const LEFT_OF_REMOVED: &str = "left of a removed video: remove it again";

/// For how long after a change of a record its entry in the index is looked for: many passes.
const NEW: SignedDuration = SignedDuration::from_hours(24);

/// The result of a check.
#[derive(Debug)]
pub(super) enum Checked {
    Fine,
    Waiting,
    Found(Vec<Finding>),
}

/// Something that is not as it should be.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) asset: String,
    pub(super) key: Option<String>,
    pub(super) found: String,
    pub(super) outcome: Outcome,
}

impl Finding {
    pub(super) fn new(asset: &AssetId, key: &str, found: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            asset: asset.to_string(),
            key: (!key.is_empty()).then(|| key.to_owned()),
            found: found.into(),
            outcome,
        }
    }

    /// A check that has panicked, which is a bug. The log has the details.
    pub(super) fn panicked(key: String) -> Self {
        Self {
            asset: String::new(),
            key: Some(key),
            found: "the check of it panicked".to_owned(),
            outcome: Outcome::Failed("a panic".to_owned()),
        }
    }
}

impl Checked {
    fn one(asset: &AssetId, key: &str, found: &str, outcome: Outcome) -> Self {
        Self::Found(vec![Finding::new(asset, key, found, outcome)])
    }

    /// With another finding, if there is one.
    fn and(self, finding: Option<Finding>) -> Self {
        match (self, finding) {
            (checked, None) => checked,
            (Self::Found(mut findings), Some(finding)) => {
                findings.push(finding);
                Self::Found(findings)
            }
            (Self::Fine | Self::Waiting, Some(finding)) => Self::Found(vec![finding]),
        }
    }
}

/// Checks, in one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checker<'a> {
    pub(super) reconcile: &'a Reconcile,
    pub(super) run: &'a RunInfo,
    /// Whether the index has entries of all records that are older than [`NEW`].
    pub(super) is_indexed: bool,
}

impl Checker<'_> {
    pub(super) async fn upload(self, listed: &Listed) -> Checked {
        let source = Source {
            bucket: self.reconcile.inputs.name().to_owned(),
            key: listed.key.clone(),
            version: listed.version.clone(),
            etag: listed.etag.clone(),
            size: listed.size,
            uploaded_at: listed.modified,
            ..Source::default()
        };
        let id = source.asset_id();
        let found = |found: &str, outcome| Checked::one(&id, &source.key, found, outcome);
        let record = match self.read(&id, &source.key).await {
            Ok(record) => record,
            Err(unreadable) => return unreadable,
        };
        let what = match repair::upload(listed, record.as_ref(), &self.run.limits) {
            UploadStep::Nothing => return Checked::Fine,
            UploadStep::Wait => return Checked::Waiting,
            UploadStep::Lost => "it has no record",
            UploadStep::CameAgain => "it came again after a failure",
        };
        let removal = match &record {
            None => self.removal(&id).await,
            Some(_) => Ok(None),
        };
        let came_after = match removal {
            Ok(Some(removal)) if removal.covers(&source) => return Checked::Fine,
            Ok(removal) => removal.is_some(),
            Err(error) => return found(what, failed(&error)),
        };
        if self.run.dry_run {
            return found(what, Outcome::WouldMend);
        }
        // Jobs from before a removal are no reason not to encode again.
        let rebuilt = if came_after || record.is_some() {
            Ok(false)
        } else {
            limited(rebuild::rebuild(self, &id, &source, Vec::new())).await
        };
        let repaired = match rebuilt {
            Ok(true) => Ok(()),
            Ok(false) => resubmit(self, &source, record.as_ref()).await,
            Err(error) => Err(error),
        };
        found(what, outcome(repaired))
    }

    pub(super) async fn record(self, id: &AssetId) -> Checked {
        let record = match self.read(id, "").await {
            Ok(Some(record)) => record,
            Ok(None) => return Checked::Fine,
            Err(unreadable) => return unreadable,
        };
        let entry = self.entry(&record).await;
        self.steps(&record).await.and(entry)
    }

    /// Writes the entry of a record in the index by time, if it is missing: a claim that dies may leave it out. Nothing
    /// was lost by that, so only a failure is a finding.
    async fn entry(self, record: &Record) -> Option<Finding> {
        let age = self.run.limits.now.duration_since(record.updated_at);
        if self.run.dry_run || self.is_indexed && age > NEW {
            return None;
        }
        let catalog = &self.reconcile.services.catalog;
        let indexed = match catalog.is_indexed(record).await {
            Ok(false) => catalog.index(record).await.map(drop),
            found => found.map(drop),
        };
        let failure = failed(&indexed.err()?.into());
        let found = "its entry in the index by time could not be written";
        Some(Finding::new(&record.id, &record.source.key, found, failure))
    }

    async fn steps(self, record: &Record) -> Checked {
        let id = &record.id;
        let found = |found: &str, outcome| Checked::one(id, &record.source.key, found, outcome);
        let step = repair::record(record, &self.run.limits);
        match &step {
            RecordStep::Nothing if record.state == State::Ignored => self.ignored(record).await,
            RecordStep::Nothing => Checked::Fine,
            RecordStep::Wait => Checked::Waiting,
            RecordStep::GiveUp => found(
                "it failed three times with an error that should pass",
                Outcome::GivenUp,
            ),
            RecordStep::Ask(active) => ask(self, record, active).await,
            RecordStep::TakeOver | RecordStep::Retry if self.run.dry_run => {
                found("it has stopped and can be continued", Outcome::WouldMend)
            }
            RecordStep::TakeOver => {
                let repaired = resubmit(self, &record.source, Some(record)).await;
                found("it has stopped before it had a job", outcome(repaired))
            }
            RecordStep::Abandon | RecordStep::Abandoned => {
                if step == RecordStep::Abandon && !self.run.dry_run {
                    abandon(self, record).await;
                }
                let what = format!("{} repairs have produced no job", record.repairs);
                found(&what, Outcome::GivenUp)
            }
            RecordStep::Retry => {
                let invocation = self.run.invocation();
                match limited(self.reconcile.submit.retry(id, &invocation)).await {
                    Ok(true) => found("it failed with an error that should pass", Outcome::Mended),
                    Ok(false) => found("it failed, and its upload is no longer there", Outcome::GivenUp),
                    Err(error) => found("it failed with an error that should pass", failed(&error)),
                }
            }
        }
    }

    /// A record without jobs, which a delivery in flight may have closed after a removal.
    async fn ignored(self, record: &Record) -> Checked {
        let (found, outcome) = match self.removal(&record.id).await {
            Ok(Some(removal)) if removal.covers(&record.source) => (LEFT_OF_REMOVED, Outcome::GivenUp),
            Ok(_) => return Checked::Fine,
            Err(error) => ("its tombstone was not read", failed(&error)),
        };
        Checked::one(&record.id, &record.source.key, found, outcome)
    }

    /// Outputs without a record whose upload is gone too: what MediaConvert still knows of them is all there is.
    pub(super) async fn outputs(self, id: &AssetId) -> Checked {
        match self.read(id, "").await {
            Ok(Some(_)) => return Checked::Fine,
            Ok(None) => {}
            Err(unreadable) => return unreadable,
        }
        match self.removal(id).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                return Checked::one(id, "", LEFT_OF_REMOVED, Outcome::GivenUp);
            }
            Err(error) => return Checked::one(id, "", "its tombstone was not read", failed(&error)),
        }
        let outcome = match limited(rebuild::adopt(self, id)).await {
            Ok(Adopted::HasUpload) => return Checked::Fine,
            Ok(Adopted::Done) if self.run.dry_run => Outcome::WouldMend,
            Ok(Adopted::Done) => Outcome::Mended,
            Ok(Adopted::Unknown) => Outcome::GivenUp,
            Err(error) => failed(&error),
        };
        Checked::one(
            id,
            "",
            "outputs without a record, and their upload is gone",
            outcome,
        )
    }

    /// The record, or the finding that it could not be read.
    async fn read(self, id: &AssetId, key: &str) -> Result<Option<Record>, Checked> {
        let record = self.reconcile.services.catalog.get(id).await;
        record
            .map(|record| record.map(|record| record.value))
            .map_err(|error| Checked::one(id, key, "its record was not read", unreadable(&error)))
    }

    async fn removal(self, id: &AssetId) -> Result<Option<Removal>, Error> {
        Ok(self.reconcile.services.removals.get(id).await?)
    }
}

/// A record that is damaged stays so; one that could not be fetched may be fetched next time.
fn unreadable(error: &BucketError) -> Outcome {
    if error.is_damaged() {
        Outcome::GivenUp
    } else {
        Outcome::Failed(vod_aws::chain(error))
    }
}

pub(super) fn failed(error: &Error) -> Outcome {
    Outcome::Failed(vod_aws::chain(error))
}

fn outcome(result: Result<(), Error>) -> Outcome {
    match result {
        Ok(()) => Outcome::Mended,
        Err(error) => failed(&error),
    }
}
