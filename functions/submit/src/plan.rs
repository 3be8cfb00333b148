//! What an upload needs, decided from its record alone: pure, so that every case is a line in a table.

use jiff::Timestamp;
use vod_aws::LoadedTemplate;
use vod_core::events::is_newer;
use vod_core::record::{Job, JobState, Record, State};

/// What to do with an upload whose record exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// All is done, or someone else is at it.
    Nothing(&'static str),
    /// Take the claim over from a delivery that died, and finish its work.
    TakeOver,
    /// The same bytes have come again after a failure: start again.
    Restart,
}

/// Decides from the record and from the event's `sequencer`.
pub(crate) fn next(record: &Record, sequencer: Option<&str>, holder: &str, now: Timestamp) -> Next {
    match record.state {
        State::Error | State::Canceled | State::Ignored if came_again(record, sequencer) => Next::Restart,
        State::Complete | State::Error | State::Canceled | State::Ignored | State::Held => {
            Next::Nothing("the record is final")
        }
        _ if record.lease.is_none() => Next::Nothing("every job has been created"),
        _ => match &record.lease {
            // SQS gives a message out again only once the function that had it has ended.
            Some(lease) if lease.holder == holder => Next::TakeOver,
            // Its own message comes again should it die, so this one may be acknowledged.
            Some(lease) if lease.until > now => Next::Nothing("another delivery is at work on it"),
            _ => Next::TakeOver,
        },
    }
}

fn came_again(record: &Record, sequencer: Option<&str>) -> bool {
    match (sequencer, record.source.sequencer.as_deref()) {
        (Some(new), Some(known)) => is_newer(new, known),
        _ => false,
    }
}

/// The attempts of a fresh claim: one per template, all on record before the first is created, so that the
/// state cannot be COMPLETE while one is missing.
pub(crate) fn first_attempts(templates: &[LoadedTemplate]) -> Vec<Job> {
    templates.iter().map(|template| attempt(template, 1)).collect()
}

/// Adds the attempts of a restart: of every template that has not succeeded, the next number.
pub(crate) fn add_attempts(record: &mut Record, templates: &[LoadedTemplate]) {
    for template in templates {
        let last = record
            .jobs
            .iter()
            .filter(|job| job.template == template.name)
            .max_by_key(|job| job.attempt);
        match last.map(|job| (job.attempt, job.state)) {
            Some((_, JobState::Complete)) => {}
            Some((number, _)) => record.jobs.push(attempt(template, number + 1)),
            None => record.jobs.push(attempt(template, 1)),
        }
    }
    vod_core::state::refresh(record);
}

/// An attempt at a template; of one that cannot be used, the failed attempt.
fn attempt(template: &LoadedTemplate, number: u32) -> Job {
    let mut job = Job::planned(&template.name, Some(template.sha256.clone()), number);
    if let Err(problem) = &template.template {
        fail(&mut job, vod_core::catalogue::unusable_template(problem));
    }
    job
}

/// Ends an attempt that never became a job.
pub(crate) fn fail(job: &mut Job, error: vod_core::record::JobError) {
    job.state = JobState::Error;
    job.error = Some(error);
    job.finished_at = Some(Timestamp::now());
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use vod_core::asset::AssetId;
    use vod_core::record::{Lease, Source};

    use super::*;

    fn record(state: State, lease: Option<(&str, i64)>) -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let source = Source {
            sequencer: Some("05".into()),
            ..Source::default()
        };
        let mut record = Record::new(id, source, Timestamp::UNIX_EPOCH);
        record.state = state;
        record.lease = lease.map(|(holder, second)| Lease {
            holder: holder.into(),
            until: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
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
            let next = next(&record(state, lease), Some(sequencer), "me", now);
            match expected {
                Some(expected) => assert_eq!(next, expected, "{state:?} {lease:?} {sequencer}"),
                None => assert!(nothing(next), "{state:?} {lease:?} {sequencer}"),
            }
        }
    }

    #[test]
    fn a_restart_leaves_alone_what_has_succeeded() {
        let loaded = |name: &str| LoadedTemplate::parse(name, name, br#"{"OutputGroups":[{}]}"#);
        let templates = [loaded("a"), loaded("b"), loaded("c")];
        let mut record = record(State::Error, None);
        record.jobs = first_attempts(&templates[..2]);
        record.jobs[0].state = JobState::Complete;
        record.jobs[1].state = JobState::Error;
        add_attempts(&mut record, &templates);
        let attempts: Vec<_> = record
            .jobs
            .iter()
            .map(|job| (job.template.as_str(), job.attempt))
            .collect();
        assert_eq!(attempts, [("a", 1), ("b", 1), ("b", 2), ("c", 1)]);
        // `a` is done and b, c wait: the record is open again.
        assert_eq!(record.state, State::Progressing);
    }
}
