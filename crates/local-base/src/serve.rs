//! The HTTP server of one port. Clients that send or take their bytes slowly, or not at all, cannot stop it.
//!
//! A connection waits for a request, or it is busy with one. One that waits has a deadline, and when all connections are
//! taken, the one that has waited longest makes room for a new one. One that is busy may take as long as it likes, as long
//! as bytes move in the direction in which they should.

mod connection;
mod stall;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use self::connection::{Connection, Port};
use self::stall::{Socket, timed};

pub use self::stall::STALLED;

/// After an error of `accept` that is not the client's, such as too few descriptors, it is tried again.
const RETRY: Duration = Duration::from_millis(100);
/// The limits of a port for its clients.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// From the first byte of a request to the end of its headers; the first request of a connection also begins in it.
    pub head: Duration,
    /// From one request of a connection to the next.
    pub idle: Duration,
    /// Between two pieces of a request's body.
    pub body: Duration,
    /// Between two pieces of an answer that the client takes.
    pub write: Duration,
}

impl Limits {
    /// Those of the API port. Its share of the descriptors is its own, whatever the edge's viewers do; the functions' calls
    /// take as many again on their side.
    pub fn api() -> Self {
        Self::with((open_files() * 3 / 8).min(1024))
    }

    /// Those of the edge.
    pub fn edge() -> Self {
        Self::with((open_files() / 4).min(4096))
    }

    fn with(connections: usize) -> Self {
        Self {
            connections: connections.max(8),
            head: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            body: Duration::from_secs(30),
            // A player that pauses does not read; it comes back with a range.
            write: Duration::from_mins(1),
        }
    }
}

/// The number of files that the process may have open: the soft limit.
fn open_files() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::from(u16::try_from(limit).unwrap_or(u16::MAX))
}

/// Answers with `router` until `shutdown`, and then until no request is under way.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let port = Arc::new(Port::new(limits));
    // Dropped with this future, and all connections with it.
    let mut connections = JoinSet::new();
    while let Some((stream, peer, slot)) = next(&listener, &port, &shutdown).await {
        while connections.try_join_next().is_some() {}
        let (port, router, shutdown) = (Arc::clone(&port), router.clone(), shutdown.clone());
        connections.spawn(async move {
            run(stream, peer, port, router, shutdown).await;
            drop(slot);
        });
    }
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// The next connection, and its slot.
async fn next(
    listener: &TcpListener,
    port: &Arc<Port>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, port.slot().await),
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    tokio::select! {
        next = next => Some(next),
        () = shutdown.cancelled() => None,
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// Serves one connection to its end.
async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    port: Arc<Port>,
    router: Router,
    shutdown: CancellationToken,
) {
    // An answer in two writes would otherwise wait 40 ms for the peer's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let limits = port.limits;
    let connection = Connection::new(port);
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&connection), limits.write));
    let service = service_fn(|request: Request<Incoming>| {
        let busy = connection.busy();
        let mut request = request.map(|body| timed(Body::new(body), limits.body));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().oneshot(request);
        async move {
            answer
                .await
                .map(|response| response.map(|body| busy.until_sent(body)))
        }
    });
    // Its own header time-out would also end connections between two requests.
    let http = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(socket, service);
    let mut http = std::pin::pin!(http);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = http.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
                break;
            }
            () = connection.overdue() => break,
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                http.as_mut().graceful_shutdown();
            }
        }
    }
}

#[cfg(test)]
mod tests;
