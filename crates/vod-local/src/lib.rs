//! crates/vod-local
