//! The end: is every promise kept, and what did it cost?

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, record_key};
use vod_core::record::{JobState, Record, State as RecordState};

use crate::time;
use crate::world::{BUCKET, State, World};

/// S3 in us-east-1, dollars per 1,000 requests (AWS price list, S3 Standard).
const GET: f64 = 0.0004;
/// PUT and LIST.
const PUT: f64 = 0.005;

/// An upload as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) etag: String,
    pub(crate) version: Option<String>,
    /// Whether its key was uploaded again.
    pub(crate) replaced: bool,
}

impl Upload {
    pub(crate) fn id(&self) -> AssetId {
        AssetId::new(BUCKET, &self.key, self.version.as_deref(), &self.etag)
    }
}

/// What is wrong at the end; empty when all is well.
pub(crate) fn faults(state: &State, uploads: &[Upload]) -> Vec<String> {
    let mut faults = state.violations.clone();
    let mut successes: HashMap<&str, usize> = HashMap::new();
    for job in state.jobs.iter().filter(|job| job.state == JobState::Complete) {
        *successes.entry(&*job.asset).or_default() += 1;
    }
    let mut traceless = 0;
    for upload in uploads {
        let id = upload.id();
        if state.removed.contains(id.as_str()) {
            let left = left_of_removed(state, &id).map(|what| format!("{}: removed, and {what}", upload.key));
            faults.extend(left);
            continue;
        }
        let count = successes.get(id.as_str()).copied().unwrap_or(0);
        let gone = upload.replaced && upload.version.is_none();
        if gone && !state.objects.contains_key(&record_key(&id)) {
            // Its event was lost, and without versions there is no trace of it.
            traceless += 1;
            continue;
        }
        let fault = match fault(state, &id) {
            // Replaced before it was read, or before it could be tried again: its record says so.
            Ok(RecordState::Ignored | RecordState::Error) if upload.replaced && count == 0 => continue,
            Ok(RecordState::Complete) if count == 1 => continue,
            Ok(RecordState::Complete) => format!("{count} successful jobs"),
            Ok(state) => format!(
                "lost: its record says {}, {count} jobs of it succeeded",
                state.as_str()
            ),
            Err(fault) => fault,
        };
        faults.push(format!("{}: {fault}", upload.key));
    }
    let records = state
        .objects
        .keys()
        .filter(|key| key.starts_with(CATALOG))
        .count();
    if records + traceless + state.removed.len() != uploads.len() {
        faults.push(format!("{records} records of {} uploads", uploads.len()));
    }
    faults
}

/// What is left of a removed video, which must be nothing.
fn left_of_removed(state: &State, id: &AssetId) -> Option<&'static str> {
    if state.objects.contains_key(&record_key(id)) {
        Some("its record is there")
    } else if state.jobs_of(id.as_str()).any(|job| !job.state.is_terminal()) {
        Some("its job goes on")
    } else if state.jobs_of(id.as_str()).any(crate::mediaconvert::has_outputs) {
        Some("its outputs are there")
    } else {
        None
    }
}

/// What an upload's record says, if that is whole and true.
fn fault(state: &State, id: &AssetId) -> Result<RecordState, String> {
    let object = state
        .objects
        .get(&record_key(id))
        .ok_or("lost: it has no record")?;
    let record: Record =
        serde_json::from_slice(&object.body).map_err(|error| format!("its record is damaged: {error}"))?;
    if record.state != RecordState::Complete {
        let error = record.latest_attempts().find_map(|job| job.error.as_ref());
        let waits = error.is_some_and(|error| error.retryable) || record.reason.is_none();
        return match record.state {
            RecordState::Error if waits => Err("lost: its record says ERROR and is not final".to_owned()),
            state => Ok(state),
        };
    }
    if let Some(what) = unfinished(&record) {
        return Err(format!("its record is COMPLETE and {what}"));
    }
    let job_id = record.latest_attempts().next().and_then(|job| job.job_id.clone());
    let job = job_id
        .and_then(|id| state.by_id.get(&id))
        .map(|&index| &state.jobs[index]);
    match job {
        Some(job) if *job.asset == *id.as_str() && job.state == JobState::Complete => Ok(record.state),
        _ => Err("its record names another job than the one that succeeded".to_owned()),
    }
}

/// What a COMPLETE record still lacks, or still has.
fn unfinished(record: &Record) -> Option<&'static str> {
    let [outputs] = &record.outputs[..] else {
        return Some("has not one set of outputs");
    };
    let thumbnails = outputs.thumbnails.as_ref();
    if outputs.hls.is_none() {
        Some("names no playlist")
    } else if thumbnails.is_none_or(|thumbnails| thumbnails.interval_ms.is_none()) {
        Some("has no interval of its thumbnails")
    } else if record.lease.is_some() {
        Some("is still claimed")
    } else if record.repairs > 0 {
        Some("counts vain repairs")
    } else {
        None
    }
}

/// Prints the figures and the first faults.
pub(crate) fn print(
    world: &World,
    faults: &[String],
    started: Instant,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let state = world.state();
    let options = &world.options;
    let duplicated = faults
        .iter()
        .filter(|fault| fault.contains("two jobs") || fault.contains(" successful jobs"));
    let replaced = state.faults.get("uploads replaced").copied().unwrap_or(0);
    let lost = faults.iter().filter(|fault| fault.contains("lost"));
    let twice = duplicated.filter(|fault| !fault.contains(": 0 ")).count();
    let (uploads, seed) = (options.uploads, options.seed);
    let seconds = started.elapsed().as_secs_f64();
    for (name, value) in [
        (
            "uploads",
            format!("{uploads} and {replaced} of them again with other content  (seed {seed})"),
        ),
        ("lost", lost.count().to_string()),
        ("encoded twice", twice.to_string()),
        (
            "time to drain",
            format!("{} after the first upload", human(state.last_complete)),
        ),
        (
            "simulated time",
            format!("{}, in {seconds:.0} s", human(time::elapsed())),
        ),
        (
            "peak memory",
            format!("{} MB, the simulated services included", peak_memory() / 1024),
        ),
    ] {
        writeln!(out, "{name:18} {value}")?;
    }
    writeln!(out, "faults")?;
    for (name, count) in &state.faults {
        writeln!(out, "  {count:>9}  {name}")?;
    }
    writeln!(out, "calls              in all, per upload")?;
    for (name, count) in &state.calls {
        writeln!(out, "  {count:>9}  {:>7.2}  {name}", per(*count, options.uploads))?;
    }
    let calls = |name| state.calls.get(name).copied().unwrap_or(0);
    let cost = per(calls("S3 GET"), 1000) * GET + per(calls("S3 PUT") + calls("S3 LIST"), 1000) * PUT;
    writeln!(
        out,
        "S3 requests        {cost:.2} USD, {:.4} USD per 1,000 uploads",
        cost * 1000.0 / per(options.uploads as u64, 1)
    )?;
    for fault in faults.iter().take(10) {
        writeln!(out, "FAULT {fault}")?;
    }
    if faults.len() > 10 {
        writeln!(out, "FAULT … and {} more", faults.len() - 10)?;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn per(count: u64, of: usize) -> f64 {
    count as f64 / of.max(1) as f64
}

fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!(
        "{}:{:02}:{:02} h",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// KiB, of this process, from Linux; 0 where there is no /proc.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
