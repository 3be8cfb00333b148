//! Calls the functions as AWS does: SQS with batches and a visibility time-out, EventBridge with retries, a schedule.
//! Events are lost, repeated or late on the way, and invocations die.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use lambda_runtime::{Context, LambdaEvent};
use pipeline::{Complete, Reconcile, Submit, TakeDown};
use serde_json::{Value, json};
use vod_core::asset::AssetId;

use crate::options::{Mutation, chance};
use crate::report::Upload;
use crate::time;
use crate::world::{CURSED, DROPPED, World};

/// Six times the function's time limit, as AWS asks.
const VISIBILITY: Duration = Duration::from_mins(6);
const SUBMIT_TIME: Duration = Duration::from_mins(1);
const COMPLETE_TIME: Duration = Duration::from_secs(30);
const RECONCILE_TIME: Duration = Duration::from_mins(15);
/// The longest that an owner waits for a removal.
const REMOVAL_TIME: Duration = Duration::from_mins(10);
/// From one scheduled run to the next.
const PERIOD: Duration = Duration::from_mins(15);
/// Deliveries of one message before it is a dead letter.
const DELIVERIES: u32 = 5;
const BATCH: usize = 3;
/// Invocations of `submit` at one time.
const POLLERS: usize = 50;

#[derive(Debug, Clone)]
pub(crate) struct Message {
    id: String,
    body: Arc<str>,
    received: u32,
    /// Whoever receives it dies.
    cursed: bool,
}

/// The queue of uploads, and the functions.
#[derive(Debug)]
pub(crate) struct Wiring {
    pub(crate) submit: Submit,
    pub(crate) complete: Complete,
    pub(crate) reconcile: Reconcile,
    pub(crate) take_down: TakeDown,
    pub(crate) queue: Mutex<VecDeque<Message>>,
}

static WIRING: std::sync::OnceLock<Arc<Wiring>> = std::sync::OnceLock::new();

impl Wiring {
    /// Puts the functions in their places and starts the pollers and the schedule.
    pub(crate) fn start(self, world: &World) {
        let wiring = Arc::new(self);
        // One simulation per process.
        let _ = WIRING.set(Arc::clone(&wiring));
        for _ in 0..POLLERS {
            time::spawn(poll(world.clone(), Arc::clone(&wiring)));
        }
        if !world.is(Mutation::NoReconcile) && !world.options.queues_only {
            time::spawn(schedule(world.clone(), wiring));
        }
    }
}

fn context(world: &World, limit: Duration) -> Context {
    let mut context = Context::default();
    context.request_id = format!("{:016x}", world.random(|rng| rng.u64(..)));
    let deadline = time::now().as_millisecond() + i64::try_from(limit.as_millis()).unwrap_or(0);
    context.deadline = u64::try_from(deadline).unwrap_or(0);
    context
}

/// A future that may end in the middle: after so many awaits it is dropped, as a killed process would drop it.
struct Mortal<F> {
    future: Pin<Box<F>>,
    polls: Option<u32>,
}

impl<F: Future> Future for Mortal<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match &mut self.polls {
            Some(0) => return Poll::Ready(None),
            Some(left) => *left -= 1,
            None => {}
        }
        self.future.as_mut().poll(context).map(Some)
    }
}

/// Runs an invocation under its time limit; nothing comes back from one that died or ran out of time.
async fn invoke<F: Future>(world: &World, limit: Duration, cursed: bool, future: F) -> Option<F::Output> {
    let dies = world.happens("invocations dying at a random await", chance::DEATH) || cursed;
    let polls = dies.then(|| world.random(|rng| rng.u32(0..100)));
    let mortal = Mortal {
        future: Box::pin(future),
        polls,
    };
    vod_aws::within(limit, mortal).await.flatten()
}

/// How an event travels: never, once or twice, and how long.
fn travels(world: &World) -> Vec<Duration> {
    if world.happens(DROPPED, chance::DROP) {
        return Vec::new();
    }
    let mut copies = 1;
    if world.happens("events duplicated", chance::DUPLICATE) {
        copies = 2;
    }
    let delay = |_| {
        let late = world.happens("events late", chance::LATE);
        world.between(0.0, if late { 600.0 } else { 3.0 })
    };
    (0..copies).map(delay).collect()
}

/// S3 sends the event of an upload.
pub(crate) fn uploaded(world: &World, upload: &Upload, size: usize, number: usize) {
    let mut object = json!({
        "key": upload.key, "size": size, "eTag": upload.etag, "sequencer": format!("{number:016X}"),
    });
    if let Some(version) = &upload.version {
        object["versionId"] = version.as_str().into();
    }
    let record = json!({
        "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": crate::world::BUCKET }, "object": object },
    });
    let cursed = world.happens(CURSED, chance::CURSED);
    let body: Arc<str> = json!({ "Records": [record] }).to_string().into();
    for delay in travels(world) {
        let id = format!("{:016x}", world.random(|rng| rng.u64(..)));
        let message = Message {
            id,
            body: body.clone(),
            received: 0,
            cursed,
        };
        time::spawn(async move {
            time::sleep(delay).await;
            if let Some(wiring) = WIRING.get() {
                wiring.send(message);
            }
        });
    }
}

impl Wiring {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: Message) {
        self.queue().push_back(message);
    }

    fn receive(&self) -> Vec<Message> {
        let mut queue = self.queue();
        let count = queue.len().min(BATCH);
        queue.drain(..count).collect()
    }
}

