use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::{SignedDuration, Timestamp};
use local_base::db::Db;
use serde_json::json;
use tower::ServiceExt as _;
use vod_testkit::keys;

use super::*;

const SETTINGS: QueueSettings = QueueSettings {
    visibility_timeout: Duration::from_mins(1),
    max_receive_count: 5,
};

struct TestSqs {
    router: Router,
    queues: Queues,
}

impl TestSqs {
    async fn new() -> Self {
        // A received message stays hidden for 1 ms at least: this clock moves on at each look.
        let (start, looks) = (Timestamp::now(), AtomicI64::new(0));
        let clock =
            Arc::new(move || start + SignedDuration::from_millis(2 * looks.fetch_add(1, Ordering::Relaxed)));
        let queues = Queues::open(Db::in_memory().unwrap(), clock).await.unwrap();
        let sqs = Sqs::new(queues.clone(), keys(), "http://here:1", &[("uploads", SETTINGS)]);
        let router = sqs.before(Router::new().fallback(async || "from S3"));
        Self { router, queues }
    }

    async fn post(&self, path: &str, operation: &str, body: &Value) -> (StatusCode, http::HeaderMap, Value) {
        let mut request = Request::post(format!("http://here:1{path}"))
            .header("host", "here:1")
            .header("x-amz-target", format!("AmazonSQS.{operation}"))
            .header("content-type", CONTENT_TYPE)
            .body(bytes::Bytes::from(body.to_string()))
            .unwrap();
        keys().sign("sqs", &mut request, SystemTime::now()).unwrap();
        self.call(request.map(Body::from)).await
    }

    async fn call(&self, request: Request<Body>) -> (StatusCode, http::HeaderMap, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
        (parts.status, parts.headers, value)
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        let (status, _, value) = self.post("/", operation, &body).await;
        assert_eq!(status, StatusCode::OK, "{operation}: {value}");
        value
    }

    /// The type without its namespace, and the old protocol's code.
    async fn refused(&self, operation: &str, body: Value) -> (String, String) {
        let (status, headers, value) = self.post("/", operation, &body).await;
        assert!(status.is_client_error(), "{operation}: {status} {value}");
        let kind = value["__type"]
            .as_str()
            .unwrap()
            .rsplit('#')
            .next()
            .unwrap()
            .to_owned();
        let code = headers["x-amzn-query-error"].to_str().unwrap();
        (kind, code.trim_end_matches(";Sender").to_owned())
    }
}

const UPLOADS: &str = "http://here:1/000000000000/uploads";
const DEAD: &str = "http://here:1/000000000000/uploads-dlq";
const DEAD_ARN: &str = "arn:aws:sqs:us-east-1:000000000000:uploads-dlq";

#[tokio::test]
async fn only_its_header_makes_a_request_sqss() {
    let sqs = TestSqs::new().await;
    let plain = Request::post("http://here:1/").body(Body::empty()).unwrap();
    assert_eq!(sqs.call(plain).await.2, "from S3");
    let unsigned = Request::post("http://here:1/")
        .header("x-amz-target", "AmazonSQS.ListQueues")
        .body(Body::from("{}"))
        .unwrap();
    let (status, _, body) = sqs.call(unsigned).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(
        body["__type"],
        "com.amazon.coral.service#MissingAuthenticationTokenException"
    );
}

