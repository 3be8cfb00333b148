//! Decides how a delivery continues an upload that has a record.

use jiff::Timestamp;

use super::is_given_up;
use crate::events::is_newer;
use crate::record::{Job, Record, Source, State};

/// What to do with an upload whose record exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Everything is done, or another delivery is doing it. The text says which.
    Nothing(&'static str),
    /// Take the claim over from a delivery that died, and finish its work.
    TakeOver,
    /// The same bytes were uploaded again after a failure: start over.
    Restart,
    /// An earlier message of the upload was given up: plan its attempts again.
    Reopen,
}

/// Decides what to do from the record and the upload that was delivered to `holder`.
pub fn next(record: &Record, source: &Source, holder: &str, now: Timestamp) -> Next {
    match record.state {
        State::Error | State::Canceled | State::Ignored if came_again(&record.source, source) => {
            Next::Restart
        }
        State::Error if is_given_up(record) => Next::Reopen,
        State::Complete | State::Error | State::Canceled | State::Ignored | State::Held => {
            Next::Nothing("the record is final")
        }
        _ => match &record.lease {
            None if record.latest_attempts().any(Job::is_planned) => Next::TakeOver,
            None => Next::Nothing("every job has been created"),
            // SQS delivers a message again only after the function that had it has ended.
            Some(lease) if lease.holder == holder => Next::TakeOver,
            // Its own message comes again if it dies, so this one may be acknowledged.
            Some(lease) if lease.until > now => Next::Nothing("another delivery is working on it"),
            Some(_) => Next::TakeOver,
        },
    }
}

/// Whether `new` is a later upload than `known`. S3's order of events decides; without events (a listing), the time
/// of the upload does.
fn came_again(known: &Source, new: &Source) -> bool {
    match (&new.sequencer, &known.sequencer) {
        (Some(new), Some(known)) => is_newer(new, known),
        _ => new.uploaded_at > known.uploaded_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, lease, record};

    fn known(state: State, lease: Option<Lease>) -> Record {
        let mut record = record(state);
        record.source.sequencer = Some("05".into());
        record.jobs = vec![Job::planned("default", None, 1)];
        record.jobs[0].job_id = Some("j".into());
        record.lease = lease;
        record
    }

    use crate::record::Lease;

    #[test]
    fn decisions() {
        let (live, expired) = (|| Some(lease("other", 20)), || Some(lease("other", 9)));
        for (state, lease, sequencer, expected) in [
            (State::Queued, live(), "05", None),
            (State::Queued, expired(), "05", Some(Next::TakeOver)),
            (State::Queued, Some(lease("me", 20)), "05", Some(Next::TakeOver)),
            (State::Submitted, None, "05", None),
            (State::Progressing, expired(), "05", Some(Next::TakeOver)),
            (State::Complete, None, "06", None),
            (State::Error, None, "05", None),
            (State::Error, None, "04", None),
            (State::Error, None, "06", Some(Next::Restart)),
            (State::Canceled, None, "06", Some(Next::Restart)),
            (State::Ignored, None, "06", Some(Next::Restart)),
            (State::Held, None, "06", None),
        ] {
            let source = Source {
                sequencer: Some(sequencer.into()),
                ..Source::default()
            };
            let next = next(&known(state, lease.clone()), &source, "me", at(10));
            match expected {
                Some(expected) => assert_eq!(next, expected, "{state:?} {lease:?} {sequencer}"),
                None => assert!(
                    matches!(next, Next::Nothing(_)),
                    "{state:?} {lease:?} {sequencer}"
                ),
            }
        }
    }

    #[test]
    fn without_an_event_the_time_of_the_upload_decides() {
        let known = known(State::Error, None);
        let uploaded = |second| Source {
            uploaded_at: at(second),
            ..Source::default()
        };
        assert_eq!(next(&known, &uploaded(1), "me", at(0)), Next::Restart);
        assert!(matches!(
            next(&known, &uploaded(0), "me", at(0)),
            Next::Nothing(_)
        ));
    }

    #[test]
    fn a_planned_job_without_a_lease_is_taken_over() {
        let mut known = known(State::Queued, None);
        known.jobs = vec![Job::planned("default", None, 1)];
        let source = known.source.clone();
        assert_eq!(next(&known, &source, "me", at(0)), Next::TakeOver);
    }
}
