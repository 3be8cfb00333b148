//! A server on a free port in a folder of its own, and clients for it. With `VOD_TEST_S3`, what does not look behind the
//! API runs against another server.

use std::future::IntoFuture as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use jiff::{SignedDuration, Timestamp};
use local_base::clock::Clock;
use local_base::db::Db;
use local_base::queue::{Queue, QueueSettings, Queues};
use local_s3::{Expiration, Notification, OpenError, S3Options, S3Service};
use tempfile::TempDir;
use vod_aws::AwsConfig;

pub(crate) const BUCKET: &str = "vod";
pub(crate) const PAGE: &str = "http://127.0.0.1:8080";

pub(crate) struct TestS3 {
    pub(crate) client: Client,
    pub(crate) endpoint: String,
    pub(crate) queues: Queues,
    /// Everything in here is the server's.
    pub(crate) state: TempDir,
    /// Whether the client uses another server than this one.
    is_other: bool,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl TestS3 {
    /// The server under test, with an empty bucket: the local S3, or that of `VOD_TEST_S3`.
    pub(crate) async fn new() -> Self {
        let mut server = Self::local().await;
        if let Some([endpoint, key, secret]) = other_server() {
            server.client = client_of(&endpoint, &key, &secret);
            server.endpoint = endpoint;
            server.is_other = true;
            empty(&server.client).await;
        }
        server
    }

    fn bucket(&self) -> &'static str {
        if self.is_other { bucket() } else { BUCKET }
    }

    /// The local S3, whatever `VOD_TEST_S3` says.
    pub(crate) async fn local() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap()).await
    }

    /// A server in a folder that may have been used before.
    pub(crate) async fn in_folder(state: TempDir) -> Self {
        let (endpoint, queues, server) = serve(state.path(), ticking_clock()).await;
        Self {
            client: client(&endpoint, "vod-local-secret"),
            endpoint,
            queues,
            state,
            is_other: false,
            server,
        }
    }

    /// Ends the server without a word to it and starts another in the same folder.
    pub(crate) async fn restart(self) -> Self {
        Self::in_folder(self.end().await).await
    }

    async fn end(self) -> TempDir {
        let Self { state, server, .. } = self;
        server.abort();
        assert!(server.await.unwrap_err().is_cancelled());
        state
    }

    /// Ends the server and waits until its database is closed. The folder is all that stays.
    pub(crate) async fn stop(self) -> TempDir {
        let state = self.end().await;
        // The last connection removes the log when it closes.
        while state.path().join("vod.db-wal").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        state
    }

    pub(crate) async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> String {
        let body = ByteStream::from(body.into());
        let output = self
            .client
            .put_object()
            .bucket(self.bucket())
            .key(key)
            .body(body)
            .send()
            .await
            .unwrap();
        output.e_tag.unwrap()
    }

    pub(crate) async fn get(&self, key: &str) -> Vec<u8> {
        let output = self
            .client
            .get_object()
            .bucket(self.bucket())
            .key(key)
            .send()
            .await
            .unwrap();
        output.body.collect().await.unwrap().to_vec()
    }

    pub(crate) async fn exists(&self, key: &str) -> bool {
        self.client
            .head_object()
            .bucket(self.bucket())
            .key(key)
            .send()
            .await
            .is_ok()
    }

    pub(crate) fn uploads(&self) -> Queue {
        let settings = QueueSettings {
            visibility_timeout: Duration::from_mins(1),
            max_receive_count: 5,
        };
        self.queues.queue("uploads", settings)
    }

    /// How many content files there are, the unfinished ones included and those that were set aside excluded.
    pub(crate) fn files(&self) -> usize {
        count_files(&self.state.path().join("objects"))
    }

    pub(crate) fn assert_files(&self, expected: usize) {
        assert!(
            self.is_other || self.files() == expected,
            "{} files",
            self.files()
        );
    }

    /// How many uploads were announced.
    pub(crate) async fn assert_messages(&self, expected: usize) {
        let counts = self.queues.counts("uploads").await.unwrap();
        let visible = counts.visible as usize;
        assert!(self.is_other || visible == expected, "{visible} messages");
    }

    /// The names of the content files that a start has set aside.
    pub(crate) fn orphans(&self) -> Vec<String> {
        let Ok(days) = std::fs::read_dir(self.state.path().join("objects/orphans")) else {
            return Vec::new();
        };
        let files = days.flat_map(|day| std::fs::read_dir(day.unwrap().path()).unwrap());
        files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

/// Starts a server on a free port.
pub(crate) async fn serve(
    state: &Path,
    clock: Clock,
) -> (String, Queues, tokio::task::JoinHandle<std::io::Result<()>>) {
    let (service, queues) = open(state, clock).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback_service(service);
    (
        endpoint,
        queues,
        tokio::spawn(axum::serve(listener, router).into_future()),
    )
}

/// The service without a server.
pub(crate) async fn open(state: &Path, clock: Clock) -> (S3Service, Queues) {
    try_open(state, clock).await.unwrap()
}

/// The service, or why it does not start.
pub(crate) async fn try_open(state: &Path, clock: Clock) -> Result<(S3Service, Queues), OpenError> {
    let db = Db::open(&state.join("vod.db")).unwrap();
    let queues = Queues::open(db.clone(), clock.clone()).await.unwrap();
    let options = S3Options {
        access_key: "vod".to_owned(),
        secret_key: "vod-local-secret".to_owned(),
        region: "us-east-1".to_owned(),
        notifications: vec![Notification {
            bucket: BUCKET.to_owned(),
            prefix: "input/".to_owned(),
            queue: "uploads".to_owned(),
        }],
        cors_origins: vec![PAGE.to_owned()],
        expirations: vec![Expiration {
            bucket: BUCKET.to_owned(),
            prefix: "short/".to_owned(),
            after: SignedDuration::from_hours(24),
        }],
        clock,
    };
    let service = S3Service::open(db, queues.clone(), state, options).await?;
    service.ensure_bucket(BUCKET).await?;
    Ok((service, queues))
}

pub(crate) fn count_files(folder: &Path) -> usize {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if ["generation", "orphans"]
            .iter()
            .any(|other| entry.file_name() == *other)
        {
            continue;
        }
        count += if entry.file_type().unwrap().is_dir() {
            count_files(&entry.path())
        } else {
            1
        };
    }
    count
}

