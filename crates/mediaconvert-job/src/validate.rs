//! Validates settings as `CreateJob`, `CreateJobTemplate` and `CreatePreset` do before they accept them.
//!
//! There are four stages, in the order in which real jobs met them: names, types, ranges and enumerations of the whole API
//! (`schema`); members that are required or exclude each other (`structure`); rate control and audio bitrates (`rates`,
//! `audio`); limits of codec levels (`levels`). The first stage reports all its findings, each later one only its first. So
//! do the logs of real jobs.
//!
//! Messages are those of the API, seen with real jobs: a JSON pointer into the settings, a colon, the rule.
//! A job that the API accepts is accepted here, even if the local engine does not support it.

mod audio;
mod containers;
mod levels;
mod places;
mod rates;
mod schema;
mod structure;

use std::fmt;

use serde_json::Value;

use self::places::Output;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the settings.
    pub path: String,
    pub message: String,
}

impl Violation {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        let path = path.into();
        Self {
            path: if path.is_empty() { "/".to_owned() } else { path },
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Violations that the API reports together.
type Finding = Vec<Violation>;

/// A kind of settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Document {
    Job,
    Template,
    Preset,
}

impl Document {
    fn shape(self) -> &'static str {
        match self {
            Self::Job => "JobSettings",
            Self::Template => "JobTemplateSettings",
            Self::Preset => "PresetSettings",
        }
    }

    /// The outputs of a document; a preset is the larger part of one. Outputs with a preset are left out: their settings are
    /// in another document.
    fn outputs(self, settings: &Value) -> Vec<Output<'_>> {
        match self {
            Self::Job | Self::Template => places::outputs(settings),
            Self::Preset => vec![Output::preset(settings)],
        }
    }
}

/// What the API says of job settings in the wire's spelling; empty if it would accept the settings. Presets have been applied
/// ([`crate::overlay`]).
pub fn settings(settings: &Value) -> Vec<Violation> {
    first(settings, Document::Job)
}

/// The API's findings on the settings of a job template.
pub fn template(settings: &Value) -> Vec<Violation> {
    first(settings, Document::Template)
}

/// The API's findings on the settings of a preset.
pub fn preset(settings: &Value) -> Vec<Violation> {
    first(settings, Document::Preset)
}

/// What the API's model says of the body of a request, for example `CreateQueueRequest`.
pub fn request(body: &Value, shape: &str) -> Vec<Violation> {
    schema::check(body, shape)
}

/// All broken rules of job settings, where [`settings`] stops at the first stage with a finding.
pub fn all(settings: &Value) -> Vec<Violation> {
    let stages = [model, structure::check, combinations, levels::check];
    let found = stages.iter().flat_map(|stage| stage(settings, Document::Job));
    found.flatten().collect()
}

/// Finds the settings that end a job which the API has accepted: outputs of one group that would write the same file (error 1040).
pub fn run_time(settings: &Value) -> Vec<Violation> {
    structure::duplicates(settings)
}

fn first(settings: &Value, document: Document) -> Vec<Violation> {
    let in_model = schema::check(settings, document.shape());
    if !in_model.is_empty() {
        return in_model;
    }
    let stages = [structure::check, combinations, levels::check];
    let mut found = stages.iter().flat_map(|stage| stage(settings, document));
    found.next().unwrap_or_default()
}

fn model(settings: &Value, document: Document) -> Vec<Finding> {
    vec![schema::check(settings, document.shape())]
}

fn combinations(settings: &Value, document: Document) -> Vec<Finding> {
    let outputs = document.outputs(settings);
    outputs
        .iter()
        .flat_map(|output| {
            [
                rates::check(output),
                audio::check(output),
                containers::check(output),
            ]
        })
        .flatten()
        .collect()
}

/// The text for a value that is none of those that are allowed.
fn not_among<'a>(allowed: impl Iterator<Item = &'a str>) -> String {
    let list: Vec<String> = allowed.map(|name| format!("\"{name}\"")).collect();
    format!(
        "Should be equal to one of the allowed values in [{}]",
        list.join(",")
    )
}

/// The text for a member that is absent.
fn required(member: &str) -> String {
    format!("{member} is a required property")
}

#[cfg(test)]
mod tests;
