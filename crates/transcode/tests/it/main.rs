//! Tests that run ffmpeg on generated clips.

mod common;
mod encode;
mod hostile;
mod random;
