//! The event that Lambda makes of SQS messages, and what a function may answer to it
//! (docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).

use std::collections::HashSet;

use local_base::ACCOUNT;
use local_base::queue::Message;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

/// The most messages that SQS hands out at once.
pub(super) const MAX_BATCH: usize = 10;

/// The event for a batch from the queue called `name`.
pub(super) fn event(name: &str, region: &str, batch: &[Message]) -> Value {
    let record = |message: &Message| {
        json!({
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": message.receive_count.to_string(),
                "SentTimestamp": message.sent_at.as_millisecond().to_string(),
                "SenderId": ACCOUNT,
                "ApproximateFirstReceiveTimestamp": message.first_received_at.as_millisecond().to_string(),
            },
            "messageAttributes": {},
            "md5OfBody": hex::encode(Md5::digest(message.body.as_bytes())),
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{region}:{ACCOUNT}:{name}"),
            "awsRegion": region,
        })
    };
    json!({ "Records": batch.iter().map(record).collect::<Vec<_>>() })
}

/// Which messages of a batch are to be delivered again.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    AllSucceeded,
    AllFailed,
    /// These ids, and only these.
    Failed(HashSet<String>),
}

impl Outcome {
    pub(super) fn failed(&self, id: &str) -> bool {
        match self {
            Self::AllSucceeded => false,
            Self::AllFailed => true,
            Self::Failed(ids) => ids.contains(id),
        }
    }
}

/// Reads a function's answer as Lambda does with `ReportBatchItemFailures`: nothing to report is success,
/// a report that cannot be understood fails the whole batch.
pub(super) fn outcome(batch: &[Message], answer: &Value) -> Outcome {
    let failures = match answer {
        Value::Null => return Outcome::AllSucceeded,
        Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return Outcome::AllFailed,
    };
    let items = match failures {
        Value::Null => return Outcome::AllSucceeded,
        Value::Array(items) if items.is_empty() => return Outcome::AllSucceeded,
        Value::Array(items) => items,
        _ => return Outcome::AllFailed,
    };
    let mut ids = HashSet::new();
    for item in items {
        let known = item
            .get("itemIdentifier")
            .and_then(Value::as_str)
            .filter(|id| batch.iter().any(|message| message.id == *id));
        match known {
            Some(id) => ids.insert(id.to_owned()),
            None => return Outcome::AllFailed,
        };
    }
    Outcome::Failed(ids)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn message(id: &str) -> Message {
        Message {
            id: id.to_owned(),
            receipt_handle: format!("receipt-{id}"),
            body: r#"{"Records":[]}"#.to_owned(),
            receive_count: 2,
            sent_at: Timestamp::UNIX_EPOCH,
            first_received_at: Timestamp::from_millisecond(1500).unwrap(),
        }
    }

    #[test]
    fn valid_responses_of_a_function() {
        let failed = |ids: &[&str]| Outcome::Failed(ids.iter().map(ToString::to_string).collect());
        let report = |items: Value| json!({ "batchItemFailures": items });
        let table = [
            (Value::Null, Outcome::AllSucceeded),
            (json!({}), Outcome::AllSucceeded),
            (json!({ "other": 1 }), Outcome::AllSucceeded),
            (report(Value::Null), Outcome::AllSucceeded),
            (report(json!([])), Outcome::AllSucceeded),
            (report(json!([{ "itemIdentifier": "a" }])), failed(&["a"])),
            (
                report(json!([{ "itemIdentifier": "a" }, { "itemIdentifier": "b" }])),
                failed(&["a", "b"]),
            ),
            (
                report(json!([{ "itemIdentifier": "a" }, { "itemIdentifier": "a" }])),
                failed(&["a"]),
            ),
            (
                report(json!([{ "itemIdentifier": "stranger" }])),
                Outcome::AllFailed,
            ),
            (report(json!([{ "itemIdentifier": "" }])), Outcome::AllFailed),
            (report(json!([{ "itemIdentifier": null }])), Outcome::AllFailed),
            (
                report(json!([{ "itemIdentifier": "a" }, { "identifier": "b" }])),
                Outcome::AllFailed,
            ),
            (report(json!(["a"])), Outcome::AllFailed),
            (report(json!("a")), Outcome::AllFailed),
            (json!("fine"), Outcome::AllFailed),
            (json!([]), Outcome::AllFailed),
        ];
        let batch = [message("a"), message("b")];
        for (answer, expected) in table {
            assert_eq!(outcome(&batch, &answer), expected, "{answer}");
        }
    }

    #[test]
    fn the_event() {
        insta::assert_json_snapshot!(event("uploads", "us-east-1", &[message("a")]));
    }
}
