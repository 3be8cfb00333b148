//! Job templates and presets: documents with settings, in one form.

use mediaconvert_job::validate::{self, Violation};

use super::pages::{self, ListBy};
use super::{
    Answer, Engine, HashMap, Map, Service, ServiceError, StatusCode, Store, Value, failed, json, request,
};
use crate::resource::short;
use crate::{Created, Kind, Resource};

/// The most bytes of a job template or a preset. The limit is ours: a list reads all of a kind.
const BYTES_MAX: usize = 128 << 10;
/// The longest name in characters. The limit is ours.
const NAME_MAX: usize = 128;

/// The words and rules of a kind of documents.
pub(super) struct Documents {
    kind: Kind,
    /// The member that holds one, and the one that holds a page of them.
    one: &'static str,
    many: &'static str,
    create: &'static str,
    update: &'static str,
    check: fn(&Value) -> Vec<Violation>,
}

pub(super) static JOB_TEMPLATES: Documents = Documents {
    kind: Kind::JobTemplate,
    one: "jobTemplate",
    many: "jobTemplates",
    create: "CreateJobTemplateRequest",
    update: "UpdateJobTemplateRequest",
    check: validate::template,
};

pub(super) static PRESETS: Documents = Documents {
    kind: Kind::Preset,
    one: "preset",
    many: "presets",
    create: "CreatePresetRequest",
    update: "UpdatePresetRequest",
    check: validate::preset,
};

/// The name of a new resource.
pub(super) fn name_of(members: &mut Map<String, Value>) -> Result<String, ServiceError> {
    let name = members
        .remove("name")
        .and_then(|name| Some(name.as_str()?.to_owned()));
    let is_name = |name: &String| {
        let length = name.chars().count();
        (1..=NAME_MAX).contains(&length) && !name.starts_with("arn:") && !name.chars().any(char::is_control)
    };
    name.filter(is_name).ok_or_else(|| {
        ServiceError::BadRequest(format!(
            "/name: Should be 1 to {NAME_MAX} characters without control characters, and no ARN"
        ))
    })
}

impl Documents {
    pub(super) async fn create<E: Engine>(&self, service: &Service<E>, body: &[u8]) -> Answer {
        let mut members = request::members(body, self.create, &["name", "settings"])?;
        let name = name_of(&mut members)?;
        self.accept(service, &mut members).await?;
        let now = (service.clock)();
        let resource = Resource::new(self.kind, &name, members, &service.identity, now);
        service.create(self.kind, resource.clone()).await?;
        Ok(json(
            StatusCode::CREATED,
            &serde_json::json!({ self.one: resource.body }),
        ))
    }

    pub(super) async fn get<E: Engine>(&self, service: &Service<E>, name: &str) -> Answer {
        let resource = service.existing(self.kind, name).await?;
        Ok(json(
            StatusCode::OK,
            &serde_json::json!({ self.one: resource.body }),
        ))
    }

    pub(super) async fn list<E: Engine>(
        &self,
        service: &Service<E>,
        query: &HashMap<String, String>,
    ) -> Answer {
        let by = ListBy::parse(query, true)?;
        let stored = service.engine.store().resources(self.kind).await;
        let mut stored = stored.map_err(failed("list resources"))?;
        if by == ListBy::System {
            // The names of AWS's own are not all public.
            stored.clear();
        }
        if let Some(category) = query.get("category") {
            stored.retain(|resource| resource.body["category"] == category.as_str());
        }
        let (page, next) = pages::page(stored, by, query)?;
        let page: Vec<Value> = page.into_iter().map(|resource| resource.body).collect();
        Ok(json(
            StatusCode::OK,
            &pages::body(self.many, &serde_json::json!(page), next),
        ))
    }

    pub(super) async fn update<E: Engine>(&self, service: &Service<E>, name: &str, body: &[u8]) -> Answer {
        let mut members = request::members(body, self.update, &[])?;
        members.remove("name");
        self.accept(service, &mut members).await?;
        let now = (service.clock)();
        let change = move |resource: &mut Resource| resource.update(members, now);
        let store = service.engine.store();
        let changed = store.change_resource(self.kind, short(name), change).await;
        let changed = changed.map_err(failed("change a resource"))?;
        let changed = changed.ok_or_else(|| self.kind.not_found(&service.identity, name))?;
        Ok(json(
            StatusCode::OK,
            &serde_json::json!({ self.one: changed.body }),
        ))
    }

    pub(super) async fn delete<E: Engine>(&self, service: &Service<E>, name: &str) -> Answer {
        service.remove(self.kind, short(name)).await?;
        Ok(json(StatusCode::ACCEPTED, &serde_json::json!({})))
    }

    /// Checks the settings and the size, and names the queue by its ARN.
    async fn accept<E: Engine>(
        &self,
        service: &Service<E>,
        members: &mut Map<String, Value>,
    ) -> Result<(), ServiceError> {
        if let Some(settings) = members.get("settings") {
            request::accept(&(self.check)(settings))?;
        }
        let size = serde_json::json!(members).to_string().len();
        if size > BYTES_MAX {
            return Err(ServiceError::BadRequest(format!(
                "The request has {size} bytes, more than {BYTES_MAX}"
            )));
        }
        if let Some(queue) = members.get("queue").and_then(Value::as_str) {
            let queue = service.existing(Kind::Queue, queue).await?;
            members.insert("queue".to_owned(), queue.body["arn"].clone());
        }
        Ok(())
    }
}

impl<E: Engine> Service<E> {
    pub(super) async fn create(&self, kind: Kind, resource: Resource) -> Result<(), ServiceError> {
        let name = resource.name.clone();
        let created = self.engine.store().create(kind, resource, kind.most()).await;
        match created.map_err(failed("store a resource"))? {
            Created::Yes => Ok(()),
            Created::Exists => Err(kind.exists(&self.identity, &name)),
            Created::Full => Err(kind.too_many()),
        }
    }

    pub(super) async fn remove(&self, kind: Kind, name: &str) -> Result<(), ServiceError> {
        let removed = self.engine.store().remove(kind, name).await;
        if removed.map_err(failed("remove a resource"))? {
            Ok(())
        } else {
            Err(kind.not_found(&self.identity, name))
        }
    }
}
