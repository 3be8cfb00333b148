//! A job as the API shows it and as stores keep it, and the changes that it goes through.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{CreateJob, Event, Identity};

/// `JobStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// Waiting in its queue.
    Submitted,
    /// Being worked on.
    Progressing,
    /// Done: all outputs are in place.
    Complete,
    /// Ended by `CancelJob`.
    Canceled,
    /// Failed.
    Error,
}

impl Status {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Progressing => "PROGRESSING",
            Self::Complete => "COMPLETE",
            Self::Canceled => "CANCELED",
            Self::Error => "ERROR",
        }
    }

    /// Reads a query parameter.
    pub fn parse(text: &str) -> Option<Self> {
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
    pub fn is_active(self) -> bool {
        matches!(self, Self::Submitted | Self::Progressing)
    }
}

/// `JobPhase`, in the order in which a job goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Phase {
    /// The input is fetched and analyzed.
    Probing,
    /// The outputs are encoded.
    Transcoding,
    /// The outputs are written to the bucket.
    Uploading,
}

impl Phase {
    /// Percent of the whole job when this phase is at `percent`: probing takes 5, transcoding 85, uploading 10.
    pub fn percent_of_job(self, percent: u8) -> u8 {
        let percent = u16::from(percent.min(100));
        let overall = match self {
            Self::Probing => percent * 5 / 100,
            Self::Transcoding => 5 + percent * 85 / 100,
            Self::Uploading => 90 + percent * 10 / 100,
        };
        u8::try_from(overall).unwrap_or(100)
    }
}

/// `Timing`, in seconds since the epoch as everywhere in the API's answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timing {
    /// When CreateJob was called.
    pub submit_time: i64,
    /// When work on it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<i64>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<i64>,
}

/// `JobMessages`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Messages {
    /// Remarks.
    pub info: Vec<String>,
    /// Warnings; their codes are in [`Job::warnings`].
    pub warning: Vec<String>,
}

/// `WarningGroup`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WarningGroup {
    /// MediaConvert's number for the kind of warning.
    pub code: u32,
    /// How often it occurred.
    pub count: u32,
}

/// The version of the engine in the API's form, `YYYY-MM-DD`. There is one, and it never expires.
pub const ENGINE_VERSION: &str = "2026-11-01";

/// The code of the warning that an output is made by the stand-in of a system preset.
pub const WARN_STAND_IN: u32 = 900_050;

fn engine_version() -> String {
    ENGINE_VERSION.to_owned()
}

/// `Job`. Members that are only passed through stay JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// `<epoch ms>-<6 characters>`.
    pub id: String,
    /// Names the job in events.
    pub arn: String,
    /// Seconds since the epoch.
    pub created_at: i64,
    /// Its state.
    pub status: Status,
    /// The current phase, while the job is PROGRESSING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_phase: Option<Phase>,
    /// 0 to 100, of the whole job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_percent_complete: Option<u8>,
    /// How often work on it was restarted.
    pub retry_count: u32,
    /// Times of its changes.
    pub timing: Timing,
    /// ARN of its queue.
    pub queue: String,
    /// -50 to 50, higher first.
    pub priority: i32,
    /// As given.
    pub role: String,
    /// As given, in wire spelling, with the job template and presets applied.
    pub settings: Value,
    /// As given; part of every event.
    pub user_metadata: BTreeMap<String, String>,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_request_token: Option<String>,
    /// As given, or AWS's default.
    pub status_update_interval: String,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acceleration_settings: Option<Value>,
    /// `NOT_APPLICABLE`: no job is accelerated.
    pub acceleration_status: String,
    /// As given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing_tags_source: Option<String>,
    /// As given; no job moves to another queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hop_destinations: Option<Value>,
    /// ARN of the job template that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_template: Option<String>,
    /// As given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_engine_version_requested: Option<String>,
    /// The one version that there is.
    #[serde(default = "engine_version")]
    pub job_engine_version_used: String,
    /// Only with ERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<u32>,
    /// Only with ERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Texts of remarks and warnings.
    #[serde(default)]
    pub messages: Messages,
    /// Codes of warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<WarningGroup>,
    /// Durations and sizes without paths: AWS's `GetJob` returns no paths either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_group_details: Option<Value>,
}

impl Job {
    /// A new job of a valid request, SUBMITTED at `now`.
    pub fn new(request: CreateJob, queue: String, identity: &Identity, now: Timestamp) -> Self {
        let id = format!("{}-{}", now.as_millisecond(), vod_ids::letters(6));
        Self {
            arn: identity.arn("jobs", &id),
            id,
            created_at: now.as_second(),
            status: Status::Submitted,
            current_phase: None,
            job_percent_complete: None,
            retry_count: 0,
            timing: Timing {
                submit_time: now.as_second(),
                ..Timing::default()
            },
            queue,
            priority: request.priority.unwrap_or_default(),
            role: request.role,
            settings: request.settings,
            user_metadata: request.user_metadata,
            client_request_token: request.client_request_token,
            status_update_interval: request
                .status_update_interval
                .unwrap_or_else(|| "SECONDS_60".to_owned()),
            acceleration_settings: Some(
                request
                    .acceleration_settings
                    .unwrap_or_else(|| json!({ "mode": "DISABLED" })),
            ),
            acceleration_status: "NOT_APPLICABLE".to_owned(),
            billing_tags_source: request.billing_tags_source,
            hop_destinations: request.hop_destinations,
            job_template: request.job_template,
            job_engine_version_requested: request.job_engine_version,
            job_engine_version_used: engine_version(),
            error_code: None,
            error_message: None,
            messages: Messages::default(),
            warnings: Vec::new(),
            output_group_details: None,
        }
    }

