//! A job template as people keep it: a bare `Settings` object or a whole create-job document, in either
//! spelling, as a file of unknown origin.

use serde_json::{Map, Value};
use thiserror::Error;

use crate::overlay;
use crate::wire::to_wire;

/// Largest template that is read, in bytes. The console's longest exports are about 40 KB.
pub const MAX_BYTES: usize = 1 << 20;

/// Deepest nesting that is read. The deepest path of the API's own model has 14 levels.
pub const MAX_DEPTH: usize = 40;

/// Members of a create-job document that the pipeline fills in itself, and members which only describe a
/// template in an export. They are dropped.
const OURS: [&str; 11] = [
    "role",
    "userMetadata",
    "clientRequestToken",
    "billingTagsSource",
    "simulateReservedQueue",
    "name",
    "description",
    "category",
    "arn",
    "createdAt",
    "lastUpdated",
];

/// The parts of a job that a template contributes, in the wire's spelling.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// `settings`: has at least one output group, unless there is a job template, and at most one input.
    pub settings: Value,
    /// `jobTemplate`, a name or an ARN. Its settings are not in this document; see [`Template::over_job_template`].
    pub job_template: Option<String>,
    /// `accelerationSettings`.
    pub acceleration_settings: Option<Value>,
    /// `priority`, −50 to 50 on AWS.
    pub priority: Option<Value>,
    /// `queue`, a name or an ARN.
    pub queue: Option<Value>,
    /// `statusUpdateInterval`, for example `SECONDS_10`.
    pub status_update_interval: Option<Value>,
}

/// A reason why a file is not a template. Paths are JSON pointers in the wire's spelling.
#[derive(Debug, Error)]
pub enum TemplateError {
    #[error("the template has {0} bytes, more than {MAX_BYTES}")]
    TooLarge(usize),
    #[error("the template is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("the template is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("{path}: {problem}")]
    NotAJob { path: String, problem: String },
}

