//! The pure core of the pipeline: values in, values out.
//!
//! # Architecture invariant
//!
//! Nothing here does I/O: no async, no environment, no clock (`now` is a parameter), no AWS SDK. What is
//! decided here can therefore be tested without a server and is the same on AWS and on one machine.

pub mod asset;
pub mod attempt;
pub mod cloudfront;
pub mod cursor;
pub mod digest;
pub mod error_codes;
pub mod events;
pub mod grant;
pub mod job;
pub mod keys;
pub mod language;
pub mod metrics;
pub mod mp4;
pub mod newest;
pub mod object;
pub mod owner;
pub mod playlist;
pub mod queues;
pub mod record;
pub mod removal;
pub mod search;
pub mod state;
pub mod time_stamps;
pub mod upload;
