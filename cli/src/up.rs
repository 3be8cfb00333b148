//! `vod up`: the whole pipeline on this machine, until it is told to stop.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use vod_local::endpoints::Programs;
use vod_local::secrets::ChosenSecret;
use vod_local::stack::{Stack, StackOptions};
use vod_local::web_origin::WebOrigin;

use crate::{ffmpeg, output};

/// Run the whole pipeline on this machine
#[derive(Debug, clap::Args)]
#[command(after_long_help = vod_local::fault::SYNTAX)]
pub(crate) struct Args {
    /// Where S3 and MediaConvert answer (SigV4); port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9000")]
    api: SocketAddr,
    /// Where viewers come: videos, the signer, the page; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    edge: SocketAddr,
    /// How viewers reach the edge, where that is not its address (a tunnel, a proxy)
    #[arg(long, value_name = "URL")]
    edge_url: Option<String>,
    /// Let pages of this origin play videos and upload (CORS), such as `http://localhost:3000`; repeatable
    #[arg(long = "allowed-origin", value_name = "ORIGIN")]
    allowed_origins: Vec<WebOrigin>,
    /// The secret of the access key `vod`, instead of a random one; only with an --api on loopback
    #[arg(long, value_name = "VALUE", env = "VOD_SECRET", hide_env_values = true)]
    secret: Option<ChosenSecret>,
    /// Encodes at once (default: half the processors)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Longest video that is encoded, in hours of play time; a longer one ends in ERROR
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u16).range(1..=1000))]
    max_hours: u16,
    /// Let something go wrong, or all that a file says (repeatable); see below
    #[arg(long = "fault", value_name = "FAULT|FILE")]
    faults: Vec<String>,
}

/// Runs `vod up`: returns when it is told to stop (Ctrl-C, SIGTERM).
pub(crate) async fn run(state: &Path, args: &Args) -> anyhow::Result<()> {
    let begun = Instant::now();
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
        .with_context(|| format!("could not start the stack on `{}`", state.display()))?;
    let endpoints = stack.endpoints();
    let told = Told {
        state,
        api: &endpoints.api,
        edge: &endpoints.edge,
        bucket: &endpoints.bucket,
        page: stack.page(),
    };
    output::line(&told.text(&program(), begun.elapsed().as_secs_f64()))?;
    if let Some(faults) = stack.faults() {
        output::note(&faults.to_string());
    }
    stack.run_until(stop()).await
}

/// An encode uses more than one thread, so fewer run at once than there are processors.
fn default_jobs() -> usize {
    std::thread::available_parallelism().map_or(1, |count| (count.get() / 2).max(1))
}

async fn stop() {
    output::interrupted().await;
    output::note("stopping; what is under way goes on at the next start");
}

/// How this program was called, so that the lines to copy work as they are.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "vod".to_owned())
}

/// What a person needs to know of a stack that has started.
struct Told<'a> {
    state: &'a Path,
    api: &'a str,
    edge: &'a str,
    bucket: &'a str,
    page: &'a str,
}

impl Told<'_> {
    fn text(&self, program: &str, seconds: f64) -> String {
        let Self {
            api, edge, bucket, ..
        } = self;
        let state = self.state.display();
        // Only where it is not the default does the state folder have to be named.
        let vod = if self.state == Path::new(crate::STATE) {
            program.to_owned()
        } else {
            format!("{program} --state {state}")
        };
        format!(
            "ready after {seconds:.1} s\n\
             \n\
             \x20 API    {api}   S3 and MediaConvert, bucket {bucket}\n\
             \x20 Edge   {edge}   what viewers see, and the signer\n\
             \x20 State  {state}   everything that is kept\n\
             \n\
             Put a video in, from a second terminal:\n\
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
             \x20 {vod} ls                      what there is\n\
             \x20 {vod} show input/FILE.mp4     how it went\n\
             \x20 {vod} sign input/FILE.mp4     links to watch it\n\
             \n\
             Or watch them in a browser (the link is good for 30 days):\n\
             \n\
             \x20 {page}\n\
             \n\
             Ctrl-C stops it. Nothing is lost: the next start goes on where this one stopped.",
            page = self.page,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: &Path) -> Told<'_> {
        Told {
            state,
            api: "http://127.0.0.1:9000",
            edge: "http://127.0.0.1:8080",
            bucket: "vod",
            page: "http://127.0.0.1:8080/#token=TOKEN",
        }
    }

    #[test]
    fn what_to_type_next() {
        insta::assert_snapshot!(told(Path::new(".vod")).text("target/debug/vod", 0.42));
        let elsewhere = told(Path::new("/var/vod")).text("vod", 1.0);
        assert!(elsewhere.contains("vod --state /var/vod ls"), "{elsewhere}");
    }
}
