//! `vod keys`: the keys that sign links, and changing them while people watch.
//!
//! The local stack's keys are in `secrets.json`. Those of a stack on AWS are in Secrets Manager, and CloudFront has to
//! learn a new one before it may sign.

mod cloud;
mod secret;

use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use serde_json::json;
use vod_core::cloudfront::Algorithm;
use vod_core::cloudfront::ring::{Ring, RingKey, Stage};
use vod_local::secrets::Secrets;

use self::cloud::Session;
use crate::output;
use crate::stack::Choice;

/// Exit code of a command that Ctrl-C ended, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// Look after the keys that sign links; links that were made before stay good until they expire
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print what there is, or what was done, as JSON
    #[arg(long, global = true)]
    json: bool,
    /// Show each call to AWS that would change something, and change nothing (with --stack)
    #[arg(long, global = true)]
    plan: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys and say what is next (the default)
    Show,
    /// Make the keys of a stack on AWS if they are missing, and bring back those that wait for deletion
    Ensure {
        /// The kind of a new signing key
        #[arg(long, value_enum, ignore_case = true, default_value_t = Kind::Es256)]
        algorithm: Kind,
    },
    /// Make a new key and sign with it; on AWS once CloudFront knows it everywhere
    Rotate {
        /// The kind of the new key
        #[arg(long, value_enum, ignore_case = true, default_value_t = Kind::Es256)]
        algorithm: Kind,
        /// How long CloudFront gets to bring a new key to all edges
        #[arg(long, value_name = "SECONDS", env = "VOD_SPREAD_SECONDS", default_value_t = SPREAD_SECONDS)]
        spread: u64,
    },
    /// Remove the old key of a stack on AWS, 7 days after a rotation
    Retire {
        /// Do not wait for the 7 days: links that the old key signed end at once
        #[arg(long)]
        now: bool,
    },
    /// Remove a key of the local stack that signs no more: links that it signed end at once
    Remove {
        /// Its id, as in the links' Key-Pair-Id
        id: String,
    },
}

/// A key group reaches all edges within minutes.
const SPREAD_SECONDS: u64 = 300;

/// Kinds of keys that CloudFront takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// ECDSA over P-256: short links
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
                "`vod keys remove` is for the local stack: `vod keys retire{}` takes the old key of a stack on AWS",
                choice.options()
            ),
        }
    };
    tokio::select! {
        done = work => done.map(|()| ExitCode::SUCCESS),
        () = output::interrupted() => {
            output::note("interrupted: run the same command again, it goes on where this one stopped");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

fn local(choice: &Choice, action: &Action, args: &Args) -> anyhow::Result<()> {
    ensure!(!args.plan, "--plan is for a stack on AWS: name one with --stack");
    let state = &choice.state;
    match action {
        Action::Show => {
            let secrets = Secrets::read(state)?.with_context(|| {
                let state = state.display();
                format!("no stack was ever started on `{state}`: start it with `vod up`, or name its folder with --state")
            })?;
            print(&secrets.ring()?, args.json, json!({}))
        }
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
            bail!("`vod up` makes the keys of a local stack; name a stack on AWS with --stack")
        }
        Action::Retire { .. } => bail!(
            "`vod keys{} remove ID` takes a key of the local stack; name a stack on AWS with --stack",
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

/// What is to be done next with the keys of a stack on AWS.
fn next(ring: &Ring, stack: &str, options: &str) -> String {
    match ring.stage() {
        Stage::Empty => format!("no keys yet: `infra/deploy.sh --stack {stack}` makes them"),
        Stage::Steady => format!("next: nothing; `vod keys rotate{options}` when you want a new key"),
        Stage::Rotating => {
            format!("next: `vod keys rotate{options}` again, a rotation has been interrupted")
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
    fn what_is_next_can_be_pasted() {
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
