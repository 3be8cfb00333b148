//! S3 and MediaConvert with a worker, for tests of whole jobs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_sdk_mediaconvert::types::JobStatus;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::{AccessLog, Port};
use crate::clock;
use crate::db::Db;
use crate::mediaconvert::MediaConvert;
use crate::queue::{Queue, QueueSettings, Queues};
use crate::s3::S3Service;
use crate::testing::{aws, encoder, keys, s3_options};

/// S3 and MediaConvert on one port with a worker.
pub(in crate::mediaconvert) struct World {
    pub(in crate::mediaconvert) state: tempfile::TempDir,
    pub(in crate::mediaconvert) log: PathBuf,
    pub(in crate::mediaconvert) api: String,
    pub(in crate::mediaconvert) s3: aws_sdk_s3::Client,
    pub(in crate::mediaconvert) client: vod_aws::MediaConvert,
    pub(in crate::mediaconvert) sdk: aws_sdk_mediaconvert::Client,
    pub(in crate::mediaconvert) db: Db,
    pub(in crate::mediaconvert) queues: Queues,
    pub(in crate::mediaconvert) events: Queue,
    pub(in crate::mediaconvert) shutdown: CancellationToken,
    pub(in crate::mediaconvert) worker: JoinHandle<()>,
}

impl World {
    pub(in crate::mediaconvert) async fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let db = Db::open(&state.path().join("vod.db")).unwrap();
        let queues = Queues::open(db.clone(), clock::system()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = format!("http://{}", listener.local_addr().unwrap());
        let aws = aws(&api);
        let store = S3Service::open(db.clone(), queues.clone(), state.path(), s3_options())
            .await
            .unwrap();
        store.ensure_bucket("vod").await.unwrap();
        let s3 = vod_aws::s3(&aws);
        let service = open(&db, &queues, &s3, state.path()).await;
        let log = state.path().join("access.log");
        let router = service.router(&keys()).fallback_service(store);
        let router = AccessLog::open(&log).unwrap().watch(router, Port::Api);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let sdk = vod_aws::mediaconvert(&aws);
        let visibility = QueueSettings {
            visibility_timeout: Duration::from_mins(10),
            max_receive_count: 5,
        };
        let shutdown = CancellationToken::new();
        Self {
            log,
            api,
            s3,
            client: vod_aws::MediaConvert::new(sdk.clone()),
            sdk,
            events: queues.queue("job-events", visibility),
            db,
            queues,
            worker: start(service, &shutdown),
            shutdown,
            state,
        }
    }

    /// A path in the state folder.
    pub(in crate::mediaconvert) fn file(&self, name: &str) -> PathBuf {
        self.state.path().join(name)
    }

    pub(in crate::mediaconvert) async fn put(&self, key: &str, body: Vec<u8>) {
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
    pub(in crate::mediaconvert) async fn start(&self, key: &str, clip: Vec<u8>, settings: &Value) -> String {
        self.put(key, clip).await;
        self.create(settings).await
    }

    pub(in crate::mediaconvert) async fn create(&self, settings: &Value) -> String {
        let body = json!({ "role": "role", "settings": settings, "userMetadata": { "asset": "a-1-2", "attempt": "1" } });
        self.client.create_job(&body).await.unwrap()
    }

    /// The next event.
    pub(in crate::mediaconvert) async fn event(&self) -> Value {
        tokio::time::timeout(Duration::from_mins(1), self.events.wait())
            .await
            .unwrap()
            .unwrap();
        let message = self.events.receive(1).await.unwrap().remove(0);
        self.events.delete(&message.receipt_handle).await.unwrap();
        serde_json::from_str(&message.body).unwrap()
    }

    /// All events up to one of this status.
    pub(in crate::mediaconvert) async fn until(&self, status: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            events.push(self.event().await);
            if events.last().unwrap()["detail"]["status"] == status {
                return events;
            }
        }
    }

    pub(in crate::mediaconvert) async fn job(&self, id: &str) -> aws_sdk_mediaconvert::types::Job {
        self.sdk.get_job().id(id).send().await.unwrap().job.unwrap()
    }

    /// Code and message of a job that is to fail.
    pub(in crate::mediaconvert) async fn failure(&self, settings: &Value) -> (i32, String) {
        let id = self.create(settings).await;
        let event = self.until("ERROR").await.pop().unwrap();
        let job = self.job(&id).await;
        assert_eq!(job.status(), Some(&JobStatus::Error));
        assert_eq!(event["detail"]["errorMessage"], job.error_message().unwrap());
        (job.error_code().unwrap(), job.error_message().unwrap().to_owned())
    }

    pub(in crate::mediaconvert) fn work_folder_is_empty(&self) -> bool {
        std::fs::read_dir(self.state.path().join("work")).unwrap().count() == 0
    }

    /// Waits until the worker has cleaned up behind a job.
    pub(in crate::mediaconvert) async fn until_clean(&self) {
        let clean = async {
            while !self.work_folder_is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), clean)
            .await
            .unwrap();
    }
}

pub(in crate::mediaconvert) async fn open(
    db: &Db,
    queues: &Queues,
    s3: &aws_sdk_s3::Client,
    state: &Path,
) -> MediaConvert {
    let settings = encoder(state);
    MediaConvert::open(db.clone(), queues.clone(), clock::system(), s3.clone(), settings)
        .await
        .unwrap()
}

pub(in crate::mediaconvert) fn start(service: MediaConvert, shutdown: &CancellationToken) -> JoinHandle<()> {
    let shutdown = shutdown.clone();
    tokio::spawn(async move { service.run(shutdown).await })
}

/// A moving test picture with a tone.
pub(in crate::mediaconvert) fn clip(size: &str, seconds: u32) -> Vec<u8> {
    clip_with(size, seconds, &[])
}

/// The same, written with more options of ffmpeg.
pub(in crate::mediaconvert) fn clip_with(size: &str, seconds: u32, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mp4");
    let picture = format!("testsrc2=size={size}:rate=30:duration={seconds}");
    let tone = format!("sine=frequency=440:duration={seconds}");
    let output = std::process::Command::new("ffmpeg")
        .args([
            "-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone,
        ])
        .args([
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-shortest",
        ])
        .args(options)
        .arg(&path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(path).unwrap()
}
