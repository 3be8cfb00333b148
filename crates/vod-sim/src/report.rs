//! The end: is every promise kept, and what did it cost?

use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

use vod_core::asset::AssetId;
use vod_core::keys::{CATALOG, record_key};
use vod_core::record::{Record, State as RecordState};

use crate::time;
use crate::world::{BUCKET, JobState, State, World};

/// S3 in us-east-1, dollars per 1,000 requests (AWS price list, S3 Standard).
const GET: f64 = 0.0004;
/// PUT and LIST.
const PUT: f64 = 0.005;

/// An upload as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) key: String,
    pub(crate) etag: String,
}

/// What is wrong at the end; empty when all is well.
pub(crate) fn faults(state: &State, uploads: &[Upload]) -> Vec<String> {
    let mut faults = state.violations.clone();
    let mut successes: HashMap<&str, usize> = HashMap::new();
    for job in state.jobs.iter().filter(|job| job.state == JobState::Complete) {
        *successes.entry(&*job.asset).or_default() += 1;
    }
    for upload in uploads {
        let id = AssetId::new(BUCKET, &upload.key, None, &upload.etag);
        if let Some(fault) = fault(state, &id) {
            faults.push(format!("{}: {fault}", upload.key));
        }
        match successes.get(id.as_str()).copied().unwrap_or(0) {
            1 => {}
            count => faults.push(format!("{}: {count} successful jobs", upload.key)),
        }
    }
    let records = state
        .objects
        .keys()
        .filter(|key| key.starts_with(CATALOG))
        .count();
    if records != uploads.len() {
        faults.push(format!("{records} records of {} uploads", uploads.len()));
    }
    faults
}

fn fault(state: &State, id: &AssetId) -> Option<String> {
    let Some(object) = state.objects.get(&record_key(id)) else {
        return Some("lost: it has no record".to_owned());
    };
    let record: Record = match serde_json::from_slice(&object.body) {
        Ok(record) => record,
        Err(error) => return Some(format!("its record is damaged: {error}")),
    };
    if record.state != RecordState::Complete {
        return Some(format!("lost: its record says {}", record.state.as_str()));
    }
    if record.outputs.len() != 1 || record.outputs[0].hls.is_none() || record.lease.is_some() {
        return Some("its record is COMPLETE and not whole".to_owned());
    }
    let job_id = record.latest_attempts().next().and_then(|job| job.job_id.clone());
    let job = job_id
        .and_then(|id| state.by_id.get(&id))
        .map(|&index| &state.jobs[index]);
    match job {
        Some(job) if *job.asset == *id.as_str() && job.state == JobState::Complete => None,
        _ => Some("its record names another job than the one that succeeded".to_owned()),
    }
}

/// Prints the figures and the first faults.
pub(crate) fn print(
    world: &World,
    faults: &[String],
    begun: Instant,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let state = world.state();
    let options = &world.options;
    let duplicated = faults
        .iter()
        .filter(|fault| fault.contains("two jobs") || fault.contains(" successful jobs"));
    let lost = faults.iter().filter(|fault| fault.contains("lost"));
    writeln!(
        out,
        "uploads            {}  (seed {})",
        options.uploads, options.seed
    )?;
    writeln!(out, "lost               {}", lost.count())?;
    writeln!(
        out,
        "encoded twice      {}",
        duplicated.filter(|fault| !fault.contains(": 0 ")).count()
    )?;
    writeln!(
        out,
        "time to drain      {} after the first upload",
        human(state.last_complete)
    )?;
    writeln!(
        out,
        "simulated time     {}, in {:.0} s",
        human(time::elapsed()),
        begun.elapsed().as_secs_f64()
    )?;
    writeln!(
        out,
        "peak memory        {} MB, the simulated services included",
        peak_memory() / 1024
    )?;
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
