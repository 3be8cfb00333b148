//! `/api/manage/assets/<id>/captions/<language>`: caption files.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use pipeline::NewCaption;
use serde::Deserialize;
use vod_core::record::{CaptionKind, Record};
use vod_http::Problem;
use vod_http::auth::Scope;

use crate::App;
use crate::body::{Body, bytes};
use crate::manage::{covered, distribution, problem, public};

type Place = Result<Path<(String, String)>, PathRejection>;
type Options = Result<Query<Ask>, QueryRejection>;
type Answer = Result<Response, Problem>;

#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    label: Option<String>,
    kind: Option<String>,
    default: Option<String>,
}

pub(crate) async fn add(
    State(app): State<App>,
    headers: HeaderMap,
    place: Place,
    options: Options,
    body: Body,
) -> Answer {
    let owner = app.admit(&headers, Scope::Admin).await?;
    let Path((id, language)) = place.map_err(|_| missing())?;
    let asset = covered(&owner, &id)?;
    let Query(ask) = options.map_err(|error| Problem::bad_request(error.body_text()))?;
    let new = NewCaption {
        language,
        label: ask.label,
        kind: kind(ask.kind.as_deref())?.unwrap_or_default(),
        default: match ask.default.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(Problem::bad_request("default is neither true nor false")),
        },
        content: bytes(body)?.to_vec(),
    };
    let record = app.0.manage.add_caption(&asset, &new).await;
    Ok(answer(record.map_err(|error| problem(&error))?))
}

pub(crate) async fn remove(
    State(app): State<App>,
    headers: HeaderMap,
    place: Place,
    options: Options,
) -> Answer {
    let owner = app.admit(&headers, Scope::Admin).await?;
    let Path((id, language)) = place.map_err(|_| missing())?;
    let asset = covered(&owner, &id)?;
    let Query(ask) = options.map_err(|error| Problem::bad_request(error.body_text()))?;
    let kind = kind(ask.kind.as_deref())?;
    let edge = distribution(&headers)?;
    let record = app.0.manage.remove_captions(&asset, &language, kind, edge).await;
    Ok(answer(record.map_err(|error| problem(&error))?))
}

/// The kind of captions, if one was given.
fn kind(text: Option<&str>) -> Result<Option<CaptionKind>, Problem> {
    let kinds = [CaptionKind::Subtitles, CaptionKind::Sdh, CaptionKind::Forced];
    let Some(text) = text else { return Ok(None) };
    let found = kinds.into_iter().find(|kind| kind.as_str() == text);
    found
        .map(Some)
        .ok_or_else(|| Problem::bad_request("kind is not subtitles, sdh or forced"))
}

fn missing() -> Problem {
    Problem::not_found("no such asset")
}

fn answer(record: Record) -> Response {
    (
        StatusCode::OK,
        [(CACHE_CONTROL, "no-store")],
        Json(public(record)),
    )
        .into_response()
}
