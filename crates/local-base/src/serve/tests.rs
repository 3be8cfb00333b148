use std::convert::Infallible;

use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures::StreamExt as _;
use http::StatusCode;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::*;

/// For what must happen: far longer than it takes on a slow machine.
const SOON: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_mins(10);
const SHORT: Duration = Duration::from_millis(100);

/// None of these is reached by a test that does not shorten it.
const PATIENT: Limits = Limits {
    connections: 100,
    head: LONG,
    idle: LONG,
    body: LONG,
    write: LONG,
};

/// A server with these limits. It reports each endless answer that it has given up.
async fn server(limits: Limits) -> (SocketAddr, mpsc::UnboundedReceiver<()>) {
    let (report, given_up) = mpsc::unbounded_channel();
    let endless = move || {
        let report = GivenUp(report.clone());
        async move {
            Body::from_stream(futures::stream::repeat_with(move || {
                Ok::<_, Infallible>(report.chunk())
            }))
        }
    };
    let router = Router::new()
        .route("/", get(async || "ok"))
        .route("/slow", get(async || tokio::time::sleep(5 * SHORT).await))
        .route("/endless", get(endless))
        .route("/read", post(read));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, router, limits, CancellationToken::new()));
    (address, given_up)
}

struct GivenUp(mpsc::UnboundedSender<()>);

impl GivenUp {
    #[allow(clippy::unused_self, reason = "keeps the stream the owner of it")]
    fn chunk(&self) -> Bytes {
        Bytes::from_static(&[7; 16384])
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

async fn read(body: Body) -> Response {
    match body.collect().await {
        Ok(whole) => whole.to_bytes().len().to_string().into_response(),
        Err(error) => (StatusCode::REQUEST_TIMEOUT, error.to_string()).into_response(),
    }
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// All that comes until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let closed = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await;
    closed.expect("the server did not close the connection").ok();
    String::from_utf8(answer).unwrap()
}

/// The first bytes of an answer.
async fn answered(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let length = tokio::time::timeout(SOON, stream.read(&mut answer)).await;
    answer.truncate(length.expect("no answer came").unwrap());
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_that_is_never_finished_is_ended() {
    let head = Limits {
        head: SHORT,
        ..PATIENT
    };
    let (address, _) = server(head).await;
    for text in ["", "GET", "GET / HTTP/1.1\r\nhost: x\r\n"] {
        assert_eq!(until_closed(&mut send(address, text).await).await, "", "{text}");
    }
    // The second request of a connection, too.
    let mut stream = send(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut stream).await.ends_with("ok"));
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_connection_without_a_further_request_is_ended() {
    let (address, _) = server(Limits {
        idle: SHORT,
        ..PATIENT
    })
    .await;
    let mut stream = send(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(until_closed(&mut stream).await.ends_with("ok"));
}

#[tokio::test]
async fn an_answer_may_take_longer_than_every_limit() {
    let impatient = Limits {
        head: SHORT,
        idle: SHORT,
        body: SHORT,
        write: SHORT,
        ..PATIENT
    };
    let (address, _) = server(impatient).await;
    let mut stream = send(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut stream).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn sleepers_make_room_when_all_connections_are_taken() {
    let (address, _) = server(Limits {
        connections: 4,
        ..PATIENT
    })
    .await;
    let mut sleepers = Vec::new();
    for _ in 0..20 {
        sleepers.push(send(address, "GET / HTTP/1.1\r\n").await);
    }
    let mut stream = send(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answered(&mut stream).await.ends_with("ok"));
    // The oldest has gone; the newest is still welcome.
    assert_eq!(until_closed(&mut sleepers[0]).await, "");
    let newest = sleepers.last_mut().unwrap();
    newest.write_all(b"host: x\r\n\r\n").await.unwrap();
    assert!(answered(newest).await.ends_with("ok"));
}

#[tokio::test]
async fn connections_that_are_busy_do_not_make_room() {
    let (address, mut given_up) = server(Limits {
        connections: 1,
        ..PATIENT
    })
    .await;
    let mut busy = send(address, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answered(&mut busy).await;
    let mut next = send(address, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let none = tokio::time::timeout(5 * SHORT, next.read_u8()).await;
    assert!(none.is_err() && given_up.try_recv().is_err());
    drop(busy);
    assert!(answered(&mut next).await.ends_with("ok"));
}

#[tokio::test]
async fn a_body_that_stops_is_given_up() {
    let (address, _) = server(Limits {
        body: SHORT,
        ..PATIENT
    })
    .await;
    let mut stream = send(
        address,
        "POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nabc",
    )
    .await;
    let answer = until_closed(&mut stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.ends_with(STALLED),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_taken_whole() {
    let limit = Duration::from_secs(1);
    let piece = move || async move {
        tokio::time::sleep(limit / 4).await;
        Ok::<_, Infallible>(Bytes::from_static(b"piece"))
    };
    let pieces = futures::stream::iter(0..6).then(move |_| piece());
    let whole = timed(Body::from_stream(pieces), limit).collect().await.unwrap();
    assert_eq!(whole.to_bytes().len(), 30);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up() {
    let (address, mut given_up) = server(Limits {
        write: SHORT,
        ..PATIENT
    })
    .await;
    let _stream = send(address, "GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let gone = tokio::time::timeout(SOON, given_up.recv()).await;
    assert_eq!(gone.expect("the answer is still being sent"), Some(()));
}

#[test]
fn the_limit_of_open_files_is_known() {
    assert!((16..=usize::from(u16::MAX)).contains(&open_files()));
}
