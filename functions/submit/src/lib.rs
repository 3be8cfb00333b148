//! The submit function: an upload becomes a record and a MediaConvert job.

mod attempts;
mod claim;
mod config;
mod create;
mod dead_letter;
mod handler;
mod plan;
mod source;
mod submit;

pub use attempts::{TRIES, given_up, tries};
pub use config::{
    APPLICATION, BUCKET, Config, DEFAULT_TEMPLATE, JOB_TEMPLATE, MAX_RECEIVES, MEDIACONVERT_QUEUE,
    MEDIACONVERT_ROLE_ARN, OUTPUT_BUCKET, RULES_OFF,
};
pub use handler::{Invocation, Submit, SubmitError};
