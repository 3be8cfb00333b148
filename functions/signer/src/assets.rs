//! `GET /api/assets` and `GET /api/assets/{id}`: the records; and finding the one to watch.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt as _;
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use vod_core::asset::AssetId;
use vod_core::events::is_newer;
use vod_core::keys::CATALOG;
use vod_core::newest::NEWEST;
use vod_core::record::{self, Record};
use vod_core::search::Needle;

use crate::app::{App, SIGNING_KEY};
use crate::newest::{Filter, newest_first};
use crate::reach::{read, visible};
use vod_http::Problem;
use vod_http::auth::{Scope, Viewer};

/// Records per page, unless asked otherwise.
const LIMIT_DEFAULT: usize = 50;
/// Most records per page: each is a read of its own.
const LIMIT_MAX: usize = 100;
/// Longest text that is searched for, in characters.
const NEEDLE_MAX: usize = 200;
/// Versions that a search for one source may read: those of one key are few.
const VERSIONS_MAX: usize = 5_000;

#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    limit: Option<String>,
    after: Option<String>,
    source: Option<String>,
    order: Option<Order>,
    since: Option<Timestamp>,
    state: Option<record::State>,
    q: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Newest,
}

#[derive(Debug, Serialize)]
struct Page {
    assets: Vec<Record>,
    /// What `after` must be for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(crate) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<Ask>, QueryRejection>,
) -> Result<Response, Problem> {
    let admitted = app.admit(&headers, Scope::Library).await?;
    let Query(ask) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
    let limit = parse_limit(ask.limit.as_deref())?;
    let after = match &ask.after {
        Some(cursor) => Some(open(&app, cursor).await?),
        None => None,
    };
    if ask.source.as_deref() == Some("") {
        return Err(Problem::bad_request("source is empty"));
    }
    let prefix = ask.source.as_deref();
    let prefix = prefix.map_or_else(String::new, |key| AssetId::key_prefix(&app.bucket, key));
    if let Some(filter) = ask.newest(&prefix)? {
        if after.as_ref().is_some_and(|place| !place.starts_with(NEWEST)) {
            return Err(not_a_next());
        }
        let found = newest_first(&app.catalog, &admitted, &filter, after, limit).await?;
        return page(&app, found.records, found.next.as_deref()).await;
    }
    if after.as_ref().is_some_and(|place| !place.starts_with(CATALOG)) {
        return Err(not_a_next());
    }
    let found = visible(&app.catalog, &admitted, &prefix, after.as_deref(), limit).await?;
    let records = read(&app.catalog, &found.ids).try_collect::<Vec<_>>().await?;
    page(
        &app,
        records.into_iter().flatten().collect(),
        found.next.as_deref(),
    )
    .await
}

impl Ask {
    /// The filter of a listing by time. `None`: the listing is in the order of the ids.
    fn newest(&self, prefix: &str) -> Result<Option<Filter>, Problem> {
        let filter = Filter {
            prefix: prefix.to_owned(),
            since: self.since,
            state: self.state,
            needle: self.q.as_deref().map(parse_needle).transpose()?,
        };
        let by_time = self.order.is_some() || filter.since.is_some() || filter.needs_records();
        Ok(by_time.then_some(filter))
    }
}

fn parse_needle(text: &str) -> Result<Needle, Problem> {
    if text.chars().count() > NEEDLE_MAX {
        return Err(Problem::bad_request(format!(
            "q has more than {NEEDLE_MAX} characters"
        )));
    }
    Ok(Needle::new(text))
}

async fn page(app: &App, records: Vec<Record>, next: Option<&str>) -> Result<Response, Problem> {
    let next = match next {
        Some(place) => Some(seal(app, place).await?),
        None => None,
    };
    let assets = records.into_iter().map(public).collect();
    Ok(no_store(&Page { assets, next }))
}

