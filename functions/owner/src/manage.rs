//! `/api/manage`: owners change, take down, restore and encode their videos.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use pipeline::{ManageError, ManageErrorKind, Removed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vod_core::asset::AssetId;
use vod_core::owner::Edit;
use vod_core::record::Record;
use vod_core::removal::KEPT;
use vod_http::Problem;
use vod_http::auth::{Scope, Viewer};

use crate::App;
use crate::body::{Body, parse};

/// Requests in one bulk request.
const BULK_MAX: usize = 100;
/// The time after which a bulk request starts no further action. The edge waits 30 s for a response.
const BULK_TIME: SignedDuration = SignedDuration::from_secs(20);
/// The id of the distribution behind which the function is. Only the edge sets this header.
const DISTRIBUTION: &str = "x-viewer-distribution";

/// One action on one video.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Action {
    Edit(Edit),
    Remove,
    Purge,
    Restore,
    Retry,
    Encode(With),
}

/// The body of `POST …/encode`.
#[derive(Debug, Deserialize)]
pub(crate) struct With {
    template: String,
}

/// The body of a bulk request.
#[derive(Debug, Deserialize)]
struct Bulk {
    requests: Vec<BulkRequest>,
}

#[derive(Debug, Deserialize)]
struct BulkRequest {
    asset: String,
    action: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl BulkRequest {
    /// The asset, and what to do with it. An action is named by a text: serde alone would also take its number.
    fn read(mut self) -> Result<(String, Action), Problem> {
        self.members.insert("action".to_owned(), self.action.into());
        let action = serde_json::from_value(Value::Object(self.members))
            .map_err(|error| Problem::bad_request(format!("the body is malformed: {error}")))?;
        Ok((self.asset, action))
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    #[serde(default)]
    purge: Option<String>,
}

/// The response to a removal.
#[derive(Debug, Serialize)]
struct Down {
    asset: AssetId,
    removed_at: Timestamp,
    /// Until when it can be restored. Absent if it was purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    restorable_until: Option<Timestamp>,
    /// The number of files that were deleted.
    outputs: usize,
    /// Ids of jobs.
    canceled: Vec<String>,
}

type Id = Result<Path<String>, PathRejection>;
type Answer = Result<Response, Problem>;

pub(crate) async fn edit(State(app): State<App>, headers: HeaderMap, id: Id, body: Body) -> Answer {
    one(&app, &headers, id, || Ok(Action::Edit(parse(body)?))).await
}

pub(crate) async fn remove(
    State(app): State<App>,
    headers: HeaderMap,
    id: Id,
    query: Result<Query<Ask>, QueryRejection>,
) -> Answer {
    let action = || {
        let Query(ask) = query.map_err(|error| Problem::bad_request(error.body_text()))?;
        match ask.purge.as_deref() {
            None | Some("false") => Ok(Action::Remove),
            Some("true") => Ok(Action::Purge),
            Some(_) => Err(Problem::bad_request("purge is neither true nor false")),
        }
    };
    one(&app, &headers, id, action).await
}

pub(crate) async fn restore(State(app): State<App>, headers: HeaderMap, id: Id) -> Answer {
    one(&app, &headers, id, || Ok(Action::Restore)).await
}

pub(crate) async fn retry(State(app): State<App>, headers: HeaderMap, id: Id) -> Answer {
    one(&app, &headers, id, || Ok(Action::Retry)).await
}

pub(crate) async fn encode(State(app): State<App>, headers: HeaderMap, id: Id, body: Body) -> Answer {
    one(&app, &headers, id, || Ok(Action::Encode(parse(body)?))).await
}

/// Several actions in one request: one that fails does not stop the others.
pub(crate) async fn bulk(State(app): State<App>, headers: HeaderMap, body: Body) -> Answer {
    let owner = app.admit(&headers, Scope::Admin).await?;
    let Bulk { requests } = parse(body)?;
    if !(1..=BULK_MAX).contains(&requests.len()) {
        return Err(Problem::bad_request(format!(
            "requests are not between 1 and {BULK_MAX}"
        )));
    }
    // All are read before the first is done: a bad request changes nothing.
    let requests = requests.into_iter().map(BulkRequest::read);
    let requests = requests.collect::<Result<Vec<_>, _>>()?;
    let end = (app.0.clock)() + BULK_TIME;
    let mut responses = Vec::with_capacity(requests.len());
    for (asset, action) in requests {
        let done = if (app.0.clock)() < end {
            perform(&app, &headers, &owner, &asset, action).await
        } else {
            Err(Problem::unfinished(
                "there was no time left for this one: send it again",
            ))
        };
        responses.push(match done {
            Ok(Done { status, body }) => json!({"asset": asset, "status": status.as_u16(), "body": body}),
            Err(problem) => {
                json!({"asset": asset, "status": problem.status().as_u16(), "detail": problem.detail()})
            }
        });
    }
    let body = Json(json!({ "responses": responses }));
    Ok((StatusCode::OK, [(CACHE_CONTROL, "no-store")], body).into_response())
}

async fn one(
    app: &App,
    headers: &HeaderMap,
    id: Id,
    action: impl FnOnce() -> Result<Action, Problem>,
) -> Answer {
    let owner = app.admit(headers, Scope::Admin).await?;
    // What is not UTF-8 once decoded is no id.
    let Path(id) = id.map_err(|_| Problem::not_found("no such asset"))?;
    let Done { status, body } = perform(app, headers, &owner, &id, action()?).await?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// A record without its lease, which is the pipeline's own.
pub(crate) fn public(record: Record) -> Record {
    Record {
        lease: None,
        ..record
    }
}

/// A good answer.
struct Done {
    status: StatusCode,
    body: Value,
}

impl Done {
    fn new(status: StatusCode, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).unwrap_or_default();
        Self { status, body }
    }

    fn record(status: StatusCode, record: Record) -> Self {
        Self::new(status, &public(record))
    }
}

/// The asset of this id, if the token covers it.
pub(crate) fn covered(owner: &Viewer, id: &str) -> Result<AssetId, Problem> {
    if !owner.sees(id) {
        return Err(Problem::forbidden("the token does not cover this asset"));
    }
    let asset: AssetId = id.parse().map_err(|_| Problem::not_found("no such asset"))?;
    vod_http::log_asset(&asset);
    Ok(asset)
}

async fn perform(
    app: &App,
    headers: &HeaderMap,
    owner: &Viewer,
    id: &str,
    action: Action,
) -> Result<Done, Problem> {
    let asset = covered(owner, id)?;
    let manage = &app.0.manage;
    let changed = match action {
        Action::Edit(edit) => manage
            .edit(&asset, edit)
            .await
            .map(|record| Done::record(StatusCode::OK, record)),
        Action::Restore => manage
            .restore(&asset)
            .await
            .map(|record| Done::record(StatusCode::OK, record)),
        Action::Retry => manage
            .retry(&asset)
            .await
            .map(|record| Done::record(StatusCode::ACCEPTED, record)),
        Action::Encode(With { template }) => {
            let planned = manage.encode(&asset, &template).await;
            planned.map(|record| Done::record(StatusCode::ACCEPTED, record))
        }
        Action::Remove => {
            let removed = manage.remove(&asset, distribution(headers)?).await;
            removed.map(|removed| down(removed, Some(KEPT)))
        }
        Action::Purge => {
            let removed = manage.purge(&asset, distribution(headers)?).await;
            removed.map(|removed| down(removed, None))
        }
    };
    changed.map_err(|error| problem(&error))
}

fn down(removed: Removed, kept: Option<SignedDuration>) -> Done {
    let removed_at = removed.removal.removed_at;
    let down = Down {
        asset: removed.removal.asset,
        removed_at,
        restorable_until: kept.map(|kept| removed_at + kept),
        outputs: removed.outputs,
        canceled: removed.canceled,
    };
    Done::new(StatusCode::OK, &down)
}

pub(crate) fn distribution(headers: &HeaderMap) -> Result<&str, Problem> {
    let id = headers.get(DISTRIBUTION).and_then(|id| id.to_str().ok());
    id.ok_or_else(|| Problem::bad_request("the request did not come through the edge"))
}

pub(crate) fn problem(error: &ManageError) -> Problem {
    let detail = error.to_string();
    match error.kind() {
        ManageErrorKind::Invalid => Problem::bad_request(detail),
        ManageErrorKind::Missing => Problem::not_found(detail),
        ManageErrorKind::Conflict => Problem::conflict(detail),
        ManageErrorKind::Unavailable => match error {
            ManageError::NotInvalidated(_) => Problem::unfinished(detail),
            ManageError::Queue(error) => Problem::unavailable("the queue", error),
            error => Problem::unavailable("the storage", error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_named_by_its_text_and_has_its_members() {
        for (request, good) in [
            (json!({"asset": "a", "action": "remove"}), true),
            (json!({"asset": "a", "action": "edit", "title": "b"}), true),
            (json!({"asset": "a", "action": "encode", "template": "hd"}), true),
            (json!({"asset": "a", "action": 1}), false),
            (json!({"asset": "a", "action": "explode"}), false),
            (json!({"asset": "a", "action": "encode"}), false),
            (json!({"asset": "a", "action": "edit", "name": "b"}), false),
            (json!({"asset": "a"}), false),
        ] {
            let read = serde_json::from_value::<BulkRequest>(request.clone());
            let read = read.ok().and_then(|request| request.read().ok());
            assert_eq!(read.is_some(), good, "{request}");
        }
    }
}
