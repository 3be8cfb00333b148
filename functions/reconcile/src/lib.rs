//! The reconcile function: compares uploads, records, jobs and outputs, and submits again what was lost.

mod config;
mod handler;

pub use config::{Config, GRACE_SECONDS, RETRY_SECONDS};
pub use handler::handle;
