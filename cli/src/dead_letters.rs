//! `vod dead-letters`: lists messages that failed at every delivery, and redrives them.

mod redrive;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use vod_core::asset::AssetId;
use vod_core::events::{Upload, parse_upload_message};
use vod_core::queues;

use crate::aws::Aws;
use crate::aws::service::SQS;
use crate::output;
use crate::stack::Stack;
use crate::stack::outputs::Outputs;
use crate::target::record;

/// Time for which a listed message stays hidden from others if this command dies.
const LOOK_SECONDS: u32 = 30;
/// Maximum number of messages of one queue that are listed.
const LISTED_MAX: usize = 1000;
/// Wait time for SQS on AWS, which asks all its servers only with long polling.
const WAIT_SECONDS: u32 = 1;

/// List messages that failed at every delivery, or send them again
///
/// Listing a message counts as another delivery.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Send dead letters back to their queue, after the cause is fixed
    Redrive {
        /// Only the dead letters of this queue
        queue: Option<String>,
    },
}

/// A queue and its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Queue {
    name: String,
    dead_url: String,
    dead_arn: String,
    way_back: WayBack,
}

/// The way in which dead letters are redriven.
#[derive(Debug, Clone, PartialEq, Eq)]
enum WayBack {
    /// To the queue that they came from.
    Queue,
    /// To the function that EventBridge could not invoke; there is no queue.
    Function(&'static str),
}

/// A dead letter, and the upload or job that it is about.
#[derive(Debug, Serialize)]
pub(crate) struct DeadLetter {
    queue: String,
    message_id: String,
    sent_at: Timestamp,
    receive_count: u32,
    #[serde(flatten)]
    about: About,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Whether its upload has ended in the meantime.
    #[serde(skip)]
    pub(crate) is_over: bool,
}

/// The upload or job that a message is about.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct About {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<AssetId>,
}

impl About {
    fn name(&self) -> Option<&str> {
        let asset = self.asset.as_ref().map(AssetId::as_str);
        self.key.as_deref().or(asset).or(self.job_id.as_deref())
    }
}

impl DeadLetter {
    /// The asset, if it can be read.
    pub(crate) fn asset(&self) -> Option<&str> {
        self.about.asset.as_ref().map(AssetId::as_str)
    }

    /// Describes it and its reason, for people.
    pub(crate) fn words(&self) -> String {
        let about = self.about.name().unwrap_or("a message that cannot be read");
        let reason = self
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(": {reason}"));
        format!("{about} in `{}`{reason}", self.queue)
    }
}

/// Runs `vod dead-letters`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let queues = queues(stack).await?;
    match &args.action {
        None => list(stack, &queues, args.json).await,
        Some(Action::Redrive { queue }) => redrive::run(stack, &queues, queue.as_deref(), args.json).await,
    }
}

/// The number of dead letters of each queue.
pub(crate) async fn counts(stack: &Stack) -> anyhow::Result<Vec<(String, u64)>> {
    let mut counts = Vec::new();
    for queue in queues(stack).await? {
        let name = "ApproximateNumberOfMessages";
        let request = json!({"QueueUrl": queue.dead_url, "AttributeNames": [name]});
        let answer = stack.aws.json(&SQS, "GetQueueAttributes", &request).await?;
        let count = answer["Attributes"][name]
            .as_str()
            .and_then(|count| count.parse().ok());
        counts.push((queue.name, count.unwrap_or(0)));
    }
    Ok(counts)
}

async fn queues(stack: &Stack) -> anyhow::Result<Vec<Queue>> {
    match &stack.outputs {
        None => local_queues(&stack.aws).await,
        Some(outputs) => cloud_queues(outputs).context("the stack's outputs do not name valid queues"),
    }
}

