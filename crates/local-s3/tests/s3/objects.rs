//! Putting, getting, copying and deleting.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier, StorageClass, Tagging};

use crate::server::{BUCKET, TestS3, bucket, code, noise};

#[tokio::test]
async fn objects_of_all_sizes_are_read_back() {
    let server = TestS3::new().await;
    // Around the limit up to which a body is stored in the database, and one of several batches.
    for (number, length) in [0, 1, 16_384, 16_385, 3_000_000].into_iter().enumerate() {
        let (key, body) = (format!("size-{length}"), noise(length, number as u64));
        server.put(&key, body.clone()).await;
        assert!(server.get(&key).await == body, "{length} bytes differ");
    }
    server.assert_files(2);
}

#[tokio::test]
async fn the_etag_is_the_md5() {
    let server = TestS3::new().await;
    assert_eq!(
        server.put("x", "hello world").await,
        "\"5eb63bbbe01eeed093cb22bb8f5acdc3\""
    );
}

#[tokio::test]
async fn headers_and_metadata_come_back() {
    let server = TestS3::new().await;
    let put = server
        .client
        .put_object()
        .bucket(bucket())
        .key("x")
        .body(ByteStream::from_static(b"x"));
    put.content_type("video/mp4")
        .cache_control("max-age=60")
        .content_disposition("attachment")
        .content_encoding("gzip")
        .content_language("ko")
        .metadata("title", "한국 & café")
        .send()
        .await
        .unwrap();
    let head = server
        .client
        .head_object()
        .bucket(bucket())
        .key("x")
        .send()
        .await
        .unwrap();
    assert_eq!(head.content_type(), Some("video/mp4"));
    assert_eq!(head.cache_control(), Some("max-age=60"));
    assert_eq!(head.content_disposition(), Some("attachment"));
    assert_eq!(head.content_encoding(), Some("gzip"));
    assert_eq!(head.content_language(), Some("ko"));
    assert_eq!(head.content_length(), Some(1));
    server.put("plain", "x").await;
    let head = server
        .client
        .head_object()
        .bucket(bucket())
        .key("plain")
        .send()
        .await
        .unwrap();
    assert!(matches!(
        head.content_type(),
        Some("binary/octet-stream" | "application/octet-stream")
    ));
}

#[tokio::test]
async fn ranges() {
    let server = TestS3::new().await;
    let body = noise(2_000_000, 7);
    server.put("x", body.clone()).await;
    for (range, expected, header) in [
        ("bytes=0-0", &body[..1], "bytes 0-0/2000000"),
        (
            "bytes=1000-599999",
            &body[1000..600_000],
            "bytes 1000-599999/2000000",
        ),
        (
            "bytes=1999990-",
            &body[1_999_990..],
            "bytes 1999990-1999999/2000000",
        ),
        ("bytes=-5", &body[1_999_995..], "bytes 1999995-1999999/2000000"),
    ] {
        let get = server
            .client
            .get_object()
            .bucket(bucket())
            .key("x")
            .range(range)
            .send()
            .await
            .unwrap();
        assert_eq!(get.content_range(), Some(header));
        assert!(get.body.collect().await.unwrap().to_vec() == expected, "{range}");
    }
    let get = server
        .client
        .get_object()
        .bucket(bucket())
        .key("x")
        .range("bytes=2000000-");
    assert_eq!(code(get.send().await), "InvalidRange");
}

