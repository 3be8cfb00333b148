//! What the functions do on AWS: SDK clients built once and small, the catalog on S3, MediaConvert.
//!
//! The only crate that knows the MediaConvert SDK (170,000 lines): keep it so. Locally the same clients speak
//! to the same APIs at other addresses, given by `AWS_ENDPOINT_URL_S3` and `AWS_ENDPOINT_URL_MEDIACONVERT`.

mod catalog;
mod clients;
mod clock;
mod config;
mod document;
mod listing;
mod logs;
mod mediaconvert;
mod meter;
mod removals;
mod source;
mod templates;

pub use catalog::{Catalog, CatalogError, Ids, Versioned};
pub use clients::{http, mediaconvert, mediaconvert_over, s3, s3_over};
pub use clock::{Pause, Time, now, set_time, sleep, within};
pub use config::{AwsConfig, ConfigError, ENDPOINT, ENDPOINT_MEDIACONVERT, ENDPOINT_S3, EnvReader};
pub use document::{Document, DocumentError};
pub use listing::{Entries, Listing, ListingError, Place};
pub use logs::{chain, init_logs};
pub use mediaconvert::{CreateJobError, JobInfo, MediaConvert, MediaConvertError, OutputInfo};
pub use meter::Meter;
pub use removals::Removals;
pub use source::{SourceError, Sources};
pub use templates::{TemplatesError, load_templates};
