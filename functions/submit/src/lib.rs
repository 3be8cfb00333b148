//! The submit function: an upload becomes a record and a MediaConvert job.

mod config;
mod handler;
mod plan;
mod submit;

pub use config::{
    APPLICATION, BUCKET, Config, DEFAULT_TEMPLATE, JOB_TEMPLATE, MEDIACONVERT_QUEUE, MEDIACONVERT_ROLE_ARN,
    OUTPUT_BUCKET, RULES_OFF,
};
pub use handler::{Invocation, Submit, SubmitError};
pub use plan::{TRIES, tries};
