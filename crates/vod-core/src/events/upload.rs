//! Uploads: S3 notifications, bare or inside SQS, SNS inside SQS, and EventBridge `Object Created`.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::record::Source;

/// An object that S3 says was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectCreated {
    pub bucket: String,
    /// Decoded, as every other API of AWS wants it.
    pub key: String,
    /// Bytes; absent if the event does not give it.
    pub size: Option<u64>,
    /// Without quotes.
    pub etag: Option<String>,
    pub version: Option<String>,
    /// S3's order of events of one key, see [`is_newer`].
    pub sequencer: Option<String>,
}

/// The content of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upload {
    Created(ObjectCreated),
    /// `s3:TestEvent`, sent once when a notification is set up, or an event of another kind (a removal):
    /// acknowledged, nothing to do.
    Nothing,
}

/// An invocation's event, taken apart.
#[derive(Debug, PartialEq)]
pub enum Delivery {
    /// S3 or EventBridge called the function itself: it succeeds or fails as a whole.
    Direct(Vec<Upload>),
    /// SQS: each message is answered for by itself.
    Messages(Vec<Message>),
}

/// One SQS message; a body that cannot be read fails alone.
#[derive(Debug, PartialEq)]
pub struct Message {
    pub id: String,
    /// Number of deliveries, this one included.
    pub receive_count: u32,
    pub uploads: Result<Vec<Upload>, EventError>,
}

/// An event that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("event is not JSON: {0}")]
    NotJson(String),
    #[error("event is neither an S3 notification nor `Object Created`: {0}")]
    Unknown(String),
    #[error("object key is not UTF-8 once decoded: `{0}`")]
    Key(String),
}

#[derive(Deserialize)]
struct S3Record {
    #[serde(rename = "eventName")]
    name: String,
    s3: Entity,
}

/// `s3` of a notification, and `detail` of EventBridge's `Object Created`.
#[derive(Deserialize)]
struct Entity {
    bucket: Bucket,
    object: Object,
}

#[derive(Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Deserialize)]
struct Object {
    /// Form-encoded in notifications only.
    key: String,
    size: Option<u64>,
    #[serde(rename = "eTag", alias = "etag")]
    etag: Option<String>,
    #[serde(rename = "versionId", alias = "version-id")]
    version: Option<String>,
    sequencer: Option<String>,
}

impl Entity {
    fn created(self, key: String) -> Upload {
        Upload::Created(ObjectCreated {
            bucket: self.bucket.name,
            key,
            size: self.object.size,
            etag: self.object.etag.map(|etag| etag.trim_matches('"').to_owned()),
            version: self.object.version.filter(|version| version != "null"),
            sequencer: self.object.sequencer,
        })
    }
}

#[derive(Deserialize)]
struct SqsRecord {
    #[serde(rename = "messageId")]
    id: String,
    body: String,
    #[serde(default)]
    attributes: SqsAttributes,
}

#[derive(Deserialize, Default)]
struct SqsAttributes {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Option<String>,
}

/// The message with which S3 would announce an upload again.
pub fn upload_message(source: &Source) -> Value {
    let key: String = form_urlencoded::byte_serialize(source.key.as_bytes()).collect();
    let mut object = json!({"key": key, "size": source.size, "eTag": source.etag});
    for (name, value) in [("versionId", &source.version), ("sequencer", &source.sequencer)] {
        if let Some(value) = value {
            object[name] = value.as_str().into();
        }
    }
    json!({"Records": [{
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": source.bucket}, "object": object},
    }]})
}

/// Takes an invocation's event apart.
pub fn parse_upload_event(event: &Value) -> Result<Delivery, EventError> {
    let records = event.get("Records").and_then(Value::as_array);
    let from_sqs = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
    match records {
        Some(records) if records.iter().any(from_sqs) => Ok(Delivery::Messages(
            records.iter().map(message).collect::<Result<_, _>>()?,
        )),
        _ => Ok(Delivery::Direct(parse_notification(event)?)),
    }
}

/// Reads the text of one message: an S3 notification, one wrapped by SNS, or an EventBridge event.
pub fn parse_upload_message(body: &str) -> Result<Vec<Upload>, EventError> {
    let event = json(body)?;
    match sns_message(&event) {
        Some(inner) => parse_notification(&json(inner)?),
        None => parse_notification(&event),
    }
}

fn json(text: &str) -> Result<Value, EventError> {
    serde_json::from_str(text).map_err(|error| EventError::NotJson(error.to_string()))
}

fn message(record: &Value) -> Result<Message, EventError> {
    let record = SqsRecord::deserialize(record).map_err(unknown)?;
    let receive_count = record
        .attributes
        .receive_count
        .and_then(|count| count.parse().ok())
        .unwrap_or(1);
    Ok(Message {
        id: record.id,
        receive_count,
        uploads: parse_upload_message(&record.body),
    })
}

