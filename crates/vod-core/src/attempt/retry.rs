//! The next attempt after an error that may pass.

use jiff::Timestamp;

use super::{Invocation, JobBuilder, Prepared, TRIES, is_undelivered, new_attempt, tries};
use crate::record::{Media, Record, State};
use crate::state;

/// What a retry has changed.
#[derive(Debug, Clone, PartialEq)]
pub enum Retry {
    /// There is nothing to retry.
    Nothing,
    /// The upload is gone, which the record now says.
    Ended,
    /// The record is claimed, and these jobs are to be created.
    Started(Vec<Prepared>),
}

/// Adds an attempt at each template whose latest one has failed with an error that may pass. `media` is what is known
/// of the upload, `None` if it is no longer there: then the errors become permanent.
pub fn retry(
    record: &mut Record,
    builder: &JobBuilder<'_>,
    media: Option<&Media>,
    invocation: &Invocation,
    now: Timestamp,
) -> Retry {
    let failed: Vec<(String, u32)> = match record.state {
        State::Error => record
            .latest_attempts()
            .filter(|job| job.error.as_ref().is_some_and(|error| error.retryable))
            // An attempt that was given up before it became a job is reopened instead.
            .filter(|job| !is_undelivered(job) && tries(record, &job.template) < TRIES)
            .map(|job| (job.template.clone(), job.attempt))
            .collect(),
        _ => Vec::new(),
    };
    if failed.is_empty() {
        return Retry::Nothing;
    }
    for (name, last) in &failed {
        let template = builder.templates.iter().find(|loaded| loaded.name == *name);
        if let Some(template) = template.filter(|_| media.is_some()) {
            record.jobs.push(new_attempt(template, last + 1, now));
        } else if let Some(error) = &mut record.attempt_mut(name, *last).error {
            error.retryable = false;
            "upload the video again: it or its template has been removed meanwhile"
                .clone_into(&mut error.remedy);
        }
    }
    state::refresh(record);
    let Some(media) = media else {
        return Retry::Ended;
    };
    record.source.media = media.clone();
    let prepared = builder.plan(record, now);
    record.lease = Some(invocation.lease());
    Retry::Started(prepared)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, claimed, delivery, settings, templates};
    use crate::attempt::{fail, first_attempts};
    use crate::error_codes::{explain, undeliverable};
    use crate::record::JobError;

    fn failed(errors: &[JobError]) -> Record {
        let known = templates(["a", "b"]);
        let mut record = claimed(&known);
        record.jobs = first_attempts(&known[..errors.len()], at(0));
        for (job, error) in record.jobs.iter_mut().zip(errors) {
            fail(job, error.clone(), at(1));
        }
        state::refresh(&mut record);
        record
    }

    #[test]
    fn only_errors_that_may_pass_are_retried_and_three_times_at_most() {
        let (settings, templates) = (settings(), templates(["a", "b"]));
        let builder = JobBuilder {
            settings: &settings,
            templates: &templates,
        };
        let mut record = failed(&[explain(1999, "?"), explain(1010, "?")]);
        for attempt in 2..=4u32 {
            let found = retry(
                &mut record,
                &builder,
                Some(&Media::default()),
                &delivery("m1"),
                at(2),
            );
            let expected = attempt as usize <= TRIES;
            let Retry::Started(prepared) = found else {
                assert!(!expected && found == Retry::Nothing, "{attempt}: {found:?}");
                continue;
            };
            assert!(expected, "{attempt}");
            assert_eq!(
                prepared
                    .iter()
                    .map(|job| (&*job.template, job.attempt))
                    .collect::<Vec<_>>(),
                [("a", attempt)]
            );
            assert!(delivery("m1").holds(&record));
            let job = record.attempt_mut("a", attempt);
            fail(job, explain(1999, "?"), at(3));
            state::refresh(&mut record);
        }
        assert_eq!(record.jobs.len(), 4);
    }

    #[test]
    fn without_its_source_or_its_template_an_upload_is_not_retried() {
        let (settings, known) = (settings(), templates(["a"]));
        let media = Media::default();
        for (templates, media, error, expected, retryable) in [
            (&known[..], None, explain(1999, "?"), Retry::Ended, false),
            (
                &[][..],
                Some(&media),
                explain(1999, "?"),
                Retry::Started(Vec::new()),
                false,
            ),
            // It is reopened, not retried.
            (
                &known[..],
                Some(&media),
                undeliverable(5, "?"),
                Retry::Nothing,
                true,
            ),
        ] {
            let builder = JobBuilder {
                settings: &settings,
                templates,
            };
            let mut record = failed(&[error]);
            let found = retry(&mut record, &builder, media, &delivery("m1"), at(2));
            assert_eq!(found, expected);
            assert_eq!(record.jobs.len(), 1, "{found:?}");
            let error = record.jobs[0].error.as_ref().unwrap();
            assert_eq!(error.retryable, retryable, "{found:?}");
        }
    }
}
