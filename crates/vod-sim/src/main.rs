//! `make sim`: the functions' own crates and the real SDK against services in this process, in virtual time, under
//! seeded faults. It fails when an upload is lost or encoded twice, and when a video that was taken down comes back.
//!
//! Time is virtual through `vod_aws::set_time`, the one seam through which functions and SDK wait and look at the
//! clock: tokio's paused time would need its test features in every build of the workspace.

mod call;
mod events;
mod http;
mod mediaconvert;
mod meter;
mod options;
mod report;
mod s3;
mod time;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use clap::Parser;
use jiff::SignedDuration;
use pipeline::{Complete, Config, Delays, Reconcile, Services, Submit, TakeDown};
use vod_aws::{AwsConfig, MediaConvert};

use crate::events::Wiring;
use crate::options::{Options, chance};
use crate::report::Upload;
use crate::world::{BUCKET, World};

/// After the last upload everything must be done within this.
const TIMEOUT: Duration = Duration::from_hours(6);
/// Between two looks whether all is done.
const LOOK: Duration = Duration::from_secs(30);
/// What late events may still spoil, they spoil within this.
const AFTERMATH: Duration = Duration::from_mins(40);

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    vod_aws::set_time(vod_aws::Time {
        now: time::now,
        sleep: time::sleep,
    });
    // The SDK takes its jitter from here.
    fastrand::seed(options.seed);
    let started = Instant::now();
    let world = World::new(options);
    let course = world.clone();
    let uploads =
        time::run(async move { simulate(course).await }).context("the simulation makes no progress")??;
    let faults = report::faults(&world.state(), &uploads);
    report::print(&world, &faults, started, &mut std::io::stdout().lock())?;
    Ok(if faults.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn simulate(world: World) -> anyhow::Result<Vec<Upload>> {
    wire(&world)?;
    let mut uploads: Vec<Upload> = Vec::with_capacity(world.options.uploads);
    // Uploads to be replaced, by their place in `uploads`, and when.
    let mut replaced: BTreeMap<Duration, usize> = BTreeMap::new();
    let gap = 3600.0 / world.options.rate;
    for number in 0..world.options.uploads {
        let upload = upload(&world, key(number), number);
        let removals = chance::REMOVED * world.options.removals;
        if removals > 0.0 && world.happens("videos removed", removals) {
            events::remove(&world, upload.id());
        }
        uploads.push(upload);
        if world.happens("uploads replaced", chance::REPLACED) {
            let pause = world.between(0.0, 1200.0);
            replaced.insert(time::elapsed() + pause, uploads.len() - 1);
        }
        time::sleep(world.between(0.0, gap * 2.0)).await;
        while let Some(first) = replaced
            .first_entry()
            .filter(|first| *first.key() <= time::elapsed())
        {
            replace(&world, &mut uploads, first.remove());
        }
    }
    for (at, index) in replaced {
        time::sleep(at.saturating_sub(time::elapsed())).await;
        replace(&world, &mut uploads, index);
    }
    let limit = time::elapsed() + TIMEOUT;
    while !world.state().is_settled(uploads.len()) && time::elapsed() < limit {
        time::sleep(LOOK).await;
    }
    time::sleep(AFTERMATH).await;
    Ok(uploads)
}

/// The functions with the real SDK, whose HTTP ends in this process.
fn wire(world: &World) -> anyhow::Result<()> {
    let aws = AwsConfig {
        region: "us-east-1".to_owned(),
        access_key_id: "simulated".to_owned(),
        secret_access_key: "simulated".to_owned(),
        session_token: None,
        s3_endpoint: Some("http://s3.simulated".to_owned()),
        mediaconvert_endpoint: Some("http://mediaconvert.simulated".to_owned()),
    };
    let s3 = vod_aws::s3_over(http::client(world), &aws);
    let mediaconvert = MediaConvert::new(vod_aws::mediaconvert_over(http::client(world), &aws));
    let services = Services::new(s3, mediaconvert, BUCKET).metered(meter::meter(world));
    let config = Config::local(BUCKET)?;
    let delays = Delays {
        grace: SignedDuration::from_mins(15),
        retry: SignedDuration::from_mins(5),
    };
    let (application, outputs) = (config.jobs.application.clone(), config.jobs.output_bucket.clone());
    let submit = Submit::new(services.clone(), config);
    let wiring = Wiring {
        complete: Complete::new(services.clone(), application),
        take_down: TakeDown::new(services.clone(), &outputs),
        reconcile: Reconcile::new(services, submit.clone(), delays),
        submit,
        queue: Mutex::default(),
    };
    wiring.start(world);
    Ok(())
}

fn key(number: usize) -> String {
    format!("input/{:02}/clip-{number:07}.mp4", number % 100)
}

/// The same key again: a new version, and a new asset. Its event's place in S3's order comes after all first ones.
fn replace(world: &World, uploads: &mut Vec<Upload>, index: usize) {
    uploads[index].replaced = true;
    let again = upload(
        world,
        uploads[index].key.clone(),
        world.options.uploads + uploads.len(),
    );
    uploads.push(again);
}

fn upload(world: &World, key: String, number: usize) -> Upload {
    // Not a real file: the simulated MediaConvert reports the result of a probe.
    let body = Bytes::from_static(b"these bytes represent a video");
    let size = body.len();
    let mut state = world.state();
    let etag = state.put(key.clone(), body);
    let version = state.objects.get(&key).and_then(|object| object.version.clone());
    drop(state);
    let upload = Upload {
        key,
        etag,
        version,
        replaced: false,
    };
    events::uploaded(world, &upload, size, number);
    upload
}
