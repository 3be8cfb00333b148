use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::json;
use tower::ServiceExt as _;
use vod_testkit::keys;

use super::*;

fn functions() -> Functions {
    let quick = Limits {
        timeout: Duration::from_secs(3),
        concurrency: 1,
    };
    let echo = |event: LambdaEvent<Value>| async move {
        let context = event.context;
        assert!(!context.request_id.is_empty() && context.deadline > 1_700_000_000_000);
        let arn = context.invoked_function_arn.clone();
        Ok::<_, Diagnostic>(
            json!({ "event": event.payload, "arn": arn, "name": context.env_config.function_name }),
        )
    };
    let fail = |_| async {
        Err(Diagnostic {
            error_type: "CatalogUnavailable".into(),
            error_message: "no answer from s3".into(),
        })
    };
    Functions::builder("us-east-1")
        .function("echo", quick, echo)
        .function("fail", quick, fail)
        .function("panic", quick, |_| async {
            panic!("on purpose") as Result<Value, Diagnostic>
        })
        .function(
            "hang",
            Limits {
                timeout: Duration::from_millis(20),
                ..quick
            },
            |_| std::future::pending::<Result<Value, Diagnostic>>(),
        )
        .function("large", quick, |_| async {
            Ok::<_, Diagnostic>(json!("x".repeat(MAX_PAYLOAD)))
        })
        .http("web", Limits::default(), web())
        .build()
}

fn web() -> Router {
    async fn show(request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1000).await.unwrap();
        let header = |name: &str| parts.headers.get(name).map(|v| v.to_str().unwrap());
        let seen = json!({
            "method": parts.method.as_str(),
            "uri": parts.uri.path_and_query().unwrap().as_str(),
            "cookie": header("cookie"),
            "two": header("x-two"),
            "authorization": header("authorization"),
            "body": String::from_utf8_lossy(&body),
        });
        let cookies = AppendHeaders([("set-cookie", "a=1; Path=/output/"), ("set-cookie", "b=2")]);
        (StatusCode::ACCEPTED, cookies, axum::Json(seen)).into_response()
    }
    Router::new().route("/show/{*rest}", get(show).post(show)).route(
        "/binary",
        get(|| async {
            (
                [("content-type", "image/jpeg")],
                Bytes::from_static(&[0xff, 0xd8, 0]),
            )
        }),
    )
}

async fn send(functions: &Functions, mut request: http::Request<Bytes>) -> (StatusCode, HeaderMap, Bytes) {
    request
        .headers_mut()
        .insert("host", "localhost:9000".parse().unwrap());
    keys().sign("lambda", &mut request, SystemTime::now()).unwrap();
    let (parts, body) = request.into_parts();
    let response = functions
        .router(&keys())
        .oneshot(http::Request::from_parts(parts, Body::from(body)))
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    (
        parts.status,
        parts.headers,
        to_bytes(body, usize::MAX).await.unwrap(),
    )
}

async fn invoke(name: &str, body: &'static str) -> (StatusCode, HeaderMap, Value) {
    let uri = format!("http://localhost:9000/2015-03-31/functions/{name}/invocations");
    let (status, headers, body) =
        send(&functions(), http::Request::post(uri).body(body.into()).unwrap()).await;
    (status, headers, serde_json::from_slice(&body).unwrap())
}

