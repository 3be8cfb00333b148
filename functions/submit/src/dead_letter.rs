//! The last delivery of a message, after which it lies in the dead letters: the reason goes into the record, and
//! whoever brings the upload again goes on where this one gave up, or ends it where there is nothing to go on with.

use jiff::Timestamp;
use tracing::{info, warn};
use vod_core::asset::AssetId;
use vod_core::error_codes::undeliverable;
use vod_core::events::ObjectCreated;
use vod_core::record::{Job, JobError, Record, State};

use crate::attempts::{self, take_up, undelivered};
use crate::create::{self, Created};
use crate::handler::{Invocation, Submit, SubmitError};
use crate::plan::{self, Next};
use crate::source::source;

impl Submit {
    /// Puts on record that an upload is given up for now. Where that fails too, the message in the dead letters and
    /// its alarm are what is left.
    pub(crate) async fn give_up(
        &self,
        object: &ObjectCreated,
        deliveries: u32,
        invocation: &Invocation,
        error: &SubmitError,
    ) {
        // Without an ETag nobody knows which asset it is.
        if object.etag.is_none() || !object.key.starts_with(vod_core::keys::INPUT) {
            return;
        }
        let error = undeliverable(deliveries, &vod_aws::chain(error));
        match self.put_reason(object, invocation, error).await {
            Ok(()) => info!(key = %object.key, deliveries, "given up for now"),
            Err(error) => warn!(key = %object.key, error = vod_aws::chain(&error), "no reason on record"),
        }
    }

    /// Puts on record why no job could be created. Attempts that another delivery is at work on stay as they are.
    pub async fn put_reason(
        &self,
        object: &ObjectCreated,
        invocation: &Invocation,
        error: JobError,
    ) -> Result<(), SubmitError> {
        let (source, now) = (source(object, None), vod_aws::now());
        let id = AssetId::new(
            &source.bucket,
            &source.key,
            source.version.as_deref(),
            &source.etag,
        );
        let mut record = Record::new(id, source, now);
        record.state = State::Error;
        record.reason = Some(format!("{}: {}", error.meaning, error.message));
        record.repairs = u32::from(invocation.repair);
        if !self.catalog.claim(&record).await? {
            let change = |known: &mut Record| give_up(known, invocation, &error, now);
            self.catalog.change(&record.id, change).await?;
        }
        Ok(())
    }
}

/// Ends what was planned and never became a job, unless another delivery is at work on it. What has been given up
/// before is told the newer reason.
fn give_up(record: &mut Record, invocation: &Invocation, error: &JobError, now: Timestamp) -> bool {
    let lease = record.lease.as_ref();
    let holds = lease.is_some_and(|lease| lease.holder == invocation.holder);
    if !holds && lease.is_some_and(|lease| lease.until > now) {
        return false;
    }
    let mut ended = false;
    let planned = |job: &&mut Job| job.job_id.is_none() && (!job.state.is_terminal() || undelivered(job));
    for job in record.jobs.iter_mut().filter(planned) {
        attempts::fail(job, error.clone());
        ended = true;
    }
    if record.jobs.is_empty() && record.state == State::Error {
        record.reason = Some(format!("{}: {}", error.meaning, error.message));
        ended = true;
    }
    if ended {
        record.lease = None;
        // The claim of a repair has been counted already.
        record.repairs += u32::from(invocation.repair && !holds);
        vod_core::state::refresh(record);
    }
    ended
}

