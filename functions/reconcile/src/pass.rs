//! One way through the bucket: all uploads, then all records, then all output folders.
//!
//! Memory is that of one page. After each page the place goes into `ops/reconcile.json`, so that a run which is out of
//! time, or which dies, is continued by the next. Two runs at once are safe: repairs claim what they work on; the
//! run whose conditional write of the place fails merely stops writing it.

use std::collections::HashSet;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use vod_aws::{CatalogError, Document, Listed, Place};
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, INPUT, OUTPUT, asset_of_record, record_key};
use vod_core::record::Source;

use crate::decide::{self, RecordStep, UploadStep};
use crate::handler::{CURSOR, Reconcile, ReconcileError, Run};
use crate::rebuild::Adopted;
use crate::summary::{Outcome, Summary};

/// Things looked at side by side.
const ABREAST: usize = 16;

/// Where a pass is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    #[default]
    Uploads,
    Records,
    Outputs,
}

/// The contents of [`CURSOR`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    summary: Summary,
}

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
}

/// A page's worth of work; the place is where to go on once the item is done.
struct Page<T> {
    items: Vec<(T, Place)>,
    next: Option<Place>,
}

/// Goes on where the last run stopped, or begins anew.
pub(crate) async fn run(reconcile: &Reconcile, run: &Run) -> Result<Summary, ReconcileError> {
    let mut document = Document::new(reconcile.s3.clone(), reconcile.inputs.bucket(), CURSOR);
    let left_off = if run.look_only {
        None
    } else {
        document.read::<Cursor>().await?
    };
    let mut cursor = left_off
        .filter(|cursor| !cursor.summary.finished)
        .unwrap_or_default();
    cursor.summary.dry_run = run.look_only;
    cursor.started_at.get_or_insert(run.patience.now);
    let mut document = (!run.look_only).then_some(document);
    let versioned = reconcile.inputs.is_versioned().await?;
    let mut told = cursor.summary.findings();
    while !cursor.summary.finished && vod_aws::now() < run.stop {
        match cursor.phase {
            Phase::Uploads => uploads(reconcile, run, &mut cursor, versioned).await?,
            Phase::Records => records(reconcile, run, &mut cursor).await?,
            Phase::Outputs => outputs(reconcile, run, &mut cursor).await?,
        }
        let Some(open) = &mut document else { continue };
        if open.write(&cursor).await? {
            // Who does not keep the place does not count either, so that two runs at once count nothing twice.
            if let Some(outcome) = cursor.summary.since(told) {
                reconcile.meter.tell(&outcome);
            }
            told = cursor.summary.findings();
        } else {
            warn!("another run keeps the place; this one goes on without");
            document = None;
        }
    }
    Ok(cursor.summary)
}

async fn uploads(
    reconcile: &Reconcile,
    run: &Run,
    cursor: &mut Cursor,
    versioned: bool,
) -> Result<(), ReconcileError> {
    let page = reconcile
        .inputs
        .objects(INPUT, cursor.place.as_ref(), versioned)
        .await?;
    let place = |listed: &Listed| Place {
        key: listed.key.clone(),
        // S3's own word for the version of an object from before there were any.
        version: versioned.then(|| listed.version.clone().unwrap_or_else(|| "null".to_owned())),
    };
    let items = page.entries.into_iter().map(|listed| {
        let place = place(&listed);
        (listed, place)
    });
    let page = Page {
        items: items.collect(),
        next: page.next,
    };
    through(run, cursor, page, Phase::Records, |listed: Listed| {
        async move { reconcile.look_at_upload(run, &listed).await }.boxed()
    })
    .await;
    Ok(())
}

async fn records(reconcile: &Reconcile, run: &Run, cursor: &mut Cursor) -> Result<(), ReconcileError> {
    let after = cursor.place.as_ref().map(|place| place.key.as_str());
    let page = reconcile.outputs_of_catalog(after).await?;
    through(run, cursor, page, Phase::Outputs, |id: AssetId| {
        async move { reconcile.look_at_record(run, &id).await }.boxed()
    })
    .await;
    Ok(())
}

