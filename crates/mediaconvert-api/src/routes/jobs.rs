//! Jobs: create, get, list, search, query, cancel.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::pages::{self, ascending, limit, not_a_token};
use super::{
    Answer, Bytes, Engine, HashMap, Parameters, Path, Query, Service, ServiceError, State, StatusCode, Store,
    Value, failed, json, request,
};
use crate::resolve::Resolved;
use crate::{Filter, Job, JobsQuery, Kind, Resource, Status};
use mediaconvert_job::error_code::POLICY;

/// The longest `inputFile` of a search, in characters.
const INPUT_MAX: usize = 300;
/// The longest query, in bytes: it travels in a path.
const QUERY_MAX: usize = 4096;
/// `clientRequestToken` is remembered for one minute after a successful request, no longer (API reference).
const TOKEN_MEMORY: SignedDuration = SignedDuration::from_mins(1);

pub(super) async fn create<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let request = request::parse(&body)?;
    let Resolved {
        mut request,
        warnings,
    } = service.resolve(request).await?;
    let identity = &service.identity;
    let queue = request.queue.take().unwrap_or_else(|| identity.queue.to_string());
    let queue = service.queue_arn(&queue).await?;
    let tags = std::mem::take(&mut request.tags);
    let now = (service.clock)();
    let mut job = Job::new(request, queue, identity, now);
    for warning in warnings {
        // No event: COMPLETE lists the job's warnings.
        job.warn(crate::WARN_STAND_IN, &warning);
    }
    let stored = service.engine.store().insert(job, now - TOKEN_MEMORY).await;
    let job = stored.map_err(failed("store a job"))?;
    if !tags.is_empty() {
        service.tag_job(&job.id, tags).await?;
    }
    tracing::info!(job_id = job.id, input = job.input(), "job created");
    let job = service.apply_policy(job).await?;
    Ok(json(StatusCode::CREATED, &serde_json::json!({ "job": job })))
}

pub(super) async fn get<E: Engine>(State(service): State<Service<E>>, Path(id): Path<String>) -> Answer {
    let job = service.existing_job(&id).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "job": job })))
}

pub(super) async fn cancel<E: Engine>(State(service): State<Service<E>>, Path(id): Path<String>) -> Answer {
    let store = service.engine.store();
    let canceled = store.change(&id, |job, now| vec![job.cancel(now)]).await;
    if canceled.map_err(failed("cancel a job"))?.is_some() {
        service.engine.stop(&id).await;
        return Ok(json(StatusCode::ACCEPTED, &serde_json::json!({})));
    }
    let status = service.existing_job(&id).await?.status.as_str();
    Err(ServiceError::Conflict(format!(
        "You can't cancel the job {id} because it is in status {status}."
    )))
}

pub(super) async fn list<E: Engine>(State(service): State<Service<E>>, query: Parameters) -> Answer {
    let filter = service.filter(&query).await?;
    service.page_of_jobs(filter, None).await
}

pub(super) async fn search<E: Engine>(State(service): State<Service<E>>, Query(query): Parameters) -> Answer {
    let mut filter = service.filter(&query).await?;
    filter.input = query.get("inputFile").cloned();
    let too_long = |input: &String| input.chars().count() > INPUT_MAX;
    if filter.input.as_ref().is_some_and(too_long) {
        return Err(ServiceError::BadRequest(format!(
            "/inputFile: Should be at most {INPUT_MAX} characters"
        )));
    }
    service.page_of_jobs(filter, None).await
}

/// A query as its id has it: nothing is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    #[serde(default)]
    filter_list: Vec<crate::JobsQueryFilter>,
    max_results: Option<usize>,
    next_token: Option<String>,
    order: Option<String>,
}

pub(super) async fn start_query<E: Engine>(State(_): State<Service<E>>, body: Bytes) -> Answer {
    let mut members = request::members(&body, "StartJobsQueryRequest", &[])?;
    members.retain(|_, value| !value.is_null());
    let started: Started = serde_json::from_value(Value::Object(members)).map_err(|error| {
        ServiceError::BadRequest(format!(
            "The request could not be interpreted. Invalid JSON: {error}"
        ))
    })?;
    if let Some(token) = &started.next_token {
        last_job(token)?;
    }
    let id = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_string(&started).map_err(failed("write a query"))?);
    if id.len() > QUERY_MAX {
        return Err(ServiceError::BadRequest(format!(
            "/filterList: The query is longer than {QUERY_MAX} bytes"
        )));
    }
    Ok(json(StatusCode::CREATED, &serde_json::json!({ "id": id })))
}

