//! Parses what S3, SQS, SNS and EventBridge deliver. However an event is wrapped, the same uploads come out of it, and
//! each of its records counts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use vod_core::events::{Delivery, Upload, is_newer, parse_upload_event, parse_upload_message};

fuzz_target!(|text: &str| {
    let bare = parse_upload_message(text);
    let event: Option<Value> = serde_json::from_str(text).ok();
    let is_sns = event
        .as_ref()
        .is_some_and(|event| event["Type"] == "Notification");

    if let (Some(event), false) = (&event, is_sns) {
        if let Ok(Delivery::Direct(uploads)) = parse_upload_event(event) {
            assert_eq!(Ok(&uploads), bare.as_ref(), "direct and as a message");
        }
        let sns = json!({"Type": "Notification", "Message": text}).to_string();
        assert_eq!(parse_upload_message(&sns), bare, "inside of SNS");
        let direct = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": text}}]});
        let through_sns = parse_upload_event(&direct);
        match &bare {
            Ok(uploads) => assert_eq!(through_sns, Ok(Delivery::Direct(uploads.clone())), "SNS itself"),
            Err(error) => assert_eq!(through_sns.as_ref(), Err(error), "SNS itself"),
        }
    }

    // Whatever the bodies are, each message is answered for, alone.
    let sqs = json!({"Records": [
        {"messageId": "a", "eventSource": "aws:sqs", "body": text},
        {"messageId": "b", "eventSource": "aws:sqs", "body": "{\"Event\":\"s3:TestEvent\"}"},
    ]});
    let Ok(Delivery::Messages(messages)) = parse_upload_event(&sqs) else {
        panic!("a batch is not read");
    };
    assert_eq!((messages[0].id.as_str(), messages[1].id.as_str()), ("a", "b"));
    assert_eq!(messages[0].uploads, bare);
    assert_eq!(messages[1].uploads, Ok(vec![Upload::Nothing]));

    if let Ok(uploads) = &bare {
        if let Some(records) = event.as_ref().and_then(|event| event["Records"].as_array()) {
            assert!(
                uploads.len() >= records.len() || event.is_some_and(|event| event["Event"] == "s3:TestEvent")
            );
        }
        order(uploads);
    }
});

/// Sequencers have one order.
fn order(uploads: &[Upload]) {
    let sequencers: Vec<&str> = uploads
        .iter()
        .filter_map(|upload| match upload {
            Upload::Created(object) => object.sequencer.as_deref(),
            Upload::Nothing => None,
        })
        .take(3)
        .collect();
    for a in &sequencers {
        assert!(!is_newer(a, a));
        for b in &sequencers {
            assert!(!(is_newer(a, b) && is_newer(b, a)));
            for c in &sequencers {
                assert!(!(is_newer(a, b) && is_newer(b, c)) || is_newer(a, c));
            }
        }
    }
}
