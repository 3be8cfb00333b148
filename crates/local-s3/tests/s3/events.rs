//! Object-created messages: one for each object below the prefix, in AWS's JSON.

use serde_json::Value;

use crate::server::{BUCKET, TestS3};

async fn messages(server: &TestS3) -> Vec<Value> {
    let messages = server.uploads().receive(10).await.unwrap();
    messages
        .iter()
        .map(|message| serde_json::from_str(&message.body).unwrap())
        .collect()
}

#[tokio::test]
async fn a_message_says_what_was_created_and_how() {
    let server = TestS3::local().await;
    let put = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("input/한국 & café+1.mp4");
    put.body(b"hello world".to_vec().into()).send().await.unwrap();
    let mut message = messages(&server).await.remove(0);
    let record = &mut message["Records"][0];
    // What differs from run to run is there, and has its shape.
    let mut take = |pointer: &str| {
        record
            .pointer_mut(pointer)
            .unwrap()
            .take()
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(take("/eventTime").parse::<jiff::Timestamp>().is_ok());
    assert_eq!(take("/responseElements/x-amz-request-id").len(), 16);
    assert!(!take("/responseElements/x-amz-id-2").is_empty());
    assert_eq!(take("/s3/object/sequencer").len(), 18);
    insta::assert_json_snapshot!(message);
}

#[tokio::test]
async fn only_the_prefix_is_announced_and_the_sequencer_rises() {
    let server = TestS3::local().await;
    server.put("output/x", "x").await;
    server.put("input/x", "1").await;
    server.put("input/x", "2").await;
    let copy = server
        .client
        .copy_object()
        .bucket(BUCKET)
        .key("input/x")
        .copy_source(format!("{BUCKET}/output/x"));
    copy.send().await.unwrap();
    server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("input/x")
        .send()
        .await
        .unwrap();
    let records: Vec<_> = messages(&server)
        .await
        .into_iter()
        .map(|message| message["Records"][0].clone())
        .collect();
    let names: Vec<_> = records
        .iter()
        .map(|record| record["eventName"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["ObjectCreated:Put", "ObjectCreated:Put", "ObjectCreated:Copy"]
    );
    let sequence = |record: &Value| record["s3"]["object"]["sequencer"].as_str().unwrap().to_owned();
    let sequencers: Vec<_> = records.iter().map(sequence).collect();
    assert!(sequencers.is_sorted() && sequencers[0] < sequencers[1] && sequencers[1] < sequencers[2]);
}

#[tokio::test]
async fn the_request_id_is_that_of_the_answer() {
    use aws_sdk_s3::operation::RequestId as _;
    let server = TestS3::local().await;
    let put = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("input/x")
        .body(b"x".to_vec().into());
    let answer = put.send().await.unwrap();
    let message = messages(&server).await.remove(0);
    let id = message["Records"][0]["responseElements"]["x-amz-request-id"].as_str();
    assert_eq!(id, answer.request_id());
}
