//! The message that S3 sends when an object was created.
//!
//! Source: "Event message structure", S3 user guide; event version 2.1.

use serde_json::json;

use super::OWNER_ID;
use super::index::Object;
use super::store::{Origin, time};

/// The sender of a request, and the ids that its answer carries.
#[derive(Debug, Clone, Default)]
pub(super) struct Requester {
    pub(super) access_key: String,
    pub(super) source_ip: String,
    pub(super) request_id: String,
    pub(super) host_id: String,
}

/// The body of the message about an object that was written to `bucket`. `configuration` is the id of the notification.
pub(super) fn message(
    bucket: &str,
    object: &Object,
    origin: &Origin,
    region: &str,
    configuration: &str,
) -> String {
    let Origin { cause, requester, .. } = origin;
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": format!("{:.3}", time(object.modified_ms)),
        "eventName": format!("ObjectCreated:{cause}"),
        "userIdentity": { "principalId": format!("AWS:{}", requester.access_key) },
        "requestParameters": { "sourceIPAddress": requester.source_ip },
        "responseElements": {
            "x-amz-request-id": requester.request_id,
            "x-amz-id-2": requester.host_id,
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": configuration,
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": OWNER_ID },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": {
                "key": encode_key(&object.key),
                "size": object.size,
                "eTag": object.etag,
                "sequencer": format!("{:018X}", object.content),
            },
        },
    });
    json!({ "Records": [record] }).to_string()
}

/// Form encoding as in events and in listings with `encoding-type=url`: a space is `+`, `/` stays.
pub(super) fn encode_key(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes())
        .collect::<String>()
        .replace("%2F", "/")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::conditions::WriteCondition;
    use crate::headers::Headers;

    #[test]
    fn the_message_is_that_of_aws() {
        let modified: jiff::Timestamp = "2026-01-02T03:04:05.6789Z".parse().unwrap();
        let object = Object {
            key: "input/한국 & café+1.mp4".to_owned(),
            content: 0x0055_AED6_DCD9_0281,
            size: 1024,
            etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            modified_ms: modified.as_millisecond(),
            headers: Headers::default(),
            checksum: None,
            part_sizes: Vec::new(),
        };
        let requester = Requester {
            access_key: "vod".to_owned(),
            source_ip: "127.0.0.1".to_owned(),
            request_id: "C3D13FE58DE4C810".to_owned(),
            host_id: "FMyUVURIY8".to_owned(),
        };
        let origin = Origin {
            cause: "Put",
            requester,
            condition: WriteCondition::default(),
        };
        let text = message("vod", &object, &origin, "us-east-1", "uploads");
        let expected = [
            r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","#,
            r#""eventTime":"2026-01-02T03:04:05.678Z","eventName":"ObjectCreated:Put","#,
            r#""userIdentity":{"principalId":"AWS:vod"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},"#,
            r#""responseElements":{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":"FMyUVURIY8"},"#,
            r#""s3":{"s3SchemaVersion":"1.0","configurationId":"uploads","#,
            r#""bucket":{"name":"vod","ownerIdentity":{"principalId":"OWNER"},"arn":"arn:aws:s3:::vod"},"#,
            r#""object":{"key":"input/%ED%95%9C%EA%B5%AD+%26+caf%C3%A9%2B1.mp4","size":1024,"#,
            r#""eTag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"000055AED6DCD90281"}}}]}"#,
        ];
        let expected = expected.concat().replace("OWNER", OWNER_ID);
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(read(&text), read(&expected));
    }

    #[test]
    fn keys_are_form_encoded_but_for_the_slash() {
        let table = [
            ("input/red flower.mp4", "input/red+flower.mp4"),
            ("a+b", "a%2Bb"),
            ("é", "%C3%A9"),
            ("a%2Fb", "a%252Fb"),
            ("../x", "../x"),
        ];
        for (key, encoded) in table {
            assert_eq!(encode_key(key), encoded);
        }
    }
}
