//! The next attempt that an owner asks for: at what has failed, or with another template.
//!
//! The attempt is planned here and has no job yet. `submit` creates it as soon as the upload is delivered again, and
//! reconcile does if that message is lost.

use jiff::Timestamp;

use super::is_undelivered;
use crate::record::{Job, JobState, Record, State};
use crate::state;

/// The templates that are encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again<'a> {
    /// Each template whose latest attempt has failed or was canceled.
    Failed,
    /// This template.
    With(&'a str),
}

/// The reason why nothing is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAgain {
    #[error("nothing has failed: the asset is {}", .0.as_str())]
    NothingFailed(State),
    #[error("the asset is IGNORED: {0}")]
    Ignored(String),
    #[error("template {0} is being encoded already")]
    Active(String),
    #[error("the asset is being submitted at this moment: try again in two minutes")]
    Claimed,
}

/// Plans the next attempt. A template need not have been used before.
pub fn again(record: &mut Record, what: Again<'_>, now: Timestamp) -> Result<(), NotAgain> {
    if record.state == State::Ignored {
        return Err(NotAgain::Ignored(record.reason.clone().unwrap_or_default()));
    }
    let is_active = |job: &Job| Again::With(&job.template) == what && !job.state.is_terminal();
    if let Some(active) = record.latest_attempts().find(|job| is_active(job)) {
        return Err(NotAgain::Active(active.template.clone()));
    }
    if record.lease.as_ref().is_some_and(|lease| lease.until > now) {
        return Err(NotAgain::Claimed);
    }
    match what {
        Again::Failed => failed(record)?,
        Again::With(template) => with(record, template),
    }
    record.repairs = 0;
    record.lease = None;
    state::refresh(record);
    Ok(())
}

fn failed(record: &mut Record) -> Result<(), NotAgain> {
    if record.jobs.is_empty() && record.state == State::Error {
        // Given up before it was claimed: the next delivery plans it.
        return Ok(());
    }
    let failed = |job: &&Job| matches!(job.state, JobState::Error | JobState::Canceled);
    let failed: Vec<_> = record
        .latest_attempts()
        .filter(failed)
        .map(|job| (job.template.clone(), job.attempt, is_undelivered(job)))
        .collect();
    if failed.is_empty() {
        return Err(NotAgain::NothingFailed(record.state));
    }
    for (template, attempt, may_have_a_job) in failed {
        plan(record, &template, attempt, may_have_a_job);
    }
    Ok(())
}

fn with(record: &mut Record, template: &str) {
    let of_template = record.jobs.iter().filter(|job| job.template == template);
    let latest = of_template.max_by_key(|job| job.attempt);
    let (last, may_have_a_job) = latest.map_or((0, false), |job| (job.attempt, is_undelivered(job)));
    plan(record, template, last, may_have_a_job);
}

/// Plans the attempt after `last`. An attempt that may have a job keeps its number, by which the job is found.
fn plan(record: &mut Record, template: &str, last: u32, may_have_a_job: bool) {
    if may_have_a_job {
        let job = record.attempt_mut(template, last);
        (job.state, job.error, job.finished_at) = (JobState::Submitted, None, None);
    } else {
        record.jobs.push(Job::planned(template, None, last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::next::{Next, next};
    use crate::attempt::testing::{at, claimed, lease, record, templates};
    use crate::attempt::{fail, is_given_up};
    use crate::error_codes::{explain, undeliverable};

    /// A record whose first template is COMPLETE and whose second has failed for good.
    fn half() -> Record {
        let mut record = claimed(&templates(["a", "b"]));
        record.lease = None;
        for job in &mut record.jobs {
            job.job_id = Some("j".into());
        }
        record.jobs[0].state = JobState::Complete;
        fail(&mut record.jobs[1], explain(1010, "?"), at(1));
        state::refresh(&mut record);
        record
    }

    fn planned(record: &Record) -> Vec<(&str, u32)> {
        let planned = record.jobs.iter().filter(|job| job.is_planned());
        planned.map(|job| (&*job.template, job.attempt)).collect()
    }

    #[test]
    fn what_has_failed_is_tried_again_whatever_the_error() {
        let mut record = half();
        record.repairs = 7;
        assert_eq!(again(&mut record, Again::Failed, at(2)), Ok(()));
        assert_eq!((planned(&record), record.repairs), (vec![("b", 2)], 0));
        // The next delivery of the same upload creates it.
        let source = record.source.clone();
        assert_eq!(next(&record, &source, "m2", at(2)), Next::TakeOver);
        assert_eq!(
            again(&mut record, Again::Failed, at(3)),
            Err(NotAgain::NothingFailed(State::Progressing))
        );
    }

    #[test]
    fn an_attempt_that_may_have_a_job_keeps_its_number() {
        let mut record = half();
        record.jobs[1].job_id = None;
        record.jobs[1].error = Some(undeliverable(5, "?"));
        state::refresh(&mut record);
        assert_eq!(again(&mut record, Again::Failed, at(2)), Ok(()));
        assert_eq!(planned(&record), [("b", 1)]);
        let mut early = crate::attempt::testing::record(State::Error);
        assert_eq!(again(&mut early, Again::Failed, at(2)), Ok(()));
        assert!(is_given_up(&early), "the next delivery reopens it");
    }

    #[test]
    fn a_template_is_encoded_again_or_for_the_first_time() {
        for (template, expected) in [
            ("a", Ok(vec![("a", 2)])),
            ("b", Ok(vec![("b", 2)])),
            ("c", Ok(vec![("c", 1)])),
        ] {
            let mut record = half();
            let found = again(&mut record, Again::With(template), at(2));
            assert_eq!(found.map(|()| planned(&record)), expected, "{template}");
            assert_eq!(
                again(&mut record, Again::With(template), at(3)),
                Err(NotAgain::Active(template.to_owned()))
            );
        }
    }

    #[test]
    fn what_is_claimed_or_ignored_is_left_alone() {
        let mut held = half();
        held.lease = Some(lease("m1", 20));
        assert_eq!(again(&mut held, Again::Failed, at(10)), Err(NotAgain::Claimed));
        assert_eq!(again(&mut held, Again::Failed, at(20)), Ok(()));
        let mut ignored = record(State::Ignored);
        ignored.reason = Some("the file is empty".to_owned());
        assert_eq!(
            again(&mut ignored, Again::With("a"), at(1))
                .unwrap_err()
                .to_string(),
            "the asset is IGNORED: the file is empty"
        );
    }
}
