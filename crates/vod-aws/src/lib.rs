//! crates/vod-aws
