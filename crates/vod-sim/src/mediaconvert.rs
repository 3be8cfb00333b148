//! MediaConvert: CreateJob with its limits, GetJob, SearchJobs with an index that lags, Probe, and events.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vod_core::record::JobState;

use crate::call::{Answer, Call};
use crate::events;
use crate::options::{Mutation, chance};
use crate::time;
use crate::world::{Job, State, TRANSIENT, World};

/// The most that the search index lags, in seconds.
const LAG: f64 = 0.4;
/// Seconds of work on one job, the least and the most.
const WORK: (f64, f64) = (20.0, 100.0);
/// What the built-in template's job leaves behind, below its attempt's folder.
const FILES: [&str; 6] = [
    "hls/video.m3u8",
    "hls/video_360.m3u8",
    "hls/video_540.m3u8",
    "hls/video_720.m3u8",
    "mp4/video.mp4",
    "thumbnails/video.0000000.jpg",
];

pub(crate) fn throttled() -> Answer {
    error(429, "TooManyRequestsException", "Too Many Requests")
}

fn error(status: u16, kind: &str, message: &str) -> Answer {
    json(status, &json!({ "message": message })).with("x-amzn-errortype", kind.to_owned())
}

fn json(status: u16, body: &Value) -> Answer {
    Answer::new(status, body.to_string()).with("content-type", "application/json".to_owned())
}

pub(crate) fn answer(world: &World, call: &Call) -> Answer {
    let path = call.path.trim_start_matches("/2017-08-29/");
    match (call.method.as_str(), path) {
        ("POST", "jobs") => create(world, &call.body),
        ("POST", "probe") => probe(world),
        ("GET", "search") => search(world, call),
        ("GET", path) => get(world, path.trim_start_matches("jobs/")),
        ("DELETE", path) => cancel(world, path.trim_start_matches("jobs/")),
        _ => error(501, "NotImplementedException", "not simulated"),
    }
}

/// Folder of an attempt, below `output/<asset>/`.
fn folder(job: &Job) -> String {
    match job.attempt {
        1 => format!("{}/", job.template),
        attempt => format!("{}/a{attempt}/", job.template),
    }
}

pub(crate) fn has_outputs(job: &Job) -> bool {
    job.state == JobState::Complete && !job.deleted
}

/// Deletes an output, and with it all of its job.
pub(crate) fn delete_output(state: &mut State, key: &str) {
    let asset = key.split('/').nth(1).unwrap_or_default();
    let of_asset = state.by_asset.get(asset).cloned().unwrap_or_default();
    for index in of_asset {
        let job = &mut state.jobs[index];
        let prefix = format!("output/{asset}/{}", folder(job));
        job.deleted |= FILES.iter().any(|file| key == format!("{prefix}{file}"));
    }
}

/// Keys of the outputs of an asset's complete jobs, in order.
pub(crate) fn outputs_of(state: &State, asset: &str) -> Vec<String> {
    let complete = state.jobs_of(asset).filter(|job| has_outputs(job));
    let mut keys: Vec<String> = complete
        .flat_map(|job| FILES.map(|file| format!("output/{asset}/{}{file}", folder(job))))
        .collect();
    keys.sort();
    keys
}

fn probe(world: &World) -> Answer {
    world.state().count("Probe");
    let video = json!({ "width": 1280, "height": 720, "frameRate": { "numerator": 30, "denominator": 1 } });
    let tracks = [
        json!({ "index": 1, "trackType": "video", "videoProperties": video }),
        json!({ "index": 2, "trackType": "audio" }),
    ];
    json(
        200,
        &json!({ "probeResults": [{ "container": { "duration": 60.0, "tracks": tracks } }] }),
    )
}

/// Takes a ticket of CreateJob's limit.
fn ticket(state: &mut State, rate: f64) -> bool {
    let now = time::elapsed();
    let passed = now.saturating_sub(state.refilled).as_secs_f64();
    // A burst of two seconds' worth.
    state.tickets = (state.tickets + passed * rate).min(rate * 2.0);
    state.refilled = now;
    if state.tickets < 1.0 {
        return false;
    }
    state.tickets -= 1.0;
    true
}

