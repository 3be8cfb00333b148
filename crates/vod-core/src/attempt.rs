//! The life of an attempt: the rules by which an upload gets its jobs and a record reaches its end.
//!
//! Every rule is a function of the record and of what is known at the moment. The steps that call them (crate
//! `pipeline`) do the I/O: they read the record, let a rule change it, and write it back on condition that no other writer has
//! changed it meanwhile.
//!
//! | rule | decides |
//! | --- | --- |
//! | [`upload`] | whether an upload can be read at all |
//! | [`next()`] | what a delivery does with an upload that has a record |
//! | [`claim`] | the first record of an upload, or a record that is taken over |
//! | [`prepare`] | the job of an attempt |
//! | [`store()`] | what the record keeps of a job that was created, found or refused |
//! | [`event`] | what an event of MediaConvert changes |
//! | [`retry()`] | the next attempt after an error that may pass |
//! | [`again()`] | the next attempt that an owner asks for |
//! | [`end`] | giving up an upload for now, and closing one for good |
//! | [`repair`] | what reconcile does with an upload and with a record |

pub mod again;
pub mod claim;
pub mod end;
pub mod event;
pub mod next;
pub mod prepare;
pub mod repair;
pub mod retry;
pub mod store;
#[cfg(test)]
mod testing;
pub mod upload;

use jiff::{SignedDuration, Timestamp};

pub use self::again::{Again, NotAgain, again};
pub use self::claim::Claim;
pub use self::next::{Next, next};
pub use self::prepare::{JobBuilder, JobSettings, Prepared};
pub use self::retry::{Retry, retry};
pub use self::store::{Created, Outcome, store};
use crate::error_codes::UNDELIVERABLE;
use crate::job::LoadedTemplate;
use crate::record::{Job, JobError, JobState, Lease, Record, State};

/// Attempts at one template and one upload: the first, and two more if the error may pass.
pub const TRIES: usize = 3;

/// How long a lease outlives its invocation, so that a call sent at its last moment has ended before another
/// invocation takes over.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_mins(1);

/// One delivery of an upload, or one repair of it: under which name it claims, and until when it may act.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The same for every redelivery of one message: SQS delivers a message again only when the function that had it
    /// must have ended.
    pub holder: String,
    /// When Lambda ends this invocation.
    pub deadline: Timestamp,
    /// Whether this is a repair by reconcile. The record counts repairs that produce no job.
    pub repair: bool,
}

impl Invocation {
    /// The lease of a claim by this invocation.
    pub fn lease(&self) -> Lease {
        Lease {
            holder: self.holder.clone(),
            until: self.deadline + LEASE_MARGIN,
            ..Lease::default()
        }
    }

    /// Whether the record is claimed by this invocation, or by an earlier delivery of the same message.
    pub fn holds(&self, record: &Record) -> bool {
        record
            .lease
            .as_ref()
            .is_some_and(|lease| lease.holder == self.holder)
    }

    /// Whether this invocation has just claimed the upload. Before that, no other can have created a job.
    pub fn made_first(&self, record: &Record) -> bool {
        record.updated_at == record.created_at && self.holds(record)
    }
}

/// How often a template has been tried since the upload came, or came again.
pub fn tries(record: &Record, template: &str) -> usize {
    let of_upload = |job: &&Job| {
        job.template == template
            && job
                .finished_at
                .is_none_or(|finished| finished >= record.source.uploaded_at)
    };
    record.jobs.iter().filter(of_upload).count()
}

/// Whether an upload was given up because its message could not be handled: its jobs may still be created.
pub fn is_given_up(record: &Record) -> bool {
    // Only giving up produces a failure without any job.
    record.state == State::Error && (record.jobs.is_empty() || record.latest_attempts().any(is_undelivered))
}

/// Whether an attempt never became a job because its message was given up.
pub fn is_undelivered(job: &Job) -> bool {
    job.job_id.is_none()
        && job
            .error
            .as_ref()
            .is_some_and(|error| error.code == UNDELIVERABLE)
}

/// Whether a job may exist that is not on record: CreateJob may have succeeded although its answer was lost.
pub fn may_have_unknown_job(job: &Job) -> bool {
    job.is_planned() || is_undelivered(job)
}

/// The first attempts of an upload, one per template. All are on record before the first job is created, so that the
/// state cannot be COMPLETE while one is missing.
pub fn first_attempts(templates: &[LoadedTemplate], now: Timestamp) -> Vec<Job> {
    templates
        .iter()
        .map(|template| new_attempt(template, 1, now))
        .collect()
}

/// An attempt at a template. If the template cannot be used, the attempt has failed.
fn new_attempt(template: &LoadedTemplate, number: u32, now: Timestamp) -> Job {
    let mut job = Job::planned(&template.name, Some(template.sha256.clone()), number);
    if let Err(problem) = &template.template {
        fail(&mut job, crate::error_codes::unusable_template(problem), now);
    }
    job
}

/// Ends an attempt that never became a job.
fn fail(job: &mut Job, error: JobError, now: Timestamp) {
    job.state = JobState::Error;
    job.error = Some(error);
    job.finished_at = Some(now);
}
