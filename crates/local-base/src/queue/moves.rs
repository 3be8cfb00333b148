//! What operators do with a whole queue: move its messages, or throw them away. And what SQS does at times:
//! deliver a message twice.

use std::time::Duration;

use rusqlite::{Transaction, params};
use vod_ids as ids;

use super::{Message, Queue, Queues, after};
use crate::db::DbError;

impl Queues {
    /// Moves every message that could be received now from one queue to another, and returns how many. As with
    /// SQS's message move tasks they arrive as new ones: another id, sent now, never received.
    pub async fn move_all(&self, from: &str, to: &str) -> Result<u32, DbError> {
        let (from, to, now) = (from.to_owned(), to.to_owned(), (self.clock)().as_millisecond());
        let moved = self
            .db
            .transaction(move |t| Ok::<_, DbError>(move_all(t, &from, &to, now)?));
        let moved = moved.await?;
        self.wake();
        Ok(moved)
    }

    /// Throws all messages of a queue away, those in flight too, and returns how many.
    pub async fn purge(&self, queue: &str) -> Result<usize, DbError> {
        let queue = queue.to_owned();
        self.db
            .call(move |connection| {
                Ok(connection.execute("DELETE FROM queue_message WHERE queue = ?1", [queue])?)
            })
            .await
    }
}

impl Queue {
    /// Delivers a message that was received once more, `pause` from now: at-least-once, at its word. The copy counts
    /// as received as often as the message itself.
    pub async fn repeat(&self, message: &Message, pause: Duration) -> Result<(), DbError> {
        let (queue, message, now) = (self.name.clone(), message.clone(), (self.queues.clock)());
        let repeated = self.queues.db.transaction(move |t| {
            t.execute(
                "INSERT INTO queue_message (id, queue, body, sent_ms, visible_ms, receive_count, first_received_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    ids::uuid(),
                    queue,
                    message.body,
                    message.sent_at.as_millisecond(),
                    after(now, pause),
                    message.receive_count,
                    message.first_received_at.as_millisecond(),
                ],
            )?;
            Ok::<_, DbError>(())
        });
        repeated.await?;
        self.queues.wake();
        Ok(())
    }
}

fn move_all(transaction: &Transaction<'_>, from: &str, to: &str, now_ms: i64) -> rusqlite::Result<u32> {
    let numbers: Vec<i64> = transaction
        .prepare("SELECT number FROM queue_message WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY number")?
        .query_map(params![from, now_ms], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut statement = transaction.prepare(
        "UPDATE queue_message SET queue = ?2, id = ?3, sent_ms = ?4, visible_ms = ?4, receive_count = 0,
            first_received_ms = NULL, receipt_handle = NULL WHERE number = ?1",
    )?;
    let mut moved = 0;
    for number in numbers {
        statement.execute(params![number, to, ids::uuid(), now_ms])?;
        moved += 1;
    }
    Ok(moved)
}
