//! The signer over HTTP, on a stand-in for S3 that holds objects in memory.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod logs;
mod newest;
mod play;
mod playback;
mod random;
mod reach;
mod s3;
mod world;
