//! Multipart uploads by S3's rules.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart,
};

use crate::server::{TestS3, bucket, code, noise};

const MIB: usize = 1 << 20;

struct Upload<'a> {
    server: &'a TestS3,
    key: &'a str,
    id: String,
}

impl<'a> Upload<'a> {
    async fn start(server: &'a TestS3, key: &'a str) -> Self {
        let created = server
            .client
            .create_multipart_upload()
            .bucket(bucket())
            .key(key)
            .content_type("video/mp4");
        let id = created.send().await.unwrap().upload_id.unwrap();
        Self { server, key, id }
    }

    async fn part(&self, number: i32, body: Vec<u8>) -> CompletedPart {
        let part = self
            .server
            .client
            .upload_part()
            .bucket(bucket())
            .key(self.key)
            .upload_id(&self.id);
        let part = part
            .part_number(number)
            .body(ByteStream::from(body))
            .send()
            .await
            .unwrap();
        CompletedPart::builder()
            .part_number(number)
            .set_e_tag(part.e_tag)
            .build()
    }

    fn complete(
        &self,
        parts: &[CompletedPart],
    ) -> aws_sdk_s3::operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder
    {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts.to_vec()))
            .build();
        let complete = self
            .server
            .client
            .complete_multipart_upload()
            .bucket(bucket())
            .key(self.key);
        complete.upload_id(&self.id).multipart_upload(parts)
    }
}

#[tokio::test]
async fn parts_become_one_object() {
    let server = TestS3::new().await;
    let upload = Upload::start(&server, "input/big.mp4").await;
    let bodies = [noise(5 * MIB, 1), noise(6 * MIB, 2), noise(10, 3)];
    // Out of order, with gaps, and the middle one twice.
    let last = upload.part(900, bodies[2].clone()).await;
    upload.part(7, noise(5 * MIB, 9)).await;
    let middle = upload.part(7, bodies[1].clone()).await;
    let first = upload.part(2, bodies[0].clone()).await;
    assert!(!server.exists("input/big.mp4").await);
    let done = upload.complete(&[first, middle, last]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""), "{:?}", done.e_tag());
    let whole = bodies.concat();
    assert!(server.get("input/big.mp4").await == whole);
    // Ranges across the parts.
    let get = server.client.get_object().bucket(bucket()).key("input/big.mp4");
    let range = get.range("bytes=5242870-11534340").send().await.unwrap();
    assert!(range.body.collect().await.unwrap().to_vec() == whole[5_242_870..=11_534_340]);
    let get = server
        .client
        .get_object()
        .bucket(bucket())
        .key("input/big.mp4")
        .part_number(2)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (get.parts_count(), get.content_length()),
        (Some(3), Some(6 << 20))
    );
    assert_eq!(get.content_type(), Some("video/mp4"));
    assert!(get.body.collect().await.unwrap().to_vec() == bodies[1]);

    // The file of the replaced part is gone, the last part is in the database.
    server.assert_files(2);
    // A copy is one object again: its ETag is the MD5 of its bytes.
    let copy = server
        .client
        .copy_object()
        .bucket(bucket())
        .key("copy")
        .copy_source(format!("{}/input/big.mp4", bucket()));
    let copy = copy.send().await.unwrap().copy_object_result.unwrap();
    assert!(!copy.e_tag().unwrap().contains('-'));
    assert!(server.get("copy").await == whole);
    server.assert_messages(1).await;
    for message in server.uploads().receive(10).await.unwrap() {
        assert!(message.body.contains("ObjectCreated:CompleteMultipartUpload"));
    }
}

#[tokio::test]
async fn s3s_rules_for_the_list_of_parts() {
    let server = TestS3::new().await;
    let upload = Upload::start(&server, "x").await;
    let one = upload.part(1, noise(5 * MIB, 1)).await;
    let two = upload.part(2, noise(100, 2)).await;
    let three = upload.part(3, noise(100, 3)).await;
    let wrong = CompletedPart::builder().part_number(1).e_tag("\"0123\"").build();
    let missing = CompletedPart::builder()
        .part_number(4)
        .e_tag(one.e_tag().unwrap())
        .build();
    let fails = async |parts: &[CompletedPart]| code(upload.complete(parts).send().await);
    assert_eq!(fails(&[two.clone(), one.clone()]).await, "InvalidPartOrder");
    assert_eq!(fails(&[one.clone(), one.clone()]).await, "InvalidPartOrder");
    assert_eq!(fails(&[wrong]).await, "InvalidPart");
    assert_eq!(fails(&[missing]).await, "InvalidPart");
    assert_eq!(fails(&[one.clone(), two.clone(), three]).await, "EntityTooSmall");
    assert_eq!(fails(&[]).await, "MalformedXML");
    server.put("x", "is there").await;
    assert_eq!(
        code(
            upload
                .complete(std::slice::from_ref(&one))
                .if_none_match("*")
                .send()
                .await
        ),
        "PreconditionFailed"
    );
    assert_eq!(server.get("x").await, b"is there");
    // None of that harmed the upload; part 3, which is not listed, is dropped.
    upload.complete(&[one, two]).send().await.unwrap();
    assert_eq!(server.get("x").await.len(), 5 * MIB + 100);
    assert_eq!(fails(&[]).await, "NoSuchUpload");
}

