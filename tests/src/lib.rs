//! The end-to-end tests share this crate: a stack of their own, generated clips, the real tools.
//!
//! Everything is driven from outside, as a person would: the built `vod` binary, the AWS CLI, ffmpeg, plain
//! HTTP. A tool that is missing fails the test with a line that says what to do.

mod calls;
pub mod clips;
pub mod film;
pub mod http;
pub mod media;
pub mod stack;
pub mod time;
pub mod tools;
pub mod wait;

pub use stack::LocalStack;
