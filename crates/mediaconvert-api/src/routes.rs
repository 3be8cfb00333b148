//! The HTTP API on MediaConvert's own paths, version 2017-08-29.

use std::collections::HashMap;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use bytes::Bytes;
use http::{Method, StatusCode, Uri};
use serde_json::{Map, Value};

use crate::{Engine, Service, ServiceError, Store, request};

mod account;
mod documents;
mod jobs;
mod pages;
mod queues;
mod tags;

use self::documents::{JOB_TEMPLATES, PRESETS};

type Answer = Result<Response, ServiceError>;
type Parameters = Query<HashMap<String, String>>;

pub(crate) fn routes<E: Engine>(service: Service<E>) -> Router {
    let api = Router::new()
        .route("/jobs", post(jobs::create::<E>).get(jobs::list::<E>))
        .route("/jobs/{id}", get(jobs::get::<E>).delete(jobs::cancel::<E>))
        .route("/search", get(jobs::search::<E>))
        .route("/jobsQueries", post(jobs::start_query::<E>))
        .route("/jobsQueries/{id}", get(jobs::query_results::<E>))
        .route("/probe", post(account::probe::<E>))
        .route("/queues", post(queues::create::<E>).get(queues::list::<E>))
        .route(
            "/queues/{name}",
            get(queues::get::<E>)
                .put(queues::update::<E>)
                .delete(queues::delete::<E>),
        )
        .route(
            "/jobTemplates",
            post(create_template::<E>).get(list_templates::<E>),
        )
        .route(
            "/jobTemplates/{name}",
            get(get_template::<E>)
                .put(update_template::<E>)
                .delete(delete_template::<E>),
        )
        .route("/presets", post(create_preset::<E>).get(list_presets::<E>))
        .route(
            "/presets/{name}",
            get(get_preset::<E>)
                .put(update_preset::<E>)
                .delete(delete_preset::<E>),
        )
        .route("/tags", post(tags::add::<E>))
        .route("/tags/{arn}", get(tags::list::<E>).put(tags::remove::<E>))
        .route("/versions", get(account::versions))
        .route(
            "/policy",
            put(account::put_policy::<E>)
                .get(account::get_policy::<E>)
                .delete(account::delete_policy::<E>),
        )
        .route("/endpoints", post(account::endpoints))
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        .layer(DefaultBodyLimit::disable()) // The signature check has read and limited the body.
        .with_state(service);
    Router::new().nest("/2017-08-29", api)
}

fn json(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

pub(crate) fn failed<E: std::error::Error>(action: &'static str) -> impl Fn(E) -> ServiceError {
    move |error| ServiceError::internal(action, &error)
}

async fn create_template<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    JOB_TEMPLATES.create(&service, &body).await
}

async fn list_templates<E: Engine>(State(service): State<Service<E>>, query: Parameters) -> Answer {
    JOB_TEMPLATES.list(&service, &query).await
}

async fn get_template<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    JOB_TEMPLATES.get(&service, &name).await
}

async fn update_template<E: Engine>(
    State(service): State<Service<E>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    JOB_TEMPLATES.update(&service, &name, &body).await
}

async fn delete_template<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    JOB_TEMPLATES.delete(&service, &name).await
}

async fn create_preset<E: Engine>(State(service): State<Service<E>>, body: Bytes) -> Answer {
    PRESETS.create(&service, &body).await
}

async fn list_presets<E: Engine>(State(service): State<Service<E>>, query: Parameters) -> Answer {
    PRESETS.list(&service, &query).await
}

async fn get_preset<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    PRESETS.get(&service, &name).await
}

async fn update_preset<E: Engine>(
    State(service): State<Service<E>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    PRESETS.update(&service, &name, &body).await
}

async fn delete_preset<E: Engine>(State(service): State<Service<E>>, Path(name): Path<String>) -> Answer {
    PRESETS.delete(&service, &name).await
}

async fn not_implemented(method: Method, uri: Uri) -> ServiceError {
    ServiceError::NotImplemented(format!("{method} {} is not implemented here", uri.path()))
}
