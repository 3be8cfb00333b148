//! Provides tokens for the signer's API: given ones, or made with the stack's key.

use std::fmt;

use anyhow::{Context, bail};
use serde_json::json;
use tokio::sync::OnceCell;
use vod_state::{Grant, token};

use super::outputs::Outputs;
use crate::aws::Aws;
use crate::aws::service::SECRETS_MANAGER;

/// The scopes that this command needs.
const OWN_SCOPES: &str = "playback library";
/// Validity of such a token in seconds: each request has its own.
const OWN_SECONDS: i64 = 300;

/// The source of tokens.
pub(crate) enum Tokens {
    /// Given by the user, or by `endpoints.json`.
    Given(String),
    /// Made with the stack's secret.
    Minted(Box<Minter>),
    /// Made by an identity provider only.
    Provider,
}

impl fmt::Debug for Tokens {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given(_) => "Given",
            Self::Minted(_) => "Minted",
            Self::Provider => "Provider",
        })
    }
}

impl Tokens {
    /// A token for listing and watching.
    pub(crate) async fn bearer(&self) -> anyhow::Result<String> {
        match self {
            Self::Given(token) => Ok(token.clone()),
            Self::Minted(minter) => {
                let grant = Grant {
                    scope: OWN_SCOPES,
                    seconds: OWN_SECONDS,
                    ..Grant::default()
                };
                minter.mint(&grant).await
            }
            Self::Provider => bail!(
                "an identity provider makes the tokens of this stack (AuthJwksUrl): pass one with --token or VOD_TOKEN"
            ),
        }
    }
}

/// Makes tokens with the HS256 key of a stack on AWS.
pub(crate) struct Minter {
    aws: Aws,
    secret: String,
    issuer: Option<String>,
    audience: Option<String>,
    key: OnceCell<String>,
}

impl Minter {
    pub(crate) fn new(aws: Aws, outputs: &Outputs) -> Self {
        Self {
            aws,
            secret: outputs.jwt_secret.clone(),
            issuer: outputs.issuer.clone(),
            audience: outputs.audience.clone(),
            key: OnceCell::new(),
        }
    }

    /// A token with the claims of `grant`, and with those that the stack's functions require.
    pub(crate) async fn mint(&self, grant: &Grant<'_>) -> anyhow::Result<String> {
        let key = self.key.get_or_try_init(|| secret(&self.aws, &self.secret));
        let key = key
            .await
            .context("could not make a token with the stack's key (pass one with --token or VOD_TOKEN)")?;
        let grant = Grant {
            issuer: self.issuer.as_deref(),
            audience: self.audience.as_deref(),
            ..*grant
        };
        // The signer trims as well.
        token(key.trim(), &grant)
    }
}

/// The text of a secret. It is never printed.
pub(crate) async fn secret(aws: &Aws, name: &str) -> anyhow::Result<String> {
    let request = json!({ "SecretId": name });
    let answer = aws.json(&SECRETS_MANAGER, "GetSecretValue", &request).await?;
    let text = answer["SecretString"]
        .as_str()
        .with_context(|| format!("the secret `{name}` contains no text"))?;
    Ok(text.to_owned())
}
