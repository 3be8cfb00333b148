//! What an upload needs, decided from its record alone: pure, so that every case is a line in a table.

use jiff::Timestamp;
use vod_aws::LoadedTemplate;
use vod_core::events::is_newer;
use vod_core::record::{JobState, Record, Source, State};

use crate::attempts::{self, TRIES, attempt, fail, tries};

/// What to do with an upload whose record exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// All is done, or someone else is at it.
    Nothing(&'static str),
    /// Take the claim over from a delivery that died, and finish its work.
    TakeOver,
    /// The same bytes have come again after a failure: start again.
    Restart,
    /// An earlier message of the upload was given up: plan its jobs again.
    TakeUp,
}

/// Decides from the record and from what is known of the upload that has come.
pub(crate) fn next(record: &Record, source: &Source, holder: &str, now: Timestamp) -> Next {
    match record.state {
        State::Error | State::Canceled | State::Ignored if came_again(&record.source, source) => {
            Next::Restart
        }
        State::Error if attempts::given_up(record) => Next::TakeUp,
        State::Complete | State::Error | State::Canceled | State::Ignored | State::Held => {
            Next::Nothing("the record is final")
        }
        _ => match &record.lease {
            None if planned(record) => Next::TakeOver,
            None => Next::Nothing("every job has been created"),
            // SQS gives a message out again only once the function that had it has ended.
            Some(lease) if lease.holder == holder => Next::TakeOver,
            // Its own message comes again should it die, so this one may be acknowledged.
            Some(lease) if lease.until > now => Next::Nothing("another delivery is at work on it"),
            Some(_) => Next::TakeOver,
        },
    }
}

/// Whether a job is still to be created.
fn planned(record: &Record) -> bool {
    record
        .latest_attempts()
        .any(|job| job.job_id.is_none() && !job.state.is_terminal())
}

/// S3's own order of events decides; one who has no event (a listing) goes by the time of the upload.
fn came_again(known: &Source, new: &Source) -> bool {
    match (&new.sequencer, &known.sequencer) {
        (Some(new), Some(known)) => is_newer(new, known),
        _ => new.uploaded_at > known.uploaded_at,
    }
}

/// Adds an attempt at each template whose latest has failed with an error that may pass, or, when the upload is no
/// longer there, says so instead. Returns whether anything changed.
pub(crate) fn retry(record: &mut Record, templates: &[LoadedTemplate], source_there: bool) -> bool {
    if record.state != State::Error {
        return false;
    }
    let failed: Vec<(String, u32)> = record
        .latest_attempts()
        .filter(|job| job.error.as_ref().is_some_and(|error| error.retryable))
        // What was given up before it became a job has a way back of its own.
        .filter(|job| !attempts::undelivered(job) && tries(record, &job.template) < TRIES)
        .map(|job| (job.template.clone(), job.attempt))
        .collect();
    for (name, last) in &failed {
        if let Some(template) = templates
            .iter()
            .find(|template| template.name == *name && source_there)
        {
            record.jobs.push(attempt(template, last + 1));
        } else if let Some(error) = &mut record.attempt_mut(name, *last).error {
            error.retryable = false;
            "upload the video again: it or its template has been removed meanwhile"
                .clone_into(&mut error.remedy);
        }
    }
    vod_core::state::refresh(record);
    !failed.is_empty()
}

/// Ends what was planned and never became a job.
pub(crate) fn abandon(record: &mut Record, reason: &str) {
    for job in &mut record.jobs {
        if job.job_id.is_none() && !job.state.is_terminal() {
            fail(job, vod_core::error_codes::source_gone(reason));
        }
    }
    record.lease = None;
    vod_core::state::refresh(record);
}

