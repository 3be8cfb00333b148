//! The parts that the fuzz targets share.
//!
//! A target asserts what must hold for every input, and not only that nothing panics. Inputs are text wherever
//! that is possible, so that seeds can be read, written and reviewed: documents are edits of a good one
//! ([`edits`]), requests look as they do in HTTP/1.1.

pub mod edits;
#[cfg(feature = "http")]
pub mod http;
pub mod keys;

use serde_json::Value;

/// The built-in template's settings, in the wire's spelling.
pub fn default_settings() -> Value {
    mediaconvert_job::Template::parse(include_bytes!("../../job-templates/default.json"))
        .expect("the built-in template is one")
        .settings
}
