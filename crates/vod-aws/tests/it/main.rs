//! The calls of this crate, against canned responses. One program, because each links two large SDK crates.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod bucket;
mod call;
mod create_job;
mod listing;