    /// The URL of the first input, as given.
    pub fn input(&self) -> &str {
        self.settings
            .pointer("/inputs/0/fileInput")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The URLs of all inputs, as given.
    pub fn inputs(&self) -> Vec<&str> {
        let inputs = self.settings["inputs"].as_array().into_iter().flatten();
        inputs
            .map(|input| input["fileInput"].as_str().unwrap_or_default())
            .collect()
    }

    /// Work on the job starts.
    pub fn start(&mut self, now: Timestamp) -> Event {
        self.status = Status::Progressing;
        self.current_phase = Some(Phase::Probing);
        self.job_percent_complete = Some(0);
        self.timing.start_time = Some(now.as_second());
        Event::Progressing
    }

    /// A phase starts.
    pub fn enter(&mut self, phase: Phase) {
        self.current_phase = Some(phase);
        self.job_percent_complete = Some(phase.percent_of_job(0));
    }

    /// A phase has advanced to `percent`. `frames` is the number of frames decoded so far, where the engine counts them.
    pub fn advance(&mut self, phase: Phase, percent: u8, frames: Option<u64>) -> Event {
        self.job_percent_complete = Some(phase.percent_of_job(percent));
        Event::StatusUpdate {
            phase,
            percent,
            frames,
        }
    }

    /// Counts one warning and keeps its text.
    pub fn warn(&mut self, code: u32, message: &str) -> Event {
        match self.warnings.iter_mut().find(|warning| warning.code == code) {
            Some(warning) => warning.count += 1,
            None => self.warnings.push(WarningGroup { code, count: 1 }),
        }
        self.messages.warning.push(message.to_owned());
        Event::NewWarning {
            code,
            message: message.to_owned(),
        }
    }

    /// Work was interrupted: the job is SUBMITTED again, and the restart is counted.
    pub fn requeue(&mut self) {
        self.status = Status::Submitted;
        self.retry_count += 1;
        self.current_phase = None;
        self.job_percent_complete = None;
    }

    /// All outputs are in place. `groups` is `outputGroupDetails` with paths.
    pub fn complete(&mut self, groups: Value, now: Timestamp) -> Event {
        self.finish(Status::Complete, now);
        self.job_percent_complete = None;
        self.output_group_details = Some(without_paths(&groups));
        Event::Complete(groups)
    }

    /// The job failed, with one of MediaConvert's error codes.
    pub fn fail(&mut self, code: u32, message: String, now: Timestamp) -> Event {
        self.finish(Status::Error, now);
        self.error_code = Some(code);
        self.error_message = Some(message);
        Event::Error
    }

    /// The job was canceled.
    pub fn cancel(&mut self, now: Timestamp) -> Event {
        self.finish(Status::Canceled, now);
        Event::Canceled
    }

    fn finish(&mut self, status: Status, now: Timestamp) {
        self.status = status;
        self.timing.finish_time = Some(now.as_second());
        self.current_phase = None;
    }
}

/// `outputGroupDetails` as `GetJob` returns them.
fn without_paths(groups: &Value) -> Value {
    let mut groups = groups.clone();
    for group in groups
        .as_array_mut()
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
    {
        group.remove("playlistFilePaths");
        group.remove("type");
        let outputs = group.get_mut("outputDetails").and_then(Value::as_array_mut);
        for output in outputs.into_iter().flatten().filter_map(Value::as_object_mut) {
            output.remove("outputFilePaths");
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn getjob_returns_no_paths() {
        let groups = json!([{
            "outputDetails": [{ "outputFilePaths": ["s3://b/o.m3u8"], "durationInMs": 1, "videoDetails": { "widthInPx": 2 } }],
            "playlistFilePaths": ["s3://b/m.m3u8"],
            "type": "HLS_GROUP",
        }]);
        let shown = json!([{ "outputDetails": [{ "durationInMs": 1, "videoDetails": { "widthInPx": 2 } }] }]);
        assert_eq!(without_paths(&groups), shown);
    }

    #[test]
    fn progress_over_the_phases_never_falls() {
        let phases = [Phase::Probing, Phase::Transcoding, Phase::Uploading];
        let all: Vec<u8> = phases
            .into_iter()
            .flat_map(|phase| (0..=100).map(move |percent| phase.percent_of_job(percent)))
            .collect();
        assert!(all.is_sorted());
        assert_eq!((all.first(), all.last()), (Some(&0), Some(&100)));
        assert_eq!(Phase::Transcoding.percent_of_job(2), 6);
    }
}
