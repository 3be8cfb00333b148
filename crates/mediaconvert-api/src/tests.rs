//! The API through the real SDK and the real AWS CLI, over a socket and a store in memory.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use aws_sdk_mediaconvert::Client;
use aws_sdk_mediaconvert::types::{JobStatus, Order};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use vod_aws::AwsConfig;

use crate::Service;
use crate::testing::{self, MemoryEngine, identity};

mod resources;

/// A service on a port of its own, whose time the test sets. Jobs stay SUBMITTED, and signatures are not checked.
struct TestService {
    api: String,
    engine: MemoryEngine,
    router: axum::Router,
    client: Client,
    now: Arc<Mutex<Timestamp>>,
}

impl TestService {
    async fn start() -> Self {
        let now = Arc::new(Mutex::new("2026-01-02T03:04:05Z".parse::<Timestamp>().unwrap()));
        let clock: crate::Clock = Arc::new({
            let now = now.clone();
            move || *now.lock().unwrap()
        });
        let engine = MemoryEngine::new(clock.clone());
        let router = Service::new(engine.clone(), identity(), clock).router();
        let served = router.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, served).await.unwrap() });
        let client = vod_aws::mediaconvert(&AwsConfig {
            region: "us-east-1".to_owned(),
            access_key_id: "vod".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            s3_endpoint: None,
            mediaconvert_endpoint: Some(api.clone()),
        });
        Self {
            api,
            engine,
            router,
            client,
            now,
        }
    }

    /// A call without a client: the status, and the body with the name of an error.
    async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = axum::http::Request::builder()
            .method(method)
            .uri(format!("/2017-08-29{path}"));
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = request.body(axum::body::Body::from(body)).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let error = answer.headers().get("x-amzn-errortype").cloned();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap();
        let mut body: Value = serde_json::from_slice(&bytes).unwrap();
        if let Some(error) = error {
            body["error"] = error.to_str().unwrap().into();
        }
        (status, body)
    }

    fn pass(&self, seconds: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    /// CreateJob with exactly these settings on the wire.
    async fn create(&self, input: &str, token: &str) -> Result<String, vod_aws::CreateJobError> {
        let body = json!({
            "role": "arn:aws:iam::000000000000:role/mc",
            "settings": testing::settings(input, "s3://vod/output/x/"),
            "clientRequestToken": token,
            "userMetadata": { "asset": "a-1-2" },
        });
        vod_aws::MediaConvert::new(self.client.clone())
            .create_job(&body)
            .await
    }

    /// Standard output of the CLI, or its complaint.
    async fn cli(&self, arguments: &[&str]) -> Result<Value, String> {
        let mut command = tokio::process::Command::new("aws");
        command
            .args([
                "mediaconvert",
                "--endpoint-url",
                &self.api,
                "--region",
                "us-east-1",
                "--output",
                "json",
            ])
            .args(arguments)
            .env("AWS_ACCESS_KEY_ID", "vod")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_CONFIG_FILE", "/nonexistent")
            .env("AWS_PAGER", "")
            .stdin(Stdio::null());
        let output = command.output().await.unwrap();
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

#[tokio::test]
async fn a_job_through_the_sdk() {
    let service = TestService::start().await;
    let id = service.create("s3://vod/input/a.mp4", "t1").await.unwrap();
    let job = service
        .client
        .get_job()
        .id(&id)
        .send()
        .await
        .unwrap()
        .job
        .unwrap();
    assert_eq!(job.status(), Some(&JobStatus::Submitted));
    assert_eq!(
        job.arn(),
        Some(format!("arn:aws:mediaconvert:us-east-1:000000000000:jobs/{id}").as_str())
    );
    assert_eq!(
        job.queue(),
        Some("arn:aws:mediaconvert:us-east-1:000000000000:queues/Default")
    );
    assert_eq!(job.user_metadata().unwrap()["asset"], "a-1-2");
    assert_eq!(job.client_request_token(), Some("t1"));
    let output = &job.settings().unwrap().output_groups()[0].outputs()[0];
    assert_eq!(output.video_description().unwrap().width(), Some(320));
    assert!(job.timing().unwrap().submit_time().is_some() && job.timing().unwrap().finish_time().is_none());
    assert_eq!(job.created_at(), job.timing().unwrap().submit_time());
}

#[tokio::test]
async fn a_repeated_token_gives_the_same_job_even_in_parallel() {
    let service = TestService::start().await;
    let calls = (0..5).map(|_| service.create("s3://vod/input/a.mp4", "same"));
    let mut ids: Vec<_> = futures::future::join_all(calls)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_ne!(
        service.create("s3://vod/input/a.mp4", "other").await.unwrap(),
        ids[0]
    );
}

#[tokio::test]
async fn a_token_gives_the_same_job_for_one_minute() {
    let service = TestService::start().await;
    let create = |token| service.create("s3://vod/input/a.mp4", token);
    let first = create("token").await.unwrap();
    service.pass(59);
    assert_eq!(create("token").await.unwrap(), first);
    assert_ne!(create("another").await.unwrap(), first);
    service.pass(1);
    assert_ne!(create("token").await.unwrap(), first);
}

#[tokio::test]
async fn ids_have_their_shape() {
    let service = TestService::start().await;
    let id = service.create("s3://vod/input/a.mp4", "t").await.unwrap();
    let (milliseconds, tail) = id.split_once('-').unwrap();
    assert_eq!((milliseconds, tail.len()), ("1767323045000", 6));
}

#[tokio::test]
async fn a_refused_job_says_why_and_leaves_none_behind() {
    let service = TestService::start().await;
    let mut settings = testing::settings("s3://vod/input/a.mp4", "s3://vod/output/x/");
    settings["outputGroups"][0]["outputs"][0]["videoDescription"]["width"] = 321.into();
    let body = json!({ "role": "role", "settings": settings });
    let error = vod_aws::MediaConvert::new(service.client.clone())
        .create_job(&body)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("400") && text.contains("/outputGroups/0/outputs/0/videoDescription/width: "),
        "{text}"
    );
    assert!(service.client.list_jobs().send().await.unwrap().jobs().is_empty());
}

#[tokio::test]
async fn cancel_works_once() {
    let service = TestService::start().await;
    let id = service.create("s3://vod/input/a.mp4", "t").await.unwrap();
    service.client.cancel_job().id(&id).send().await.unwrap();
    let job = service
        .client
        .get_job()
        .id(&id)
        .send()
        .await
        .unwrap()
        .job
        .unwrap();
    assert_eq!(job.status(), Some(&JobStatus::Canceled));
    assert!(job.timing().unwrap().finish_time().is_some());
    let again = service.client.cancel_job().id(&id).send().await.unwrap_err();
    assert!(
        again.as_service_error().unwrap().is_conflict_exception(),
        "{again:?}"
    );
    let unknown = service
        .client
        .cancel_job()
        .id("1-unknown")
        .send()
        .await
        .unwrap_err();
    assert!(
        unknown.as_service_error().unwrap().is_not_found_exception(),
        "{unknown:?}"
    );
    assert_eq!(service.engine.stopped(), std::slice::from_ref(&id));
    let events = service.engine.events();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (&events[0]["detail"]["status"], &events[0]["detail"]["jobId"]),
        (&json!("CANCELED"), &json!(id))
    );
}

