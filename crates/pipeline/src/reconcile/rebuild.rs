//! A record that is gone is rebuilt from its jobs and outputs, so that nothing is encoded twice because `catalog/` was
//! deleted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use tracing::info;
use vod_aws::{Document, JobInfo};
use vod_core::asset::AssetId;
use vod_core::attempt::event::fold;
use vod_core::attempt::{JobBuilder, Prepared, upload};
use vod_core::events::parse_job_event;
use vod_core::keys::INPUT;
use vod_core::owner::{Said, said_key};
use vod_core::record::{Job, Lease, Media, Record, Source};
use vod_core::state;

use super::Reconcile;
use super::check::Checker;
use super::outputs::{Attempts, Observed};
use super::repair::{event_of_outputs, last_event, observe, resubmit};
use crate::Error;

/// What can be done for outputs without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adopted {
    /// They have a record again, or would have in a dry run.
    Done,
    /// Their upload exists, and the check of it handles them.
    HasUpload,
    /// MediaConvert knows no job of theirs.
    Unknown,
}

/// Rebuilds the record of an upload. `false`: there is no trace of it, so it is new.
///
/// `jobs` are those known already; if there are none, they are searched for.
pub(super) async fn rebuild(
    checker: Checker<'_>,
    id: &AssetId,
    source: &Source,
    mut jobs: Vec<JobInfo>,
) -> Result<bool, Error> {
    let Checker { reconcile, run, .. } = checker;
    let (application, submit) = (reconcile.application(), &reconcile.submit);
    if jobs.is_empty() {
        let ours = |job: &JobInfo| job.attempt_of(application, id.as_str()).is_some();
        let search = reconcile
            .services
            .mediaconvert
            .jobs(Some(&source.url()), Timestamp::UNIX_EPOCH, ours)
            .await;
        jobs = search?;
    }
    let jobs = best(jobs, application, id);
    let observed = observe(reconcile, id).await?;
    if jobs.is_empty() && observed.is_empty() {
        return Ok(false);
    }
    let templates = submit.templates().await?;
    let mut record = Record::new(id.clone(), source.clone(), vod_aws::now());
    if is_current(reconcile, id, source).await? {
        record.source.media = submit.probe(source).await;
    }
    let first = jobs.values().map(|job| job.created_at).min();
    record.created_at = first.unwrap_or(source.uploaded_at);
    let rebuilder = Rebuilder {
        reconcile,
        builder: submit.builder(&templates),
    };
    let unfinished = rebuilder.fill(&mut record, &jobs, &observed);
    let services = &reconcile.services;
    let said = Document::new(services.s3.clone(), &services.bucket, &said_key(id))
        .read()
        .await?;
    if let Some(said) = &said {
        Said::put_on(said, &mut record);
    }
    if unfinished {
        // Already expired: the next invocation takes it over, which is this one.
        record.lease = Some(Lease {
            holder: "rebuilt".to_owned(),
            until: run.limits.now,
            ..Lease::default()
        });
    }
    state::refresh(&mut record);
    if reconcile.services.catalog.claim(&record).await? {
        info!(asset = %id, state = record.state.as_str(), jobs = jobs.len(), "record rebuilt");
        // A removal can start before the claim, so its tombstone is read again, as submit does.
        let removal = reconcile.services.removals.get(id).await?;
        if removal.is_some_and(|removal| removal.covers(source)) {
            let close = |known: &mut Record| {
                *known = upload::ignored(source.clone(), upload::REMOVED, vod_aws::now());
                true
            };
            reconcile.services.catalog.change(id, close).await?;
            return Ok(true);
        }
    }
    if unfinished {
        resubmit(checker, source, Some(&record)).await?;
    }
    Ok(true)
}

/// Puts attempts on record from what is left of them.
struct Rebuilder<'a> {
    reconcile: &'a Reconcile,
    builder: JobBuilder<'a>,
}

