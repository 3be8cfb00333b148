//! A store in memory, and sample jobs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    Clock, CreateJob, Created, Engine, Event, Filter, Identity, Job, Kind, Location, Page, Resource,
    ServiceError, Status, Store,
};

/// An engine that keeps its jobs in memory and never works on them. Clones share their jobs.
#[derive(Clone)]
pub struct MemoryEngine(Arc<MemoryStore>);

/// Jobs in memory, and the events that were sent about them.
pub struct MemoryStore {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In the order of their submission.
    jobs: Vec<Job>,
    /// As EventBridge would deliver them.
    events: Vec<Value>,
    /// Ids of jobs whose work was stopped.
    stopped: Vec<String>,
    resources: BTreeMap<(Kind, String), Resource>,
}

impl MemoryEngine {
    /// An engine without jobs.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(MemoryStore {
            clock,
            state: Mutex::default(),
        }))
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Value> {
        self.0.state().events.clone()
    }

    /// Ids of the jobs whose work was stopped.
    pub fn stopped(&self) -> Vec<String> {
        self.0.state().stopped.clone()
    }
}

impl Engine for MemoryEngine {
    type Store = MemoryStore;

    fn store(&self) -> &MemoryStore {
        &self.0
    }

    fn concurrency(&self) -> usize {
        1
    }

    async fn stop(&self, id: &str) {
        self.0.state().stopped.push(id.to_owned());
    }

    async fn probe(&self, object: &Location) -> Result<Value, ServiceError> {
        Err(ServiceError::NotFound(format!("{object} does not exist")))
    }
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    type Error = Infallible;

    async fn insert(&self, job: Job, since: Timestamp) -> Result<Job, Infallible> {
        let mut state = self.state();
        // Ids begin with the time in milliseconds.
        let submitted = |job: &Job| job.id.split('-').next().and_then(|ms| ms.parse::<i64>().ok());
        let known = state.jobs.iter().rev().find(|known| {
            known.client_request_token.is_some()
                && known.client_request_token == job.client_request_token
                && submitted(known) > Some(since.as_millisecond())
        });
        if let Some(known) = known {
            return Ok(known.clone());
        }
        state.jobs.push(job.clone());
        Ok(job)
    }

    async fn get(&self, id: &str) -> Result<Option<Job>, Infallible> {
        Ok(self.state().jobs.iter().find(|job| job.id == id).cloned())
    }

    async fn list(&self, filter: Filter) -> Result<Page, Infallible> {
        let mut jobs = self.state().jobs.clone();
        if !filter.ascending {
            jobs.reverse();
        }
        if let Some(after) = &filter.after {
            let next = jobs.iter().position(|job| job.id == *after);
            jobs.drain(..next.map_or(jobs.len(), |index| index + 1));
        }
        jobs.retain(|job| {
            filter.status.is_none_or(|status| job.status == status)
                && filter.queue.as_ref().is_none_or(|queue| job.queue == *queue)
                && filter
                    .input
                    .as_ref()
                    .is_none_or(|input| job.input().contains(input))
                && filter.query.as_ref().is_none_or(|query| query.accepts(job))
        });
        let more = jobs.len() > filter.limit;
        jobs.truncate(filter.limit);
        Ok(Page { jobs, more })
    }

    async fn change<F>(&self, id: &str, change: F) -> Result<Option<Job>, Infallible>
    where
        F: FnOnce(&mut Job, Timestamp) -> Vec<Event> + Clone + Send + 'static,
    {
        let (now, mut state) = ((self.clock)(), self.state());
        let state = &mut *state;
        let Some(job) = state
            .jobs
            .iter_mut()
            .find(|job| job.id == id && job.status.is_active())
        else {
            return Ok(None);
        };
        let events = change(job, now);
        let sent = events.iter().map(|event| event.to_json(job, &identity(), now));
        state.events.extend(sent);
        Ok(Some(job.clone()))
    }

    async fn active(&self, queue: Option<&str>) -> Result<(u32, u32), Infallible> {
        let state = self.state();
        let count = |status| {
            let jobs = state.jobs.iter();
            jobs.filter(|job| job.status == status && queue.is_none_or(|queue| job.queue == queue))
                .map(|_| 1)
                .sum()
        };
        Ok((count(Status::Submitted), count(Status::Progressing)))
    }

    async fn create(&self, kind: Kind, resource: Resource, most: usize) -> Result<Created, Infallible> {
        let mut state = self.state();
        let key = (kind, resource.name.clone());
        if state.resources.contains_key(&key) {
            return Ok(Created::Exists);
        }
        if state.resources.keys().filter(|(known, _)| *known == kind).count() >= most {
            return Ok(Created::Full);
        }
        state.resources.insert(key, resource);
        Ok(Created::Yes)
    }

