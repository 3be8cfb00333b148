//! From planned attempts to jobs, found or created, and onto the record.

use jiff::SignedDuration;
use tracing::{info, warn};
use vod_aws::{CreateJobError, LoadedTemplate};
use vod_core::error_codes;
use vod_core::job::{self, JobRequest};
use vod_core::record::{Job, JobError, Record};

use crate::attempts;
use crate::handler::{Invocation, Submit, SubmitError};

/// No CreateJob is started with less than this left.
const CREATE_MARGIN: SignedDuration = SignedDuration::from_secs(5);
/// SearchJobs' index may lag: a takeover looks a second time after this.
const SECOND_LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// One attempt's way into the record.
pub(crate) struct Created {
    template: String,
    attempt: u32,
    outcome: Result<Started, JobError>,
}

/// A job that is there.
struct Started {
    job_id: String,
    /// What was sent and the template's hash, if the job is of this invocation's making. Of one that was found, the
    /// record has known the plan since before it was created.
    sent: Option<(JobRequest, String)>,
}

impl Created {
    /// A job that another invocation has made.
    pub(crate) fn found(template: &str, attempt: u32, job_id: String) -> Self {
        Self {
            template: template.to_owned(),
            attempt,
            outcome: Ok(Started { job_id, sent: None }),
        }
    }
}