/// Adds the attempts of a restart: of every template that has not succeeded, the next number. What was given up keeps
/// its own, by which a job is found that nobody has heard of.
pub(crate) fn add_attempts(record: &mut Record, templates: &[LoadedTemplate]) {
    attempts::take_up(record, &[]);
    for template in templates {
        let last = record
            .jobs
            .iter()
            .filter(|job| job.template == template.name)
            .max_by_key(|job| job.attempt);
        match last.map(|job| (job.attempt, job.state)) {
            Some((_, state)) if state == JobState::Complete || !state.is_terminal() => {}
            Some((number, _)) => record.jobs.push(attempt(template, number + 1)),
            None => record.jobs.push(attempt(template, 1)),
        }
    }
    vod_core::state::refresh(record);
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use vod_core::asset::AssetId;
    use vod_core::record::{Job, Lease};

    use super::*;
    use crate::attempts::first_attempts;

    fn record(state: State, lease: Option<(&str, i64)>) -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let source = Source {
            sequencer: Some("05".into()),
            ..Source::default()
        };
        let mut record = Record::new(id, source, Timestamp::UNIX_EPOCH);
        record.state = state;
        record.jobs.push(Job::planned("default", None, 1));
        record.jobs[0].job_id = Some("j".into());
        record.lease = lease.map(|(holder, second)| Lease {
            holder: holder.into(),
            until: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            ..Lease::default()
        });
        record
    }

    #[test]
    fn decisions() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(10);
        let nothing = |next: Next| matches!(next, Next::Nothing(_));
        let (live, dead) = (Some(("other", 20)), Some(("other", 9)));
        for (state, lease, sequencer, expected) in [
            (State::Queued, live, "05", None),
            (State::Queued, dead, "05", Some(Next::TakeOver)),
            (State::Queued, Some(("me", 20)), "05", Some(Next::TakeOver)),
            (State::Submitted, None, "05", None),
            (State::Progressing, dead, "05", Some(Next::TakeOver)),
            (State::Complete, None, "06", None),
            (State::Error, None, "05", None),
            (State::Error, None, "04", None),
            (State::Error, None, "06", Some(Next::Restart)),
            (State::Canceled, None, "06", Some(Next::Restart)),
        ] {
            let source = Source {
                sequencer: Some(sequencer.into()),
                ..Source::default()
            };
            let next = next(&record(state, lease), &source, "me", now);
            match expected {
                Some(expected) => assert_eq!(next, expected, "{state:?} {lease:?} {sequencer}"),
                None => assert!(nothing(next), "{state:?} {lease:?} {sequencer}"),
            }
        }
    }

    #[test]
    fn without_an_event_the_time_of_the_upload_decides() {
        let known = record(State::Error, None);
        let later = |second| Source {
            uploaded_at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            ..Source::default()
        };
        let next = |second| next(&known, &later(second), "me", Timestamp::UNIX_EPOCH);
        assert_eq!(next(1), Next::Restart);
        assert!(matches!(next(0), Next::Nothing(_)));
    }

    #[test]
    fn a_planned_job_without_a_lease_is_taken_over() {
        let mut known = record(State::Queued, None);
        known.jobs = vec![Job::planned("default", None, 1)];
        let source = known.source.clone();
        assert_eq!(next(&known, &source, "me", Timestamp::UNIX_EPOCH), Next::TakeOver);
        abandon(&mut known, "gone");
        assert_eq!(known.state, State::Error);
    }

    #[test]
    fn only_what_may_pass_is_tried_again_and_three_times_at_most() {
        let loaded = |name: &str| LoadedTemplate::parse(name, name, br#"{"OutputGroups":[{}]}"#);
        let templates = [loaded("a"), loaded("b")];
        let mut record = record(State::Error, None);
        record.jobs = first_attempts(&templates);
        fail(&mut record.jobs[0], vod_core::error_codes::explain(1999, "?"));
        fail(&mut record.jobs[1], vod_core::error_codes::explain(1010, "?"));
        for tried in 2..=4 {
            let started = retry(&mut record, &templates, true);
            assert_eq!(started, tried <= TRIES);
            if let Some(job) = record.jobs.iter_mut().find(|job| !job.state.is_terminal()) {
                assert_eq!((job.template.as_str(), job.attempt as usize), ("a", tried));
                fail(job, vod_core::error_codes::explain(1999, "?"));
            }
            vod_core::state::refresh(&mut record);
        }
        assert_eq!(record.jobs.len(), 4);
    }

    #[test]
    fn without_its_source_an_upload_is_not_tried_again() {
        let template = LoadedTemplate::parse("a", "a", br#"{"OutputGroups":[{}]}"#);
        let mut record = record(State::Error, None);
        record.jobs = first_attempts(std::slice::from_ref(&template));
        fail(&mut record.jobs[0], vod_core::error_codes::explain(1999, "?"));
        assert!(retry(&mut record, &[template], false));
        assert_eq!(record.jobs.len(), 1);
        assert!(
            record.jobs[0]
                .error
                .as_ref()
                .is_some_and(|error| !error.retryable)
        );
    }

    #[test]
    fn a_restart_leaves_alone_what_has_succeeded_and_what_may_have_a_job() {
        let loaded = |name: &str| LoadedTemplate::parse(name, name, br#"{"OutputGroups":[{}]}"#);
        let templates = [loaded("a"), loaded("b"), loaded("c"), loaded("d")];
        let mut record = record(State::Error, None);
        record.jobs = first_attempts(&templates[..3]);
        record.jobs[0].state = JobState::Complete;
        record.jobs[1].state = JobState::Error;
        fail(
            &mut record.jobs[2],
            vod_core::error_codes::undeliverable(5, "no connection"),
        );
        add_attempts(&mut record, &templates);
        let attempts: Vec<_> = record
            .jobs
            .iter()
            .map(|job| (job.template.as_str(), job.attempt))
            .collect();
        assert_eq!(attempts, [("a", 1), ("b", 1), ("b", 2), ("c", 1), ("d", 1)]);
        assert_eq!(record.jobs[3].state, JobState::Submitted);
        // `a` is done and the others wait: the record is open again.
        assert_eq!(record.state, State::Progressing);
    }
}
