//! The environment of the functions that create jobs, checked once at cold start.

use vod_aws::{ConfigError, EnvReader};
use vod_core::attempt::JobSettings;
use vod_core::job::{LoadedTemplate, Rules};

/// The bucket of uploads, templates and records.
pub const BUCKET: &str = "BUCKET";
/// The bucket of outputs; default: the same.
pub const OUTPUT_BUCKET: &str = "OUTPUT_BUCKET";
/// The role with which MediaConvert reads the upload and writes the outputs.
pub const MEDIACONVERT_ROLE_ARN: &str = "MEDIACONVERT_ROLE_ARN";
/// Name or ARN of the queue for templates that name none. Absent: the account's default queue.
pub const MEDIACONVERT_QUEUE: &str = "MEDIACONVERT_QUEUE";
/// A template file in the function's package that replaces the built-in one. Templates in the bucket
/// (`jobs/*.json`) take precedence over both.
pub const JOB_TEMPLATE: &str = "JOB_TEMPLATE";
/// Distinguishes this pipeline's jobs from others of the account; default `vod`.
pub const APPLICATION: &str = "APPLICATION";
/// Names of rules to turn off, separated by commas: `audio-only`, `audio-tracks`, `drop-missing-audio`, `swap-for-portrait`,
/// `keep-shape`, `no-upscale`.
pub const RULES_OFF: &str = "RULES_OFF";

/// The built-in template.
pub const DEFAULT_TEMPLATE: &str = include_str!("../../../job-templates/default.json");

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub bucket: String,
    pub jobs: JobSettings,
    /// Used if the bucket has no template.
    pub template: LoadedTemplate,
}

impl Config {
    /// Reads all variables and reports every problem by name.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let bucket = env.required(BUCKET);
        let template = match env.optional(JOB_TEMPLATE) {
            Some(path) => template_file(env, &path),
            None => built_in(),
        };
        let jobs = JobSettings {
            application: env.optional(APPLICATION).unwrap_or_else(|| "vod".to_owned()),
            output_bucket: env.optional(OUTPUT_BUCKET).unwrap_or_else(|| bucket.clone()),
            role_arn: env.required(MEDIACONVERT_ROLE_ARN),
            queue: env.optional(MEDIACONVERT_QUEUE),
            rules: env.parsed(RULES_OFF, Rules::without).unwrap_or_else(Rules::all),
        };
        Self {
            bucket,
            jobs,
            template,
        }
    }

    /// The configuration of the one-machine stack: all defaults.
    pub fn local(bucket: &str) -> Result<Self, ConfigError> {
        let mut env = EnvReader::new(|name| match name {
            BUCKET => Some(bucket.to_owned()),
            MEDIACONVERT_ROLE_ARN => Some("arn:aws:iam::000000000000:role/vod-mediaconvert".to_owned()),
            RULES_OFF | MEDIACONVERT_QUEUE => std::env::var(name).ok(),
            _ => None,
        });
        let config = Self::read(&mut env);
        env.finish(config)
    }
}

fn built_in() -> LoadedTemplate {
    LoadedTemplate::parse("default", "built-in template", DEFAULT_TEMPLATE.as_bytes())
}

fn template_file<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>, path: &str) -> LoadedTemplate {
    let loaded = std::fs::read(path)
        .map_err(|error| error.to_string())
        .and_then(|bytes| {
            let loaded = LoadedTemplate::parse("default", path, &bytes);
            loaded.template.clone().map(|_| loaded)
        });
    loaded.unwrap_or_else(|problem| {
        env.problem(format!(
            "{JOB_TEMPLATE} names {path}, which cannot be used: {problem}"
        ));
        built_in()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_by_name() {
        let mut env = EnvReader::new(|name| match name {
            RULES_OFF => Some("no-such-rule".to_owned()),
            JOB_TEMPLATE => Some("/nowhere/job.json".to_owned()),
            _ => None,
        });
        let config = Config::read(&mut env);
        let text = env.finish(config).unwrap_err().to_string();
        for name in [BUCKET, MEDIACONVERT_ROLE_ARN, RULES_OFF, JOB_TEMPLATE] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn the_built_in_template_is_usable() {
        let template = Config::local("vod").unwrap().template.template.unwrap();
        assert_eq!(
            template.settings["outputGroups"].as_array().map(Vec::len),
            Some(3)
        );
    }
}
