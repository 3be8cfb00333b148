//! Moves all messages of a queue or throws them away, as operators do, and delivers a message twice, as SQS sometimes does.

use std::time::Duration;

use rusqlite::params;
use vod_ids as ids;

use super::{Message, Queue, Queues, after};
use crate::db::DbError;

impl Queues {
    /// Moves every message that could be received now from one queue to another, and returns how many. As with
    /// SQS's message move tasks they arrive as new ones: another id, sent now, never received.
    pub async fn move_all(&self, from: &str, to: &str) -> Result<usize, DbError> {
        let (from, to, now) = (from.to_owned(), to.to_owned(), (self.clock)().as_millisecond());
        let moved = self.db.transaction(move |transaction| {
            let numbers: Vec<i64> = transaction
                .prepare("SELECT number FROM queue_message WHERE queue = ?1 AND visible_ms <= ?2 ORDER BY number")?
                .query_map(params![from, now], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let mut statement = transaction.prepare(
                "UPDATE queue_message SET queue = ?2, id = ?3, sent_ms = ?4, visible_ms = ?4, receive_count = 0,
                    first_received_ms = NULL, receipt_handle = NULL WHERE number = ?1",
            )?;
            for number in &numbers {
                statement.execute(params![number, to, ids::uuid(), now])?;
            }
            Ok::<_, DbError>(numbers.len())
        });
        let moved = moved.await?;
        self.wake();
        Ok(moved)
    }

    /// Throws all messages of a queue away, those in flight too, and returns how many.
    pub async fn purge(&self, queue: &str) -> Result<usize, DbError> {
        let sql = "DELETE FROM queue_message WHERE queue = ?1";
        self.db.execute(sql, [queue.to_owned()]).await
    }
}

impl Queue {
    /// Delivers a received message once more, `pause` from now. The copy counts as received as often as the message
    /// itself.
    pub async fn repeat(&self, message: &Message, pause: Duration) -> Result<(), DbError> {
        let sql = "INSERT INTO queue_message (id, queue, body, sent_ms, visible_ms, receive_count, first_received_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = (
            ids::uuid(),
            self.name.clone(),
            message.body.clone(),
            message.sent_at.as_millisecond(),
            after((self.queues.clock)(), pause),
            message.receive_count,
            message.first_received_at.as_millisecond(),
        );
        self.queues.db.execute(sql, values).await?;
        self.queues.wake();
        Ok(())
    }
}
