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

/// What `--fault` was given.
pub(super) struct Sources(Vec<Source>);

enum Source {
    Argument(String),
    File(PathBuf),
}

impl Sources {
    pub(super) fn new(arguments: &[String]) -> Self {
        let source = |argument: &String| {
            if argument.contains('=') {
                Source::Argument(argument.clone())
            } else {
                Source::File(argument.into())
            }
        };
        Self(arguments.iter().map(source).collect())
    }

    /// All of it as it is now.
    pub(super) fn read(&self) -> Result<Rules, FaultsError> {
        let mut rules = Rules::default();
        for source in &self.0 {
            match source {
                Source::Argument(text) => add(&mut rules, text, String::new)?,
                Source::File(file) => {
                    let text = std::fs::read_to_string(file).map_err(|source| FaultsError::File {
                        file: file.clone(),
                        source,
                    })?;
                    for (number, line) in (1..).zip(text.lines()) {
                        let line = line.split('#').next().unwrap_or_default().trim();
                        if !line.is_empty() {
                            add(&mut rules, line, || {
                                format!(" ({} line {number})", file.display())
                            })?;
                        }
                    }
                }
            }
        }
        Ok(rules)
    }
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
        let error = Sources::new(std::slice::from_ref(&path))
            .read()
            .unwrap_err()
            .to_string();
        let expected =
            format!("the fault `s3.50=1` ({path} line 3) is not understood: `s3` has no fault `50`");
        assert!(error.starts_with(&expected), "{error}");
        assert!(error.contains("events.duplicate=0.1"), "{error}");

        let error = Sources::new(&["drop".to_owned()]).read().unwrap_err().to_string();
        assert!(
            error.starts_with("failed to read faults from the file drop: "),
            "{error}"
        );
    }
}
