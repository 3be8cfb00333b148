//! A job as the API shows it, which is also how it is kept.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `JobStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    /// Waits for its turn.
    Submitted,
    /// Is being worked on.
    Progressing,
    /// Done, all outputs are in place.
    Complete,
    /// Ended by its owner.
    Canceled,
    /// Ended by a fault.
    Error,
}

impl Status {
    /// As on the wire.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
        }
    }

    /// Reads a query parameter.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [
            Self::Submitted,
            Self::Progressing,
            Self::Complete,
            Self::Canceled,
            Self::Error,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
    }

    /// Whether the job may still change.
    pub(super) fn is_active(self) -> bool {
        matches!(self, Self::Submitted | Self::Progressing)
    }
}

/// `JobPhase`, in the order in which a job goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Phase {
    /// The input is fetched and looked at.
    Probing,
    /// ffmpeg runs.
    Transcoding,
    /// Outputs go to the bucket.
    Uploading,
}

/// `Timing`, in seconds since the epoch as everywhere in the API's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct Timing {
    /// When CreateJob was called.
    pub(super) submit_time: i64,
    /// When work on it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<i64>,
    /// When it ended, however it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_time: Option<i64>,
}

/// `JobMessages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Messages {
    /// Remarks without consequence.
    pub(super) info: Vec<String>,
    /// What the owner should look at; the codes are in [`Job::warnings`].
    pub(super) warning: Vec<String>,
}

/// `WarningGroup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct WarningGroup {
    /// MediaConvert's number for the kind of warning.
    pub(super) code: u32,
    /// How often it occurred.
    pub(super) count: u32,
}

/// `Job`. Members that are only handed through stay JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names of the API")]
pub(super) struct Job {
    /// `<epoch ms>-<6 characters>`.
    pub(super) id: String,
    /// Names the job in events.
    pub(super) arn: String,
    /// Seconds since the epoch.
    pub(super) created_at: i64,
    /// Where it stands.
    pub(super) status: Status,
    /// What is being done, while something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current_phase: Option<Phase>,
    /// 0 to 100, of the whole job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) job_percent_complete: Option<u8>,
    /// How often work on it had to begin anew.
    pub(super) retry_count: u32,
    /// When what happened.
    pub(super) timing: Timing,
    /// ARN of its queue.
    pub(super) queue: String,
    /// -50 to 50, higher first.
    pub(super) priority: i32,
    /// As given.
    pub(super) role: String,
    /// As given, in wire spelling.
    pub(super) settings: Value,
    /// As given; in every event.
    pub(super) user_metadata: BTreeMap<String, String>,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_request_token: Option<String>,
    /// As given, otherwise AWS's default.
    pub(super) status_update_interval: String,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) acceleration_settings: Option<Value>,
    /// Nothing is accelerated here.
    pub(super) acceleration_status: String,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) billing_tags_source: Option<String>,
    /// As given; with one queue no job ever hops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hop_destinations: Option<Value>,
    /// Only with ERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_code: Option<u32>,
    /// Only with ERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_message: Option<String>,
    /// Texts.
    #[serde(default)]
    pub(super) messages: Messages,
    /// Codes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) warnings: Vec<WarningGroup>,
    /// Durations and sizes without paths: `GetJob` never tells paths, on AWS neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output_group_details: Option<Value>,
}

impl Job {
    /// The URL of the first input, as given.
    pub(super) fn input(&self) -> &str {
        self.settings
            .pointer("/inputs/0/fileInput")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Ends the job.
    pub(super) fn finish(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.timing.finish_time = Some(now.as_second());
        self.current_phase = None;
        if status == Status::Complete {
            self.job_percent_complete = None;
        }
    }

    /// Counts one warning and keeps its text.
    pub(super) fn warn(&mut self, code: u32, message: &str) {
        match self.warnings.iter_mut().find(|warning| warning.code == code) {
            Some(warning) => warning.count += 1,
            None => self.warnings.push(WarningGroup { code, count: 1 }),
        }
        self.messages.warning.push(message.to_owned());
    }
}