#[tokio::test]
async fn lists_and_searches_page_in_order() {
    let service = TestService::start().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(
            service
                .create(&format!("s3://vod/input/film {n}.mp4"), &n.to_string())
                .await
                .unwrap(),
        );
    }
    let mut pages = service
        .client
        .list_jobs()
        .order(Order::Ascending)
        .max_results(2)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(job) = pages.next().await {
        found.push(job.unwrap().id.unwrap());
    }
    assert_eq!(found, ids);
    let newest = service.client.list_jobs().max_results(1).send().await.unwrap();
    assert_eq!(newest.jobs()[0].id(), ids.last().map(String::as_str));

    let search = |input: &str| service.client.search_jobs().input_file(input).send();
    assert_eq!(search("s3://vod/input/film 3.mp4").await.unwrap().jobs().len(), 1);
    assert_eq!(search("film").await.unwrap().jobs().len(), 5);
    assert_eq!(search("other").await.unwrap().jobs().len(), 0);
    let none = service
        .client
        .list_jobs()
        .status(JobStatus::Complete)
        .queue("Default")
        .send()
        .await
        .unwrap();
    assert!(none.jobs().is_empty() && none.next_token().is_none());
    let bad = service
        .client
        .list_jobs()
        .max_results(21)
        .send()
        .await
        .unwrap_err();
    assert!(
        bad.as_service_error().unwrap().is_bad_request_exception(),
        "{bad:?}"
    );
    // Not base64; base64 of text that is no job id.
    for token in ["!", "MTIz"] {
        let bad = service
            .client
            .list_jobs()
            .next_token(token)
            .send()
            .await
            .unwrap_err();
        assert!(
            bad.as_service_error().unwrap().is_bad_request_exception(),
            "{bad:?}"
        );
    }
}

