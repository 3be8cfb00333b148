//! Decides how reconcile repairs one upload and one record.

use jiff::{SignedDuration, Timestamp};

use super::{TRIES, is_given_up, tries};
use crate::object::Listed;
use crate::record::{Job, Record, State};

/// How long things may take before they count as lost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub now: Timestamp,
    /// Until an upload or an event that is under way counts as lost.
    pub grace: SignedDuration,
    /// Before the first retry after a transient error. Each further one waits four times as long.
    pub retry: SignedDuration,
}

/// What to do about an upload in the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadStep {
    Nothing,
    /// Its event may still be on its way.
    Wait,
    /// It has no record.
    Lost,
    /// It was uploaded again after a failure, and no event of that was handled.
    CameAgain,
}

/// Decides what to do about an upload.
pub fn upload(listed: &Listed, record: Option<&Record>, limits: &Limits) -> UploadStep {
    let step = match record {
        None => UploadStep::Lost,
        Some(record)
            if matches!(record.state, State::Error | State::Canceled | State::Ignored)
                && listed.latest
                && listed.size > 0
                && listed.modified > record.source.uploaded_at =>
        {
            UploadStep::CameAgain
        }
        Some(_) => return UploadStep::Nothing,
    };
    if listed.modified + limits.grace > limits.now {
        UploadStep::Wait
    } else {
        step
    }
}

/// What to do about a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordStep {
    Nothing,
    /// Something is still under way, or a retry is not due yet.
    Wait,
    /// The invocation that had claimed it has died.
    TakeOver,
    /// It has jobs that have not reported for a while.
    Ask(Vec<Active>),
    /// The retry of a transient error is due.
    Retry,
    /// Its errors are transient, and no retry is left.
    GiveUp,
    /// No repair has produced a job and none is left. The record does not say so yet.
    Abandon,
    /// The record says so.
    Abandoned,
}

/// Repairs without a job after which an upload is left for manual repair. With their growing delays, they take three
/// days on AWS, which is longer than most outages.
pub const REPAIRS: u32 = 8;
/// Repairs that follow each other without a delay if an invocation died while it had the claim. On AWS, they are a pass
/// or more apart.
const WITHOUT_DELAY: u32 = 3;
/// The longest delay between two repairs or retries.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An attempt whose job has not ended, as far as the record knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Active {
    pub template: String,
    pub attempt: u32,
    pub job_id: String,
}

/// Decides what to do about a record.
pub fn record(record: &Record, limits: &Limits) -> RecordStep {
    match record.state {
        State::Complete | State::Canceled | State::Ignored | State::Held => RecordStep::Nothing,
        State::Error => failed(record, limits),
        State::Queued | State::Submitted | State::Progressing => open(record, limits),
    }
}

fn open(record: &Record, limits: &Limits) -> RecordStep {
    if let Some(lease) = &record.lease {
        return if lease.until > limits.now {
            RecordStep::Wait
        } else {
            take_over(record, limits)
        };
    }
    let active = record.latest_attempts().filter(|job| !job.state.is_terminal());
    let (known, planned): (Vec<&Job>, Vec<&Job>) = active.partition(|job| job.job_id.is_some());
    if !planned.is_empty() {
        return take_over(record, limits);
    }
    // Progress moves `updated_at`: a job that has reported lately need not be asked for.
    if record.updated_at + limits.grace > limits.now {
        return RecordStep::Wait;
    }
    let active = known.into_iter().map(|job| Active {
        template: job.template.clone(),
        attempt: job.attempt,
        job_id: job.job_id.clone().unwrap_or_default(),
    });
    RecordStep::Ask(active.collect())
}

/// A claim whose holder has died. If every invocation dies of it, reconcile's too, that must end.
fn take_over(record: &Record, limits: &Limits) -> RecordStep {
    if record.repairs >= REPAIRS {
        return RecordStep::Abandon;
    }
    let wait = match record.repairs.checked_sub(WITHOUT_DELAY) {
        Some(more) => delay(limits.retry, more as usize),
        None => SignedDuration::ZERO,
    };
    if record.updated_at + wait > limits.now {
        RecordStep::Wait
    } else {
        RecordStep::TakeOver
    }
}

fn failed(record: &Record, limits: &Limits) -> RecordStep {
    if is_given_up(record) {
        // The queue has given up. Reconcile submits the upload again.
        return if record.repairs >= REPAIRS {
            RecordStep::Abandoned
        } else if record.updated_at + delay(limits.retry, record.repairs as usize) > limits.now {
            RecordStep::Wait
        } else {
            RecordStep::TakeOver
        };
    }
    let transient = |job: &&Job| job.error.as_ref().is_some_and(|error| error.retryable);
    let mut step = RecordStep::Nothing;
    for job in record.latest_attempts().filter(transient) {
        let tries = tries(record, &job.template);
        if tries >= TRIES {
            if step == RecordStep::Nothing {
                step = RecordStep::GiveUp;
            }
        } else if job.finished_at.unwrap_or(record.updated_at) + delay(limits.retry, tries) > limits.now {
            step = RecordStep::Wait;
        } else {
            return RecordStep::Retry;
        }
    }
    step
}

