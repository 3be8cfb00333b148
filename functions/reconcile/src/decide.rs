//! What is to be done about one upload, one record, one job: pure, so that every case is a line in a table.

use jiff::{SignedDuration, Timestamp};
use submit::{TRIES, given_up, tries};
use vod_aws::Listed;
use vod_core::record::{Job, Record, State};

/// How long things may take before they count as lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) now: Timestamp,
    /// An upload's or an event's way.
    pub(crate) grace: SignedDuration,
    /// Before the first new try.
    pub(crate) retry: SignedDuration,
}

/// What an upload in the listing needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadStep {
    Nothing,
    /// Its event may still be on its way.
    Wait,
    /// It has no record.
    Lost,
    /// It came again after a failure, and nobody has noticed.
    CameAgain,
}

/// Decides about an upload.
pub(crate) fn upload(listed: &Listed, record: Option<&Record>, patience: &Patience) -> UploadStep {
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
    if listed.modified + patience.grace > patience.now {
        UploadStep::Wait
    } else {
        step
    }
}

/// What a record needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordStep {
    Nothing,
    /// Something is still on its way, or a new try is not due yet.
    Wait,
    /// Whoever had claimed it has died.
    TakeOver,
    /// MediaConvert has jobs of it of which nothing was heard for a while.
    Ask(Vec<Active>),
    /// A transient error's new try is due.
    Retry,
    /// Transient errors, and no try left.
    GiveUp,
    /// Nobody has brought it as far as a job, and no repair is left; the record has yet to say so.
    Abandon,
    /// It says so.
    Abandoned,
}

/// Repairs of an upload that bring no job about, before it is left to a person: with their growing delays three days
/// on AWS, which is longer than most outages.
pub(crate) const REPAIRS: u32 = 8;
/// So many of them come one right after the other where whoever had the claim died without a word: on AWS a pass or
/// more apart.
const AT_ONCE: u32 = 3;
/// The longest delay.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An attempt that has not ended, as far as the record knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Active {
    pub(crate) template: String,
    pub(crate) attempt: u32,
    pub(crate) job_id: String,
}

/// Decides about a record.
pub(crate) fn record(record: &Record, patience: &Patience) -> RecordStep {
    match record.state {
        State::Complete | State::Canceled | State::Ignored | State::Held => RecordStep::Nothing,
        State::Error => failed(record, patience),
        State::Queued | State::Submitted | State::Progressing => open(record, patience),
    }
}

fn open(record: &Record, patience: &Patience) -> RecordStep {
    if let Some(lease) = &record.lease {
        return if lease.until > patience.now {
            RecordStep::Wait
        } else {
            take_over(record, patience)
        };
    }
    let active = record.latest_attempts().filter(|job| !job.state.is_terminal());
    let (known, planned): (Vec<&Job>, Vec<&Job>) = active.partition(|job| job.job_id.is_some());
    if !planned.is_empty() {
        return take_over(record, patience);
    }
    // Progress shows in `updated_at`: who was heard of lately need not be asked.
    if record.updated_at + patience.grace > patience.now {
        return RecordStep::Wait;
    }
    let active = known.into_iter().map(|job| Active {
        template: job.template.clone(),
        attempt: job.attempt,
        job_id: job.job_id.clone().unwrap_or_default(),
    });
    RecordStep::Ask(active.collect())
}

/// A claim whose holder has died. What kills whoever takes it over, reconcile too, must not do so for ever.
fn take_over(record: &Record, patience: &Patience) -> RecordStep {
    if record.repairs >= REPAIRS {
        return RecordStep::Abandon;
    }
    let wait = match record.repairs.checked_sub(AT_ONCE) {
        Some(more) => delay(patience.retry, more as usize),
        None => SignedDuration::ZERO,
    };
    if record.updated_at + wait > patience.now {
        RecordStep::Wait
    } else {
        RecordStep::TakeOver
    }
}

