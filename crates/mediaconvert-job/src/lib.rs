//! Models the `MediaConvert` job JSON: its two spellings, templates, the rules that the API checks before it accepts a
//! job, and the names of the files that a job writes.
//!
//! Architecture invariant: this crate is pure. It takes values and returns values; it has no async, reads no
//! environment, no clock, no files, and knows no SDK.

pub mod error_code;
pub mod group;
pub mod model;
pub mod names;
pub mod overlay;
pub mod system_preset;
pub mod template;
pub mod validate;
pub mod wire;

pub use template::{Template, TemplateError};
pub use wire::to_wire;
