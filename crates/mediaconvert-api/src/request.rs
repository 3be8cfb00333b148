//! The body of CreateJob, and the checks that AWS answers with 400 before a job exists.
//!
//! Texts follow the API's: a JSON pointer, a colon, the rule; several joined by ` | `.

use std::collections::BTreeMap;

use mediaconvert_job::validate;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ServiceError;

/// The most tags of a resource, and the longest keys and values in characters
/// (<https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>).
const TAGS: usize = 50;
const TAG_KEY: usize = 128;
const TAG_VALUE: usize = 256;

/// A valid `CreateJobRequest`, except for its settings. The members are those of the API.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateJob {
    pub role: String,
    pub settings: Value,
    #[serde(default)]
    pub user_metadata: BTreeMap<String, String>,
    pub client_request_token: Option<String>,
    pub queue: Option<String>,
    pub priority: Option<i32>,
    pub status_update_interval: Option<String>,
    pub acceleration_settings: Option<Value>,
    pub hop_destinations: Option<Value>,
    pub billing_tags_source: Option<String>,
    pub job_template: Option<String>,
    pub job_engine_version: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// The members of a body, checked against the API's model except for `settings`.
pub(crate) fn members(
    body: &[u8],
    shape: &str,
    required: &[&str],
) -> Result<Map<String, Value>, ServiceError> {
    let unreadable = |detail: &str| {
        ServiceError::BadRequest(format!(
            "The request could not be interpreted. Invalid JSON: {detail}"
        ))
    };
    let value = if body.is_empty() {
        Value::Object(Map::new())
    } else {
        serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?
    };
    let Value::Object(mut members) = value else {
        return Err(unreadable("expected an object"));
    };
    let absent = |name: &&&str| members.get(**name).is_none_or(Value::is_null);
    let missing = required.iter().filter(absent);
    let mut problems: Vec<String> = missing
        .map(|name| format!("/: {name} is a required property"))
        .collect();
    let settings = members.remove("settings");
    let document = Value::Object(members);
    let violations = validate::request(&document, shape);
    problems.extend(violations.iter().map(ToString::to_string));
    problems.extend(check_job_members(&document));
    problems.extend(check_tags(&document["tags"]));
    fail(&problems)?;
    let Value::Object(mut members) = document else {
        return Err(unreadable("expected an object"));
    };
    members.extend(settings.map(|settings| ("settings".to_owned(), settings)));
    Ok(members)
}

/// Reads a body and checks all of it but its settings.
pub(crate) fn parse(body: &[u8]) -> Result<CreateJob, ServiceError> {
    let mut members = members(body, "CreateJobRequest", &["role", "settings"])?;
    members.retain(|_, value| !value.is_null());
    let request: CreateJob = serde_json::from_value(Value::Object(members)).map_err(|error| {
        ServiceError::BadRequest(format!(
            "The request could not be interpreted. Invalid JSON: {error}"
        ))
    })?;
    let mut problems = Vec::new();
    if let Some(token) = &request.client_request_token
        && (token.is_empty() || token.len() > 64 || !token.is_ascii())
    {
        problems.push("/clientRequestToken: Should be 1 to 64 ASCII characters".to_owned());
    }
    if let Some(version) = &request.job_engine_version
        && !is_date(version)
    {
        problems.push("/jobEngineVersion: Should be a date in the form YYYY-MM-DD".to_owned());
    }
    problems.extend(check_metadata(&request.user_metadata));
    fail(&problems)?;
    Ok(request)
}

/// Joins violations as AWS does.
pub(crate) fn accept(violations: &[validate::Violation]) -> Result<(), ServiceError> {
    fail(&violations.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn fail(problems: &[String]) -> Result<(), ServiceError> {
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ServiceError::BadRequest(problems.join(" | ")))
    }
}

