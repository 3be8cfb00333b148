//! Uploads of a local stack: lost ones, and those that need a person.
//!
//! `reconcile` and the dead letters may concern the same upload. Each upload is reported once, where a remedy works.

use std::collections::BTreeSet;

use anyhow::{anyhow, ensure};
use pipeline::{Note, Summary};

use super::Passed;
use crate::dead_letters;
use crate::output::pasted;
use crate::stack::Stack;

/// Uploads younger than this may still be on their way.
pub(super) const GRACE_SECONDS: u32 = 60;
/// Number of uploads that are named; the others are only counted.
const NAMED: usize = 3;

/// Checks that every upload older than the grace period has its record. Uploads that were given up are named, but are no
/// fault of the stack.
pub(super) fn records(looked: &anyhow::Result<Summary>, options: &str) -> anyhow::Result<Passed> {
    let summary = looked.as_ref().map_err(|error| anyhow!("{error:#}"))?;
    let (given_up, lost): (Vec<_>, Vec<_>) =
        summary.notes.iter().partition(|note| note.outcome == "given up");
    let lost_count = summary.lost - summary.given_up.min(summary.lost);
    ensure!(
        lost_count == 0,
        "{lost_count} uploads are stuck or lost ({})",
        named(&lost)
    );
    let text = format!("every upload has its record ({} looked at)", summary.looked_at);
    let Some(first) = given_up.first() else {
        return Ok(text.into());
    };
    Ok(Passed {
        detail: format!(
            "{text}; {} were given up ({})",
            summary.given_up,
            named(&given_up)
        ),
        advice: Some(format!(
            "upload a file that works under the same name, or take it down with `vod rm{options} {} --source`",
            pasted(&first.asset)
        )),
    })
}

fn named(notes: &[&Note]) -> String {
    let words: Vec<_> = notes
        .iter()
        .take(NAMED)
        .map(|note| format!("{}: {}", note.key.as_deref().unwrap_or(&note.asset), note.found))
        .collect();
    words.join("; ")
}

/// Checks that there are no dead letters to act on. Those of uploads that have ended, or that `reconcile` reports, are
/// leftovers.
pub(super) async fn dead(
    stack: &Stack,
    looked: &anyhow::Result<Summary>,
    options: &str,
) -> anyhow::Result<Passed> {
    let letters = dead_letters::letters(stack).await?;
    let notes = looked.as_ref().map_or(&[][..], |summary| &summary.notes);
    let reported: BTreeSet<_> = notes.iter().map(|note| note.asset.as_str()).collect();
    let (over, open): (Vec<_>, Vec<_>) = letters
        .iter()
        .partition(|letter| letter.is_over || letter.asset().is_some_and(|asset| reported.contains(asset)));
    let of = |letters: &[&dead_letters::DeadLetter]| {
        let words: Vec<_> = letters.iter().take(NAMED).map(|letter| letter.words()).collect();
        format!("{} ({})", letters.len(), words.join("; "))
    };
    ensure!(open.is_empty(), "{} wait", of(&open));
    if over.is_empty() {
        return Ok("none".to_owned().into());
    }
    Ok(Passed {
        detail: format!(
            "none to act on; of uploads that have ended or are reported below: {}",
            of(&over)
        ),
        advice: Some(format!(
            "`vod dead-letters{options}` shows them; they expire by themselves"
        )),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(outcomes: &[&str]) -> Summary {
        let note = |(index, outcome): (usize, &&str)| Note {
            asset: format!("film-{index}"),
            key: Some(format!("input/{index}.mp4")),
            found: "it failed".to_owned(),
            outcome: (*outcome).to_owned(),
        };
        let count = |word: &str| outcomes.iter().filter(|outcome| **outcome == word).count() as u64;
        Summary {
            looked_at: 9,
            lost: outcomes.len() as u64,
            given_up: count("given up"),
            notes: outcomes.iter().enumerate().map(note).collect(),
            ..Summary::default()
        }
    }

    #[test]
    fn one_bad_file_does_not_break_the_stack() {
        let well = records(&Ok(summary(&[])), "").unwrap();
        assert_eq!(
            (well.detail.as_str(), well.advice),
            ("every upload has its record (9 looked at)", None)
        );

        let passed = records(&Ok(summary(&["given up"])), " --state /x").unwrap();
        assert!(
            passed.detail.contains("input/0.mp4: it failed"),
            "{}",
            passed.detail
        );
        let advice = passed.advice.unwrap();
        assert!(advice.contains("`vod rm --state /x film-0 --source`"), "{advice}");

        let error = records(&Ok(summary(&["given up", "would be repaired"])), "")
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("1 uploads") && error.contains("input/1.mp4") && !error.contains("input/0"),
            "{error}"
        );
        assert!(records(&Err(anyhow!("no answer")), "").is_err());
    }
}
