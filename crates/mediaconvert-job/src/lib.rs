//! The `MediaConvert` job JSON: the two spellings it is written in, the templates people keep, the rules
//! the API checks before it accepts a job, and the names of the files a job will write.
//!
//! Architecture invariant: this crate is pure. It takes values and returns values; it has no async, reads no
//! environment, no clock, no files, and knows no SDK.

pub mod model;
pub mod names;
pub mod template;
pub mod validate;
pub mod wire;

pub use template::{Template, TemplateError};
pub use wire::to_wire;
