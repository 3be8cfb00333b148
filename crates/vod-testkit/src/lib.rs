//! The setup that tests of the local services share: keys, clients, a state folder with its database, a clock, an S3 over a socket.
//!
//! It depends on the base and on the local S3 only, so that every other crate can use it in its own tests.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot be set up fails"
)]

mod clip;
mod clock;
mod state;

use axum::Router;
use local_base::sigv4::Keys;
use tokio::net::TcpListener;
use vod_aws::AwsConfig;

pub use self::clip::{clip, clip_with};
pub use self::clock::TestClock;
pub use self::state::{TestState, s3_options};

/// The keys of the services under test.
pub fn keys() -> Keys {
    Keys {
        access_key: "vod".into(),
        secret_key: "secret".into(),
        region: "us-east-1".into(),
    }
}

/// What clients with these keys need to know of services at `api`.
pub fn aws(api: &str) -> AwsConfig {
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

/// A free port and its URL.
pub async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Serves `router` on a free port until the test's runtime ends. Returns its URL.
pub async fn serve(router: Router) -> String {
    let (listener, url) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}
