//! The function's environment, checked once at cold start: that of all functions that create jobs, and one variable of
//! its own.

use vod_aws::EnvReader;

/// How often the queue delivers a message before it moves it to the dead letters (`maxReceiveCount`); default 5. At the
/// last delivery, the reason goes on record.
pub const MAX_RECEIVES: &str = "MAX_RECEIVES";
/// The default of [`MAX_RECEIVES`].
pub const DEFAULT_MAX_RECEIVES: u32 = 5;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub pipeline: pipeline::Config,
    pub max_receives: u32,
}

impl Config {
    /// Reads all variables and reports every problem by name.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        Self {
            pipeline: pipeline::Config::read(env),
            max_receives: env.parsed(MAX_RECEIVES, receives).unwrap_or(DEFAULT_MAX_RECEIVES),
        }
    }
}

fn receives(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| format!("`{text}` is not a number of deliveries"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_by_name() {
        let mut env = EnvReader::new(|name| (name == MAX_RECEIVES).then(|| "0".to_owned()));
        let config = Config::read(&mut env);
        let text = env.finish(config).unwrap_err().to_string();
        for name in [MAX_RECEIVES, pipeline::BUCKET, pipeline::MEDIACONVERT_ROLE_ARN] {
            assert!(text.contains(name), "{text}");
        }
    }
}