#[tokio::test]
async fn a_message_from_sending_to_deleting() {
    let sqs = TestSqs::new().await;
    let sent = sqs
        .ok(
            "SendMessage",
            json!({"QueueUrl": UPLOADS, "MessageBody": "hello"}),
        )
        .await;
    assert_eq!(sent["MD5OfMessageBody"], "5d41402abc4b2a76b9719d911017c592");
    let receive = json!({"QueueUrl": UPLOADS, "MessageSystemAttributeNames": ["All"], "WaitTimeSeconds": 20});
    let got = sqs.ok("ReceiveMessage", receive).await;
    let message = &got["Messages"][0];
    assert_eq!(
        (&message["MessageId"], &message["Body"]),
        (&sent["MessageId"], &json!("hello"))
    );
    assert_eq!(message["Attributes"]["ApproximateReceiveCount"], "1");
    assert!(message["Attributes"].get("DeadLetterQueueSourceArn").is_none());
    let names = json!({"QueueUrl": UPLOADS, "AttributeNames": ["All"]});
    let attributes = &sqs.ok("GetQueueAttributes", names).await["Attributes"];
    assert_eq!(attributes["ApproximateNumberOfMessagesNotVisible"], "1");
    assert_eq!(
        attributes["RedrivePolicy"],
        format!(r#"{{"deadLetterTargetArn":"{DEAD_ARN}","maxReceiveCount":5}}"#)
    );
    let receipt = &message["ReceiptHandle"];
    let now = json!({"QueueUrl": UPLOADS, "ReceiptHandle": receipt, "VisibilityTimeout": 0});
    sqs.ok("ChangeMessageVisibility", now).await;
    // Posting to the queue's own URL names it as well.
    let (_, _, again) = sqs
        .post("/000000000000/uploads", "ReceiveMessage", &json!({}))
        .await;
    let receipt = &again["Messages"][0]["ReceiptHandle"];
    sqs.ok(
        "DeleteMessage",
        json!({"QueueUrl": UPLOADS, "ReceiptHandle": receipt}),
    )
    .await;
    assert_eq!(
        sqs.queues.counts("uploads").await.unwrap(),
        local_base::queue::Counts::default()
    );
}

#[tokio::test]
async fn dead_letters_go_back_to_their_queue() {
    let sqs = TestSqs::new().await;
    sqs.queues.send("uploads-dlq", "poison".to_owned()).await.unwrap();
    let look =
        json!({"QueueUrl": DEAD, "VisibilityTimeout": 0, "AttributeNames": ["DeadLetterQueueSourceArn"]});
    let got = sqs.ok("ReceiveMessage", look).await;
    assert_eq!(
        got["Messages"][0]["Attributes"],
        json!({"DeadLetterQueueSourceArn": "arn:aws:sqs:us-east-1:000000000000:uploads"})
    );
    sqs.ok("StartMessageMoveTask", json!({"SourceArn": DEAD_ARN}))
        .await;
    let tasks = sqs
        .ok("ListMessageMoveTasks", json!({"SourceArn": DEAD_ARN}))
        .await;
    assert_eq!(
        (
            &tasks["Results"][0]["Status"],
            &tasks["Results"][0]["ApproximateNumberOfMessagesMoved"]
        ),
        (&json!("COMPLETED"), &json!(1))
    );
    assert_eq!(sqs.queues.counts("uploads").await.unwrap().visible, 1);
    sqs.ok("PurgeQueue", json!({"QueueUrl": UPLOADS})).await;
    assert_eq!(sqs.queues.counts("uploads").await.unwrap().visible, 0);
}

#[tokio::test]
async fn refusals_have_sqss_codes() {
    let sqs = TestSqs::new().await;
    let nowhere = "http://here:1/000000000000/other";
    let table = [
        (
            "GetQueueUrl",
            json!({"QueueName": "other"}),
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": nowhere}),
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
        (
            "ReceiveMessage",
            json!({}),
            "MissingRequiredParameterException",
            "MissingParameter",
        ),
        (
            "ReceiveMessage",
            json!({"QueueUrl": UPLOADS, "MaxNumberOfMessages": 11}),
            "InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        (
            "DeleteMessage",
            json!({"QueueUrl": UPLOADS, "ReceiptHandle": "x"}),
            "ReceiptHandleIsInvalid",
            "ReceiptHandleIsInvalid",
        ),
        (
            "GetQueueAttributes",
            json!({"QueueUrl": UPLOADS, "AttributeNames": ["Colour"]}),
            "InvalidAttributeName",
            "InvalidAttributeName",
        ),
        (
            "SendMessage",
            json!({"QueueUrl": UPLOADS, "MessageBody": "a", "DelaySeconds": 5}),
            "UnsupportedOperation",
            "AWS.SimpleQueueService.UnsupportedOperation",
        ),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:uploads"}),
            "InvalidParameterValueException",
            "InvalidParameterValue",
        ),
        (
            "StartMessageMoveTask",
            json!({"SourceArn": "arn"}),
            "ResourceNotFoundException",
            "ResourceNotFoundException",
        ),
        (
            "CreateQueue",
            json!({"QueueName": "q"}),
            "UnknownOperationException",
            "InvalidAction",
        ),
        (
            "ListQueues",
            json!([1]),
            "SerializationException",
            "MalformedInput",
        ),
    ];
    for (operation, body, kind, code) in table {
        let refused = sqs.refused(operation, body).await;
        assert_eq!(refused, (kind.to_owned(), code.to_owned()), "{operation}");
    }
}
