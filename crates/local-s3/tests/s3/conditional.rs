//! Conditional writes hold under concurrency: the lock of the whole pipeline.

use aws_sdk_s3::primitives::ByteStream;
use tokio::task::JoinSet;

use crate::server::{TestS3, bucket, client, code};

const WRITERS: usize = 64;

/// Rounds of the races; `VOD_TEST_ROUNDS` asks for more.
fn rounds() -> usize {
    std::env::var("VOD_TEST_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20)
}

/// Starts one PUT per writer and returns the number of the one that succeeded. All others got 412.
async fn race(server: &TestS3, key: &str, if_match: Option<&str>) -> Vec<usize> {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let put = server.client.put_object().bucket(bucket()).key(key);
        let put = match if_match {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        let put = put.body(ByteStream::from(format!("writer {writer}").into_bytes()));
        writers.spawn(async move { (writer, put.send().await) });
    }
    let mut winners = Vec::new();
    while let Some(result) = writers.join_next().await {
        match result.unwrap() {
            (writer, Ok(_)) => winners.push(writer),
            (_, refused) => assert_eq!(code(refused), "PreconditionFailed"),
        }
    }
    winners
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_claims_exactly_one_wins() {
    let server = TestS3::new().await;
    for round in 0..rounds() {
        let key = format!("input/claim-{round}");
        let winners = race(&server, &key, None).await;
        assert_eq!(winners.len(), 1, "round {round}");
        assert_eq!(
            server.get(&key).await,
            format!("writer {}", winners[0]).into_bytes()
        );
    }
    // One message per object: the losers announced nothing.
    server.assert_messages(rounds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_changes_exactly_one_wins() {
    let server = TestS3::new().await;
    let mut etag = server.put("record", "first").await;
    for round in 0..rounds() {
        let winners = race(&server, "record", Some(&etag)).await;
        assert_eq!(winners.len(), 1, "round {round}");
        let head = server
            .client
            .head_object()
            .bucket(bucket())
            .key("record")
            .send()
            .await
            .unwrap();
        let now = head.e_tag.unwrap();
        assert_ne!(now, etag);
        etag = now;
        // A body no writer uses, so that the next round's ETags differ from this one's.
        etag = server.put("record", format!("between {round} {etag}")).await;
    }
}

#[tokio::test]
async fn a_change_of_what_is_missing_is_404_and_of_another_version_412() {
    let server = TestS3::new().await;
    let put = |if_match: &str| {
        let put = server
            .client
            .put_object()
            .bucket(bucket())
            .key("record")
            .if_match(if_match);
        put.body(ByteStream::from_static(b"x")).send()
    };
    assert_eq!(code(put("\"0123\"").await), "NoSuchKey");
    let etag = server.put("record", "one").await;
    assert_eq!(code(put("\"0123\"").await), "PreconditionFailed");
    put(&etag).await.unwrap();
    assert_eq!(server.get("record").await, b"x");
}

#[tokio::test]
async fn deletes_and_copies_can_be_conditional() {
    let server = TestS3::new().await;
    let etag = server.put("record", "one").await;
    let delete = |etag: &str| {
        server
            .client
            .delete_object()
            .bucket(bucket())
            .key("record")
            .if_match(etag)
            .send()
    };
    assert_eq!(code(delete("\"0123\"").await), "PreconditionFailed");
    let copy = |key: &str| {
        let copy = server
            .client
            .copy_object()
            .bucket(bucket())
            .key(key)
            .copy_source(format!("{}/record", bucket()));
        copy.customize().mutate_request(|request| {
            request.headers_mut().insert("if-none-match", "*");
        })
    };
    copy("copy").send().await.unwrap();
    assert_eq!(code(copy("copy").send().await), "PreconditionFailed");
    delete(&etag).await.unwrap();
    assert_eq!(code(delete(&etag).await), "NoSuchKey");
}

#[tokio::test]
async fn a_condition_that_s3_does_not_have_is_refused() {
    let server = TestS3::new().await;
    let put = server
        .client
        .put_object()
        .bucket(bucket())
        .key("x")
        .if_none_match("\"0123\"");
    assert_eq!(
        code(put.body(ByteStream::from_static(b"x")).send().await),
        "NotImplemented"
    );
    assert!(!server.exists("x").await);
}

#[tokio::test]
async fn reads_can_be_conditional() {
    let server = TestS3::new().await;
    let etag = server.put("x", "one").await;
    let get = || server.client.get_object().bucket(bucket()).key("x");
    let head = || server.client.head_object().bucket(bucket()).key("x");
    get().if_match(&etag).send().await.unwrap();
    assert_eq!(
        code(get().if_match("\"0123\"").send().await),
        "PreconditionFailed"
    );
    let refused = get().if_none_match(&etag).send().await.unwrap_err();
    let response = refused.raw_response().unwrap();
    assert_eq!(response.status().as_u16(), 304);
    assert_eq!(response.headers().get("etag"), Some(etag.as_str()));
    let modified = head().send().await.unwrap().last_modified.unwrap();
    assert_eq!(code(head().if_modified_since(modified).send().await), "304");
    head().if_unmodified_since(modified).send().await.unwrap();
}

#[tokio::test]
async fn strangers_are_refused() {
    let server = TestS3::local().await;
    let stranger = client(&server.endpoint, "not-the-secret");
    assert_eq!(
        code(stranger.list_buckets().send().await),
        "SignatureDoesNotMatch"
    );
}
