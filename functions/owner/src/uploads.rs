//! `/api/uploads`: sessions of uploads.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use pipeline::{NewFile, UploadError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vod_core::upload::{Kind, ListedPart, Refusal, Uploader};
use vod_http::Problem;

use crate::App;
use crate::body::{Body, parse};

/// The body of `POST /api/uploads`.
#[derive(Debug, Deserialize)]
struct New {
    filename: String,
    #[serde(rename = "type", default)]
    content_type: Option<String>,
    size: u64,
}

/// The body of `POST …/complete`.
#[derive(Debug, Deserialize)]
struct List {
    parts: Vec<ListedPart>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    key: String,
}

type Id = Result<Path<String>, PathRejection>;
type Key = Result<Query<Ask>, QueryRejection>;

pub(crate) async fn create(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let uploader = app.uploader(&headers).await?;
    let new: New = parse(body)?;
    let file = NewFile {
        name: new.filename,
        content_type: new.content_type.filter(|kind| !kind.is_empty()),
        size: new.size,
    };
    let created = app.0.uploads.create(&uploader, &file).await.map_err(problem)?;
    Ok(answer(StatusCode::CREATED, &created))
}

pub(crate) async fn list(
    State(app): State<App>,
    headers: HeaderMap,
    id: Id,
    key: Key,
) -> Result<Response, Problem> {
    let (uploader, id, key) = session(&app, &headers, id, key).await?;
    let parts = app.0.uploads.parts(&uploader, &key, &id).await.map_err(problem)?;
    Ok(answer(StatusCode::OK, &parts))
}

pub(crate) async fn sign(
    State(app): State<App>,
    headers: HeaderMap,
    path: Result<Path<(String, String)>, PathRejection>,
    key: Key,
) -> Result<Response, Problem> {
    let Path((id, part)) = path.map_err(|_| missing())?;
    let (uploader, id, key) = session(&app, &headers, Ok(Path(id)), key).await?;
    // Digits alone: `+1` and `01` are no names of a part.
    let number = part
        .parse()
        .ok()
        .filter(|number: &u32| number.to_string() == part);
    let number = number.ok_or_else(|| Problem::not_found("no such path; a part is a number from 1"))?;
    let url = app
        .0
        .uploads
        .sign(&uploader, &key, &id, number)
        .await
        .map_err(problem)?;
    Ok(answer(StatusCode::OK, &json!({ "url": url })))
}

pub(crate) async fn complete(
    State(app): State<App>,
    headers: HeaderMap,
    id: Id,
    key: Key,
    body: Body,
) -> Result<Response, Problem> {
    let (uploader, id, key) = session(&app, &headers, id, key).await?;
    let List { parts } = parse(body)?;
    let asset = app
        .0
        .uploads
        .complete(&uploader, &key, &id, parts)
        .await
        .map_err(problem)?;
    vod_http::log_asset(&asset);
    Ok(answer(StatusCode::OK, &json!({ "key": key, "asset": asset })))
}

pub(crate) async fn abort(
    State(app): State<App>,
    headers: HeaderMap,
    id: Id,
    key: Key,
) -> Result<Response, Problem> {
    let (uploader, id, key) = session(&app, &headers, id, key).await?;
    app.0.uploads.abort(&uploader, &key, &id).await.map_err(problem)?;
    Ok((StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response())
}

/// The token's limits, and the id and the key in the URL.
async fn session(
    app: &App,
    headers: &HeaderMap,
    id: Id,
    key: Key,
) -> Result<(Uploader, String, String), Problem> {
    let uploader = app.uploader(headers).await?;
    // What is not UTF-8 once decoded is no id.
    let Path(id) = id.map_err(|_| missing())?;
    let Query(Ask { key }) = key.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok((uploader, id, key))
}

fn missing() -> Problem {
    Problem::not_found(Refusal::Missing.to_string())
}

fn problem(error: UploadError) -> Problem {
    let refusal = match error {
        UploadError::Refused(refusal) => refusal,
        UploadError::Bucket(error) => return Problem::unavailable("the bucket", &error),
    };
    let detail = refusal.to_string();
    match refusal.kind() {
        Kind::Invalid => Problem::bad_request(detail),
        Kind::Forbidden => Problem::forbidden(detail),
        Kind::Missing => Problem::not_found(detail),
        Kind::Conflict => Problem::conflict(detail),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response {
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}
