//! Events as AWS sends them, parsed into what the functions act on.
//!
//! Own structs instead of `aws_lambda_events`' S3 types: those fail on `s3:TestEvent` (which would go to the
//! dead letters) and leave the key encoded.

mod mediaconvert;
mod upload;

pub use mediaconvert::{JobEvent, parse_job_event};
pub use upload::{
    Delivery, EventError, ObjectCreated, Upload, decode_key, is_newer, parse_upload_event,
    parse_upload_message, upload_message,
};
