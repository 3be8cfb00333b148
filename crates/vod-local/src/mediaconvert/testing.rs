//! Jobs for tests.

pub(super) mod world;

use serde_json::{Value, json};

use super::job::{Job, Status};
use super::request::CreateJob;

/// Settings as the API accepts them: one small MP4 of an input.
pub(super) fn settings(input: &str, destination: &str) -> Value {
    json!({
        "inputs": [{
            "fileInput": input,
            "audioSelectors": { "Audio Selector 1": { "defaultSelection": "DEFAULT" } },
            "videoSelector": { "rotate": "AUTO" },
            "timecodeSource": "ZEROBASED",
        }],
        "outputGroups": [{
            "name": "File Group",
            "outputGroupSettings": {
                "type": "FILE_GROUP_SETTINGS",
                "fileGroupSettings": { "destination": destination },
            },
            "outputs": [{
                "containerSettings": { "container": "MP4", "mp4Settings": { "moovPlacement": "PROGRESSIVE_DOWNLOAD" } },
                "videoDescription": {
                    "width": 320,
                    "height": 180,
                    "codecSettings": {
                        "codec": "H_264",
                        "h264Settings": {
                            "rateControlMode": "QVBR",
                            "maxBitrate": 500_000,
                            "gopSize": 2,
                            "gopSizeUnits": "SECONDS",
                        },
                    },
                },
            }],
        }],
    })
}

/// A checked request.
pub(super) fn request(input: &str, token: Option<&str>, priority: i32) -> CreateJob {
    CreateJob {
        role: "arn:aws:iam::000000000000:role/mc".to_owned(),
        settings: settings(input, "s3://b/out/"),
        user_metadata: [("asset".to_owned(), "a-1-2".to_owned())].into(),
        client_request_token: token.map(str::to_owned),
        queue: None,
        priority,
        status_update_interval: None,
        acceleration_settings: None,
        hop_destinations: None,
        billing_tags_source: None,
        job_template: None,
    }
}

/// A job as it is stored.
pub(super) fn job() -> Job {
    let id = "1625859001514-vvqfwj";
    let value = json!({
        "id": id,
        "arn": format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}"),
        "createdAt": 1_625_859_001,
        "status": Status::Progressing,
        "retryCount": 0,
        "timing": { "submitTime": 1_625_859_001 },
        "queue": "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default",
        "priority": 0,
        "role": "role",
        "settings": settings("s3://b/in.mp4", "s3://b/out/"),
        "userMetadata": { "application": "vod", "asset": "a-1-2", "attempt": "1", "template": "default" },
        "statusUpdateInterval": "SECONDS_60",
        "accelerationStatus": "NOT_APPLICABLE",
    });
    serde_json::from_value(value).unwrap()
}

/// Wire spelling to the console's: the names of members, not the keys of maps.
pub(super) fn upper(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let spell = |name: &str| match name {
                map_key if map_key.contains(' ') => map_key.to_owned(),
                member => member[..1].to_uppercase() + &member[1..],
            };
            members
                .iter()
                .map(|(name, value)| (spell(name), upper(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(upper).collect(),
        other => other.clone(),
    }
}
