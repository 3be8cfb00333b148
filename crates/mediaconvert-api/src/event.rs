//! `MediaConvert Job State Change` events, member by member as EventBridge delivers them
//! (<https://docs.aws.amazon.com/mediaconvert/latest/ug/mediaconvert_event_list.html>).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::{Identity, Job, Phase};

/// An event about `job` with the members that its status adds to `detail`.
fn envelope(job: &Job, identity: &Identity, status: &str, now: Timestamp, members: Value) -> Value {
    let mut detail = json!({
        "timestamp": now.as_millisecond(),
        "accountId": *identity.account,
        "queue": job.queue,
        "jobId": job.id,
        "status": status,
        "userMetadata": job.user_metadata,
    });
    if let (Value::Object(detail), Value::Object(members)) = (&mut detail, members) {
        detail.extend(members);
    }
    json!({
        "version": "0",
        "id": vod_ids::uuid(),
        "detail-type": "MediaConvert Job State Change",
        "source": *identity.source,
        "account": *identity.account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": *identity.region,
        "resources": [job.arn],
        "detail": detail,
    })
}

/// A change of a job that EventBridge reports.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Work has started.
    Progressing,
    /// The input has been analyzed: `inputDetails`.
    InputInformation(Value),
    /// Progress.
    StatusUpdate {
        /// The current phase.
        phase: Phase,
        /// 0 to 100, of that phase.
        percent: u8,
        /// Frames decoded so far, where the engine knows.
        frames: Option<u64>,
    },
    /// A warning.
    NewWarning {
        /// MediaConvert's warning code.
        code: u32,
        /// Its text.
        message: String,
    },
    /// All outputs are in place: `outputGroupDetails` with paths.
    Complete(Value),
    /// The job failed; code and message are the job's.
    Error,
    /// `CancelJob` ended it.
    Canceled,
}

impl Event {
    /// The event as EventBridge would deliver it. `job` is the job after the change.
    pub fn to_json(&self, job: &Job, identity: &Identity, now: Timestamp) -> Value {
        let (status, members) = match self {
            Self::Progressing => ("PROGRESSING", json!({})),
            Self::InputInformation(details) => ("INPUT_INFORMATION", json!({ "inputDetails": details })),
            Self::StatusUpdate {
                phase,
                percent,
                frames,
            } => ("STATUS_UPDATE", status_update(job, *phase, *percent, *frames)),
            // A string here and a number in COMPLETE: AWS's inconsistency, not ours.
            Self::NewWarning { code, message } => (
                "NEW_WARNING",
                json!({ "warningCode": code.to_string(), "warningMessage": message }),
            ),
            Self::Complete(groups) => ("COMPLETE", complete(job, groups)),
            Self::Error => (
                "ERROR",
                json!({ "errorCode": job.error_code, "errorMessage": job.error_message }),
            ),
            Self::Canceled => ("CANCELED", json!({})),
        };
        envelope(job, identity, status, now, members)
    }
}

fn status_update(job: &Job, current: Phase, percent: u8, frames: Option<u64>) -> Value {
    let phases = [
        ("PROBING", Phase::Probing),
        ("TRANSCODING", Phase::Transcoding),
        ("UPLOADING", Phase::Uploading),
    ];
    let progress: Map<String, Value> = phases
        .into_iter()
        .map(|(name, phase)| {
            let (status, percent) = match phase.cmp(&current) {
                std::cmp::Ordering::Less => ("COMPLETE", 100),
                std::cmp::Ordering::Equal => ("PROGRESSING", percent),
                std::cmp::Ordering::Greater => ("PENDING", 0),
            };
            (
                name.to_owned(),
                json!({ "status": status, "percentComplete": percent }),
            )
        })
        .collect();
    let mut members = json!({ "jobProgress": {
        "phaseProgress": progress,
        "jobPercentComplete": job.job_percent_complete.unwrap_or_default(),
        "currentPhase": current,
        "retryCount": job.retry_count,
    }});
    if let Some(frames) = frames {
        members["framesDecoded"] = frames.into();
    }
    members
}

fn complete(job: &Job, groups: &Value) -> Value {
    let mut members = json!({ "outputGroupDetails": groups });
    if !job.warnings.is_empty() {
        members["warnings"] = json!(job.warnings);
    }
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{identity, job};

    fn snapshot(name: &str, event: &Event, job: &Job) {
        let now: Timestamp = "2026-07-09T18:18:56.495Z".parse().unwrap();
        let mut json = event.to_json(job, &identity(), now);
        assert_eq!(json["id"].as_str().unwrap().len(), 36);
        json["id"] = "[uuid]".into();
        insta::assert_json_snapshot!(name, json);
    }

    #[test]
    fn progressing() {
        snapshot("progressing", &Event::Progressing, &job());
    }

    #[test]
    fn status_update() {
        let mut job = job();
        job.job_percent_complete = Some(7);
        let event = Event::StatusUpdate {
            phase: Phase::Transcoding,
            percent: 2,
            frames: Some(353),
        };
        snapshot("status_update", &event, &job);
    }

    #[test]
    fn input_information() {
        let details = json!([{ "id": 1, "uri": "s3://b/in.mp4", "audio": [], "video": [] }]);
        snapshot("input_information", &Event::InputInformation(details), &job());
    }

    #[test]
    fn new_warning() {
        let event = Event::NewWarning {
            code: 230_004,
            message: "converted to 8 bit".to_owned(),
        };
        snapshot("new_warning", &event, &job());
    }

    #[test]
    fn complete() {
        let mut job = job();
        job.warn(240_000, "one");
        job.warn(240_000, "two");
        let groups = json!([{ "outputDetails": [{ "durationInMs": 7000 }], "type": "HLS_GROUP" }]);
        snapshot("complete", &Event::Complete(groups), &job);
    }

    #[test]
    fn error() {
        let mut job = job();
        job.error_code = Some(1010);
        job.error_message = Some("Unable to open input file [s3://b/in.mp4]".to_owned());
        snapshot("error", &Event::Error, &job);
    }

    #[test]
    fn canceled() {
        snapshot("canceled", &Event::Canceled, &job());
    }
}
