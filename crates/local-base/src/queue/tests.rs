use vod_testkit::TestClock;

use super::*;

const SETTINGS: QueueSettings = QueueSettings {
    visibility_timeout: Duration::from_secs(30),
    max_receive_count: 2,
};

/// A queue whose time the test sets.
struct TestQueue {
    queues: Queues,
    queue: Queue,
    clock: TestClock,
}

impl TestQueue {
    async fn new() -> Self {
        let clock = TestClock::at("2026-01-02T03:04:05Z");
        let queues = Queues::open(Db::in_memory().unwrap(), clock.clock())
            .await
            .unwrap();
        let queue = queues.queue("uploads", SETTINGS);
        Self { queues, queue, clock }
    }
}

#[tokio::test]
async fn a_message_is_hidden_after_receiving_and_gone_after_deleting() {
    let test = TestQueue::new().await;
    let id = test.queues.send("uploads", "one".to_owned()).await.unwrap();
    let got = test.queue.receive(10).await.unwrap();
    assert_eq!(
        (got[0].id.as_str(), got[0].body.as_str(), got[0].receive_count),
        (id.as_str(), "one", 1)
    );
    assert!(test.queue.receive(10).await.unwrap().is_empty());
    assert_eq!(
        test.queues.counts("uploads").await.unwrap(),
        Counts {
            visible: 0,
            in_flight: 1
        }
    );
    assert!(test.queue.delete(&got[0].receipt_handle).await.unwrap());
    assert!(!test.queue.delete(&got[0].receipt_handle).await.unwrap());
    assert_eq!(test.queues.counts("uploads").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_restart_gives_back_what_was_received_and_does_not_count_it() {
    let test = TestQueue::new().await;
    test.queues.send("uploads", "one".to_owned()).await.unwrap();
    for _ in 0..5 {
        let got = test.queue.receive(10).await.unwrap();
        assert_eq!(
            got.iter()
                .map(|message| message.receive_count)
                .collect::<Vec<_>>(),
            [1]
        );
        test.queues.release().await.unwrap();
    }
    assert_eq!(
        test.queues.counts("uploads").await.unwrap(),
        Counts {
            visible: 1,
            in_flight: 0
        }
    );
}

#[tokio::test]
async fn an_undeleted_message_comes_back_and_the_old_receipt_is_worthless() {
    let test = TestQueue::new().await;
    test.queues.send("uploads", "one".to_owned()).await.unwrap();
    let first = test.queue.receive(1).await.unwrap().remove(0);
    test.clock.pass(30);
    let second = test.queue.receive(1).await.unwrap().remove(0);
    assert_eq!(
        (second.receive_count, second.first_received_at),
        (2, first.first_received_at)
    );
    assert!(!test.queue.delete(&first.receipt_handle).await.unwrap());
    assert!(test.queue.delete(&second.receipt_handle).await.unwrap());
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letters_with_its_id() {
    let test = TestQueue::new().await;
    let id = test.queues.send("uploads", "poison".to_owned()).await.unwrap();
    test.queues.send("uploads", "good".to_owned()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(test.queue.receive(1).await.unwrap()[0].body, "poison");
        assert_eq!(test.queue.receive(1).await.unwrap()[0].body, "good");
        test.clock.pass(30);
    }
    assert!(test.queue.receive(10).await.unwrap().is_empty());
    let dead = test.queues.queue(&dead_letter_name("uploads"), SETTINGS);
    let dead = dead.receive(10).await.unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!((dead[0].id.as_str(), dead[0].receive_count), (id.as_str(), 3));
}

#[tokio::test]
async fn redriven_messages_are_new_ones_and_what_is_in_flight_stays() {
    let test = TestQueue::new().await;
    let first = test.queues.send("uploads-dlq", "one".to_owned()).await.unwrap();
    test.queues.send("uploads-dlq", "two".to_owned()).await.unwrap();
    let dead = test.queues.queue("uploads-dlq", SETTINGS);
    assert_eq!(dead.receive(1).await.unwrap()[0].id, first);
    assert_eq!(test.queues.move_all("uploads-dlq", "uploads").await.unwrap(), 1);
    let moved = test.queue.receive(10).await.unwrap();
    assert_eq!((moved[0].body.as_str(), moved[0].receive_count), ("two", 1));
    assert_eq!(moved.len(), 1);
    let counts = test.queues.counts("uploads-dlq").await.unwrap();
    assert_eq!((counts.visible, counts.in_flight), (0, 1));
    assert_eq!(test.queues.purge("uploads-dlq").await.unwrap(), 1);
    assert_eq!(
        test.queues.counts("uploads-dlq").await.unwrap(),
        Counts::default()
    );
}

#[tokio::test]
async fn without_a_visibility_timeout_one_answer_holds_a_message_once() {
    let test = TestQueue::new().await;
    for body in ["one", "two"] {
        test.queues.send("uploads", body.to_owned()).await.unwrap();
    }
    let open = QueueSettings {
        visibility_timeout: Duration::ZERO,
        max_receive_count: 5,
    };
    let got = test.queues.queue("uploads", open).receive(10).await.unwrap();
    assert_eq!(
        got.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test]
async fn visibility_can_be_shortened_and_extended() {
    let test = TestQueue::new().await;
    test.queues.send("uploads", "one".to_owned()).await.unwrap();
    let first = test.queue.receive(1).await.unwrap().remove(0);
    test.queue
        .change_visibility(&first.receipt_handle, Duration::from_secs(100))
        .await
        .unwrap();
    test.clock.pass(99);
    assert!(test.queue.receive(1).await.unwrap().is_empty());
    test.queue
        .change_visibility(&first.receipt_handle, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(test.queue.receive(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn sending_takes_part_in_the_senders_transaction() {
    let test = TestQueue::new().await;
    let now = Timestamp::UNIX_EPOCH;
    let result: Result<(), DbError> = test
        .queues
        .db
        .transaction(move |t| {
            send(t, "uploads", "never", now)?;
            Err(DbError::Schema { found: 0 })
        })
        .await;
    assert!(result.is_err());
    assert_eq!(test.queues.counts("uploads").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn waiting_ends_when_a_message_arrives() {
    let test = TestQueue::new().await;
    let waiter = tokio::spawn({
        let queue = test.queue.clone();
        async move { queue.wait().await }
    });
    test.queues.send("uploads", "one".to_owned()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), waiter)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(test.queue.receive(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn concurrent_receivers_share_the_messages_without_overlap() {
    let test = TestQueue::new().await;
    for n in 0..40 {
        test.queues.send("uploads", n.to_string()).await.unwrap();
    }
    let receivers = (0..8).map(|_| {
        let queue = test.queue.clone();
        tokio::spawn(async move { queue.receive(5).await.unwrap() })
    });
    let mut bodies = Vec::new();
    for receiver in receivers.collect::<Vec<_>>() {
        bodies.extend(
            receiver
                .await
                .unwrap()
                .into_iter()
                .map(|m| m.body.parse::<u32>().unwrap()),
        );
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_waiting_receiver_gets_a_dead_letter() {
    let test = TestQueue::new().await;
    test.queues.send("uploads", "poison".to_owned()).await.unwrap();
    for _ in 0..SETTINGS.max_receive_count {
        test.queue.receive(1).await.unwrap();
        test.clock.pass(30);
    }
    let dead = test.queues.queue(&dead_letter_name("uploads"), SETTINGS);
    let mut waiting = Box::pin(dead.wait());
    let pending = futures::future::poll_immediate(&mut waiting).await;
    assert!(pending.is_none());
    // The waiting receiver has seen an empty queue by now.
    test.queues.counts("uploads").await.unwrap();
    assert!(test.queue.receive(1).await.unwrap().is_empty());
    let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    heard.expect("the receiver was not woken").unwrap();
}

#[tokio::test]
async fn the_oldest_message_counts_whoever_holds_it() {
    let test = TestQueue::new().await;
    assert_eq!(test.queues.depth("uploads").await.unwrap(), Depth::default());
    for body in ["a", "b"] {
        test.queues.send("uploads", body.to_owned()).await.unwrap();
        test.clock.pass(5);
    }
    test.queue.receive(1).await.unwrap();
    let depth = test.queues.depth("uploads").await.unwrap();
    assert_eq!(depth.oldest, SignedDuration::from_secs(10));
    assert_eq!((depth.counts.visible, depth.counts.in_flight), (1, 1));
}

#[tokio::test]
async fn a_clock_that_goes_back_delays_no_message() {
    let test = TestQueue::new().await;
    test.queues.send("uploads", "sent".to_owned()).await.unwrap();
    test.queues.send("uploads", "received".to_owned()).await.unwrap();
    let sent = test.queue.receive(1).await.unwrap().remove(0);
    test.queue.delete(&sent.receipt_handle).await.unwrap();
    test.queue.receive(1).await.unwrap();
    test.queues
        .send("uploads", "sent again".to_owned())
        .await
        .unwrap();

    test.clock.pass(-7200);
    let got = test.queue.receive(10).await.unwrap();
    assert_eq!(got.len(), 1, "what was sent before is there");
    test.queue.delete(&got[0].receipt_handle).await.unwrap();
    test.clock.pass(29);
    assert!(test.queue.receive(10).await.unwrap().is_empty());
    test.clock.pass(1);
    assert_eq!(test.queue.receive(10).await.unwrap()[0].body, "received");

    test.queues
        .send("uploads", "across a restart".to_owned())
        .await
        .unwrap();
    test.clock.pass(-7200);
    let db = test.queues.db.clone();
    let queues = Queues::open(db, test.clock.clock()).await.unwrap();
    queues.release().await.unwrap();
    assert_eq!(queues.counts("uploads").await.unwrap().visible, 2);
    let got = queues.queue("uploads", SETTINGS).receive(10).await.unwrap();
    let counts: Vec<_> = got.iter().map(|message| message.receive_count).collect();
    assert_eq!(counts, [2, 1]);
}