    async fn resource(&self, kind: Kind, name: &str) -> Result<Option<Resource>, Infallible> {
        Ok(self.state().resources.get(&(kind, name.to_owned())).cloned())
    }

    async fn resources(&self, kind: Kind) -> Result<Vec<Resource>, Infallible> {
        let state = self.state();
        let found = state.resources.iter().filter(|((known, _), _)| *known == kind);
        Ok(found.map(|(_, resource)| resource.clone()).collect())
    }

    async fn change_resource<F>(
        &self,
        kind: Kind,
        name: &str,
        change: F,
    ) -> Result<Option<Resource>, Infallible>
    where
        F: FnOnce(&mut Resource) + Clone + Send + 'static,
    {
        let mut state = self.state();
        let found = state.resources.get_mut(&(kind, name.to_owned()));
        Ok(found.map(|resource| {
            change(resource);
            resource.clone()
        }))
    }

    async fn remove(&self, kind: Kind, name: &str) -> Result<bool, Infallible> {
        Ok(self.state().resources.remove(&(kind, name.to_owned())).is_some())
    }
}

/// The names of the local service.
pub fn identity() -> Identity {
    Identity {
        region: "us-east-1".into(),
        account: "000000000000".into(),
        source: "aws.mediaconvert".into(),
        queue: "Default".into(),
    }
}

/// Settings as the API accepts them: one small MP4 of an input.
pub fn settings(input: &str, destination: &str) -> Value {
    json!({
        "inputs": [{
            "fileInput": input,
            "audioSelectors": { "Audio Selector 1": { "defaultSelection": "DEFAULT" } },
            "videoSelector": { "rotate": "AUTO" },
            "timecodeSource": "ZEROBASED",
        }],
        "outputGroups": [{
            "name": "File Group",
            "outputGroupSettings": {
                "type": "FILE_GROUP_SETTINGS",
                "fileGroupSettings": { "destination": destination },
            },
            "outputs": [{
                "containerSettings": { "container": "MP4", "mp4Settings": { "moovPlacement": "PROGRESSIVE_DOWNLOAD" } },
                "videoDescription": {
                    "width": 320,
                    "height": 180,
                    "codecSettings": {
                        "codec": "H_264",
                        "h264Settings": {
                            "rateControlMode": "QVBR",
                            "maxBitrate": 500_000,
                            "gopSize": 2,
                            "gopSizeUnits": "SECONDS",
                        },
                    },
                },
            }],
        }],
    })
}

/// A valid request.
pub fn request(input: &str, token: Option<&str>, priority: i32) -> CreateJob {
    CreateJob {
        role: "arn:aws:iam::000000000000:role/mc".to_owned(),
        settings: settings(input, "s3://b/out/"),
        user_metadata: [("asset".to_owned(), "a-1-2".to_owned())].into(),
        client_request_token: token.map(str::to_owned),
        queue: None,
        priority: Some(priority),
        status_update_interval: None,
        acceleration_settings: None,
        hop_destinations: None,
        billing_tags_source: None,
        job_template: None,
        job_engine_version: None,
        tags: BTreeMap::new(),
    }
}

/// A job that is PROGRESSING, as it is stored.
///
/// # Panics
/// Never: the job is a valid one.
pub fn job() -> Job {
    let id = "1625859001514-vvqfwj";
    let value = json!({
        "id": id,
        "arn": format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}"),
        "createdAt": 1_625_859_001,
        "status": Status::Progressing,
        "retryCount": 0,
        "timing": { "submitTime": 1_625_859_001 },
        "queue": "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default",
        "priority": 0,
        "role": "role",
        "settings": settings("s3://b/in.mp4", "s3://b/out/"),
        "userMetadata": { "application": "vod", "asset": "a-1-2", "attempt": "1", "template": "default" },
        "statusUpdateInterval": "SECONDS_60",
        "accelerationStatus": "NOT_APPLICABLE",
    });
    #[expect(clippy::expect_used, reason = "for tests")]
    serde_json::from_value(value).expect("a valid job")
}

/// Wire spelling to the console's: the names of members change, the keys of maps do not.
pub fn upper(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let spell = |name: &str| match name {
                map_key if map_key.contains(' ') => map_key.to_owned(),
                member => member[..1].to_uppercase() + &member[1..],
            };
            members
                .iter()
                .map(|(name, value)| (spell(name), upper(value)))
                .collect()
        }
        Value::Array(items) => items.iter().map(upper).collect(),
        other => other.clone(),
    }
}
