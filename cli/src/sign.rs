//! `vod sign`: makes links to watch an asset for a limited time.

use anyhow::bail;
use hyper::StatusCode;
use serde_json::Value;
use vod_core::record::{Record, State};

use crate::stack::Stack;
use crate::target::{self, Target};
use crate::{http, list, output};

/// The path at which the signer makes links.
const PLAYBACK: &str = "/api/playback";

/// Make links to watch an asset; anyone with a link can watch
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An asset id, or the key of an upload (input/…): its newest version that is COMPLETE
    #[arg(value_name = "ASSET|input/KEY")]
    target: Target,
    /// Validity of the links: 90s, 15m, 6h or 7d (default: 6h, or twice the duration if that is longer)
    #[arg(long, value_parser = ttl)]
    ttl: Option<u64>,
    /// Link to the outputs of this template, if there are several
    #[arg(long)]
    template: Option<String>,
    /// Valid for this IPv4 address or range only
    #[arg(long)]
    ip: Option<String>,
    /// Print the signer's complete response as JSON, including cookies
    #[arg(long)]
    json: bool,
}

/// Runs `vod sign`.
pub(crate) async fn run(stack: &Stack, args: &Args) -> anyhow::Result<()> {
    let target = match &args.target {
        part @ Target::Part(_) => Target::Asset(part.asset(stack).await?),
        target => target.clone(),
    };
    let (name, value) = match &target {
        Target::Asset(id) => ("asset", id.as_str()),
        Target::Upload(text) | Target::Part(text) => ("source", text.as_str()),
    };
    let ttl = args.ttl.map(|seconds| seconds.to_string());
    let query = [
        Some((name, value)),
        ttl.as_deref().map(|ttl| ("ttl_seconds", ttl)),
        args.template.as_deref().map(|template| ("template", template)),
        args.ip.as_deref().map(|ip| ("ip", ip)),
    ];
    let query: Vec<_> = query.into_iter().flatten().collect();
    let (status, body) = stack.api().ask(PLAYBACK, &query).await?;
    if status == StatusCode::CONFLICT
        && let Ok(Some(record)) = newest(stack, &target).await
    {
        bail!(not_complete(stack, &record));
    }
    let links: Value = http::read(PLAYBACK, status, &body)?;
    if args.json {
        return output::json(&links);
    }
    for line in text(&links) {
        output::line(&line)?;
    }
    Ok(())
}

/// The record that the signer used: of an upload, the record of its newest version.
async fn newest(stack: &Stack, target: &Target) -> anyhow::Result<Option<Record>> {
    match target {
        Target::Asset(id) => target::record(&stack.api(), id).await,
        Target::Upload(key) | Target::Part(key) => {
            let versions = list::all(stack, &[("source", key)]).await?;
            Ok(versions
                .into_iter()
                .max_by_key(|record| record.source.uploaded_at))
        }
    }
}

/// The reason why there is nothing to watch, and the next step.
fn not_complete(stack: &Stack, record: &Record) -> String {
    let (id, state) = (&record.id, record.state.as_str());
    let show = format!("vod show{} {id}", stack.options);
    let error = record.jobs.iter().rev().find_map(|job| job.error.as_ref());
    let why = match (record.state, error, &record.reason) {
        (State::Error, Some(error), _) => format!("{}; {}", error.meaning, error.remedy),
        (State::Error | State::Ignored, _, Some(reason)) => reason.clone(),
        (State::Progressing, ..) => format!("{} % done", record.progress),
        _ => return format!("asset `{id}` is {state}: `{show}` shows details"),
    };
    format!(
        "asset `{id}` is {state}: {} (`{show}` shows details)",
        output::plain(&why)
    )
}

/// The links for people, one per line.
fn text(links: &Value) -> Vec<String> {
    let named = |name: &str, value: &Value| value.as_str().map(|value| format!("{name:10} {value}"));
    let mut text: Vec<_> = named("hls", &links["hls"]).into_iter().collect();
    for mp4 in links["mp4"].as_array().into_iter().flatten() {
        text.extend(named("mp4", &mp4["url"]));
    }
    text.extend(named("poster", &links["poster"]));
    text.extend(named("thumbnails", &links["thumbnails"]));
    text.extend(named("until", &links["expires_at"]));
    text
}

/// Parses a duration such as `15m`, into seconds.
pub(crate) fn ttl(text: &str) -> Result<u64, String> {
    let form = || format!("`{text}` is not a duration: write 90s, 15m, 6h or 7d");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(form()),
    };
    let number: u64 = digits.parse().map_err(|_| form())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds > 0)
        .ok_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, seconds) in [
            ("1s", Some(1)),
            ("15m", Some(900)),
            ("6h", Some(21_600)),
            ("7d", Some(604_800)),
            ("0s", None),
            ("6", None),
            ("h", None),
            ("-1h", None),
            ("6 h", None),
            ("1h30m", None),
            ("99999999999999999999d", None),
            ("9999999999999999d", None),
            ("1é", None),
        ] {
            assert_eq!(ttl(text).ok(), seconds, "{text}");
        }
    }

    #[test]
    fn links_for_people() {
        let links = serde_json::json!({
            "asset": "a", "expires_at": "2026-11-21T10:00:00Z", "hls": "http://e/play/g/a/video.m3u8",
            "mp4": [{"url": "http://e/output/a/video.mp4?x", "width": 1280, "height": 720}],
            "poster": "http://e/p.jpg", "cookies": {"CloudFront-Policy": "p"},
        });
        assert_eq!(
            text(&links),
            [
                "hls        http://e/play/g/a/video.m3u8",
                "mp4        http://e/output/a/video.mp4?x",
                "poster     http://e/p.jpg",
                "until      2026-11-21T10:00:00Z",
            ]
        );
    }
}
