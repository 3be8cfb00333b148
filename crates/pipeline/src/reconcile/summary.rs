//! The findings of a pass, as they are logged and returned.

use serde::{Deserialize, Serialize};
use vod_core::metrics::{self, Passed, What};

/// Findings that are listed one by one. The others are only counted.
const NOTES_MAX: usize = 100;

/// The figures of one pass. A pass that takes several invocations adds up over all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Uploads, records and output folders.
    pub looked_at: u64,
    /// Found to be missing, stuck or forgotten.
    pub lost: u64,
    /// Of those: brought back on their way. Always 0 in a dry run.
    pub mended: u64,
    /// Needs manual repair; the notes give the reason.
    pub given_up: u64,
    /// Still on its way, or waiting for its next try.
    pub waiting: u64,
    /// Could not be checked or repaired this time; the next pass tries again.
    pub failed: u64,
    pub dry_run: bool,
    /// Whether the pass is through; otherwise the next run goes on where this one stopped.
    pub finished: bool,
    pub notes: Vec<Note>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// An asset id.
    pub asset: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What was found.
    pub found: String,
    /// The result: `repaired`, `given up`, `failed: …`, `would be repaired`.
    pub outcome: String,
}

/// The outcome of one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Mended,
    /// A dry run.
    WouldMend,
    GivenUp,
    Failed(String),
}

impl Summary {
    /// The numbers of findings and of repairs so far.
    pub(super) fn findings(&self) -> (u64, u64) {
        (self.lost, self.mended)
    }

    /// The outcome to report since there were so many findings and repairs; `None` if there is nothing new.
    pub(super) fn since(&self, (lost, mended): (u64, u64)) -> Option<metrics::Outcome> {
        let (lost, mended) = (self.lost.saturating_sub(lost), self.mended.saturating_sub(mended));
        let passed = self.finished.then_some(Passed {
            given_up: self.given_up,
            failed: self.failed,
        });
        let what = What::Reconciled { lost, mended, passed };
        (lost > 0 || mended > 0 || passed.is_some()).then_some(metrics::Outcome { what, subject: None })
    }

    /// Counts one finding, and notes it while there is room.
    pub(super) fn add(&mut self, asset: &str, key: Option<&str>, found: &str, outcome: &Outcome) {
        let text = match outcome {
            Outcome::Mended => "repaired",
            Outcome::WouldMend => "would be repaired",
            Outcome::GivenUp => "given up",
            Outcome::Failed(_) => "failed",
        };
        match outcome {
            Outcome::Mended => (self.lost, self.mended) = (self.lost + 1, self.mended + 1),
            Outcome::WouldMend => self.lost += 1,
            Outcome::GivenUp => (self.lost, self.given_up) = (self.lost + 1, self.given_up + 1),
            Outcome::Failed(_) => self.failed += 1,
        }
        let text = match outcome {
            Outcome::Failed(error) => format!("{text}: {error}"),
            _ => text.to_owned(),
        };
        match outcome {
            Outcome::Failed(_) | Outcome::GivenUp => tracing::error!(asset, key, found, outcome = text),
            _ => tracing::warn!(asset, key, found, outcome = text),
        }
        if self.notes.len() < NOTES_MAX {
            self.notes.push(Note {
                asset: asset.to_owned(),
                key: key.map(str::to_owned),
                found: found.to_owned(),
                outcome: text,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_in_parts_counts_each_finding_once() {
        let mut summary = Summary::default();
        assert_eq!(summary.since((0, 0)), None);
        summary.add("a", None, "no record", &Outcome::Mended);
        let what = |outcome: Option<metrics::Outcome>| outcome.unwrap().what;
        let (lost, mended, passed) = (1, 1, None);
        let first = What::Reconciled { lost, mended, passed };
        assert_eq!(what(summary.since((0, 0))), first);
        let reported = summary.findings();
        assert_eq!(summary.since(reported), None);
        summary.add("b", None, "no record", &Outcome::GivenUp);
        summary.add("c", None, "no record", &Outcome::Failed("503".into()));
        summary.finished = true;
        let passed = Some(Passed {
            given_up: 1,
            failed: 1,
        });
        let (lost, mended) = (1, 0);
        let ending = What::Reconciled { lost, mended, passed };
        assert_eq!(what(summary.since(reported)), ending);
    }

    #[test]
    fn every_finding_is_counted_and_the_first_are_listed() {
        let mut summary = Summary::default();
        for _ in 0..NOTES_MAX {
            summary.add("a", None, "no record", &Outcome::Mended);
        }
        summary.add("b", Some("input/b"), "no record", &Outcome::GivenUp);
        summary.add("c", None, "no record", &Outcome::Failed("503".into()));
        assert_eq!(summary.notes.len(), NOTES_MAX);
        let figures = (summary.lost, summary.mended, summary.given_up, summary.failed);
        assert_eq!(figures, (101, 100, 1, 1));
    }
}
