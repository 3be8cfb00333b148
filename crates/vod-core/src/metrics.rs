//! Defines all metrics: every name of a metric is in this file only.
//!
//! The functions write one line of `CloudWatch`'s Embedded Metric Format per outcome ([`emf_line`]), `vod up` counts the same
//! outcomes for Prometheus ([`Registry`]); both render [`Outcome::points`], so they cannot differ. An outcome is what a
//! conditional put has changed ([`outcomes`]): only the winner of a race reports, so duplicates count once.

mod emf;
mod outcome;
mod prometheus;

pub use emf::emf_line;
pub use outcome::{Encoded, Outcome, Passed, Resolution, Subject, What, outcomes};
pub use prometheus::{CONTENT_TYPE, Registry};

/// The `CloudWatch` namespace of all metrics.
pub const NAMESPACE: &str = "Vod";
/// The one dimension: each value of a dimension is a metric of its own on the bill, so an asset's id never is one.
pub const DIMENSION: &str = "Application";

/// The type of a metric in Prometheus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets, in its unit.
    Histogram(&'static [f64]),
}

/// A metric's name on `CloudWatch`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CloudWatch {
    pub name: &'static str,
    /// One of the units that the Embedded Metric Format knows.
    pub unit: &'static str,
    /// One of this unit in the unit of the Prometheus metric.
    pub scale: f64,
}

/// A metric.
#[derive(Debug, PartialEq)]
pub struct Metric {
    /// In Prometheus: base units, counters end in `_total`.
    pub name: &'static str,
    pub kind: Kind,
    /// Its labels in Prometheus; on `CloudWatch` they are properties of the line.
    pub labels: &'static [&'static str],
    /// Absent where only `vod up` has it: on AWS, SQS and `MediaConvert` publish their own.
    pub cloudwatch: Option<CloudWatch>,
    pub help: &'static str,
}

impl Metric {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            labels: &[],
            cloudwatch: None,
            help: "",
        }
    }

    const fn labels(mut self, labels: &'static [&'static str]) -> Self {
        self.labels = labels;
        self
    }

    /// Adds the name on `CloudWatch`. One of `unit` there is `scale` of the unit in Prometheus.
    const fn on_cloudwatch(mut self, name: &'static str, unit: &'static str, scale: f64) -> Self {
        self.cloudwatch = Some(CloudWatch { name, unit, scale });
        self
    }

    /// Adds the name on `CloudWatch` of a number without a unit.
    const fn counted(self, name: &'static str) -> Self {
        self.on_cloudwatch(name, "Count", 1.0)
    }

    const fn help(mut self, help: &'static str) -> Self {
        self.help = help;
        self
    }
}

pub const JOBS_SUBMITTED: Metric = Metric::new("vod_jobs_submitted_total", Kind::Counter)
    .labels(&["template"])
    .counted("JobsSubmitted")
    .help("Jobs that MediaConvert has accepted.");

pub const JOBS_COMPLETED: Metric = Metric::new("vod_jobs_completed_total", Kind::Counter)
    .labels(&["template"])
    .counted("JobsCompleted")
    .help("Jobs that have succeeded.");

pub const JOBS_FAILED: Metric = Metric::new("vod_jobs_failed_total", Kind::Counter)
    .labels(&["template", "class"])
    .counted("JobsFailed")
    .help("Failed attempts, including those without a job; class says who can fix it.");

pub const JOBS_CANCELED: Metric = Metric::new("vod_jobs_canceled_total", Kind::Counter)
    .labels(&["template"])
    .counted("JobsCanceled")
    .help("Jobs that were canceled.");

pub const UPLOADS_IGNORED: Metric = Metric::new("vod_uploads_ignored_total", Kind::Counter)
    .counted("UploadsIgnored")
    .help(
        "Uploads with nothing to encode: folders, empty files, files that were removed before they \
         were read.",
    );

pub const QUEUE_AGE: Metric = Metric::new(
    "vod_queue_age_seconds",
    Kind::Histogram(&[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0]),
)
.on_cloudwatch("QueueAge", "Seconds", 1.0)
.help("Time from an upload to its job, for the first attempt of each template.");

/// MediaConvert bills each output by the second and at least 10 seconds (its pricing page); jobs that fail cost nothing.
pub const ENCODED: Metric = Metric::new("vod_encoded_seconds_total", Kind::Counter)
    .labels(&["template", "resolution"])
    .on_cloudwatch("EncodeMinutes", "None", 60.0)
    .help(
        "Length of all outputs as MediaConvert bills it: each rounded up to a second, at least 10 \
         seconds. Images are not included.",
    );

pub const RECONCILE_LOST: Metric = Metric::new("vod_reconcile_lost_total", Kind::Counter)
    .counted("ReconcileLost")
    .help(
        "Findings of reconcile: lost, stuck or forgotten uploads. Uploads that were given up are \
         found again in each pass.",
    );

pub const RECONCILE_MENDED: Metric = Metric::new("vod_reconcile_mended_total", Kind::Counter)
    .counted("ReconcileMended")
    .help("Findings that reconcile has repaired.");

pub const RECONCILE_GIVEN_UP: Metric = Metric::new("vod_reconcile_given_up", Kind::Gauge)
    .counted("ReconcileGivenUp")
    .help("Findings of the last complete pass that need manual repair.");

pub const RECONCILE_UNMENDED: Metric = Metric::new("vod_reconcile_unmended", Kind::Gauge)
    .counted("ReconcileUnmended")
    .help("Findings of the last complete pass that are not repaired: given up, or left to the next pass.");

pub const QUEUE_MESSAGES: Metric = Metric::new("vod_queue_messages", Kind::Gauge)
    .labels(&["queue", "state"])
    .help("Messages that wait (visible) and messages that a function works on (in_flight).");

pub const QUEUE_OLDEST: Metric = Metric::new("vod_queue_oldest_message_age_seconds", Kind::Gauge)
    .labels(&["queue"])
    .help("Age of the oldest message of a queue; 0 when it is empty.");

pub const DEAD_LETTERS: Metric = Metric::new("vod_dead_letters", Kind::Gauge)
    .labels(&["queue"])
    .help("Messages of a queue that failed at every delivery; vod dead-letters shows them.");

pub const ENCODES_RUNNING: Metric = Metric::new("vod_encodes_running", Kind::Gauge).help("Jobs under way.");

pub const ENCODES_WAITING: Metric =
    Metric::new("vod_encodes_waiting", Kind::Gauge).help("Jobs that wait for their turn.");

/// All of them, in the order in which they are shown.
pub const METRICS: &[Metric] = &[
    JOBS_SUBMITTED,
    JOBS_COMPLETED,
    JOBS_FAILED,
    JOBS_CANCELED,
    UPLOADS_IGNORED,
    QUEUE_AGE,
    ENCODED,
    RECONCILE_LOST,
    RECONCILE_MENDED,
    RECONCILE_GIVEN_UP,
    RECONCILE_UNMENDED,
    QUEUE_MESSAGES,
    QUEUE_OLDEST,
    DEAD_LETTERS,
    ENCODES_RUNNING,
    ENCODES_WAITING,
];

/// One value of a metric, in the unit of its Prometheus name.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    pub metric: &'static Metric,
    /// In the order of the metric's labels.
    pub labels: Vec<String>,
    pub value: f64,
}

#[cfg(test)]
mod tests;
