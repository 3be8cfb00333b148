//! A template as it was read from the bucket.

use mediaconvert_job::template::Template;

use crate::digest::sha256_hex;

/// One template, or why it cannot be used: an unusable one must not stop the others.
#[derive(Debug, Clone)]
pub struct LoadedTemplate {
    pub name: String,
    /// Of its text, in hex.
    pub sha256: String,
    pub template: Result<Template, String>,
}

impl LoadedTemplate {
    /// Parses a template's text. Errors name `key`, from which it was read.
    pub fn parse(name: &str, key: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            sha256: sha256_hex(bytes),
            template: Template::parse(bytes).map_err(|error| format!("{key}: {error}")),
        }
    }

    /// A template that was not read, with the reason.
    pub fn unusable(name: &str, problem: String) -> Self {
        Self {
            name: name.to_owned(),
            sha256: sha256_hex(b""),
            template: Err(problem),
        }
    }
}
