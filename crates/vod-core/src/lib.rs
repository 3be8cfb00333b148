//! crates/vod-core