#[tokio::test]
async fn invoke_gives_the_answer() {
    let (status, headers, body) = invoke("echo", r#"{"a":1}"#).await;
    assert_eq!(status, StatusCode::OK);
    assert!(headers.contains_key("x-amzn-requestid") && !headers.contains_key("x-amz-function-error"));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:echo";
    assert_eq!(body, json!({ "event": { "a": 1 }, "arn": arn, "name": "echo" }));
    let (_, _, by_arn) = invoke(arn, r#"{"a":1}"#).await;
    assert_eq!(by_arn, body);
}

#[tokio::test]
async fn failures_look_as_on_aws() {
    let table = [
        ("fail", 200, "CatalogUnavailable", "no answer from s3"),
        (
            "panic",
            200,
            "Box<dyn core::any::Any",
            "Lambda panicked: on purpose",
        ),
        (
            "hang",
            200,
            "Sandbox.Timedout",
            "Task timed out after 0.02 seconds",
        ),
        ("large", 200, "Function.ResponseSizeTooLarge", "exceeded maximum"),
        (
            "nobody",
            404,
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1",
        ),
    ];
    for (name, status, kind, message) in table {
        let (found, headers, body) = invoke(name, "{}").await;
        assert_eq!(found.as_u16(), status, "{name}");
        let handled = status != 200;
        assert_eq!(headers.contains_key("x-amz-function-error"), !handled, "{name}");
        let found = if handled {
            headers["x-amzn-errortype"].to_str().unwrap()
        } else {
            body["errorType"].as_str().unwrap()
        };
        assert!(found.contains(kind), "{found}");
        let text = body[if handled { "message" } else { "errorMessage" }]
            .as_str()
            .unwrap();
        assert!(text.contains(message), "{text}");
    }
}

#[tokio::test]
async fn requests_that_are_refused() {
    let functions = functions();
    let uri = "http://localhost:9000/2015-03-31/functions/echo/invocations";
    let (status, headers, _) = send(&functions, http::Request::post(uri).body("{".into()).unwrap()).await;
    assert_eq!(
        (status.as_u16(), &headers["x-amzn-errortype"]),
        (400, &"InvalidRequestContentException".parse().unwrap())
    );

    let event = http::Request::post(uri)
        .header("x-amz-invocation-type", "Event")
        .body("{}".into())
        .unwrap();
    assert_eq!(send(&functions, event).await.0, StatusCode::NOT_IMPLEMENTED);

    let large = http::Request::post(uri)
        .body(Bytes::from(vec![b' '; MAX_PAYLOAD + 1]))
        .unwrap();
    assert_eq!(send(&functions, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);

    let unsigned = Request::post("/2015-03-31/functions/echo/invocations")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(
        functions
            .router(&keys())
            .oneshot(unsigned)
            .await
            .unwrap()
            .status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn concurrency_beyond_the_limit_is_throttled() {
    let functions = functions();
    let slot = functions.by_name["echo"]
        .slots
        .clone()
        .try_acquire_owned()
        .unwrap();
    let uri = "http://localhost:9000/2015-03-31/functions/echo/invocations";
    let request = || http::Request::post(uri).body("{}".into()).unwrap();
    assert_eq!(send(&functions, request()).await.0, StatusCode::TOO_MANY_REQUESTS);
    drop(slot);
    assert_eq!(send(&functions, request()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_function_url_carries_everything_both_ways() {
    let request = http::Request::post("http://localhost:9000/lambda-url/web/show/a%20b/c.m3u8?x=%2F&y=1&y=2")
        .header("cookie", "CloudFront-Policy=p; other=1")
        .header("x-two", "1")
        .header("x-two", "2")
        .header("content-type", "application/octet-stream")
        .body(Bytes::from_static(b"body"))
        .unwrap();
    let (status, headers, body) = send(&functions(), request).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let cookies: Vec<_> = headers
        .get_all("set-cookie")
        .iter()
        .map(|v| v.to_str().unwrap())
        .collect();
    assert_eq!(cookies, ["a=1; Path=/output/", "b=2"]);
    let seen: Value = serde_json::from_slice(&body).unwrap();
    let expected = json!({
        "method": "POST", "uri": "/show/a%20b/c.m3u8?x=%2F&y=1&y=2", "cookie": "CloudFront-Policy=p; other=1",
        "two": "1,2", "authorization": null, "body": "body",
    });
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn binary_answers_arrive_whole_and_plain_json_is_a_body() {
    let functions = functions();
    let request = http::Request::get("http://localhost:9000/lambda-url/web/binary")
        .body(Bytes::new())
        .unwrap();
    let (status, headers, body) = send(&functions, request).await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "image/jpeg")
    );
    assert_eq!(&body[..], [0xff, 0xd8, 0]);

    let request = http::Request::get("http://localhost:9000/lambda-url/echo/")
        .body(Bytes::new())
        .unwrap();
    let (status, headers, body) = send(&functions, request).await;
    assert_eq!(
        (status, headers["content-type"].to_str().unwrap()),
        (StatusCode::OK, "application/json")
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&body).unwrap()["event"]["version"],
        "2.0"
    );

    let request = http::Request::get("http://localhost:9000/lambda-url/fail/")
        .body(Bytes::new())
        .unwrap();
    assert_eq!(send(&functions, request).await.0, StatusCode::BAD_GATEWAY);
}

#[test]
fn the_event_in_format_2() {
    let (parts, ()) = http::Request::get("/lambda-url/signer/api/playback?asset=a&ttl=1")
        .header("x-viewer-host", "127.0.0.1:8080")
        .header("user-agent", "test")
        .body(())
        .unwrap()
        .into_parts();
    let keys = keys();
    let caller = payload::Caller {
        function: "signer",
        keys: &keys,
    };
    let mut event = payload::event(&caller, &parts, "/api/playback", b"");
    for name in ["requestId", "time", "timeEpoch"] {
        assert!(!event["requestContext"][name].is_null());
        event["requestContext"][name] = "[varies]".into();
    }
    insta::assert_json_snapshot!(event);
}
