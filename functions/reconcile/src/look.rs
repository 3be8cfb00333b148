//! What is looked at, and what is told of it: an upload, a record, an output folder.

use vod_aws::{CatalogError, Listed};
use vod_core::asset::AssetId;
use vod_core::record::Source;

use crate::decide::{self, RecordStep, UploadStep};
use crate::rebuild::Adopted;
use crate::reconcile::{Reconcile, ReconcileError, Run};
use crate::summary::Outcome;

/// What a look has found.
#[derive(Debug)]
pub(crate) enum Looked {
    Fine,
    Waiting,
    Found(Vec<Finding>),
}

/// Something that is not as it should be.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) asset: String,
    pub(crate) key: Option<String>,
    pub(crate) found: String,
    pub(crate) outcome: Outcome,
}

impl Finding {
    pub(crate) fn new(asset: &AssetId, key: &str, found: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            asset: asset.to_string(),
            key: (!key.is_empty()).then(|| key.to_owned()),
            found: found.into(),
            outcome,
        }
    }

    /// A look that has panicked: a fault of ours, of which the log tells more.
    pub(crate) fn panicked(key: String) -> Self {
        Self {
            asset: String::new(),
            key: Some(key),
            found: "the look at it panicked".to_owned(),
            outcome: Outcome::Failed("a panic".to_owned()),
        }
    }
}

impl Reconcile {
    pub(crate) async fn look_at_upload(&self, run: &Run, listed: &Listed) -> Looked {
        let (bucket, version) = (self.inputs.bucket(), listed.version.as_deref());
        let id = AssetId::new(bucket, &listed.key, version, &listed.etag);
        let found =
            |found: &str, outcome| Looked::Found(vec![Finding::new(&id, &listed.key, found, outcome)]);
        let record = match self.catalog.get(&id).await {
            Ok(record) => record.map(|record| record.value),
            Err(error) => return found("its record was not read", unreadable(&error)),
        };
        let what = match decide::upload(listed, record.as_ref(), &run.patience) {
            UploadStep::Nothing => return Looked::Fine,
            UploadStep::Wait => return Looked::Waiting,
            UploadStep::Lost => "it has no record",
            UploadStep::CameAgain => "it came again after a failure",
        };
        let removal = match &record {
            None => self.submit.removals().get(&id).await,
            Some(_) => Ok(None),
        };
        let came_after = match removal {
            Ok(Some(removal)) if removal.covers(None, listed.modified) => return Looked::Fine,
            Ok(removal) => removal.is_some(),
            Err(error) => return found(what, failed(&error.into())),
        };
        if run.look_only {
            return found(what, Outcome::WouldMend);
        }
        let source = Source {
            bucket: bucket.to_owned(),
            key: listed.key.clone(),
            version: listed.version.clone(),
            etag: listed.etag.clone(),
            size: listed.size,
            uploaded_at: listed.modified,
            ..Source::default()
        };
        // Jobs from before a removal are no reason not to encode again.
        let rebuilt = if came_after || record.is_some() {
            Ok(false)
        } else {
            Self::limited(self.rebuild(&id, &source, Vec::new(), run)).await
        };
        let mended = match rebuilt {
            Ok(true) => Ok(()),
            Ok(false) => self.send_again(&source, record.as_ref(), run).await,
            Err(error) => Err(error),
        };
        found(what, outcome(mended))
    }

    pub(crate) async fn look_at_record(&self, run: &Run, id: &AssetId) -> Looked {
        let record = match self.catalog.get(id).await {
            Ok(Some(record)) => record.value,
            Ok(None) => return Looked::Fine,
            Err(error) => {
                let finding = Finding::new(id, "", "its record was not read", unreadable(&error));
                return Looked::Found(vec![finding]);
            }
        };
        let found =
            |found: &str, outcome| Looked::Found(vec![Finding::new(id, &record.source.key, found, outcome)]);
        let step = decide::record(&record, &run.patience);
        match &step {
            RecordStep::Nothing => Looked::Fine,
            RecordStep::Wait => Looked::Waiting,
            RecordStep::GiveUp => found(
                "it failed three times with an error that should pass",
                Outcome::GivenUp,
            ),
            RecordStep::Ask(active) => self.ask(run, &record, active).await,
            RecordStep::TakeOver | RecordStep::Retry if run.look_only => {
                found("it waits for somebody to go on with it", Outcome::WouldMend)
            }
            RecordStep::TakeOver => {
                let mended = self.send_again(&record.source, Some(&record), run).await;
                found("nobody has brought it as far as a job", outcome(mended))
            }
            RecordStep::Abandon | RecordStep::Abandoned => {
                if step == RecordStep::Abandon && !run.look_only {
                    self.abandon(&record, run).await;
                }
                let what = format!("{} repairs have brought no job about", record.repairs);
                found(&what, Outcome::GivenUp)
            }
            RecordStep::Retry => {
                let retried = Self::limited(async { Ok(self.submit.retry(id, &run.invocation()).await?) });
                match retried.await {
                    Ok(true) => found("it failed with an error that should pass", Outcome::Mended),
                    Ok(false) => found("it failed, and its upload is no longer there", Outcome::GivenUp),
                    Err(error) => found("it failed with an error that should pass", failed(&error)),
                }
            }
        }
    }

    /// Outputs without a record whose upload is gone too: what MediaConvert still knows of them is all there is.
    pub(crate) async fn look_at_outputs(&self, run: &Run, id: &AssetId) -> Looked {
        match self.catalog.get(id).await {
            Ok(Some(_)) => return Looked::Fine,
            Ok(None) => {}
            Err(error) => {
                let finding = Finding::new(id, "", "its record was not read", unreadable(&error));
                return Looked::Found(vec![finding]);
            }
        }
        match self.submit.removals().get(id).await {
            Ok(None) => {}
            Ok(Some(_)) => {
                let what = "outputs of a video that was taken down: do it again";
                return Looked::Found(vec![Finding::new(id, "", what, Outcome::GivenUp)]);
            }
            Err(error) => {
                let what = "its tombstone was not read";
                return Looked::Found(vec![Finding::new(id, "", what, failed(&error.into()))]);
            }
        }
        let what = "outputs without a record, and their upload is gone";
        let mended = Self::limited(self.adopt(id, run)).await;
        let outcome = match mended {
            Ok(Adopted::NotAlone) => return Looked::Fine,
            Ok(Adopted::Done) if run.look_only => Outcome::WouldMend,
            Ok(Adopted::Done) => Outcome::Mended,
            Ok(Adopted::Unknown) => Outcome::GivenUp,
            Err(error) => failed(&error),
        };
        Looked::Found(vec![Finding::new(id, "", what, outcome)])
    }
}

/// A record that is damaged stays so; one that could not be fetched may be fetched next time.
fn unreadable(error: &CatalogError) -> Outcome {
    match error {
        CatalogError::Damaged { .. } => Outcome::GivenUp,
        error => Outcome::Failed(vod_aws::chain(error)),
    }
}

pub(crate) fn failed(error: &ReconcileError) -> Outcome {
    Outcome::Failed(vod_aws::chain(error))
}

pub(crate) fn outcome(result: Result<(), ReconcileError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Mended,
        Err(error) => failed(&error),
    }
}