pub(super) async fn query_results<E: Engine>(
    State(service): State<Service<E>>,
    Path(id): Path<String>,
) -> Answer {
    let started = BASE64_URL_SAFE_NO_PAD.decode(&id).ok();
    let started = started.and_then(|text| serde_json::from_slice::<Started>(&text).ok());
    let started =
        started.ok_or_else(|| ServiceError::NotFound(format!("The jobs query {id} does not exist.")))?;
    let filter = Filter {
        query: Some(JobsQuery(started.filter_list)),
        ascending: started.order.as_deref() == Some("ASCENDING"),
        after: started.next_token.map(|token| last_job(&token)).transpose()?,
        limit: started.max_results.unwrap_or(pages::PAGE).clamp(1, pages::PAGE),
        ..Filter::default()
    };
    service.page_of_jobs(filter, Some("COMPLETE")).await
}

impl<E: Engine> Service<E> {
    pub(super) async fn existing_job(&self, id: &str) -> Result<Job, ServiceError> {
        let job = self.engine.store().get(id).await;
        job.map_err(failed("read a job"))?
            .ok_or_else(|| ServiceError::NotFound(format!("The job {id} does not exist.")))
    }

    async fn page_of_jobs(&self, filter: Filter, status: Option<&str>) -> Answer {
        let page = self.engine.store().list(filter).await;
        let page = page.map_err(failed("list jobs"))?;
        let last = page.jobs.last().filter(|_| page.more);
        let next = last.map(|last| BASE64_URL_SAFE_NO_PAD.encode(&last.id));
        let mut body = pages::body("jobs", &serde_json::json!(page.jobs), next);
        if let Some(status) = status {
            body["status"] = status.into();
        }
        Ok(json(StatusCode::OK, &body))
    }

    async fn filter(&self, query: &HashMap<String, String>) -> Result<Filter, ServiceError> {
        let status = query.get("status").map(|text| {
            Status::parse(text)
                .ok_or_else(|| ServiceError::BadRequest(format!("/status: {text} is not a job status")))
        });
        let queue = match query.get("queue") {
            Some(queue) => Some(self.queue_arn(queue).await?),
            None => None,
        };
        Ok(Filter {
            status: status.transpose()?,
            queue,
            ascending: ascending(query)?.unwrap_or(false),
            after: query.get("nextToken").map(|token| last_job(token)).transpose()?,
            limit: limit(query)?,
            ..Filter::default()
        })
    }

    /// The ARN of an existing queue with this name or ARN.
    async fn queue_arn(&self, name: &str) -> Result<String, ServiceError> {
        let queue = self.existing(Kind::Queue, name).await?;
        Ok(self.identity.arn(Kind::Queue.as_str(), &queue.name))
    }

    /// Fails a job whose inputs the policy of the account does not allow. AWS does so after it has accepted the job
    /// ("MediaConvert error codes", 3457).
    async fn apply_policy(&self, job: Job) -> Result<Job, ServiceError> {
        let policy = self
            .engine
            .store()
            .resource(Kind::Policy, Kind::Policy.as_str())
            .await;
        let Some(policy) = policy.map_err(failed("read the policy"))? else {
            return Ok(job);
        };
        let Some(refused) = refused_input(&job, &policy) else {
            return Ok(job);
        };
        let fail = move |job: &mut Job, now| vec![job.fail(POLICY, refused, now)];
        let failed_job = self.engine.store().change(&job.id, fail).await;
        self.engine.stop(&job.id).await;
        Ok(failed_job.map_err(failed("fail a job"))?.unwrap_or(job))
    }
}

/// The text is ours.
fn refused_input(job: &Job, policy: &Resource) -> Option<String> {
    let inputs = job.settings["inputs"].as_array().into_iter().flatten();
    let mut urls = inputs.filter_map(|input| input["fileInput"].as_str());
    urls.find_map(|url| {
        let member = match url.split_once("://")?.0 {
            "s3" => "s3Inputs",
            "http" => "httpInputs",
            "https" => "httpsInputs",
            _ => return None,
        };
        (policy.body[member] == "DISALLOWED").then(|| {
            format!("The policy of this account does not allow the input {url}: {member} is DISALLOWED")
        })
    })
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
    id.filter(is_id).ok_or_else(not_a_token)
}
