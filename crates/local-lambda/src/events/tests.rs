use std::collections::HashSet;
use std::sync::Mutex;

use lambda_runtime::{Diagnostic, LambdaEvent};
use local_base::clock;
use local_base::db::Db;
use local_base::queue::{Counts, QueueSettings, Queues, dead_letter_name};
use serde_json::json;
use vod_testkit::{keys, serve};

use super::*;
use crate::{Functions, Limits};

const SETTINGS: QueueSettings = QueueSettings {
    visibility_timeout: Duration::from_mins(10),
    max_receive_count: 5,
};

/// A stack of queues and one function called `f`, with HTTP between them.
struct TestPoller {
    queues: Queues,
    seen: Arc<Mutex<Vec<Value>>>,
    shutdown: CancellationToken,
    poller: tokio::task::JoinHandle<()>,
}

impl TestPoller {
    /// `answer` sees the event and how many came before it.
    async fn new(
        delivery: Delivery,
        answer: impl Fn(&Value, usize) -> Result<Value, Diagnostic> + Send + Sync + Clone + 'static,
    ) -> Self {
        let keys = keys();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let seen = seen.clone();
            move |event: LambdaEvent<Value>| {
                let mut seen = seen.lock().unwrap();
                let result = answer(&event.payload, seen.len());
                seen.push(event.payload);
                std::future::ready(result)
            }
        };
        let functions = Functions::builder("us-east-1")
            .function("f", Limits::default(), handler)
            .build();
        let api = serve(functions.router(&keys)).await;

        let queues = Queues::open(Db::in_memory().unwrap(), clock::system())
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let poller = Poller {
            queue: queues.queue("q", SETTINGS),
            function: "f".to_owned(),
            delivery,
            concurrency: 2,
            backoff: Some(Backoff {
                first: Duration::ZERO,
                longest: Duration::ZERO,
            }),
            invoker: Invoker::new(&api, keys),
            faults: None,
        };
        let poller = tokio::spawn(poller.run(shutdown.clone()));
        Self {
            queues,
            seen,
            shutdown,
            poller,
        }
    }

    /// Waits for dead letters and returns the first one's body.
    async fn dead_letter(&self) -> String {
        let name = dead_letter_name("q");
        self.until(&name, |counts| counts.visible > 0).await;
        self.queues
            .queue(&name, SETTINGS)
            .receive(1)
            .await
            .unwrap()
            .remove(0)
            .body
    }

    async fn until_empty(&self) {
        self.until("q", |counts| counts == Counts::default()).await;
    }

    async fn until(&self, queue: &str, condition: impl Fn(Counts) -> bool) {
        let reached = async {
            while !condition(self.queues.counts(queue).await.unwrap()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), reached)
            .await
            .unwrap();
    }

    async fn stop(self) -> Vec<Value> {
        self.shutdown.cancel();
        self.poller.await.unwrap();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn failure() -> Diagnostic {
    Diagnostic {
        error_type: "Unavailable".into(),
        error_message: "try again".into(),
    }
}

#[tokio::test]
async fn a_message_that_always_fails_is_delivered_five_times_and_ends_in_the_dead_letters() {
    let test = TestPoller::new(Delivery::SqsBatch(10), |_, _| Err(failure())).await;
    test.queues.send("q", "poison".to_owned()).await.unwrap();
    assert_eq!(test.dead_letter().await, "poison");
    let seen = test.stop().await;
    let counts: Vec<_> = seen
        .iter()
        .map(|e| e["Records"][0]["attributes"]["ApproximateReceiveCount"].clone())
        .collect();
    assert_eq!(counts, ["1", "2", "3", "4", "5"]);
}

#[tokio::test]
async fn only_the_messages_reported_as_failed_come_again() {
    // The first delivery of "bad" fails, whatever batch it is in.
    let test = TestPoller::new(Delivery::SqsBatch(10), |event, _| {
        let records = event["Records"].as_array().unwrap();
        let failed = records
            .iter()
            .filter(|r| r["body"] == "bad" && r["attributes"]["ApproximateReceiveCount"] == "1");
        let items: Vec<_> = failed
            .map(|r| json!({ "itemIdentifier": r["messageId"] }))
            .collect();
        Ok(json!({ "batchItemFailures": items }))
    })
    .await;
    for body in ["good", "bad", "better"] {
        test.queues.send("q", body.to_owned()).await.unwrap();
    }
    test.until_empty().await;
    let seen = test.stop().await;
    let mut bodies: Vec<_> = seen
        .iter()
        .flat_map(|e| e["Records"].as_array().unwrap())
        .map(|r| r["body"].as_str().unwrap())
        .collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["bad", "bad", "better", "good"]);
}

#[tokio::test]
async fn a_rule_delivers_the_bare_event_and_tries_again() {
    let test = TestPoller::new(Delivery::Bare, |_, before| {
        if before == 0 {
            Err(failure())
        } else {
            Ok(json!("any"))
        }
    })
    .await;
    test.queues
        .send("q", r#"{"detail":{"status":"COMPLETE"}}"#.to_owned())
        .await
        .unwrap();
    test.until_empty().await;
    let event = json!({ "detail": { "status": "COMPLETE" } });
    assert_eq!(test.stop().await, [event.clone(), event]);
}

#[tokio::test]
async fn a_body_that_is_not_json_is_no_event_and_ends_in_the_dead_letters() {
    let test = TestPoller::new(Delivery::Bare, |_, _| Ok(Value::Null)).await;
    test.queues.send("q", "{".to_owned()).await.unwrap();
    assert_eq!(test.dead_letter().await, "{");
    assert!(test.stop().await.is_empty());
}

#[tokio::test]
async fn no_batch_is_larger_than_ten_and_none_is_lost() {
    let test = TestPoller::new(Delivery::SqsBatch(10), |_, _| Ok(Value::Null)).await;
    for n in 0..35 {
        test.queues.send("q", n.to_string()).await.unwrap();
    }
    test.until_empty().await;
    let seen = test.stop().await;
    let batches: Vec<_> = seen.iter().map(|e| e["Records"].as_array().unwrap()).collect();
    assert!(batches.iter().all(|b| (1..=10).contains(&b.len())));
    let bodies: HashSet<_> = batches
        .iter()
        .flat_map(|b| b.iter())
        .map(|r| r["body"].as_str().unwrap())
        .collect();
    assert_eq!(bodies.len(), 35);
}

#[test]
fn pauses_double_up_to_the_longest() {
    let backoff = Backoff {
        first: Duration::from_secs(1),
        longest: Duration::from_mins(1),
    };
    let pauses: Vec<_> = [1, 2, 3, 4, 7, 8, 1000]
        .iter()
        .map(|n| backoff.pause(*n).as_secs())
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 60, 60, 60]);
}
