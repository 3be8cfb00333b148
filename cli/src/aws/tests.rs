use hyper::StatusCode;

use super::service::{CLOUDFORMATION, LAMBDA, SQS};
use super::*;

fn answer(headers: &[(&'static str, &'static str)], body: &'static str) -> Answer {
    let mut answer = Answer {
        status: StatusCode::BAD_REQUEST,
        headers: aws_smithy_runtime_api::http::Headers::default(),
        body: bytes::Bytes::from_static(body.as_bytes()),
    };
    for (name, value) in headers {
        answer.headers.insert(*name, *value);
    }
    answer
}

#[test]
fn errors_of_three_protocols() {
    let of = |service, headers, body| {
        let call = Call::new(service, "Do", Method::POST, "/".to_owned());
        let refusal = call.refusal(&answer(headers, body));
        (refusal.permission, refusal.code, refusal.message)
    };
    let expected = |permission: &str, code: &str, message: &str| {
        (permission.to_owned(), code.to_owned(), message.to_owned())
    };
    assert_eq!(
        of(
            &SQS,
            &[],
            r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#
        ),
        expected("sqs:Do", "QueueDoesNotExist", "gone")
    );
    assert_eq!(
        of(
            &LAMBDA,
            &[(
                "x-amzn-errortype",
                "AccessDeniedException:http://internal.amazon.com/"
            )],
            r#"{"Message":"no"}"#
        ),
        expected("lambda:Do", "AccessDeniedException", "no")
    );
    assert_eq!(
        of(
            &CLOUDFORMATION,
            &[],
            "<ErrorResponse><Error><Code>ValidationError</Code><Message>a &amp; b</Message></Error></ErrorResponse>"
        ),
        expected("cloudformation:Do", "ValidationError", "a & b")
    );
    assert_eq!(of(&SQS, &[], "<html>"), expected("sqs:Do", "", ""));
}

#[test]
fn regions() {
    for (name, is_one) in [
        ("us-east-1", true),
        ("ap-southeast-5", true),
        ("us-gov-east-1", true),
        ("mars", false),
        ("us-east", false),
        ("us--1", false),
        ("us-east-1/x", false),
        ("US-EAST-1", false),
        ("", false),
    ] {
        assert_eq!(is_region(name), is_one, "{name}");
    }
}

#[test]
fn values_in_paths_are_encoded() {
    assert_eq!(encoded("a b/c:d+e"), "a%20b%2Fc%3Ad%2Be");
}

#[test]
fn a_session_token_is_signed_and_secrets_stay_out() {
    let credentials = Credentials::new("AKID", "very-secret", Some("session".to_owned()), None, "test");
    let mut call = Call::new(&SQS, "ListQueues", Method::POST, "/".to_owned());
    call.headers = vec![("x-amz-target", "AmazonSQS.ListQueues".to_owned())];
    let request = call
        .sign(&credentials.into(), "http://127.0.0.1:9", "eu-west-1")
        .unwrap();
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-amz-security-token"), "session");
    let authorization = header("authorization");
    assert!(
        authorization.contains("/eu-west-1/sqs/aws4_request"),
        "{authorization}"
    );
    assert!(
        authorization.contains("x-amz-security-token") && authorization.contains("x-amz-target"),
        "{authorization}"
    );
    assert!(!format!("{request:?}").contains("very-secret"));
}
