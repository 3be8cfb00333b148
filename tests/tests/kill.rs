//! `vod up` is killed with SIGKILL at random moments during a run of uploads: 15 times with 6 uploads, or as often as
//! `VOD_KILLS` says. `make sim` kills it 50 times.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::{LocalStack, clips, media, tools, wait};

/// Kills unless `VOD_KILLS` says otherwise.
const KILLS: usize = 15;
/// `ListJobs` returns at most 20 jobs per page.
const JOBS_PER_PAGE: usize = 20;
/// A stack lives so long at most, in milliseconds: an upload, its claim, a part of its encode.
const LIFE: u64 = 1500;

fn key(number: usize) -> String {
    format!("input/killed/clip-{number:02}.mp4")
}

/// An upload that the test does not wait for.
fn begin_upload(stack: &LocalStack, clip: &Path, number: usize) -> anyhow::Result<Child> {
    let name = key(number);
    Command::new(tools::built("vod")?)
        .arg("--state")
        .arg(stack.state())
        .arg("upload")
        .arg(clip)
        .args(["--key", name.trim_start_matches("input/")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("could not start vod upload")
}

/// Random moments that are the same in each run (a linear congruential generator, Knuth's constants).
fn moments() -> impl Iterator<Item = Duration> {
    let mut state: u64 = 20_261_121;
    std::iter::from_fn(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        Some(Duration::from_millis((state >> 33) % LIFE))
    })
}

/// Files below a folder.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

#[test]
fn kills_lose_nothing_and_encode_nothing_twice() -> anyhow::Result<()> {
    let kills = match std::env::var("VOD_KILLS") {
        Ok(kills) => kills.parse().context("VOD_KILLS is not a number")?,
        Err(_) => KILLS,
    };
    let uploads = kills * 2 / 5;
    ensure!(uploads <= JOBS_PER_PAGE, "VOD_KILLS is more than 50");
    let clip = clips::ordinary("320x180", 1.0)?;
    let mut stack = LocalStack::start()?;
    let mut left: Vec<usize> = (0..uploads).rev().collect();
    for (round, moment) in (0..kills).zip(moments()) {
        // Uploads are spread over the first rounds; later ones kill encodes, events and restarts.
        let number = left.pop();
        let upload = number
            .map(|number| begin_upload(&stack, &clip, number))
            .transpose()?;
        // Not a wait for something: the random moment is the test.
        std::thread::sleep(moment);
        stack.kill()?;
        if let (Some(mut upload), Some(number)) = (upload, number)
            && !upload.wait()?.success()
        {
            // Its owner saw that it failed, and uploads again.
            left.insert(0, number);
        }
        stack = stack
            .kill_and_start_again()
            .with_context(|| format!("start after kill {round}"))?;
    }
    for number in left {
        stack.upload(&clip, &key(number))?;
    }

    let keys: Vec<String> = (0..uploads).map(key).collect();
    stack.reconcile_until_complete(&keys)?;
    outputs_are_whole(&stack, uploads)?;
    assert_no_partial_files(&stack, uploads)?;
    each_is_encoded_once(&stack, uploads)?;
    let links = stack.vod_json(&["sign", &key(0)])?;
    let seconds = media::play(links["hls"].as_str().unwrap_or_default())?;
    ensure!(media::near(seconds, 1.0), "{seconds} s");
    for folder in ["work", "objects/tmp"] {
        wait::until("temporary files to go", wait::SOON, || {
            Ok(files(&stack.state().join(folder))?.is_empty().then_some(()))
        })?;
    }
    Ok(())
}

/// Of each upload the live attempt has as many files as that of every other.
fn outputs_are_whole(stack: &LocalStack, uploads: usize) -> anyhow::Result<()> {
    let mut counts = Vec::new();
    for number in 0..uploads {
        let record = stack.records(&key(number))?.pop().context("no record")?;
        let prefix = record["outputs"][0]["prefix"]
            .as_str()
            .context("no outputs")?
            .to_owned();
        counts.push(stack.keys(&prefix)?.len());
        ensure!(record.get("lease").is_none(), "{record:#}");
    }
    ensure!(
        counts.iter().all(|count| *count == counts[0]),
        "outputs differ: {counts:?}"
    );
    Ok(())
}

/// Under `output/`, whoever's it is: what a playlist names is there, each playlist has its end, each MP4 its index.
fn assert_no_partial_files(stack: &LocalStack, uploads: usize) -> anyhow::Result<()> {
    let mut playlists = 0;
    for file in files(&stack.download("output/")?)? {
        let path = Path::new(&file);
        let bytes = std::fs::read(path)?;
        ensure!(!bytes.is_empty(), "{file} is empty");
        match path.extension().and_then(|suffix| suffix.to_str()) {
            Some("m3u8") => {
                let text = String::from_utf8(bytes)?;
                let folder = path.parent().context("a file lies in a folder")?;
                let missing = text
                    .lines()
                    .filter(|line| !line.is_empty() && !line.starts_with('#'))
                    .find(|uri| !folder.join(uri).is_file());
                ensure!(missing.is_none(), "{file} names {missing:?}");
                ensure!(
                    text.contains("#EXT-X-STREAM-INF") || text.contains("#EXT-X-ENDLIST"),
                    "{file} has no end"
                );
                playlists += 1;
            }
            Some("mp4") => ensure!(
                bytes.windows(4).any(|name| name == b"moov"),
                "{file} has no index"
            ),
            _ => {}
        }
    }
    ensure!(playlists > uploads, "{playlists} playlists of {uploads} uploads");
    Ok(())
}

/// Attempts that a kill has ended may be there; one of each upload has succeeded, and no more.
fn each_is_encoded_once(stack: &LocalStack, uploads: usize) -> anyhow::Result<()> {
    let answer = stack.aws_json(&["mediaconvert", "list-jobs", "--status", "COMPLETE"])?;
    let jobs: &Vec<Value> = answer["Jobs"].as_array().context("no jobs")?;
    let mut inputs: Vec<&str> = jobs
        .iter()
        .filter_map(|job| job["Settings"]["Inputs"][0]["FileInput"].as_str())
        .collect();
    inputs.sort_unstable();
    inputs.dedup();
    // More jobs than fit into a page would have another.
    ensure!(
        answer["NextToken"].is_null(),
        "more than {uploads} jobs succeeded"
    );
    ensure!(
        (jobs.len(), inputs.len()) == (uploads, uploads),
        "{} jobs of {} inputs succeeded",
        jobs.len(),
        inputs.len()
    );
    Ok(())
}