/// All queues that have dead letters, found by their redrive policies.
async fn local_queues(aws: &Aws) -> anyhow::Result<Vec<Queue>> {
    let answer = aws.json(&SQS, "ListQueues", &json!({})).await?;
    let mut queues = Vec::new();
    for url in answer["QueueUrls"].as_array().into_iter().flatten() {
        let request = json!({"QueueUrl": url, "AttributeNames": ["RedrivePolicy"]});
        let answer = aws.json(&SQS, "GetQueueAttributes", &request).await?;
        let policy = answer["Attributes"]["RedrivePolicy"].as_str();
        let policy: Option<Value> = policy.and_then(|policy| serde_json::from_str(policy).ok());
        let dead_arn = policy
            .as_ref()
            .and_then(|policy| policy["deadLetterTargetArn"].as_str());
        if let (Some(url), Some(dead_arn)) = (url.as_str(), dead_arn) {
            queues.push(queue(url, dead_arn).with_context(|| format!("`{url}` is not a queue"))?);
        }
    }
    Ok(queues)
}

/// The two queues of a stack on AWS, with the names of the local ones.
fn cloud_queues(outputs: &Outputs) -> Option<Vec<Queue>> {
    let (account, _) = outputs.upload_queue_arn.rsplit_once(':')?;
    let queue = |name: &str, dead_url: &str, way_back| {
        let (_, dead) = dead_url.rsplit_once('/')?;
        Some(Queue {
            name: name.to_owned(),
            dead_url: dead_url.to_owned(),
            dead_arn: format!("{account}:{dead}"),
            way_back,
        })
    };
    Some(vec![
        queue(queues::UPLOADS, &outputs.upload_dead_letters, WayBack::Queue)?,
        queue(
            queues::JOB_EVENTS,
            &outputs.job_event_dead_letters,
            WayBack::Function("complete"),
        )?,
    ])
}

fn queue(url: &str, dead_arn: &str) -> Option<Queue> {
    let (folder, name) = url.rsplit_once('/')?;
    let (_, dead) = dead_arn.rsplit_once(':')?;
    Some(Queue {
        name: name.to_owned(),
        dead_url: format!("{folder}/{dead}"),
        dead_arn: dead_arn.to_owned(),
        way_back: WayBack::Queue,
    })
}

/// Lists all dead letters and the uploads or jobs that they are about.
pub(crate) async fn letters(stack: &Stack) -> anyhow::Result<Vec<DeadLetter>> {
    read(stack, &queues(stack).await?).await
}

async fn read(stack: &Stack, queues: &[Queue]) -> anyhow::Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    for queue in queues {
        let messages = receive(stack, queue, LOOK_SECONDS).await?;
        for message in &messages {
            give_back(&stack.aws, queue, message).await?;
        }
        for message in &messages {
            letters.push(explain(stack, queue, message).await?);
        }
    }
    Ok(letters)
}

async fn list(stack: &Stack, queues: &[Queue], as_json: bool) -> anyhow::Result<()> {
    let letters = read(stack, queues).await?;
    if as_json {
        return output::json(&letters);
    }
    if letters.is_empty() {
        output::note("no dead letters");
        return Ok(());
    }
    let rows: Vec<_> = letters.iter().map(row).collect();
    let headings = [
        "QUEUE",
        "MESSAGE",
        "SENT (UTC)",
        "RECEIVED",
        "ABOUT",
        "STATE",
        "REASON",
    ];
    output::table(headings, &rows)
}

/// Receives all messages and hides them for `hide_seconds`: SQS has no other way to read them.
async fn receive(stack: &Stack, queue: &Queue, hide_seconds: u32) -> anyhow::Result<Vec<Value>> {
    let wait = if stack.outputs.is_some() { WAIT_SECONDS } else { 0 };
    let request = json!({"QueueUrl": queue.dead_url, "MaxNumberOfMessages": 10, "VisibilityTimeout": hide_seconds,
        "WaitTimeSeconds": wait, "MessageSystemAttributeNames": ["All"]});
    let mut messages: Vec<Value> = Vec::new();
    while messages.len() < LISTED_MAX {
        let answer = stack.aws.json(&SQS, "ReceiveMessage", &request).await?;
        match answer["Messages"].as_array() {
            Some(more) if !more.is_empty() => messages.extend(more.iter().cloned()),
            _ => break,
        }
    }
    Ok(messages)
}

