//! Dates of HTTP, and the `Date` of each answer by the clock.
//!
//! hyper fills in a missing `Date` from a cache that it renews only when the clock has gone on. After the clock has
//! gone back it repeats the old, future date until the clock has caught up. AWS's SDKs sign by the clock of the
//! service (they measure its distance from their own by `Date`), so they would be refused with
//! `RequestTimeTooSkewed` for as long.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use http::HeaderValue;
use http::header::DATE;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::clock::Clock;

/// Gives each answer of `router` a `Date` where it has none, so that hyper adds none of its own.
pub fn stamp(router: Router, clock: Clock) -> Router {
    router.layer(from_fn_with_state(clock, add))
}

async fn add(State(clock): State<Clock>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(date) = http_date(clock()) {
        response.headers_mut().entry(DATE).or_insert(date);
    }
    response
}

/// A date of HTTP (RFC 9110, section 5.6.7); `None` if its year has not four digits.
pub fn http_date(now: Timestamp) -> Option<HeaderValue> {
    let text = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).ok()?;
    HeaderValue::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn date_of_answer(address: std::net::SocketAddr) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let dates: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("date: "))
            .collect();
        assert_eq!(dates.len(), 1, "{text}");
        dates[0].to_owned()
    }

    /// On one thread, where hyper's cache is one for all answers.
    #[tokio::test]
    async fn dates_follow_the_clock_back() {
        let seconds = Arc::new(AtomicI64::new(1_795_860_000));
        let shared = Arc::clone(&seconds);
        let clock: Clock = Arc::new(move || Timestamp::from_second(shared.load(Ordering::Relaxed)).unwrap());
        let router = stamp(Router::new(), clock);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        assert_eq!(date_of_answer(address).await, "Sat, 28 Nov 2026 10:00:00 GMT");
        seconds.fetch_sub(7200, Ordering::Relaxed);
        assert_eq!(date_of_answer(address).await, "Sat, 28 Nov 2026 08:00:00 GMT");
        server.abort();
    }
}
