//! Pollers between a queue and a function: Lambda's event source mapping for SQS, and the EventBridge rule that passes job events
//! to `complete`.
//!
//! Both take messages from a durable queue and call the Invoke API over signed HTTP, with the JSON that AWS would send. A message
//! leaves its queue only after the function has succeeded; a message that fails too often ends in the dead letters. So a crash at
//! any point delivers again and loses nothing.

mod invoke;
mod sqs;

use std::sync::Arc;
use std::time::Duration;

use local_base::db::DbError;
use local_base::fault::Faults;
use local_base::queue::{Message, Queue};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use invoke::{InvokeError, Invoker};

/// The pause of a poller after the database failed.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// In which form messages reach the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// As an SQS event of up to this many records, with `ReportBatchItemFailures` (at most 10, as on AWS).
    SqsBatch(usize),
    /// Each message's body is the event: an EventBridge rule with a function as its target.
    Bare,
}

/// When a failed message is tried again.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The pause after the first failure; it doubles with each further one.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
}

impl Backoff {
    /// The pause after delivery number `receive_count` (from 1) has failed.
    pub fn pause(&self, receive_count: u32) -> Duration {
        let doublings = receive_count.saturating_sub(1).min(31);
        self.first.saturating_mul(1 << doublings).min(self.longest)
    }
}

/// One queue's messages on their way to one function.
#[derive(Clone)]
pub struct Poller {
    /// Where messages come from.
    pub queue: Queue,
    /// The function they go to.
    pub function: String,
    /// How it gets them.
    pub delivery: Delivery,
    /// Invocations at one time.
    pub concurrency: usize,
    /// None leaves failed messages to the queue's visibility timeout, exactly as on AWS.
    pub backoff: Option<Backoff>,
    /// The API port.
    pub invoker: Invoker,
    /// What happens to messages on their way, on purpose.
    pub faults: Option<Faults>,
}

impl Poller {
    /// Delivers until `shutdown`, then lets invocations under way end.
    pub async fn run(self, shutdown: CancellationToken) {
        let slots = Arc::new(Semaphore::new(self.concurrency.max(1)));
        let mut invocations = JoinSet::new();
        while let Some(Ok(slot)) = shutdown.run_until_cancelled(slots.clone().acquire_owned()).await {
            while invocations.try_join_next().is_some() {}
            let batch = match shutdown.run_until_cancelled(self.next_batch()).await {
                None => break,
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    tracing::error!(queue = self.queue.name(), %error, "failed to receive messages");
                    shutdown
                        .run_until_cancelled(tokio::time::sleep(RETRY_DELAY))
                        .await;
                    continue;
                }
            };
            let poller = self.clone();
            invocations.spawn(async move {
                poller.deliver(batch).await;
                drop(slot);
            });
        }
        invocations.join_all().await;
    }

    /// Waits for messages and takes them; empty where another took them first or all went to the dead letters.
    async fn next_batch(&self) -> Result<Vec<Message>, DbError> {
        self.queue.wait().await?;
        let size = match self.delivery {
            Delivery::SqsBatch(size) => size.clamp(1, sqs::MAX_BATCH),
            Delivery::Bare => 1,
        };
        self.queue.receive(size).await
    }

    /// One invocation, and what follows from it for each message.
    async fn deliver(&self, mut batch: Vec<Message>) {
        if let Some(faults) = &self.faults {
            batch = faults.meddle(&self.queue, batch).await;
        }
        if batch.is_empty() {
            return;
        }
        let outcome = match self.event(&batch) {
            Ok(event) => self.outcome(&batch, self.invoker.invoke(&self.function, &event).await),
            Err(error) => {
                tracing::warn!(queue = self.queue.name(), %error, "message is not json");
                sqs::Outcome::AllFailed
            }
        };
        for message in &batch {
            let settled = if outcome.failed(&message.id) {
                self.postpone(message).await
            } else {
                self.queue.delete(&message.receipt_handle).await
            };
            if let Err(error) = settled {
                // The visibility timeout brings the message back; handlers are idempotent.
                tracing::error!(queue = self.queue.name(), id = message.id, %error, "failed to settle message");
            }
        }
    }

    fn event(&self, batch: &[Message]) -> Result<Value, serde_json::Error> {
        match (self.delivery, batch) {
            (Delivery::Bare, [message]) => serde_json::from_str(&message.body),
            _ => Ok(sqs::event(self.queue.name(), self.invoker.region(), batch)),
        }
    }

    fn outcome(&self, batch: &[Message], answer: Result<Value, InvokeError>) -> sqs::Outcome {
        match answer {
            Err(error) => {
                let queue = self.queue.name();
                tracing::warn!(queue, function = self.function, messages = batch.len(), %error, "delivery failed");
                sqs::Outcome::AllFailed
            }
            // A rule's target has no way to report anything but an error.
            Ok(_) if self.delivery == Delivery::Bare => sqs::Outcome::AllSucceeded,
            Ok(answer) => sqs::outcome(batch, &answer),
        }
    }

    async fn postpone(&self, message: &Message) -> Result<bool, DbError> {
        match self.backoff {
            None => Ok(true),
            Some(backoff) => {
                let pause = backoff.pause(message.receive_count);
                self.queue.change_visibility(&message.receipt_handle, pause).await
            }
        }
    }
}

#[cfg(test)]
mod tests;
