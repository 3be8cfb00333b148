//! Calls without an SDK crate: what is signed and sent, what is retried, and what errors say.

use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::json;
use vod_aws::Refusal;
use vod_aws::call::{Call, Caller};

/// A response: status, `x-amzn-errortype`, body. `None`: the connection fails.
type Canned = Option<(u16, Option<&'static str>, &'static str)>;

/// Gives responses in turn, and keeps the requests.
#[derive(Debug, Clone, Default)]
struct Service {
    responses: Arc<Mutex<Vec<Canned>>>,
    requests: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.requests.lock().unwrap().push(request);
        let Some((status, code, body)) = self.responses.lock().unwrap().remove(0) else {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("connection refused".into())));
        };
        let mut response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body));
        if let Some(code) = code {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn service(responses: &[Canned]) -> (Caller, Service) {
    let service = Service::default();
    service.responses.lock().unwrap().extend(responses);
    let connector = SharedHttpConnector::new(service.clone());
    let credentials = Credentials::new("AKID", "very-secret", Some("session".into()), None, "test");
    let caller = Caller::new(
        http_client_fn(move |_, _| connector.clone()),
        SharedCredentialsProvider::new(credentials),
        IdentityCache::lazy().build(),
        "eu-west-1".to_owned(),
    );
    (caller, service)
}

fn call() -> Call {
    let call = Call::new("sqs", "ListQueues", "http://sqs".to_owned());
    call.json("1.0", "AmazonSQS", &json!({"MaxResults": 1}))
}

#[tokio::test]
async fn a_call_is_signed_with_its_session_token_and_secrets_stay_out() {
    let (caller, service) = service(&[Some((200, None, r#"{"QueueUrls":[]}"#))]);
    let response = caller.send(call()).await.unwrap();
    assert_eq!(response.json(), json!({"QueueUrls": []}));
    let requests = service.requests.lock().unwrap();
    let header = |name: &str| requests[0].headers().get(name).unwrap().to_owned();
    assert_eq!(requests[0].uri(), "http://sqs/");
    assert_eq!(requests[0].body().bytes(), Some(&br#"{"MaxResults":1}"#[..]));
    assert_eq!(header("content-type"), "application/x-amz-json-1.0");
    assert_eq!(header("x-amz-target"), "AmazonSQS.ListQueues");
    assert_eq!(header("x-amz-security-token"), "session");
    let authorization = header("authorization");
    for signed in [
        "/eu-west-1/sqs/aws4_request",
        "x-amz-security-token",
        "x-amz-target",
    ] {
        assert!(authorization.contains(signed), "{authorization}");
    }
    let shown = format!("{:?} {response:?} {:?}", call(), requests[0]);
    assert!(!shown.contains("very-secret"), "{shown}");
    assert!(!format!("{:?} {response:?}", call()).contains("MaxResults"));
}

#[tokio::test]
async fn only_transient_failures_are_retried() {
    let throttled = Some((400, None, r#"{"__type":"ThrottlingException"}"#));
    let refused = Some((400, None, r#"{"__type":"AccessDeniedException"}"#));
    let quota = Some((400, None, r#"{"__type":"LimitExceededException"}"#));
    let (broken, lost, fine) = (Some((503, None, "")), None, Some((200, None, "{}")));
    for (responses, attempts, sent, succeeds) in [
        (&[broken, throttled, lost, fine][..], 4, 4, true),
        (&[broken, broken, broken, broken], 4, 4, false),
        (&[lost, lost, lost, lost], 4, 4, false),
        (&[refused], 4, 1, false),
        (&[quota], 4, 1, false),
        (&[broken], 1, 1, false),
        (&[lost], 1, 1, false),
    ] {
        let (caller, service) = service(responses);
        let call = Call { attempts, ..call() };
        let result = caller.send(call).await;
        assert_eq!(result.is_ok(), succeeds, "{responses:?}: {result:?}");
        assert_eq!(service.requests.lock().unwrap().len(), sent, "{responses:?}");
    }
}

#[tokio::test]
async fn an_error_has_the_services_code_and_message() {
    for (header, body, code, message) in [
        (
            None,
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#,
            Some("QueueDoesNotExist"),
            Some("gone"),
        ),
        (
            Some("AccessDeniedException:http://internal.amazon.com/"),
            r#"{"Message":"no"}"#,
            Some("AccessDeniedException"),
            Some("no"),
        ),
        (None, "<html>", None, None),
    ] {
        let (caller, _) = service(&[Some((400, header, body))]);
        let error = caller.send(call()).await.unwrap_err();
        let refusal = Refusal::of(&error).unwrap();
        assert_eq!(
            (refusal.status(), refusal.code(), refusal.message()),
            (400, code, message)
        );
    }
    let (caller, _) = service(&[None]);
    let error = caller
        .send(Call {
            attempts: 1,
            ..call()
        })
        .await;
    assert_eq!(Refusal::of(&error.unwrap_err()), None);
}

#[test]
fn endpoints_by_partition() {
    for (region, expected) in [
        ("eu-west-1", "https://sqs.eu-west-1.amazonaws.com"),
        ("us-gov-east-1", "https://sqs.us-gov-east-1.amazonaws.com"),
        ("cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
    ] {
        assert_eq!(vod_aws::call::endpoint("sqs", region), expected);
    }
}