/// Rules on members that jobs and job templates have in common.
fn check_job_members(document: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    if document["accelerationSettings"].is_object() && document["accelerationSettings"]["mode"].is_null() {
        problems.push("/accelerationSettings: mode is a required property".to_owned());
    }
    let hops = document["hopDestinations"].as_array().into_iter().flatten();
    for (index, hop) in hops.enumerate() {
        let path = format!("/hopDestinations/{index}");
        match hop["waitMinutes"].as_i64() {
            None => problems.push(format!("{path}: waitMinutes is a required property")),
            Some(..1) => problems.push(format!(
                "{path}/waitMinutes: Should be greater than or equal to 1"
            )),
            Some(4321..) => problems.push(format!(
                "{path}/waitMinutes: Should be less than or equal to 4320"
            )),
            Some(_) => {}
        }
    }
    problems
}

/// The limits of tags. Null and other types are the model's to refuse.
fn check_tags(tags: &Value) -> Vec<String> {
    let Some(tags) = tags.as_object() else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    if tags.len() > TAGS {
        problems.push(format!("/tags: Should have at most {TAGS} properties"));
    }
    for (key, value) in tags {
        let (key_length, value_length) = (
            key.chars().count(),
            value.as_str().unwrap_or_default().chars().count(),
        );
        if !(1..=TAG_KEY).contains(&key_length) || value_length > TAG_VALUE {
            problems.push(format!(
                "/tags/{key}: Keys have 1 to {TAG_KEY}, values up to {TAG_VALUE} characters"
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            problems.push(format!("/tags/{key}: The prefix aws: is reserved"));
        }
    }
    problems
}

/// Whether there would be too many tags with some more.
pub(crate) fn check_tag_count(count: usize) -> Result<(), ServiceError> {
    if count > TAGS {
        fail(&[format!("/tags: Should have at most {TAGS} properties")])
    } else {
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let is_part =
        |part: &str, length: usize| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts[..], [year, month, day] if is_part(year, 4) && is_part(month, 2) && is_part(day, 2))
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

    fn message(error: ServiceError) -> String {
        match error {
            ServiceError::BadRequest(message) => message,
            other => panic!("{other:?}"),
        }
    }

    fn with(change: impl FnOnce(&mut Value)) -> Result<CreateJob, String> {
        let mut body = json!({ "role": "arn:aws:iam::000000000000:role/mc", "settings": settings("s3://b/in.mp4", "s3://b/out/") });
        change(&mut body);
        parse(body.to_string().as_bytes()).map_err(message)
    }

    #[test]
    fn a_plain_job_is_accepted() {
        let request = with(|_| ()).unwrap();
        assert_eq!((request.priority, request.queue), (None, None));
    }

    type Spoil = Box<dyn FnOnce(&mut Value)>;

    #[test]
    fn refusals_name_the_member() {
        let many: BTreeMap<String, String> = (0..11).map(|n| (format!("k{n}"), String::new())).collect();
        let table: [(Spoil, &str); 16] = [
            (
                Box::new(|b| drop(b.as_object_mut().unwrap().remove("role"))),
                "/: role is a required property",
            ),
            (
                Box::new(|b| b["settings"] = Value::Null),
                "/: settings is a required property",
            ),
            (Box::new(|b| b["Role"] = "x".into()), "/Role: Is not a property"),
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
                "/userMetadata/a: Should be string",
            ),
            (
                Box::new(|b| b["tags"] = json!({ "aws:x": "" })),
                "/tags/aws:x: The prefix",
            ),
            (
                Box::new(|b| b["hopDestinations"] = json!([{ "waitMinutes": 4321 }])),
                "/hopDestinations/0/waitMinutes: Should be less than or equal to 4320",
            ),
            (
                Box::new(|b| b["accelerationSettings"] = json!({})),
                "/accelerationSettings: mode is a required property",
            ),
            (
                Box::new(|b| b["jobEngineVersion"] = "latest".into()),
                "/jobEngineVersion: ",
            ),
        ];
        for (change, expected) in table {
            let error = with(change).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for body in [&b"[]"[..], b"{"] {
            assert!(message(parse(body).unwrap_err()).starts_with("The request could not be interpreted."));
        }
    }

    #[test]
    fn problems_are_joined() {
        let error = with(|body| {
            body["priority"] = 99.into();
            body["statusUpdateInterval"] = "OFTEN".into();
        })
        .unwrap_err();
        assert_eq!(error.split(" | ").count(), 2, "{error}");
    }
}
