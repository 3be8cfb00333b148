//! `vod keys`: the keys that sign links, and changing them while people watch.

use serde_json::json;
use vod_local::secrets::Secrets;

use crate::output;
use crate::stack::Choice;

/// Change the key that signs links; links that were made before stay good until they expire
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    /// Print what was done as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a new key and sign with it from now on
    Rotate,
    /// Remove a key that signs no more: links that it signed end at once
    Remove {
        /// Its id, as in the links' Key-Pair-Id
        id: String,
    },
}

/// Runs `vod keys`.
pub(crate) fn run(choice: &Choice, args: &Args) -> anyhow::Result<()> {
    choice.local_only(
        "keys",
        "`infra/keys.sh rotate --stack NAME` and `infra/keys.sh retire --stack NAME` change the keys of a stack on \
         AWS, where CloudFront has to learn them first",
    )?;
    let state = &choice.state;
    match &args.action {
        Action::Rotate => {
            let id = Secrets::rotate(state)?;
            if args.json {
                return output::json(&json!({ "active": id }));
            }
            output::line(&id)
        }
        Action::Remove { id } => {
            Secrets::remove_key(state, id)?;
            if args.json {
                return output::json(&json!({ "removed": id }));
            }
            output::line(&format!("removed {id}"))
        }
    }
}