fn create(world: &World, body: &[u8]) -> Answer {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let lag = world.between(0.0, LAG);
    let work = world.between(WORK.0, WORK.1);
    let transient = world.happens(TRANSIENT, chance::TRANSIENT);
    let mut state = world.state();
    state.count("CreateJob");
    if !ticket(&mut state, world.options.create_rate) {
        state.count_fault("CreateJob over its rate");
        return throttled();
    }
    let token = body["clientRequestToken"].as_str().unwrap_or_default();
    if let Some((until, index)) = state.tokens.get(token).copied()
        && until > time::elapsed()
    {
        return created(&state, index);
    }
    let index = add(&mut state, &body, lag);
    let known = time::elapsed() + Duration::from_secs_f64(world.options.token_seconds);
    state.tokens.insert(token.to_owned(), (known, index));
    let (free, slot) = state.slots.pop_first().unwrap_or_default();
    let start = free.max(time::elapsed());
    state.slots.insert((start + work, slot));
    let fails = transient && state.jobs[index].attempt == 1;
    let answer = created(&state, index);
    drop(state);
    time::spawn(work_on(world.clone(), index, start, work, fails));
    answer
}

fn created(state: &State, index: usize) -> Answer {
    let id = &state.jobs[index].id;
    json(201, &json!({ "job": { "id": id, "role": "r", "settings": {} } }))
}

/// Enters a job, and notes when it breaks the promise.
fn add(state: &mut State, body: &Value, lag: Duration) -> usize {
    let text =
        |pointer: &str| Arc::<str>::from(body.pointer(pointer).and_then(Value::as_str).unwrap_or_default());
    let index = state.jobs.len();
    let job = Job {
        id: format!("{}-{index:06}", time::now().as_millisecond()),
        asset: text("/userMetadata/asset"),
        template: text("/userMetadata/template"),
        attempt: text("/userMetadata/attempt").parse().unwrap_or(0),
        input: text("/settings/inputs/0/fileInput"),
        state: JobState::Submitted,
        created: time::now(),
        finished: None,
        visible: time::elapsed() + lag,
        deleted: false,
    };
    let settings = || (body["settings"].to_string(), job.asset.clone(), job.input.clone());
    state.settings.entry(job.attempt).or_insert_with(settings);
    let others = state.by_asset.entry(job.asset.clone()).or_default();
    for other in others.iter().map(|&other| &state.jobs[other]) {
        let counts = !matches!(other.state, JobState::Error | JobState::Canceled) && !other.deleted;
        if other.template == job.template && counts {
            state.violations.push(format!(
                "{} has two jobs: {} (attempt {}, {:?}) and {} (attempt {})",
                job.asset, other.id, other.attempt, other.state, job.id, job.attempt
            ));
        }
    }
    others.push(index);
    state.by_input.entry(job.input.clone()).or_default().push(index);
    state.by_id.insert(job.id.clone(), index);
    state.jobs.push(job);
    index
}

async fn work_on(world: World, index: usize, start: Duration, work: Duration, fails: bool) {
    time::sleep(start.saturating_sub(time::elapsed())).await;
    {
        let job = &mut world.state().jobs[index];
        if job.state == JobState::Canceled {
            return;
        }
        job.state = JobState::Progressing;
    }
    events::job_changed(&world, &event(&world, index, "PROGRESSING", json!({})));
    time::sleep(work).await;
    {
        let mut state = world.state();
        let job = &mut state.jobs[index];
        if job.state == JobState::Canceled {
            return;
        }
        job.state = if fails {
            JobState::Error
        } else {
            JobState::Complete
        };
        job.finished = Some(time::now());
    }
    let event = if fails {
        event(
            &world,
            index,
            "ERROR",
            json!({ "errorCode": 1999, "errorMessage": "for a moment" }),
        )
    } else {
        let details = details(&world.state().jobs[index]);
        event(
            &world,
            index,
            "COMPLETE",
            json!({ "outputGroupDetails": details }),
        )
    };
    events::job_changed(&world, &event);
}

