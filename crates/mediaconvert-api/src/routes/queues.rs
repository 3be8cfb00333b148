//! Queues: create, get, list, pause, resume, delete.

use std::collections::BTreeMap;

use super::documents::name_of;
use super::pages::{self, ListBy};
use super::{
    Answer, Bytes, Engine, Map, Parameters, Path, Service, ServiceError, State, StatusCode, Store, Value,
    failed, json, request,
};
use crate::resource::short;
use crate::{Kind, Resource};

/// The most jobs that a queue works on at a time: AWS's default quota.
const CONCURRENT_MAX: i64 = 200;

pub(super) async fn create<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let mut members = members(&body, "CreateQueueRequest", &["name"])?;
    let name = name_of(&mut members)?;
    if *name == *service.identity.queue {
        return Err(Kind::Queue.exists(&service.identity, &name));
    }
    for (member, default) in [("status", "ACTIVE"), ("pricingPlan", "ON_DEMAND")] {
        let value = members.entry(member).or_insert(Value::Null);
        if value.is_null() {
            *value = default.into();
        }
    }
    let now = (service.clock)();
    let queue = Resource::new(Kind::Queue, &name, members, &service.identity, now);
    service.create(Kind::Queue, queue.clone()).await?;
    let queue = service.shown(queue).await?;
    Ok(json(StatusCode::CREATED, &serde_json::json!({ "queue": queue })))
}

pub(super) async fn get<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    let queue = service.existing(Kind::Queue, &name).await?;
    let queue = service.shown(queue).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "queue": queue })))
}

pub(super) async fn list<E: Engine>(State(service): State<Service<E>>, query: Parameters) -> Answer {
    let by = ListBy::parse(&query, false)?;
    let queues = service.engine.store().resources(Kind::Queue).await;
    let mut queues = queues.map_err(failed("list queues"))?;
    if !queues.iter().any(|queue| *queue.name == *service.identity.queue) {
        queues.push(service.default_queue());
    }
    let (page, next) = pages::page(queues, by, &query)?;
    let mut shown = Vec::with_capacity(page.len());
    for queue in page {
        shown.push(service.shown(queue).await?);
    }
    let mut body = pages::body("queues", &serde_json::json!(shown), next);
    body["totalConcurrentJobs"] = service.engine.concurrency().into();
    Ok(json(StatusCode::OK, &body))
}

pub(super) async fn update<E: Engine>(
    State(service): State<Service<E>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let mut members = members(&body, "UpdateQueueRequest", &[])?;
    members.remove("name");
    let now = (service.clock)();
    let change = move |queue: &mut Resource| queue.update(members, now);
    let queue = service.change(Kind::Queue, &name, change).await?;
    let queue = service.shown(queue).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "queue": queue })))
}

/// User guide, "Deleting a queue": neither the default queue nor one with jobs can be deleted. The texts are ours.
pub(super) async fn delete<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    let name = short(&name);
    if *name == *service.identity.queue {
        return Err(ServiceError::BadRequest(
            "You can't delete the default queue.".to_owned(),
        ));
    }
    let queue = service.existing(Kind::Queue, name).await?;
    let (submitted, progressing) = service.counts(&queue).await?;
    if submitted + progressing > 0 {
        return Err(ServiceError::Conflict(format!(
            "You can't delete the queue {name} because it has jobs that are not finished."
        )));
    }
    service.remove(Kind::Queue, name).await?;
    Ok(json(StatusCode::ACCEPTED, &serde_json::json!({})))
}

/// The members of a request, without what is not supported.
fn members(body: &[u8], shape: &str, required: &[&str]) -> Result<Map<String, Value>, ServiceError> {
    let members = request::members(body, shape, required)?;
    let given = |member: &str| members.get(member).filter(|value| !value.is_null());
    if given("reservationPlanSettings").is_some()
        || members.get("pricingPlan").is_some_and(|plan| plan == "RESERVED")
    {
        return Err(ServiceError::BadRequest(
            "/pricingPlan: Only ON_DEMAND queues exist here; a reserved queue is a purchase".to_owned(),
        ));
    }
    let concurrent = given("concurrentJobs").and_then(Value::as_i64);
    if concurrent.is_some_and(|jobs| !(1..=CONCURRENT_MAX).contains(&jobs)) {
        return Err(ServiceError::BadRequest(format!(
            "/concurrentJobs: Should be between 1 and {CONCURRENT_MAX}"
        )));
    }
    Ok(members)
}

impl<E: Engine> Service<E> {
    /// The queue that always exists, as long as nothing has changed it.
    pub(crate) fn default_queue(&self) -> Resource {
        let name = &*self.identity.queue;
        Resource {
            name: name.to_owned(),
            body: serde_json::json!({
                "arn": self.identity.arn(Kind::Queue.as_str(), name),
                "name": name,
                "type": "SYSTEM",
                "status": "ACTIVE",
                "pricingPlan": "ON_DEMAND",
                "createdAt": 0,
                "lastUpdated": 0,
            }),
            tags: BTreeMap::new(),
        }
    }

    /// Changes a resource that exists. The default queue is stored with its first change.
    pub(super) async fn change<F>(&self, kind: Kind, name: &str, change: F) -> Result<Resource, ServiceError>
    where
        F: FnOnce(&mut Resource) + Clone + Send + 'static,
    {
        let (store, name) = (self.engine.store(), short(name));
        if kind == Kind::Queue && *name == *self.identity.queue {
            // It does not count towards the quota.
            let created = store.create(kind, self.default_queue(), usize::MAX).await;
            created.map_err(failed("store a queue"))?;
        }
        let changed = store.change_resource(kind, name, change).await;
        let changed = changed.map_err(failed("change a resource"))?;
        changed.ok_or_else(|| kind.not_found(&self.identity, name))
    }

    async fn counts(&self, queue: &Resource) -> Result<(u32, u32), ServiceError> {
        let arn = queue.body["arn"].as_str().unwrap_or_default();
        let counts = self.engine.store().active(Some(arn)).await;
        counts.map_err(failed("count jobs"))
    }

    /// A queue with what is computed.
    async fn shown(&self, queue: Resource) -> Result<Value, ServiceError> {
        let (submitted, progressing) = self.counts(&queue).await?;
        let mut body = queue.body;
        if body["concurrentJobs"].is_null() {
            body["concurrentJobs"] = self.engine.concurrency().into();
        }
        body["submittedJobsCount"] = submitted.into();
        body["progressingJobsCount"] = progressing.into();
        Ok(body)
    }
}
