//! `vod up`: runs the whole pipeline on this machine until it is stopped.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use vod_local::stack::{Stack, StackOptions};
use vod_local::web_origin::WebOrigin;
use vod_state::endpoints::Programs;
use vod_state::secrets::ChosenSecret;

use crate::{ffmpeg, output};

/// Run the whole pipeline on this machine
#[derive(Debug, clap::Args)]
#[command(after_long_help = vod_local::FAULT_SYNTAX)]
pub(crate) struct Args {
    /// Address of S3 and MediaConvert (SigV4); port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    api: SocketAddr,
    /// Address for viewers: videos, the signer, the page; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    edge: SocketAddr,
    /// URL of the edge for viewers, if they reach it through a tunnel or proxy
    #[arg(long, value_name = "URL")]
    edge_url: Option<String>,
    /// Let pages of this origin play videos and upload (CORS), for example `http://localhost:3000`; repeatable
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<WebOrigin>,
    /// Secret of the access key `vod`, instead of a random one; only if --api is a loopback address
    #[arg(long, value_name = "VALUE", env = "VOD_SECRET", hide_env_values = true)]
    secret: Option<ChosenSecret>,
    /// Maximum number of concurrent encodes (default: half the processors)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Maximum duration of a video in hours; a longer video ends in ERROR
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_hours: u16,
    /// Inject a fault, or the faults listed in a file (repeatable); see below
    #[arg(long = "fault", value_name = "FAULT|FILE")]
    faults: Vec<String>,
}

/// Runs `vod up` until Ctrl-C or SIGTERM.
pub(crate) async fn run(state: &Path, args: &Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let usable = ffmpeg::check(&Programs::find()).await;
    usable.with_context(|| format!("videos cannot be encoded on this machine: {}", ffmpeg::INSTALL))?;
    let options = StackOptions {
        state: state.to_owned(),
        api: args.api,
        edge: args.edge,
        edge_url: args.edge_url.clone(),
        allowed_origins: args.allowed_origins.clone(),
        secret: args.secret.clone(),
        jobs: args.jobs.map_or_else(default_jobs, usize::from),
        play_time: Duration::from_hours(args.max_hours.into()),
        faults: args.faults.clone(),
    };
    let stack = Stack::start(options)
        .await
        .with_context(|| format!("could not start the stack in `{}`", state.display()))?;
    let endpoints = stack.endpoints();
    let message = Started {
        state,
        api: &endpoints.api,
        edge: &endpoints.edge,
        bucket: &endpoints.bucket,
        page: stack.page(),
    };
    output::line(&message.text(&program(), started.elapsed().as_secs_f64()))?;
    if let Some(faults) = stack.faults() {
        output::note(&faults.to_string());
    }
    stack.run_until(stop()).await
}

/// An encode uses more than one thread, so fewer encodes run at once than there are processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |count| (count.get() / 2).max(1))
}

async fn stop() {
    output::interrupted().await;
    output::note("stopping; unfinished work continues at the next start");
}

/// The program's name as it was called, so that the printed commands work as they are.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "vod".to_owned())
}

/// The message about a stack that has started.
struct Started<'a> {
    state: &'a Path,
    api: &'a str,
    edge: &'a str,
    bucket: &'a str,
    page: &'a str,
}

impl Started<'_> {
    fn text(&self, program: &str, seconds: f64) -> String {
        let Self {
            api, edge, bucket, ..
        } = self;
        let state = self.state.display();
        // The default state folder needs no option.
        let vod = if self.state == Path::new(crate::STATE) {
            program.to_owned()
        } else {
            format!("{program} --state {state}")
        };
        format!(
            "ready after {seconds:.1} s\n\
             \n\
             \x20 API    {api}   S3 and MediaConvert, bucket {bucket}\n\
             \x20 Edge   {edge}   videos, the page and the signer\n\
             \x20 State  {state}   all data\n\
             \n\
             Upload a video from a second terminal:\n\
             \n\
             \x20 {vod} upload FILE.mp4 --wait\n\
             \n\
             or with the AWS CLI:\n\
             \n\
             \x20 eval \"$({vod} env)\"\n\
             \x20 aws s3 cp FILE.mp4 s3://{bucket}/input/\n\
             \n\
             Then:\n\
             \n\
             \x20 {vod} ls                      list all videos\n\
             \x20 {vod} show input/FILE.mp4     show the state of one\n\
             \x20 {vod} sign input/FILE.mp4     print links to watch it\n\
             \n\
             Or watch the videos in a browser (this link is valid for 30 days):\n\
             \n\
             \x20 {page}\n\
             \n\
             Press Ctrl-C to stop. The next start continues unfinished work.",
            page = self.page,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(state: &Path) -> Started<'_> {
        Started {
            state,
            api: "http://127.0.0.1:9000",
            edge: "http://127.0.0.1:8080",
            bucket: "vod",
            page: "http://127.0.0.1:8080/#token=TOKEN",
        }
    }

    #[test]
    fn the_next_commands_are_printed() {
        insta::assert_snapshot!(started(Path::new(".vod")).text("target/debug/vod", 0.42));
        let elsewhere = started(Path::new("/var/vod")).text("vod", 1.0);
        assert!(elsewhere.contains("vod --state /var/vod ls"), "{elsewhere}");
    }
}
