//! The `vod` command: runs the pipeline on one machine, and works with one wherever it runs.
//!
//! Exit codes: 0 done, 1 not done (the reason is on standard error), 2 wrong usage.

mod aws;
mod check;
mod dead_letters;
mod doctor;
mod env;
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
mod up;
mod upload;
mod wire;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::stack::{Choice, Stack};

/// Where a local stack keeps everything, unless --state says otherwise.
const STATE: &str = ".vod";
/// Of each thread, as the main thread of a Lambda has: the SDK nests its futures so deeply that in a build without
/// optimisation 2 MiB, which is the default, are not enough for all functions.
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
    DeadLetters(dead_letters::Args),
    Doctor(doctor::Args),
    Check(check::Args),
}

fn main() -> ExitCode {
    vod_local::confine::launch_if_asked();
    let cli = Cli::parse();
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

async fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let choice = &cli.choice;
    let find = || Stack::find(choice);
    match &cli.command {
        Command::Up(args) => {
            choice.local_only("up", "`infra/deploy.sh --stack NAME` brings one to AWS")?;
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
        Command::DeadLetters(args) => dead_letters::run(&find().await?, args).await?,
        Command::Keys(args) => return keys::run(choice, args).await,
        Command::Doctor(args) => return doctor::run(choice, args).await,
        Command::Check(args) => return check::run(choice, args).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What is logged unless `VOD_LOG` says otherwise.
fn log(command: &Command) {
    logs::init(match command {
        // The signer logs each answer: who waits for an upload asks twice a second.
        Command::Up(_) => "info,signer=warn",
        // What goes wrong with credentials is told in our own words.
        _ => "warn,aws_config=off,aws_runtime=off",
    });
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_contract_of_up() {
        let cli = Cli::parse_from(["vod", "up"]);
        assert_eq!(cli.choice.state, std::path::PathBuf::from(".vod"));
        for wrong in [
            &["vod", "up", "--jobs", "0"][..],
            &["vod", "up", "--api", "here"],
            &["vod", "up", "--allowed-origin", "*"],
            &["vod", "show", "film.mp4"],
            &["vod", "sign", "input/x", "--ttl", "soon"],
            &["vod"],
        ] {
            assert!(Cli::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
