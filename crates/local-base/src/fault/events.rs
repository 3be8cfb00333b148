//! Events under faults, on their way from a queue to their function.

use std::time::Duration;

use serde_json::Value;

use super::Faults;
use super::spec::{Fault, Place, Rule};
use crate::db::DbError;
use crate::queue::{Message, Queue};

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Deliver,
    Drop,
    /// Now, and once more after this time.
    Twice(Duration),
    Later(Duration),
}

impl Faults {
    /// Those of `batch` that are to be delivered now. A message is drawn for at its first delivery only: a duplicate
    /// has no duplicates, and what was put off comes.
    pub async fn meddle(&self, queue: &Queue, batch: Vec<Message>) -> Vec<Message> {
        let mut left = Vec::with_capacity(batch.len());
        for message in batch {
            let fate = if message.receive_count == 1 {
                self.fate_of(queue.name(), &message.body)
            } else {
                Fate::Deliver
            };
            match settle(queue, &message, fate).await {
                Ok(false) => {}
                Ok(true) => left.push(message),
                Err(error) => {
                    tracing::warn!(queue = queue.name(), id = message.id, %error, "fault was not injected");
                    left.push(message);
                }
            }
        }
        left
    }

    fn fate_of(&self, queue: &str, body: &str) -> Fate {
        let subject = subject(body);
        let concerns = |rule: &Rule| match rule.place {
            Place::Events(name) => name.is_none_or(|name| name == queue),
            Place::Calls(..) | Place::Ffmpeg => false,
        };
        let Some((rule, pause)) = self.drawn(&subject, concerns).into_iter().next() else {
            return Fate::Deliver;
        };
        tracing::warn!(fault = rule.name, queue, event = subject, "fault");
        match rule.fault {
            Fault::Drop => Fate::Drop,
            Fault::Duplicate => Fate::Twice(pause),
            _ => Fate::Later(pause),
        }
    }
}

/// True when the message is still to be delivered now.
async fn settle(queue: &Queue, message: &Message, fate: Fate) -> Result<bool, DbError> {
    match fate {
        Fate::Deliver => Ok(true),
        Fate::Drop => queue.delete(&message.receipt_handle).await.map(|_| false),
        Fate::Twice(pause) => queue.repeat(message, pause).await.map(|()| true),
        Fate::Later(pause) => {
            let put_off = queue.change_visibility(&message.receipt_handle, pause).await;
            put_off.map(|_| false)
        }
    }
}

/// What an event is about, in words that are the same in each run: the key of an upload; asset, attempt and status
/// of a job, whose id is another each time.
fn subject(body: &str) -> String {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    if let Some(key) = event.pointer("/Records/0/s3/object/key").and_then(Value::as_str) {
        return key.to_owned();
    }
    let detail = &event["detail"];
    let job = &detail["userMetadata"];
    [
        &job["asset"],
        &job["template"],
        &job["attempt"],
        &detail["status"],
    ]
    .map(|part| part.as_str().unwrap_or_default())
    .join(" ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::clock;
    use crate::db::Db;
    use crate::queue::{Counts, QueueSettings, Queues};

    fn faults(texts: &[&str]) -> Faults {
        let arguments: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let faults = Faults::open(&arguments, Path::new(".")).unwrap().unwrap();
        faults.arm();
        faults
    }

    /// One message through faults: how many are delivered now, and what the queue holds then.
    async fn one(texts: &[&str]) -> (usize, Counts, Queue) {
        let queues = Queues::open(Db::in_memory().unwrap(), clock::system())
            .await
            .unwrap();
        let settings = QueueSettings {
            visibility_timeout: Duration::from_mins(1),
            max_receive_count: 5,
        };
        let queue = queues.queue("uploads", settings);
        queues.send("uploads", "{}".to_owned()).await.unwrap();
        let batch = queue.receive(10).await.unwrap();
        let left = faults(texts).meddle(&queue, batch).await;
        let counts = queues.counts("uploads").await.unwrap();
        (left.len(), counts, queue)
    }

    #[tokio::test]
    async fn events_are_dropped_doubled_and_put_off() {
        let held = |visible, in_flight| Counts { visible, in_flight };
        for (text, delivered, counts) in [
            ("events.drop=1", 0, held(0, 0)),
            ("uploads.drop=1", 0, held(0, 0)),
            ("job-events.drop=1", 1, held(0, 1)),
            ("s3.503=1", 1, held(0, 1)),
            ("events.duplicate=1:60000", 1, held(0, 2)),
            ("events.duplicate=1:0", 1, held(1, 1)),
            ("events.delay=1:60000", 0, held(0, 1)),
            ("events.reorder=1:0", 0, held(1, 0)),
            ("events.drop=0", 1, held(0, 1)),
        ] {
            let (left, held, _) = one(&[text]).await;
            assert_eq!((left, held), (delivered, counts), "{text}");
        }
    }

    #[test]
    fn the_nth_event_of_one_fault_does_not_depend_on_another_fault() {
        let faults = faults(&["events.drop=@1", "events.delay=@2:7"]);
        let fates: Vec<Fate> = (0..3).map(|_| faults.fate_of("uploads", "{}")).collect();
        let put_off = Fate::Later(Duration::from_millis(7));
        assert_eq!(fates, [Fate::Drop, put_off, Fate::Deliver]);
    }

    #[tokio::test]
    async fn a_duplicate_has_no_duplicates() {
        let rules = ["events.duplicate=1:0", "seed=1"];
        let (_, _, queue) = one(&rules).await;
        let copies = queue.receive(10).await.unwrap();
        assert_eq!((copies.len(), copies[0].body.as_str()), (1, "{}"));
        let left = faults(&rules).meddle(&queue, copies).await;
        assert_eq!(left.len(), 1);
        assert!(queue.receive(10).await.unwrap().is_empty());
    }

    #[test]
    fn the_subject_of_an_event() {
        let upload = json!({ "Records": [{ "s3": { "object": { "key": "input/a+b.mp4" } } }] });
        let metadata = json!({ "asset": "a-1", "template": "default", "attempt": "2" });
        let job = json!({ "detail": { "jobId": "1-x", "status": "COMPLETE", "userMetadata": metadata } });
        assert_eq!(subject(&upload.to_string()), "input/a+b.mp4");
        assert_eq!(subject(&job.to_string()), "a-1 default 2 COMPLETE");
        assert_eq!(subject("no json").trim(), "");
    }
}
