//! The calls of the functions to AWS: small SDK clients that are built once, the catalog on S3, MediaConvert.
//!
//! This is the only crate that depends on the MediaConvert SDK (170,000 lines). On one machine the same clients call
//! the same APIs at other addresses, given by `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_MEDIACONVERT`.

mod bucket;
pub mod call;
mod catalog;
mod clients;
mod clock;
mod config;
mod copy;
mod document;
pub mod edge;
mod listing;
mod logs;
mod mediaconvert;
mod meter;
mod multipart;
mod queue;
mod refusal;
mod removals;
mod templates;
mod wire;

pub use bucket::{Bucket, BucketError, BucketErrorKind, Versioned};
pub use catalog::{Catalog, Ids, Newest};
pub use clients::{http, mediaconvert, mediaconvert_over, s3, s3_over};
pub use clock::{Pause, Time, now, set_time, sleep, within};
pub use config::{AwsConfig, ConfigError, ENDPOINT, ENDPOINT_MEDIACONVERT, ENDPOINT_S3, EnvReader};
pub use document::Document;
pub use edge::{Edge, EdgeError};
pub use listing::{Entries, Place};
pub use logs::{chain, init_logs, root};
pub use mediaconvert::{CreateJobError, JobInfo, MediaConvert, MediaConvertError, OutputInfo, QueueInfo};
pub use meter::Meter;
pub use multipart::{Completion, Finished, NewUpload};
pub use queue::{Queue, QueueError};
pub use refusal::Refusal;
pub use removals::Removals;
pub use templates::load_templates;
pub use wire::{Wire, WireError, origin};
