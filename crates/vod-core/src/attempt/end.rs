//! The end of an upload without a job: given up for now, or closed for good.

use jiff::Timestamp;

use super::claim::reopen;
use super::{Created, Invocation, Next, fail, is_undelivered, next, store};
use crate::error_codes::source_gone;
use crate::record::{Job, JobError, Record, Source, State};
use crate::state;

/// The record of an upload for which no job could be created, before it has any other.
pub fn given_up(source: Source, invocation: &Invocation, error: &JobError, now: Timestamp) -> Record {
    let mut record = Record::new(source.asset_id(), source, now);
    record.state = State::Error;
    record.reason = Some(reason(error));
    record.repairs = u32::from(invocation.repair);
    record
}

fn reason(error: &JobError) -> String {
    format!("{}: {}", error.meaning, error.message)
}

/// Ends the attempts that never became a job, unless another delivery is working on them. Attempts that were given up
/// before get the newer error. Returns whether anything changed.
pub fn give_up(record: &mut Record, invocation: &Invocation, error: &JobError, now: Timestamp) -> bool {
    let holds = invocation.holds(record);
    if !holds && record.lease.as_ref().is_some_and(|lease| lease.until > now) {
        return false;
    }
    let mut ended = false;
    let open = |job: &&mut Job| job.is_planned() || is_undelivered(job);
    for job in record.jobs.iter_mut().filter(open) {
        fail(job, error.clone(), now);
        ended = true;
    }
    if record.jobs.is_empty() && record.state == State::Error {
        record.reason = Some(reason(error));
        ended = true;
    }
    if ended {
        record.lease = None;
        // The claim of a repair has been counted already.
        record.repairs += u32::from(invocation.repair && !holds);
        state::refresh(record);
    }
    ended
}

/// Whether an upload that can no longer be read has anything left to close. Its own source counts: a newer object at
/// the key is not this upload.
pub fn can_close(record: &Record, holder: &str, now: Timestamp) -> bool {
    matches!(
        next(record, &record.source, holder, now),
        Next::TakeOver | Next::Reopen
    )
}

