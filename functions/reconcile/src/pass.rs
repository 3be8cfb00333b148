//! One way through the bucket: all uploads, then all records, then all output folders.
//!
//! Memory is that of two pages or so. Looks of one page go on while the next page begins, so that one slow answer
//! holds nobody up. The place up to which all looks have ended goes into `ops/reconcile.json`, so that a run which is
//! out of time, or which dies, is continued by the next. Two runs at once are safe: repairs claim what they work on;
//! the run whose conditional write of the place fails merely stops writing it.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;
use vod_aws::{Document, Listed, Meter, Place};
use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, INPUT, OUTPUT, asset_of_record, record_key};

use crate::look::{Finding, Looked};
use crate::reconcile::{CURSOR, Reconcile, ReconcileError, Run};
use crate::summary::Summary;

/// Things looked at side by side: each mostly waits for one answer of S3.
const ABREAST: usize = 64;

/// What a pass looks at, in this order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    #[default]
    Uploads,
    Records,
    Outputs,
}

/// Where a pass is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct At {
    phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
}

/// The contents of [`CURSOR`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    #[serde(flatten)]
    at: At,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    summary: Summary,
}

/// A page's worth of work; the place is where to go on once the item is done.
struct Page<T> {
    items: Vec<(T, Place)>,
    next: Option<Place>,
}

/// A page of which looks are under way.
struct Begun {
    flying: usize,
    /// Where to go on when they have ended, and all before them.
    then: At,
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
    let mut keeper = Keeper {
        document: (!run.look_only).then_some(document),
        told: cursor.summary.findings(),
        meter: &reconcile.meter,
    };
    let mut course = Course {
        reconcile,
        run,
        at: Some(cursor.at.clone()),
        summary: cursor.summary.clone(),
        flying: FuturesUnordered::new(),
        pages: VecDeque::new(),
        ended: 0,
    };
    let walked = course.walk(&mut cursor, &mut keeper).await;
    // What has been begun is brought to its end, after a failure too.
    while course.land().await {}
    cursor.summary = course.summary;
    if let Some(Begun { then, .. }) = course.pages.pop_back() {
        cursor.at = then;
    }
    cursor.summary.finished = walked.is_ok() && course.at.is_none();
    keeper.keep(&cursor).await?;
    walked?;
    Ok(cursor.summary)
}

/// Writes places down, and has what was found meanwhile counted.
struct Keeper<'a> {
    document: Option<Document>,
    told: (u64, u64),
    meter: &'a Meter,
}

impl Keeper<'_> {
    async fn keep(&mut self, cursor: &Cursor) -> Result<(), ReconcileError> {
        let Some(open) = &mut self.document else {
            return Ok(());
        };
        if open.write(cursor).await? {
            // Who does not keep the place does not count either, so that two runs at once count nothing twice.
            if let Some(outcome) = cursor.summary.since(self.told) {
                self.meter.tell(&outcome);
            }
            self.told = cursor.summary.findings();
        } else {
            warn!("another run keeps the place; this one goes on without");
            self.document = None;
        }
        Ok(())
    }
}

/// One run's part of a pass.
struct Course<'a> {
    reconcile: &'a Reconcile,
    run: &'a Run,
    /// Where the next page begins; nowhere: the pass is through.
    at: Option<At>,
    summary: Summary,
    /// Looks under way, each with the number of its page.
    flying: FuturesUnordered<BoxFuture<'a, (usize, Looked)>>,
    /// Pages with looks under way or after such a one, the oldest first.
    pages: VecDeque<Begun>,
    /// Pages that came before those.
    ended: usize,
}

impl<'a> Course<'a> {
    async fn walk(&mut self, cursor: &mut Cursor, keeper: &mut Keeper<'_>) -> Result<(), ReconcileError> {
        let versioned = self.reconcile.inputs.is_versioned().await?;
        while let Some(At { phase, place }) = self.at.clone()
            && vod_aws::now() < self.run.stop
        {
            let place = place.as_ref();
            match phase {
                Phase::Uploads => self.uploads(place, versioned).await?,
                Phase::Records => self.records(place).await?,
                Phase::Outputs => self.outputs(place).await?,
            }
            if let Some(at) = self.settled() {
                cursor.at = at;
                cursor.summary = self.summary.clone();
                keeper.keep(cursor).await?;
            }
        }
        Ok(())
    }

