//! The variables that say whose tokens a function accepts.

use vod_aws::EnvReader;

use crate::auth::{Auth, Expected};
use crate::secret::Secret;
use crate::secrets_manager::SecretsManager;

/// Name or ARN of the secret that holds the HS256 key of the tokens, as text of 32 bytes or more. Required unless
/// [`AUTH_JWKS_URL`] is set.
pub const AUTH_JWT_SECRET: &str = "AUTH_JWT_SECRET";
/// URL of the key set of an identity provider, whose RS256 and ES256 tokens are admitted instead; it needs
/// [`AUTH_ISSUER`] and [`AUTH_AUDIENCE`], because the provider signs for others as well.
pub const AUTH_JWKS_URL: &str = "AUTH_JWKS_URL";
/// What `iss` of a token must be. Optional with a secret: without it any issuer that has the key will do.
pub const AUTH_ISSUER: &str = "AUTH_ISSUER";
/// What `aud` of a token must hold. Optional with a secret.
pub const AUTH_AUDIENCE: &str = "AUTH_AUDIENCE";

/// Whose tokens are accepted.
pub enum Tokens {
    /// Those signed with the key in this secret.
    Secret(String, Expected),
    /// Those of an identity provider.
    Jwks(Box<Auth>),
    /// Nothing is set, which is reported as a problem.
    Unset,
}

impl Tokens {
    /// Reads the environment.
    pub fn read<F: Fn(&str) -> Option<String>>(env: &mut EnvReader<F>) -> Self {
        let expected = Expected {
            issuer: env.optional(AUTH_ISSUER),
            audience: env.optional(AUTH_AUDIENCE),
        };
        if env.optional(AUTH_JWKS_URL).is_none() {
            return Self::Secret(env.required(AUTH_JWT_SECRET), expected);
        }
        if env.optional(AUTH_JWT_SECRET).is_some() {
            env.problem(format!(
                "{AUTH_JWT_SECRET} and {AUTH_JWKS_URL} exclude each other"
            ));
        }
        env.required(AUTH_ISSUER);
        env.required(AUTH_AUDIENCE);
        let auth = env.parsed(AUTH_JWKS_URL, |url| Auth::jwks(url, expected));
        auth.map_or(Self::Unset, |auth| Self::Jwks(Box::new(auth)))
    }

    /// Checks tokens, with the key from `secrets`.
    pub fn auth(self, secrets: SecretsManager) -> Secret<Auth> {
        match self {
            Self::Secret(name, expected) => Secret::remote(secrets, name, move |text| {
                Auth::hs256(text, expected.clone()).map_err(|error| error.to_string())
            }),
            Self::Jwks(auth) => Secret::fixed(*auth),
            Self::Unset => unreachable!("`EnvReader::finish` refuses a configuration with problems"),
        }
    }
}
