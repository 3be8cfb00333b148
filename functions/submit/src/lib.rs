//! The submit function: an upload becomes a record and a MediaConvert job.

mod config;
mod handler;

pub use config::{Config, DEFAULT_MAX_RECEIVES, MAX_RECEIVES};
pub use handler::handle;
