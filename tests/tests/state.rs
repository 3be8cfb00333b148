//! The state folder after accidents: what is lost, what is refused, and what a person is told.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use vod_tests::{LocalStack, tools};

/// The content files below a folder.
fn content_files(objects: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(objects)? {
        let folder = folder?;
        if folder.file_name().len() == 2 {
            for file in std::fs::read_dir(folder.path())? {
                found.push(file?.file_name().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[test]
fn a_lost_database_deletes_no_content_file_and_the_next_start_says_what_to_do() -> anyhow::Result<()> {
    let mut stack = LocalStack::start()?;
    let large = stack.scratch().join("large");
    std::fs::write(&large, vec![7; 1 << 20])?;
    stack.put_file("kept/large", &large)?;
    stack.kill()?;
    let (state, aside) = (stack.state(), stack.scratch().join("aside"));
    let before = content_files(&state.join("objects"))?;
    ensure!(!before.is_empty());
    std::fs::create_dir(&aside)?;
    let names = ["vod.db", "vod.db-wal", "vod.db-shm"];
    for name in names {
        std::fs::rename(state.join(name), aside.join(name))?;
    }

    let mut command = Command::new(tools::built("vod")?);
    command.arg("--state").arg(&state);
    command.args(["up", "--api", "127.0.0.1:0", "--edge", "127.0.0.1:0"]);
    let refused = tools::output(&mut command)?;
    let text = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(1), "{text}");
    for part in [
        "vod.db` is missing or empty",
        "Put vod.db back from a backup",
        "move `",
    ] {
        ensure!(text.contains(part), "{part} is not in: {text}");
    }
    ensure!(content_files(&state.join("objects"))? == before);
    ensure!(!state.join("vod.db").exists(), "an empty database was made");

    for name in names {
        std::fs::rename(aside.join(name), state.join(name))?;
    }
    let stack = stack.kill_and_start_again()?;
    let folder = stack.download("kept/")?;
    ensure!(std::fs::read(folder.join("large"))? == std::fs::read(&large)?);
    Ok(())
}