    /// How far all looks have ended, if that is farther than before.
    fn settled(&mut self) -> Option<At> {
        let mut settled = None;
        // The newest stays: at the end it says where to go on.
        while self.pages.len() > 1 && self.pages[0].flying == 0 {
            settled = self.pages.pop_front().map(|page| page.then);
            self.ended += 1;
        }
        settled
    }

    async fn uploads(&mut self, place: Option<&Place>, versioned: bool) -> Result<(), ReconcileError> {
        let (reconcile, run) = (self.reconcile, self.run);
        let page = reconcile.inputs.objects(INPUT, place, versioned).await?;
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
        let look = |listed: Listed| async move { reconcile.look_at_upload(run, &listed).await }.boxed();
        self.through(page, Phase::Uploads, Some(Phase::Records), look)
            .await;
        Ok(())
    }

    async fn records(&mut self, place: Option<&Place>) -> Result<(), ReconcileError> {
        let (reconcile, run) = (self.reconcile, self.run);
        let page = reconcile
            .page_of_catalog(place.map(|place| place.key.as_str()))
            .await?;
        let look = |id: AssetId| async move { reconcile.look_at_record(run, &id).await }.boxed();
        self.through(page, Phase::Records, Some(Phase::Outputs), look)
            .await;
        Ok(())
    }

    async fn outputs(&mut self, place: Option<&Place>) -> Result<(), ReconcileError> {
        let (reconcile, run) = (self.reconcile, self.run);
        let after = place.map(|place| place.key.as_str());
        let page = reconcile.outputs.folders(OUTPUT, after).await?;
        let folder = |key: String| {
            let name = key.trim_start_matches(OUTPUT).trim_end_matches('/');
            let id = name.parse::<AssetId>().ok()?;
            Some((id, Place { key, version: None }))
        };
        let items: Vec<_> = page.entries.into_iter().filter_map(folder).collect();
        let known = match items.first() {
            Some((first, _)) => reconcile.records_from(first).await?,
            None => HashSet::new(),
        };
        let page = Page {
            items,
            next: page.next,
        };
        let look = |id: AssetId| {
            if known.contains(&id) {
                return futures::future::ready(Looked::Fine).boxed();
            }
            async move { reconcile.look_at_outputs(run, &id).await }.boxed()
        };
        self.through(page, Phase::Outputs, None, look).await;
        Ok(())
    }

    /// Begins the looks at a page's items, so many at a time, and moves on. Out of time, nothing more is begun.
    async fn through<T>(
        &mut self,
        page: Page<T>,
        phase: Phase,
        next: Option<Phase>,
        look: impl Fn(T) -> BoxFuture<'a, Looked>,
    ) {
        let mut items = page.items.into_iter();
        let mut then = self.at.clone().unwrap_or_default();
        self.pages.push_back(Begun {
            flying: 0,
            then: then.clone(),
        });
        while items.len() > 0 && vod_aws::now() < self.run.stop {
            if self.flying.len() >= ABREAST {
                self.land().await;
                continue;
            }
            let Some((item, place)) = items.next() else { break };
            self.fly(&place.key, look(item));
            let place = Some(place);
            then = At { phase, place };
        }
        if items.len() == 0 {
            let turn = match (page.next, next) {
                (place @ Some(_), _) => Some(At { phase, place }),
                (None, next) => next.map(|phase| At { phase, place: None }),
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

    /// Begins a look, in the newest page. One that panics is a failure and ends no others.
    fn fly(&mut self, key: &str, look: BoxFuture<'a, Looked>) {
        let (page, key) = (self.ended + self.pages.len() - 1, key.to_owned());
        let look = AssertUnwindSafe(look).catch_unwind().map(move |looked| {
            let panicked = || Looked::Found(vec![Finding::panicked(key)]);
            (page, looked.unwrap_or_else(|_| panicked()))
        });
        self.flying.push(look.boxed());
        if let Some(page) = self.pages.back_mut() {
            page.flying += 1;
        }
    }

    /// Waits for the end of one look. `false`: there is none.
    async fn land(&mut self) -> bool {
        let Some((page, looked)) = self.flying.next().await else {
            return false;
        };
        if let Some(page) = self.pages.get_mut(page - self.ended) {
            page.flying -= 1;
        }
        count(&mut self.summary, looked);
        true
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
    async fn page_of_catalog(&self, after: Option<&str>) -> Result<Page<AssetId>, ReconcileError> {
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
}
