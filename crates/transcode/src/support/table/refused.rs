//! Settings that the engine does not support, with the reason. A setting of the API that is in no table is refused too.

use crate::support::Support::{self, Refused};

const VENDOR: &str = "it needs software or a service of its vendor";

pub(super) const REFUSED: &[(&str, Support)] = &[("kantarWatermark/**", Refused(VENDOR))];
pub(super) const REFUSED_INPUT: &[(&str, Support)] = &[];
pub(super) const REFUSED_GROUP: &[(&str, Support)] = &[];
pub(super) const REFUSED_OUTPUT: &[(&str, Support)] = &[];
