use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_sdk_s3::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_s3::operation::delete_object::{DeleteObjectError, DeleteObjectOutput};
use axum::http::StatusCode;

use super::*;

/// Services that answer all calls and count them, behind faults.
struct TestCalls {
    api: String,
    calls: Arc<AtomicUsize>,
    faults: Faults,
}

impl TestCalls {
    async fn new(texts: &[&str]) -> Self {
        let arguments: Vec<String> = texts.iter().map(ToString::to_string).collect();
        let faults = Faults::open(&arguments, Path::new(".")).unwrap().unwrap();
        faults.arm();
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let service = move |request: Request| {
            counter.fetch_add(1, Ordering::SeqCst);
            let creates = request.uri().path() == "/2017-08-29/jobs";
            async move {
                answers::drain(request).await;
                let body = if creates { r#"{"job":{"id":"1-a"}}"# } else { "" };
                (StatusCode::OK, body)
            }
        };
        let router = faults.around(Router::new().fallback(service));
        let api = vod_testkit::serve(router).await;
        Self { api, calls, faults }
    }

    fn aws(&self) -> vod_aws::AwsConfig {
        vod_testkit::aws(&self.api)
    }

    /// S3's SDK without retries, so that answers can be seen.
    fn s3(&self) -> aws_sdk_s3::Client {
        let config = vod_aws::s3(&self.aws()).config().to_builder();
        let once = aws_sdk_s3::config::retry::RetryConfig::disabled();
        aws_sdk_s3::Client::from_conf(config.retry_config(once).build())
    }

    /// A call whose answer has no content.
    async fn delete(&self) -> Result<DeleteObjectOutput, SdkError<DeleteObjectError>> {
        self.s3().delete_object().bucket("b").key("k").send().await
    }

    fn mediaconvert(&self) -> aws_sdk_mediaconvert::Client {
        let config = vod_aws::mediaconvert(&self.aws()).config().to_builder();
        let once = aws_sdk_mediaconvert::config::retry::RetryConfig::disabled();
        aws_sdk_mediaconvert::Client::from_conf(config.retry_config(once).build())
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

/// Code and message as the SDK of S3 reads them.
async fn put(test: &TestCalls, condition: bool) -> Result<(), (u16, String, String)> {
    let put = test.s3().put_object().bucket("b").key("a & b");
    let put = put.body(vec![b'x'; 100_000].into());
    let put = if condition { put.if_none_match("*") } else { put };
    let answer = put.send().await;
    answer.map(drop).map_err(|error| {
        let status = error
            .raw_response()
            .map_or(0, |response| response.status().as_u16());
        let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
        (status, part(error.code()), part(error.message()))
    })
}

#[tokio::test]
async fn s3_refuses_in_its_own_words() {
    for (text, status, code, message) in [
        ("s3.503=1", 503, "SlowDown", "Please reduce your request rate."),
        (
            "PutObject.500=1",
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
    ] {
        let test = TestCalls::new(&[text]).await;
        let refused = put(&test, false).await.unwrap_err();
        assert_eq!(refused, (status, code.to_owned(), message.to_owned()));
        assert_eq!(test.calls(), 0, "{text}");
    }
    let test = TestCalls::new(&["s3.409=1"]).await;
    assert_eq!(put(&test, false).await, Ok(()));
    let (status, code, _) = put(&test, true).await.unwrap_err();
    assert_eq!((status, code.as_str()), (409, "ConditionalRequestConflict"));
}

#[tokio::test]
async fn mediaconvert_refuses_in_its_own_words() {
    for (text, status, code) in [
        ("mediaconvert.429=1", 429, "TooManyRequestsException"),
        ("CreateJob.500=1", 500, "InternalServerErrorException"),
        ("createjob.503=1", 503, "ServiceUnavailableException"),
    ] {
        let test = TestCalls::new(&[text]).await;
        let error = test
            .mediaconvert()
            .create_job()
            .role("r")
            .send()
            .await
            .unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
        assert_eq!(error.code(), Some(code), "{text}");
        assert_eq!(test.calls(), 0);
    }
}

#[tokio::test]
async fn only_the_operation_that_was_named_is_refused() {
    let test = TestCalls::new(&["UploadPart.503=1", "CreateJob.429=1", "s3.500=@2"]).await;
    assert_eq!(put(&test, false).await, Ok(()));
    assert_eq!(put(&test, false).await.unwrap_err().0, 500);
    assert_eq!(put(&test, false).await, Ok(()));
}

#[tokio::test]
async fn sdks_get_over_what_they_are_made_for() {
    let test = TestCalls::new(&["s3.503=@1", "s3.lost=@2", "s3.500=@3"]).await;
    let s3 = vod_aws::s3(&test.aws());
    s3.delete_object().bucket("b").key("k").send().await.unwrap();
    // The second was executed, and its answer was lost.
    assert_eq!(test.calls(), 2);
}

#[tokio::test]
async fn an_answer_is_lost_after_the_call_is_done() {
    let test = TestCalls::new(&["s3.lost=@1"]).await;
    assert!(test.delete().await.unwrap_err().raw_response().is_none());
    assert_eq!(test.calls(), 1);
    test.delete().await.unwrap();
}

#[tokio::test]
async fn answers_are_slow() {
    let test = TestCalls::new(&["s3.slow=1:50", "DeleteObject.slow=1:20-30"]).await;
    let started = std::time::Instant::now();
    test.delete().await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(70));
}

#[tokio::test]
async fn an_invocation_dies_before_or_after_its_call() {
    for (text, calls) in [("s3.crash-before=@1", 0), ("DeleteObject.crash-after=@1", 1)] {
        let test = TestCalls::new(&[text]).await;
        let http = test.faults.deadly(vod_aws::http());
        let s3 = vod_aws::s3_over(http, &test.aws());
        let delete = move || s3.delete_object().bucket("b").key("k").send();
        let died = tokio::spawn(delete()).await.unwrap_err().into_panic();
        let words = died.downcast::<String>().unwrap();
        assert!(words.contains("the invocation ends here"), "{words}");
        assert_eq!(test.calls(), calls, "{text}");
        tokio::spawn(delete()).await.unwrap().unwrap();
        assert_eq!(test.calls(), calls + 1, "{text}");
    }
}

#[tokio::test]
async fn other_services_are_left_alone() {
    let test = TestCalls::new(&["s3.503=1", "mediaconvert.503=1"]).await;
    let router = test
        .faults
        .around(Router::new().fallback(async || StatusCode::NO_CONTENT));
    for (uri, status) in [
        ("/2015-03-31/functions/submit/invocations", 204),
        ("/lambda-url/signer/play/x", 204),
        ("/2017-08-29/jobs", 503),
        ("/vod/input/a", 503),
    ] {
        let request = Request::post(uri).body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{uri}");
    }
}
