//! The reconcile function: compares uploads, records, jobs and outputs, and sends again what was lost.
//!
//! It repairs nothing itself. A lost upload goes through `submit`, a lost event through `complete`, so that there is
//! one way for each, and whatever runs at the same time is as safe as two deliveries of one message.
//!
//! - `decide`: what is to be done, from values alone.
//! - `outputs`: the COMPLETE event of a job, from its settings and a listing.
//! - `pass`: one way through the bucket, page by page: uploads, records, outputs.
//! - `look`: what is looked at, and told.
//! - `mend`, `rebuild`: the repairs.

mod config;
mod decide;
mod handler;
mod look;
mod mend;
mod outputs;
mod pass;
mod rebuild;
mod reconcile;
mod summary;

pub use config::{Config, GRACE_SECONDS, RETRY_SECONDS};
pub use reconcile::{CURSOR, Options, Reconcile, ReconcileError};
pub use summary::{Note, Summary};
