//! Calls about the account and the service: policy, versions, endpoints, Probe.

use http::HeaderMap;

use super::{
    Answer, Bytes, Engine, Response, Service, ServiceError, State, StatusCode, Store, Value, failed, json,
    request,
};
use crate::{ENGINE_VERSION, Kind, Location, Resource};

/// The policy of an account that has set none.
fn everything_is_allowed() -> Value {
    serde_json::json!({ "httpInputs": "ALLOWED", "httpsInputs": "ALLOWED", "s3Inputs": "ALLOWED" })
}

pub(super) async fn get_policy<E: Engine>(State(service): State<Service<E>>) -> Answer {
    let stored = service
        .engine
        .store()
        .resource(Kind::Policy, Kind::Policy.as_str())
        .await;
    let stored = stored.map_err(failed("read the policy"))?;
    let policy = stored.map_or_else(everything_is_allowed, |resource| resource.body);
    Ok(json(StatusCode::OK, &serde_json::json!({ "policy": policy })))
}

pub(super) async fn put_policy<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    let members = request::members(&body, "PutPolicyRequest", &["policy"])?;
    let given = members.get("policy").and_then(Value::as_object);
    let given = given.into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut policy = everything_is_allowed();
    for (member, value) in given {
        policy[member] = value.clone();
    }
    let (store, name) = (service.engine.store(), Kind::Policy.as_str());
    let resource = Resource {
        name: name.to_owned(),
        body: policy.clone(),
        tags: std::collections::BTreeMap::new(),
    };
    let created = store.create(Kind::Policy, resource, usize::MAX).await;
    created.map_err(failed("store the policy"))?;
    let body = policy.clone();
    let changed = store
        .change_resource(Kind::Policy, name, move |resource| resource.body = body)
        .await;
    changed.map_err(failed("store the policy"))?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "policy": policy })))
}

pub(super) async fn delete_policy<E: Engine>(State(service): State<Service<E>>) -> Answer {
    let removed = service
        .engine
        .store()
        .remove(Kind::Policy, Kind::Policy.as_str())
        .await;
    removed.map_err(failed("remove the policy"))?;
    Ok(json(StatusCode::OK, &serde_json::json!({})))
}

/// The one version, which never expires.
pub(super) async fn versions() -> Response {
    json(
        StatusCode::OK,
        &serde_json::json!({ "versions": [{ "version": ENGINE_VERSION }] }),
    )
}

/// Deprecated, but old clients call it first. The endpoint is the host that they called.
pub(super) async fn endpoints(headers: HeaderMap) -> Response {
    let host = headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    json(
        StatusCode::OK,
        &serde_json::json!({ "endpoints": [{ "url": format!("http://{host}") }] }),
    )
}

pub(super) async fn probe<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
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
    Ok(json(
        StatusCode::OK,
        &serde_json::json!({ "probeResults": [result] }),
    ))
}
