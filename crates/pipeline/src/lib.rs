//! The steps of the pipeline, with their I/O.
//!
//! The functions, the command and the simulation call them. What a step does is decided by the rules of
//! [`vod_core::attempt`]; a step reads what a rule needs, and writes what it decided on condition that no other writer has
//! changed the record meanwhile. Each step can be repeated, and an invocation that dies in the middle of one leaves a
//! state that the next one continues from.
//!
//! - [`Submit`]: an upload becomes a record and its jobs.
//! - [`Complete`]: an event of MediaConvert goes on record.
//! - [`Reconcile`]: uploads, records, jobs and outputs are compared, and what was lost is submitted again.
//! - [`TakeDown`]: a video is removed, and stays so until it is restored or its file is uploaded again.
//! - [`Manage`]: an owner changes a title or a poster, takes videos down, restores them, has them encoded again.
//! - [`Uploads`]: a file comes in parts that its owner sends straight into the bucket.

mod caption_files;
mod complete;
mod config;
mod error;
mod manage;
mod reconcile;
mod restore;
mod services;
mod submit;
mod take_down;
mod templates;
mod trash;
mod uploads;

use jiff::{SignedDuration, Timestamp};

pub use caption_files::{CAPTION_MAX, NewCaption, NotCaptions};
pub use complete::Complete;
pub use config::{
    APPLICATION, BUCKET, Config, DEFAULT_TEMPLATE, JOB_TEMPLATE, MEDIACONVERT_QUEUE, MEDIACONVERT_ROLE_ARN,
    OUTPUT_BUCKET, RULES_OFF,
};
pub use error::Error;
pub use manage::{Kind as ManageErrorKind, Manage, ManageError};
pub use reconcile::{CHECKPOINT, Delays, LEFT_OF_REMOVED, Note, Options, Reconcile, Summary};
pub use restore::{NotRestored, RestoreError};
pub use services::Services;
pub use submit::Submit;
pub use take_down::{Removed, RemovedUpload, TakeDown};
pub use templates::complete_template;
pub use uploads::{Created, NewFile, UploadError, Uploads};

/// When an invocation ends: at Lambda's deadline (milliseconds since 1970), or after `default` if there is none.
pub fn deadline(epoch_ms: u64, default: SignedDuration) -> Timestamp {
    let deadline = i64::try_from(epoch_ms).ok().filter(|&ms| ms > 0);
    let deadline = deadline.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    deadline.unwrap_or_else(|| vod_aws::now() + default)
}
