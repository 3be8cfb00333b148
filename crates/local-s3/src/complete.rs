//! `CompleteMultipartUpload`: the parts become one object, at once or not at all.

use md5::{Digest as _, Md5};
use s3s::dto::{CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart};
use s3s::{S3Request, S3Response, s3_error};

use super::checksum::{Algorithm, Multipart, Stored, set_checksum, take_checksums};
use super::conditions::WriteCondition;
use super::error::{OperationError, malformed_xml};
use super::events::encode_key;
use super::index::{self, Object};
use super::parts::{PartRow, Upload, drop_upload, get_upload, parts};
use super::receive::bad_digest;
use super::request::{Answer, refuse_customer_key, requester, strong};
use super::store::{Origin, Store};

/// The least size of every part but the last.
pub(super) const MIN_PART: u64 = 5 << 20;

pub(super) async fn complete(
    store: &Store,
    mut request: S3Request<CompleteMultipartUploadInput>,
) -> Answer<CompleteMultipartUploadOutput> {
    let requester = requester(&request);
    let input = &mut request.input;
    refuse_customer_key(input.sse_customer_algorithm.as_ref())?;
    let condition = WriteCondition::new(input.if_match.take(), input.if_none_match.take())?;
    let origin = Origin {
        cause: "CompleteMultipartUpload",
        requester,
        condition,
    };
    let wanted = input
        .multipart_upload
        .take()
        .and_then(|list| list.parts)
        .unwrap_or_default();
    let promised = super::checksum::given(&take_checksums!(input))?;
    let size = input.mpu_object_size.and_then(|size| u64::try_from(size).ok());
    let (bucket, key, id) = (input.bucket.clone(), input.key.clone(), input.upload_id.clone());
    let shared = store.clone();
    let object = store
        .write(move |transaction, after| {
            let upload = get_upload(transaction, &bucket, &key, &id)?;
            let chosen = choose(&upload, &wanted, parts(transaction, &id)?)?;
            let object = assemble(&shared, transaction, upload, &chosen)?;
            verify(&object, size, promised.as_ref())?;
            shared.commit_object(transaction, after, &bucket, &object, &origin)?;
            // The upload is over; parts that were not listed go with it.
            drop_upload(transaction, after, &id)?;
            Ok(object)
        })
        .await?;
    let mut output = CompleteMultipartUploadOutput {
        bucket: Some(request.input.bucket.clone()),
        key: Some(object.key.clone()),
        e_tag: Some(strong(&object.etag)),
        location: Some(format!("/{}/{}", request.input.bucket, encode_key(&object.key))),
        ..CompleteMultipartUploadOutput::default()
    };
    set_checksum!(output, object.checksum.as_ref());
    output.checksum_type = object.checksum.as_ref().map(Stored::checksum_type);
    Ok(S3Response::new(output))
}

/// The parts that the client lists, when the list keeps S3's rules.
fn choose(
    upload: &Upload,
    wanted: &[CompletedPart],
    mut parts: Vec<PartRow>,
) -> Result<Vec<PartRow>, OperationError> {
    if wanted.is_empty() {
        return Err(malformed_xml());
    }
    let number = |part: &CompletedPart| part.part_number.unwrap_or(0);
    if wanted.windows(2).any(|pair| number(&pair[0]) >= number(&pair[1])) {
        let text = "The list of parts was not in ascending order. Parts must be ordered by part number.";
        return Err(s3_error!(InvalidPartOrder, "{text}").into());
    }
    let mut chosen = Vec::with_capacity(wanted.len());
    for (position, want) in wanted.iter().enumerate() {
        let found = parts.iter().position(|part| part.number == number(want));
        let part = found.map(|at| parts.remove(at)).ok_or_else(invalid_part)?;
        check_part(upload, want, &part)?;
        if part.size < MIN_PART && position + 1 < wanted.len() {
            let text = "Your proposed upload is smaller than the minimum allowed size";
            return Err(s3_error!(EntityTooSmall, "{text}").into());
        }
        chosen.push(part);
    }
    Ok(chosen)
}

