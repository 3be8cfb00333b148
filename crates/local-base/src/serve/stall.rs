//! Time limits for bytes that should move and do not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::connection::Connection;
use crate::body;

/// In the text of the error that a request's body ends with when its sender stalls.
pub const STALLED: &str = "the client stopped sending";

/// A timer that runs while something is awaited, and restarts each time that it arrives.
struct Patience {
    limit: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { limit, running: None }
    }

    /// Passes on what has come; ready with `None` when it was awaited too long.
    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<T>) -> Poll<Option<T>> {
        match polled {
            Poll::Ready(value) => {
                self.running = None;
                Poll::Ready(Some(value))
            }
            Poll::Pending => {
                let limit = self.limit;
                let running = self.running.get_or_insert_with(|| Box::pin(sleep(limit)));
                ready!(running.as_mut().poll(context));
                Poll::Ready(None)
            }
        }
    }
}

/// The body of a request. It fails if it is read and no byte arrives for `limit`.
pub(super) fn timed(body: Body, limit: Duration) -> Body {
    let mut patience = Patience::new(limit);
    body::watched(body, move |context, _, polled| {
        let frame = ready!(patience.watch(context, polled));
        let stalled = || axum::Error::new(io::Error::new(io::ErrorKind::TimedOut, STALLED));
        Poll::Ready(frame.unwrap_or_else(|| Some(Err(stalled()))))
    })
}

/// A connection's socket. It reports that bytes come, and fails when the client takes none for too long.
pub(super) struct Socket {
    stream: TcpStream,
    connection: Arc<Connection>,
    patience: Patience,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, connection: Arc<Connection>, limit: Duration) -> Self {
        Self {
            stream,
            connection,
            patience: Patience::new(limit),
        }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let taken = ready!(self.patience.watch(context, polled));
        Poll::Ready(taken.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            self.connection.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
