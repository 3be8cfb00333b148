//! The end of an `aws-chunked` body. s3s checks the signature of each chunk, and takes a body that just stops for a whole one.
//!
//! Source: "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks", S3 API reference.

use std::io;
use std::task::Poll;

use axum::body::Body;
use http::HeaderMap;
use local_base::body;

/// Whether a body comes in chunks with a size before each.
fn is_chunked(headers: &HeaderMap) -> bool {
    let hash = headers.get("x-amz-content-sha256");
    hash.is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"))
}

/// The body of a request with these headers. If it comes in chunks and the last one is not empty, it ends with an error.
pub(super) fn watched(headers: &HeaderMap, body: Body) -> Body {
    if is_chunked(headers) { ended(body) } else { body }
}

fn ended(body: Body) -> Body {
    let mut place = Place::Size(0);
    body::watched(body, move |_, _, polled| {
        match &polled {
            Poll::Ready(Some(Ok(frame))) => place = place.step(frame.data_ref().map_or(&[], |data| data)),
            Poll::Ready(None) if place != Place::End => {
                let error = io::Error::new(io::ErrorKind::UnexpectedEof, "the last chunk is missing");
                return Poll::Ready(Some(Err(axum::Error::new(error))));
            }
            _ => {}
        }
        polled
    })
}

/// Where in the body its next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the hexadecimal digits before a chunk.
    Size(u64),
    /// Behind them: `;chunk-signature=…`, up to the line's end.
    Extension(u64),
    /// In a chunk and the line's end behind it, of which so many bytes are left.
    Data(u64),
    /// Behind the empty chunk.
    End,
}

impl Place {
    /// Steps over some bytes. What is malformed is for s3s to refuse.
    fn step(mut self, mut bytes: &[u8]) -> Self {
        while let Some((&byte, rest)) = bytes.split_first() {
            let mut left = rest;
            self = match self {
                Self::Size(size) => match char::from(byte).to_digit(16) {
                    Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                    None => Self::Extension(size),
                },
                Self::Extension(0) if byte == b'\n' => Self::End,
                Self::Extension(size) if byte == b'\n' => Self::Data(size.saturating_add(2)),
                Self::Extension(size) => Self::Extension(size),
                Self::Data(size) => {
                    let here = size.min(bytes.len() as u64);
                    left = bytes
                        .get(usize::try_from(here).unwrap_or(usize::MAX)..)
                        .unwrap_or_default();
                    if here == size {
                        Self::Size(0)
                    } else {
                        Self::Data(size - here)
                    }
                }
                Self::End => return self,
            };
            bytes = left;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    use super::*;

    const WHOLE: &str =
        "a;chunk-signature=ff\r\n0\r\n0\r\n0\r\n0\r\n5\r\nhello\r\n0;chunk-signature=00\r\n\r\n";

    #[tokio::test]
    async fn a_body_without_its_last_chunk_fails_at_its_end() {
        for (text, whole) in [
            (WHOLE, true),
            ("0\r\n\r\n", true),
            ("0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", true),
            ("5\r\nhello\r\n", false),
            ("5\r\nhello\r\n0", false),
            ("5\r\nhello", false),
            ("5\r\n0\r\n\r\n\r\n", false),
            ("", false),
        ] {
            let collected = ended(Body::from(text)).collect().await;
            assert_eq!(collected.is_ok(), whole, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_split_of_the_bytes_does_not_matter(cuts in proptest::collection::vec(0..WHOLE.len(), 0..8)) {
            let mut cuts = cuts;
            cuts.extend([0, WHOLE.len()]);
            cuts.sort_unstable();
            let mut place = Place::Size(0);
            for pair in cuts.windows(2) {
                place = place.step(&WHOLE.as_bytes()[pair[0]..pair[1]]);
            }
            prop_assert_eq!(place, Place::End);
        }
    }
}
