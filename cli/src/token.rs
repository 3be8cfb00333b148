//! `vod token`: makes tokens for the API with the stack's key.

use anyhow::bail;
use clap::ValueEnum;
use serde_json::json;
use vod_state::Grant;

use crate::output;
use crate::sign::ttl;
use crate::stack::outputs::Outputs;
use crate::stack::tokens::Minter;
use crate::stack::{Choice, cloud};

/// Make a token for the API (Authorization: Bearer …)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Scopes of the token, separated by commas or repeated. The page needs both defaults
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Scope::Library, Scope::Playback])]
    scope: Vec<Scope>,
    /// Validity: 90s, 15m, 6h or 7d
    #[arg(long, default_value = "1h", value_parser = ttl)]
    ttl: u64,
    /// Only for assets whose id matches this pattern (* matches any text); repeatable
    #[arg(long, value_name = "PATTERN")]
    asset: Vec<String>,
    /// The user that the token is for (claim sub). Only the same user continues an upload
    #[arg(long, value_name = "NAME")]
    sub: Option<String>,
    /// Uploads only to this folder below input/, such as users/7/
    #[arg(long, value_name = "FOLDER/")]
    upload_prefix: Option<String>,
    /// Uploads only files of at most this many bytes
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Print the token and its claims as JSON
    #[arg(long)]
    json: bool,
}

/// The scopes of a token.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Links to watch videos
    Playback,
    /// The records
    Library,
    /// Uploads
    Upload,
    /// Everything
    Admin,
}

/// Runs `vod token`.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<()> {
    let (scope, seconds) = (scope(&args.scope), i64::try_from(args.ttl)?);
    let grant = Grant {
        scope: &scope,
        assets: &args.asset,
        subject: args.sub.as_deref(),
        upload_prefix: args.upload_prefix.as_deref(),
        max_bytes: args.max_bytes,
        seconds,
        ..Grant::default()
    };
    let token = match &choice.stack {
        None => choice.secrets()?.grant(&grant)?,
        Some(name) => {
            let aws = choice.aws().await?;
            // The distribution need not be there to make a token for it.
            let outputs = Outputs::read(&cloud::existing(&aws, name).await?)?;
            if outputs.has_provider {
                bail!("only an identity provider makes tokens for stack `{name}` (AuthJwksUrl)");
            }
            Minter::new(aws, &outputs).mint(&grant).await?
        }
    };
    if args.json {
        return output::json(&json!({
            "token": token, "scope": scope, "assets": args.asset, "ttl_seconds": seconds,
        }));
    }
    output::line(&token)
}

/// Scopes as RFC 8693 writes them, separated by spaces.
fn scope(scopes: &[Scope]) -> String {
    let names = scopes.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
    names.join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        choice: Choice,
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn by_default_it_is_what_the_page_needs() {
        let args = Command::parse_from(["token"]).args;
        assert_eq!(
            (scope(&args.scope).as_str(), args.ttl),
            ("library playback", 3_600)
        );
        let one = Command::parse_from(["token", "--scope", "playback"]).args;
        assert_eq!(scope(&one.scope), "playback");
        let listed = Command::parse_from(["token", "--scope", "library,upload"]).args;
        assert_eq!(scope(&listed.scope), "library upload");
        assert_eq!(args.asset, Vec::<String>::new());
    }

    #[test]
    fn several_scopes_and_patterns() {
        let options = [
            "token", "--scope", "library", "--scope", "playback", "--asset", "film-*",
        ];
        let args = Command::parse_from(options).args;
        assert_eq!(scope(&args.scope), "library playback");
        assert_eq!(args.asset, ["film-*"]);
    }

    #[tokio::test]
    async fn without_a_stack_it_says_what_to_do() {
        let command = Command::parse_from(["token", "--state", "/nonexistent"]);
        let error = run(&command.choice, &command.args).await.unwrap_err().to_string();
        assert!(error.contains("vod up"), "{error}");
    }
}
