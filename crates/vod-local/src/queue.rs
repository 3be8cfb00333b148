//! Durable queues with the semantics of SQS, in the stack's database.
//!
//! A message is delivered at least once: receiving hides it for the visibility timeout, deleting it by the
//! receipt handle of that delivery ends it, and what was received too often moves to `<name>-dlq`. Sending
//! takes part in the sender's transaction, see [`send`].

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction, params};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::db::{Db, DbError};
use crate::ids;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS queue_message (
    number            INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    queue             TEXT NOT NULL,
    body              TEXT NOT NULL,
    sent_ms           INTEGER NOT NULL,
    visible_ms        INTEGER NOT NULL,
    receive_count     INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER,
    receipt_handle    TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS queue_message_visible ON queue_message (queue, visible_ms);
";

/// How a queue treats its messages.
#[derive(Debug, Clone, Copy)]
pub struct QueueSettings {
    /// How long a received message stays hidden. On AWS at least six times the function's timeout.
    pub visibility_timeout: Duration,
    /// After so many deliveries without a delete the message moves to the dead-letter queue.
    pub max_receive_count: u32,
}

/// One delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The same at each delivery.
    pub id: String,
    /// Names this delivery; a later delivery makes it worthless.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// 1 at the first delivery.
    pub receive_count: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was first delivered.
    pub first_received_at: Timestamp,
}

/// How many messages a queue holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Could be received now.
    pub visible: u32,
    /// Received and neither deleted nor visible again.
    pub in_flight: u32,
}

/// All queues of the stack. Cheap to clone.
#[derive(Clone)]
pub struct Queues {
    db: Db,
    clock: Clock,
    arrived: Arc<Notify>,
}

impl Queues {
    /// Creates the tables where they are missing.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, DbError> {
        db.create_tables(TABLES).await?;
        Ok(Self {
            db,
            clock,
            arrived: Arc::new(Notify::new()),
        })
    }

    /// A handle to one queue; it needs no creation.
    pub fn queue(&self, name: &str, settings: QueueSettings) -> Queue {
        Queue {
            queues: self.clone(),
            name: name.to_owned(),
            settings,
        }
    }

    /// Sends in a transaction of its own. Returns the message id.
    pub async fn send(&self, queue: &str, body: String) -> Result<String, DbError> {
        let (queue, now) = (queue.to_owned(), (self.clock)());
        let id = self
            .db
            .transaction(move |t| Ok::<_, DbError>(send(t, &queue, &body, now)?))
            .await?;
        self.wake();
        Ok(id)
    }

    /// Wakes everybody in [`Queue::wait`]. Call it after a transaction that used [`send`] has committed.
    pub fn wake(&self) {
        self.arrived.notify_waiters();
    }

    /// Gives back what a run that is over had received: call it at start, when no receiver of that run can be
    /// alive. Such a delivery does not count, or being killed five times would bury a good message.
    pub async fn release(&self) -> Result<(), DbError> {
        let now = (self.clock)().as_millisecond();
        let sql = "UPDATE queue_message SET visible_ms = ?1, receive_count = max(receive_count - 1, 0), receipt_handle = NULL
                   WHERE receipt_handle IS NOT NULL AND visible_ms > ?1";
        self.db.call(move |connection| Ok(connection.execute(sql, [now])?)).await?;
        self.wake();
        Ok(())
    }

    /// How many messages `queue` holds.
    pub async fn counts(&self, queue: &str) -> Result<Counts, DbError> {
        let (queue, now) = (queue.to_owned(), (self.clock)().as_millisecond());
        self.db
            .call(move |connection| {
                Ok(connection.query_row(
                    "SELECT count(*) FILTER (WHERE visible_ms <= ?2), count(*) FILTER (WHERE visible_ms > ?2)
                     FROM queue_message WHERE queue = ?1",
                    params![queue, now],
                    |row| {
                        Ok(Counts {
                            visible: row.get(0)?,
                            in_flight: row.get(1)?,
                        })
                    },
                )?)
            })
            .await
    }
}

/// Puts a message into `queue` as part of the caller's transaction: it exists exactly when the rest of the
/// transaction does. Returns its id. Call [`Queues::wake`] after the commit.
pub fn send(
    transaction: &Transaction<'_>,
    queue: &str,
    body: &str,
    now: Timestamp,
) -> rusqlite::Result<String> {
    let id = ids::uuid();
    transaction.execute(
        "INSERT INTO queue_message (id, queue, body, sent_ms, visible_ms) VALUES (?1, ?2, ?3, ?4, ?4)",
        params![id, queue, body, now.as_millisecond()],
    )?;
    Ok(id)
}

/// The name of the queue that takes what `queue` gives up on.
pub fn dead_letter_name(queue: &str) -> String {
    format!("{queue}-dlq")
}

/// One queue, for those who receive.
#[derive(Clone)]
pub struct Queue {
    queues: Queues,
    name: String,
    settings: QueueSettings,
}

impl Queue {
    /// The name given to [`Queues::queue`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes up to `max` messages, the longest visible first, and hides them for the visibility timeout.
    ///
    /// Messages that were delivered too often move to the dead-letter queue instead.
    pub async fn receive(&self, max: usize) -> Result<Vec<Message>, DbError> {
        let (name, settings, now) = (self.name.clone(), self.settings, (self.queues.clock)());
        self.queues
            .db
            .transaction(move |t| receive(t, &name, settings, max, now))
            .await
    }

