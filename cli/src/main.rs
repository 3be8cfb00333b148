//! The `vod` command: runs the pipeline on one machine, and works with a stack anywhere.
//!
//! Exit codes: 0 success, 1 failure (the reason is on standard error), 2 wrong usage.

mod aws;
mod check;
mod dead_letters;
mod doctor;
mod env;
mod explain;
mod ffmpeg;
mod http;
mod keys;
mod list;
mod logs;
mod output;
mod reconcile;
mod remove;
mod show;
mod sign;
mod stack;
mod target;
mod token;
#[cfg_attr(not(feature = "local"), path = "up_absent.rs")]
mod up;
mod upload;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Arg, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::stack::{Choice, Stack};

/// The default state folder of a local stack.
const STATE: &str = ".vod";
/// Stack size of each thread, the same as a Lambda's main thread: the SDK nests its futures so deeply that the default of
/// 2 MiB is too small in a build without optimization.
const STACK: usize = 8 << 20;

/// Videos on demand: from an upload to a link that can be watched
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    choice: Choice,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg_attr(not(feature = "local"), command(hide = true))]
    Up(up::Args),
    Upload(upload::Args),
    Ls(list::Args),
    Show(show::Args),
    Sign(sign::Args),
    Token(token::Args),
    Env(env::Args),
    Keys(keys::Args),
    Reconcile(reconcile::Args),
    Rm(remove::Args),
    Restore(remove::RestoreArgs),
    DeadLetters(dead_letters::Args),
    Doctor(doctor::Args),
    Check(check::Args),
    #[command(hide = true)]
    ExplainError,
}

fn main() -> ExitCode {
    transcode::confine::launch_if_asked();
    let matches = command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    log(&cli.command);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK)
        .build();
    let done = runtime
        .context("could not start")
        .and_then(|runtime| runtime.block_on(run(&cli)));
    match done {
        Ok(code) => code,
        Err(error) => {
            output::note(&format!("error: {}", aws::in_one_line(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The command line. `vod up` and `vod env` accept options for stacks on AWS only to explain what to do instead, so their
/// help does not show them.
fn command() -> clap::Command {
    let hide = |command: clap::Command| {
        ["stack", "region", "profile", "token"]
            .into_iter()
            .fold(command, |command, name| {
                command.arg(Arg::new(name).long(name).hide(true))
            })
    };
    Cli::command()
        .mut_subcommand("up", hide)
        .mut_subcommand("env", hide)
}

async fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let choice = &cli.choice;
    let find = || Stack::find(choice);
    match &cli.command {
        Command::Up(args) => {
            choice.local_only("up", "`infra/deploy.sh --stack NAME` deploys a stack to AWS")?;
            up::run(&choice.state, args).await?;
        }
        Command::Upload(args) => return upload::run(&find().await?, args).await,
        Command::Ls(args) => list::run(&find().await?, args).await?,
        Command::Show(args) => show::run(&find().await?, args).await?,
        Command::Sign(args) => sign::run(&find().await?, args).await?,
        Command::Token(args) => token::run(choice, args).await?,
        Command::Env(args) => env::run(choice, args)?,
        Command::Reconcile(args) => return reconcile::run(&find().await?, args).await,
        Command::Rm(args) => remove::run(&find().await?, args).await?,
        Command::Restore(args) => remove::restore(&find().await?, args).await?,
        Command::DeadLetters(args) => dead_letters::run(&find().await?, args).await?,
        Command::Keys(args) => return keys::run(choice, args).await,
        Command::Doctor(args) => return doctor::run(choice, args).await,
        Command::Check(args) => return check::run(choice, args).await,
        Command::ExplainError => explain::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts logging; `VOD_LOG` overrides the default levels.
fn log(command: &Command) {
    logs::init(match command {
        // The signer logs each response, and a client that waits for an upload asks twice a second.
        Command::Up(_) => "info,signer=warn",
        // The command explains problems with credentials itself.
        _ => "warn,aws_config=off,aws_runtime=off",
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn help_offers_what_is_taken() {
        let help = |name: &str| {
            let mut command = command();
            command.build();
            let found = command.find_subcommand_mut(name).unwrap();
            found.render_long_help().to_string()
        };
        for option in ["--stack", "--region", "--profile", "--token"] {
            assert!(!help("up").contains(option), "{option}");
            assert!(!help("env").contains(option), "{option}");
            assert!(help("ls").contains(option), "{option}");
        }
        assert!(help("up").contains("--state"));
        let offers_up = command().render_long_help().to_string().contains("\n  up ");
        assert_eq!(offers_up, cfg!(feature = "local"));
        // --stack is read before and after the command's name, so that `up` and `env` can say what to do instead.
        for args in [
            ["vod", "up", "--stack", "films"],
            ["vod", "env", "--stack", "films"],
            ["vod", "--stack", "films", "up"],
        ] {
            let matches = command().try_get_matches_from(args).unwrap();
            let cli = Cli::from_arg_matches(&matches).unwrap();
            assert_eq!(cli.choice.stack.as_deref(), Some("films"), "{args:?}");
        }
    }

    #[test]
    fn the_contract_of_up() {
        let cli = Cli::parse_from(["vod", "up"]);
        assert_eq!(cli.choice.state, std::path::PathBuf::from(".vod"));
        #[cfg(feature = "local")]
        for wrong in [["--jobs", "0"], ["--api", "here"], ["--allowed-origin", "*"]] {
            let args = ["vod", "up"].into_iter().chain(wrong);
            assert!(Cli::try_parse_from(args).is_err(), "{wrong:?}");
        }
        for wrong in [
            &["vod", "show", "film.mp4"][..],
            &["vod", "sign", "input/x", "--ttl", "soon"],
            &["vod"],
        ] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
