//! `POST /2015-03-31/functions/{name}/invocations`, the synchronous half of Lambda's Invoke API.

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lambda_runtime::Diagnostic;
use local_base::sigv4::rest_json_error;
use serde_json::Value;

use super::{Failure, Functions, MAX_PAYLOAD};

pub(super) fn routes(functions: Functions) -> Router {
    Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::disable()) // The signature check has read and bounded the body.
        .with_state(functions)
}

async fn invoke(
    State(functions): State<Functions>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let kind = headers.get("x-amz-invocation-type").and_then(|v| v.to_str().ok());
    if let Some(kind) = kind.filter(|kind| *kind != "RequestResponse") {
        let message = format!("invocation type {kind} is not served locally, only RequestResponse");
        return rest_json_error(StatusCode::NOT_IMPLEMENTED, "NotImplementedException", &message);
    }
    let payload: Value = match serde_json::from_slice(if body.is_empty() { b"{}" } else { &body }) {
        Ok(payload) => payload,
        Err(error) => {
            let message = format!("Could not parse request body into json: {error}");
            return rest_json_error(
                StatusCode::BAD_REQUEST,
                "InvalidRequestContentException",
                &message,
            );
        }
    };
    let name = function_name(&name);
    let (request_id, result) = functions.run(name, payload).await;
    let mut response = answer(result);
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", value);
    }
    response
}

/// Callers may name a function by its ARN as well.
fn function_name(name: &str) -> &str {
    name.strip_prefix("arn:")
        .and_then(|_| name.split(':').nth(6))
        .unwrap_or(name)
}

fn answer(result: Result<Value, Failure>) -> Response {
    match result {
        Ok(value) => {
            let body = value.to_string();
            if body.len() > MAX_PAYLOAD {
                return unhandled(&Diagnostic {
                    error_type: "Function.ResponseSizeTooLarge".to_owned(),
                    error_message: format!(
                        "Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD} bytes)."
                    ),
                });
            }
            payload(body)
        }
        Err(Failure::Function(error)) => unhandled(&error),
        Err(Failure::NotFound { arn }) => {
            let message = format!("Function not found: {arn}");
            rest_json_error(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message)
        }
        Err(Failure::Throttled) => rest_json_error(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            "Rate Exceeded.",
        ),
    }
}

/// Lambda answers 200 although the function failed; only a header says so.
fn unhandled(error: &Diagnostic) -> Response {
    let mut response = payload(serde_json::to_string(error).unwrap_or_default());
    let name = HeaderName::from_static("x-amz-function-error");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static("Unhandled"));
    response
}

fn payload(body: String) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("x-amz-executed-version", "$LATEST"),
    ];
    (StatusCode::OK, headers, body).into_response()
}
