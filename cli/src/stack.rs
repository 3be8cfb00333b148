//! Finds the stack that a command works on.
//!
//! A local stack has a state folder (`--state`, default `.vod`), in which `vod up` writes `endpoints.json`. A stack on AWS
//! has a name (`--stack`), and CloudFormation describes its parts. All commands but `up`, `keys` and `token` need only
//! [`Stack`].

pub(crate) mod cloud;
pub(crate) mod outputs;
pub(crate) mod tokens;
pub(crate) mod update;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;
use vod_state::endpoints::Endpoints;
use vod_state::secrets::Secrets;

use self::outputs::Outputs;
use self::tokens::{Minter, Tokens};
use crate::aws::Aws;
use crate::http::Api;
use crate::output;

/// Id of the local edge's only distribution; any id works.
const LOCAL_DISTRIBUTION: &str = "ELOCAL";
/// The functions' alias on AWS, which receives events.
pub(crate) const ALIAS: &str = "live";

/// The options that select a stack.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// State folder of the local stack
    #[arg(long, global = true, value_name = "FOLDER", env = "VOD_STATE", default_value = crate::STATE)]
    pub(crate) state: PathBuf,
    /// A stack on AWS, by its CloudFormation name, instead of the local one
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) stack: Option<String>,
    /// Region of that stack (default: `AWS_REGION`, or the profile's region)
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Profile with the AWS credentials (default: `AWS_PROFILE`, or the environment)
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Address of the distribution, while the stack's own domain does not lead there yet
    #[arg(long, global = true, hide = true, value_name = "URL", env = "VOD_URL")]
    pub(crate) url: Option<String>,
    /// Token for the signer (default: made with the stack's own key)
    #[arg(
        long,
        global = true,
        value_name = "JWT",
        env = "VOD_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
}

impl Choice {
    /// For commands that work only on this machine: fails if a stack on AWS is selected.
    pub(crate) fn local_only(&self, command: &str, instead: &str) -> anyhow::Result<()> {
        match &self.stack {
            Some(name) => {
                bail!(
                    "`vod {command}` is for the local stack: {}",
                    instead.replace("NAME", name)
                )
            }
            None => Ok(()),
        }
    }

    /// The options that select this stack, each after a space, for commands to paste: empty for the local stack in its
    /// default folder.
    pub(crate) fn options(&self) -> String {
        let Some(stack) = &self.stack else {
            return state_option(&self.state);
        };
        let named = [("region", &self.region), ("profile", &self.profile)];
        let named = named
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let all = std::iter::once(("stack", stack)).chain(named);
        let words = all.flat_map(|(name, value)| {
            [
                " --".to_owned(),
                name.to_owned(),
                " ".to_owned(),
                output::pasted(value),
            ]
        });
        words.collect()
    }

    /// The keys of the local stack, which must have been started once.
    pub(crate) fn secrets(&self) -> anyhow::Result<Secrets> {
        Secrets::read(&self.state)?.with_context(|| {
            let (folder, options) = (self.state.display(), self.options());
            format!(
                "no stack was ever started in `{folder}`: start it with `vod up{options}`, or pass its folder with --state"
            )
        })
    }

    /// The account and region of a stack on AWS.
    pub(crate) async fn aws(&self) -> anyhow::Result<Aws> {
        Aws::load(self.region.as_deref(), self.profile.as_deref()).await
    }

    /// The token of the command line, if it is valid.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token
            .as_deref()
            .map(str::trim)
            .filter(|token| !token.is_empty())
    }
}

/// The option with the folder of a local stack, after a space: empty for the default folder.
fn state_option(state: &Path) -> String {
    if state == Path::new(crate::STATE) {
        return String::new();
    }
    format!(" --state {}", output::pasted(&state.to_string_lossy()))
}

/// The addresses of the local stack with this state folder, which must be running.
pub(crate) fn endpoints(state: &Path) -> anyhow::Result<Endpoints> {
    Endpoints::read(state)?.with_context(|| {
        let (folder, option) = (state.display(), state_option(state));
        format!(
            "no stack is running in `{folder}`: start it with `vod up{option}`, or pass its folder with --state, or a stack \
             on AWS with --stack"
        )
    })
}

/// A running stack, local or on AWS.
#[derive(Debug)]
pub(crate) struct Stack {
    pub(crate) bucket: String,
    /// The bucket with `output/`: by default the same.
    pub(crate) output_bucket: String,
    pub(crate) aws: Aws,
    /// URL of the edge (CloudFront on AWS), for viewers and the signer.
    pub(crate) edge: String,
    pub(crate) tokens: Arc<Tokens>,
    /// The parts of a stack on AWS; `None` for a local stack.
    pub(crate) outputs: Option<Box<Outputs>>,
    /// The options that select this stack, for commands to paste.
    pub(crate) options: String,
}

