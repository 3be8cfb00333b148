//! A `MediaConvert` job as one ffmpeg process: probe, plan, run.
//!
//! [`probe`] says what the input is; [`plan::plan`] turns job settings and that into a [`plan::Plan`], purely;
//! [`exec::run`] runs it; [`produced::Produced`] says which files came out and under which keys they belong.
//!
//! What is honoured, what makes no difference and what is refused stands in [`support`]. CMAF, DASH and Smooth
//! groups, HEVC and other codecs are refused with the path of the setting.

mod bounds;
pub mod confine;
pub mod exec;
mod failure;
pub mod plan;
pub mod playlist;
pub mod probe;
mod process;
pub mod produced;
mod room;
pub mod support;

/// How a job ends in error: `MediaConvert`'s code and a text like its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub code: u32,
    pub message: String,
}