async fn poll(world: World, wiring: Arc<Wiring>) {
    loop {
        let mut batch = wiring.receive();
        if batch.is_empty() {
            time::sleep(world.between(0.5, 1.5)).await;
            continue;
        }
        for message in &mut batch {
            message.received += 1;
        }
        let records = batch.iter().map(|message| {
            let attributes = json!({ "ApproximateReceiveCount": message.received.to_string() });
            json!({ "messageId": message.id, "eventSource": "aws:sqs", "body": &*message.body, "attributes": attributes })
        });
        let payload = json!({ "Records": records.collect::<Vec<_>>() });
        let event = LambdaEvent::new(payload, context(&world, SUBMIT_TIME));
        world.state().count("invocations of submit");
        let cursed = batch.iter().any(|message| message.cursed);
        let answer = invoke(
            &world,
            SUBMIT_TIME,
            cursed,
            submit::handle(&wiring.submit, DELIVERIES, event),
        )
        .await;
        let back: Vec<Message> = match answer {
            Some(Ok(answer)) => batch
                .into_iter()
                .filter(|message| failed(&world, &answer, &message.id))
                .collect(),
            _ => batch,
        };
        for message in back {
            come_back(&world, &wiring, message);
        }
    }
}

fn failed(world: &World, answer: &Value, id: &str) -> bool {
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    !world.is(Mutation::NoBatchFailures)
        && failures
            .into_iter()
            .any(|failure| failure["itemIdentifier"] == id)
}

fn come_back(world: &World, wiring: &Arc<Wiring>, message: Message) {
    if message.received >= DELIVERIES {
        world.state().count_fault("dead letters of uploads");
        return;
    }
    let wiring = Arc::clone(wiring);
    time::spawn(async move {
        time::sleep(VISIBILITY).await;
        wiring.send(message);
    });
}

/// EventBridge sends an event of a job to `complete`, and retries if that fails.
pub(crate) fn job_changed(world: &World, event: &Value) {
    let text = |member: &str| event["detail"][member].as_str().unwrap_or_default().to_owned();
    for delay in travels(world) {
        let (job_id, status) = (text("jobId"), text("status"));
        let (world, event) = (world.clone(), event.clone());
        time::spawn(async move {
            time::sleep(delay).await;
            let Some(wiring) = WIRING.get() else { return };
            for _ in 0..3 {
                let event = LambdaEvent::new(event.clone(), context(&world, COMPLETE_TIME));
                world.state().count("invocations of complete");
                let recorded = complete::handle(&wiring.complete, event);
                if let Some(Ok(_)) = invoke(&world, COMPLETE_TIME, false, recorded).await {
                    if status == "PROGRESSING" {
                        world.state().started(&job_id);
                    }
                    return;
                }
                time::sleep(Duration::from_mins(1)).await;
            }
            world.state().count_fault("dead letters of job events");
        });
    }
}

/// The owner takes a video down once it is in the catalog.
pub(crate) fn remove(world: &World, id: AssetId) {
    let world = world.clone();
    time::spawn(async move {
        // Many of them while the upload is being submitted.
        let is_early = world.random(fastrand::Rng::bool);
        time::sleep(world.between(0.0, if is_early { 5.0 } else { 1800.0 })).await;
        while !world.state().has_record(id.as_str()) {
            time::sleep(world.between(0.01, 0.5)).await;
        }
        take_down(&world, &id).await;
    });
}

/// Takes a video down, and again until that has succeeded.
async fn take_down(world: &World, id: &AssetId) {
    let Some(wiring) = WIRING.get() else { return };
    loop {
        world.state().count("removals");
        if let Some(Ok(_)) = invoke(world, REMOVAL_TIME, false, wiring.take_down.purge(id)).await {
            world.state().removed.insert(id.to_string());
            return;
        }
        time::sleep(world.between(1.0, 60.0)).await;
    }
}

/// The owner does what reconcile asks for.
fn follow(world: &World, summary: &Value) {
    let notes = summary["notes"].as_array().into_iter().flatten();
    let removed = notes.filter(|note| note["found"] == pipeline::LEFT_OF_REMOVED);
    for id in removed.filter_map(|note| note["asset"].as_str()?.parse::<AssetId>().ok()) {
        world.state().count("removals repeated for reconcile");
        let world = world.clone();
        time::spawn(async move { take_down(&world, &id).await });
    }
}

/// Every period a run; one that is late begins when the one before has ended.
async fn schedule(world: World, wiring: Arc<Wiring>) {
    let mut due = time::elapsed();
    loop {
        due += PERIOD;
        time::sleep(due.saturating_sub(time::elapsed())).await;
        let event = LambdaEvent::new(json!({}), context(&world, RECONCILE_TIME));
        world.state().count("invocations of reconcile");
        let ended = invoke(
            &world,
            RECONCILE_TIME,
            false,
            reconcile::handle(&wiring.reconcile, event),
        )
        .await;
        if let Some(Ok(summary)) = ended {
            follow(&world, &summary);
            let mut state = world.state();
            if summary["finished"] == true {
                for (name, count) in [
                    ("mended", "repaired by reconcile"),
                    ("failed", "left to the next reconcile"),
                ] {
                    *state.calls.entry(count).or_default() += summary[name].as_u64().unwrap_or(0);
                }
            }
        }
    }
}
