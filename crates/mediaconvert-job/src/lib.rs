//! crates/mediaconvert-job
