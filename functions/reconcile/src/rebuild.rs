//! A record that is gone, made again from what its jobs and outputs tell: nothing is encoded twice because somebody
//! has removed `catalog/`.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use submit::SubmitError;
use tracing::info;
use vod_aws::{JobInfo, LoadedTemplate, Sources};
use vod_core::asset::AssetId;
use vod_core::events::parse_job_event;
use vod_core::keys::INPUT;
use vod_core::record::{Job, Lease, Record, Source};
use vod_core::state;

use crate::outputs::Observed;
use crate::reconcile::{Reconcile, ReconcileError, Run};

/// What can be done for outputs without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adopted {
    /// They have a record again (would have, in a dry run).
    Done,
    /// Their upload is there: they are its business.
    NotAlone,
    /// MediaConvert knows no job of theirs.
    Unknown,
}

type Attempts<T> = BTreeMap<(String, u32), T>;

impl Reconcile {
    /// Makes the record of an upload again. `false`: there is no trace of it, so it is new.
    ///
    /// `jobs` are those known already; without any they are searched for.
    pub(crate) async fn rebuild(
        &self,
        id: &AssetId,
        source: &Source,
        mut jobs: Vec<JobInfo>,
        run: &Run,
    ) -> Result<bool, ReconcileError> {
        let application = &self.config.submit.application;
        if jobs.is_empty() {
            let url = format!("s3://{}/{}", source.bucket, source.key);
            let ours = |job: &JobInfo| job.attempt_of(application, id.as_str()).is_some();
            jobs = self
                .mediaconvert
                .jobs(Some(&url), Timestamp::UNIX_EPOCH, ours)
                .await?;
        }
        let jobs = best(jobs, application, id);
        let observed = self.observe(id).await?;
        if jobs.is_empty() && observed.is_empty() {
            return Ok(false);
        }
        let templates = self.submit.templates().await?;
        let mut record = Record::new(id.clone(), source.clone(), vod_aws::now());
        if self.is_current(id, source).await? {
            record.source.media = self.submit.media(source).await;
        }
        let first = jobs.values().map(|job| job.created_at).min();
        record.created_at = first.unwrap_or(source.uploaded_at);
        let unfinished = self.fill(&mut record, &jobs, &observed, &templates);
        if unfinished {
            // Already over: whoever comes first goes on with it, which is us.
            record.lease = Some(Lease {
                holder: "rebuilt".to_owned(),
                until: run.patience.now,
                ..Lease::default()
            });
        }
        state::refresh(&mut record);
        if self.catalog.claim(&record).await? {
            info!(asset = %id, state = record.state.as_str(), jobs = jobs.len(), "record rebuilt");
        }
        if unfinished {
            self.send_again(source, Some(&record), run).await?;
        }
        Ok(true)
    }

    /// Puts all attempts on record. Returns whether one must be made that is not there.
    fn fill(
        &self,
        record: &mut Record,
        jobs: &Attempts<JobInfo>,
        observed: &Attempts<Observed>,
        templates: &[LoadedTemplate],
    ) -> bool {
        let nothing = Observed::default();
        for (place, job) in jobs {
            self.add_job(
                record,
                job,
                place,
                observed.get(place).unwrap_or(&nothing),
                templates,
            );
        }
        let mut unfinished = false;
        for (place, observed) in observed {
            let (template, attempt) = place;
            let superseded = jobs.keys().any(|(other, _)| other == template) || observed.is_empty();
            if superseded {
                continue;
            }
            let planned = Job::planned(template, None, *attempt);
            if let Some(event) = self.event_of_outputs(record, &planned, templates, observed) {
                self.add_interval(record, &planned, templates);
                self.apply(record, &event);
            } else {
                // Half a result of an unknown job: the next attempt has a folder of its own.
                record.jobs.push(Job::planned(template, None, attempt + 1));
                unfinished = true;
            }
        }
        // A later attempt that is whole makes up for an earlier half.
        let whole: Vec<String> = record.outputs.iter().map(|set| set.template.clone()).collect();
        record
            .jobs
            .retain(|job| job.state.is_terminal() || job.job_id.is_some() || !whole.contains(&job.template));
        unfinished
            && record
                .jobs
                .iter()
                .any(|job| job.job_id.is_none() && !job.state.is_terminal())
    }

