//! From the bytes of a request to verified content that is ready to be committed.

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};
use futures::StreamExt as _;
use http::HeaderMap;
use local_base::serve::STALLED;
use s3s::dto::StreamingBlob;
use s3s::{StdError, TrailingHeaders, s3_error};
use tempfile::NamedTempFile;
use tokio::task::JoinHandle;

use super::blobs::{Blobs, Published};
use super::checksum::{self, Algorithm, Hasher, Stored};
use super::error::{OperationError, refusal};

/// Bodies up to this many bytes are stored in the database: records are small, and a file costs two more flushes.
pub(super) const INLINE_LIMIT: usize = 16 * 1024;

/// The most that one PUT or one part may carry: 5 GiB ("Amazon S3 multipart upload limits").
pub(super) const MAX_BODY: u64 = 5 << 30;

/// So many bytes go to the blocking pool at a time.
const BATCH: usize = 1 << 20;

/// Where received bytes are.
pub(super) enum Content {
    Inline(Vec<u8>),
    File(Published),
}

/// A body that is complete and verified.
pub(super) struct Received {
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Stored>,
    pub(super) content: Content,
}

/// What the client said about its body.
pub(super) struct Promise {
    length: Option<u64>,
    md5: Option<Vec<u8>>,
    checksum: Option<Promised>,
    trailers: Option<TrailingHeaders>,
}

struct Promised {
    algorithm: Algorithm,
    /// None: it follows the body, as a trailer.
    value: Option<String>,
}

impl Promise {
    /// Reads the promise out of a request's parts.
    pub(super) fn new(
        length: Option<i64>,
        content_md5: Option<&str>,
        sums: &s3s::dto::Checksum,
        headers: &HeaderMap,
        trailers: Option<TrailingHeaders>,
    ) -> Result<Self, OperationError> {
        let length = length.and_then(|length| u64::try_from(length).ok());
        if length.is_some_and(|length| length > MAX_BODY) {
            return Err(too_large());
        }
        let md5 = content_md5.map(decode_md5).transpose()?;
        let checksum = match checksum::given(sums)? {
            Some((algorithm, value)) => Some(Promised {
                algorithm,
                value: Some(value),
            }),
            None => in_trailer(headers).map(|algorithm| Promised {
                algorithm,
                value: None,
            }),
        };
        if checksum.is_none() && headers.contains_key("x-amz-sdk-checksum-algorithm") {
            let text = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
                x-amz-trailer headers were found.";
            return Err(s3_error!(InvalidRequest, "{text}").into());
        }
        Ok(Self {
            length,
            md5,
            checksum,
            trailers,
        })
    }

    /// The algorithm that the client checks its body with.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.checksum.as_ref().map(|promised| promised.algorithm)
    }

    fn verify(&self, size: u64, md5: [u8; 16], computed: Option<&Stored>) -> Result<(), OperationError> {
        if self.length.is_some_and(|length| length != size) {
            return Err(incomplete());
        }
        if self.md5.as_ref().is_some_and(|promised| promised[..] != md5) {
            let text = "The Content-MD5 you specified did not match what we received.";
            return Err(s3_error!(BadDigest, "{text}").into());
        }
        let (Some(promised), Some(computed)) = (&self.checksum, computed) else {
            return Ok(());
        };
        let value = match &promised.value {
            Some(value) => value.clone(),
            None => self.trailing(promised.algorithm)?,
        };
        if value != computed.value {
            return Err(bad_digest(promised.algorithm));
        }
        Ok(())
    }

    fn trailing(&self, algorithm: Algorithm) -> Result<String, OperationError> {
        let name = algorithm.header();
        let value = self.trailers.as_ref().and_then(|trailers| {
            trailers.read(|map| Some(map.get(&name)?.to_str().ok()?.trim().to_owned()))?
        });
        value.ok_or_else(|| {
            let mut error = refusal("MalformedTrailerError", http::StatusCode::BAD_REQUEST);
            error.set_message("The request contained trailing data that was not well-formed");
            error.into()
        })
    }
}

/// Reads the promise out of an input and the rest of its request.
macro_rules! promise {
    ($input:expr, $request:expr) => {
        $crate::receive::Promise::new(
            $input.content_length,
            $input.content_md5.as_deref(),
            &$crate::checksum::take_checksums!($input),
            &$request.headers,
            $request.trailing_headers.take(),
        )
    };
}
pub(super) use promise;

/// The checksum that a client gives is not that of its bytes.
pub(super) fn bad_digest(algorithm: Algorithm) -> OperationError {
    let name = algorithm.name();
    s3_error!(
        BadDigest,
        "The {name} you specified did not match the calculated checksum."
    )
    .into()
}

fn decode_md5(text: &str) -> Result<Vec<u8>, OperationError> {
    let bytes = STANDARD.decode(text).ok().filter(|bytes| bytes.len() == 16);
    bytes.ok_or_else(|| s3_error!(InvalidDigest, "The Content-MD5 you specified is not valid.").into())
}

