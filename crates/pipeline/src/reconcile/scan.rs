//! One pass through the bucket: all uploads, then all records, then all output folders.
//!
//! It takes the memory of about two pages. Checks of one page continue while the next page starts, so that one slow
//! answer does not delay the others. The place before which all checks have ended is the checkpoint,
//! `ops/reconcile.json`: the next run continues there if this one runs out of time or dies. Two runs at once are safe.
//! Repairs claim what they work on, and a run whose conditional write of the checkpoint fails stops writing it.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use vod_aws::{Document, Meter, Place};
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, INPUT, OUTPUT, asset_of_record, record_key};
use vod_core::object::Listed;

use super::check::{Checked, Checker, Finding};
use super::summary::Summary;
use super::{CHECKPOINT, Reconcile, RunInfo};
use crate::Error;

/// Checks at one time. Each mostly waits for one answer of S3.
const CONCURRENCY: usize = 64;

/// What a pass checks, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    #[default]
    Uploads,
    Records,
    Outputs,
}

/// A position in a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

/// The content of [`CHECKPOINT`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    #[serde(flatten)]
    at: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    /// Whether an earlier pass has looked for every record's entry in the index by time. `None`: the pass began in a
    /// version without the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_indexed: Option<bool>,
    summary: Summary,
}

impl Checkpoint {
    /// Where to continue, or the beginning of the next pass.
    fn next(last: Option<Self>) -> Self {
        let was_indexed = match last {
            Some(unfinished) if !unfinished.summary.finished => return unfinished,
            Some(Self {
                is_indexed: Some(was_indexed),
                summary,
                ..
            }) => was_indexed || summary.failed == 0,
            _ => false,
        };
        Self {
            is_indexed: Some(was_indexed),
            ..Self::default()
        }
    }
}

/// One page of items, each with the place to continue from once it is done.
struct Page<T> {
    items: Vec<(T, Place)>,
    next: Option<Place>,
}

/// A page whose checks have started.
struct Started {
    in_flight: usize,
    /// Where to continue when they have ended, and all before them.
    then: Position,
}

/// Continues where the last run stopped, or starts a new pass.
pub(super) async fn run(reconcile: &Reconcile, run: &RunInfo) -> Result<Summary, Error> {
    let mut document = Document::new(reconcile.services.s3.clone(), reconcile.inputs.name(), CHECKPOINT);
    let last = if run.dry_run {
        None
    } else {
        document.read::<Checkpoint>().await?
    };
    let mut checkpoint = Checkpoint::next(last);
    checkpoint.summary.dry_run = run.dry_run;
    checkpoint.started_at.get_or_insert(run.limits.now);
    let mut store = CheckpointStore {
        document: (!run.dry_run).then_some(document),
        reported: checkpoint.summary.findings(),
        meter: &reconcile.services.meter,
    };
    let mut scan = Scan {
        checker: Checker {
            reconcile,
            run,
            is_indexed: checkpoint.is_indexed == Some(true),
        },
        run,
        at: Some(checkpoint.at.clone()),
        summary: checkpoint.summary.clone(),
        in_flight: FuturesUnordered::new(),
        pages: VecDeque::new(),
        ended: 0,
    };
    let scanned = scan.scan(&mut checkpoint, &mut store).await;
    // Checks that have started are finished, after a failure too.
    while scan.next_completed().await {}
    checkpoint.summary = scan.summary;
    if let Some(Started { then, .. }) = scan.pages.pop_back() {
        checkpoint.at = then;
    }
    checkpoint.summary.finished = scanned.is_ok() && scan.at.is_none();
    store.save(&checkpoint).await?;
    scanned?;
    Ok(checkpoint.summary)
}

/// Saves the checkpoint, and reports to the meter what was found since the last one.
struct CheckpointStore<'a> {
    document: Option<Document>,
    reported: (u64, u64),
    meter: &'a Meter,
}

impl CheckpointStore<'_> {
    async fn save(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let Some(open) = &mut self.document else {
            return Ok(());
        };
        if open.write(checkpoint).await? {
            // Only the run that saves the checkpoint reports, so that two runs at once count nothing twice.
            if let Some(outcome) = checkpoint.summary.since(self.reported) {
                self.meter.tell(&outcome);
            }
            self.reported = checkpoint.summary.findings();
        } else {
            warn!("another run saves the checkpoint; this one continues without");
            self.document = None;
        }
        Ok(())
    }
}

