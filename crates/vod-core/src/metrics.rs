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

const fn count(name: &'static str) -> CloudWatch {
    CloudWatch {
        name,
        unit: "Count",
        scale: 1.0,
    }
}

pub const JOBS_SUBMITTED: Metric = Metric {
    name: "vod_jobs_submitted_total",
    kind: Kind::Counter,
    labels: &["template"],
    cloudwatch: Some(count("JobsSubmitted")),
    help: "Jobs that MediaConvert has accepted.",
};

pub const JOBS_COMPLETED: Metric = Metric {
    name: "vod_jobs_completed_total",
    kind: Kind::Counter,
    labels: &["template"],
    cloudwatch: Some(count("JobsCompleted")),
    help: "Jobs that have succeeded.",
};

pub const JOBS_FAILED: Metric = Metric {
    name: "vod_jobs_failed_total",
    kind: Kind::Counter,
    labels: &["template", "class"],
    cloudwatch: Some(count("JobsFailed")),
    help: "Failed attempts, including those without a job; class says who can fix it.",
};

pub const JOBS_CANCELED: Metric = Metric {
    name: "vod_jobs_canceled_total",
    kind: Kind::Counter,
    labels: &["template"],
    cloudwatch: Some(count("JobsCanceled")),
    help: "Jobs that were canceled.",
};

pub const UPLOADS_IGNORED: Metric = Metric {
    name: "vod_uploads_ignored_total",
    kind: Kind::Counter,
    labels: &[],
    cloudwatch: Some(count("UploadsIgnored")),
    help: "Uploads with nothing to encode: folders, empty files, files that were removed before they were read.",
};

pub const QUEUE_AGE: Metric = Metric {
    name: "vod_queue_age_seconds",
    kind: Kind::Histogram(&[1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0]),
    labels: &[],
    cloudwatch: Some(CloudWatch {
        name: "QueueAge",
        unit: "Seconds",
        scale: 1.0,
    }),
    help: "Time from an upload to its job, for the first attempt of each template.",
};

/// MediaConvert bills each output by the second and at least 10 seconds (its pricing page); jobs that fail cost nothing.
pub const ENCODED: Metric = Metric {
    name: "vod_encoded_seconds_total",
    kind: Kind::Counter,
    labels: &["template", "resolution"],
    cloudwatch: Some(CloudWatch {
        name: "EncodeMinutes",
        unit: "None",
        scale: 60.0,
    }),
    help: "Length of all outputs as MediaConvert bills it: each rounded up to a second, at least 10 seconds. Images are not included.",
};

pub const RECONCILE_LOST: Metric = Metric {
    name: "vod_reconcile_lost_total",
    kind: Kind::Counter,
    labels: &[],
    cloudwatch: Some(count("ReconcileLost")),
    help: "Findings of reconcile: lost, stuck or forgotten uploads. Uploads that were given up are found again in each pass.",
};

pub const RECONCILE_MENDED: Metric = Metric {
    name: "vod_reconcile_mended_total",
    kind: Kind::Counter,
    labels: &[],
    cloudwatch: Some(count("ReconcileMended")),
    help: "Findings that reconcile has repaired.",
};

pub const RECONCILE_GIVEN_UP: Metric = Metric {
    name: "vod_reconcile_given_up",
    kind: Kind::Gauge,
    labels: &[],
    cloudwatch: Some(count("ReconcileGivenUp")),
    help: "Findings of the last complete pass that need manual repair.",
};

pub const RECONCILE_UNMENDED: Metric = Metric {
    name: "vod_reconcile_unmended",
    kind: Kind::Gauge,
    labels: &[],
    cloudwatch: Some(count("ReconcileUnmended")),
    help: "Findings of the last complete pass that are not repaired: given up, or left to the next pass.",
};

pub const QUEUE_MESSAGES: Metric = Metric {
    name: "vod_queue_messages",
    kind: Kind::Gauge,
    labels: &["queue", "state"],
    cloudwatch: None,
    help: "Messages that wait (visible) and messages that a function works on (in_flight).",
};

pub const QUEUE_OLDEST: Metric = Metric {
    name: "vod_queue_oldest_message_age_seconds",
    kind: Kind::Gauge,
    labels: &["queue"],
    cloudwatch: None,
    help: "Age of the oldest message of a queue; 0 when it is empty.",
};

pub const DEAD_LETTERS: Metric = Metric {
    name: "vod_dead_letters",
    kind: Kind::Gauge,
    labels: &["queue"],
    cloudwatch: None,
    help: "Messages of a queue that failed at every delivery; vod dead-letters shows them.",
};

pub const ENCODES_RUNNING: Metric = Metric {
    name: "vod_encodes_running",
    kind: Kind::Gauge,
    labels: &[],
    cloudwatch: None,
    help: "Jobs under way.",
};

pub const ENCODES_WAITING: Metric = Metric {
    name: "vod_encodes_waiting",
    kind: Kind::Gauge,
    labels: &[],
    cloudwatch: None,
    help: "Jobs that wait for their turn.",
};

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