fn check_part(upload: &Upload, want: &CompletedPart, part: &PartRow) -> Result<(), OperationError> {
    if want.e_tag.as_ref().is_none_or(|etag| etag.value() != part.etag) {
        return Err(invalid_part());
    }
    let mut want = want.clone();
    let given = super::checksum::given(&take_checksums!(want))?;
    let stored = part
        .checksum
        .as_ref()
        .map(|stored| (stored.algorithm, stored.value.clone()));
    match (given, upload.checksum) {
        (Some(given), _) if Some(&given) != stored.as_ref() => Err(invalid_part()),
        (None, Some(chosen)) if !chosen.full_object => {
            let (name, number) = (chosen.algorithm.lower(), part.number);
            let text =
                format!("The upload was created using a {name} checksum. The complete request must include");
            let what =
                format!("the checksum for each part. It was missing for part {number} in the request.");
            Err(s3_error!(InvalidRequest, "{text} {what}").into())
        }
        _ => Ok(()),
    }
}

fn invalid_part() -> OperationError {
    let text = "One or more of the specified parts could not be found. The part may not have been uploaded, or \
        the specified entity tag may not match the part's entity tag.";
    s3_error!(InvalidPart, "{text}").into()
}

/// Writes the new content, which shares the blobs of the parts, and describes the object.
fn assemble(
    store: &Store,
    transaction: &rusqlite::Transaction<'_>,
    upload: Upload,
    parts: &[PartRow],
) -> Result<Object, OperationError> {
    let modified_ms = store.now().as_millisecond();
    let content = index::next_number(transaction, modified_ms)?;
    let mut segments = Vec::with_capacity(parts.len());
    for part in parts {
        segments.extend(index::segments(transaction, part.content)?);
    }
    index::add_segments(transaction, content, &segments)?;
    let checksum = upload.checksum.and_then(|chosen| combine(chosen, parts));
    Ok(Object {
        key: upload.key,
        content,
        size: parts.iter().map(|part| part.size).sum(),
        etag: multipart_etag(parts.iter().map(|part| part.etag.as_str())),
        modified_ms,
        headers: upload.headers,
        checksum,
        part_sizes: parts.iter().map(|part| part.size).collect(),
    })
}

fn combine(chosen: Multipart, parts: &[PartRow]) -> Option<Stored> {
    let value = |part: &PartRow| Some((part.checksum.as_ref()?.value.clone(), part.size));
    chosen.combine(&parts.iter().map(value).collect::<Option<Vec<_>>>()?)
}

/// The MD5 of the parts' MD5s, and how many there are.
fn multipart_etag<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = parts.len();
    let mut hasher = Md5::new();
    for etag in parts {
        // An ETag of a part is the hex of its MD5: we wrote it.
        let digest = u128::from_str_radix(etag, 16).unwrap_or_default();
        hasher.update(digest.to_be_bytes());
    }
    format!("{}-{count}", hex::encode(hasher.finalize()))
}

/// Compares the result with what the client said about the whole.
fn verify(
    object: &Object,
    size: Option<u64>,
    promised: Option<&(Algorithm, String)>,
) -> Result<(), OperationError> {
    if size.is_some_and(|size| size != object.size) {
        let text = "The provided 'x-amz-mp-object-size' header does not match what was computed.";
        return Err(s3_error!(InvalidRequest, "{text}").into());
    }
    let Some((algorithm, value)) = promised else {
        return Ok(());
    };
    let stored = object.checksum.as_ref();
    if stored.is_some_and(|stored| stored.algorithm == *algorithm && stored.value == *value) {
        return Ok(());
    }
    Err(bad_digest(*algorithm))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From AWS's own documentation of what the ETag of a multipart upload is: MD5 over the binary MD5s.
    #[test]
    fn etags() {
        let parts = [
            "5d41402abc4b2a76b9719d911017c592",
            "7d793037a0760186574b0282f2f435e7",
        ];
        // printf '\x5d\x41…\xe7' | md5sum
        assert_eq!(
            multipart_etag(parts.into_iter()),
            "065947336a2f2a95ba8899f3675c3be6-2"
        );
        assert!(multipart_etag(["00d41402abc4b2a76b9719d911017c59"].into_iter()).ends_with("-1"));
    }
}
