//! `vod keys`: manages the keys that sign links, without interrupting viewers.
//!
//! The local stack's keys are in `secrets.json`. The keys of a stack on AWS are in Secrets Manager, and CloudFront must know
//! a new key before it may sign.

mod cloud;
mod secret;

use std::process::ExitCode;

use anyhow::{bail, ensure};
use serde_json::json;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::{Ring, RingKey, Stage};
use vod_state::secrets::Secrets;

use self::cloud::Session;
use crate::output;
use crate::stack::Choice;

/// Exit code of a command that Ctrl-C ended, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Manage the keys that sign links; existing links stay valid until they expire
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the keys, or the result, as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Print each call to AWS that would change something, and change nothing (with --stack)
    #[arg(long, global = true)]
    plan: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys and print the next step (the default)
    Show,
    /// Create the keys of a stack on AWS if they are missing, and restore keys that are scheduled for deletion
    Ensure {
        /// Kind of a new signing key
        #[arg(long, value_enum, ignore_case = true, default_value_t = Kind::Es256)]
        algorithm: Kind,
    },
    /// Create a new key and sign with it; on AWS as soon as all edges of CloudFront know it
    Rotate {
        /// Kind of the new key
        #[arg(long, value_enum, ignore_case = true, default_value_t = Kind::Es256)]
        algorithm: Kind,
        /// Time for CloudFront to distribute a new key to all edges
        #[arg(long, value_name = "SECONDS", env = "VOD_SPREAD_SECONDS", default_value_t = SPREAD_SECONDS)]
        spread: u64,
    },
    /// Remove the old key of a stack on AWS, 7 days after a rotation
    Retire {
        /// Do not wait for 7 days: links that the old key signed expire at once
        #[arg(long)]
        now: bool,
    },
    /// Remove an old key of the local stack: links that it signed expire at once
    Remove {
        /// Id of the key, the Key-Pair-Id in links
        id: String,
    },
}

/// A key group reaches all edges within minutes.
const SPREAD_SECONDS: u64 = 300;

/// Kinds of keys that CloudFront accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// ECDSA over P-256, for short links
    #[value(name = "ES256")]
    Es256,
    /// RSA with 2048 bits
    #[value(name = "RS256")]
    Rs256,
}

impl From<Kind> for Algorithm {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Es256 => Self::Es256,
            Kind::Rs256 => Self::Rs256,
        }
    }
}

/// Runs `vod keys`.
pub(crate) async fn run(choice: &Choice, args: &Args) -> anyhow::Result<ExitCode> {
    let action = args.action.as_ref().unwrap_or(&Action::Show);
    let Some(stack) = &choice.stack else {
        local(choice, action, args)?;
        return Ok(ExitCode::SUCCESS);
    };
    let work = async {
        let session = Session::new(choice.aws().await?, stack, choice.options(), args.plan, args.json);
        match action {
            Action::Show => session.show().await,
            Action::Ensure { algorithm } => session.ensure((*algorithm).into()).await,
            Action::Rotate { algorithm, spread } => session.rotate((*algorithm).into(), *spread).await,
            Action::Retire { now } => session.retire(*now).await,
            Action::Remove { .. } => bail!(
                "`vod keys remove` is for the local stack: `vod keys retire{}` removes the old key of a stack on AWS",
                choice.options()
            ),
        }
    };
    tokio::select! {
        done = work => done.map(|()| ExitCode::SUCCESS),
        () = output::interrupted() => {
            output::note("interrupted: run the same command again to continue");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn local(choice: &Choice, action: &Action, args: &Args) -> anyhow::Result<()> {
    ensure!(!args.plan, "--plan needs a stack on AWS: pass --stack");
    let state = &choice.state;
    match action {
        Action::Show => print(&choice.secrets()?.ring()?, args.json, json!({})),
        Action::Rotate { algorithm, .. } => {
            let id = Secrets::rotate(state, (*algorithm).into())?;
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
        Action::Ensure { .. } => {
            bail!("`vod up` creates the keys of a local stack; for a stack on AWS pass --stack")
        }
        Action::Retire { .. } => bail!(
            "`vod keys{} remove ID` removes a key of the local stack; for a stack on AWS pass --stack",
            choice.options()
        ),
    }
}

/// Prints the keys, without their private halves; as JSON together with `more`.
fn print(ring: &Ring, as_json: bool, mut more: serde_json::Value) -> anyhow::Result<()> {
    if as_json {
        let key = |key: &RingKey| json!({ "id": key.id, "algorithm": key.algorithm, "public_pem": key.public_pem, "active": key.id == ring.active });
        more["keys"] = ring.keys.iter().map(key).collect();
        return output::json(&more);
    }
    for key in &ring.keys {
        let does = if key.id == ring.active {
            "signs"
        } else {
            "verifies"
        };
        output::line(&format!("{}  {}  {does}", output::plain(&key.id), key.algorithm))?;
    }
    Ok(())
}

/// The next step for the keys of a stack on AWS.
fn next(ring: &Ring, stack: &str, options: &str) -> String {
    match ring.stage() {
        Stage::Empty => format!("no keys yet: `infra/deploy.sh --stack {stack}` creates them"),
        Stage::Steady => format!("next: nothing; `vod keys rotate{options}` when you want a new key"),
        Stage::Rotating => {
            format!("next: run `vod keys rotate{options}` again, because a rotation was interrupted")
        }
        Stage::Rotated => format!("next: `vod keys retire{options}`, 7 days after the rotation"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn without_an_action_it_shows() {
        let args = Command::parse_from(["keys", "--json"]).args;
        assert!(args.action.is_none() && args.json && !args.plan);
    }

    #[test]
    fn a_new_key_gets_five_minutes_to_reach_all_edges() {
        let args = Command::parse_from(["keys", "rotate", "--algorithm", "rs256", "--plan"]).args;
        let Some(Action::Rotate { algorithm, spread }) = args.action else {
            panic!("{args:?}")
        };
        // The environment may say otherwise, as in the tests of the scripts.
        let expected = std::env::var("VOD_SPREAD_SECONDS").map_or(300, |text| text.parse().unwrap());
        assert_eq!((algorithm, spread, args.plan), (Kind::Rs256, expected, true));
        assert!(Command::try_parse_from(["keys", "rotate", "--algorithm", "none"]).is_err());
    }

    #[test]
    fn the_next_command_can_be_pasted() {
        let key = |id: &str| RingKey {
            id: id.to_owned(),
            algorithm: Algorithm::Es256,
            private_pem: None,
            public_pem: String::new(),
        };
        let options = " --stack film --region eu-west-1";
        for (active, ids, words) in [
            ("", &[][..], "infra/deploy.sh --stack film"),
            ("A", &["A"], "vod keys rotate --stack film --region eu-west-1"),
            (
                "A",
                &["A", "B"],
                "vod keys rotate --stack film --region eu-west-1",
            ),
            (
                "B",
                &["A", "B"],
                "vod keys retire --stack film --region eu-west-1",
            ),
        ] {
            let ring = Ring {
                active: active.to_owned(),
                keys: ids.iter().map(|id| key(id)).collect(),
            };
            let text = next(&ring, "film", options);
            assert!(text.contains(&format!("`{words}`")), "{text}");
        }
    }
}
