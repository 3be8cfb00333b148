//! Tags of queues, job templates, presets and jobs.

use std::collections::BTreeMap;

use super::{
    Answer, Bytes, Engine, Path, Service, ServiceError, State, StatusCode, Store, Value, failed, json,
    request,
};
use crate::resource::strings;
use crate::{Kind, Resource};

pub(super) async fn add<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let members = request::members(&body, "TagResourceRequest", &["arn", "tags"])?;
    let (kind, name) = target(members.get("arn").and_then(Value::as_str).unwrap_or_default())?;
    let tags = members.get("tags").map(strings).unwrap_or_default();
    let mut all = service.tags(kind, &name).await?;
    all.extend(tags.clone());
    request::check_tag_count(all.len())?;
    if kind == Kind::Job {
        service.tag_job(&name, tags).await?;
    } else {
        let change = move |resource: &mut Resource| resource.tags.extend(tags);
        service.change(kind, &name, change).await?;
    }
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

pub(super) async fn remove<E: Engine>(
    State(service): State<Service<E>>,
    Path(arn): Path<String>,
    body: Bytes,
) -> Answer {
    let members = request::members(&body, "UntagResourceRequest", &[])?;
    let (kind, name) = target(&arn)?;
    // Also says whether it exists.
    if service.tags(kind, &name).await?.is_empty() {
        return Ok(json(StatusCode::OK, &serde_json::json!({})));
    }
    let keys = members
        .get("tagKeys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let keys: Vec<String> = keys.filter_map(|key| Some(key.as_str()?.to_owned())).collect();
    let change = move |resource: &mut Resource| resource.tags.retain(|key, _| !keys.contains(key));
    service.change(kind, &name, change).await?;
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

pub(super) async fn list<E: Engine>(State(service): State<Service<E>>, Path(arn): Path<String>) -> Answer {
    let (kind, name) = target(&arn)?;
    let tags = service.tags(kind, &name).await?;
    let tags = serde_json::json!({ "resourceTags": { "arn": arn, "tags": tags } });
    Ok(json(StatusCode::OK, &tags))
}

/// The resource that an ARN names.
fn target(arn: &str) -> Result<(Kind, String), ServiceError> {
    let kinds = [Kind::Queue, Kind::JobTemplate, Kind::Preset, Kind::Job];
    let resource = arn.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4));
    let target = resource.and_then(|resource| {
        let (kind, name) = resource.split_once('/')?;
        let kind = kinds.into_iter().find(|known| known.as_str() == kind)?;
        Some((kind, name.to_owned()))
    });
    target.ok_or_else(|| {
        ServiceError::BadRequest("/arn: Should be the ARN of a queue, job template, preset or job".to_owned())
    })
}

impl<E: Engine> Service<E> {
    /// The tags of a resource that exists.
    async fn tags(&self, kind: Kind, name: &str) -> Result<BTreeMap<String, String>, ServiceError> {
        if kind != Kind::Job {
            return Ok(self.existing(kind, name).await?.tags);
        }
        self.existing_job(name).await?;
        let stored = self.engine.store().resource(kind, name).await;
        let stored = stored.map_err(failed("read the tags of a job"))?;
        Ok(stored.map(|resource| resource.tags).unwrap_or_default())
    }

    /// Adds tags to a job.
    pub(super) async fn tag_job(&self, id: &str, tags: BTreeMap<String, String>) -> Result<(), ServiceError> {
        let resource = Resource {
            name: id.to_owned(),
            body: Value::Null,
            tags: BTreeMap::new(),
        };
        let store = self.engine.store();
        let created = store.create(Kind::Job, resource, usize::MAX).await;
        created.map_err(failed("store the tags of a job"))?;
        let change = move |resource: &mut Resource| resource.tags.extend(tags);
        let changed = store.change_resource(Kind::Job, id, change).await;
        changed.map_err(failed("store the tags of a job"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns() {
        for (arn, expected) in [
            (
                "arn:aws:mediaconvert:us-east-1:000000000000:queues/Default",
                Some((Kind::Queue, "Default")),
            ),
            (
                "arn:aws-cn:mediaconvert:cn-north-1:0:jobTemplates/a b",
                Some((Kind::JobTemplate, "a b")),
            ),
            (
                "arn:aws:mediaconvert:us-east-1:0:jobs/1-a",
                Some((Kind::Job, "1-a")),
            ),
            ("arn:aws:mediaconvert:us-east-1:0:certificates/x", None),
            ("queues/Default", None),
            ("arn:aws:mediaconvert", None),
        ] {
            let found = target(arn).ok();
            assert_eq!(
                found,
                expected.map(|(kind, name)| (kind, name.to_owned())),
                "{arn}"
            );
        }
    }
}