impl Template {
    /// Reads a template file.
    ///
    /// A byte order mark is skipped, because some Windows editors write one. A member that would have to be
    /// dropped and that says something is refused, never ignored.
    pub fn parse(bytes: &[u8]) -> Result<Self, TemplateError> {
        if bytes.len() > MAX_BYTES {
            return Err(TemplateError::TooLarge(bytes.len()));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        // serde_json stops at 128 levels by itself, so measuring and rewriting cannot exhaust the stack.
        let document: Value = serde_json::from_slice(bytes)?;
        if depth(&document) > MAX_DEPTH {
            return Err(TemplateError::TooDeep);
        }
        match to_wire(document) {
            Value::Object(members) if members.contains_key("settings") => whole_document(members),
            Value::Object(members) => bare_settings(members),
            other => Err(invalid(
                "",
                format!("a job is a JSON object, not {}", kind(&other)),
            )),
        }
    }
}

impl Template {
    /// Applies the job template that the document names, as `GetJobTemplate` returns it. Members of the document count.
    pub fn over_job_template(self, job_template: &Value) -> Result<Self, TemplateError> {
        if says_something(&job_template["hopDestinations"]) {
            return Err(invalid("/hopDestinations", UNSUPPORTED));
        }
        let given = |member: &str| Some(job_template[member].clone()).filter(|value| !value.is_null());
        let settings = overlay::job_over_template(&job_template["settings"], &self.settings);
        let Value::Object(settings) = settings else {
            return Err(invalid("/settings", "must be a JSON object"));
        };
        Ok(Self {
            acceleration_settings: self
                .acceleration_settings
                .or_else(|| given("accelerationSettings")),
            priority: self.priority.or_else(|| given("priority")),
            queue: self.queue.or_else(|| given("queue")),
            status_update_interval: self
                .status_update_interval
                .or_else(|| given("statusUpdateInterval")),
            ..bare_settings(settings)?
        })
    }
}

const UNSUPPORTED: &str = "the pipeline does not support this member; remove it";

fn whole_document(mut members: Map<String, Value>) -> Result<Template, TemplateError> {
    let settings = match members.remove("settings") {
        Some(Value::Object(settings)) => settings,
        other => {
            let kind = other.as_ref().map_or("nothing", kind);
            return Err(invalid("/settings", format!("must be a JSON object, not {kind}")));
        }
    };
    let mut take = |name: &str| members.remove(name).filter(|value| !value.is_null());
    let job_template = match take("jobTemplate") {
        None => None,
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(other) => {
            return Err(invalid(
                "/jobTemplate",
                format!("must be a name or an ARN, not {}", kind(&other)),
            ));
        }
    };
    let settings = match &job_template {
        Some(_) => some_settings(settings)?,
        None => bare_settings(settings)?,
    };
    let template = Template {
        job_template,
        acceleration_settings: take("accelerationSettings"),
        priority: take("priority"),
        queue: take("queue"),
        status_update_interval: take("statusUpdateInterval"),
        ..settings
    };
    match members
        .iter()
        .find(|(name, value)| !OURS.contains(&name.as_str()) && says_something(value))
    {
        Some((name, _)) => Err(invalid(&format!("/{name}"), UNSUPPORTED)),
        None => Ok(template),
    }
}

/// Settings that are complete.
fn bare_settings(settings: Map<String, Value>) -> Result<Template, TemplateError> {
    match settings.get("outputGroups") {
        Some(Value::Array(groups)) if groups.is_empty() => {
            return Err(invalid("/outputGroups", "a job needs at least one output group"));
        }
        Some(_) => {}
        None => {
            return Err(invalid(
                "/outputGroups",
                "is a required property; this is not a MediaConvert job",
            ));
        }
    }
    some_settings(settings)
}

/// Settings of which a job template may have the rest.
fn some_settings(settings: Map<String, Value>) -> Result<Template, TemplateError> {
    if let Some(other) = settings.get("outputGroups").filter(|groups| !groups.is_array()) {
        return Err(invalid(
            "/outputGroups",
            format!("must be an array, not {}", kind(other)),
        ));
    }
    match settings.get("inputs") {
        None | Some(Value::Null) => {}
        Some(Value::Array(inputs)) if inputs.len() > 1 => {
            return Err(invalid(
                "/inputs/1",
                "the upload is the only input; further inputs are refused",
            ));
        }
        Some(Value::Array(inputs)) => match inputs.first() {
            Some(input) if !input.is_object() => {
                return Err(invalid(
                    "/inputs/0",
                    format!("must be a JSON object, not {}", kind(input)),
                ));
            }
            _ => {}
        },
        Some(other) => {
            return Err(invalid(
                "/inputs",
                format!("must be an array, not {}", kind(other)),
            ));
        }
    }
    Ok(Template {
        settings: Value::Object(settings),
        job_template: None,
        acceleration_settings: None,
        priority: None,
        queue: None,
        status_update_interval: None,
    })
}

/// Whether leaving a member out would change the job: the console also exports empty lists and nulls.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn invalid(path: &str, problem: impl Into<String>) -> TemplateError {
    let path = if path.is_empty() { "/" } else { path };
    TemplateError::NotAJob {
        path: path.to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(document: &Value) -> Result<Template, TemplateError> {
        Template::parse(document.to_string().as_bytes())
    }

    #[test]
    fn bare_and_whole_documents_in_both_spellings_are_one_template() {
        let settings = json!({"outputGroups": [{"name": "g"}]});
        for document in [
            json!({"OutputGroups": [{"Name": "g"}]}),
            json!({"outputGroups": [{"name": "g"}]}),
            json!({"Settings": {"OutputGroups": [{"Name": "g"}]}, "Role": "arn:…", "HopDestinations": [], "UserMetadata": {"A": "b"}}),
            json!({"settings": {"outputGroups": [{"name": "g"}]}, "queue": null}),
        ] {
            let template = parse(&document).expect("is a template");
            assert_eq!(template.settings, settings, "{document}");
            assert_eq!(template.queue, None);
        }
    }

    #[test]
    fn a_decimal_is_the_nearest_double() {
        for text in [
            "29.97",
            "3.3333333333333335",
            "0.30000000000000004",
            "1.8446744073709553e+44",
        ] {
            let document = format!(r#"{{"OutputGroups":[{{"Number":{text}}}]}}"#);
            let template = Template::parse(document.as_bytes()).expect("is a template");
            let number = template.settings["outputGroups"][0]["number"].as_f64();
            assert_eq!(
                number.map(f64::to_bits),
                text.parse().ok().map(f64::to_bits),
                "{text}"
            );
        }
    }

    #[test]
    fn a_byte_order_mark_is_skipped() {
        assert!(Template::parse(b"\xef\xbb\xbf{\"OutputGroups\":[{}]}").is_ok());
    }

    #[test]
    fn job_members_of_a_document_are_kept() {
        let template = parse(
            &json!({"Settings": {"OutputGroups": [{}]}, "Priority": 3, "Queue": "q",
            "AccelerationSettings": {"Mode": "DISABLED"}, "StatusUpdateInterval": "SECONDS_10"}),
        )
        .expect("is a template");
        assert_eq!(template.priority, Some(json!(3)));
        assert_eq!(template.queue, Some(json!("q")));
        assert_eq!(template.acceleration_settings, Some(json!({"mode": "DISABLED"})));
        assert_eq!(template.status_update_interval, Some(json!("SECONDS_10")));
    }

    #[test]
    fn a_document_may_take_the_rest_from_a_job_template() {
        let template = parse(
            &json!({"JobTemplate": "hd", "Priority": 3, "Settings": {"Inputs": [{"FilterStrength": 1}]}}),
        )
        .expect("is a template");
        assert_eq!(template.job_template.as_deref(), Some("hd"));
        let whole = |settings: Value| json!({"settings": settings, "priority": 1, "queue": "q"});
        let groups = json!([{"name": "g"}]);
        let over = template
            .clone()
            .over_job_template(&whole(json!({"outputGroups": groups})))
            .expect("is a job");
        assert_eq!(
            (over.job_template, over.priority, over.queue),
            (None, Some(json!(3)), Some(json!("q")))
        );
        assert_eq!(
            over.settings,
            json!({"inputs": [{"filterStrength": 1}], "outputGroups": groups})
        );
        for (document, path) in [
            (whole(json!({})), "/outputGroups"),
            (whole(json!({"outputGroups": groups, "inputs": [{}, {}]})), ""),
            (
                json!({"settings": {"outputGroups": groups}, "hopDestinations": [{"waitMinutes": 1}]}),
                "/hopDestinations",
            ),
        ] {
            let result = template.clone().over_job_template(&document);
            match result {
                Ok(_) => assert_eq!(path, "", "{document}"),
                Err(error) => assert!(error.to_string().starts_with(path), "{error}"),
            }
        }
    }

    #[test]
    fn a_template_that_is_not_a_job_is_refused_with_its_path() {
        let deep = (0..60).fold(json!([]), |inner, _| json!([inner]));
        for (document, message) in [
            (json!([1]), "/: a job is a JSON object, not an array"),
            (
                json!({}),
                "/outputGroups: is a required property; this is not a MediaConvert job",
            ),
            (
                json!({"OutputGroups": []}),
                "/outputGroups: a job needs at least one output group",
            ),
            (
                json!({"OutputGroups": {}}),
                "/outputGroups: must be an array, not an object",
            ),
            (
                json!({"Settings": 1}),
                "/settings: must be a JSON object, not a number",
            ),
            (
                json!({"OutputGroups": [{}], "Inputs": [{}, {}]}),
                "/inputs/1: the upload is the only input; further inputs are refused",
            ),
            (
                json!({"OutputGroups": [{}], "Inputs": ["x"]}),
                "/inputs/0: must be a JSON object, not a string",
            ),
            (
                json!({"Settings": {"OutputGroups": [{}]}, "HopDestinations": [{"WaitMinutes": 1}]}),
                "/hopDestinations: the pipeline does not support this member; remove it",
            ),
            (
                json!({"OutputGroups": [{}], "X": deep}),
                "the template is nested deeper than 40 levels",
            ),
        ] {
            assert_eq!(
                parse(&document).expect_err("is refused").to_string(),
                message,
                "{document}"
            );
        }
    }

    #[test]
    fn invalid_json_is_refused() {
        let error = Template::parse(b"{\"OutputGroups\": [")
            .expect_err("is refused")
            .to_string();
        assert!(error.starts_with("the template is not JSON: EOF"), "{error}");
        let nested = "[".repeat(5000);
        assert!(matches!(
            Template::parse(nested.as_bytes()),
            Err(TemplateError::NotJson(_))
        ));
        let large = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(Template::parse(&large), Err(TemplateError::TooLarge(_))));
    }
}