/// The pause after `tries` tries: 1, 4, 16, … times the first, and at most a day.
fn delay(first: SignedDuration, tries: usize) -> SignedDuration {
    let doublings = u32::try_from(tries.saturating_sub(1) * 2)
        .unwrap_or(u32::MAX)
        .min(16);
    (first * (1 << doublings)).min(DAY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, lease};
    use crate::error_codes::explain;
    use crate::record::JobState;

    /// It is second 1000. The grace is 100 s, and the first retry comes after 100 s.
    fn limits() -> Limits {
        Limits {
            now: at(1000),
            grace: SignedDuration::from_secs(100),
            retry: SignedDuration::from_secs(100),
        }
    }

    fn empty(state: State) -> Record {
        let mut record = crate::attempt::testing::record(state);
        (record.source.uploaded_at, record.created_at, record.updated_at) = (at(10), at(10), at(10));
        record
    }

    #[test]
    fn uploads() {
        let listed = |modified, size, latest| Listed {
            key: "input/a.mp4".into(),
            version: None,
            latest,
            etag: "e".into(),
            size,
            modified: at(modified),
        };
        for (state, modified, size, latest, expected) in [
            (None, 10, 1, true, UploadStep::Lost),
            (None, 900, 1, true, UploadStep::Lost),
            (None, 901, 1, true, UploadStep::Wait),
            // An older version without a record is reported as well.
            (None, 10, 1, false, UploadStep::Lost),
            (Some(State::Error), 10, 1, true, UploadStep::Nothing),
            (Some(State::Error), 11, 1, true, UploadStep::CameAgain),
            (Some(State::Error), 950, 1, true, UploadStep::Wait),
            (Some(State::Error), 11, 1, false, UploadStep::Nothing),
            (Some(State::Canceled), 11, 1, true, UploadStep::CameAgain),
            (Some(State::Ignored), 11, 1, true, UploadStep::CameAgain),
            (Some(State::Ignored), 11, 0, true, UploadStep::Nothing),
            (Some(State::Complete), 11, 1, true, UploadStep::Nothing),
            (Some(State::Queued), 11, 1, true, UploadStep::Nothing),
        ] {
            let record = state.map(empty);
            let step = upload(&listed(modified, size, latest), record.as_ref(), &limits());
            assert_eq!(step, expected, "{state:?} {modified} {size} {latest}");
        }
    }

    /// A record of one template whose attempts ended as given: the code and the second.
    fn tried(failures: &[(u32, i64)]) -> Record {
        let mut record = empty(State::Error);
        for (attempt, (code, second)) in (1..).zip(failures) {
            let mut job = Job::planned("default", None, attempt);
            job.state = JobState::Error;
            job.error = Some(explain(*code, "?"));
            job.finished_at = Some(at(*second));
            record.jobs.push(job);
        }
        record
    }

    #[test]
    fn failures() {
        for (failures, expected) in [
            (&[(1010, 20)][..], RecordStep::Nothing),
            (&[(1999, 900)], RecordStep::Retry),
            (&[(1999, 901)], RecordStep::Wait),
            // The second retry waits four times as long.
            (&[(1999, 20), (1999, 700)], RecordStep::Wait),
            (&[(1999, 20), (1999, 600)], RecordStep::Retry),
            (&[(1999, 20), (1010, 30)], RecordStep::Nothing),
            (&[(1999, 20), (1999, 30), (1999, 40)], RecordStep::GiveUp),
            // Attempts from before the file was uploaded again do not count.
            (&[(1999, 1), (1999, 2), (1999, 40)], RecordStep::Retry),
        ] {
            assert_eq!(record(&tried(failures), &limits()), expected, "{failures:?}");
        }
    }

    #[test]
    fn open_records() {
        let lease = |second| lease("h", second);
        let ask = RecordStep::Ask(vec![Active {
            template: "default".into(),
            attempt: 1,
            job_id: "j".into(),
        }]);
        for (job_id, lease, updated, expected) in [
            (None, Some(lease(1001)), 10, RecordStep::Wait),
            (None, Some(lease(1000)), 10, RecordStep::TakeOver),
            (Some("j"), Some(lease(999)), 10, RecordStep::TakeOver),
            (None, None, 999, RecordStep::TakeOver),
            (Some("j"), None, 901, RecordStep::Wait),
            (Some("j"), None, 900, ask),
        ] {
            let mut open = empty(State::Submitted);
            open.jobs.push(Job::planned("default", None, 1));
            open.jobs[0].job_id = job_id.map(str::to_owned);
            open.lease.clone_from(&lease);
            open.updated_at = at(updated);
            assert_eq!(
                record(&open, &limits()),
                expected,
                "{job_id:?} {lease:?} {updated}"
            );
        }
    }

    #[test]
    fn repairs_wait_longer_each_time_and_end() {
        let day = DAY.as_secs();
        // The holder died (its lease has expired), or the repair failed with a reason.
        for (repairs, died, failed) in [
            (0, 0, 100),
            (1, 0, 100),
            (2, 0, 400),
            (3, 100, 1600),
            (4, 100, 6400),
            (5, 400, 25_600),
            (6, 1600, day),
            (7, 6400, day),
        ] {
            let mut open = empty(State::Queued);
            open.jobs.push(Job::planned("default", None, 1));
            open.lease = Some(lease("h", 0));
            let mut given_up = empty(State::Error);
            (open.repairs, given_up.repairs) = (repairs, repairs);
            for (record, wait) in [(&mut open, died), (&mut given_up, failed)] {
                let mut limits = limits();
                limits.now = at(1_000_000);
                record.updated_at = limits.now - SignedDuration::from_secs(wait);
                assert_eq!(super::record(record, &limits), RecordStep::TakeOver, "{repairs}");
                record.updated_at += SignedDuration::from_secs(1);
                assert_eq!(super::record(record, &limits), RecordStep::Wait, "{repairs}");
                record.repairs = REPAIRS;
            }
            assert_eq!(super::record(&open, &limits()), RecordStep::Abandon);
            assert_eq!(super::record(&given_up, &limits()), RecordStep::Abandoned);
        }
    }

    #[test]
    fn final_records_are_left_alone() {
        for state in [State::Complete, State::Canceled, State::Ignored, State::Held] {
            assert_eq!(record(&empty(state), &limits()), RecordStep::Nothing);
        }
    }
}
