//! The one-machine stack: wires services that speak the protocols of S3, MediaConvert, Lambda, SQS and CloudFront on loopback,
//! and the pipeline's own functions behind them.
//!
//! Between functions and services everything crosses real HTTP with the same JSON as on AWS. The services are crates of their
//! own (`local-s3`, `local-mediaconvert`, `local-lambda`, `local-edge`) that do not know each other; this crate has the rest: SQS's API,
//! the ports, metrics, the page, key rotation.

pub mod api;
mod door;
pub mod metrics;
mod reconciler;
mod rotation;
pub mod sqs;
pub mod stack;
mod web;

pub use local_base::fault::SYNTAX as FAULT_SYNTAX;
pub use local_edge::web_origin;
