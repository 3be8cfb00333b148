//! The claim of an upload: its first record, or a record that is taken over, started over or reopened. All jobs are on
//! record before the first is created.

use jiff::Timestamp;

use super::{Invocation, JobBuilder, Next, Prepared, first_attempts, is_undelivered, new_attempt, next};
use crate::job::LoadedTemplate;
use crate::record::{Job, JobState, Media, Record, Source};
use crate::removal::Removal;
use crate::state;

/// An upload that is to be claimed.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    pub source: &'a Source,
    pub builder: JobBuilder<'a>,
    /// The tombstone of an earlier removal, if the upload came after it.
    pub removal: Option<&'a Removal>,
    pub invocation: &'a Invocation,
}

impl Claim<'_> {
    /// The first record of the upload and its jobs. `media` is what a probe has found.
    pub fn first(&self, media: Media, now: Timestamp) -> (Record, Vec<Prepared>) {
        let source = Source {
            media,
            ..self.source.clone()
        };
        let mut record = Record::new(source.asset_id(), source, now);
        record.jobs = first_attempts(self.builder.templates, now);
        continue_counting(&mut record.jobs, self.removal);
        record.lease = Some(self.invocation.lease());
        record.repairs = u32::from(self.invocation.repair);
        let prepared = self.builder.plan(&mut record, now);
        (record, prepared)
    }

    /// Takes over what is on record, if that is what comes next, and returns the jobs to be created.
    pub fn resume(&self, known: &mut Record, media: &Media, now: Timestamp) -> (Next, Vec<Prepared>) {
        let found = next(known, self.source, &self.invocation.holder, now);
        let templates = self.builder.templates;
        match found {
            Next::Nothing(_) => return (found, Vec::new()),
            Next::TakeOver => {}
            Next::Restart => {
                known.source.sequencer.clone_from(&self.source.sequencer);
                known.source.uploaded_at = self.source.uploaded_at;
                known.repairs = 0;
                add_attempts(known, templates, now);
            }
            Next::Reopen => {
                let never_planned = known.jobs.is_empty();
                reopen(known, templates, now);
                if never_planned {
                    let unknown = std::mem::take(&mut known.source.unknown);
                    known.source.clone_from(self.source);
                    known.source.unknown = unknown;
                }
            }
        }
        continue_counting(&mut known.jobs, self.removal);
        if known.source.media == Media::default() {
            known.source.media = media.clone();
        }
        known.repairs += u32::from(self.invocation.repair);
        known.lease = Some(self.invocation.lease());
        (found, self.builder.plan(known, now))
    }
}

/// Attempts at what was removed before count as well: no output takes an earlier one's place. Safe to repeat.
fn continue_counting(jobs: &mut [Job], removal: Option<&Removal>) {
    let last = |template| removal.and_then(|removal| removal.attempts.get(template).copied());
    for job in jobs.iter_mut().filter(|job| job.job_id.is_none()) {
        if let Some(last) = last(&job.template).filter(|last| job.attempt <= *last) {
            job.attempt += last;
        }
    }
}

/// Plans again what was given up. The attempts keep their numbers: CreateJob may have succeeded although its answer was
/// lost, and its job is found by the attempt's number.
pub(super) fn reopen(record: &mut Record, templates: &[LoadedTemplate], now: Timestamp) {
    let given_up = record.latest_attempts().filter(|job| is_undelivered(job));
    let given_up: Vec<_> = given_up.map(|job| (job.template.clone(), job.attempt)).collect();
    for (template, attempt) in given_up {
        let job = record.attempt_mut(&template, attempt);
        job.state = JobState::Submitted;
        job.error = None;
        job.finished_at = None;
    }
    if record.jobs.is_empty() {
        record.jobs = first_attempts(templates, now);
    }
    record.reason = None;
    state::refresh(record);
}