/// The algorithm that `x-amz-trailer` announces.
fn in_trailer(headers: &HeaderMap) -> Option<Algorithm> {
    let announced = headers.get("x-amz-trailer")?.to_str().ok()?;
    let name = announced
        .split(',')
        .find_map(|name| name.trim().strip_prefix("x-amz-checksum-"))?;
    Algorithm::from_name(name)
}

/// Reads `body` to its end, writes it to a flushed file or keeps it, and compares it with the promise.
///
/// Nothing is left behind when this fails or is dropped half-way.
pub(super) async fn receive(
    blobs: &Arc<Blobs>,
    body: Option<StreamingBlob>,
    promise: &Promise,
) -> Result<Received, OperationError> {
    let mut writer = Writer::new(Arc::clone(blobs), promise.algorithm());
    if let Some(mut body) = body {
        // One batch is hashed and written while the next arrives.
        let mut working: Option<JoinHandle<io::Result<Writer>>> = None;
        let mut idle = Some(writer);
        loop {
            let batch = next_batch(&mut body).await?;
            if let Some(task) = working.take() {
                idle = Some(task.await??);
            }
            let Some(mut free) = idle.take() else {
                return Err(incomplete());
            };
            if batch.is_empty() {
                writer = free;
                break;
            }
            if free.size + total(&batch) > promise.length.unwrap_or(MAX_BODY) {
                return Err(if promise.length.is_some() {
                    incomplete()
                } else {
                    too_large()
                });
            }
            working = Some(tokio::task::spawn_blocking(move || {
                free.write(&batch).map(|()| free)
            }));
        }
    }
    let size = writer.size;
    let (md5, checksum) = std::mem::replace(&mut writer.hasher, Hasher::new(None)).finish();
    promise.verify(size, md5, checksum.as_ref())?;
    // Only what is right is flushed and published.
    let content = tokio::task::spawn_blocking(move || writer.finish()).await??;
    Ok(Received {
        size,
        md5,
        checksum,
        content,
    })
}

async fn next_batch(body: &mut StreamingBlob) -> Result<Vec<Bytes>, OperationError> {
    let mut batch = Vec::new();
    let mut length = 0;
    while length < BATCH {
        match body.next().await {
            Some(Ok(chunk)) => {
                length += chunk.len();
                batch.push(chunk);
            }
            Some(Err(error)) => return Err(body_error(&error)),
            None => break,
        }
    }
    batch.retain(|chunk| !chunk.is_empty());
    Ok(batch)
}

fn total(batch: &[Bytes]) -> u64 {
    batch.iter().map(|chunk| chunk.len() as u64).sum()
}

/// What s3s found wrong while decoding the body. Its error types are private, so their text has to do.
fn body_error(error: &StdError) -> OperationError {
    let text = error.to_string();
    if text.contains(STALLED) {
        let text = "Your socket connection to the server was not read from or written to within the timeout period. \
            Idle connections will be closed.";
        return s3_error!(RequestTimeout, "{text}").into();
    }
    if text.contains("Sha256Mismatch") {
        let mut error = refusal("XAmzContentSHA256Mismatch", http::StatusCode::BAD_REQUEST);
        error.set_message("The provided 'x-amz-content-sha256' header does not match what was computed.");
        return error.into();
    }
    if text.contains("SignatureMismatch") {
        let text = "The request signature we calculated does not match the signature you provided.";
        return s3_error!(SignatureDoesNotMatch, "{text}").into();
    }
    incomplete()
}

fn incomplete() -> OperationError {
    let text = "You did not provide the number of bytes specified by the Content-Length HTTP header";
    s3_error!(IncompleteBody, "{text}").into()
}

pub(super) fn too_large() -> OperationError {
    s3_error!(
        EntityTooLarge,
        "Your proposed upload exceeds the maximum allowed size"
    )
    .into()
}

/// Hashes and stores on the blocking pool.
struct Writer {
    blobs: Arc<Blobs>,
    size: u64,
    hasher: Hasher,
    crc64: Digest,
    inline: Vec<u8>,
    file: Option<BufWriter<NamedTempFile>>,
}

impl Writer {
    fn new(blobs: Arc<Blobs>, algorithm: Option<Algorithm>) -> Self {
        Self {
            blobs,
            size: 0,
            hasher: Hasher::new(algorithm),
            crc64: Digest::new(CrcAlgorithm::Crc64Nvme),
            inline: Vec::new(),
            file: None,
        }
    }

    fn write(&mut self, batch: &[Bytes]) -> io::Result<()> {
        self.size += total(batch);
        if self.file.is_none() && self.size > INLINE_LIMIT as u64 {
            let mut file = BufWriter::with_capacity(BATCH, self.blobs.create()?);
            file.write_all(&std::mem::take(&mut self.inline))?;
            self.file = Some(file);
        }
        for chunk in batch {
            self.hasher.update(chunk);
            self.crc64.update(chunk);
            match &mut self.file {
                Some(file) => file.write_all(chunk)?,
                None => self.inline.extend_from_slice(chunk),
            }
        }
        Ok(())
    }

    fn finish(self) -> io::Result<Content> {
        let Some(file) = self.file else {
            return Ok(Content::Inline(self.inline));
        };
        let draft = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Content::File(self.blobs.publish(draft, self.crc64.finalize())?))
    }
}
