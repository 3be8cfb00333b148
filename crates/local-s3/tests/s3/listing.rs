//! Listings as clients see them.

use aws_sdk_s3::types::EncodingType;

use crate::server::{TestS3, bucket};

async fn server() -> TestS3 {
    let server = TestS3::new().await;
    for key in ["a b+c", "input/x/1", "input/x/2", "input/é.mp4", "input/y", "z"] {
        server.put(key, key).await;
    }
    server
}

#[tokio::test]
async fn entries_have_everything() {
    let server = server().await;
    let page = server
        .client
        .list_objects_v2()
        .bucket(bucket())
        .prefix("z")
        .send()
        .await
        .unwrap();
    let entry = &page.contents()[0];
    assert_eq!(entry.key(), Some("z"));
    assert_eq!(entry.size(), Some(1));
    assert_eq!(entry.e_tag(), Some("\"fbade9e36a3f36d3d676c1b808451dd7\""));
    assert!(entry.last_modified().is_some());
}

#[tokio::test]
async fn folders_pages_and_starts() {
    let server = server().await;
    let list = || server.client.list_objects_v2().bucket(bucket()).delimiter("/");
    let page = list().prefix("input/").send().await.unwrap();
    let keys: Vec<_> = page.contents().iter().map(|entry| entry.key().unwrap()).collect();
    let folders: Vec<_> = page
        .common_prefixes()
        .iter()
        .map(|entry| entry.prefix().unwrap())
        .collect();
    assert_eq!(
        (keys, folders),
        (vec!["input/y", "input/é.mp4"], vec!["input/x/"])
    );

    let mut entries = Vec::new();
    let mut pages = list().into_paginator().page_size(1).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.key_count(), Some(1));
        entries.extend(
            page.contents()
                .iter()
                .map(|entry| entry.key().unwrap().to_owned()),
        );
        entries.extend(
            page.common_prefixes()
                .iter()
                .map(|entry| entry.prefix().unwrap().to_owned()),
        );
    }
    assert_eq!(entries, ["a b+c", "input/", "z"]);
    let page = server
        .client
        .list_objects_v2()
        .bucket(bucket())
        .start_after("input/y")
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = page.contents().iter().map(|entry| entry.key().unwrap()).collect();
    assert_eq!(keys, ["input/é.mp4", "z"]);
}

#[tokio::test]
async fn names_are_encoded_when_asked() {
    let server = server().await;
    let page = server
        .client
        .list_objects_v2()
        .bucket(bucket())
        .encoding_type(EncodingType::Url);
    let page = page.prefix("a b").send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("a+b%2Bc"));
    assert_eq!(page.prefix(), Some("a+b"));
    let page = server
        .client
        .list_objects_v2()
        .bucket(bucket())
        .send()
        .await
        .unwrap();
    assert_eq!(page.contents()[0].key(), Some("a b+c"));
}

#[tokio::test]
async fn version_one_pages_by_marker() {
    let server = server().await;
    let list = |marker: &str| {
        server
            .client
            .list_objects()
            .bucket(bucket())
            .delimiter("/")
            .max_keys(2)
            .marker(marker)
            .send()
    };
    let first = list("").await.unwrap();
    assert_eq!(
        (first.is_truncated(), first.next_marker()),
        (Some(true), Some("input/"))
    );
    let second = list(first.next_marker().unwrap()).await.unwrap();
    assert_eq!(second.contents()[0].key(), Some("z"));
    assert_eq!(second.is_truncated(), Some(false));
}
