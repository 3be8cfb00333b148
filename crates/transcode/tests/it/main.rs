//! Tests that run ffmpeg on generated clips.

mod common;
mod encode;
mod files;
mod hostile;
mod random;
