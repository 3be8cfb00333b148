//! The complete function: what MediaConvert says of a job goes on record.

mod config;
mod handler;

pub use config::{APPLICATION, BUCKET, Config};
pub use handler::{Complete, CompleteError, record_event};
