//! `vod up --fault`: what goes wrong on purpose ends well.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use vod_tests::{LocalStack, clips, tools, wait};

/// All jobs, newest first.
fn jobs(stack: &LocalStack) -> anyhow::Result<Vec<Value>> {
    let answer = stack.aws_json(&["mediaconvert", "list-jobs"])?;
    Ok(answer["Jobs"].as_array().context("no jobs")?.clone())
}

fn input(job: &Value) -> &str {
    job["Settings"]["Inputs"][0]["FileInput"]
        .as_str()
        .unwrap_or_default()
}

/// A file of faults that can be changed while the stack runs.
struct FaultFile {
    path: PathBuf,
}

impl FaultFile {
    fn new(folder: &Path, lines: &[&str]) -> anyhow::Result<Self> {
        let path = folder.join("faults");
        std::fs::write(&path, lines.join("\n"))?;
        Ok(Self { path })
    }

    fn text(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }

    /// Writes others and waits until the stack says that they count: once more, if it has said so before.
    fn change(&self, stack: &LocalStack, lines: &[&str], told: &str) -> anyhow::Result<()> {
        let said = || anyhow::Ok(stack.log()?.matches(told).count());
        let before = said()?;
        std::fs::write(&self.path, lines.join("\n"))?;
        wait::until(told, wait::SOON, || Ok((said()? > before).then_some(())))
    }
}

/// Of each upload exactly one job has succeeded.
fn each_is_encoded_once(stack: &LocalStack, keys: &[String]) -> anyhow::Result<()> {
    let jobs = jobs(stack)?;
    for key in keys {
        let of_it = jobs.iter().filter(|job| input(job).ends_with(&format!("/{key}")));
        let succeeded = of_it.filter(|job| job["Status"] == "COMPLETE").count();
        ensure!(succeeded == 1, "{succeeded} jobs of {key} succeeded: {jobs:#?}");
    }
    Ok(())
}

/// A master playlist is the last file of an attempt: where it is, the whole attempt is.
fn masters(stack: &LocalStack) -> anyhow::Result<usize> {
    let keys = stack.keys("output/")?;
    Ok(keys.iter().filter(|key| key.ends_with("/hls/video.m3u8")).count())
}

/// Files of encodes and of uploads that are under way.
fn temporary(stack: &LocalStack) -> anyhow::Result<usize> {
    let mut count = 0;
    for folder in ["work", "objects/tmp"] {
        count += std::fs::read_dir(stack.state().join(folder))?.count();
    }
    Ok(count)
}

/// `VOD_SEED` is for another storm than the usual one, or for one of which the seed is known.
#[test]
fn a_storm_loses_nothing_and_encodes_nothing_twice() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let seed = std::env::var("VOD_SEED").unwrap_or_else(|_| "20261121".to_owned());
    let seed = format!("seed={seed}");
    let storm = [
        seed.as_str(),
        "uploads.drop=@2",
        "events.drop=0.1",
        "events.duplicate=0.3",
        "events.delay=0.2:100-2000",
        "events.reorder=0.2",
        "s3.500=0.03",
        "s3.503=0.05",
        "s3.409=0.1",
        "s3.lost=0.02",
        "s3.slow=0.05:50-500",
        "mediaconvert.500=0.05",
        "mediaconvert.503=0.05",
        "CreateJob.429=0.3",
        "CreateJob.lost=@2",
        "PutObject.crash-after=@4",
        "SearchJobs.crash-before=0.1",
        "ffmpeg.kill=@1:0-100",
    ];
    let file = FaultFile::new(folder.path(), &storm)?;
    let stack = LocalStack::start_with(&["--fault", &file.text()])?;
    let told = format!("faults are on: {} {seed}", storm[1..].join(" "));
    ensure!(stack.log()?.contains(&told), "{}", stack.log()?);

    let clip = clips::ordinary("320x180", 1.0)?;
    let keys: Vec<String> = (0..6)
        .map(|number| format!("input/storm/clip {number}.mp4"))
        .collect();
    for key in &keys {
        // Whoever uploads tries again as well.
        wait::until(key, wait::SOON, || Ok(stack.upload(&clip, key).ok()))?;
    }
    // As long as it takes until somebody looks after the storm.
    let struck = |fault: &str| Ok(stack.log()?.contains(&format!("fault=\"{fault}\"")).then_some(()));
    for fault in [
        "CreateJob.lost",
        "PutObject.crash-after",
        "uploads.drop",
        "ffmpeg.kill",
    ] {
        wait::until(fault, wait::ENCODE, || struck(fault))
            .with_context(|| stack.log().unwrap_or_default())?;
    }
    file.change(&stack, &[], "faults are off")?;
    stack.reconcile_until_complete(&keys)?;
    each_is_encoded_once(&stack, &keys)?;
    ensure!(masters(&stack)? == keys.len(), "one live attempt each");
    Ok(())
}