/// Adds the attempts of a restart: the next one at every template that has not succeeded. Attempts that were given up
/// keep their numbers.
fn add_attempts(record: &mut Record, templates: &[LoadedTemplate], now: Timestamp) {
    reopen(record, &[], now);
    for template in templates {
        let of_template = record.jobs.iter().filter(|job| job.template == template.name);
        let last = of_template.max_by_key(|job| job.attempt);
        match last.map(|job| (job.attempt, job.state)) {
            Some((_, state)) if state == JobState::Complete || !state.is_terminal() => {}
            last => {
                let number = last.map_or(1, |(number, _)| number + 1);
                record.jobs.push(new_attempt(template, number, now));
            }
        }
    }
    state::refresh(record);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::attempt::testing::{at, claimed, delivery, record, settings, templates};
    use crate::attempt::{fail, is_given_up};
    use crate::error_codes::undeliverable;
    use crate::record::State;

    fn attempts(record: &Record) -> Vec<(&str, u32, JobState)> {
        let jobs = record.jobs.iter();
        jobs.map(|job| (&*job.template, job.attempt, job.state)).collect()
    }

    #[test]
    fn a_restart_leaves_alone_what_has_succeeded_and_what_may_have_a_job() {
        let templates = templates(["a", "b", "c", "d"]);
        let mut record = record(State::Error);
        record.jobs = first_attempts(&templates[..3], at(0));
        record.jobs[0].state = JobState::Complete;
        record.jobs[1].state = JobState::Error;
        fail(&mut record.jobs[2], undeliverable(5, "no connection"), at(1));
        add_attempts(&mut record, &templates, at(2));
        assert_eq!(
            attempts(&record),
            [
                ("a", 1, JobState::Complete),
                ("b", 1, JobState::Error),
                ("b", 2, JobState::Submitted),
                ("c", 1, JobState::Submitted),
                ("d", 1, JobState::Submitted),
            ]
        );
        // `a` is done and the others wait: the record is open again.
        assert_eq!(record.state, State::Progressing);
    }

    #[test]
    fn a_record_that_never_had_a_job_gets_its_first_ones() {
        let mut record = claimed(&[]);
        record.state = State::Error;
        assert!(is_given_up(&record));
        reopen(&mut record, &templates(["a", "b"]), at(1));
        assert_eq!((record.jobs.len(), record.state), (2, State::Queued));
    }

    #[test]
    fn an_upload_that_comes_after_a_removal_continues_its_numbers() {
        let (settings, templates, mut invocation) = (settings(), templates(["a", "b"]), delivery("m1"));
        let removal = Removal {
            attempts: BTreeMap::from([("a".to_owned(), 2)]),
            ..Removal::new(&record(State::Queued).id, None, None, at(1))
        };
        invocation.repair = true;
        let claim = Claim {
            source: &Source::default(),
            builder: JobBuilder {
                settings: &settings,
                templates: &templates,
            },
            removal: Some(&removal),
            invocation: &invocation,
        };
        let (record, prepared) = claim.first(Media::default(), at(2));
        assert_eq!(
            attempts(&record),
            [("a", 3, JobState::Submitted), ("b", 1, JobState::Submitted)]
        );
        assert_eq!((record.state, record.repairs), (State::Queued, 1));
        assert!(invocation.made_first(&record));
        assert_eq!(prepared.len(), 2);
    }

    #[test]
    fn a_record_that_knew_no_removal_continues_its_numbers_once() {
        let (settings, templates, invocation) = (settings(), templates(["a", "b"]), delivery("m1"));
        let removal = Removal {
            attempts: BTreeMap::from([("a".to_owned(), 2)]),
            ..Removal::new(&record(State::Queued).id, None, None, at(1))
        };
        let source = Source {
            uploaded_at: at(9),
            ..Source::default()
        };
        let claim = Claim {
            source: &source,
            builder: JobBuilder {
                settings: &settings,
                templates: &templates,
            },
            removal: Some(&removal),
            invocation: &invocation,
        };
        for (mut known, expected) in [
            (claimed(&templates), Next::TakeOver),
            (record(State::Ignored), Next::Restart),
            (record(State::Error), Next::Restart),
        ] {
            for next in [expected, Next::TakeOver] {
                let (found, _) = claim.resume(&mut known, &Media::default(), at(10));
                assert_eq!(found, next);
                let numbers: Vec<_> = attempts(&known).iter().map(|attempt| attempt.1).collect();
                assert_eq!(numbers, [3, 1], "{expected:?}");
            }
        }
    }

    #[test]
    fn only_what_comes_next_is_changed() {
        let (settings, templates) = (settings(), templates(["a"]));
        let source = Source {
            sequencer: Some("06".into()),
            uploaded_at: at(9),
            ..Source::default()
        };
        let mut failed = claimed(&templates);
        failed.source.sequencer = Some("05".into());
        failed.repairs = 3;
        fail(&mut failed.jobs[0], crate::error_codes::explain(1010, "?"), at(1));
        state::refresh(&mut failed);
        for (mut known, holder, expected, jobs, repairs) in [
            (claimed(&templates), "m1", Next::TakeOver, 1, 0),
            (
                claimed(&templates),
                "m2",
                Next::Nothing("another delivery is working on it"),
                1,
                0,
            ),
            (failed, "m2", Next::Restart, 2, 0),
        ] {
            let (before, invocation) = (known.clone(), delivery(holder));
            let claim = Claim {
                source: &source,
                builder: JobBuilder {
                    settings: &settings,
                    templates: &templates,
                },
                removal: None,
                invocation: &invocation,
            };
            let (found, prepared) = claim.resume(&mut known, &Media::default(), at(10));
            assert_eq!(found, expected);
            assert_eq!((known.jobs.len(), known.repairs), (jobs, repairs), "{found:?}");
            let moves = !matches!(found, Next::Nothing(_));
            assert_eq!(
                (known == before, invocation.holds(&known), prepared.len()),
                (!moves, moves, usize::from(moves)),
                "{found:?}"
            );
        }
    }
}
