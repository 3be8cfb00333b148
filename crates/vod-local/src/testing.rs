//! What tests of several rooms set up alike.

use std::path::Path;
use std::time::Duration;

use transcode::exec::Limits;
use vod_aws::AwsConfig;

use crate::clock;
use crate::mediaconvert::Settings;
use crate::s3::S3Options;
use crate::sigv4::Keys;

/// The keys of services that a test puts together.
pub(crate) fn keys() -> Keys {
    Keys {
        access_key: "vod".into(),
        secret_key: "secret".into(),
        region: "us-east-1".into(),
    }
}

/// What clients with these keys know of services at `api`.
pub(crate) fn aws(api: &str) -> AwsConfig {
    let keys = keys();
    AwsConfig {
        region: keys.region,
        access_key_id: keys.access_key,
        secret_access_key: keys.secret_key,
        session_token: None,
        s3_endpoint: Some(api.to_owned()),
        mediaconvert_endpoint: Some(api.to_owned()),
    }
}

/// An S3 with these keys that tells nobody of uploads.
pub(crate) fn s3_options() -> S3Options {
    let keys = keys();
    S3Options {
        access_key: keys.access_key,
        secret_key: keys.secret_key,
        region: keys.region,
        notifications: Vec::new(),
        cors_origins: Vec::new(),
        clock: clock::system(),
    }
}

/// A MediaConvert with its work folder below `state`, one job at a time, and progress without delay.
pub(crate) fn encoder(state: &Path) -> Settings {
    Settings {
        region: keys().region,
        events_queue: "job-events".to_owned(),
        work: state.join("work"),
        concurrency: 1,
        status_interval: Duration::from_millis(100),
        limits: Limits::default(),
        faults: None,
    }
}
