//! Simulates a full disk by a limit on the state folder, for machines without a small disk.
//!
//! An upload is cut where the room ends, and answered as when the operating system has no room (507). What the
//! budget cannot do is keep the database and the encoder from writing; the encoder is ended instead.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Body as _, Frame};

use super::answers;
use super::spec::S3;
use crate::access::Operation;
use crate::body;

/// A measurement is good for so long: a folder of many files takes a while to walk through.
const GOOD_FOR: Duration = Duration::from_millis(100);

/// The state folder as something that fills up.
pub(super) struct Disk {
    state: PathBuf,
    measured: Arc<Mutex<Option<(Instant, u64)>>>,
}

/// Whether an operation leaves bytes behind.
pub(super) fn needs_room(operation: &Operation) -> bool {
    let name = operation.operation.as_str();
    operation.service == S3
        && (name.starts_with("Put") || name.contains("Copy") || name.contains("Upload"))
        && !name.starts_with("Abort")
        && !name.starts_with("List")
}

impl Disk {
    pub(super) fn new(state: &Path) -> Self {
        Self {
            state: state.to_owned(),
            measured: Arc::default(),
        }
    }

    /// Whether the state folder holds `budget` bytes or more.
    pub(super) async fn is_full(&self, budget: u64) -> bool {
        self.used().await >= budget
    }

    async fn used(&self) -> u64 {
        let (state, measured) = (self.state.clone(), Arc::clone(&self.measured));
        let walk = move || {
            let mut measured = measured.lock().unwrap_or_else(PoisonError::into_inner);
            match *measured {
                Some((at, used)) if at.elapsed() < GOOD_FOR => used,
                _ => {
                    let used = size(&state);
                    *measured = Some((Instant::now(), used));
                    used
                }
            }
        };
        tokio::task::spawn_blocking(walk).await.unwrap_or_default()
    }

    /// Lets a write go on for as long as there is room.
    pub(super) async fn limit(&self, budget: u64, request: Request, next: Next) -> Response {
        let room = budget.saturating_sub(self.used().await);
        if room == 0 {
            answers::drain(request).await;
            return answers::disk_full();
        }
        let full = Arc::new(AtomicBool::new(false));
        let response = next
            .run(request.map(|body| limited(body, room, Arc::clone(&full))))
            .await;
        if full.load(Ordering::Acquire) {
            tracing::warn!(fault = "disk.full", "fault");
            return answers::disk_full();
        }
        response
    }
}

/// Bytes of the files below a folder. What vanishes meanwhile counts for nothing.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// A body that breaks off after `room` bytes. The rest is still read: its sender waits for an answer.
fn limited(body: Body, mut room: u64, full: Arc<AtomicBool>) -> Body {
    let broken = || Poll::Ready(Some(Err(axum::Error::new("no room"))));
    body::watched(body, move |_, rest, polled| match &polled {
        Poll::Ready(Some(Ok(frame))) => {
            let length = frame.data_ref().map_or(0, |data| data.len() as u64);
            if length <= room && !full.load(Ordering::Acquire) {
                room -= length;
                return polled;
            }
            full.store(true, Ordering::Release);
            if rest.is_end_stream() {
                return broken();
            }
            Poll::Ready(Some(Ok(Frame::data(Bytes::new()))))
        }
        Poll::Ready(None) if full.load(Ordering::Acquire) => broken(),
        _ => polled,
    })
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[test]
    fn writes_need_room_and_what_makes_room_does_not() {
        let needs = |name: &str| {
            let operation = Operation {
                service: S3,
                operation: name.to_owned(),
                ..Operation::default()
            };
            needs_room(&operation)
        };
        for name in [
            "PutObject",
            "UploadPart",
            "UploadPartCopy",
            "CopyObject",
            "CreateMultipartUpload",
            "CompleteMultipartUpload",
        ] {
            assert!(needs(name), "{name}");
        }
        for name in [
            "GetObject",
            "DeleteObject",
            "DeleteObjects",
            "AbortMultipartUpload",
            "ListMultipartUploads",
        ] {
            assert!(!needs(name), "{name}");
        }
    }

    #[tokio::test]
    async fn a_body_breaks_off_where_the_room_ends() {
        for (room, whole) in [(6, true), (5, false), (1, false)] {
            let full = Arc::new(AtomicBool::new(false));
            let chunks = ["ab", "cd", "ef"].map(|chunk| Ok::<_, std::io::Error>(Bytes::from(chunk)));
            let body = Body::from_stream(futures::stream::iter(chunks));
            let body = limited(body, room, Arc::clone(&full));
            let collected = body.collect().await.map(http_body_util::Collected::to_bytes);
            assert_eq!(collected.is_ok(), whole, "{room}");
            assert_eq!(full.load(Ordering::Acquire), !whole, "{room}");
        }
    }

    #[tokio::test]
    async fn everything_in_the_folder_counts() {
        let state = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(state.path().join("a/b")).unwrap();
        std::fs::write(state.path().join("a/b/c"), [0; 100]).unwrap();
        std::fs::write(state.path().join("d"), [0; 11]).unwrap();
        let disk = Disk::new(state.path());
        assert_eq!(disk.used().await, 111);
        assert!(disk.is_full(111).await);
        assert!(!disk.is_full(112).await);
    }
}
