//! The body of CreateJob, and the checks that AWS answers with 400 before a job exists.
//!
//! Texts follow the API's: a JSON pointer, a colon, the rule; several joined by ` | `.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// Members of `CreateJobRequest` that are accepted and make no difference here.
const HARMLESS: [&str; 4] = [
    "billingTagsSource",
    "jobEngineVersion",
    "simulateReservedQueue",
    "tags",
];

/// Members that are read below.
const KNOWN: [&str; 10] = [
    "accelerationSettings",
    "clientRequestToken",
    "hopDestinations",
    "jobTemplate",
    "priority",
    "queue",
    "role",
    "settings",
    "statusUpdateInterval",
    "userMetadata",
];

const INTERVALS: [u32; 15] = [
    10, 12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600,
];

/// A valid `CreateJobRequest`. The members are those of the API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateJob {
    pub role: String,
    pub settings: Value,
    #[serde(default)]
    pub user_metadata: BTreeMap<String, String>,
    pub client_request_token: Option<String>,
    pub queue: Option<String>,
    #[serde(default)]
    pub priority: i32,
    pub status_update_interval: Option<String>,
    pub acceleration_settings: Option<Value>,
    pub hop_destinations: Option<Value>,
    pub billing_tags_source: Option<String>,
    pub job_template: Option<String>,
}

/// Reads and checks a body; the error is the message of a `BadRequestException`.
pub(crate) fn parse(body: &[u8]) -> Result<CreateJob, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| format!("Invalid JSON: {error}"))?;
    let members = value.as_object().ok_or("Invalid JSON: expected an object")?;
    let mut problems: Vec<String> = ["role", "settings"]
        .into_iter()
        .filter(|name| members.get(*name).is_none_or(Value::is_null))
        .map(|name| format!("/: {name} is a required property"))
        .collect();
    problems.extend(
        members
            .keys()
            .filter(|name| !KNOWN.contains(&name.as_str()) && !HARMLESS.contains(&name.as_str()))
            .map(|name| format!("/{name}: is not a property of CreateJobRequest")),
    );
    fail(&problems)?;
    let request = CreateJob::deserialize(&value).map_err(|error| format!("Invalid JSON: {error}"))?;
    problems.extend(check_members(&request));
    problems.extend(
        mediaconvert_job::validate::settings(&request.settings)
            .iter()
            .map(ToString::to_string),
    );
    fail(&problems)?;
    Ok(request)
}

fn fail(problems: &[String]) -> Result<(), String> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems.join(" | "))
    }
}

fn check_members(request: &CreateJob) -> Vec<String> {
    let mut problems = Vec::new();
    if !(-50..=50).contains(&request.priority) {
        problems.push("/priority: Should be between -50 and 50".to_owned());
    }
    if let Some(token) = &request.client_request_token
        && (token.is_empty() || token.len() > 64 || !token.is_ascii())
    {
        problems.push("/clientRequestToken: Should be 1 to 64 ASCII characters".to_owned());
    }
    if let Some(interval) = &request.status_update_interval
        && !INTERVALS
            .iter()
            .any(|seconds| *interval == format!("SECONDS_{seconds}"))
    {
        problems.push("/statusUpdateInterval: Should be equal to one of the allowed values".to_owned());
    }
    let mode = request
        .acceleration_settings
        .as_ref()
        .map(|settings| settings["mode"].as_str());
    if !matches!(mode, None | Some(Some("DISABLED" | "ENABLED" | "PREFERRED"))) {
        let allowed = r#"["DISABLED","ENABLED","PREFERRED"]"#;
        problems.push(format!(
            "/accelerationSettings/mode: Should be equal to one of the allowed values in {allowed}"
        ));
    }
    problems.extend(check_metadata(&request.user_metadata));
    problems
}

/// The limits of `userMetadata`: 10 pairs, keys of 128 and values of 256 characters, and a small alphabet.
fn check_metadata(metadata: &BTreeMap<String, String>) -> Vec<String> {
    let allowed = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c))
    };
    let mut problems = Vec::new();
    if metadata.len() > 10 {
        problems.push("/userMetadata: Should have at most 10 properties".to_owned());
    }
    for (key, value) in metadata {
        let (key_length, value_length) = (key.chars().count(), value.chars().count());
        if key_length == 0 || key_length > 128 || value_length > 256 {
            problems.push(format!(
                "/userMetadata/{key}: Keys have 1 to 128, values up to 256 characters"
            ));
        }
        if !allowed(key) || !allowed(value) {
            problems.push(format!(
                "/userMetadata/{key}: Only letters, digits, spaces and _.:/=+-@ are allowed"
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            problems.push(format!("/userMetadata/{key}: The prefix aws: is reserved"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::settings;

    fn with(change: impl FnOnce(&mut Value)) -> Result<CreateJob, String> {
        let mut body = json!({ "role": "arn:aws:iam::000000000000:role/mc", "settings": settings("s3://b/in.mp4", "s3://b/out/") });
        change(&mut body);
        parse(body.to_string().as_bytes())
    }

    #[test]
    fn a_plain_job_is_accepted() {
        let request = with(|_| ()).unwrap();
        assert_eq!((request.priority, request.queue), (0, None));
    }

    type Spoil = Box<dyn FnOnce(&mut Value)>;

    #[test]
    fn refusals_name_the_member() {
        let many: BTreeMap<String, String> = (0..11).map(|n| (format!("k{n}"), String::new())).collect();
        let table: [(Spoil, &str); 12] = [
            (
                Box::new(|b| drop(b.as_object_mut().unwrap().remove("role"))),
                "/: role is a required property",
            ),
            (
                Box::new(|b| b["settings"] = Value::Null),
                "/: settings is a required property",
            ),
            (Box::new(|b| b["Role"] = "x".into()), "/Role: is not a property"),
            (Box::new(|b| b["priority"] = 51.into()), "/priority: "),
            (
                Box::new(|b| b["clientRequestToken"] = "x".repeat(65).into()),
                "/clientRequestToken: ",
            ),
            (
                Box::new(|b| b["statusUpdateInterval"] = "SECONDS_11".into()),
                "/statusUpdateInterval: ",
            ),
            (
                Box::new(|b| b["accelerationSettings"] = json!({ "mode": "FAST" })),
                "/accelerationSettings/mode: ",
            ),
            (Box::new(move |b| b["userMetadata"] = json!(many)), "at most 10"),
            (
                Box::new(|b| b["userMetadata"] = json!({ "a": "x".repeat(257) })),
                "256",
            ),
            (
                Box::new(|b| b["userMetadata"] = json!({ "a": "a&b" })),
                "Only letters",
            ),
            (
                Box::new(|b| b["userMetadata"] = json!({ "AWS:x": "" })),
                "reserved",
            ),
            (
                Box::new(|b| b["userMetadata"] = json!({ "a": 1 })),
                "Invalid JSON",
            ),
        ];
        for (change, expected) in table {
            let error = with(change).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        assert!(parse(b"[]").unwrap_err().contains("Invalid JSON"));
        assert!(parse(b"{").unwrap_err().contains("Invalid JSON"));
    }

    #[test]
    fn problems_are_joined() {
        let error = with(|body| {
            body["priority"] = 99.into();
            body["clientRequestToken"] = "".into();
        })
        .unwrap_err();
        assert_eq!(error.split(" | ").count(), 2, "{error}");
    }
}
