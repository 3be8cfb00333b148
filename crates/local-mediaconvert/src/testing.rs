//! S3 and MediaConvert with a worker, for tests of whole jobs.

use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_mediaconvert::types::JobStatus;
use local_base::access::{AccessLog, Port};
use local_base::clock;
use local_base::queue::Queue;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vod_testkit::{TestState, aws, keys, listen};

use crate::{MediaConvert, Settings};

/// S3 and MediaConvert on one port with a worker.
pub(crate) struct TestStack {
    pub(crate) state: TestState,
    pub(crate) api: String,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) client: vod_aws::MediaConvert,
    pub(crate) sdk: aws_sdk_mediaconvert::Client,
    pub(crate) events: Queue,
    pub(crate) shutdown: CancellationToken,
    pub(crate) worker: JoinHandle<()>,
}

impl TestStack {
    pub(crate) async fn new() -> Self {
        let state = TestState::new().await;
        let (listener, api) = listen().await;
        let (s3, sdk) = (vod_aws::s3(&aws(&api)), vod_aws::mediaconvert(&aws(&api)));
        let service = open(&state, &s3, encoder(&state)).await;
        let router = service.router(&keys()).fallback_service(state.s3().await);
        let log = AccessLog::open(&state.file("access.log")).unwrap();
        let router = log.watch(router, Port::Api);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let shutdown = CancellationToken::new();
        Self {
            api,
            s3,
            client: vod_aws::MediaConvert::new(sdk.clone()),
            sdk,
            events: state.queue("job-events"),
            worker: start(service, &shutdown),
            shutdown,
            state,
        }
    }

    /// A path in the state folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.state.file(name)
    }

    pub(crate) async fn put(&self, key: &str, body: Vec<u8>) {
        self.s3
            .put_object()
            .bucket("vod")
            .key(key)
            .body(body.into())
            .send()
            .await
            .unwrap();
    }

    /// Uploads a clip and starts a job with `settings` for it.
    pub(crate) async fn start(&self, key: &str, clip: Vec<u8>, settings: &Value) -> String {
        self.put(key, clip).await;
        self.create(settings).await
    }

    pub(crate) async fn create(&self, settings: &Value) -> String {
        let body = json!({ "role": "role", "settings": settings, "userMetadata": { "asset": "a-1-2", "attempt": "1" } });
        self.client.create_job(&body).await.unwrap()
    }

    /// The next event.
    pub(crate) async fn event(&self) -> Value {
        tokio::time::timeout(Duration::from_mins(5), self.events.wait())
            .await
            .unwrap()
            .unwrap();
        let message = self.events.receive(1).await.unwrap().remove(0);
        self.events.delete(&message.receipt_handle).await.unwrap();
        serde_json::from_str(&message.body).unwrap()
    }

    /// All events up to one of this status.
    pub(crate) async fn until(&self, status: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event().await);
            if events.last().unwrap()["detail"]["status"] == status {
                return events;
            }
        }
    }

    pub(crate) async fn job(&self, id: &str) -> aws_sdk_mediaconvert::types::Job {
        self.sdk.get_job().id(id).send().await.unwrap().job.unwrap()
    }

    /// Code and message of a job that is to fail.
    pub(crate) async fn failure(&self, settings: &Value) -> (i32, String) {
        let id = self.create(settings).await;
        let event = self.until("ERROR").await.pop().unwrap();
        let job = self.job(&id).await;
        assert_eq!(job.status(), Some(&JobStatus::Error));
        assert_eq!(event["detail"]["errorMessage"], job.error_message().unwrap());
        (job.error_code().unwrap(), job.error_message().unwrap().to_owned())
    }

    pub(crate) fn work_folder_is_empty(&self) -> bool {
        std::fs::read_dir(self.file("work")).unwrap().count() == 0
    }

    /// Waits until the worker has cleaned up behind a job.
    pub(crate) async fn until_clean(&self) {
        let clean = async {
            while !self.work_folder_is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(2), clean).await.unwrap();
    }
}

/// One job at a time, and progress without delay.
pub(crate) fn encoder(state: &TestState) -> Settings {
    Settings {
        status_interval: Duration::from_millis(100),
        ..Settings::new("us-east-1", "job-events", state.file("work"))
    }
}

pub(crate) async fn open(state: &TestState, s3: &aws_sdk_s3::Client, settings: Settings) -> MediaConvert {
    let (db, queues) = (state.db.clone(), state.queues.clone());
    MediaConvert::open(db, queues, clock::system(), s3.clone(), settings)
        .await
        .unwrap()
}

pub(crate) fn start(service: MediaConvert, shutdown: &CancellationToken) -> JoinHandle<()> {
    let shutdown = shutdown.clone();
    tokio::spawn(async move { service.run(shutdown).await })
}
