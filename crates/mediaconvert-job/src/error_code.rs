//! Names MediaConvert's error codes (user guide, "MediaConvert error codes") and the codes that only this project uses.
//!
//! `vod_core::error_codes` explains them.

/// The input cannot be opened.
pub const UNREADABLE: u32 = 1010;
/// An output needs video, but the input has no video track.
pub const NO_VIDEO: u32 = 1020;
/// An output needs audio, but the input has no audio track.
pub const NO_AUDIO: u32 = 1021;
/// The codec of the input is not supported.
pub const UNSUPPORTED_CODEC: u32 = 1030;
/// A setting is wrong or not supported.
pub const BAD_SETTING: u32 = 1040;
/// The content of the input cannot be decoded.
pub const UNDECODABLE: u32 = 1075;
/// The input ends early.
pub const TRUNCATED: u32 = 1076;
/// Reading the input or writing an output was denied.
pub const DENIED: u32 = 1401;
/// The input does not exist.
pub const NOT_FOUND: u32 = 1404;
/// The disk is full.
pub const DISK_FULL: u32 = 1507;
/// The encoder failed with an internal error.
pub const INTERNAL: u32 = 1999;
/// The policy of the account does not allow the input.
pub const POLICY: u32 = 3457;

/// The upload exceeds a limit of this machine (`vod up` only).
pub const LIMIT: u32 = 900_101;
/// The message of the upload failed at every delivery.
pub const UNDELIVERABLE: u32 = 900_503;
