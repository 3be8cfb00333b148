//! What operators do with a whole queue: move its messages, or throw them away.

use rusqlite::{Transaction, params};

use super::Queues;
use crate::db::DbError;
use crate::ids;

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
