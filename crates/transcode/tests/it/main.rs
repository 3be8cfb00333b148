//! Tests that run ffmpeg on generated clips.

mod captions;
mod closed;
mod codecs;
mod common;
mod confine;
mod encode;
mod encoders;
mod files;
mod hostile;
mod hour;
mod joined;
mod packaging;
mod pictures;
mod random;
mod sound;
mod streaming;
mod templates;
