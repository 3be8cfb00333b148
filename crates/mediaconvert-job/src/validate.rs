//! What `CreateJob` refuses at once, with a 400: names, types, ranges and enumerations of the whole API
//! ([`schema`]), and the rules between settings that are known ([`rules`]).
//!
//! Texts are those of the API as real jobs have met them: a JSON pointer into the settings, a colon, the rule.
//! What the API accepts is accepted here, also where a local engine cannot do it.

mod rules;
mod schema;

use std::fmt;

use serde_json::Value;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// JSON pointer into the settings.
    pub path: String,
    pub message: String,
}

impl Fault {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// All that is wrong with job settings in the wire's spelling; empty where the API would take them.
pub fn settings(settings: &Value) -> Vec<Fault> {
    let faults = schema::check(settings);
    // Rules between settings presume that each by itself is what it should be.
    if faults.is_empty() {
        rules::check(settings)
    } else {
        faults
    }
}

/// The message of a `BadRequestException`.
pub fn message(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(Fault::to_string)
        .collect::<Vec<_>>()
        .join(" | ")
}

#[cfg(test)]
mod tests;
