//! Stores in the record the jobs that were created, found or refused.

use jiff::Timestamp;

use super::prepare::describe;
use super::{Prepared, fail};
use crate::record::{JobError, Record};
use crate::state;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Created {
    pub template: String,
    pub attempt: u32,
    pub outcome: Outcome,
}

/// How CreateJob, or the search before it, ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// This invocation has sent the prepared job.
    Sent { job_id: String, prepared: Box<Prepared> },
    /// Another invocation has created it. The record has known its plan since before that.
    Found { job_id: String },
    /// There can be no job.
    Refused(JobError),
}

/// Puts the outcomes on record. Events may have been faster: what they reported stays.
pub fn store(record: &mut Record, created: &[Created], now: Timestamp) {
    for Created {
        template,
        attempt,
        outcome,
    } in created
    {
        let job = record.attempt_mut(template, *attempt);
        match outcome {
            Outcome::Sent { job_id, .. } | Outcome::Found { job_id } => {
                job.job_id = Some(job_id.clone());
                job.submitted_at = job.submitted_at.or(Some(now));
            }
            Outcome::Refused(error) if job.job_id.is_none() => fail(job, error.clone(), now),
            Outcome::Refused(_) => {}
        }
        if let Outcome::Sent { prepared, .. } = outcome {
            job.template_sha256.clone_from(&prepared.template_sha256);
            if let Ok(request) = &prepared.request {
                describe(job, request);
            }
        }
    }
    state::refresh(record);
}

/// Puts the outcomes on record and, if all jobs are `finished`, ends the claim. Returns whether anything changed.
pub fn store_all(record: &mut Record, created: &[Created], finished: bool, now: Timestamp) -> bool {
    let before = record.clone();
    store(record, created, now);
    if finished {
        record.lease = None;
        record.repairs = 0;
    }
    *record != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::JobBuilder;
    use crate::attempt::testing::{at, claimed, settings, templates};
    use crate::error_codes;
    use crate::record::{JobState, State};
    use crate::state::{Change, apply};

    fn of_first(outcome: Outcome) -> Created {
        Created {
            template: "a".into(),
            attempt: 1,
            outcome,
        }
    }

    #[test]
    fn each_outcome_is_on_record_and_what_an_event_reported_stays() {
        let refused = || Outcome::Refused(error_codes::unusable_template("a: removed"));
        let found = || Outcome::Found { job_id: "j".into() };
        for (heard, outcome, state, job_state) in [
            (false, found(), State::Submitted, JobState::Submitted),
            (true, found(), State::Progressing, JobState::Progressing),
            (false, refused(), State::Error, JobState::Error),
            (true, refused(), State::Progressing, JobState::Progressing),
        ] {
            let mut record = claimed(&templates(["a"]));
            if heard {
                apply(&mut record, "a", 1, "j", &Change::Progress(None), at(1));
            }
            store(&mut record, &[of_first(outcome.clone())], at(2));
            assert_eq!(
                (record.state, record.jobs[0].state),
                (state, job_state),
                "{heard} {outcome:?}"
            );
        }
    }

    #[test]
    fn the_job_that_was_sent_replaces_the_planned_one() {
        let (settings, templates) = (settings(), templates(["a"]));
        let mut record = claimed(&templates);
        record.jobs[0].thumbnail_interval_ms = Some(7);
        record.jobs[0].template_sha256 = Some("older".into());
        let builder = JobBuilder {
            settings: &settings,
            templates: &templates,
        };
        let prepared = Box::new(builder.prepare(&record, "a", 1));
        let sent = of_first(Outcome::Sent {
            job_id: "j".into(),
            prepared,
        });
        store(&mut record, &[sent], at(2));
        let job = &record.jobs[0];
        assert_eq!(job.template_sha256.as_ref(), Some(&templates[0].sha256));
        assert_eq!((job.thumbnail_interval_ms, job.submitted_at), (None, Some(at(2))));
    }

    #[test]
    fn only_when_all_jobs_are_there_the_claim_ends() {
        let found = [of_first(Outcome::Found { job_id: "j".into() })];
        for (created, finished, changed, leased) in [
            (&found[..], true, true, false),
            (&found[..], false, true, true),
            (&[][..], false, false, true),
            (&[][..], true, true, false),
        ] {
            let mut record = claimed(&templates(["a", "b"]));
            let found = store_all(&mut record, created, finished, at(2));
            assert_eq!(
                (found, record.lease.is_some()),
                (changed, leased),
                "{created:?} {finished}"
            );
        }
    }
}