#[tokio::test]
async fn queues_and_what_is_not_served() {
    let service = TestService::start().await;
    service.create("s3://vod/input/a.mp4", "t").await.unwrap();
    let queue = service
        .client
        .get_queue()
        .name("Default")
        .send()
        .await
        .unwrap()
        .queue
        .unwrap();
    assert_eq!(
        (queue.name(), queue.submitted_jobs_count()),
        (Some("Default"), Some(1))
    );
    assert_eq!(
        service.client.list_queues().send().await.unwrap().queues().len(),
        1
    );
    let unknown = service.client.get_queue().name("Other").send().await.unwrap_err();
    assert!(
        unknown.as_service_error().unwrap().is_not_found_exception(),
        "{unknown:?}"
    );

    let body = json!({ "role": "r", "queue": "Other", "settings": testing::settings("s3://vod/a.mp4", "s3://vod/o/") });
    let error = vod_aws::MediaConvert::new(service.client.clone())
        .create_job(&body)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");

    let (status, body) = service
        .call(
            "POST",
            "/resourceShares",
            json!({ "jobId": "1-a", "supportCaseId": "1" }),
        )
        .await;
    assert_eq!((status, &body["error"]), (501, &json!("NotImplementedException")));
}

#[tokio::test]
async fn a_job_through_the_cli() {
    let service = TestService::start().await;
    let settings = testing::settings("s3://vod/input/한국 & café+1.mp4", "s3://vod/output/x/");
    // The CLI takes the console's spelling, which begins every name with a capital letter.
    let settings = testing::upper(&settings).to_string();
    let arguments = [
        "create-job",
        "--role",
        "arn:aws:iam::000000000000:role/mc",
        "--settings",
        &settings,
    ];
    let created = service.cli(&arguments).await.unwrap();
    let id = created["Job"]["Id"].as_str().unwrap();
    assert_eq!(created["Job"]["Status"], "SUBMITTED");
    assert_eq!(
        service.cli(&["get-job", "--id", id]).await.unwrap()["Job"]["Id"],
        id
    );
    let listed = service
        .cli(&["list-jobs", "--status", "SUBMITTED"])
        .await
        .unwrap();
    assert_eq!(
        listed["Jobs"][0]["Settings"]["Inputs"][0]["FileInput"],
        "s3://vod/input/한국 & café+1.mp4"
    );
    let endpoints = service.cli(&["describe-endpoints"]).await.unwrap();
    assert_eq!(endpoints["Endpoints"][0]["Url"], service.api.as_str());
    service.cli(&["cancel-job", "--id", id]).await.unwrap();
    let error = service.cli(&["cancel-job", "--id", id]).await.unwrap_err();
    assert!(
        error.contains("ConflictException") && error.contains("CANCELED"),
        "{error}"
    );
}