#[test]
fn a_function_that_dies_right_after_createjob_has_made_one_job() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--fault", "CreateJob.crash-after=@1"])?;
    let key = "input/a.mp4".to_owned();
    stack.upload(&clips::ordinary("320x180", 1.0)?, &key)?;
    wait::until("the invocation to die", wait::SOON, || {
        Ok(stack.log()?.contains("the invocation ends here").then_some(()))
    })?;
    stack.reconcile_until_complete(&[key])?;
    let jobs = jobs(&stack)?;
    ensure!(jobs.len() == 1, "{} jobs", jobs.len());
    Ok(())
}

#[test]
fn a_process_that_dies_right_after_createjob_has_made_one_job() -> anyhow::Result<()> {
    let mut stack = LocalStack::start_with(&["--fault", "CreateJob.exit-after=@1"])?;
    let key = "input/a.mp4".to_owned();
    stack.upload(&clips::ordinary("320x180", 1.0)?, &key)?;
    let status = stack.wait_for_its_end()?;
    ensure!(!status.success(), "{status}");
    let stack = stack.kill_and_start_again()?;
    stack.reconcile_until_complete(&[key])?;
    let jobs = jobs(&stack)?;
    ensure!(jobs.len() == 1, "{} jobs", jobs.len());
    Ok(())
}

#[test]
fn a_wrong_fault_is_told_with_all_that_there_are() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(tools::built("vod")?);
    command
        .arg("--state")
        .arg(folder.path())
        .args(["up", "--api", "127.0.0.1:0", "--edge", "127.0.0.1:0"]);
    let output = tools::output(command.args(["--fault", "s3.418=0.5"]))?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{text}");
    for part in [
        "`s3.418=0.5`",
        "`s3` has no fault `418`",
        "events.drop=0.05",
        "seed=42",
    ] {
        ensure!(text.contains(part), "{part} is not in: {text}");
    }
    Ok(())
}

/// What fills the disk and makes room again.
trait Room {
    /// No more than `left` bytes for the stack from here on.
    fn fill(&self, stack: &LocalStack, left: u64) -> anyhow::Result<()>;
    fn make(&self, stack: &LocalStack) -> anyhow::Result<()>;
}

/// The budget of `disk.full`.
struct Budget(FaultFile);

impl Room for Budget {
    fn fill(&self, stack: &LocalStack, left: u64) -> anyhow::Result<()> {
        let line = format!("disk.full={}", used(&stack.state())? + left);
        self.0.change(stack, &[&line], &line)
    }

    fn make(&self, stack: &LocalStack) -> anyhow::Result<()> {
        self.0.change(stack, &["disk.full=10G"], "disk.full=10737418240")
    }
}

fn used(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // What vanishes meanwhile counts for nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        bytes += if metadata.is_dir() {
            used(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(bytes)
}

/// A small disk of the test's own, mounted where the state goes, and a file that takes up its room.
struct SmallDisk {
    mount: PathBuf,
}

impl SmallDisk {
    /// None where this user may not mount.
    fn mount(mount: PathBuf) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir(&mount)?;
        let mut command = Command::new("mount");
        command
            .args(["-t", "tmpfs", "-o", "size=192m,mode=700", "vod-test"])
            .arg(&mount);
        let mounted = tools::output(&mut command)?.status.success();
        Ok(mounted.then_some(Self { mount }))
    }

    fn ballast(&self) -> PathBuf {
        self.mount.join("ballast")
    }
}

