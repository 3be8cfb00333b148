//! crates/vod-local

pub mod clock;
pub mod db;
pub mod ids;
pub mod queue;
