//! The programs that the tests drive.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, bail};

/// A binary of the workspace, built beside this test: `vod`, `submit`, `complete`, `signer`.
pub fn built(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("this test does not know where it lies")?;
    // <target>/<profile>/deps/<test>: the binaries lie one folder up.
    let folder = test
        .parent()
        .and_then(Path::parent)
        .context("not below a target folder")?;
    let path = folder.join(name);
    if !path.is_file() {
        bail!(
            "`{}` is not built: run the tests with `make test`, or build it with `cargo build --workspace`",
            path.display()
        );
    }
    Ok(path)
}

/// The AWS CLI on the path. `make test` puts the one there that it installed.
pub fn aws() -> Command {
    let mut command = Command::new("aws");
    // Nothing of the developer's own configuration may reach a test.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "");
    command
}

/// Runs a program to its end; its standard output, or an error with what it said.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = output(command)?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}{}",
            name(command),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    String::from_utf8(output.stdout).context("the output is not UTF-8")
}

/// Runs a program to its end, whatever it says.
pub fn output(command: &mut Command) -> anyhow::Result<Output> {
    command
        .stdin(std::process::Stdio::null())
        .output()
        .with_context(|| {
            format!(
                "`{}` cannot be run: install it with `scripts/setup.sh run test`",
                name(command)
            )
        })
}

fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

/// Processes whose command line mentions `text`.
pub fn processes_with(program: &str, text: &OsStr) -> anyhow::Result<Vec<u32>> {
    let text = text.to_string_lossy();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("these tests need /proc")? {
        let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // A process may end while we look.
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        let is_it = line
            .split('\0')
            .next()
            .is_some_and(|first| first.rsplit('/').next() == Some(program));
        if is_it && line.contains(&*text) {
            found.push(id);
        }
    }
    Ok(found)
}
