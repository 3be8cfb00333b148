//! Resumes an interrupted upload: parts that S3 has already are not sent again.
//!
//! A part exists if it has the expected length, and its ETag is the MD5 of the file's part. Both hold on the local S3, and
//! on AWS if the bucket uses SSE-S3, the default; with SSE-KMS an ETag is not an MD5 ("Object integrity", S3 user guide),
//! and the upload starts over.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedPart, MultipartUpload, Part};
use md5::{Digest as _, Md5};

use super::Upload;
use crate::aws::sdk_error;
use crate::output;

/// Maximum number of unfinished uploads of one key that are checked, the newest first.
const LOOKS: usize = 5;
/// Bytes of the file that are read at once.
const READ: usize = 1 << 20;

/// An unfinished upload, and the parts that S3 has.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    pub(super) id: String,
    /// By part number.
    pub(super) parts: HashMap<i32, CompletedPart>,
}

/// The newest unfinished upload of this key whose parts are all parts of this file.
pub(super) async fn find(upload: &Upload<'_>) -> anyhow::Result<Option<Unfinished>> {
    let listed = upload.s3.list_multipart_uploads().bucket(upload.bucket);
    let listed = match listed.prefix(upload.key).send().await {
        Ok(listed) => listed,
        Err(error) if error.code() == Some("AccessDenied") => {
            output::note(
                "cannot look for an interrupted upload: these credentials lack the permission \
                 s3:ListBucketMultipartUploads",
            );
            return Ok(None);
        }
        Err(error) => {
            let what = "could not list unfinished uploads";
            return Err(sdk_error(what, "s3:ListBucketMultipartUploads", error));
        }
    };
    let mut unfinished: Vec<_> = listed
        .uploads()
        .iter()
        .filter(|found| found.key() == Some(upload.key) && has_our_checksums(found))
        .collect();
    unfinished
        .sort_by_key(|found| std::cmp::Reverse(found.initiated().map(aws_smithy_types::DateTime::as_nanos)));
    for id in unfinished
        .iter()
        .filter_map(|found| found.upload_id())
        .take(LOOKS)
    {
        if let Some(started) = existing_parts(upload, id).await? {
            return Ok(Some(started));
        }
    }
    Ok(None)
}

/// An upload of another tool may require other checksums of its parts.
fn has_our_checksums(found: &MultipartUpload) -> bool {
    found
        .checksum_algorithm()
        .is_none_or(|algorithm| *algorithm == ChecksumAlgorithm::Crc32)
}

/// The parts of one upload. None if there are none, or one of them is not a part of this file.
async fn existing_parts(upload: &Upload<'_>, id: &str) -> anyhow::Result<Option<Unfinished>> {
    let mut parts = HashMap::new();
    let call = upload.s3.list_parts().bucket(upload.bucket);
    let mut listed = call.key(upload.key).upload_id(id).into_paginator().items().send();
    while let Some(part) = listed.next().await {
        let part = match part {
            Ok(part) => part,
            // Completed or aborted at this moment.
            Err(error) if error.code() == Some("NoSuchUpload") => return Ok(None),
            Err(error) => {
                let what = "could not list the parts of an unfinished upload";
                return Err(sdk_error(what, "s3:ListMultipartUploadParts", error));
            }
        };
        let Some(number) = part
            .part_number()
            .filter(|number| upload.numbers().contains(number))
        else {
            return Ok(None);
        };
        if !is_ours(upload, number, &part).await? {
            return Ok(None);
        }
        parts.insert(number, completed(number, part));
    }
    let id = id.to_owned();
    Ok((!parts.is_empty()).then_some(Unfinished { id, parts }))
}

async fn is_ours(upload: &Upload<'_>, number: i32, part: &Part) -> anyhow::Result<bool> {
    let (offset, length) = upload.place(number);
    if part.size().and_then(|size| u64::try_from(size).ok()) != Some(length) {
        return Ok(false);
    }
    let file = upload.file.to_owned();
    let md5 = tokio::task::spawn_blocking(move || md5(&file, offset, length)).await??;
    Ok(part.e_tag().is_some_and(|etag| etag.trim_matches('"') == md5))
}

fn completed(number: i32, part: Part) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(part.e_tag)
        .set_checksum_crc32(part.checksum_crc32)
        .build()
}

/// The MD5 of a piece of a file, in hexadecimal digits.
fn md5(path: &Path, offset: u64, length: u64) -> anyhow::Result<String> {
    let read = || -> std::io::Result<_> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let (mut piece, mut buffer, mut hasher) = (file.take(length), vec![0; READ], Md5::new());
        loop {
            match piece.read(&mut buffer)? {
                0 => return Ok(hasher.finalize()),
                count => hasher.update(&buffer[..count]),
            }
        }
    };
    let digest = read().with_context(|| format!("could not read `{}`", path.display()))?;
    Ok(hex::encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against RFC 1321, A.5.
    #[test]
    fn a_piece_of_a_file_has_its_md5() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "xxabcyy").unwrap();
        assert_eq!(md5(&path, 2, 3).unwrap(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(md5(&path, 7, 0).unwrap(), "d41d8cd98f00b204e9800998ecf8427e");
        assert!(md5(&folder.path().join("none"), 0, 1).is_err());
    }

    #[test]
    fn uploads_with_other_checksums_are_left_alone() {
        let upload = |algorithm| {
            MultipartUpload::builder()
                .set_checksum_algorithm(algorithm)
                .build()
        };
        assert!(has_our_checksums(&upload(None)));
        assert!(has_our_checksums(&upload(Some(ChecksumAlgorithm::Crc32))));
        assert!(!has_our_checksums(&upload(Some(ChecksumAlgorithm::Crc64Nvme))));
    }
}
