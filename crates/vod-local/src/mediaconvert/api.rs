//! The HTTP API on MediaConvert's own paths, version 2017-08-29.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};

use super::MediaConvert;
use super::events::Event;
use super::inspect;
use super::job::Status;
use super::request;
use super::sample::{self, SampleError};
use super::store::{Filter, StoreError};
use super::transfer::{Kind, Location};
use crate::sigv4::rest_json_error;

/// The most that one page of a list holds, and its default.
const PAGE: usize = 20;
/// The longest `inputFile` of a search, in characters.
const INPUT_MAX: usize = 300;

/// The longest that Probe takes. Submit asks it within its minute, and has to create the job as well.
const PROBE_ANSWER: Duration = Duration::from_secs(20);

/// An error with the names and status codes of the service's model.
#[derive(Debug)]
pub(super) enum ApiError {
    BadRequest(String),
    Forbidden(String),
    NotFound(String),
    Conflict(String),
    Unprocessable(String),
    NotImplemented(String),
    Internal,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code, message) = match self {
            Self::BadRequest(message) => (StatusCode::BAD_REQUEST, "BadRequestException", message),
            Self::Forbidden(message) => (StatusCode::FORBIDDEN, "ForbiddenException", message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "NotFoundException", message),
            Self::Conflict(message) => (StatusCode::CONFLICT, "ConflictException", message),
            Self::Unprocessable(message) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "UnprocessableEntityException",
                message,
            ),
            Self::NotImplemented(message) => {
                (StatusCode::NOT_IMPLEMENTED, "NotImplementedException", message)
            }
            Self::Internal => {
                let message = "Internal server error, see the log of the stack".to_owned();
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "InternalServerErrorException",
                    message,
                )
            }
        };
        rest_json_error(status, code, &message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, source = ?std::error::Error::source(&error).map(ToString::to_string), "job store failed");
        Self::Internal
    }
}

type Answer = Result<Response, ApiError>;

pub(super) fn routes(service: MediaConvert) -> Router {
    let api = Router::new()
        .route("/jobs", post(create_job).get(list_jobs))
        .route("/jobs/{id}", get(get_job).delete(cancel_job))
        .route("/search", get(search_jobs))
        .route("/probe", post(probe))
        .route("/queues", get(list_queues))
        .route("/queues/{name}", get(get_queue))
        .route("/endpoints", post(describe_endpoints))
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        .layer(DefaultBodyLimit::disable()) // The signature check has read and bounded the body.
        .with_state(service);
    Router::new().nest("/2017-08-29", api)
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn create_job(State(service): State<MediaConvert>, body: Bytes) -> Answer {
    let request = request::parse(&body).map_err(ApiError::BadRequest)?;
    if let Some(name) = &request.job_template {
        return Err(ApiError::NotFound(format!(
            "The job template {name} does not exist."
        )));
    }
    let queue = service.queue_arn(request.queue.as_deref().unwrap_or(DEFAULT_QUEUE))?;
    let job = service.store().create(request, queue).await?;
    tracing::info!(job_id = job.id, input = job.input(), "job created");
    Ok(json(StatusCode::CREATED, &json!({ "job": job })))
}

async fn get_job(State(service): State<MediaConvert>, Path(id): Path<String>) -> Answer {
    let job = service.store().get(&id).await?.ok_or_else(|| no_job(&id))?;
    Ok(json(StatusCode::OK, &json!({ "job": job })))
}

async fn cancel_job(State(service): State<MediaConvert>, Path(id): Path<String>) -> Answer {
    let canceled = service
        .store()
        .change(&id, |job, now| {
            job.finish(Status::Canceled, now);
            vec![Event::Canceled]
        })
        .await?;
    if canceled.is_some() {
        service.stop(&id);
        return Ok(json(StatusCode::ACCEPTED, &json!({})));
    }
    let job = service.store().get(&id).await?.ok_or_else(|| no_job(&id))?;
    let status = job.status.as_str();
    Err(ApiError::Conflict(format!(
        "You can't cancel the job {id} because it is in status {status}."
    )))
}

fn no_job(id: &str) -> ApiError {
    ApiError::NotFound(format!("The job {id} does not exist."))
}

async fn list_jobs(
    State(service): State<MediaConvert>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let filter = filter(&service, &query)?;
    list(&service, filter).await
}

async fn search_jobs(
    State(service): State<MediaConvert>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let mut filter = filter(&service, &query)?;
    filter.input = query.get("inputFile").cloned();
    if filter
        .input
        .as_ref()
        .is_some_and(|input| input.chars().count() > INPUT_MAX)
    {
        return Err(ApiError::BadRequest(format!(
            "/inputFile: Should be at most {INPUT_MAX} characters"
        )));
    }
    list(&service, filter).await
}

async fn list(service: &MediaConvert, filter: Filter) -> Answer {
    let page = service.store().list(filter).await?;
    let mut body = json!({ "jobs": page.jobs });
    if let Some(number) = page.next {
        body["nextToken"] = BASE64_URL_SAFE_NO_PAD.encode(number.to_string()).into();
    }
    Ok(json(StatusCode::OK, &body))
}

fn filter(service: &MediaConvert, query: &HashMap<String, String>) -> Result<Filter, ApiError> {
    let status = query.get("status").map(|text| {
        Status::parse(text)
            .ok_or_else(|| ApiError::BadRequest(format!("/status: {text} is not a job status")))
    });
    let ascending = match query.get("order").map(String::as_str) {
        Some("ASCENDING") => true,
        None | Some("DESCENDING") => false,
        Some(other) => return Err(ApiError::BadRequest(format!("/order: {other} is not an order"))),
    };
    Ok(Filter {
        status: status.transpose()?,
        queue: query
            .get("queue")
            .map(|queue| service.queue_arn(queue))
            .transpose()?,
        input: None,
        ascending,
        after: query.get("nextToken").map(|token| cursor(token)).transpose()?,
        limit: limit(query)?,
    })
}

fn cursor(token: &str) -> Result<i64, ApiError> {
    let number = BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    number
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| ApiError::BadRequest("/nextToken: The token is not one that was given out".to_owned()))
}

