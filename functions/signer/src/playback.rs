//! `GET /api/playback`: links to watch one asset.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use vod_core::cloudfront::{self, LATEST_EPOCH, Network, Policy, Signature};
use vod_core::grant::Grant;
use vod_core::keys::asset_prefix;
use vod_core::record::{OutputSet, Record};

use crate::app::{App, SIGNING_KEY};
use crate::assets;
use crate::thumbnails;
use crate::viewer;
use vod_http::Problem;
use vod_http::auth::Scope;

/// Longest life of a link: 7 days.
const TTL_MAX: i64 = 604_800;
/// A link lives so long, or twice the duration of the film if that is more: players fetch a playlist once,
/// and a pause for dinner should not end the evening.
const TTL_DEFAULT: i64 = 6 * 3_600;

#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    asset: Option<String>,
    source: Option<String>,
    ttl_seconds: Option<String>,
    template: Option<String>,
    ip: Option<String>,
}

#[derive(Debug, Serialize)]
struct Playback {
    asset: String,
    expires_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    hls: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dash: Option<String>,
    mp4: Vec<Mp4>,
    #[serde(skip_serializing_if = "Option::is_none")]
    poster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnails: Option<String>,
    cookies: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
struct Mp4 {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
}

pub(crate) async fn playback(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<Ask>, QueryRejection>,
) -> Result<Response, Problem> {
    let now = (app.clock)();
    let admitted = app.admit(&headers, Scope::Playback).await?;
    let Query(ask) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let ttl = ask.ttl_seconds.as_deref().map(parse_ttl).transpose()?;
    let source = ask.ip.as_deref().map(parse_network).transpose()?;
    let host = viewer::host(&headers)?;

    let record = assets::to_watch(&app, &admitted, ask.asset.as_deref(), ask.source.as_deref()).await?;
    let set = choose(&record, ask.template.as_deref())?;
    let expires = expiry(now, ttl.unwrap_or_else(|| default_ttl(&record)))?;
    let base = format!("{}://{host}", app.scheme.as_str());
    let policy = Policy {
        resource: Some(format!("{base}/{}*", asset_prefix(&record.id))),
        expires: expires.as_second(),
        not_before: None,
        source,
    };
    let signature = cloudfront::sign(&*app.keyring().await?, &policy);
    let signature = signature.map_err(|error| Problem::unavailable(SIGNING_KEY, &error))?;
    Ok(respond(&record, set, &base, expires, &signature))
}

fn respond(
    record: &Record,
    set: &OutputSet,
    base: &str,
    expires: Timestamp,
    signature: &Signature,
) -> Response {
    let grant = Grant::from(signature.clone()).encode();
    let file = |key: &String| signature.url(&format!("{base}/{key}"));
    let play = |key: &str| {
        format!(
            "{base}/play/{grant}/{}",
            key.strip_prefix("output/").unwrap_or(key)
        )
    };
    let cookies = signature.cookies();
    let body = Playback {
        asset: record.id.to_string(),
        expires_at: expires,
        hls: set.hls.as_ref().map(|hls| play(&hls.master)),
        dash: set.dash.as_ref().map(|dash| play(&dash.manifest)),
        mp4: set
            .mp4
            .iter()
            .map(|mp4| Mp4 {
                url: file(&mp4.key),
                width: mp4.width,
                height: mp4.height,
            })
            .collect(),
        poster: set.thumbnails.as_ref().map(|thumbnails| file(&thumbnails.poster)),
        thumbnails: set
            .thumbnails
            .as_ref()
            .and_then(thumbnails::key)
            .map(|key| play(&key)),
        cookies: cookies.iter().cloned().collect(),
    };
    let mut response = ([(CACHE_CONTROL, "no-store")], Json(body)).into_response();
    let path = asset_prefix(&record.id);
    for (name, value) in cookies {
        // Host-only, and for one asset: the names are the same for all, so the path keeps them apart.
        let cookie = format!("{name}={value}; Path=/{path}; Secure; HttpOnly; SameSite=Lax");
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

fn parse_ttl(text: &str) -> Result<i64, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text
        .parse()
        .ok()
        .filter(|seconds| digits && (1..=TTL_MAX).contains(seconds));
    seconds.ok_or_else(|| Problem::bad_request(format!("ttl_seconds is not between 1 and {TTL_MAX}")))
}

fn parse_network(text: &str) -> Result<Network, Problem> {
    text.parse()
        .map_err(|_| Problem::bad_request("ip is not an IPv4 address or range"))
}

fn default_ttl(record: &Record) -> i64 {
    let seconds = record
        .duration_ms()
        .map_or(0, |duration| duration.div_ceil(1_000));
    i64::try_from(seconds)
        .unwrap_or(TTL_MAX)
        .saturating_mul(2)
        .clamp(TTL_DEFAULT, TTL_MAX)
}

/// Whole seconds, as policies have them.
fn expiry(now: Timestamp, ttl: i64) -> Result<Timestamp, Problem> {
    let expires = now.checked_add(SignedDuration::from_secs(ttl)).ok();
    let expires = expires.and_then(|expires| Timestamp::from_second(expires.as_second()).ok());
    expires
        .filter(|expires| expires.as_second() <= LATEST_EPOCH)
        .ok_or_else(|| Problem::bad_request("ttl_seconds leads beyond the time that CloudFront can express"))
}

/// The outputs of the template that was asked for; else of the first that can be streamed.
fn choose<'a>(record: &'a Record, template: Option<&str>) -> Result<&'a OutputSet, Problem> {
    let mut sets = record.outputs.iter();
    match template {
        Some(name) => sets
            .find(|set| set.template == name)
            .ok_or_else(|| Problem::not_found("the asset has no outputs of this template")),
        None => sets
            .find(|set| set.hls.is_some() || set.dash.is_some())
            .or(record.outputs.first())
            .ok_or_else(|| Problem::not_found("the asset has no outputs")),
    }
}