/// The notification inside an SNS envelope, delivered through SQS without raw message delivery.
fn sns_message(event: &Value) -> Option<&str> {
    let kind = event.get("Type")?.as_str()?;
    (kind == "Notification")
        .then(|| event.get("Message")?.as_str())
        .flatten()
}

fn parse_notification(event: &Value) -> Result<Vec<Upload>, EventError> {
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(vec![Upload::Nothing]);
    }
    if event.get("source").and_then(Value::as_str) == Some("aws.s3") {
        return Ok(vec![parse_bridge(event)?]);
    }
    match event.get("Records").and_then(Value::as_array) {
        Some(records) => {
            let uploads = records.iter().map(parse_record).collect::<Result<Vec<_>, _>>()?;
            Ok(uploads.concat())
        }
        None => Err(EventError::Unknown(excerpt(event))),
    }
}

fn parse_bridge(event: &Value) -> Result<Upload, EventError> {
    if event.get("detail-type").and_then(Value::as_str) != Some("Object Created") {
        return Ok(Upload::Nothing);
    }
    let detail = Entity::deserialize(&event["detail"]).map_err(unknown)?;
    let key = detail.object.key.clone();
    Ok(detail.created(key))
}

fn parse_record(record: &Value) -> Result<Vec<Upload>, EventError> {
    // SNS may call a function itself; its record then holds the notification as text, of many records perhaps.
    if let Some(text) = record.pointer("/Sns/Message").and_then(Value::as_str) {
        return parse_upload_message(text);
    }
    let record = S3Record::deserialize(record).map_err(unknown)?;
    if !record
        .name
        .trim_start_matches("s3:")
        .starts_with("ObjectCreated:")
    {
        return Ok(vec![Upload::Nothing]);
    }
    let key = decode_key(&record.s3.object.key)?;
    Ok(vec![record.s3.created(key)])
}

/// Decodes a key of an S3 notification: form encoding, `+` is a space and `%XX` a byte.
pub fn decode_key(encoded: &str) -> Result<String, EventError> {
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| EventError::Key(encoded.to_owned()))
}