/// Keys that would be paths, that are folders of each other, that are long or in any script: all are just names.
#[tokio::test]
async fn any_key_is_only_a_name() {
    let server = TestS3::local().await;
    server
        .client
        .create_bucket()
        .bucket("secret")
        .send()
        .await
        .unwrap();
    let long = "k".repeat(1024);
    let keys = [
        "a",
        "a/b",
        "a/b/c",
        "a/",
        "../secret/x",
        "../../x",
        "/",
        "//x",
        ".",
        "..",
        "input/../x",
        "한국 & café+1.mp4",
        "100% &<>\"'",
        "a b+c%20d",
        "emoji 🎬",
        "tab\there",
        long.as_str(),
    ];
    let big = |key: &str| [key.as_bytes(), &noise(20_000, key.len() as u64)].concat();
    for key in keys {
        server.put(key, big(key)).await;
    }
    for key in keys {
        assert!(server.get(key).await == big(key), "{key}");
    }
    let listed = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .encoding_type("url".into())
        .send()
        .await
        .unwrap();
    assert_eq!(listed.key_count(), Some(17));
    let other = server
        .client
        .list_objects_v2()
        .bucket("secret")
        .send()
        .await
        .unwrap();
    assert_eq!(other.key_count(), Some(0));
    // Nothing was written outside the folder of content files.
    let mut names: Vec<_> = std::fs::read_dir(server.state.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("vod.db"))
        .collect();
    names.sort();
    assert_eq!(names, ["objects"]);
    let put = server.client.put_object().bucket(BUCKET).key("k".repeat(1025));
    assert_eq!(
        code(put.body(ByteStream::from_static(b"x")).send().await),
        "KeyTooLongError"
    );
}

