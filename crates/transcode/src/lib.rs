//! crates/transcode
