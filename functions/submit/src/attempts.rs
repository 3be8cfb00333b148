//! The attempts of a record: planned, given up, taken up again.

use vod_aws::LoadedTemplate;
use vod_core::error_codes::{UNDELIVERABLE, unusable_template};
use vod_core::record::{Job, JobError, JobState, Record, State};
use vod_core::removal::Removal;

/// Attempts at one template and one upload: the first, and two more where the error may pass.
pub const TRIES: usize = 3;

/// The attempts of a fresh claim: one per template, all on record before the first is created, so that the
/// state cannot be COMPLETE while one is missing.
pub(crate) fn first_attempts(templates: &[LoadedTemplate]) -> Vec<Job> {
    templates.iter().map(|template| attempt(template, 1)).collect()
}

/// Attempts at what was taken down before go on counting: no output takes an earlier one's place.
pub(crate) fn go_on_counting(jobs: &mut [Job], removal: Option<&Removal>) {
    for job in jobs {
        job.attempt += removal
            .and_then(|removal| removal.attempts.get(&job.template))
            .unwrap_or(&0);
    }
}

/// An attempt at a template; of one that cannot be used, the failed attempt.
pub(crate) fn attempt(template: &LoadedTemplate, number: u32) -> Job {
    let mut job = Job::planned(&template.name, Some(template.sha256.clone()), number);
    if let Err(problem) = &template.template {
        fail(&mut job, unusable_template(problem));
    }
    job
}

/// Ends an attempt that never became a job.
pub(crate) fn fail(job: &mut Job, error: JobError) {
    job.state = JobState::Error;
    job.error = Some(error);
    job.finished_at = Some(vod_aws::now());
}

/// How often a template has been tried since the upload came (again).
pub fn tries(record: &Record, template: &str) -> usize {
    let of_upload = |job: &&Job| {
        job.template == template
            && job
                .finished_at
                .is_none_or(|finished| finished >= record.source.uploaded_at)
    };
    record.jobs.iter().filter(of_upload).count()
}

/// Whether an upload was given up because its message could not be handled: its jobs may be created after all.
pub fn given_up(record: &Record) -> bool {
    // Only giving up makes a failure without any job.
    record.state == State::Error && (record.jobs.is_empty() || record.latest_attempts().any(undelivered))
}

/// Whether an attempt never became a job because its message was given up.
pub(crate) fn undelivered(job: &Job) -> bool {
    job.job_id.is_none()
        && job
            .error
            .as_ref()
            .is_some_and(|error| error.code == UNDELIVERABLE)
}

/// Plans again what was given up: the same attempts, because CreateJob may have worked without our hearing of it,
/// and its job is found by the attempt's number.
pub(crate) fn take_up(record: &mut Record, templates: &[LoadedTemplate]) {
    let given_up: Vec<(String, u32)> = record
        .latest_attempts()
        .filter(|job| undelivered(job))
        .map(|job| (job.template.clone(), job.attempt))
        .collect();
    for (template, attempt) in given_up {
        let job = record.attempt_mut(&template, attempt);
        job.state = JobState::Submitted;
        job.error = None;
        job.finished_at = None;
    }
    if record.jobs.is_empty() {
        record.jobs = first_attempts(templates);
    }
    record.reason = None;
    vod_core::state::refresh(record);
}
