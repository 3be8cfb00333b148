//! The function's environment, checked once at cold start.

use vod_aws::EnvReader;

/// The bucket of the records.
pub const BUCKET: &str = "BUCKET";
/// Distinguishes this pipeline's jobs from others of the account; default `vod`.
pub const APPLICATION: &str = "APPLICATION";

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub bucket: String,
    pub application: String,
}

impl Config {
    /// Reads all variables and reports every problem by name.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let application = env.optional(APPLICATION).unwrap_or_else(|| "vod".to_owned());
        Self {
            bucket: env.required(BUCKET),
            application,
        }
    }
}
