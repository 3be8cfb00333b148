//! Everything that is on AWS: objects and jobs, and what is counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use jiff::Timestamp;
use vod_core::error_codes::UNDELIVERABLE;
use vod_core::record::State::Ignored;
use vod_core::record::{Job as RecordedJob, JobState, Record};

use crate::options::{Mutation, Options};
use crate::time;

/// The one bucket.
pub(crate) const BUCKET: &str = "vod";
/// Faults that no queue brings back.
pub(crate) const DROPPED: &str = "events dropped";
pub(crate) const CURSED: &str = "uploads whose deliveries all die";
pub(crate) const TRANSIENT: &str = "jobs failing for a moment";

#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Bytes,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    /// Of uploads, where the bucket has versions.
    pub(crate) version: Option<String>,
    /// What lay at the key before, newest first.
    pub(crate) older: Vec<Object>,
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    pub(crate) asset: Arc<str>,
    pub(crate) template: Arc<str>,
    pub(crate) attempt: u32,
    pub(crate) input: Arc<str>,
    pub(crate) state: JobState,
    pub(crate) created: Timestamp,
    pub(crate) finished: Option<Timestamp>,
    /// SearchJobs finds it from here on.
    pub(crate) visible: Duration,
    /// Whether its outputs were deleted.
    pub(crate) deleted: bool,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) jobs: Vec<Job>,
    pub(crate) by_asset: BTreeMap<Arc<str>, Vec<usize>>,
    pub(crate) by_input: HashMap<Arc<str>, Vec<usize>>,
    pub(crate) by_id: HashMap<String, usize>,
    /// Tokens that CreateJob has seen, until when it knows them, and the job.
    pub(crate) tokens: HashMap<String, (Duration, usize)>,
    /// Of each attempt number the settings of the first job, with the asset's id and input, to answer GetJob from.
    pub(crate) settings: HashMap<u32, (String, Arc<str>, Arc<str>)>,
    /// When each of MediaConvert's slots is free again.
    pub(crate) slots: BTreeSet<(Duration, usize)>,
    /// CreateJob's token bucket.
    pub(crate) tickets: f64,
    pub(crate) refilled: Duration,
    /// Assets that were taken down.
    pub(crate) removed: BTreeSet<String>,
    /// Records that say COMPLETE, IGNORED, or ERROR for good.
    pub(crate) settled: usize,
    pub(crate) calls: BTreeMap<&'static str, u64>,
    pub(crate) faults: BTreeMap<&'static str, u64>,
    pub(crate) violations: Vec<String>,
    pub(crate) last_complete: Duration,
    etags: u64,
    versioned: bool,
}

/// The world, shared by all tasks.
#[derive(Debug, Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    rng: Arc<Mutex<Rng>>,
    pub(crate) options: Arc<Options>,
}

