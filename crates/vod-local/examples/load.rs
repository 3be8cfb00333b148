//! Asks one URL over and over, on some connections at once: a part of `bench/signing.py`. Prints JSON.
//!
//! `TOKEN=… load <url> <connections> <seconds>`

#![expect(clippy::print_stdout, reason = "the bench reads it")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, seconds] = &arguments[..] else {
        anyhow::bail!("usage: TOKEN=… load <url> <connections> <seconds>");
    };
    let bearer = format!("Bearer {}", std::env::var("TOKEN").context("TOKEN is not set")?);
    let until = Instant::now() + Duration::try_from_secs_f64(seconds.parse()?)?;
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections.parse::<usize>()? {
        tasks.spawn(ask(url.clone(), bearer.clone(), until));
    }
    let mut times: Vec<Duration> = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    times.sort_unstable();
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100].as_secs_f64() * 1e3;
    let answer = serde_json::json!({"requests": times.len(), "seconds": started.elapsed().as_secs_f64(),
        "p50_ms": at(50), "p99_ms": at(99)});
    println!("{answer}");
    Ok(())
}

/// How long each answer took.
async fn ask(url: String, bearer: String, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let mut times = Vec::new();
    while Instant::now() < until {
        let request = Request::get(&url)
            .header("authorization", &bearer)
            .body(Empty::new())?;
        let started = Instant::now();
        let answer = client.request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        ensure!(status == 200, "the answer is {status}");
        times.push(started.elapsed());
    }
    Ok(times)
}
