//! Reading the body of a request into memory, within a budget that all requests of the process share.
//!
//! A signature covers the body, so a body has to be read before its sender is known. What strangers can make the process
//! hold is bounded all the same: by the budget, and for small bodies by the number of connections.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes of all bodies that may be in memory at one time: 64 MiB, ten of the longest.
const BUDGET: usize = 64 << 20;
/// Bytes of each body that do not count, so that events and records get through whatever else there is.
const FREE: usize = 64 << 10;

static SHARED: Semaphore = Semaphore::const_new(BUDGET);

/// A body that has been read. It counts against the budget until it is dropped.
pub struct Read<'a> {
    bytes: Bytes,
    _counted: Option<SemaphorePermit<'a>>,
}

impl Read<'_> {
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("Request must be smaller than {0} bytes")]
    TooLarge(usize),
    #[error("Too many bytes of requests are under way; try again.")]
    Busy,
    #[error("The request body did not arrive: {0}")]
    Broken(axum::Error),
}

/// Reads a body of at most `limit` bytes.
pub async fn read(body: Body, limit: usize) -> Result<Read<'static>, ReadError> {
    read_within(&SHARED, body, limit).await
}

async fn read_within(budget: &Semaphore, mut body: Body, limit: usize) -> Result<Read<'_>, ReadError> {
    if body.size_hint().lower() > limit as u64 {
        return Err(ReadError::TooLarge(limit));
    }
    let mut bytes = BytesMut::new();
    let mut counted: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ReadError::Broken)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(ReadError::TooLarge(limit));
        }
        let counts = |length: usize| length.saturating_sub(FREE);
        let more = counts(bytes.len() + data.len()) - counts(bytes.len());
        if more > 0 {
            let more = u32::try_from(more).map_err(|_| ReadError::Busy)?;
            let permit = budget.try_acquire_many(more).map_err(|_| ReadError::Busy)?;
            match &mut counted {
                Some(counted) => counted.merge(permit),
                None => counted = Some(permit),
            }
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Read {
        bytes: bytes.freeze(),
        _counted: counted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn large_bodies_share_a_budget_and_small_ones_are_free() {
        let budget = Semaphore::new(1000);
        let body = |length: usize| Body::from(vec![7; length]);
        let held = read_within(&budget, body(FREE + 900), usize::MAX).await.unwrap();
        assert_eq!(held.bytes().len(), FREE + 900);
        assert_eq!(budget.available_permits(), 100);
        let busy = read_within(&budget, body(FREE + 101), usize::MAX).await;
        assert!(matches!(busy, Err(ReadError::Busy)));
        assert!(read_within(&budget, body(FREE), usize::MAX).await.is_ok());
        drop(held);
        assert_eq!(budget.available_permits(), 1000);
        assert!(read_within(&budget, body(FREE + 1000), usize::MAX).await.is_ok());
    }

    #[tokio::test]
    async fn the_limit_holds_with_and_without_a_declared_length() {
        let budget = Semaphore::new(0);
        let chunked = |pieces: usize| {
            let piece = |_| Ok::<_, std::io::Error>(Bytes::from_static(b"12345"));
            Body::from_stream(futures::stream::iter((0..pieces).map(piece)))
        };
        assert!(read_within(&budget, chunked(2), 10).await.is_ok());
        for body in [chunked(3), Body::from("12345678901")] {
            let refused = read_within(&budget, body, 10).await;
            assert!(matches!(refused, Err(ReadError::TooLarge(10))));
        }
    }
}
