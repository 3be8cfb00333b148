//! The sources of faults: arguments, and files that can be changed while the stack runs.

use std::io;
use std::path::PathBuf;

use super::spec::{Rules, SYNTAX, SpecError};

/// Why the faults that were asked for cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FaultsError {
    #[error("the fault `{text}`{place} is not understood: {source}\n\n{SYNTAX}")]
    Spec {
        text: String,
        /// The file and line, where it is one.
        place: String,
        source: SpecError,
    },
    #[error("failed to read faults from the file {}: {source}\n\n{SYNTAX}", .file.display())]
    File { file: PathBuf, source: io::Error },
}

/// Reads all that `--fault` was given, as it is now: faults, and files of faults.
pub(super) fn read(arguments: &[String]) -> Result<Rules, FaultsError> {
    let mut rules = Rules::default();
    for argument in arguments {
        if argument.contains('=') {
            add(&mut rules, argument, String::new)?;
            continue;
        }
        let text = std::fs::read_to_string(argument).map_err(|source| FaultsError::File {
            file: argument.into(),
            source,
        })?;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                add(&mut rules, line, || format!(" ({argument} line {number})"))?;
            }
        }
    }
    Ok(rules)
}

fn add(rules: &mut Rules, text: &str, place: impl FnOnce() -> String) -> Result<(), FaultsError> {
    rules.add(text).map_err(|source| FaultsError::Spec {
        text: text.to_owned(),
        place: place(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_line_is_found_and_what_there_is_is_listed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("storm.faults");
        std::fs::write(&file, "# a storm\nevents.drop=0.1\ns3.50=1 # wrong\n").unwrap();
        let path = file.to_string_lossy().into_owned();
        let error = read(std::slice::from_ref(&path)).unwrap_err().to_string();
        let expected =
            format!("the fault `s3.50=1` ({path} line 3) is not understood: `s3` has no fault `50`");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("events.duplicate=0.1"), "{error}");

        let error = read(&["drop".to_owned()]).unwrap_err().to_string();
        assert!(
            error.starts_with("failed to read faults from the file drop: "),
            "{error}"
        );
    }
}
