//! The HTTP API on MediaConvert's own paths, version 2017-08-29.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::{Engine, Filter, Job, Location, Service, ServiceError, Status, Store, request};

/// The most jobs on one page of a list, and the default.
const PAGE: usize = 20;
/// The longest `inputFile` of a search, in characters.
const INPUT_MAX: usize = 300;
/// `clientRequestToken` is remembered for one minute after a successful request, no longer (API reference).
const TOKEN_MEMORY: SignedDuration = SignedDuration::from_mins(1);

type Answer = Result<Response, ServiceError>;

pub(crate) fn routes<E: Engine>(service: Service<E>) -> Router {
    let api = Router::new()
        .route("/jobs", post(create_job::<E>).get(list_jobs::<E>))
        .route("/jobs/{id}", get(get_job::<E>).delete(cancel_job::<E>))
        .route("/search", get(search_jobs::<E>))
        .route("/probe", post(probe::<E>))
        .route("/queues", get(list_queues::<E>))
        .route("/queues/{name}", get(get_queue::<E>))
        .route("/endpoints", post(describe_endpoints))
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        .layer(DefaultBodyLimit::disable()) // The signature check has read and limited the body.
        .with_state(service);
    Router::new().nest("/2017-08-29", api)
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

fn failed<E: std::error::Error>(action: &'static str) -> impl Fn(E) -> ServiceError {
    move |error| ServiceError::internal(action, &error)
}

async fn create_job<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let request = request::parse(&body).map_err(ServiceError::BadRequest)?;
    if let Some(name) = &request.job_template {
        return Err(ServiceError::NotFound(format!(
            "The job template {name} does not exist."
        )));
    }
    let identity = &service.identity;
    let queue = identity.queue_arn(request.queue.as_deref().unwrap_or(&identity.queue))?;
    let now = (service.clock)();
    let job = Job::new(request, queue, identity, now);
    let stored = service.engine.store().insert(job, now - TOKEN_MEMORY).await;
    let job = stored.map_err(failed("store a job"))?;
    tracing::info!(job_id = job.id, input = job.input(), "job created");
    Ok(json(StatusCode::CREATED, &json!({ "job": job })))
}

async fn get_job<E: Engine>(State(service): State<Service<E>>, Path(id): Path<String>) -> Answer {
    let job = service.existing_job(&id).await?;
    Ok(json(StatusCode::OK, &json!({ "job": job })))
}

async fn cancel_job<E: Engine>(State(service): State<Service<E>>, Path(id): Path<String>) -> Answer {
    let store = service.engine.store();
    let canceled = store.change(&id, |job, now| vec![job.cancel(now)]).await;
    if canceled.map_err(failed("cancel a job"))?.is_some() {
        service.engine.stop(&id).await;
        return Ok(json(StatusCode::ACCEPTED, &json!({})));
    }
    let status = service.existing_job(&id).await?.status.as_str();
    Err(ServiceError::Conflict(format!(
        "You can't cancel the job {id} because it is in status {status}."
    )))
}

async fn list_jobs<E: Engine>(
    State(service): State<Service<E>>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let filter = service.filter(&query)?;
    service.list(filter).await
}

async fn search_jobs<E: Engine>(
    State(service): State<Service<E>>,
    Query(query): Query<HashMap<String, String>>,
) -> Answer {
    let mut filter = service.filter(&query)?;
    filter.input = query.get("inputFile").cloned();
    let too_long = |input: &String| input.chars().count() > INPUT_MAX;
    if filter.input.as_ref().is_some_and(too_long) {
        return Err(ServiceError::BadRequest(format!(
            "/inputFile: Should be at most {INPUT_MAX} characters"
        )));
    }
    service.list(filter).await
}

impl<E: Engine> Service<E> {
    async fn existing_job(&self, id: &str) -> Result<Job, ServiceError> {
        let job = self.engine.store().get(id).await;
        job.map_err(failed("read a job"))?
            .ok_or_else(|| ServiceError::NotFound(format!("The job {id} does not exist.")))
    }

