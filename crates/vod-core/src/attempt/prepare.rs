//! The job of an attempt. It is built once and handed on: to the record, to CreateJob, and to the record again.

use jiff::Timestamp;

use super::fail;
use crate::error_codes;
use crate::job::{self, JobRequest, LoadedTemplate, Rules, Target};
use crate::record::{Job, JobError, Record};
use crate::state;

/// What the pipeline adds to the jobs of every template.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Distinguishes this pipeline's jobs from others of the account.
    pub application: String,
    pub output_bucket: String,
    /// The role with which MediaConvert reads the upload and writes the outputs.
    pub role_arn: String,
    /// Name or ARN of the queue for templates that name none. Absent: the account's default queue.
    pub queue: Option<String>,
    pub rules: Rules,
}

impl JobSettings {
    /// What the job of one attempt is for, and where its parts go.
    pub fn target<'a>(&'a self, record: &'a Record, template: &'a str, attempt: u32) -> Target<'a> {
        Target {
            asset: &record.id,
            template,
            attempt,
            input_bucket: &record.source.bucket,
            input_key: &record.source.key,
            output_bucket: &self.output_bucket,
            role_arn: &self.role_arn,
            queue: self.queue.as_deref(),
            application: &self.application,
        }
    }
}

/// Builds jobs from the templates as they are now.
#[derive(Debug, Clone, Copy)]
pub struct JobBuilder<'a> {
    pub settings: &'a JobSettings,
    pub templates: &'a [LoadedTemplate],
}

/// An attempt with its job, ready to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    pub template: String,
    pub attempt: u32,
    /// Absent if the template has been removed.
    pub template_sha256: Option<String>,
    /// The job, or why there can be none.
    pub request: Result<JobRequest, JobError>,
}

impl JobBuilder<'_> {
    /// The job of one attempt as it would be sent now.
    pub fn prepare(&self, record: &Record, template: &str, attempt: u32) -> Prepared {
        let found = self.templates.iter().find(|loaded| loaded.name == template);
        let request = match found {
            Some(loaded) => loaded
                .template
                .as_ref()
                .map_err(String::clone)
                .and_then(|usable| {
                    let target = self.settings.target(record, template, attempt);
                    let built = job::build(usable, &target, &record.source.media, self.settings.rules);
                    built.map_err(|error| error.to_string())
                }),
            None => Err(format!("{template}: removed since the upload was claimed")),
        };
        Prepared {
            template: template.to_owned(),
            attempt,
            template_sha256: found.map(|loaded| loaded.sha256.clone()),
            request: request.map_err(|problem| error_codes::unusable_template(&problem)),
        }
    }

    /// Builds the jobs of all attempts that have none yet, and notes on the record what they will be like: events
    /// report neither the changes of our rules nor the interval between thumbnails. An attempt for which there can be
    /// no job fails. What an earlier delivery has noted stays, because its job may exist.
    pub fn plan(&self, record: &mut Record, now: Timestamp) -> Vec<Prepared> {
        let open = record.latest_attempts().filter(|job| job.is_planned());
        let open: Vec<_> = open.map(|job| (job.template.clone(), job.attempt)).collect();
        let mut all = Vec::with_capacity(open.len());
        for (template, attempt) in open {
            let prepared = self.prepare(record, &template, attempt);
            let job = record.attempt_mut(&template, attempt);
            let is_noted = !job.changes.is_empty() || job.thumbnail_interval_ms.is_some();
            match &prepared.request {
                Ok(request) if !is_noted => note(record, &prepared, request),
                Err(problem) if !is_noted => {
                    fail(job, problem.clone(), now);
                    continue;
                }
                _ => {}
            }
            all.push(prepared);
        }
        state::refresh(record);
        all
    }
}

fn note(record: &mut Record, prepared: &Prepared, request: &JobRequest) {
    describe(record.attempt_mut(&prepared.template, prepared.attempt), request);
    record.add_left_out(request.left_out.clone());
}

/// Notes at an attempt what its job is like.
pub(super) fn describe(job: &mut Job, request: &JobRequest) {
    job.changes.clone_from(&request.changes);
    job.thumbnail_interval_ms = request.thumbnail_interval_ms;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::{at, claimed, settings, templates};
    use crate::record::{Change, JobState, State};

    #[test]
    fn each_open_attempt_has_its_job_and_the_others_are_left_alone() {
        let (settings, known) = (settings(), templates(["a", "b", "c"]));
        let mut record = claimed(&known);
        record.jobs[1].job_id = Some("j".into());
        record.jobs[2].state = JobState::Error;
        let builder = JobBuilder {
            settings: &settings,
            templates: &known,
        };
        let prepared = builder.plan(&mut record, at(1));
        assert_eq!(prepared.len(), 1);
        assert_eq!((&*prepared[0].template, prepared[0].attempt), ("a", 1));
        let body = &prepared[0].request.as_ref().unwrap().body;
        assert_eq!(body["userMetadata"]["template"], "a");
        assert_eq!(prepared[0].template_sha256.as_ref(), Some(&known[0].sha256));
    }

    #[test]
    fn a_template_that_is_gone_or_unusable_ends_its_attempt_unless_its_job_may_exist() {
        let (settings, known) = (settings(), templates(["a"]));
        let unusable = [LoadedTemplate::unusable(
            "a",
            "jobs/a.json: no output groups".to_owned(),
        )];
        for (templates, noted, expected) in [
            (&[][..], false, JobState::Error),
            (&[][..], true, JobState::Submitted),
            (&unusable[..], false, JobState::Error),
            (&unusable[..], true, JobState::Submitted),
        ] {
            let mut record = claimed(&known);
            if noted {
                record.jobs[0].changes.push(Change::default());
            }
            let builder = JobBuilder {
                settings: &settings,
                templates,
            };
            let prepared = builder.plan(&mut record, at(1));
            assert_eq!(record.jobs[0].state, expected, "{templates:?}");
            assert_eq!(record.state == State::Error, !noted);
            // Whether there is a job is for the search to say.
            assert_eq!(prepared.len(), usize::from(noted));
            assert!(prepared.iter().all(|prepared| prepared.request.is_err()));
        }
    }
}