/// Moves one second at each look, so that no two writes happen at the same time.
fn ticking_clock() -> Clock {
    ticking_clock_after(0)
}

/// The same, some seconds on.
pub(crate) fn ticking_clock_after(seconds: i64) -> Clock {
    let seconds = Arc::new(AtomicI64::new(1_767_323_045 + seconds));
    Arc::new(move || Timestamp::from_second(seconds.fetch_add(1, Ordering::Relaxed)).unwrap())
}

/// Endpoint, access key and secret of another S3-compatible server, from `VOD_TEST_S3`.
fn other_server() -> Option<[String; 3]> {
    let text = std::env::var("VOD_TEST_S3").ok()?;
    let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
    Some(
        parts
            .try_into()
            .expect("VOD_TEST_S3 should be endpoint,key,secret"),
    )
}

/// The bucket of the server under test. On another server it has a name that nothing else uses, because it is emptied.
pub(crate) fn bucket() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| match other_server() {
        Some([_, key, _]) => format!("vod-test-{}", key.to_ascii_lowercase()),
        None => BUCKET.to_owned(),
    });
    &NAME
}

/// Makes sure that the bucket is there, and empties it.
async fn empty(client: &Client) {
    // An error if it is there.
    let _ = client.create_bucket().bucket(bucket()).send().await;
    let listed = client.list_objects_v2().bucket(bucket()).send().await.unwrap();
    for object in listed.contents() {
        let delete = client.delete_object().bucket(bucket()).key(object.key().unwrap());
        delete.send().await.unwrap();
    }
    let uploads = client.list_multipart_uploads().bucket(bucket());
    for upload in uploads.send().await.unwrap().uploads() {
        let abort = client.abort_multipart_upload().bucket(bucket());
        let abort = abort
            .key(upload.key().unwrap())
            .upload_id(upload.upload_id().unwrap());
        abort.send().await.unwrap();
    }
}

pub(crate) fn client(endpoint: &str, secret: &str) -> Client {
    client_of(endpoint, "vod", secret)
}

fn client_of(endpoint: &str, key: &str, secret: &str) -> Client {
    vod_aws::s3(&AwsConfig {
        region: "us-east-1".to_owned(),
        access_key_id: key.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
        s3_endpoint: Some(endpoint.to_owned()),
        mediaconvert_endpoint: None,
    })
}

/// S3's code of a failed call, or the status where the answer has no body.
pub(crate) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> String {
    let error = result.expect_err("the call should fail");
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16().to_string());
    error.code().map(str::to_owned).or(status).unwrap()
}

/// Bytes that are nowhere alike.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[3]
        })
        .collect()
}