    async fn list(&self, filter: Filter) -> Answer {
        let page = self.engine.store().list(filter).await;
        let page = page.map_err(failed("list jobs"))?;
        let mut body = json!({ "jobs": page.jobs });
        if let Some(last) = page.jobs.last().filter(|_| page.more) {
            body["nextToken"] = BASE64_URL_SAFE_NO_PAD.encode(&last.id).into();
        }
        Ok(json(StatusCode::OK, &body))
    }

    fn filter(&self, query: &HashMap<String, String>) -> Result<Filter, ServiceError> {
        let status = query.get("status").map(|text| {
            Status::parse(text)
                .ok_or_else(|| ServiceError::BadRequest(format!("/status: {text} is not a job status")))
        });
        let ascending = match query.get("order").map(String::as_str) {
            Some("ASCENDING") => true,
            None | Some("DESCENDING") => false,
            Some(other) => {
                return Err(ServiceError::BadRequest(format!(
                    "/order: {other} is not an order"
                )));
            }
        };
        let queue = query.get("queue").map(|queue| self.identity.queue_arn(queue));
        Ok(Filter {
            status: status.transpose()?,
            queue: queue.transpose()?,
            input: None,
            ascending,
            after: query.get("nextToken").map(|token| last_job(token)).transpose()?,
            limit: limit(query)?,
        })
    }

    async fn queue(&self) -> Result<Value, ServiceError> {
        let counts = self.engine.store().active().await;
        let (submitted, progressing) = counts.map_err(failed("count jobs"))?;
        let name = &*self.identity.queue;
        Ok(json!({
            "arn": self.identity.queue_arn(name)?,
            "name": name,
            "type": "SYSTEM",
            "status": "ACTIVE",
            "pricingPlan": "ON_DEMAND",
            "concurrentJobs": self.engine.concurrency(),
            "submittedJobsCount": submitted,
            "progressingJobsCount": progressing,
        }))
    }
}

/// The id of the job that a `nextToken` continues after: digits, `-`, letters and digits.
fn last_job(token: &str) -> Result<String, ServiceError> {
    let id = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    let id = id.and_then(|bytes| String::from_utf8(bytes).ok());
    let is_id = |id: &String| {
        id.split_once('-').is_some_and(|(milliseconds, tail)| {
            milliseconds.bytes().all(|b| b.is_ascii_digit())
                && tail.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    };
    id.filter(is_id)
        .ok_or_else(|| ServiceError::BadRequest("/nextToken: The token is not one of a list".to_owned()))
}

fn limit(query: &HashMap<String, String>) -> Result<usize, ServiceError> {
    match query.get("maxResults").map(|text| text.parse()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(ServiceError::BadRequest(format!(
            "/maxResults: Should be between 1 and {PAGE}"
        ))),
    }
}

async fn probe<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let body: Value = serde_json::from_slice(&body)
        .map_err(|error| ServiceError::BadRequest(format!("Invalid JSON: {error}")))?;
    let files = body["inputFiles"].as_array().map_or(&[][..], Vec::as_slice);
    let [file] = files else {
        return Err(ServiceError::BadRequest(
            "/inputFiles: Should have exactly one item".to_owned(),
        ));
    };
    let url = file["fileUrl"].as_str().unwrap_or_default();
    let object = Location::parse(url).ok_or_else(|| {
        ServiceError::BadRequest("/inputFiles/0/fileUrl: Should be an s3:// URL of an object".to_owned())
    })?;
    let result = service.engine.probe(&object).await?;
    Ok(json(StatusCode::OK, &json!({ "probeResults": [result] })))
}

async fn list_queues<E: Engine>(State(service): State<Service<E>>) -> Answer {
    let queue = service.queue().await?;
    Ok(json(StatusCode::OK, &json!({ "queues": [queue] })))
}

async fn get_queue<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    service.identity.queue_arn(&name)?;
    Ok(json(StatusCode::OK, &json!({ "queue": service.queue().await? })))
}

/// Deprecated, but old clients call it first. The endpoint is the host that they called.
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

async fn not_implemented(method: Method, uri: Uri) -> ServiceError {
    ServiceError::NotImplemented(format!("{method} {} is not implemented here", uri.path()))
}