fn limit(query: &HashMap<String, String>) -> Result<usize, ApiError> {
    match query.get("maxResults").map(|text| text.parse()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(ApiError::BadRequest(format!(
            "/maxResults: Should be between 1 and {PAGE}"
        ))),
    }
}

async fn probe(State(service): State<MediaConvert>, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body)
        .map_err(|error| ApiError::BadRequest(format!("Invalid JSON: {error}")))?;
    let files = body["inputFiles"].as_array().map_or(&[][..], Vec::as_slice);
    let [file] = files else {
        return Err(ApiError::BadRequest(
            "/inputFiles: Should have exactly one item".to_owned(),
        ));
    };
    let url = file["fileUrl"].as_str().unwrap_or_default();
    let location = Location::parse(url).ok_or_else(|| {
        ApiError::BadRequest("/inputFiles/0/fileUrl: Should be an s3:// URL of an object".to_owned())
    })?;
    let folder = service.scratch().await?;
    let path = folder.path().join("input");
    let limits = service.probe_limits();
    let probing = Box::pin(sample::probe(service.s3(), &location, &path, &limits));
    let probed = tokio::time::timeout(PROBE_ANSWER, probing).await.map_err(|_| {
        let seconds = PROBE_ANSWER.as_secs();
        ApiError::Unprocessable(format!("Unable to probe {url}: no answer within {seconds} s"))
    })?;
    let (info, object) = probed.map_err(|error| match &error {
        SampleError::TooLarge(_) => ApiError::Unprocessable(format!("Unable to probe {url}: {error}")),
        SampleError::Probe(error) => ApiError::Unprocessable(format!("Unable to probe {url}: {error}")),
        SampleError::Transfer(transfer) => match transfer.kind {
            Kind::NotFound => ApiError::NotFound(error.to_string()),
            Kind::Denied => ApiError::Forbidden(error.to_string()),
            Kind::DiskFull | Kind::Other => {
                tracing::error!(%error, "probe failed");
                ApiError::Internal
            }
        },
    })?;
    Ok(json(
        StatusCode::OK,
        &json!({ "probeResults": [inspect::probe_result(url, &info, &object)] }),
    ))
}

/// The one queue that every account has from the start.
pub(super) const DEFAULT_QUEUE: &str = "Default";

async fn list_queues(State(service): State<MediaConvert>) -> Answer {
    let queue = queue(&service).await?;
    Ok(json(StatusCode::OK, &json!({ "queues": [queue] })))
}

async fn get_queue(State(service): State<MediaConvert>, Path(name): Path<String>) -> Answer {
    service.queue_arn(&name)?;
    Ok(json(StatusCode::OK, &json!({ "queue": queue(&service).await? })))
}

async fn queue(service: &MediaConvert) -> Result<Value, ApiError> {
    let (submitted, progressing) = service.store().active().await?;
    Ok(json!({
        "arn": service.queue_arn(DEFAULT_QUEUE)?,
        "name": DEFAULT_QUEUE,
        "type": "SYSTEM",
        "status": "ACTIVE",
        "pricingPlan": "ON_DEMAND",
        "concurrentJobs": service.concurrency(),
        "submittedJobsCount": submitted,
        "progressingJobsCount": progressing,
    }))
}

/// Deprecated, but old clients ask it first: the endpoint is where they asked.
async fn describe_endpoints(headers: HeaderMap) -> Response {
    let host = headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    json(
        StatusCode::OK,
        &json!({ "endpoints": [{ "url": format!("http://{host}") }] }),
    )
}

async fn not_implemented(method: Method, uri: Uri) -> ApiError {
    ApiError::NotImplemented(format!("{method} {} is not served locally", uri.path()))
}