fn failed(record: &Record, patience: &Patience) -> RecordStep {
    if given_up(record) {
        // The queue has given up, and this has not: the message's way is gone again from its start.
        return if record.repairs >= REPAIRS {
            RecordStep::Abandoned
        } else if record.updated_at + delay(patience.retry, record.repairs as usize) > patience.now {
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
        } else if job.finished_at.unwrap_or(record.updated_at) + delay(patience.retry, tries) > patience.now {
            step = RecordStep::Wait;
        } else {
            return RecordStep::Retry;
        }
    }
    step
}

/// The pause after `tries` tries: 1, 4, 16, … times the first, and never longer than a day.
fn delay(first: SignedDuration, tries: usize) -> SignedDuration {
    let doublings = u32::try_from(tries.saturating_sub(1) * 2)
        .unwrap_or(u32::MAX)
        .min(16);
    (first * (1 << doublings)).min(DAY)
}

#[cfg(test)]
mod tests {
    use vod_core::asset::AssetId;
    use vod_core::error_codes::explain;
    use vod_core::record::{JobState, Lease, Source};

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// It is second 1000; the grace is 100 s, the first new try comes after 100 s.
    fn patience() -> Patience {
        Patience {
            now: at(1000),
            grace: SignedDuration::from_secs(100),
            retry: SignedDuration::from_secs(100),
        }
    }

    fn empty(state: State) -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let source = Source {
            uploaded_at: at(10),
            ..Source::default()
        };
        let mut record = Record::new(id, source, at(10));
        record.state = state;
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
            // An older version that nobody knows still gets its word.
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
            let step = upload(&listed(modified, size, latest), record.as_ref(), &patience());
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
            // The second new try waits four times as long.
            (&[(1999, 20), (1999, 700)], RecordStep::Wait),
            (&[(1999, 20), (1999, 600)], RecordStep::Retry),
            (&[(1999, 20), (1010, 30)], RecordStep::Nothing),
            (&[(1999, 20), (1999, 30), (1999, 40)], RecordStep::GiveUp),
            // Attempts from before the file was uploaded again do not count.
            (&[(1999, 1), (1999, 2), (1999, 40)], RecordStep::Retry),
        ] {
            assert_eq!(record(&tried(failures), &patience()), expected, "{failures:?}");
        }
    }

    #[test]
    fn open_records() {
        let lease = |second| Lease {
            holder: "h".into(),
            until: at(second),
            ..Lease::default()
        };
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
                record(&open, &patience()),
                expected,
                "{job_id:?} {lease:?} {updated}"
            );
        }
    }

    #[test]
    fn repairs_come_ever_more_seldom_and_end() {
        let day = DAY.as_secs();
        // Died without a word (the lease has run out), and failed with a reason.
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
            open.lease = Some(Lease {
                holder: "h".into(),
                until: at(0),
                ..Lease::default()
            });
            let mut given_up = empty(State::Error);
            (open.repairs, given_up.repairs) = (repairs, repairs);
            for (record, wait) in [(&mut open, died), (&mut given_up, failed)] {
                let mut patience = patience();
                patience.now = at(1_000_000);
                record.updated_at = patience.now - SignedDuration::from_secs(wait);
                assert_eq!(
                    super::record(record, &patience),
                    RecordStep::TakeOver,
                    "{repairs}"
                );
                record.updated_at += SignedDuration::from_secs(1);
                assert_eq!(super::record(record, &patience), RecordStep::Wait, "{repairs}");
                record.repairs = REPAIRS;
            }
            assert_eq!(super::record(&open, &patience()), RecordStep::Abandon);
            assert_eq!(super::record(&given_up, &patience()), RecordStep::Abandoned);
        }
    }

    #[test]
    fn what_is_final_is_left_alone() {
        for state in [State::Complete, State::Canceled, State::Ignored, State::Held] {
            assert_eq!(record(&empty(state), &patience()), RecordStep::Nothing);
        }
    }
}
