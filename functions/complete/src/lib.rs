//! The complete function: MediaConvert's events about a job go on record.

mod config;
mod handler;

pub use config::{APPLICATION, BUCKET, Config};
pub use handler::handle;