    fn add_job(
        &self,
        record: &mut Record,
        job: &JobInfo,
        (template, attempt): &(String, u32),
        observed: &Observed,
        templates: &[LoadedTemplate],
    ) {
        let planned = Job::planned(template, None, *attempt);
        self.add_interval(record, &planned, templates);
        let entry = record.attempt_mut(template, *attempt);
        entry.job_id = Some(job.id.clone());
        entry.submitted_at = Some(job.created_at);
        // One that still runs reports by itself; the outputs of one that is done may have been removed, which the
        // look at records finds.
        if job.has_ended()
            && let Ok(event) = self.last_event(job, (&record.id.clone(), template, *attempt), observed)
        {
            self.apply(record, &event);
        }
    }

    /// What no event tells: the distance of thumbnails, and what our rules have changed.
    fn add_interval(&self, record: &mut Record, planned: &Job, templates: &[LoadedTemplate]) {
        let request = self.request(record, planned, templates);
        let template = templates
            .iter()
            .find(|template| template.name == planned.template);
        // What the rules did to a source that is gone is not known.
        let probed = record.source.media != vod_core::record::Media::default();
        let entry = record.attempt_mut(&planned.template, planned.attempt);
        entry.template_sha256 = template.map(|template| template.sha256.clone());
        if let Some(request) = request {
            entry.thumbnail_interval_ms = request.thumbnail_interval_ms;
            if probed {
                entry.changes = request.changes;
                record.add_left_out(request.left_out);
            }
        }
    }

    fn apply(&self, record: &mut Record, event: &serde_json::Value) {
        // Our own event, of the form that this very function reads.
        if let Ok(Some(event)) = parse_job_event(event, &self.config.submit.application)
            && let Some(change) = &event.change
        {
            complete::record_event(record, &event, change);
        }
    }

    /// Whether what lies at the key is this very asset: only then is its content worth a look.
    async fn is_current(&self, id: &AssetId, source: &Source) -> Result<bool, ReconcileError> {
        let sources = Sources::new(self.s3.clone());
        let head = sources
            .head(&source.bucket, &source.key, None)
            .await
            .map_err(SubmitError::from)?;
        Ok(head.is_some_and(|head| {
            AssetId::new(&source.bucket, &source.key, head.version.as_deref(), &head.etag) == *id
        }))
    }

    /// Makes a record for outputs whose upload is gone.
    pub(crate) async fn adopt(&self, id: &AssetId, run: &Run) -> Result<Adopted, ReconcileError> {
        let application = &self.config.submit.application;
        let ours = |job: &JobInfo| job.attempt_of(application, id.as_str()).is_some();
        let jobs = self.mediaconvert.jobs(None, Timestamp::UNIX_EPOCH, ours).await?;
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
        if self.is_current(id, &source).await? {
            return Ok(Adopted::NotAlone);
        }
        if !run.look_only {
            self.rebuild(id, &source, jobs, run).await?;
        }
        Ok(Adopted::Done)
    }
}

/// Of each attempt the job that counts: where there are several, the one that came furthest.
fn best(jobs: Vec<JobInfo>, application: &str, id: &AssetId) -> Attempts<JobInfo> {
    let rank = |job: &JobInfo| match job.status.as_str() {
        "COMPLETE" => 3,
        "SUBMITTED" | "PROGRESSING" => 2,
        "ERROR" => 1,
        _ => 0,
    };
    let mut by_attempt: HashMap<(String, u32), JobInfo> = HashMap::new();
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
    by_attempt.into_iter().collect()
}
