//! The function's environment, checked once at cold start. It starts jobs as `submit` does, so it needs all that
//! `submit` needs, and two times of its own.

use jiff::SignedDuration;
use vod_aws::{ConfigError, EnvReader};

/// Seconds that an upload or an event may be on its way before it counts as lost; default 900: what SQS needs to
/// deliver a message twice.
pub const GRACE_SECONDS: &str = "GRACE_SECONDS";
/// Seconds before the first new try after a transient error; default 300. The next one waits four times as long.
pub const RETRY_SECONDS: &str = "RETRY_SECONDS";

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub submit: submit::Config,
    pub grace: SignedDuration,
    pub retry: SignedDuration,
}

impl Config {
    /// Reads all of it, reporting every problem by name.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let submit = submit::Config::read(env);
        let mut seconds = |name: &str, default: u32| {
            let seconds = env.parsed(name, str::parse::<u32>).unwrap_or(default);
            SignedDuration::from_secs(seconds.into())
        };
        Self {
            grace: seconds(GRACE_SECONDS, 900),
            retry: seconds(RETRY_SECONDS, 300),
            submit,
        }
    }

    /// The configuration of the one-machine stack: what is on its way takes seconds there, and a person waits.
    pub fn local(bucket: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            submit: submit::Config::local(bucket)?,
            grace: SignedDuration::from_mins(1),
            retry: SignedDuration::from_secs(20),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named() {
        let mut env = EnvReader::new(|name| (name == GRACE_SECONDS).then(|| "soon".to_owned()));
        let config = Config::read(&mut env);
        let text = env.finish(config).unwrap_err().to_string();
        for name in [GRACE_SECONDS, submit::BUCKET, submit::MEDIACONVERT_ROLE_ARN] {
            assert!(text.contains(name), "{text}");
        }
    }
}
