//! Function URLs: `/lambda-url/{name}/…` is `https://<id>.lambda-url.<region>.on.aws/…` with IAM
//! authentication.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use http::StatusCode;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Service as _};
use lambda_runtime::{Diagnostic, LambdaEvent};
use local_base::sigv4::Keys;
use serde_json::{Value, json};

use super::{Failure, Functions, Handler, MAX_PAYLOAD, payload};

const PREFIX: &str = "/lambda-url/";

#[derive(Clone)]
struct Shared {
    functions: Functions,
    keys: Keys,
}

pub(super) fn routes(functions: Functions, keys: Keys) -> Router {
    Router::new()
        .route("/lambda-url/{*function_and_path}", any(respond))
        .with_state(Shared { functions, keys })
}

/// The axum router as a function of JSON: what `lambda_http::run(router)` does around the Runtime API.
pub(super) fn adapt(router: Router) -> Handler {
    Arc::new(move |event: LambdaEvent<Value>| {
        let router = router.clone();
        Box::pin(async move {
            // Through text: that is how the event arrives on AWS, and lambda_http can read it from nothing else.
            let text = event.payload.to_string();
            let request: LambdaRequest = serde_json::from_str(&text).map_err(diagnostic)?;
            let answer = Adapter::from(router).call(LambdaEvent::new(request, event.context));
            let response = answer.await.unwrap_or_else(|never| match never {});
            serde_json::to_value(&response).map_err(diagnostic)
        })
    })
}

fn diagnostic(error: serde_json::Error) -> Diagnostic {
    Diagnostic::from(Box::new(error) as lambda_runtime::Error)
}

async fn respond(State(shared): State<Shared>, Path(place): Path<String>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, MAX_PAYLOAD).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let name = place.split('/').next().unwrap_or_default();
    let path = function_path(parts.uri.path());
    let caller = payload::Caller {
        function: name,
        keys: &shared.keys,
    };
    let event = payload::event(&caller, &parts, path, &body);
    let (_, result) = shared.functions.run(name, event).await;
    match result {
        Ok(answer) => payload::response(&answer)
            .unwrap_or_else(|| message(StatusCode::BAD_GATEWAY, "Internal Server Error")),
        // The caller of a Function URL never sees what went wrong inside; the log has it.
        Err(Failure::Function(_)) => message(StatusCode::BAD_GATEWAY, "Internal Server Error"),
        Err(Failure::Throttled) => message(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"),
        Err(Failure::NotFound { .. }) => message(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The path as the function sees it, still percent-encoded: what follows `/lambda-url/{name}`.
fn function_path(path: &str) -> &str {
    let rest = path.strip_prefix(PREFIX).unwrap_or(path);
    rest.find('/').map_or("/", |slash| &rest[slash..])
}

fn message(status: StatusCode, text: &str) -> Response {
    let headers = [("content-type", "application/json")];
    (status, headers, json!({ "Message": text }).to_string()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_sees_the_path_below_its_url() {
        let table = [
            ("/lambda-url/signer", "/"),
            ("/lambda-url/signer/", "/"),
            ("/lambda-url/signer/play/g/a%20b.m3u8", "/play/g/a%20b.m3u8"),
        ];
        for (path, expected) in table {
            assert_eq!(function_path(path), expected);
        }
    }
}
