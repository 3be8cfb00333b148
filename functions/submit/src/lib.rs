//! The submit function: an upload becomes a record and a MediaConvert job.

mod claim;
mod config;
mod create;
mod dead_letter;
mod handler;
mod plan;
mod submit;

pub use config::{
    APPLICATION, BUCKET, Config, DEFAULT_TEMPLATE, JOB_TEMPLATE, MAX_RECEIVES, MEDIACONVERT_QUEUE,
    MEDIACONVERT_ROLE_ARN, OUTPUT_BUCKET, RULES_OFF,
};
pub use dead_letter::given_up;
pub use handler::{Invocation, Submit, SubmitError};
pub use plan::{TRIES, tries};
