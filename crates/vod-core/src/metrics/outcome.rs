//! Derives outcomes from a record before and after a change.

use jiff::Timestamp;

use super::{
    ENCODED, JOBS_CANCELED, JOBS_COMPLETED, JOBS_FAILED, JOBS_SUBMITTED, Metric, Point, QUEUE_AGE,
    RECONCILE_GIVEN_UP, RECONCILE_LOST, RECONCILE_MENDED, RECONCILE_UNMENDED, UPLOADS_IGNORED,
};
use crate::error_codes::{Class, UNDELIVERABLE};
use crate::record::{Job, JobState, Record, State};

/// An event to count, and the upload that it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub what: What,
    /// Absent if it is about no single upload.
    pub subject: Option<Subject>,
}

/// The upload and the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    pub asset: String,
    /// As the user wrote it.
    pub key: String,
    /// Empty if there was no attempt.
    pub template: String,
    pub attempt: Option<u32>,
    pub job_id: Option<String>,
}

/// The kind of an outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// The record knows the job from now on.
    Submitted {
        /// Seconds from the upload; absent for retries, whose delays are the pipeline's own.
        queue_age: Option<f64>,
    },
    Completed(Encoded),
    Failed {
        class: Class,
        code: u32,
    },
    Canceled,
    Ignored,
    /// The findings of one part of a reconcile pass.
    Reconciled {
        lost: u64,
        mended: u64,
        /// With the part that ends the pass.
        passed: Option<Passed>,
    },
}

/// The findings that a complete reconcile pass leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    pub given_up: u64,
    /// Could not be checked or repaired this time.
    pub failed: u64,
}

/// The resolution by which an output is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    Audio,
    /// Below 720 lines.
    Sd,
    /// To 1080 lines.
    Hd,
    Uhd,
}

impl Resolution {
    const ALL: [Self; 4] = [Self::Audio, Self::Sd, Self::Hd, Self::Uhd];

    /// The resolution of a picture of this size in pixels, in any orientation.
    pub fn of(width: u32, height: u32) -> Self {
        match width.min(height) {
            0..720 => Self::Sd,
            720..=1080 => Self::Hd,
            _ => Self::Uhd,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Sd => "sd",
            Self::Hd => "hd",
            Self::Uhd => "uhd",
        }
    }
}

/// Seconds of output, by resolution, as they are billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Encoded([u64; 4]);

impl Encoded {
    /// No output is billed shorter than this, in seconds (MediaConvert pricing).
    const LEAST: u64 = 10;

    /// Adds an output of this length in milliseconds.
    pub fn add(&mut self, resolution: Resolution, duration_ms: u64) {
        let seconds = &mut self.0[resolution as usize];
        *seconds = seconds.saturating_add(duration_ms.div_ceil(1000).max(Self::LEAST));
    }

    /// Seconds, of the resolutions that there are.
    pub(super) fn seconds(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = Resolution::ALL.iter().map(|resolution| resolution.as_str());
        all.zip(self.0).filter(|(_, seconds)| *seconds > 0)
    }
}

/// The outcomes of a conditional put: `before` is the record that it replaced, `None` if it was a claim.
/// `encoded` is the length of the outputs of an attempt that succeeds with it.
pub fn outcomes(before: Option<&Record>, after: &Record, encoded: Encoded, now: Timestamp) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for job in &after.jobs {
        let same = |other: &&Job| other.template == job.template && other.attempt == job.attempt;
        let known = before.and_then(|before| before.jobs.iter().find(same));
        let mut add = |what| {
            outcomes.push(Outcome {
                what,
                subject: Some(subject(after, Some(job))),
            });
        };
        let known_job = known.is_some_and(|known| known.job_id.is_some());
        // A record that begins with jobs has been rebuilt: they counted when they were made.
        if before.is_some() && job.job_id.is_some() && !known_job {
            add(What::Submitted {
                queue_age: queue_age(after, job, now),
            });
        }
        if known.is_none_or(|known| known.state != job.state)
            && let Some(end) = end(job, encoded)
            && (before.is_some() || (job.state == JobState::Error && job.job_id.is_none()))
        {
            add(end);
        }
    }
    let now_in = |state: State| after.state == state && before.is_none_or(|before| before.state != state);
    let whole = if now_in(State::Ignored) {
        Some(What::Ignored)
    } else if now_in(State::Error) && after.jobs.is_empty() {
        // An upload without an attempt ends in error only if its message was given up.
        let (class, code) = (Class::Delivery, UNDELIVERABLE);
        Some(What::Failed { class, code })
    } else {
        None
    };
    outcomes.extend(whole.map(|what| Outcome {
        what,
        subject: Some(subject(after, None)),
    }));
    outcomes
}

