//! Region, credentials and endpoints from the environment, and a reader which reports every fault by name.

/// Where requests go when it is not AWS: the local stack, or a VPC endpoint. The names are AWS's own.
pub const ENDPOINT_S3: &str = "AWS_ENDPOINT_URL_S3";
/// The same for MediaConvert.
pub const ENDPOINT_MEDIACONVERT: &str = "AWS_ENDPOINT_URL_MEDIACONVERT";
/// The endpoint of all services that have none of their own.
pub const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// What every client needs. Lambda provides region and credentials in the environment, always.
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
    /// Without the secret and the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwsConfig")
            .field("region", &self.region)
            .field("s3_endpoint", &self.s3_endpoint)
            .field("mediaconvert_endpoint", &self.mediaconvert_endpoint)
            .finish_non_exhaustive()
    }
}

/// Every variable that is missing or malformed, so that one look at the log mends all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("configuration: {}", .0.join("; "))]
pub struct ConfigError(Vec<String>);

/// Reads variables and gathers their faults instead of stopping at the first.
#[derive(Debug)]
pub struct EnvReader<F> {
    get: F,
    faults: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> EnvReader<F> {
    /// A reader over `get`, which is `|name| std::env::var(name).ok()` outside of tests.
    pub fn new(get: F) -> Self {
        Self {
            get,
            faults: Vec::new(),
        }
    }

    /// A variable that must be set and not empty.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.faults.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A variable that may be absent; empty counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).filter(|value| !value.trim().is_empty())
    }

    /// A variable with a form: `parse` says what is wrong with it.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(&self.optional(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.faults.push(format!("{name} is malformed: {error}"));
                None
            }
        }
    }

    /// Notes a fault of the caller's own finding.
    pub fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    /// `value`, unless faults were found.
    pub fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError(self.faults))
        }
    }
}

impl AwsConfig {
    /// From the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        let mut env = EnvReader::new(|name| std::env::var(name).ok());
        let config = Self::read(&mut env);
        env.finish(config)
    }

    /// From a reader, so that a function reports these faults together with its own.
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
