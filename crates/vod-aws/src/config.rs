//! Reads region, credentials and endpoints from the environment, and reports all problems by name.

/// The variable with the endpoint of S3, if it is not AWS's: the local stack, or a VPC endpoint. AWS's own name.
pub const ENDPOINT_S3: &str = "AWS_ENDPOINT_URL_S3";
/// The variable with the endpoint of MediaConvert.
pub const ENDPOINT_MEDIACONVERT: &str = "AWS_ENDPOINT_URL_MEDIACONVERT";
/// The variable with the endpoint of all services without their own.
pub const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// Region, credentials and endpoints of all clients. On Lambda, the environment always has region and credentials.
#[derive(Clone)]
pub struct AwsConfig {
    pub region: String,
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    pub s3_endpoint: Option<String>,
    pub mediaconvert_endpoint: Option<String>,
}

impl std::fmt::Debug for AwsConfig {
    /// Formats without the secret and the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsConfig")
            .field("region", &self.region)
            .field("s3_endpoint", &self.s3_endpoint)
            .field("mediaconvert_endpoint", &self.mediaconvert_endpoint)
            .finish_non_exhaustive()
    }
}

/// All variables that are missing or malformed, so that all can be fixed at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

/// Reads variables and collects their problems instead of stopping at the first.
#[derive(Debug)]
pub struct EnvReader<F> {
    get: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> EnvReader<F> {
    /// A reader over `get`, which is `|name| std::env::var(name).ok()` outside of tests.
    pub fn new(get: F) -> Self {
        Self {
            get,
            problems: Vec::new(),
        }
    }

    /// A variable that must be set and not empty.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A variable that may be absent; empty counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    /// A variable with a format: `parse` returns the problem if it is malformed.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&self.optional(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problems.push(format!("{name} is malformed: {error}"));
                None
            }
        }
    }

    /// Adds a problem that the caller found.
    pub fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// Returns `value`, or all problems.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError(self.problems))
        }
    }
}

impl AwsConfig {
    /// Reads the process's environment: this configuration, and the function's `own`. Reports the problems of both.
    pub fn read_environment<T>(
        own: impl FnOnce(&mut EnvReader<fn(&str) -> Option<String>>) -> T,
    ) -> Result<(Self, T), ConfigError> {
        let mut env = EnvReader::new((|name| std::env::var(name).ok()) as fn(&str) -> Option<String>);
        let both = (Self::read(&mut env), own(&mut env));
        env.finish(both)
    }

    /// From a reader, so that a function reports these problems together with its own.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let mut endpoint = |name: &str| {
            let own = env.parsed(name, endpoint_url);
            own.or_else(|| env.parsed(ENDPOINT, endpoint_url))
        };
        let (s3_endpoint, mediaconvert_endpoint) = (endpoint(ENDPOINT_S3), endpoint(ENDPOINT_MEDIACONVERT));
        let region = env
            .optional("AWS_REGION")
            .or_else(|| env.optional("AWS_DEFAULT_REGION"));
        Self {
            region: region.unwrap_or_else(|| env.required("AWS_REGION")),
            access_key_id: env.required("AWS_ACCESS_KEY_ID"),
            secret_access_key: env.required("AWS_SECRET_ACCESS_KEY"),
            session_token: env.optional("AWS_SESSION_TOKEN"),
            s3_endpoint,
            mediaconvert_endpoint,
        }
    }
}

fn endpoint_url(text: &str) -> Result<String, &'static str> {
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(text.trim_end_matches('/').to_owned())
    } else {
        Err("expected http://… or https://…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<AwsConfig, ConfigError> {
        let vars: Vec<(String, String)> = vars
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let mut env = EnvReader::new(|name| vars.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone()));
        let config = AwsConfig::read(&mut env);
        env.finish(config)
    }

    #[test]
    fn every_fault_is_named() {
        let error = read(&[(ENDPOINT_S3, "localhost:9000"), ("AWS_ACCESS_KEY_ID", "")]).unwrap_err();
        let text = error.to_string();
        for name in [
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            ENDPOINT_S3,
        ] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn own_endpoint_wins_over_the_common_one() {
        let keys = [
            ("AWS_REGION", "r"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        let endpoints = [(ENDPOINT, "http://all"), (ENDPOINT_S3, "http://s3/")];
        let config = read(&[&keys[..], &endpoints[..]].concat()).unwrap();
        assert_eq!(config.s3_endpoint.as_deref(), Some("http://s3"));
        assert_eq!(config.mediaconvert_endpoint.as_deref(), Some("http://all"));
        assert!(!format!("{config:?}").contains("secret"));
    }
}