    /// Ends a message. False when the receipt handle is not that of the latest delivery.
    pub async fn delete(&self, receipt_handle: &str) -> Result<bool, DbError> {
        let (name, receipt) = (self.name.clone(), receipt_handle.to_owned());
        self.execute(move |t| {
            t.execute(
                "DELETE FROM queue_message WHERE queue = ?1 AND receipt_handle = ?2",
                [name, receipt],
            )
        })
        .await
    }

    /// Makes a received message visible again in `timeout` from now; zero gives it back at once.
    /// False when the receipt handle is not that of the latest delivery.
    pub async fn change_visibility(&self, receipt_handle: &str, timeout: Duration) -> Result<bool, DbError> {
        let (name, receipt) = (self.name.clone(), receipt_handle.to_owned());
        let visible = after((self.queues.clock)(), timeout);
        let changed = self
            .execute(move |t| {
                t.execute(
                    "UPDATE queue_message SET visible_ms = ?3 WHERE queue = ?1 AND receipt_handle = ?2",
                    params![name, receipt, visible],
                )
            })
            .await?;
        self.queues.wake();
        Ok(changed)
    }

    /// When the next message can be received; a time in the past means now, None that the queue is empty.
    pub async fn next_visible_at(&self) -> Result<Option<Timestamp>, DbError> {
        let name = self.name.clone();
        self.queues
            .db
            .call(move |connection| {
                let sql = "SELECT min(visible_ms) FROM queue_message WHERE queue = ?1";
                let earliest: Option<i64> = connection.query_row(sql, [name], |row| row.get(0))?;
                Ok(earliest.map(timestamp))
            })
            .await
    }

    /// Returns when a message can be received. Costs nothing while there is none.
    pub async fn wait(&self) -> Result<(), DbError> {
        loop {
            let arrived = self.queues.arrived.notified();
            tokio::pin!(arrived);
            // Registered before looking, so that a message that arrives in between is not missed.
            arrived.as_mut().enable();
            let Some(at) = self.next_visible_at().await? else {
                arrived.await;
                continue;
            };
            let Ok(pause) = Duration::try_from(at.duration_since((self.queues.clock)())) else {
                return Ok(());
            };
            if pause.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = arrived => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn execute(
        &self,
        statement: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<bool, DbError> {
        self.queues
            .db
            .transaction(move |t| Ok::<_, DbError>(statement(t)? > 0))
            .await
    }
}

fn receive(
    transaction: &Transaction<'_>,
    queue: &str,
    settings: QueueSettings,
    max: usize,
    now: Timestamp,
) -> Result<Vec<Message>, DbError> {
    let mut messages = Vec::new();
    while messages.len() < max {
        let Some(mut message) = next_visible(transaction, queue, now)? else {
            break;
        };
        if message.receive_count >= settings.max_receive_count {
            bury(transaction, queue, &message, now)?;
            continue;
        }
        message.receive_count += 1;
        message.receipt_handle = ids::letters(48);
        transaction.execute(
            "UPDATE queue_message SET visible_ms = ?2, receive_count = ?3, first_received_ms = ?4,
                receipt_handle = ?5 WHERE id = ?1",
            params![
                message.id,
                after(now, settings.visibility_timeout),
                message.receive_count,
                message.first_received_at.as_millisecond(),
                message.receipt_handle,
            ],
        )?;
        messages.push(message);
    }
    Ok(messages)
}

fn next_visible(
    transaction: &Transaction<'_>,
    queue: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Message>> {
    let now_ms = now.as_millisecond();
    transaction
        .prepare_cached(
            "SELECT id, body, receive_count, sent_ms, coalesce(first_received_ms, ?2) FROM queue_message
             WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY visible_ms, number LIMIT 1",
        )?
        .query_row(params![queue, now_ms], message)
        .optional()
}

fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        receipt_handle: String::new(),
        body: row.get(1)?,
        receive_count: row.get(2)?,
        sent_at: timestamp(row.get(3)?),
        first_received_at: timestamp(row.get(4)?),
    })
}

/// Moves a message that nobody could handle out of the way, where an operator finds it.
fn bury(
    transaction: &Transaction<'_>,
    queue: &str,
    message: &Message,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tracing::warn!(queue, id = %message.id, receives = message.receive_count, "message moved to dead letters");
    transaction.execute(
        "UPDATE queue_message SET queue = ?2, visible_ms = ?3, receive_count = 0, first_received_ms = NULL,
            receipt_handle = NULL WHERE id = ?1",
        params![message.id, dead_letter_name(queue), now.as_millisecond()],
    )?;
    Ok(())
}

/// Milliseconds since the epoch, `pause` after `now`.
fn after(now: Timestamp, pause: Duration) -> i64 {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    now.saturating_add(pause)
        .unwrap_or(Timestamp::MAX)
        .as_millisecond()
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
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
            assert_eq!(got.iter().map(|message| message.receive_count).collect::<Vec<_>>(), [1]);
            world.queues.release().await.unwrap();
        }
        assert_eq!(world.queues.counts("uploads").await.unwrap(), Counts { visible: 1, in_flight: 0 });
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
        assert_eq!((dead[0].id.as_str(), dead[0].receive_count), (id.as_str(), 1));
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
}