/// Makes a message visible again.
async fn give_back(aws: &Aws, queue: &Queue, message: &Value) -> anyhow::Result<()> {
    let back = json!({"QueueUrl": queue.dead_url, "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0});
    aws.json(&SQS, "ChangeMessageVisibility", &back).await?;
    Ok(())
}

/// The event in a message: Lambda wraps the event of a failed invocation (Lambda guide, on-failure destinations).
fn event(body: &str) -> Value {
    let mut event: Value = serde_json::from_str(body).unwrap_or(Value::Null);
    match event.get_mut("requestPayload") {
        Some(payload) => payload.take(),
        None => event,
    }
}

async fn explain(stack: &Stack, queue: &Queue, message: &Value) -> anyhow::Result<DeadLetter> {
    let attribute = |name: &str| {
        message["Attributes"][name]
            .as_str()
            .and_then(|text| text.parse::<i64>().ok())
    };
    let about = about(message["Body"].as_str().unwrap_or_default());
    let known = match &about.asset {
        Some(asset) => record(&stack.api(), asset).await?,
        None => None,
    };
    let sent = attribute("SentTimestamp").and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let count = attribute("ApproximateReceiveCount").and_then(|count| u32::try_from(count).ok());
    Ok(DeadLetter {
        queue: queue.name.clone(),
        message_id: message["MessageId"].as_str().unwrap_or_default().to_owned(),
        sent_at: sent.unwrap_or(Timestamp::UNIX_EPOCH),
        receive_count: count.unwrap_or(0),
        state: known.as_ref().map(|record| record.state.as_str().to_owned()),
        is_over: known.as_ref().is_some_and(|record| record.state.is_terminal()),
        reason: known.and_then(|record| record.reason),
        about,
    })
}

/// The upload or job in the body of a message, if it can be read.
fn about(body: &str) -> About {
    let event = event(body);
    if let Some(job) = event.pointer("/detail/jobId").and_then(Value::as_str) {
        let asset = event
            .pointer("/detail/userMetadata/asset")
            .and_then(Value::as_str);
        return About {
            job_id: Some(job.to_owned()),
            asset: asset.and_then(|asset| asset.parse().ok()),
            key: None,
        };
    }
    let uploads = parse_upload_message(body).unwrap_or_default();
    let created = uploads.into_iter().find_map(|upload| match upload {
        Upload::Created(object) => Some(object),
        Upload::Nothing => None,
    });
    let Some(object) = created else {
        return About::default();
    };
    let asset = |etag: &String| AssetId::new(&object.bucket, &object.key, object.version.as_deref(), etag);
    About {
        asset: object.etag.as_ref().map(asset),
        key: Some(object.key),
        job_id: None,
    }
}

fn row(letter: &DeadLetter) -> [String; 7] {
    let dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), output::plain);
    [
        letter.queue.clone(),
        letter.message_id.clone(),
        letter.sent_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        letter.receive_count.to_string(),
        dash(letter.about.name()),
        dash(letter.state.as_deref()),
        dash(letter.reason.as_deref()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_tell_what_they_are_about() {
        let upload = json!({"Records": [{"eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "vod"}, "object": {"key": "input/a+b.mp4", "eTag": "e"}}}]});
        let asset = AssetId::new("vod", "input/a b.mp4", None, "e");
        let job = json!({"detail": {"jobId": "1-a", "userMetadata": {"asset": asset.as_str()}}});
        let refused = json!({"version": "1.0", "requestContext": {"condition": "RetriesExhausted"}, "requestPayload": job});
        let table = [
            (refused.to_string(), (None, Some("1-a"), Some(asset.clone()))),
            (
                upload.to_string(),
                (Some("input/a b.mp4"), None, Some(asset.clone())),
            ),
            (job.to_string(), (None, Some("1-a"), Some(asset))),
            ("{}".to_owned(), (None, None, None)),
            ("no json".to_owned(), (None, None, None)),
        ];
        for (body, expected) in table {
            let found = about(&body);
            assert_eq!(
                (found.key.as_deref(), found.job_id.as_deref(), found.asset),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn a_queues_dead_letters_lie_beside_it() {
        let found = queue(
            "http://here:1/000000000000/uploads",
            "arn:aws:sqs:r:000000000000:uploads-dlq",
        );
        assert_eq!(found.unwrap().dead_url, "http://here:1/000000000000/uploads-dlq");
    }
}
