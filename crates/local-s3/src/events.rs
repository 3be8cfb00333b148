//! The message that S3 sends when an object was created, byte for byte in AWS's shape.
//!
//! Source: "Event message structure", S3 user guide; event version 2.1.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;

/// What created the object. The names are those of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Put,
    Post,
    Copy,
    CompleteMultipartUpload,
}

impl Cause {
    fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
        }
    }
}

/// Who asked for it, and under which ids the answer went out.
#[derive(Debug, Clone)]
pub(super) struct Requester {
    pub(super) access_key: String,
    pub(super) source_ip: String,
    pub(super) request_id: String,
    pub(super) host_id: String,
}

/// What the message says about the object.
pub(super) struct Created<'a> {
    pub(super) cause: Cause,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) size: u64,
    pub(super) etag: &'a str,
    pub(super) sequence: i64,
    pub(super) at: Timestamp,
}

/// The body of the message. `configuration_id` is that of the notification, `owner` that of the bucket.
pub(super) fn message(
    created: &Created<'_>,
    requester: &Requester,
    region: &str,
    configuration_id: &str,
    owner: &str,
) -> String {
    let record = Record {
        event_version: "2.1",
        event_source: "aws:s3",
        aws_region: region,
        event_time: format!("{:.3}", created.at),
        event_name: created.cause.name(),
        user_identity: Principal {
            principal_id: format!("AWS:{}", requester.access_key).into(),
        },
        request_parameters: RequestParameters {
            source_ip_address: &requester.source_ip,
        },
        response_elements: ResponseElements {
            request_id: &requester.request_id,
            id_2: &requester.host_id,
        },
        s3: Entity {
            schema_version: "1.0",
            configuration_id,
            bucket: Bucket {
                name: created.bucket,
                owner_identity: Principal {
                    principal_id: owner.into(),
                },
                arn: format!("arn:aws:s3:::{}", created.bucket),
            },
            object: Object {
                key: encode_key(created.key),
                size: created.size,
                e_tag: created.etag,
                sequencer: format!("{:018X}", created.sequence),
            },
        },
    };
    // Strings and numbers only: this cannot fail.
    serde_json::to_string(&Message { records: [record] }).unwrap_or_default()
}

/// Form encoding as in events and in listings with `encoding-type=url`: a space is `+`, `/` stays.
pub(super) fn encode_key(key: &str) -> String {
    form_urlencoded::byte_serialize(key.as_bytes())
        .collect::<String>()
        .replace("%2F", "/")
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message<'a> {
    records: [Record<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    event_version: &'a str,
    event_source: &'a str,
    aws_region: &'a str,
    event_time: String,
    event_name: &'a str,
    user_identity: Principal<'a>,
    request_parameters: RequestParameters<'a>,
    response_elements: ResponseElements<'a>,
    s3: Entity<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Principal<'a> {
    principal_id: Cow<'a, str>,
}

#[derive(Serialize)]
struct RequestParameters<'a> {
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: &'a str,
}

#[derive(Serialize)]
struct ResponseElements<'a> {
    #[serde(rename = "x-amz-request-id")]
    request_id: &'a str,
    #[serde(rename = "x-amz-id-2")]
    id_2: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entity<'a> {
    #[serde(rename = "s3SchemaVersion")]
    schema_version: &'a str,
    configuration_id: &'a str,
    bucket: Bucket<'a>,
    object: Object<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    name: &'a str,
    owner_identity: Principal<'a>,
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Object<'a> {
    key: String,
    size: u64,
    e_tag: &'a str,
    sequencer: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_that_of_aws() {
        let created = Created {
            cause: Cause::Put,
            bucket: "vod",
            key: "input/한국 & café+1.mp4",
            size: 1024,
            etag: "d41d8cd98f00b204e9800998ecf8427e",
            sequence: 0x0055_AED6_DCD9_0281,
            at: "2026-01-02T03:04:05.6789Z".parse().unwrap(),
        };
        let requester = Requester {
            access_key: "vod".to_owned(),
            source_ip: "127.0.0.1".to_owned(),
            request_id: "C3D13FE58DE4C810".to_owned(),
            host_id: "FMyUVURIY8".to_owned(),
        };
        let text = message(&created, &requester, "us-east-1", "uploads", "A3NL1KOZZKExample");
        let expected = concat!(
            r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"us-east-1","#,
            r#""eventTime":"2026-01-02T03:04:05.678Z","eventName":"ObjectCreated:Put","#,
            r#""userIdentity":{"principalId":"AWS:vod"},"requestParameters":{"sourceIPAddress":"127.0.0.1"},"#,
            r#""responseElements":{"x-amz-request-id":"C3D13FE58DE4C810","x-amz-id-2":"FMyUVURIY8"},"#,
            r#""s3":{"s3SchemaVersion":"1.0","configurationId":"uploads","#,
            r#""bucket":{"name":"vod","ownerIdentity":{"principalId":"A3NL1KOZZKExample"},"arn":"arn:aws:s3:::vod"},"#,
            r#""object":{"key":"input/%ED%95%9C%EA%B5%AD+%26+caf%C3%A9%2B1.mp4","size":1024,"#,
            r#""eTag":"d41d8cd98f00b204e9800998ecf8427e","sequencer":"000055AED6DCD90281"}}}]}"#,
        );
        assert_eq!(text, expected);
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