/// Ends what a delivery that died, or gave up, has left of an upload that can no longer be read; `found` are the jobs
/// that it has created all the same. Returns whether there was anything to end.
pub(crate) fn close(
    record: &mut Record,
    found: &[Created],
    reason: &str,
    holder: &str,
    now: Timestamp,
) -> bool {
    // By its own source: the newer object, which may lie at the key, is not this upload come again.
    match plan::next(record, &record.source, holder, now) {
        Next::TakeOver => {}
        Next::TakeUp => take_up(record, &[]),
        Next::Nothing(_) | Next::Restart => return false,
    }
    create::store(record, found);
    if record.jobs.iter().all(|job| job.job_id.is_none()) {
        // Nothing was begun, so nothing has failed.
        record.jobs.clear();
        (record.state, record.lease, record.repairs) = (State::Ignored, None, 0);
        record.reason = Some(reason.to_owned());
    } else {
        plan::abandon(record, reason);
    }
    true
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use vod_aws::LoadedTemplate;
    use vod_core::record::{JobState, Lease, Source};

    use super::*;
    use crate::attempts::given_up;
    use crate::plan::next;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn claimed(templates: &[LoadedTemplate]) -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), at(0));
        record.jobs = attempts::first_attempts(templates);
        record.lease = Some(Lease {
            holder: "m1".into(),
            until: at(20),
            ..Lease::default()
        });
        record
    }

    fn delivery(holder: &str) -> Invocation {
        Invocation {
            holder: holder.to_owned(),
            deadline: at(60),
            repair: false,
        }
    }

    #[test]
    fn a_repair_that_failed_counts_once_and_its_reason_replaces_the_older_one() {
        let repair = Invocation {
            repair: true,
            ..delivery("reconcile-1")
        };
        let mut record = claimed(&templates());
        // Claimed by the repair, which counted it.
        (record.lease, record.repairs) = (claimed(&[]).lease, 1);
        record.lease.as_mut().unwrap().holder = "reconcile-1".into();
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

    fn templates() -> [LoadedTemplate; 2] {
        ["a", "b"].map(|name| LoadedTemplate::parse(name, name, br#"{"OutputGroups":[{}]}"#))
    }

    #[test]
    fn what_was_given_up_has_a_reason_and_is_taken_up_by_the_next_delivery() {
        let templates = templates();
        let mut record = claimed(&templates);
        record.jobs[1].job_id = Some("j".into());
        record.jobs[1].state = JobState::Complete;
        let error = undeliverable(5, "no connection");
        assert!(give_up(&mut record, &delivery("m1"), &error, at(10)));
        assert_eq!((record.state, &record.lease), (State::Error, &None));
        assert_eq!(record.reason.as_deref(), Some(error.meaning.as_str()));
        assert!(given_up(&record));
        let source = record.source.clone();
        assert_eq!(next(&record, &source, "m2", at(11)), Next::TakeUp);

        take_up(&mut record, &templates);
        let attempts: Vec<_> = record.jobs.iter().map(|job| (job.attempt, job.state)).collect();
        assert_eq!(attempts, [(1, JobState::Submitted), (1, JobState::Complete)]);
        assert!(!given_up(&record) && record.reason.is_none());
    }

    #[test]
    fn what_can_no_longer_be_read_is_ended_unless_somebody_is_at_work_on_it() {
        let (live, over) = (at(10), at(20));
        let mut given_up = claimed(&templates());
        assert!(give_up(
            &mut given_up,
            &delivery("m1"),
            &undeliverable(5, "no connection"),
            live
        ));
        let mut begun = claimed(&templates());
        begun.jobs[0].job_id = Some("j".into());
        let mut failed = claimed(&templates());
        failed.jobs.truncate(1);
        attempts::fail(&mut failed.jobs[0], vod_core::error_codes::explain(1010, "?"));
        vod_core::state::refresh(&mut failed);
        for (name, record, now, expected) in [
            ("claimed", claimed(&templates()), live, None),
            ("abandoned", claimed(&templates()), over, Some(State::Ignored)),
            ("given up", given_up.clone(), live, Some(State::Ignored)),
            ("begun", begun, over, Some(State::Progressing)),
            (
                "begun unheard",
                claimed(&templates()),
                over,
                Some(State::Progressing),
            ),
            (
                "given up, begun unheard",
                given_up,
                live,
                Some(State::Progressing),
            ),
            ("failed", failed, over, None),
        ] {
            let found = name
                .ends_with("unheard")
                .then(|| Created::found("a", 1, "j".into()));
            let mut closed = record.clone();
            let ended = close(&mut closed, found.as_slice(), "gone", "m2", now);
            assert_eq!(ended, expected.is_some(), "{name}");
            assert_eq!(closed.state, expected.unwrap_or(record.state), "{name}");
            let told = closed.state == State::Ignored;
            assert_eq!(closed.reason.as_deref() == Some("gone"), told, "{name}");
        }
    }

    #[test]
    fn another_deliverys_claim_is_left_alone() {
        let error = undeliverable(5, "no connection");
        for (holder, second, expected) in [("m1", 10, true), ("m2", 10, false), ("m2", 20, true)] {
            let mut record = claimed(&templates());
            assert_eq!(
                give_up(&mut record, &delivery(holder), &error, at(second)),
                expected,
                "{holder} {second}"
            );
        }
    }

    #[test]
    fn a_record_that_never_had_a_job_gets_its_first_ones() {
        let mut record = claimed(&[]);
        record.state = State::Error;
        assert!(given_up(&record));
        take_up(&mut record, &templates());
        assert_eq!((record.jobs.len(), record.state), (2, State::Queued));
    }
}