fn event(world: &World, index: usize, status: &str, members: Value) -> Value {
    let state = world.state();
    let job = &state.jobs[index];
    let mut detail = json!({
        "timestamp": time::now().as_millisecond(),
        "jobId": job.id,
        "status": status,
        "userMetadata": metadata(job),
    });
    if let (Value::Object(detail), Value::Object(members)) = (&mut detail, members) {
        detail.extend(members);
    }
    json!({ "source": "aws.mediaconvert", "detail-type": "MediaConvert Job State Change", "detail": detail })
}

fn metadata(job: &Job) -> Value {
    json!({
        "application": "vod",
        "asset": &*job.asset,
        "template": &*job.template,
        "attempt": job.attempt.to_string(),
    })
}

fn details(job: &Job) -> Value {
    let url = |file: &str| format!("s3://vod/output/{}/{}{file}", job.asset, folder(job));
    let output = |file: &str| json!({ "outputFilePaths": [url(file)], "durationInMs": 60_000 });
    json!([
        { "playlistFilePaths": [url(FILES[0])], "outputDetails": [output(FILES[1]), output(FILES[2]), output(FILES[3])] },
        { "outputDetails": [output(FILES[4])] },
        { "outputDetails": [output(FILES[5])] },
    ])
}

fn shown(state: &State, job: &Job) -> Value {
    let mut shown = json!({
        "id": job.id, "status": job.state, "createdAt": job.created.as_second(), "role": "r",
        "userMetadata": metadata(job), "settings": settings(state, job),
        "timing": { "submitTime": job.created.as_second() },
    });
    if let Some(finished) = job.finished {
        shown["timing"]["finishTime"] = finished.as_second().into();
    }
    if job.state == JobState::Error {
        shown["errorCode"] = 1999.into();
        shown["errorMessage"] = "for a moment".into();
    }
    shown
}

/// All jobs of one attempt number differ by asset and input alone.
fn settings(state: &State, job: &Job) -> Value {
    let Some((text, asset, input)) = state.settings.get(&job.attempt) else {
        return json!({});
    };
    let text = text.replace(&**input, &job.input).replace(&**asset, &job.asset);
    serde_json::from_str(&text).unwrap_or_default()
}

fn get(world: &World, id: &str) -> Answer {
    let mut state = world.state();
    state.count("GetJob");
    match state.by_id.get(id).copied() {
        Some(index) => json(200, &json!({ "job": shown(&state, &state.jobs[index]) })),
        None => error(404, "NotFoundException", "no such job"),
    }
}

/// Cancels a job that has not ended. Its slot stays taken: what it would have done is not simulated.
fn cancel(world: &World, id: &str) -> Answer {
    let mut state = world.state();
    state.count("CancelJob");
    let Some(index) = state.by_id.get(id).copied() else {
        return error(404, "NotFoundException", "no such job");
    };
    let job = &mut state.jobs[index];
    if job.state.is_terminal() || world.is(Mutation::NoCancel) {
        return error(409, "ConflictException", "the job has ended");
    }
    (job.state, job.finished) = (JobState::Canceled, Some(time::now()));
    drop(state);
    events::job_changed(world, &event(world, index, "CANCELED", json!({})));
    json(202, &json!({}))
}

fn search(world: &World, call: &Call) -> Answer {
    let mut state = world.state();
    state.count("SearchJobs");
    if world.is(Mutation::NoSearch) {
        return json(200, &json!({ "jobs": [] }));
    }
    let input = call.query("inputFile").unwrap_or_default();
    let found = state
        .by_input
        .get(input)
        .into_iter()
        .flatten()
        .map(|&index| &state.jobs[index]);
    let visible = found.filter(|job| job.visible <= time::elapsed());
    let jobs: Vec<Value> = visible.rev().map(|job| shown(&state, job)).take(20).collect();
    json(200, &json!({ "jobs": jobs }))
}