impl Stack {
    /// Finds the selected stack. For a stack on AWS that works but is in an unusual state, a note goes to standard error.
    pub(crate) async fn find(choice: &Choice) -> anyhow::Result<Self> {
        let Some(name) = &choice.stack else {
            let mut stack = Self::local(&choice.state)?;
            stack.options = choice.options();
            if let Some(token) = choice.token() {
                stack.tokens = Arc::new(Tokens::Given(token.to_owned()));
            }
            return Ok(stack);
        };
        let aws = choice.aws().await?;
        let description = cloud::existing(&aws, name).await?;
        if let Some(oddity) = description.oddity()? {
            output::note(&format!("note: {oddity}"));
        }
        Ok(Self::cloud(aws, Outputs::read(&description)?, choice))
    }

    /// The local stack with this state folder.
    pub(crate) fn local(state: &Path) -> anyhow::Result<Self> {
        let found = endpoints(state)?;
        Ok(Self {
            aws: Aws::local(&found),
            output_bucket: found.bucket.clone(),
            bucket: found.bucket,
            edge: found.edge,
            tokens: Arc::new(Tokens::Given(found.token)),
            outputs: None,
            options: String::new(),
        })
    }

    /// A stack on AWS with these parts.
    pub(crate) fn cloud(aws: Aws, outputs: Outputs, choice: &Choice) -> Self {
        let tokens = match choice.token() {
            Some(token) => Tokens::Given(token.to_owned()),
            None if outputs.has_provider => Tokens::Provider,
            None => Tokens::Minted(Box::new(Minter::new(aws.clone(), &outputs))),
        };
        Self {
            bucket: outputs.bucket.clone(),
            output_bucket: outputs.output_bucket.clone(),
            edge: choice.url.as_ref().unwrap_or(&outputs.url).clone(),
            tokens: Arc::new(tokens),
            aws,
            outputs: Some(Box::new(outputs)),
            options: choice.options(),
        }
    }

    /// A client for the bucket.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        self.aws.s3()
    }

    /// A client for the signer's API.
    pub(crate) fn api(&self) -> Api {
        let hint = match &self.outputs {
            None => format!("is `vod up{}` still running?", self.options),
            Some(_) => format!("`vod doctor{}` checks the distribution", self.options),
        };
        Api::new(&self.edge, self.tokens.clone(), self.aws.wire().clone(), hint)
    }

    /// The distribution whose cache is invalidated.
    pub(crate) fn distribution(&self) -> &str {
        self.outputs
            .as_ref()
            .map_or(LOCAL_DISTRIBUTION, |outputs| &outputs.distribution)
    }

    /// Invokes one of the functions and returns its response. On AWS it is the version that receives events.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Value> {
        let invoked = match &self.outputs {
            None => self.aws.invoke(function, None, event).await?,
            Some(outputs) => {
                let name = outputs.function(function);
                self.aws.invoke(name, Some(ALIAS), event).await?
            }
        };
        invoked.map_err(|error| anyhow!("function {function} failed with {}", output::plain(&error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::service::SQS;

    #[test]
    fn options_to_paste_name_the_stack() {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            choice: Choice,
        }
        for (words, expected) in [
            (&["vod", "--state", ".vod"][..], ""),
            (&["vod", "--state", "/tmp/my vod"], " --state '/tmp/my vod'"),
            (&["vod", "--state", "/x", "--stack", "film"], " --stack film"),
            (
                &[
                    "vod",
                    "--stack",
                    "film",
                    "--profile",
                    "it's",
                    "--region",
                    "eu-west-1",
                ],
                " --stack film --region eu-west-1 --profile 'it'\\''s'",
            ),
        ] {
            let command = <Command as clap::Parser>::parse_from(words);
            assert_eq!(command.choice.options(), expected);
        }
    }

    #[test]
    fn without_a_stack_it_says_what_to_do() {
        let error = Stack::local(Path::new("/nonexistent/.vod"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("`vod up --state /nonexistent/.vod`"), "{error}");
        assert!(error.contains("--stack"), "{error}");
        assert!(error.contains("/nonexistent/.vod"), "{error}");
    }

    #[test]
    fn a_stack_is_read_from_its_folder() -> anyhow::Result<()> {
        let state = tempfile::tempdir()?;
        let endpoints = serde_json::json!({
            "api": "http://127.0.0.1:9000", "edge": "http://127.0.0.1:8080", "bucket": "vod",
            "region": "us-east-1", "access_key": "vod", "secret_key": "s", "token": "t", "later": 1,
        });
        std::fs::write(state.path().join("endpoints.json"), endpoints.to_string())?;
        let stack = Stack::local(state.path())?;
        assert_eq!(stack.aws.endpoint(&SQS), "http://127.0.0.1:9000");
        assert_eq!(stack.edge, "http://127.0.0.1:8080");
        assert_eq!(stack.distribution(), "ELOCAL");

        std::fs::write(state.path().join("endpoints.json"), "{")?;
        let error = Stack::local(state.path()).unwrap_err().to_string();
        assert!(error.contains("damaged"), "{error}");
        Ok(())
    }
}