impl Submit {
    /// Creates the jobs that are planned and missing, and stores what came of it.
    pub(crate) async fn create_jobs(
        &self,
        record: Record,
        templates: &[LoadedTemplate],
        invocation: &Invocation,
    ) -> Result<(), SubmitError> {
        let mut created = Vec::new();
        let mut failure = None;
        for planned in record
            .latest_attempts()
            .filter(|job| job.job_id.is_none() && !job.state.is_terminal())
        {
            match self.create(&record, planned, templates, invocation).await {
                Ok(outcome) => {
                    let (template, attempt) = (planned.template.clone(), planned.attempt);
                    created.push(Created {
                        template,
                        attempt,
                        outcome,
                    });
                }
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        // What has been created goes on record even when a later one failed: nothing is created twice.
        let finished = failure.is_none();
        let change = |record: &mut Record| {
            let before = record.clone();
            store(record, &created);
            if finished {
                record.lease = None;
                record.repairs = 0;
            }
            *record != before
        };
        // No record: the video was taken down meanwhile. `complete` cancels its jobs when they begin.
        self.catalog.change(&record.id, change).await?;
        failure.map_or(Ok(()), Err)
    }

    /// One attempt: the job found or created, or the reason why there can be none.
    async fn create(
        &self,
        record: &Record,
        planned: &Job,
        templates: &[LoadedTemplate],
        invocation: &Invocation,
    ) -> Result<Result<Started, JobError>, SubmitError> {
        // Before anything else: what becomes of its template meanwhile changes nothing for a job that is there.
        if !is_fresh(record, invocation)
            && let Some(job_id) = self.existing(record, planned).await?
        {
            return Ok(Ok(Started { job_id, sent: None }));
        }
        let (request, template_sha256) = match self.request(record, planned, templates) {
            Ok(request) => request,
            Err(problem) => return Ok(Err(problem)),
        };
        if vod_aws::now() + CREATE_MARGIN > invocation.deadline {
            return Err(SubmitError::OutOfTime);
        }
        match self.mediaconvert.create_job(&request.body).await {
            Ok(job_id) => {
                info!(asset = %record.id, %job_id, template = planned.template, attempt = planned.attempt, "job created");
                let sent = Some((request, template_sha256));
                Ok(Ok(Started { job_id, sent }))
            }
            Err(CreateJobError::Refused { status, message }) => {
                warn!(asset = %record.id, status, message, template = planned.template, "job refused");
                Ok(Err(error_codes::refused(status, &message)))
            }
            Err(source) => Err(SubmitError::CreateJob {
                asset: record.id.to_string(),
                source,
            }),
        }
    }

    /// The job of an attempt as it would be sent now, and its template's hash; or why there can be none.
    pub(crate) fn request(
        &self,
        record: &Record,
        planned: &Job,
        templates: &[LoadedTemplate],
    ) -> Result<(JobRequest, String), JobError> {
        let template = templates
            .iter()
            .find(|template| template.name == planned.template);
        let Some(template) = template else {
            let text = format!("{}: removed since the upload was claimed", planned.template);
            return Err(error_codes::unusable_template(&text));
        };
        let (target, rules) = (self.target(record, planned), self.config.rules);
        let usable = template.template.as_ref().map_err(String::clone);
        let request = usable.and_then(|template| {
            job::build(template, &target, &record.source.media, rules).map_err(|error| error.to_string())
        });
        let request = request.map_err(|problem| error_codes::unusable_template(&problem))?;
        Ok((request, template.sha256.clone()))
    }

    /// The jobs of attempts that nobody has put on record.
    pub(crate) async fn unrecorded(&self, record: &Record) -> Result<Vec<Created>, SubmitError> {
        let mut found = Vec::new();
        for planned in record.latest_attempts().filter(|job| may_have_a_job(job)) {
            if let Some(job_id) = self.existing(record, planned).await? {
                found.push(Created::found(&planned.template, planned.attempt, job_id));
            }
        }
        Ok(found)
    }

    /// The job that a delivery before this one has created without living to put it on record.
    async fn existing(&self, record: &Record, planned: &Job) -> Result<Option<String>, SubmitError> {
        let url = format!("s3://{}/{}", record.source.bucket, record.source.key);
        let metadata = job::user_metadata(&self.target(record, planned));
        let search = || self.mediaconvert.find_job(&url, &metadata, record.created_at);
        let mut job_id = search().await?;
        if job_id.is_none() {
            vod_aws::sleep(SECOND_LOOK).await;
            job_id = search().await?;
        }
        if let Some(job_id) = &job_id {
            info!(asset = %record.id, %job_id, template = planned.template, attempt = planned.attempt, "job found");
        }
        Ok(job_id)
    }
}

/// Whether the record is a claim that this invocation has just made: no delivery before it can have created a job.
fn is_fresh(record: &Record, invocation: &Invocation) -> bool {
    let lease = record.lease.as_ref();
    record.updated_at == record.created_at && lease.is_some_and(|lease| lease.holder == invocation.holder)
}

/// Whether CreateJob may have been called for an attempt without our hearing of it.
fn may_have_a_job(job: &Job) -> bool {
    job.job_id.is_none() && (!job.state.is_terminal() || attempts::undelivered(job))
}

/// Puts the outcomes on record. Events may have been faster: what they brought stays.
pub(crate) fn store(record: &mut Record, created: &[Created]) {
    let now = vod_aws::now();
    for Created {
        template,
        attempt,
        outcome,
    } in created
    {
        let job = record.attempt_mut(template, *attempt);
        match outcome {
            Ok(Started { job_id, sent }) => {
                job.job_id = Some(job_id.clone());
                job.submitted_at = job.submitted_at.or(Some(now));
                if let Some((request, template_sha256)) = sent {
                    job.changes.clone_from(&request.changes);
                    job.thumbnail_interval_ms = request.thumbnail_interval_ms;
                    job.template_sha256 = Some(template_sha256.clone());
                }
            }
            Err(error) if job.job_id.is_none() => attempts::fail(job, error.clone()),
            Err(_) => {}
        }
    }
    vod_core::state::refresh(record);
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vod_core::asset::AssetId;
    use vod_core::record::{JobState, Source, State};
    use vod_core::state::{self, Change};

    use super::*;

    #[test]
    fn what_an_event_has_brought_stays() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let refused = Created {
            template: "default".into(),
            attempt: 1,
            outcome: Err(error_codes::unusable_template("default: removed")),
        };
        for (heard, expected) in [(false, State::Error), (true, State::Progressing)] {
            let mut record = Record::new(id.clone(), Source::default(), Timestamp::UNIX_EPOCH);
            record.jobs.push(Job::planned("default", None, 1));
            if heard {
                let (event, at) = (Change::Progress(None), Timestamp::UNIX_EPOCH);
                state::apply(&mut record, "default", 1, "j", &event, at);
            }
            store(&mut record, std::slice::from_ref(&refused));
            assert_eq!(record.state, expected);
            assert_eq!(record.jobs[0].state == JobState::Error, !heard);
        }
    }
}
