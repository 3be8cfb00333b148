use std::sync::Mutex;

use jiff::SignedDuration;
use mediaconvert_api::testing::{self, identity};
use serde_json::Value;

use super::*;
use crate::queue::QueueSettings;

/// A store whose time the test sets.
struct World {
    store: JobStore,
    queues: Queues,
    db: Db,
    now: Arc<Mutex<Timestamp>>,
}

impl World {
    async fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap()));
        let clock: Clock = Arc::new({
            let now = now.clone();
            move || *now.lock().unwrap()
        });
        let db = Db::in_memory().unwrap();
        let queues = Queues::open(db.clone(), clock.clone()).await.unwrap();
        let store = JobStore::open(db.clone(), queues.clone(), clock, identity(), "job-events")
            .await
            .unwrap();
        Self {
            store,
            queues,
            db,
            now,
        }
    }

    async fn create(&self, input: &str, token: Option<&str>, priority: i32) -> Job {
        let (request, now) = (testing::request(input, token, priority), self.store.now());
        let job = Job::new(request, "queue-arn".to_owned(), &identity(), now);
        let since = now - SignedDuration::from_mins(1);
        self.store.insert(job, since).await.unwrap()
    }

    /// Whose turn it is, taken.
    async fn take(&self) -> Option<Job> {
        let turn = self.store.next().await.unwrap()?;
        self.store.take(&turn.id).await.unwrap()
    }

    async fn statuses(&self) -> Vec<String> {
        let settings = QueueSettings {
            visibility_timeout: std::time::Duration::from_mins(1),
            max_receive_count: 5,
        };
        let messages = self
            .queues
            .queue("job-events", settings)
            .receive(100)
            .await
            .unwrap();
        let status = |body: &str| {
            let event: Value = serde_json::from_str(body).unwrap();
            event["detail"]["status"].as_str().unwrap().to_owned()
        };
        messages.iter().map(|message| status(&message.body)).collect()
    }

    fn pass(&self, seconds: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }
}

#[tokio::test]
async fn a_token_gives_the_same_job_since_a_time() {
    let world = World::new().await;
    let first = world.create("s3://b/a.mp4", Some("token"), 0).await;
    world.pass(59);
    assert_eq!(world.create("s3://b/other.mp4", Some("token"), 0).await, first);
    assert_ne!(
        world.create("s3://b/a.mp4", Some("another"), 0).await.id,
        first.id
    );
    assert_ne!(world.create("s3://b/a.mp4", None, 0).await.id, first.id);
    world.pass(1);
    assert_ne!(world.create("s3://b/a.mp4", Some("token"), 0).await.id, first.id);
}

#[tokio::test]
async fn turns_go_by_priority_then_age() {
    let world = World::new().await;
    let oldest = world.create("s3://b/1", None, 0).await.id;
    let second = world.create("s3://b/2", None, 0).await.id;
    let urgent = world.create("s3://b/3", None, 5).await.id;
    for expected in [urgent, oldest, second] {
        let job = world.take().await.unwrap();
        assert_eq!((job.id, job.status), (expected, Status::Progressing));
    }
    assert!(world.take().await.is_none());
    assert_eq!(world.statuses().await, ["PROGRESSING"; 3]);
}

#[tokio::test]
async fn what_has_ended_stays_and_sends_nothing() {
    let world = World::new().await;
    let id = world.create("s3://b/1", None, 0).await.id;
    let cancel = |job: &mut Job, now| vec![job.cancel(now)];
    assert!(world.store.change(&id, cancel).await.unwrap().is_some());
    assert!(world.store.change(&id, cancel).await.unwrap().is_none());
    assert!(world.store.take(&id).await.unwrap().is_none());
    assert!(world.take().await.is_none());
    assert_eq!(world.statuses().await, ["CANCELED"]);
}

#[tokio::test]
async fn a_change_and_its_event_are_one() {
    let world = World::new().await;
    let id = world.create("s3://b/1", None, 0).await.id;
    // Without the queue's table the event cannot be sent; then the job must not have changed either.
    world
        .db
        .call(|c| Ok(c.execute_batch("ALTER TABLE queue_message RENAME TO away")?))
        .await
        .unwrap();
    assert!(world.store.take(&id).await.is_err());
    assert_eq!(
        world.store.get(&id).await.unwrap().unwrap().status,
        Status::Submitted
    );
}

#[tokio::test]
async fn jobs_during_which_the_process_died_wait_for_those_without_a_stain() {
    let world = World::new().await;
    let stained = world.create("s3://b/1", None, 50).await.id;
    for deaths in 1..=2 {
        assert_eq!(world.take().await.unwrap().id, stained);
        assert_eq!(
            world.store.recover().await.unwrap(),
            std::slice::from_ref(&stained)
        );
        let turn = world.store.next().await.unwrap().unwrap();
        assert_eq!((&turn.id, turn.deaths), (&stained, deaths));
    }
    let clean = world.create("s3://b/2", None, 0).await.id;
    assert_eq!(world.take().await.unwrap().id, clean);
    // An orderly stop is no stain, and both begin anew.
    world.store.give_back(&clean).await.unwrap();
    let again = world.take().await.unwrap();
    assert_eq!((again.id, again.retry_count), (clean, 1));
    let last = world.take().await.unwrap();
    assert_eq!((last.id, last.retry_count), (stained, 2));
}

#[tokio::test]
async fn pages_in_both_orders_and_filters() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(world.create(&format!("s3://b/film-{n}.mp4"), None, 0).await.id);
    }
    let mut found = Vec::new();
    let mut filter = Filter {
        ascending: true,
        limit: 2,
        ..Filter::default()
    };
    loop {
        let page = world.store.list(filter.clone()).await.unwrap();
        found.extend(page.jobs.into_iter().map(|job| job.id));
        filter.after = found.last().cloned();
        if !page.more {
            break;
        }
    }
    assert_eq!(found, ids);

    let newest = world
        .store
        .list(Filter {
            limit: 20,
            ..Filter::default()
        })
        .await
        .unwrap();
    assert!(!newest.more);
    ids.reverse();
    assert_eq!(
        newest.jobs.iter().map(|job| job.id.clone()).collect::<Vec<_>>(),
        ids
    );

    let table = [
        (
            Filter {
                input: Some("film-3".to_owned()),
                ..Filter::default()
            },
            1,
        ),
        (
            Filter {
                input: Some("film_".to_owned()),
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                status: Some(Status::Error),
                ..Filter::default()
            },
            0,
        ),
        (
            Filter {
                queue: Some("queue-arn".to_owned()),
                ..Filter::default()
            },
            5,
        ),
    ];
    for (filter, expected) in table {
        let page = world
            .store
            .list(Filter {
                limit: 20,
                ..filter.clone()
            })
            .await
            .unwrap();
        assert_eq!(page.jobs.len(), expected, "{filter:?}");
    }
}
