//! `vod up` in a build without the local stack: says how to get one that has it.

use std::ffi::OsString;
use std::path::Path;

use anyhow::bail;

/// Run the whole pipeline on this machine (not in this build)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Ignored
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _ignored: Vec<OsString>,
}

#[expect(clippy::unused_async, reason = "as in a build with the local stack")]
pub(crate) async fn run(_state: &Path, _args: &Args) -> anyhow::Result<()> {
    bail!(
        "this `vod` was built without the local stack: build it with the feature `local`, which is on by default \
         (`cargo install --path cli`)"
    )
}