impl Room for SmallDisk {
    fn fill(&self, _: &LocalStack, left: u64) -> anyhow::Result<()> {
        let mut command = Command::new("df");
        command
            .args(["--output=avail", "--block-size=1"])
            .arg(&self.mount);
        let free = tools::run(&mut command)?;
        let free: u64 = free.lines().nth(1).context("no figure")?.trim().parse()?;
        // Zeros that are written, not a hole. The stack may be quicker to take the last of it.
        let mut zeros = std::io::Read::take(std::io::repeat(0), free.saturating_sub(left));
        let mut ballast = std::fs::File::options();
        let mut ballast = ballast.create(true).append(true).open(self.ballast())?;
        match std::io::copy(&mut zeros, &mut ballast) {
            Err(error) if error.kind() != std::io::ErrorKind::StorageFull => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn make(&self, _: &LocalStack) -> anyhow::Result<()> {
        Ok(std::fs::remove_file(self.ballast())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the stack may end a moment later. If it fails there is nothing mounted.
        let _ = Command::new("umount").arg("--lazy").arg(&self.mount).status();
    }
}

/// An upload, and an encode, that meet a full disk; then there is room again.
fn a_full_disk_is_got_over(stack: &LocalStack, disk: &dyn Room) -> anyhow::Result<()> {
    let (small, large) = (clips::ordinary("320x180", 1.0)?, stack.scratch().join("large"));
    std::fs::write(&large, vec![7; 24 << 20])?;
    stack.upload(&small, "input/before.mp4")?;
    stack.wait_for_complete("input/before.mp4")?;

    // In mid-upload, in one piece and in parts.
    disk.fill(stack, 2 << 20)?;
    for key in ["input/one-piece.mp4", "input/in-parts.mp4"] {
        let put = if key.contains("parts") {
            stack.upload(&large, key)
        } else {
            stack.put_file(key, &large)
        };
        let refused = put.err().with_context(|| format!("{key} found room"))?;
        let refused = format!("{refused:#}");
        ensure!(refused.contains("InsufficientStorage"), "{refused}");
    }
    wait::until("cut uploads to leave nothing", wait::SOON, || {
        Ok((temporary(stack)? == 0).then_some(()))
    })?;
    ensure!(stack.keys("input/")?.len() == 1, "{:?}", stack.keys("input/")?);
    disk.make(stack)?;

    // In mid-encode: long enough that the disk fills up before it ends.
    let film = clips::ordinary("1280x720", 12.0)?;
    stack.upload(&film, "input/film.mp4")?;
    stack.wait_for("input/film.mp4", &["PROGRESSING"], wait::SOON)?;
    wait::until("the encode to begin", wait::SOON, || {
        Ok((temporary(stack)? > 0).then_some(()))
    })?;
    disk.fill(stack, 0)?;
    wait::until("the encode to end", wait::SOON, || {
        Ok((temporary(stack)? == 0).then_some(()))
    })?;
    ensure!(
        masters(stack)? == 1,
        "half an encode is visible: {:?}",
        stack.keys("output/")?
    );
    disk.make(stack)?;

    wait::until("the job to end in an error", wait::SOON, || {
        let jobs = jobs(stack)?;
        let failed = jobs.iter().find(|job| job["Status"] == "ERROR");
        let Some(failed) = failed else { return Ok(None) };
        ensure!(
            failed["ErrorCode"] == 1507 && input(failed).ends_with("film.mp4"),
            "{failed:#}"
        );
        Ok(Some(()))
    })?;
    let keys = ["input/film.mp4".to_owned(), "input/before.mp4".to_owned()];
    stack.reconcile_until_complete(&keys)?;
    each_is_encoded_once(stack, &keys)?;
    stack.upload(&small, "input/after.mp4")?;
    stack.wait_for_complete("input/after.mp4")?;
    Ok(())
}

#[test]
fn a_full_disk_refuses_uploads_and_ends_encodes_until_there_is_room() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = FaultFile::new(folder.path(), &["disk.full=10G"])?;
    let stack = LocalStack::start_with(&["--fault", &file.text()])?;
    a_full_disk_is_got_over(&stack, &Budget(file))
}

/// The operating system's own word for it, from everybody who writes: S3, SQLite, ffmpeg. Who may not mount a disk
/// has the budget tested twice.
#[test]
fn a_disk_that_is_really_full_is_got_over_too() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = FaultFile::new(folder.path(), &["disk.full=10G"])?;
    let home = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(home.path().join("state"))? else {
        return a_full_disk_is_got_over(
            &LocalStack::start_with(&["--fault", &file.text()])?,
            &Budget(file),
        );
    };
    let stack = LocalStack::start_in(home, &[])?;
    let disk = disk; // Unmounted before the stack's folder is removed.
    a_full_disk_is_got_over(&stack, &disk)
}

/// `vod rm` needs room itself: for its tombstone, and for the log of the database.
fn a_video_is_removed_from_a_full_disk(stack: &LocalStack, disk: &dyn Room) -> anyhow::Result<()> {
    let (key, small) = ("input/before.mp4", clips::ordinary("320x180", 1.0)?);
    stack.upload(&small, key)?;
    let asset = stack.wait_for_complete(key)?["id"].clone();
    let asset = asset.as_str().context("no id")?;
    wait::until("the reserve", wait::SOON, || {
        Ok(stack.state().join("reserve").exists().then_some(()))
    })?;
    wait::until("a write to be refused", wait::SOON, || {
        disk.fill(stack, 0)?;
        Ok(stack.put("kept/small", b"small").is_err().then_some(()))
    })?;

    stack.vod_json(&["rm", asset, "--yes", "--purge"])?;
    ensure!(stack.keys(&format!("output/{asset}/"))?.is_empty());
    ensure!(stack.keys("input/")?.is_empty() && stack.records(key)?.is_empty());
    stack.put("kept/small", b"small")?;
    disk.make(stack)?;
    wait::until("the reserve to be made again", wait::SOON, || {
        Ok(stack.state().join("reserve").exists().then_some(()))
    })?;
    stack.upload(&small, key)?;
    stack.wait_for_complete(key)?;
    Ok(())
}

#[test]
fn vod_rm_makes_room_on_a_full_disk() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = FaultFile::new(folder.path(), &["disk.full=10G"])?;
    let home = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(home.path().join("state"))? else {
        let stack = LocalStack::start_with(&["--fault", &file.text()])?;
        return a_video_is_removed_from_a_full_disk(&stack, &Budget(file));
    };
    let stack = LocalStack::start_in(home, &[])?;
    let disk = disk; // Unmounted before the stack's folder is removed.
    a_video_is_removed_from_a_full_disk(&stack, &disk)
}
