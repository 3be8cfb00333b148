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
use vod_ids as ids;

use crate::clock::Clock;
use crate::db::{Db, DbError};

mod depth;
mod moves;

pub use depth::Depth;

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

/// How the names of queues of dead letters end.
const DEAD_LETTERS: &str = "-dlq";

/// The longest time for which a receiver does not look at the clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

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
    /// What the clock said when it was last asked.
    seen: Arc<tokio::sync::Mutex<Timestamp>>,
}

impl Queues {
    /// Creates the tables where they are missing.
    pub async fn open(db: Db, clock: Clock) -> Result<Self, DbError> {
        db.create_tables(TABLES).await?;
        let seen = Arc::new(tokio::sync::Mutex::new(clock()));
        Ok(Self {
            db,
            clock,
            arrived: Arc::new(Notify::new()),
            seen,
        })
    }

    /// A handle to one queue; it needs no creation. Dead letters have no dead letters of their own, so of their
    /// queues the maximum of deliveries does not count.
    pub fn queue(&self, name: &str, mut settings: QueueSettings) -> Queue {
        if name.ends_with(DEAD_LETTERS) {
            settings.max_receive_count = u32::MAX;
        }
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

    /// Wakes every caller of [`Queue::wait`]. Call it after a transaction that used [`send`] has committed.
    pub fn wake(&self) {
        self.arrived.notify_waiters();
    }

    /// Gives back what a run that is over had received: call it at start, when no receiver of that run can be
    /// alive. Such a delivery does not count, or being killed five times would bury a good message. A message that was
    /// sent before the clock went back comes at once, too.
    pub async fn release(&self) -> Result<(), DbError> {
        let now = (self.clock)().as_millisecond();
        let sql = "UPDATE queue_message SET visible_ms = ?1, receipt_handle = NULL,
                       receive_count = max(receive_count - (receipt_handle IS NOT NULL), 0)
                   WHERE visible_ms > ?1";
        self.db.execute(sql, [now]).await?;
        self.wake();
        Ok(())
    }

    /// What time it is. When the clock has gone back since the last call, every hidden message is moved along:
    /// it was hidden for a while, not until an instant that is hours away now.
    async fn now(&self) -> Result<Timestamp, DbError> {
        let mut seen = self.seen.lock().await;
        let now = (self.clock)();
        let back = seen.as_millisecond() - now.as_millisecond();
        if back >= 1000 {
            let sql = "UPDATE queue_message SET visible_ms = visible_ms - ?2 WHERE visible_ms > ?1";
            let moved = self.db.execute(sql, [now.as_millisecond(), back]).await?;
            tracing::warn!(back_ms = back, moved, "the clock has gone back");
        }
        *seen = now;
        Ok(now)
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
    format!("{queue}{DEAD_LETTERS}")
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
        let (name, settings, now) = (self.name.clone(), self.settings, self.queues.now().await?);
        let received = self
            .queues
            .db
            .transaction(move |t| receive(t, &name, settings, max, now));
        let (messages, buried) = received.await?;
        if buried {
            // A receiver may be waiting for dead letters.
            self.queues.wake();
        }
        Ok(messages)
    }

    /// Ends a message. False when the receipt handle is not that of the latest delivery.
    pub async fn delete(&self, receipt_handle: &str) -> Result<bool, DbError> {
        let sql = "DELETE FROM queue_message WHERE queue = ?1 AND receipt_handle = ?2";
        let receipt = (self.name.clone(), receipt_handle.to_owned());
        Ok(self.queues.db.execute(sql, receipt).await? > 0)
    }

    /// Makes a received message visible again in `timeout` from now; zero gives it back at once.
    /// False when the receipt handle is not that of the latest delivery.
    pub async fn change_visibility(&self, receipt_handle: &str, timeout: Duration) -> Result<bool, DbError> {
        let visible = after(self.queues.now().await?, timeout);
        let sql = "UPDATE queue_message SET visible_ms = ?3 WHERE queue = ?1 AND receipt_handle = ?2";
        let values = (self.name.clone(), receipt_handle.to_owned(), visible);
        let changed = self.queues.db.execute(sql, values).await?;
        self.queues.wake();
        Ok(changed > 0)
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
            let now = self.queues.now().await?;
            let Some(at) = self.next_visible_at().await? else {
                arrived.await;
                continue;
            };
            let Ok(pause) = Duration::try_from(at.duration_since(now)) else {
                return Ok(());
            };
            if pause.is_zero() {
                return Ok(());
            }
            tokio::select! {
                () = arrived => {}
                // Looks again before its time: the clock may go back meanwhile.
                () = tokio::time::sleep(pause.min(LONGEST_PAUSE)) => {}
            }
        }
    }
}

/// The messages that can be received, and whether another has moved to the dead letters.
fn receive(
    transaction: &Transaction<'_>,
    queue: &str,
    settings: QueueSettings,
    max: usize,
    now: Timestamp,
) -> Result<(Vec<Message>, bool), DbError> {
    // Never at once, so that one answer holds each message once.
    let hidden = settings.visibility_timeout.max(Duration::from_millis(1));
    let (mut messages, mut buried) = (Vec::new(), false);
    while messages.len() < max {
        let Some(mut message) = next_visible(transaction, queue, now)? else {
            break;
        };
        if message.receive_count >= settings.max_receive_count {
            bury(transaction, queue, &message, now)?;
            buried = true;
            continue;
        }
        message.receive_count += 1;
        message.receipt_handle = ids::letters(48);
        transaction.execute(
            "UPDATE queue_message SET visible_ms = ?2, receive_count = ?3, first_received_ms = ?4,
                receipt_handle = ?5 WHERE id = ?1",
            params![
                message.id,
                after(now, hidden),
                message.receive_count,
                message.first_received_at.as_millisecond(),
                message.receipt_handle,
            ],
        )?;
        messages.push(message);
    }
    Ok((messages, buried))
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

/// Moves a message that failed too often to the dead letters. As on AWS it keeps its id and the count of its
/// deliveries.
fn bury(
    transaction: &Transaction<'_>,
    queue: &str,
    message: &Message,
    now: Timestamp,
) -> rusqlite::Result<()> {
    tracing::warn!(queue, id = %message.id, receives = message.receive_count, "message moved to dead letters");
    transaction.execute(
        "UPDATE queue_message SET queue = ?2, visible_ms = ?3, receipt_handle = NULL WHERE id = ?1",
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
mod tests;