#[tokio::test]
async fn an_aborted_upload_leaves_nothing() {
    let server = TestS3::new().await;
    let upload = Upload::start(&server, "x").await;
    upload.part(1, noise(MIB, 1)).await;
    let abort = || {
        server
            .client
            .abort_multipart_upload()
            .bucket(bucket())
            .key("x")
            .upload_id(&upload.id)
            .send()
    };
    abort().await.unwrap();
    server.assert_files(0);
    assert_eq!(code(abort().await), "NoSuchUpload");
    let part = server
        .client
        .upload_part()
        .bucket(bucket())
        .key("x")
        .upload_id(&upload.id)
        .part_number(1);
    assert_eq!(
        code(part.body(ByteStream::from_static(b"x")).send().await),
        "NoSuchUpload"
    );
    let part = server
        .client
        .upload_part()
        .bucket(bucket())
        .key("x")
        .upload_id(&upload.id)
        .part_number(10_001);
    assert_eq!(
        code(part.body(ByteStream::from_static(b"x")).send().await),
        "InvalidArgument"
    );
}

#[tokio::test]
async fn parts_and_uploads_are_listed() {
    let server = TestS3::new().await;
    let upload = Upload::start(&server, "a/x").await;
    Upload::start(&server, "b y").await;
    for number in [5, 1, 3] {
        upload.part(number, noise(10, 1)).await;
    }
    let list = || {
        server
            .client
            .list_parts()
            .bucket(bucket())
            .key("a/x")
            .upload_id(&upload.id)
            .max_parts(2)
    };
    let page = list().send().await.unwrap();
    let numbers: Vec<_> = page
        .parts()
        .iter()
        .map(|part| part.part_number().unwrap())
        .collect();
    assert_eq!((numbers, page.is_truncated()), (vec![1, 3], Some(true)));
    let marker = page.next_part_number_marker().unwrap();
    let page = list().part_number_marker(marker).send().await.unwrap();
    assert_eq!((page.parts().len(), page.is_truncated()), (1, Some(false)));

    let uploads = server
        .client
        .list_multipart_uploads()
        .bucket(bucket())
        .send()
        .await
        .unwrap();
    let keys: Vec<_> = uploads
        .uploads()
        .iter()
        .map(|upload| upload.key().unwrap())
        .collect();
    assert_eq!(keys, ["a/x", "b y"]);
    let folders = server
        .client
        .list_multipart_uploads()
        .bucket(bucket())
        .delimiter("/")
        .send()
        .await
        .unwrap();
    assert_eq!(folders.common_prefixes()[0].prefix(), Some("a/"));
    assert_eq!(folders.uploads().len(), 1);
}

#[tokio::test]
async fn parts_can_be_copied() {
    let server = TestS3::new().await;
    let body = noise(12 * MIB, 1);
    server.put("source", body.clone()).await;
    let upload = Upload::start(&server, "copy").await;
    let mut parts = Vec::new();
    for (number, range) in [(1, "bytes=0-6291455"), (2, "bytes=6291456-12582911")] {
        let part = server
            .client
            .upload_part_copy()
            .bucket(bucket())
            .key("copy")
            .upload_id(&upload.id);
        let part = part
            .part_number(number)
            .copy_source(format!("{}/source", bucket()))
            .copy_source_range(range);
        let etag = part.send().await.unwrap().copy_part_result.unwrap().e_tag;
        parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(etag)
                .build(),
        );
    }
    upload.complete(&parts).send().await.unwrap();
    server
        .client
        .delete_object()
        .bucket(bucket())
        .key("source")
        .send()
        .await
        .unwrap();
    assert!(server.get("copy").await == body);
    server.assert_files(1);
    let beyond = server
        .client
        .upload_part_copy()
        .bucket(bucket())
        .key("copy")
        .upload_id(&upload.id)
        .part_number(1);
    let beyond = beyond
        .copy_source(format!("{}/copy", bucket()))
        .copy_source_range("bytes=0-99999999");
    assert_eq!(code(beyond.send().await), "NoSuchUpload");
}

#[tokio::test]
async fn the_checksum_of_the_whole_follows_from_the_parts() {
    let server = TestS3::new().await;
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::Composite),
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
    ] {
        let created = server.client.create_multipart_upload().bucket(bucket()).key("x");
        let created = created
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone())
            .send()
            .await
            .unwrap();
        let upload = Upload {
            server: &server,
            key: "x",
            id: created.upload_id.unwrap(),
        };
        let bodies = [noise(5 * MIB, 1), noise(1000, 2)];
        let mut parts = Vec::new();
        for (number, body) in (1..).zip(bodies.clone()) {
            let part = server
                .client
                .upload_part()
                .bucket(bucket())
                .key("x")
                .upload_id(&upload.id)
                .part_number(number);
            let part = part
                .checksum_algorithm(algorithm.clone())
                .body(ByteStream::from(body))
                .send()
                .await
                .unwrap();
            let completed = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(part.e_tag)
                .set_checksum_crc32(part.checksum_crc32)
                .set_checksum_crc64_nvme(part.checksum_crc64_nvme)
                .set_checksum_sha256(part.checksum_sha256);
            parts.push(completed.build());
        }
        upload.complete(&parts).send().await.unwrap();
        let head = server
            .client
            .head_object()
            .bucket(bucket())
            .key("x")
            .checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.unwrap();
        assert_eq!(head.checksum_type(), Some(&kind));
        // The SDK verifies full-object checksums on the way down.
        assert!(server.get("x").await == bodies.concat(), "{algorithm} {kind}");
    }
}