/// The place that `after` stands for.
async fn open(app: &App, cursor: &str) -> Result<String, Problem> {
    let place = app.keyring().await?.open_place(cursor);
    place.ok_or_else(not_a_next)
}

fn not_a_next() -> Problem {
    Problem::bad_request("after is not the `next` of a page of this listing")
}

/// What `after` must be for the page behind `place`, which may be the key of a record that the viewer may not see.
async fn seal(app: &App, place: &str) -> Result<String, Problem> {
    let cursor = app.keyring().await?.seal_place(place);
    cursor.map_err(|error| Problem::unavailable(SIGNING_KEY, &error))
}

pub(crate) async fn show(
    State(app): State<App>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    let admitted = app.admit(&headers, Scope::Library).await?;
    // What is not UTF-8 once decoded is no id.
    let Path(id) = path.map_err(|_| Problem::not_found("no such asset"))?;
    Ok(no_store(&public(find(&app, &admitted, &id).await?)))
}

fn parse_limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else {
        return Ok(LIMIT_DEFAULT);
    };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Problem::bad_request(format!("limit is not between 1 and {LIMIT_MAX}")))
}

/// The lease is ours, not the reader's.
fn public(record: Record) -> Record {
    Record {
        lease: None,
        ..record
    }
}

fn no_store(body: &impl Serialize) -> Response {
    ([(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The record with outputs that `asset` names, or the newest one of `source`.
pub(crate) async fn to_watch(
    app: &App,
    admitted: &Viewer,
    asset: Option<&str>,
    source: Option<&str>,
) -> Result<Record, Problem> {
    let record = match (asset, source) {
        (Some(id), None) => find(app, admitted, id).await?,
        (None, Some(key)) => newest(app, admitted, key).await?,
        _ => return Err(Problem::bad_request("give either asset or source")),
    };
    vod_http::log_asset(&record.id);
    // A video stays playable while it is encoded again, and if that fails.
    if record.outputs.is_empty() && record.state != record::State::Complete {
        return Err(Problem::not_complete(record.state));
    }
    Ok(record)
}

/// A token that is limited to other assets is told the same whether this one exists or not.
async fn find(app: &App, admitted: &Viewer, id: &str) -> Result<Record, Problem> {
    let unknown = || Problem::not_found("no such asset");
    if !admitted.sees(id) {
        return Err(hidden());
    }
    let id: AssetId = id.parse().map_err(|_| unknown())?;
    vod_http::log_asset(&id);
    let found = app.catalog.get(&id).await?;
    Ok(found.ok_or_else(unknown)?.value)
}

fn hidden() -> Problem {
    Problem::forbidden("the token does not cover this asset")
}

/// The newest version of an upload that is COMPLETE; if none is, the newest of all.
async fn newest(app: &App, admitted: &Viewer, key: &str) -> Result<Record, Problem> {
    let prefix = AssetId::key_prefix(&app.bucket, key);
    let page = visible(&app.catalog, admitted, &prefix, None, VERSIONS_MAX).await?;
    let mut best = None;
    for id in &page.ids {
        let record = app.catalog.readable(id).await?;
        // The prefix holds a digest of the key, so a stranger is not to be expected; it costs nothing to look.
        let ours = record.filter(|record| record.source.key == key);
        best = best
            .into_iter()
            .chain(ours)
            .reduce(|a, b| if is_better(&b, &a) { b } else { a });
    }
    let missing = || {
        if admitted.is_limited() {
            hidden()
        } else {
            Problem::not_found("no such upload")
        }
    };
    best.ok_or_else(missing)
}

fn is_better(a: &Record, b: &Record) -> bool {
    let complete = |record: &Record| record.state == record::State::Complete;
    if complete(a) != complete(b) {
        return complete(a);
    }
    match (&a.source.sequencer, &b.source.sequencer) {
        (Some(a), Some(b)) => is_newer(a, b),
        _ => a.source.uploaded_at > b.source.uploaded_at,
    }
}