/// Whether sequencer `a` is later than `b`, both of the same key: the shorter one is padded with zeros on
/// the right, then they compare as text (S3 user guide, "Event message structure").
pub fn is_newer(a: &str, b: &str) -> bool {
    let width = a.len().max(b.len());
    let padded = |text: &str| {
        let mut digits = text.to_ascii_uppercase().into_bytes();
        digits.resize(width, b'0');
        digits
    };
    padded(a) > padded(b)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unknown(error: serde_json::Error) -> EventError {
    EventError::Unknown(error.to_string())
}

/// The beginning of an event, for an error text.
fn excerpt(event: &Value) -> String {
    event.to_string().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn s3(key: &str, name: &str) -> Value {
        json!({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
            "s3": {"bucket": {"name": "in"}, "object": {"key": key, "size": 5, "eTag": "e", "sequencer": "0A"}}}]})
    }

    fn sqs(bodies: &[String]) -> Value {
        let record = |(i, body): (usize, &String)| {
            json!({"messageId": format!("m{i}"), "eventSource": "aws:sqs", "body": body,
                   "attributes": {"ApproximateReceiveCount": "3"}})
        };
        json!({"Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>()})
    }

    fn created(upload: &Upload) -> &ObjectCreated {
        match upload {
            Upload::Created(object) => object,
            Upload::Nothing => panic!("expected an object"),
        }
    }

    #[test]
    fn a_bare_notification() {
        let Ok(Delivery::Direct(uploads)) = parse_upload_event(&s3("input/a+b%2Bc.mp4", "ObjectCreated:Put"))
        else {
            panic!("not read");
        };
        let object = created(&uploads[0]);
        assert_eq!(object.key, "input/a b+c.mp4");
        assert_eq!(
            (object.size, object.etag.as_deref(), object.version.as_deref()),
            (Some(5), Some("e"), None)
        );
    }

    #[test]
    fn inside_sqs_and_inside_sns_inside_sqs() {
        let bare = s3("input/x.mp4", "ObjectCreated:Copy").to_string();
        let wrapped = json!({"Type": "Notification", "Message": bare}).to_string();
        let Ok(Delivery::Messages(messages)) =
            parse_upload_event(&sqs(&[bare, wrapped, "no json".into(), "{}".into()]))
        else {
            panic!("not read");
        };
        assert_eq!(messages[0].receive_count, 3);
        for message in &messages[..2] {
            assert_eq!(created(&message.uploads.as_ref().unwrap()[0]).key, "input/x.mp4");
        }
        assert!(matches!(messages[2].uploads, Err(EventError::NotJson(_))));
        assert!(matches!(messages[3].uploads, Err(EventError::Unknown(_))));
    }

    #[test]
    fn event_bridge_keys_are_not_encoded() {
        let event = json!({"detail-type": "Object Created", "source": "aws.s3", "detail": {"version": "0",
            "bucket": {"name": "in"}, "object": {"key": "input/a+b c%20.mp4", "size": 5, "etag": "\"e\"",
            "version-id": "v1", "sequencer": "617f"}}});
        let Ok(Delivery::Direct(uploads)) = parse_upload_event(&event) else {
            panic!("not read")
        };
        let object = created(&uploads[0]);
        assert_eq!(object.key, "input/a+b c%20.mp4");
        assert_eq!(
            (object.etag.as_deref(), object.version.as_deref()),
            (Some("e"), Some("v1"))
        );
    }

    #[test]
    fn messages_without_an_upload_are_acknowledged() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"});
        for event in [test, s3("input/x", "ObjectRemoved:Delete")] {
            assert_eq!(
                parse_upload_event(&event),
                Ok(Delivery::Direct(vec![Upload::Nothing]))
            );
        }
    }

    #[test]
    fn every_record_counts() {
        let mut event = s3("input/1", "ObjectCreated:Put");
        let second = s3("input/2", "ObjectCreated:Put")["Records"][0].clone();
        event["Records"].as_array_mut().unwrap().push(second);
        // Fuzzing found that of a notification from SNS only the first record was seen.
        let from_sns = json!({"Records": [{"Sns": {"Message": event.to_string()}}]});
        for event in [event, from_sns] {
            let Ok(Delivery::Direct(uploads)) = parse_upload_event(&event) else {
                panic!("not read")
            };
            let keys: Vec<&str> = uploads
                .iter()
                .map(|upload| created(upload).key.as_str())
                .collect();
            assert_eq!(keys, ["input/1", "input/2"]);
        }
    }

    #[test]
    fn sequencers_compare_padded() {
        let cases = [
            ("0A", "09", true),
            ("0A", "0A", false),
            ("0A1", "0A", true),
            ("0A", "0A0", false),
        ];
        for (a, b, newer) in cases {
            assert_eq!(is_newer(a, b), newer, "{a} {b}");
        }
        // As a width for `format!` this would be too much.
        let long = "0".repeat(70_000);
        assert!(is_newer("0A", &long) && !is_newer(&long, "0"));
    }

    proptest! {
        #[test]
        fn keys_read_back(key in "\\PC{0,40}") {
            let encoded: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
            prop_assert_eq!(decode_key(&encoded), Ok(key));
        }

        #[test]
        fn a_decoded_key_encodes_again(encoded in "([a-z/+%]|%[0-9A-F]{2}|%ED%95%9C|\\PC){0,12}") {
            if let Ok(key) = decode_key(&encoded) {
                let again: String = form_urlencoded::byte_serialize(key.as_bytes()).collect();
                prop_assert_eq!(decode_key(&again), Ok(key));
            }
        }

        #[test]
        fn no_event_panics(text in "\\PC{0,80}", key in "[%+a-f0-9]{0,12}") {
            let _ = parse_upload_message(&text);
            let _ = parse_upload_event(&s3(&key, "ObjectCreated:Put"));
        }

        /// However a notification is wrapped, the same uploads come out of it.
        #[test]
        fn envelopes_change_nothing(
            records in prop::collection::vec(
                ("[%+a-f0-9]{0,6}", prop_oneof!["ObjectCreated:Put", "ObjectRemoved:Delete", "s3:ObjectCreated:Copy"]),
                0..4,
            ),
        ) {
            let records: Vec<Value> =
                records.iter().map(|(key, name)| s3(key, name)["Records"][0].clone()).collect();
            let event = json!({"Records": records});
            let text = event.to_string();
            let bare = parse_upload_message(&text);
            if let Ok(uploads) = &bare {
                prop_assert_eq!(uploads.len(), records.len());
            }
            let direct = |event: &Value| match parse_upload_event(event) {
                Ok(Delivery::Direct(uploads)) => Ok(uploads),
                Ok(Delivery::Messages(_)) => panic!("no SQS here"),
                Err(error) => Err(error),
            };
            prop_assert_eq!(&direct(&event), &bare);
            prop_assert_eq!(&direct(&json!({"Records": [{"Sns": {"Message": text}}]})), &bare);
            let sns = json!({"Type": "Notification", "Message": text}).to_string();
            prop_assert_eq!(&parse_upload_message(&sns), &bare);
            let Ok(Delivery::Messages(messages)) = parse_upload_event(&sqs(&[sns, "{}".to_owned()])) else {
                panic!("not read")
            };
            prop_assert_eq!(&messages[0].uploads, &bare);
            prop_assert!(messages[1].uploads.is_err());
        }
    }

    #[test]
    fn an_announced_upload_reads_back() {
        for (version, sequencer) in [(None, None), (Some("v1"), Some("05"))] {
            let source = Source {
                bucket: "vod".to_owned(),
                key: "input/caf\u{e9} & 1+1 %41.mp4".to_owned(),
                size: 7,
                etag: "e".to_owned(),
                version: version.map(str::to_owned),
                sequencer: sequencer.map(str::to_owned),
                ..Source::default()
            };
            let found = parse_upload_message(&upload_message(&source).to_string()).unwrap();
            assert_eq!(found, [Upload::Created(crate::attempt::upload::event(&source))]);
        }
    }
}