/// The part of a pass in one run.
struct Scan<'a> {
    checker: Checker<'a>,
    run: &'a RunInfo,
    /// Where the next page starts; `None` at the end of the pass.
    at: Option<Position>,
    summary: Summary,
    /// Checks in flight, each with the number of its page.
    in_flight: FuturesUnordered<BoxFuture<'a, (usize, Checked)>>,
    /// Pages with checks in flight, and pages after those, the oldest first.
    pages: VecDeque<Started>,
    /// The number of pages before those.
    ended: usize,
}

impl<'a> Scan<'a> {
    async fn scan(
        &mut self,
        checkpoint: &mut Checkpoint,
        store: &mut CheckpointStore<'_>,
    ) -> Result<(), Error> {
        let versioned = self.checker.reconcile.inputs.is_versioned().await?;
        while let Some(Position { phase, place }) = self.at.clone()
            && vod_aws::now() < self.run.stop
        {
            let place = place.as_ref();
            match phase {
                Phase::Uploads => self.uploads(place, versioned).await?,
                Phase::Records => self.records(place).await?,
                Phase::Outputs => self.outputs(place).await?,
            }
            if let Some(at) = self.settled() {
                checkpoint.at = at;
                checkpoint.summary = self.summary.clone();
                store.save(checkpoint).await?;
            }
        }
        Ok(())
    }

    /// The position before which all checks have ended, if it has moved.
    fn settled(&mut self) -> Option<Position> {
        let mut settled = None;
        // The newest stays: at the end it says where to continue.
        while self.pages.len() > 1 && self.pages[0].in_flight == 0 {
            settled = self.pages.pop_front().map(|page| page.then);
            self.ended += 1;
        }
        settled
    }

    async fn uploads(&mut self, place: Option<&Place>, versioned: bool) -> Result<(), Error> {
        let checker = self.checker;
        let page = checker.reconcile.inputs.objects(INPUT, place, versioned).await?;
        let items = page.entries.into_iter().map(|listed| {
            let place = Place {
                key: listed.key.clone(),
                // S3's own word for the version of an object from before there were any.
                version: versioned.then(|| listed.version.clone().unwrap_or_else(|| "null".to_owned())),
            };
            (listed, place)
        });
        let page = Page {
            items: items.collect(),
            next: page.next,
        };
        let check = |listed: Listed| async move { checker.upload(&listed).await }.boxed();
        self.through(page, Phase::Uploads, Some(Phase::Records), check)
            .await;
        Ok(())
    }

    async fn records(&mut self, place: Option<&Place>) -> Result<(), Error> {
        let checker = self.checker;
        let page = page_of_catalog(checker.reconcile, place.map(|place| place.key.as_str())).await?;
        let check = |id: AssetId| async move { checker.record(&id).await }.boxed();
        self.through(page, Phase::Records, Some(Phase::Outputs), check)
            .await;
        Ok(())
    }

    async fn outputs(&mut self, place: Option<&Place>) -> Result<(), Error> {
        let checker = self.checker;
        let after = place.map(|place| place.key.as_str());
        let page = checker.reconcile.outputs.folders(OUTPUT, after).await?;
        let folder = |key: String| {
            let name = key.trim_start_matches(OUTPUT).trim_end_matches('/');
            let id = name.parse::<AssetId>().ok()?;
            Some((id, Place { key, version: None }))
        };
        let items: Vec<_> = page.entries.into_iter().filter_map(folder).collect();
        let known = match items.first() {
            Some((first, _)) => records_from(checker.reconcile, first).await?,
            None => HashSet::new(),
        };
        let page = Page {
            items,
            next: page.next,
        };
        let check = |id: AssetId| {
            if known.contains(&id) {
                return futures::future::ready(Checked::Fine).boxed();
            }
            async move { checker.outputs(&id).await }.boxed()
        };
        self.through(page, Phase::Outputs, None, check).await;
        Ok(())
    }