impl Rebuilder<'_> {
    /// Puts all attempts on record. Returns whether one must be made that does not exist.
    fn fill(&self, record: &mut Record, jobs: &Attempts<JobInfo>, observed: &Attempts<Observed>) -> bool {
        let nothing = Observed::default();
        for (place, job) in jobs {
            self.add_job(record, job, place, observed.get(place).unwrap_or(&nothing));
        }
        let mut unfinished = false;
        for ((template, attempt), observed) in observed {
            let superseded = jobs.keys().any(|(other, _)| other == template) || observed.is_empty();
            if superseded {
                continue;
            }
            let prepared = self.builder.prepare(record, template, *attempt);
            if let Some(event) = event_of_outputs(self.reconcile, record, "", &prepared, observed) {
                describe(record, &prepared);
                self.apply(record, &event);
            } else {
                // Half the outputs of a forgotten job: the next attempt has a folder of its own.
                record.jobs.push(Job::planned(template, None, attempt + 1));
                unfinished = true;
            }
        }
        // A later attempt that is whole makes up for an earlier half.
        let whole: Vec<String> = record.outputs.iter().map(|set| set.template.clone()).collect();
        record
            .jobs
            .retain(|job| !job.is_planned() || !whole.contains(&job.template));
        unfinished && record.jobs.iter().any(Job::is_planned)
    }

    fn add_job(
        &self,
        record: &mut Record,
        job: &JobInfo,
        (template, attempt): &(String, u32),
        observed: &Observed,
    ) {
        describe(record, &self.builder.prepare(record, template, *attempt));
        let entry = record.attempt_mut(template, *attempt);
        entry.job_id = Some(job.id.clone());
        entry.submitted_at = Some(job.created_at);
        // A job that still runs reports by itself. The outputs of one that has ended may have been deleted, which the
        // check of records finds.
        let asset = (&record.id.clone(), template.as_str(), *attempt);
        if job.has_ended()
            && let Ok(event) = last_event(self.reconcile, job, asset, observed)
        {
            self.apply(record, &event);
        }
    }

    fn apply(&self, record: &mut Record, event: &Value) {
        // Its form is the one that this crate has just written.
        if let Ok(Some(event)) = parse_job_event(event, self.reconcile.application())
            && let Some(change) = &event.change
        {
            fold(record, &event, change, vod_aws::now());
        }
    }
}

/// Notes what no event reports: the interval between thumbnails, and what our rules have changed.
fn describe(record: &mut Record, prepared: &Prepared) {
    // What the rules did to a source that is gone is not known.
    let is_probed = record.source.media != Media::default();
    let entry = record.attempt_mut(&prepared.template, prepared.attempt);
    entry.template_sha256.clone_from(&prepared.template_sha256);
    let Ok(request) = &prepared.request else { return };
    entry.thumbnail_interval_ms = request.thumbnail_interval_ms;
    if is_probed {
        entry.changes.clone_from(&request.changes);
        record.add_left_out(request.left_out.clone());
    }
}

/// Whether the object at the key is this very asset: only then is its content worth a probe.
async fn is_current(reconcile: &Reconcile, id: &AssetId, source: &Source) -> Result<bool, Error> {
    let head = reconcile.services.head(&source.bucket, &source.key).await?;
    Ok(head.is_some_and(|head| {
        AssetId::new(&source.bucket, &source.key, head.version.as_deref(), &head.etag) == *id
    }))
}

/// Makes a record for outputs whose upload is gone.
pub(super) async fn adopt(checker: Checker<'_>, id: &AssetId) -> Result<Adopted, Error> {
    let Checker { reconcile, run, .. } = checker;
    let ours = |job: &JobInfo| job.attempt_of(reconcile.application(), id.as_str()).is_some();
    let mediaconvert = &reconcile.services.mediaconvert;
    let jobs = mediaconvert.jobs(None, Timestamp::UNIX_EPOCH, ours).await?;
    let Some(job) = jobs.last() else {
        return Ok(Adopted::Unknown);
    };
    let url = job
        .input
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'));
    let Some((bucket, key)) = url.filter(|(_, key)| key.starts_with(INPUT)) else {
        return Ok(Adopted::Unknown);
    };
    if !id.as_str().starts_with(&AssetId::key_prefix(bucket, key)) {
        return Ok(Adopted::Unknown);
    }
    let source = Source {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        uploaded_at: job.created_at,
        ..Source::default()
    };
    if is_current(reconcile, id, &source).await? {
        return Ok(Adopted::HasUpload);
    }
    if !run.dry_run {
        rebuild(checker, id, &source, jobs).await?;
    }
    Ok(Adopted::Done)
}

/// The job that counts of each attempt: if there are several, the one that came furthest.
fn best(jobs: Vec<JobInfo>, application: &str, id: &AssetId) -> Attempts<JobInfo> {
    let rank = |job: &JobInfo| match job.status.as_str() {
        "COMPLETE" => 3,
        "SUBMITTED" | "PROGRESSING" => 2,
        "ERROR" => 1,
        _ => 0,
    };
    let mut by_attempt: Attempts<JobInfo> = BTreeMap::new();
    for job in jobs {
        let Some((template, attempt)) = job.attempt_of(application, id.as_str()) else {
            continue;
        };
        let place = (template.to_owned(), attempt);
        match by_attempt.get(&place) {
            Some(known) if rank(known) >= rank(&job) => {}
            _ => {
                by_attempt.insert(place, job);
            }
        }
    }
    by_attempt
}
