//! Nothing is visible before its digests have been verified.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};

use crate::server::{BUCKET, TestS3, bucket, code, noise};

/// In the database and in a file.
const SIZES: [usize; 2] = [10, 100_000];

#[tokio::test]
async fn a_wrong_md5_leaves_nothing() {
    let server = TestS3::new().await;
    for size in SIZES {
        let put = server
            .client
            .put_object()
            .bucket(bucket())
            .key("input/x")
            .content_md5("1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(
            code(put.body(ByteStream::from(noise(size, 1))).send().await),
            "BadDigest"
        );
    }
    let put = server
        .client
        .put_object()
        .bucket(bucket())
        .key("input/x")
        .content_md5("not base64");
    assert_eq!(
        code(put.body(ByteStream::from_static(b"x")).send().await),
        "InvalidDigest"
    );
    nothing_is_left(&server).await;
}

async fn nothing_is_left(server: &TestS3) {
    assert!(!server.exists("input/x").await);
    server.assert_files(0);
    server.assert_messages(0).await;
}

#[tokio::test]
async fn a_wrong_checksum_leaves_nothing() {
    let server = TestS3::new().await;
    for size in SIZES {
        let put = server
            .client
            .put_object()
            .bucket(bucket())
            .key("input/x")
            .checksum_crc32("AAAAAA==");
        assert_eq!(
            code(put.body(ByteStream::from(noise(size, 1))).send().await),
            "BadDigest"
        );
        let put = server
            .client
            .put_object()
            .bucket(bucket())
            .key("input/x")
            .checksum_sha1("2jmj7l5rSw0yVb/vlWAYkK/YBwk=");
        assert_eq!(
            code(put.body(ByteStream::from(noise(size, 1))).send().await),
            "BadDigest"
        );
    }
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn every_algorithm_is_verified_and_comes_back() {
    let server = TestS3::new().await;
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let body = noise(100_000, 5);
        let put = server
            .client
            .put_object()
            .bucket(bucket())
            .key("x")
            .checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from(body.clone())).send().await.unwrap();
        let head = server
            .client
            .head_object()
            .bucket(bucket())
            .key("x")
            .checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        let value = match algorithm {
            ChecksumAlgorithm::Crc32 => head.checksum_crc32(),
            ChecksumAlgorithm::Crc32C => head.checksum_crc32_c(),
            ChecksumAlgorithm::Crc64Nvme => head.checksum_crc64_nvme(),
            ChecksumAlgorithm::Sha1 => head.checksum_sha1(),
            _ => head.checksum_sha256(),
        };
        assert!(value.is_some(), "{algorithm}");
        // The SDK compares what it gets with the checksum of the answer.
        assert!(server.get("x").await == body);
    }
}

#[tokio::test]
async fn a_body_cut_short_leaves_nothing() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = TestS3::local().await;
    // A presigned PUT needs no signing of the body, so it can be sent by hand.
    let config =
        aws_sdk_s3::presigning::PresigningConfig::expires_in(std::time::Duration::from_mins(1)).unwrap();
    let signed = server
        .client
        .put_object()
        .bucket(BUCKET)
        .key("input/x")
        .presigned(config)
        .await
        .unwrap();
    let address = server.endpoint.strip_prefix("http://").unwrap();
    let path = signed.uri().split_once(address).unwrap().1;
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("PUT {path} HTTP/1.1\r\nhost: {address}\r\ncontent-length: 1000000\r\n\r\n");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(&noise(400_000, 1)).await.unwrap();
    socket.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    while server.files() > 0 {
        tokio::task::yield_now().await;
    }
    nothing_is_left(&server).await;
}