impl World {
    pub(crate) fn new(options: Options) -> Self {
        let state = State {
            slots: (0..options.slots).map(|slot| (Duration::ZERO, slot)).collect(),
            tickets: options.create_rate,
            versioned: !options.unversioned,
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            rng: Arc::new(Mutex::new(Rng::with_seed(options.seed))),
            options: Arc::new(options),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is(&self, mutation: Mutation) -> bool {
        self.options.mutate == Some(mutation)
    }

    pub(crate) fn random<T>(&self, f: impl FnOnce(&mut Rng) -> T) -> T {
        f(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a fault happens now; counts it.
    pub(crate) fn happens(&self, name: &'static str, chance: f64) -> bool {
        let off = self.options.queues_only && [DROPPED, CURSED, TRANSIENT].contains(&name);
        let happens = self.random(Rng::f64) < (chance * self.options.faults).min(0.5) && !off;
        if happens {
            self.state().count_fault(name);
        }
        happens
    }

    /// A random time between two.
    pub(crate) fn between(&self, least: f64, most: f64) -> Duration {
        Duration::from_secs_f64(least + self.random(Rng::f64) * (most - least))
    }
}

/// Whether nothing more happens to a record, by what it says of itself: its members come in the contract's order.
fn is_settled(body: &[u8]) -> bool {
    let state = b"\"state\":\"";
    let at = body.windows(state.len()).position(|window| window == state);
    let value = at.map_or(&[][..], |at| &body[at + state.len()..]);
    let says = |what: &[u8]| body.windows(what.len()).any(|window| window == what);
    let failed = || says(b"\"retryable\":false") && !says(b"\"retryable\":true");
    value.starts_with(b"COMPLETE") || value.starts_with(b"IGNORED") || value.starts_with(b"ERROR") && failed()
}

/// What a new version of a record has forgotten of the old one: an attempt, its job, how far it had come.
fn went_back(old: &[u8], new: &[u8]) -> Option<String> {
    let read = |body: &[u8]| serde_json::from_slice::<Record>(body);
    let (Ok(old), Ok(new)) = (read(old), read(new)) else {
        return Some("a record that cannot be read".to_owned());
    };
    let kept = |job: &&RecordedJob| {
        new.jobs.iter().any(|later| {
            (&later.template, later.attempt) == (&job.template, job.attempt)
                && later.state.rank() >= job.state.rank()
                && later.progress >= job.progress
                && (job.job_id.is_none() || later.job_id == job.job_id)
                && later.changes.len() >= job.changes.len()
        })
    };
    // What was only planned for an upload that is gone by now never was, and an attempt that was given up before it
    // became a job is taken up again.
    let given_up = |job: &RecordedJob| {
        job.error
            .as_ref()
            .is_some_and(|error| error.code == UNDELIVERABLE)
    };
    let planned = |job: &&RecordedJob| job.job_id.is_none() && (new.state == Ignored || given_up(job));
    let lost = old.jobs.iter().find(|job| !planned(job) && !kept(job));
    lost.map(|job| format!("attempt {} of {}", job.attempt, job.template))
}

impl State {
    /// Stores an object and returns its `ETag`.
    pub(crate) fn put(&mut self, key: String, body: Bytes) -> String {
        self.etags += 1;
        let etag = format!("{:032x}", self.etags);
        let record = key.starts_with(vod_core::keys::CATALOG);
        let upload = self.versioned && key.starts_with(vod_core::keys::INPUT);
        let object = Object {
            etag: etag.clone(),
            modified: time::now(),
            version: upload.then(|| format!("v{:015x}", self.etags)),
            older: Vec::new(),
            body,
        };
        let (name, after, body) = (key.clone(), is_settled(&object.body), object.body.clone());
        let before = self.objects.insert(key, object);
        if record {
            self.recorded(&name, before.as_ref().map(|before| &before.body), &body);
            let was = before.is_some_and(|before| is_settled(&before.body));
            if after && !was {
                self.settled += 1;
                self.last_complete = time::elapsed();
            } else if was && !after {
                self.settled -= 1;
            }
        } else if let (true, Some(mut before), Some(new)) = (upload, before, self.objects.get_mut(&name)) {
            new.older = std::mem::take(&mut before.older);
            new.older.insert(0, before);
        }
        etag
    }

    /// Deletes an object.
    pub(crate) fn delete(&mut self, key: &str) {
        let Some(object) = self.objects.remove(key) else {
            return;
        };
        if key.starts_with(vod_core::keys::CATALOG) && is_settled(&object.body) {
            self.settled -= 1;
        }
    }

    pub(crate) fn has_record(&self, asset: &str) -> bool {
        let key = format!("{}{asset}.json", vod_core::keys::CATALOG);
        self.objects.contains_key(&key)
    }

    /// The jobs of an asset.
    pub(crate) fn jobs_of(&self, asset: &str) -> impl Iterator<Item = &Job> {
        let indexes = self.by_asset.get(asset).into_iter().flatten();
        indexes.map(|&index| &self.jobs[index])
    }

    /// Whether every upload has its end, and every job of a removed video too.
    pub(crate) fn is_settled(&self, uploads: usize) -> bool {
        let mut jobs = self.removed.iter().flat_map(|asset| self.jobs_of(asset));
        let gone = self.removed.iter().filter(|asset| !self.has_record(asset));
        self.settled + gone.count() >= uploads && jobs.all(|job| job.state.is_terminal())
    }

    /// Notes when a job of a removed video continues although `complete` has received the event of its start.
    pub(crate) fn started(&mut self, job_id: &str) {
        let job = self.by_id.get(job_id).map(|&index| &self.jobs[index]);
        let is_removed = |asset: &str| self.removed.contains(asset);
        if let Some(job) = job.filter(|job| !job.state.is_terminal() && is_removed(&job.asset)) {
            let violation = format!("{}: its job {job_id} goes on after the removal", job.asset);
            self.violations.push(violation);
        }
    }

    fn recorded(&mut self, name: &str, before: Option<&Bytes>, after: &Bytes) {
        if let Some(what) = before.and_then(|before| went_back(before, after)) {
            self.violations.push(format!("{name}: {what} went back"));
        }
    }

    pub(crate) fn count(&mut self, call: &'static str) {
        *self.calls.entry(call).or_default() += 1;
    }

    pub(crate) fn count_fault(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }
}
