//! Systems that have nothing to confine an encoder with.

use std::ffi::OsString;

use super::{Confinement, FAILED};

pub(super) fn run(_: &Confinement, _: &[OsString]) -> (i32, String) {
    (FAILED, "only Linux can confine a process".to_owned())
}