fn end(job: &Job, encoded: Encoded) -> Option<What> {
    match job.state {
        JobState::Submitted | JobState::Progressing => None,
        JobState::Complete => Some(What::Completed(encoded)),
        JobState::Canceled => Some(What::Canceled),
        JobState::Error => Some(What::Failed {
            class: job.error.as_ref().map_or(Class::Other, |error| error.class),
            code: job.error.as_ref().map_or(0, |error| error.code),
        }),
    }
}

/// Only the first try after the upload has waited in the queue and nowhere else.
fn queue_age(record: &Record, job: &Job, now: Timestamp) -> Option<f64> {
    let uploaded = record.source.uploaded_at;
    let earlier = |other: &Job| {
        other.template == job.template
            && other.attempt < job.attempt
            && other.finished_at.is_none_or(|finished| finished >= uploaded)
    };
    if record.jobs.iter().any(earlier) {
        return None;
    }
    let submitted = job.submitted_at.unwrap_or(now);
    // S3 reports the time of an upload in whole seconds, rounded down or up.
    Some(submitted.duration_since(uploaded).as_secs_f64().max(0.0))
}

fn subject(record: &Record, job: Option<&Job>) -> Subject {
    Subject {
        asset: record.id.to_string(),
        key: record.source.key.clone(),
        template: job.map(|job| job.template.clone()).unwrap_or_default(),
        attempt: job.map(|job| job.attempt),
        job_id: job.and_then(|job| job.job_id.clone()),
    }
}

impl Outcome {
    /// Its values: the one place where outcomes become metrics.
    #[expect(clippy::cast_precision_loss, reason = "counts and seconds far below 2^53")]
    pub fn points(&self) -> Vec<Point> {
        let template = || {
            let template = self.subject.as_ref().map(|subject| subject.template.clone());
            template.unwrap_or_default()
        };
        match &self.what {
            What::Submitted { queue_age } => {
                let mut points = vec![point(&JOBS_SUBMITTED, vec![template()], 1.0)];
                points.extend(queue_age.map(|age| point(&QUEUE_AGE, vec![], age)));
                points
            }
            What::Completed(encoded) => {
                let mut points = vec![point(&JOBS_COMPLETED, vec![template()], 1.0)];
                points.extend(encoded.seconds().map(|(resolution, seconds)| {
                    let labels = vec![template(), resolution.to_owned()];
                    point(&ENCODED, labels, seconds as f64)
                }));
                points
            }
            What::Failed { class, .. } => {
                let labels = vec![template(), class.as_str().to_owned()];
                vec![point(&JOBS_FAILED, labels, 1.0)]
            }
            What::Canceled => vec![point(&JOBS_CANCELED, vec![template()], 1.0)],
            What::Ignored => vec![point(&UPLOADS_IGNORED, vec![], 1.0)],
            What::Reconciled { lost, mended, passed } => {
                let mut points = vec![
                    point(&RECONCILE_LOST, vec![], *lost as f64),
                    point(&RECONCILE_MENDED, vec![], *mended as f64),
                ];
                if let Some(Passed { given_up, failed }) = passed {
                    points.push(point(&RECONCILE_GIVEN_UP, vec![], *given_up as f64));
                    points.push(point(&RECONCILE_UNMENDED, vec![], (given_up + failed) as f64));
                }
                points
            }
        }
    }
}

fn point(metric: &'static Metric, labels: Vec<String>, value: f64) -> Point {
    Point {
        metric,
        labels,
        value,
    }
}
