//! The access log: one JSON line for each request that a port of the stack answered.
//!
//! It is the witness that calls between functions and services cross real HTTP. Query values, grants, tokens,
//! signatures and `Authorization` never reach it (`redact`).

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http_body::Body as _;
use jiff::Timestamp;
use serde::Serialize;

use crate::body;

mod operation;
pub mod redact;
pub use operation::{Operation, classify};

/// The log is moved to `<name>.1`, whose place it takes, when it has grown to this many bytes.
pub const ROTATE_AT: u64 = 16 * 1024 * 1024;

/// Which listener a request came in through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Port {
    /// S3, MediaConvert, Lambda and the like.
    Api,
    /// The local CloudFront.
    Edge,
}

/// A handle to the log file; clones share it.
#[derive(Clone, Debug)]
pub struct AccessLog {
    file: Arc<Mutex<LogFile>>,
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    rotate_at: u64,
}

/// One line of the log.
#[derive(Debug, Serialize)]
struct Line {
    /// When the answer ended.
    time: Timestamp,
    port: Port,
    method: String,
    path: String,
    #[serde(flatten)]
    operation: Operation,
    /// 0 if the handler was dropped before it had an answer, because the client hung up.
    status: u16,
    bytes: u64,
    duration_ms: u64,
}

impl AccessLog {
    /// Opens the log at `path` for appending, creating it where it does not exist.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, ROTATE_AT)
    }

    fn with_limit(path: &Path, rotate_at: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let size = file.metadata()?.len();
        let file = LogFile {
            path: path.to_owned(),
            file,
            size,
            rotate_at,
        };
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
        })
    }

    /// Writes a line for every request to `router`, its fallback included.
    pub fn watch(&self, router: Router, port: Port) -> Router {
        router.layer(from_fn_with_state((self.clone(), port), record))
    }

    fn write(&self, line: &Line) {
        let result = serde_json::to_vec(line)
            .map_err(io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                self.file
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .append(&bytes)
            });
        // A full disk must not take the service down; the request itself has been answered.
        if let Err(error) = result {
            tracing::warn!(%error, "failed to write access log");
        }
    }
}

impl LogFile {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = line.len() as u64;
        if self.size > 0 && self.size + length > self.rotate_at {
            let mut old = self.path.clone().into_os_string();
            old.push(".1");
            std::fs::rename(&self.path, old)?;
            self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            self.size = 0;
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(())
    }
}

async fn record(State((log, port)): State<(AccessLog, Port)>, request: Request, next: Next) -> Response {
    let mut pending = Pending {
        log,
        started: Instant::now(),
        line: Line {
            time: Timestamp::UNIX_EPOCH,
            port,
            method: request.method().to_string(),
            path: redact::uri(request.uri()),
            operation: redact::operation(classify(port, request.method(), request.uri(), request.headers())),
            status: 0,
            bytes: 0,
            duration_ms: 0,
        },
    };
    let response = next.run(request).await;
    pending.line.status = response.status().as_u16();
    response.map(|body| counted(body, pending))
}

/// A request whose answer is under way. The line is written when this is dropped.
struct Pending {
    log: AccessLog,
    started: Instant,
    line: Line,
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.line.time = Timestamp::now();
        self.line.duration_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.log.write(&self.line);
    }
}

/// Counts a body's bytes and closes the log line with its last frame: before that frame goes out, so that
/// a client which has the whole answer finds its line in the log.
fn counted(body: Body, pending: Pending) -> Body {
    let mut pending = (!body.is_end_stream()).then_some(pending);
    body::watched(body, move |_, rest, polled| {
        if let Poll::Ready(frame) = &polled {
            if let (Some(pending), Some(Ok(frame))) = (&mut pending, frame) {
                pending.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            if frame.is_none() || rest.is_end_stream() {
                pending = None;
            }
        }
        polled
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn fetch(router: &Router, uri: &str) {
        let request = Request::get(uri)
            .header("authorization", "AWS4 secret")
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        axum::body::to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_line_for_each_request_even_the_unrouted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = AccessLog::open(&path).unwrap();
        let router = log.watch(
            Router::new().route("/hello", get(|| async { "hello" })),
            Port::Edge,
        );
        fetch(&router, "/hello?token=secret").await;
        fetch(&router, "/missing").await;

        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["path"], &lines[0]["bytes"]),
            (&"/hello?token".into(), &5.into())
        );
        assert_eq!(
            (&lines[1]["status"], &lines[1]["port"]),
            (&404.into(), &"edge".into())
        );
    }

    #[tokio::test]
    async fn the_log_stays_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = AccessLog::with_limit(&path, 1000).unwrap();
        let router = log.watch(Router::new(), Port::Api);
        for _ in 0..50 {
            fetch(&router, "/bucket/key").await;
        }
        let total: u64 = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().metadata().unwrap().len())
            .sum();
        assert!((1000..=2000).contains(&total), "{total}");
    }
}
