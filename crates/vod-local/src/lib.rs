//! crates/vod-local

pub mod access;
pub mod clock;
pub mod db;
pub mod events;
pub mod ids;
pub mod lambda;
pub mod queue;
pub mod sigv4;