/// Closes an upload that can no longer be read: ends what a delivery that died or gave up has left of it. `found` are
/// the jobs that it has created all the same. Returns whether there was anything to close.
pub fn close(record: &mut Record, found: &[Created], reason: &str, holder: &str, now: Timestamp) -> bool {
    if !can_close(record, holder, now) {
        return false;
    }
    if super::is_given_up(record) {
        reopen(record, &[], now);
    }
    store(record, found, now);
    if record.jobs.iter().all(|job| job.job_id.is_none()) {
        // No job was started, so nothing has failed.
        record.jobs.clear();
        (record.state, record.repairs) = (State::Ignored, 0);
        record.reason = Some(reason.to_owned());
    } else {
        for job in record.jobs.iter_mut().filter(|job| job.is_planned()) {
            fail(job, source_gone(reason), now);
        }
        state::refresh(record);
    }
    record.lease = None;
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, claimed, delivery, lease, templates};
    use crate::attempt::{Outcome, is_given_up};
    use crate::error_codes::{explain, undeliverable};
    use crate::record::JobState;

    #[test]
    fn a_failed_repair_counts_once_and_its_error_replaces_the_older_one() {
        let repair = Invocation {
            repair: true,
            ..delivery("reconcile-1")
        };
        let mut record = claimed(&templates(["a", "b"]));
        // Claimed by the repair, which counted it.
        (record.lease, record.repairs) = (Some(lease("reconcile-1", 20)), 1);
        assert!(give_up(&mut record, &repair, &undeliverable(5, "first"), at(10)));
        assert_eq!(record.repairs, 1);
        // This one failed before it could claim.
        assert!(give_up(&mut record, &repair, &undeliverable(5, "second"), at(11)));
        assert_eq!(record.repairs, 2);
        let messages: Vec<_> = record.jobs.iter().filter_map(|job| job.error.as_ref()).collect();
        assert!(
            messages.iter().all(|error| error.message == "second"),
            "{messages:?}"
        );
    }

    #[test]
    fn a_given_up_upload_has_a_reason_and_is_reopened_by_the_next_delivery() {
        let templates = templates(["a", "b"]);
        let mut record = claimed(&templates);
        record.jobs[1].job_id = Some("j".into());
        record.jobs[1].state = JobState::Complete;
        let error = undeliverable(5, "no connection");
        assert!(give_up(&mut record, &delivery("m1"), &error, at(10)));
        assert_eq!((record.state, &record.lease), (State::Error, &None));
        assert_eq!(record.reason.as_deref(), Some(error.meaning.as_str()));
        assert!(is_given_up(&record));
        let source = record.source.clone();
        assert_eq!(next(&record, &source, "m2", at(11)), Next::Reopen);

        reopen(&mut record, &templates, at(11));
        let attempts: Vec<_> = record.jobs.iter().map(|job| (job.attempt, job.state)).collect();
        assert_eq!(attempts, [(1, JobState::Submitted), (1, JobState::Complete)]);
        assert!(!is_given_up(&record) && record.reason.is_none());
    }

    #[test]
    fn an_unreadable_upload_is_closed_unless_leased() {
        let (live, over) = (at(10), at(20));
        let claimed = || claimed(&templates(["a", "b"]));
        let mut given_up = claimed();
        assert!(give_up(
            &mut given_up,
            &delivery("m1"),
            &undeliverable(5, "no connection"),
            live
        ));
        let mut started = claimed();
        started.jobs[0].job_id = Some("j".into());
        let mut failed = claimed();
        failed.jobs.truncate(1);
        fail(&mut failed.jobs[0], explain(1010, "?"), at(1));
        state::refresh(&mut failed);
        for (name, record, now, expected) in [
            ("claimed", claimed(), live, None),
            ("abandoned", claimed(), over, Some(State::Ignored)),
            ("given up", given_up.clone(), live, Some(State::Ignored)),
            ("started", started, over, Some(State::Progressing)),
            ("with unknown job", claimed(), over, Some(State::Progressing)),
            (
                "given up, with unknown job",
                given_up,
                live,
                Some(State::Progressing),
            ),
            ("failed", failed, over, None),
        ] {
            let found = Created {
                template: "a".into(),
                attempt: 1,
                outcome: Outcome::Found { job_id: "j".into() },
            };
            let found = if name.ends_with("unknown job") {
                vec![found]
            } else {
                Vec::new()
            };
            let mut closed = record.clone();
            let ended = close(&mut closed, &found, "gone", "m2", now);
            assert_eq!(ended, expected.is_some(), "{name}");
            assert_eq!(closed.state, expected.unwrap_or(record.state), "{name}");
            let is_ignored = closed.state == State::Ignored;
            assert_eq!(closed.reason.as_deref() == Some("gone"), is_ignored, "{name}");
            assert_eq!(closed.lease.is_none(), ended || record.lease.is_none(), "{name}");
        }
    }

    #[test]
    fn the_claim_of_another_delivery_is_left_alone() {
        let error = undeliverable(5, "no connection");
        for (holder, second, expected) in [("m1", 10, true), ("m2", 10, false), ("m2", 20, true)] {
            let mut record = claimed(&templates(["a", "b"]));
            assert_eq!(
                give_up(&mut record, &delivery(holder), &error, at(second)),
                expected,
                "{holder} {second}"
            );
        }
    }

    #[test]
    fn the_first_record_of_a_given_up_upload_says_why() {
        for repair in [false, true] {
            let invocation = Invocation {
                repair,
                ..delivery("m1")
            };
            let error = undeliverable(5, "no connection");
            let record = given_up(Source::default(), &invocation, &error, at(1));
            assert!(is_given_up(&record));
            assert!(record.reason.unwrap_or_default().contains("no connection"));
            assert_eq!(record.repairs, u32::from(repair));
        }
    }
}
