use jiff::SignedDuration;
use mediaconvert_api::testing::{self, identity};
use serde_json::Value;
use vod_testkit::{TestClock, TestState};

use super::*;

/// A store whose time the test sets.
struct TestStore {
    store: JobStore,
    state: TestState,
    clock: TestClock,
}

impl TestStore {
    async fn new() -> Self {
        let clock = TestClock::at("2026-01-02T03:04:05Z");
        let state = TestState::with_clock(clock.clock()).await;
        let (db, queues) = (state.db.clone(), state.queues.clone());
        let store = JobStore::open(db, queues, clock.clock(), identity(), "job-events")
            .await
            .unwrap();
        Self { store, state, clock }
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
        let messages = self.state.queue("job-events").receive(100).await.unwrap();
        let status = |body: &str| {
            let event: Value = serde_json::from_str(body).unwrap();
            event["detail"]["status"].as_str().unwrap().to_owned()
        };
        messages.iter().map(|message| status(&message.body)).collect()
    }
}

#[tokio::test]
async fn a_token_gives_the_same_job_since_a_time() {
    let test = TestStore::new().await;
    let first = test.create("s3://b/a.mp4", Some("token"), 0).await;
    test.clock.pass(59);
    assert_eq!(test.create("s3://b/other.mp4", Some("token"), 0).await, first);
    assert_ne!(test.create("s3://b/a.mp4", Some("another"), 0).await.id, first.id);
    assert_ne!(test.create("s3://b/a.mp4", None, 0).await.id, first.id);
    test.clock.pass(1);
    assert_ne!(test.create("s3://b/a.mp4", Some("token"), 0).await.id, first.id);
}

#[tokio::test]
async fn turns_go_by_priority_then_age() {
    let test = TestStore::new().await;
    let oldest = test.create("s3://b/1", None, 0).await.id;
    let second = test.create("s3://b/2", None, 0).await.id;
    let urgent = test.create("s3://b/3", None, 5).await.id;
    for expected in [urgent, oldest, second] {
        let job = test.take().await.unwrap();
        assert_eq!((job.id, job.status), (expected, Status::Progressing));
    }
    assert!(test.take().await.is_none());
    assert_eq!(test.statuses().await, ["PROGRESSING"; 3]);
}

#[tokio::test]
async fn a_paused_queue_and_a_full_one_hold_their_jobs() {
    let test = TestStore::new().await;
    let arn = identity().arn("queues", "side");
    let mut resource = Resource {
        name: "side".to_owned(),
        body: serde_json::json!({ "arn": arn, "status": "PAUSED" }),
        tags: std::collections::BTreeMap::new(),
    };
    let create = |resource: Resource| test.store.create(Kind::Queue, resource, 1);
    assert_eq!(create(resource.clone()).await.unwrap(), Created::Yes);
    assert_eq!(create(resource.clone()).await.unwrap(), Created::Exists);
    resource.name = "another".to_owned();
    assert_eq!(create(resource).await.unwrap(), Created::Full);
    for priority in [9, 8] {
        let (request, now) = (testing::request("s3://b/side", None, priority), test.store.now());
        let job = Job::new(request, arn.clone(), &identity(), now);
        test.store.insert(job, now).await.unwrap();
    }
    let other = test.create("s3://b/other", None, 0).await.id;
    assert_eq!(test.store.active(Some(&arn)).await.unwrap(), (2, 0));
    assert_eq!(test.take().await.unwrap().id, other);
    assert_eq!(test.take().await, None);

    let resume = |resource: &mut Resource| {
        resource.body["status"] = "ACTIVE".into();
        resource.body["concurrentJobs"] = 1.into();
    };
    test.store
        .change_resource(Kind::Queue, "side", resume)
        .await
        .unwrap();
    let first = test.take().await.unwrap();
    assert_eq!(first.priority, 9);
    assert_eq!(test.take().await, None);
    test.store
        .change(&first.id, |job, now| vec![job.cancel(now)])
        .await
        .unwrap();
    assert_eq!(test.take().await.unwrap().priority, 8);
    assert!(test.store.remove(Kind::Queue, "side").await.unwrap());
    assert!(!test.store.remove(Kind::Queue, "side").await.unwrap());
}

#[tokio::test]
async fn an_ended_job_stays_and_sends_no_event() {
    let test = TestStore::new().await;
    let id = test.create("s3://b/1", None, 0).await.id;
    let cancel = |job: &mut Job, now| vec![job.cancel(now)];
    assert!(test.store.change(&id, cancel).await.unwrap().is_some());
    assert!(test.store.change(&id, cancel).await.unwrap().is_none());
    assert!(test.store.take(&id).await.unwrap().is_none());
    assert!(test.take().await.is_none());
    assert_eq!(test.statuses().await, ["CANCELED"]);
}

#[tokio::test]
async fn a_change_and_its_event_are_one() {
    let test = TestStore::new().await;
    let id = test.create("s3://b/1", None, 0).await.id;
    // Without the queue's table the event cannot be sent; then the job must not have changed either.
    test.state
        .db
        .call(|c| Ok(c.execute_batch("ALTER TABLE queue_message RENAME TO away")?))
        .await
        .unwrap();
    assert!(test.store.take(&id).await.is_err());
    assert_eq!(
        test.store.get(&id).await.unwrap().unwrap().status,
        Status::Submitted
    );
}

#[tokio::test]
async fn jobs_during_which_the_process_died_wait_for_those_without_a_stain() {
    let test = TestStore::new().await;
    let stained = test.create("s3://b/1", None, 50).await.id;
    for deaths in 1..=2 {
        assert_eq!(test.take().await.unwrap().id, stained);
        assert_eq!(
            test.store.recover().await.unwrap(),
            std::slice::from_ref(&stained)
        );
        let turn = test.store.next().await.unwrap().unwrap();
        assert_eq!((&turn.id, turn.deaths), (&stained, deaths));
    }
    let clean = test.create("s3://b/2", None, 0).await.id;
    assert_eq!(test.take().await.unwrap().id, clean);
    // An orderly stop is no stain, and both begin anew.
    test.store.give_back(&clean).await.unwrap();
    let again = test.take().await.unwrap();
    assert_eq!((again.id, again.retry_count), (clean, 1));
    let last = test.take().await.unwrap();
    assert_eq!((last.id, last.retry_count), (stained, 2));
}

#[tokio::test]
async fn pages_in_both_orders_and_filters() {
    let test = TestStore::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(test.create(&format!("s3://b/film-{n}.mp4"), None, 0).await.id);
    }
    let mut found = Vec::new();
    let mut filter = Filter {
        ascending: true,
        limit: 2,
        ..Filter::default()
    };
    loop {
        let page = test.store.list(filter.clone()).await.unwrap();
        found.extend(page.jobs.into_iter().map(|job| job.id));
        filter.after = found.last().cloned();
        if !page.more {
            break;
        }
    }
    assert_eq!(found, ids);

    let newest = test
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
        let page = test
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
