//! Runs a `MediaConvert` job: probe, plan, run.
//!
//! [`probe`] reads the properties of the input; [`plan::plan`], a pure function, turns them and the job settings into a
//! [`plan::Plan`]; [`exec::run`] runs it; [`produced::Produced`] lists the files and their keys.
//!
//! [`support`] lists the settings that are supported, that make no difference, and that are refused with their path.

pub mod adts;
mod bounds;
pub mod boxes;
pub mod closed;
pub mod confine;
pub mod dash;
pub mod exec;
mod failure;
pub mod image;
mod measure;
pub mod plan;
pub mod playlist;
pub mod probe;
mod process;
pub mod produced;
mod room;
pub mod support;
pub mod transport;

pub use mediaconvert_job::error_code;

/// The error of a job: `MediaConvert`'s code and a message like its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: u32,
    pub message: String,
}
