//! Validates a job as `CreateJob` does before it accepts it: names, types, ranges and enumerations of the whole API
//! (`schema`), and the known rules between settings (`rules`).
//!
//! Messages are those of the API, seen with real jobs: a JSON pointer into the settings, a colon, the rule.
//! A job that the API accepts is accepted here, even if the local engine does not support it.

mod rules;
mod schema;

use std::fmt;

use serde_json::Value;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer into the settings.
    pub path: String,
    pub message: String,
}

impl Violation {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// The broken rules of job settings in the wire's spelling; empty if the API would accept the settings.
pub fn settings(settings: &Value) -> Vec<Violation> {
    let violations = schema::check(settings);
    // Rules between settings assume that each setting is valid by itself.
    if violations.is_empty() {
        rules::check(settings)
    } else {
        violations
    }
}

#[cfg(test)]
mod tests;
