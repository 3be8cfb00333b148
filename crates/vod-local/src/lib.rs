//! The one-machine stack: services that speak the protocols of S3, MediaConvert, Lambda and CloudFront on
//! loopback, and the pipeline's own functions behind them.
//!
//! Each room only translates between its protocol and the state on disk. Between functions and services everything
//! crosses real HTTP and the real JSON, as on AWS.

pub mod access;
#[cfg(test)]
mod api_tests;
pub mod clock;
pub mod cloudfront;
mod date;
pub mod db;
mod door;
pub mod edge;
pub mod events;
pub mod fault;
mod intake;
pub mod lambda;
pub mod mediaconvert;
pub mod metrics;
pub mod queue;
mod reconciler;
mod rotation;
pub mod s3;
mod serve;
pub mod sigv4;
pub mod sqs;
pub mod stack;
#[cfg(test)]
mod testing;
mod web;
pub mod web_origin;
