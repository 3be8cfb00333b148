use std::sync::Mutex;

use super::*;

const SETTINGS: QueueSettings = QueueSettings {
    visibility_timeout: Duration::from_secs(30),
    max_receive_count: 2,
};

/// A queue whose time only moves when told to.
struct World {
    queues: Queues,
    queue: Queue,
    now: Arc<Mutex<Timestamp>>,
}

impl World {
    async fn new() -> Self {
        let now = Arc::new(Mutex::new("2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap()));
        let clock: Clock = Arc::new({
            let now = Arc::clone(&now);
            move || *now.lock().unwrap()
        });
        let queues = Queues::open(Db::in_memory().unwrap(), clock).await.unwrap();
        let queue = queues.queue("uploads", SETTINGS);
        Self { queues, queue, now }
    }

    fn pass(&self, seconds: i64) {
        let mut now = self.now.lock().unwrap();
        *now += SignedDuration::from_secs(seconds);
    }
}

#[tokio::test]
async fn a_message_is_hidden_after_receiving_and_gone_after_deleting() {
    let world = World::new().await;
    let id = world.queues.send("uploads", "one".to_owned()).await.unwrap();
    let got = world.queue.receive(10).await.unwrap();
    assert_eq!(
        (got[0].id.as_str(), got[0].body.as_str(), got[0].receive_count),
        (id.as_str(), "one", 1)
    );
    assert!(world.queue.receive(10).await.unwrap().is_empty());
    assert_eq!(
        world.queues.counts("uploads").await.unwrap(),
        Counts {
            visible: 0,
            in_flight: 1
        }
    );
    assert!(world.queue.delete(&got[0].receipt_handle).await.unwrap());
    assert!(!world.queue.delete(&got[0].receipt_handle).await.unwrap());
    assert_eq!(world.queues.counts("uploads").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn a_restart_gives_back_what_was_received_and_does_not_count_it() {
    let world = World::new().await;
    world.queues.send("uploads", "one".to_owned()).await.unwrap();
    for _ in 0..5 {
        let got = world.queue.receive(10).await.unwrap();
        assert_eq!(
            got.iter()
                .map(|message| message.receive_count)
                .collect::<Vec<_>>(),
            [1]
        );
        world.queues.release().await.unwrap();
    }
    assert_eq!(
        world.queues.counts("uploads").await.unwrap(),
        Counts {
            visible: 1,
            in_flight: 0
        }
    );
}

#[tokio::test]
async fn an_undeleted_message_comes_back_and_the_old_receipt_is_worthless() {
    let world = World::new().await;
    world.queues.send("uploads", "one".to_owned()).await.unwrap();
    let first = world.queue.receive(1).await.unwrap().remove(0);
    world.pass(30);
    let second = world.queue.receive(1).await.unwrap().remove(0);
    assert_eq!(
        (second.receive_count, second.first_received_at),
        (2, first.first_received_at)
    );
    assert!(!world.queue.delete(&first.receipt_handle).await.unwrap());
    assert!(world.queue.delete(&second.receipt_handle).await.unwrap());
}

#[tokio::test]
async fn what_is_received_too_often_moves_to_the_dead_letters_with_its_id() {
    let world = World::new().await;
    let id = world.queues.send("uploads", "poison".to_owned()).await.unwrap();
    world.queues.send("uploads", "good".to_owned()).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.queue.receive(1).await.unwrap()[0].body, "poison");
        assert_eq!(world.queue.receive(1).await.unwrap()[0].body, "good");
        world.pass(30);
    }
    assert!(world.queue.receive(10).await.unwrap().is_empty());
    let dead = world.queues.queue(&dead_letter_name("uploads"), SETTINGS);
    let dead = dead.receive(10).await.unwrap();
    assert_eq!(dead.len(), 2);
    assert_eq!((dead[0].id.as_str(), dead[0].receive_count), (id.as_str(), 3));
}

#[tokio::test]
async fn redriven_messages_are_new_ones_and_what_is_in_flight_stays() {
    let world = World::new().await;
    let first = world.queues.send("uploads-dlq", "one".to_owned()).await.unwrap();
    world.queues.send("uploads-dlq", "two".to_owned()).await.unwrap();
    let dead = world.queues.queue("uploads-dlq", SETTINGS);
    assert_eq!(dead.receive(1).await.unwrap()[0].id, first);
    assert_eq!(world.queues.move_all("uploads-dlq", "uploads").await.unwrap(), 1);
    let moved = world.queue.receive(10).await.unwrap();
    assert_eq!((moved[0].body.as_str(), moved[0].receive_count), ("two", 1));
    assert_eq!(moved.len(), 1);
    let counts = world.queues.counts("uploads-dlq").await.unwrap();
    assert_eq!((counts.visible, counts.in_flight), (0, 1));
    assert_eq!(world.queues.purge("uploads-dlq").await.unwrap(), 1);
    assert_eq!(
        world.queues.counts("uploads-dlq").await.unwrap(),
        Counts::default()
    );
}

#[tokio::test]
async fn without_a_visibility_timeout_one_answer_holds_a_message_once() {
    let world = World::new().await;
    for body in ["one", "two"] {
        world.queues.send("uploads", body.to_owned()).await.unwrap();
    }
    let open = QueueSettings {
        visibility_timeout: Duration::ZERO,
        max_receive_count: 5,
    };
    let got = world.queues.queue("uploads", open).receive(10).await.unwrap();
    assert_eq!(
        got.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(),
        ["one", "two"]
    );
}

#[tokio::test]
async fn visibility_can_be_shortened_and_extended() {
    let world = World::new().await;
    world.queues.send("uploads", "one".to_owned()).await.unwrap();
    let first = world.queue.receive(1).await.unwrap().remove(0);
    world
        .queue
        .change_visibility(&first.receipt_handle, Duration::from_secs(100))
        .await
        .unwrap();
    world.pass(99);
    assert!(world.queue.receive(1).await.unwrap().is_empty());
    world
        .queue
        .change_visibility(&first.receipt_handle, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(world.queue.receive(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn sending_takes_part_in_the_senders_transaction() {
    let world = World::new().await;
    let now = Timestamp::UNIX_EPOCH;
    let result: Result<(), DbError> = world
        .queues
        .db
        .transaction(move |t| {
            send(t, "uploads", "never", now)?;
            Err(DbError::Schema { found: 0 })
        })
        .await;
    assert!(result.is_err());
    assert_eq!(world.queues.counts("uploads").await.unwrap(), Counts::default());
}

#[tokio::test]
async fn waiting_ends_when_a_message_arrives() {
    let world = World::new().await;
    let waiter = tokio::spawn({
        let queue = world.queue.clone();
        async move { queue.wait().await }
    });
    world.queues.send("uploads", "one".to_owned()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), waiter)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!(world.queue.receive(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn concurrent_receivers_share_the_messages_without_overlap() {
    let world = World::new().await;
    for n in 0..40 {
        world.queues.send("uploads", n.to_string()).await.unwrap();
    }
    let receivers = (0..8).map(|_| {
        let queue = world.queue.clone();
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
async fn who_waits_for_dead_letters_hears_of_one() {
    let world = World::new().await;
    world.queues.send("uploads", "poison".to_owned()).await.unwrap();
    for _ in 0..SETTINGS.max_receive_count {
        world.queue.receive(1).await.unwrap();
        world.pass(30);
    }
    let dead = world.queues.queue(&dead_letter_name("uploads"), SETTINGS);
    let mut waiting = Box::pin(dead.wait());
    let pending = futures::future::poll_immediate(&mut waiting).await;
    assert!(pending.is_none());
    // Behind the look that the waiting one has begun: it has seen an empty queue.
    world.queues.counts("uploads").await.unwrap();
    assert!(world.queue.receive(1).await.unwrap().is_empty());
    let heard = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    heard.expect("nobody was told").unwrap();
}

#[tokio::test]
async fn the_oldest_message_counts_whoever_holds_it() {
    let world = World::new().await;
    assert_eq!(world.queues.depth("uploads").await.unwrap(), Depth::default());
    for body in ["a", "b"] {
        world.queues.send("uploads", body.to_owned()).await.unwrap();
        world.pass(5);
    }
    world.queue.receive(1).await.unwrap();
    let depth = world.queues.depth("uploads").await.unwrap();
    assert_eq!(depth.oldest, SignedDuration::from_secs(10));
    assert_eq!((depth.counts.visible, depth.counts.in_flight), (1, 1));
}

#[tokio::test]
async fn a_clock_that_goes_back_delays_no_message() {
    let world = World::new().await;
    world.queues.send("uploads", "sent".to_owned()).await.unwrap();
    world.queues.send("uploads", "received".to_owned()).await.unwrap();
    let sent = world.queue.receive(1).await.unwrap().remove(0);
    world.queue.delete(&sent.receipt_handle).await.unwrap();
    world.queue.receive(1).await.unwrap();
    world
        .queues
        .send("uploads", "sent again".to_owned())
        .await
        .unwrap();

    world.pass(-7200);
    let got = world.queue.receive(10).await.unwrap();
    assert_eq!(got.len(), 1, "what was sent before is there");
    world.queue.delete(&got[0].receipt_handle).await.unwrap();
    world.pass(29);
    assert!(world.queue.receive(10).await.unwrap().is_empty());
    world.pass(1);
    assert_eq!(world.queue.receive(10).await.unwrap()[0].body, "received");

    world
        .queues
        .send("uploads", "across a restart".to_owned())
        .await
        .unwrap();
    let now = Arc::clone(&world.now);
    *now.lock().unwrap() -= SignedDuration::from_secs(7200);
    let clock: Clock = Arc::new(move || *now.lock().unwrap());
    let queues = Queues::open(world.queues.db.clone(), clock).await.unwrap();
    queues.release().await.unwrap();
    assert_eq!(queues.counts("uploads").await.unwrap().visible, 2);
    let got = queues.queue("uploads", SETTINGS).receive(10).await.unwrap();
    let counts: Vec<_> = got.iter().map(|message| message.receive_count).collect();
    assert_eq!(counts, [2, 1]);
}