#[tokio::test]
async fn replacing_and_deleting_removes_files_but_never_cuts_a_download() {
    let server = TestS3::local().await;
    let body = noise(8_000_000, 1);
    server.put("x", body.clone()).await;
    let open = server
        .client
        .get_object()
        .bucket(BUCKET)
        .key("x")
        .send()
        .await
        .unwrap();
    server.put("x", noise(100_000, 2)).await;
    server
        .client
        .delete_object()
        .bucket(BUCKET)
        .key("x")
        .send()
        .await
        .unwrap();
    assert!(open.body.collect().await.unwrap().to_vec() == body);
    assert_eq!(
        code(server.client.get_object().bucket(BUCKET).key("x").send().await),
        "NoSuchKey"
    );
    // The file goes when the server has let go of the connection's last read.
    server.put("y", "inline").await;
    while server.files() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn copies() {
    let server = TestS3::new().await;
    let key = "a b/한국+1";
    let body = noise(50_000, 3);
    let put = server
        .client
        .put_object()
        .bucket(bucket())
        .key(key)
        .content_type("video/mp4")
        .metadata("n", "1");
    let etag = put
        .body(ByteStream::from(body.clone()))
        .send()
        .await
        .unwrap()
        .e_tag
        .unwrap();
    let source = format!("{}/a%20b/%ED%95%9C%EA%B5%AD%2B1", bucket());
    let copy = |key: &str| {
        server
            .client
            .copy_object()
            .bucket(bucket())
            .key(key)
            .copy_source(&source)
    };

    let kept = copy("kept").send().await.unwrap();
    assert_eq!(kept.copy_object_result().unwrap().e_tag(), Some(etag.as_str()));
    let replaced = copy("replaced")
        .metadata_directive(MetadataDirective::Replace)
        .content_type("text/plain");
    replaced.send().await.unwrap();
    let head = |key: &str| server.client.head_object().bucket(bucket()).key(key).send();
    let (kept, replaced) = (head("kept").await.unwrap(), head("replaced").await.unwrap());
    assert_eq!(
        (kept.content_type(), kept.metadata().unwrap().len()),
        (Some("video/mp4"), 1)
    );
    assert_eq!(
        (replaced.content_type(), replaced.metadata().unwrap().len()),
        (Some("text/plain"), 0)
    );

    // The copies share the bytes, and keep them when the source goes.
    server.assert_files(1);
    server
        .client
        .delete_object()
        .bucket(bucket())
        .key(key)
        .send()
        .await
        .unwrap();
    assert!(server.get("kept").await == body);
    server
        .client
        .delete_object()
        .bucket(bucket())
        .key("kept")
        .send()
        .await
        .unwrap();
    server
        .client
        .delete_object()
        .bucket(bucket())
        .key("replaced")
        .send()
        .await
        .unwrap();
    server.assert_files(0);
    assert_eq!(code(copy("gone").send().await), "NoSuchKey");
}

#[tokio::test]
async fn a_copy_onto_itself_must_change_something() {
    let server = TestS3::new().await;
    let body = noise(30_000, 4);
    server.put("x", body.clone()).await;
    let copy = || {
        server
            .client
            .copy_object()
            .bucket(bucket())
            .key("x")
            .copy_source(format!("{}/x", bucket()))
    };
    assert_eq!(code(copy().send().await), "InvalidRequest");
    copy()
        .metadata_directive(MetadataDirective::Replace)
        .content_type("a/b")
        .send()
        .await
        .unwrap();
    assert!(server.get("x").await == body);
    server.assert_files(1);
}

#[tokio::test]
async fn many_keys_are_deleted_at_once() {
    let server = TestS3::new().await;
    for key in ["a", "b", "c"] {
        server.put(key, noise(20_000, 1)).await;
    }
    let object = |key: &str, etag: Option<&str>| {
        let object = ObjectIdentifier::builder().key(key);
        object.set_e_tag(etag.map(str::to_owned)).build().unwrap()
    };
    let delete = Delete::builder()
        .objects(object("a", None))
        .objects(object("b", Some("\"0123\"")))
        .objects(object("missing", None))
        .build()
        .unwrap();
    let output = server
        .client
        .delete_objects()
        .bucket(bucket())
        .delete(delete)
        .send()
        .await
        .unwrap();
    let deleted: Vec<_> = output
        .deleted()
        .iter()
        .map(|entry| entry.key().unwrap())
        .collect();
    assert_eq!(deleted, ["a", "missing"]);
    assert_eq!(output.errors()[0].key(), Some("b"));
    assert_eq!(output.errors()[0].code(), Some("PreconditionFailed"));
    server.assert_files(2);
}

#[tokio::test]
async fn buckets() {
    let server = TestS3::local().await;
    let client = &server.client;
    client.create_bucket().bucket("second").send().await.unwrap();
    client.create_bucket().bucket("second").send().await.unwrap();
    client.head_bucket().bucket("second").send().await.unwrap();
    let names = client.list_buckets().send().await.unwrap();
    let names: Vec<_> = names
        .buckets()
        .iter()
        .map(|bucket| bucket.name().unwrap())
        .collect();
    assert_eq!(names, ["second", "vod"]);
    client
        .get_bucket_location()
        .bucket("second")
        .send()
        .await
        .unwrap();
    server.put("x", "x").await;
    assert_eq!(
        code(client.delete_bucket().bucket(BUCKET).send().await),
        "BucketNotEmpty"
    );
    client.delete_bucket().bucket("second").send().await.unwrap();
    assert_eq!(
        code(client.list_objects_v2().bucket("second").send().await),
        "NoSuchBucket"
    );
    let put = client
        .put_object()
        .bucket("second")
        .key("x")
        .body(ByteStream::from_static(b"x"));
    assert_eq!(code(put.send().await), "NoSuchBucket");
    assert_eq!(
        code(client.create_bucket().bucket("No_Good").send().await),
        "InvalidBucketName"
    );
}

/// Promise 6: refuse what cannot be done.
#[tokio::test]
async fn unsupported_operations_are_refused() {
    let server = TestS3::local().await;
    let put = || {
        server
            .client
            .put_object()
            .bucket(BUCKET)
            .key("x")
            .body(ByteStream::from_static(b"x"))
    };
    assert_eq!(code(put().tagging("a=b").send().await), "NotImplemented");
    assert_eq!(
        code(put().storage_class(StorageClass::Glacier).send().await),
        "NotImplemented"
    );
    assert_eq!(
        code(put().acl("public-read".into()).send().await),
        "AccessControlListNotSupported"
    );
    assert_eq!(
        code(put().expected_bucket_owner("111122223333").send().await),
        "AccessDenied"
    );
    assert!(!server.exists("x").await);
    server.put("x", "x").await;
    let get = server
        .client
        .get_object()
        .bucket(BUCKET)
        .key("x")
        .version_id("abc");
    assert_eq!(code(get.send().await), "InvalidArgument");
    let tagging = Tagging::builder().set_tag_set(Some(Vec::new())).build().unwrap();
    let tag = server
        .client
        .put_object_tagging()
        .bucket(BUCKET)
        .key("x")
        .tagging(tagging);
    assert_eq!(code(tag.send().await), "NotImplemented");
}