    /// Starts the checks of a page's items, [`CONCURRENCY`] at a time, and moves on. Out of time, it starts no more.
    async fn through<T>(
        &mut self,
        page: Page<T>,
        phase: Phase,
        next: Option<Phase>,
        check: impl Fn(T) -> BoxFuture<'a, Checked>,
    ) {
        let mut items = page.items.into_iter();
        let mut then = self.at.clone().unwrap_or_default();
        self.pages.push_back(Started {
            in_flight: 0,
            then: then.clone(),
        });
        while items.len() > 0 && vod_aws::now() < self.run.stop {
            if self.in_flight.len() >= CONCURRENCY {
                self.next_completed().await;
                continue;
            }
            let Some((item, place)) = items.next() else { break };
            self.start(&place.key, check(item));
            let place = Some(place);
            then = Position { phase, place };
        }
        if items.len() == 0 {
            let turn = match (page.next, next) {
                (place @ Some(_), _) => Some(Position { phase, place }),
                (None, next) => next.map(|phase| Position { phase, place: None }),
            };
            self.at.clone_from(&turn);
            then = turn.unwrap_or(then);
        } else {
            self.at = Some(then.clone());
        }
        if let Some(page) = self.pages.back_mut() {
            page.then = then;
        }
    }

    /// Starts a check of the newest page. If it panics, it has failed, and the others continue.
    fn start(&mut self, key: &str, check: BoxFuture<'a, Checked>) {
        let (page, key) = (self.ended + self.pages.len() - 1, key.to_owned());
        let check = AssertUnwindSafe(check).catch_unwind().map(move |checked| {
            let panicked = || Checked::Found(vec![Finding::panicked(key)]);
            (page, checked.unwrap_or_else(|_| panicked()))
        });
        self.in_flight.push(check.boxed());
        if let Some(page) = self.pages.back_mut() {
            page.in_flight += 1;
        }
    }

    /// Waits until one check has ended. `false`: none is in flight.
    async fn next_completed(&mut self) -> bool {
        let Some((page, checked)) = self.in_flight.next().await else {
            return false;
        };
        if let Some(page) = self.pages.get_mut(page - self.ended) {
            page.in_flight -= 1;
        }
        count(&mut self.summary, checked);
        true
    }
}

fn count(summary: &mut Summary, checked: Checked) {
    summary.looked_at += 1;
    match checked {
        Checked::Fine => {}
        Checked::Waiting => summary.waiting += 1,
        Checked::Found(findings) => {
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

async fn page_of_catalog(reconcile: &Reconcile, after: Option<&str>) -> Result<Page<AssetId>, Error> {
    let page = reconcile.inputs.keys(CATALOG, after).await?;
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
async fn records_from(reconcile: &Reconcile, first: &AssetId) -> Result<HashSet<AssetId>, Error> {
    let key = record_key(first);
    let before = key.trim_end_matches(".json");
    let page = reconcile.inputs.keys(CATALOG, Some(before)).await?;
    let ids = page.entries.iter().filter_map(|key| asset_of_record(key));
    Ok(ids.collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn all_entries_are_looked_for_until_one_pass_has_seen_them() {
        let last = |is_indexed: Value, finished: bool, failed: u64| {
            let summary = json!({"finished": finished, "failed": failed});
            serde_json::from_value(json!({"phase": "records", "is_indexed": is_indexed, "summary": summary}))
                .unwrap()
        };
        for (last, expected) in [
            (None, Some(false)),
            // A version without the index has left these.
            (Some(last(Value::Null, true, 0)), Some(false)),
            (Some(last(Value::Null, false, 0)), None),
            (Some(last(false.into(), true, 1)), Some(false)),
            (Some(last(false.into(), false, 0)), Some(false)),
            (Some(last(false.into(), true, 0)), Some(true)),
            (Some(last(true.into(), true, 1)), Some(true)),
        ] {
            assert_eq!(Checkpoint::next(last.clone()).is_indexed, expected, "{last:?}");
        }
        let unfinished = last(true.into(), false, 0);
        assert_eq!(Checkpoint::next(Some(unfinished)).at.phase, Phase::Records);
    }
}