async fn outputs(reconcile: &Reconcile, run: &Run, cursor: &mut Cursor) -> Result<(), ReconcileError> {
    let after = cursor.place.as_ref().map(|place| place.key.as_str());
    let page = reconcile.outputs.folders(OUTPUT, after).await?;
    let mut items = Vec::new();
    for folder in page.entries {
        let name = folder.trim_start_matches(OUTPUT).trim_end_matches('/');
        if let Ok(id) = name.parse::<AssetId>() {
            let place = Place {
                key: folder,
                version: None,
            };
            items.push((id, place));
        }
    }
    let known = match items.first() {
        Some((first, _)) => reconcile.records_from(first).await?,
        None => HashSet::new(),
    };
    let page = Page {
        items,
        next: page.next,
    };
    // There is nothing after this: `Uploads` stands for the end.
    through(run, cursor, page, Phase::Uploads, |id: AssetId| {
        let known = known.contains(&id);
        async move {
            if known {
                return Looked::Fine;
            }
            reconcile.look_at_outputs(run, &id).await
        }
        .boxed()
    })
    .await;
    Ok(())
}

/// Looks at a page's items, so many at a time, and moves the cursor on. What has been begun is brought to its end; out
/// of time, nothing more is begun.
async fn through<'a, T>(
    run: &Run,
    cursor: &mut Cursor,
    page: Page<T>,
    then: Phase,
    look: impl Fn(T) -> BoxFuture<'a, Looked>,
) {
    let mut items = page.items.into_iter();
    let mut looks = FuturesUnordered::new();
    loop {
        while looks.len() < ABREAST && vod_aws::now() < run.stop {
            let Some((item, place)) = items.next() else { break };
            looks.push(look(item));
            cursor.place = Some(place);
        }
        let Some(looked) = looks.next().await else { break };
        count(&mut cursor.summary, looked);
    }
    if items.len() > 0 {
        return;
    }
    cursor.place = page.next;
    if cursor.place.is_none() {
        cursor.summary.finished = then == Phase::Uploads;
        cursor.phase = then;
    }
}

fn count(summary: &mut Summary, looked: Looked) {
    summary.looked_at += 1;
    match looked {
        Looked::Fine => {}
        Looked::Waiting => summary.waiting += 1,
        Looked::Found(findings) => {
            for Finding {
                asset,
                key,
                found,
                outcome,
            } in findings
            {
                summary.add(&asset, key.as_deref(), &found, &outcome);
            }
        }
    }
}

impl Reconcile {
    async fn outputs_of_catalog(&self, after: Option<&str>) -> Result<Page<AssetId>, ReconcileError> {
        let page = self.inputs.keys(CATALOG, after).await?;
        let items = page.entries.into_iter().filter_map(|key| {
            let id = asset_of_record(&key)?;
            Some((id, Place { key, version: None }))
        });
        Ok(Page {
            items: items.collect(),
            next: page.next,
        })
    }

    /// Ids that have a record, from `first` on: one page of them, which mostly covers a page of folders.
    async fn records_from(&self, first: &AssetId) -> Result<HashSet<AssetId>, ReconcileError> {
        let key = record_key(first);
        let before = key.trim_end_matches(".json");
        let page = self.inputs.keys(CATALOG, Some(before)).await?;
        Ok(page
            .entries
            .iter()
            .filter_map(|key| asset_of_record(key))
            .collect())
    }

    async fn look_at_upload(&self, run: &Run, listed: &Listed) -> Looked {
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
        let mended = Self::limited(async {
            // Jobs from before a removal are no reason not to encode again.
            if came_after || record.is_some() || !self.rebuild(&id, &source, Vec::new(), run).await? {
                self.send_again(&source, run).await?;
            }
            Ok(())
        });
        found(what, outcome(mended.await))
    }

    async fn look_at_record(&self, run: &Run, id: &AssetId) -> Looked {
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
        match decide::record(&record, &run.patience) {
            RecordStep::Nothing => Looked::Fine,
            RecordStep::Wait => Looked::Waiting,
            RecordStep::GiveUp => found(
                "it failed three times with an error that should pass",
                Outcome::GivenUp,
            ),
            RecordStep::Ask(active) => self.ask(run, &record, &active).await,
            RecordStep::TakeOver | RecordStep::Retry if run.look_only => {
                found("it waits for somebody to go on with it", Outcome::WouldMend)
            }
            RecordStep::TakeOver => {
                let mended = Self::limited(self.send_again(&record.source, run)).await;
                found("whoever had claimed it has died", outcome(mended))
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
    async fn look_at_outputs(&self, run: &Run, id: &AssetId) -> Looked {
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
