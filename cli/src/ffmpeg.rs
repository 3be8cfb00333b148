//! Checks that ffmpeg and ffprobe are installed and have the encoders that the local stack needs.

use std::path::Path;

use anyhow::{Context, ensure};
use vod_state::endpoints::Programs;

/// Instructions for installing them.
pub(crate) const INSTALL: &str = "install ffmpeg with libx264 and aac (`sudo apt install ffmpeg`, `brew install ffmpeg`), then \
                                  start `vod up` again";
/// The encoders of the default template.
const ENCODERS: [&str; 2] = ["libx264", "aac"];

/// Runs both programs. Returns ffmpeg's version line and path.
pub(crate) async fn check(programs: &Programs) -> anyhow::Result<String> {
    run(&programs.ffprobe, "-version").await?;
    let encoders = run(&programs.ffmpeg, "-encoders").await?;
    for encoder in ENCODERS {
        let is_there = encoders.split_whitespace().any(|word| word == encoder);
        ensure!(
            is_there,
            "`{}` has no encoder {encoder}",
            programs.ffmpeg.display()
        );
    }
    let version = run(&programs.ffmpeg, "-version").await?;
    let version = version.lines().next().unwrap_or("ffmpeg");
    Ok(format!("{version}, at {}", programs.ffmpeg.display()))
}

async fn run(program: &Path, argument: &str) -> anyhow::Result<String> {
    let shown = program.display();
    let output = tokio::process::Command::new(program)
        .args(["-hide_banner", argument])
        .kill_on_drop(true)
        .output()
        .await;
    let output = output.with_context(|| format!("could not run `{shown}`"))?;
    ensure!(output.status.success(), "`{shown}` ended with {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn missing_programs_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let program = |name: &str, says: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let probe = program("probe", "ffprobe version 7");
        let with = |ffmpeg: std::path::PathBuf| Programs {
            ffmpeg,
            ffprobe: probe.clone(),
        };
        for (ffmpeg, words) in [
            (folder.path().join("none"), "could not run"),
            (program("poor", "A aac"), "has no encoder libx264"),
        ] {
            let error = format!("{:#}", check(&with(ffmpeg)).await.unwrap_err());
            assert!(error.contains(words), "{error}");
        }
        let version = check(&with(program("good", "V libx264 A aac"))).await.unwrap();
        assert!(
            version.starts_with("V libx264") && version.ends_with("/good"),
            "{version}"
        );
    }
}
