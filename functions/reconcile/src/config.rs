//! The function's environment, checked once at cold start: that of all functions that create jobs, and two times of
//! its own.

use jiff::SignedDuration;
use pipeline::Delays;
use vod_aws::EnvReader;

/// Seconds that an upload or an event may be under way before it counts as lost; default 900: the time that SQS needs
/// to deliver a message twice.
pub const GRACE_SECONDS: &str = "GRACE_SECONDS";
/// Seconds before the first retry after a transient error; default 300. The next one waits four times as long.
pub const RETRY_SECONDS: &str = "RETRY_SECONDS";

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub pipeline: pipeline::Config,
    pub delays: Delays,
}

impl Config {
    /// Reads all variables and reports every problem by name.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let pipeline = pipeline::Config::read(env);
        let mut seconds = |name: &str, default: u32| {
            let seconds = env.parsed(name, str::parse::<u32>).unwrap_or(default);
            SignedDuration::from_secs(seconds.into())
        };
        let delays = Delays {
            grace: seconds(GRACE_SECONDS, 900),
            retry: seconds(RETRY_SECONDS, 300),
        };
        Self { pipeline, delays }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_by_name() {
        let mut env = EnvReader::new(|name| (name == GRACE_SECONDS).then(|| "soon".to_owned()));
        let config = Config::read(&mut env);
        let text = env.finish(config).unwrap_err().to_string();
        for name in [GRACE_SECONDS, pipeline::BUCKET, pipeline::MEDIACONVERT_ROLE_ARN] {
            assert!(text.contains(name), "{text}");
        }
    }
}
