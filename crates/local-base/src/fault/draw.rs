//! Draws, from one seed, which faults happen.
//!
//! Each draw is a hash of the seed, the fault's name, what the call or event is about, and how many of these there
//! have been. Time and the order of unrelated things have no part in it, so what one upload meets with is the same
//! in each run with the seed, however many others are under way.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use super::spec::{Rule, When};

/// How often each fault has been asked about, in the life of this process.
#[derive(Debug, Default)]
pub(super) struct Draws {
    /// By a hash of the fault's name and the subject: a run of a million uploads fits into memory.
    counts: Mutex<HashMap<u64, u64>>,
}

impl Draws {
    /// Whether the fault of `rule` happens to `subject` this time, and the time that belongs to it, out of its span.
    pub(super) fn draw(&self, seed: u64, rule: &Rule, subject: &str) -> Option<Duration> {
        // "The third PutObject" means of all of them.
        let counted = match rule.when {
            When::Nth(_) => "",
            When::Rate(_) => subject,
        };
        let number = self.count(&rule.name, counted);
        let [chance, place] = words(&format!("{seed}\0{}\0{counted}\0{number}", rule.name));
        let happens = match rule.when {
            When::Nth(nth) => number == nth,
            When::Rate(rate) => f64::from(chance) < rate * 4_294_967_296.0,
        };
        let (from, to) = (u64::from(rule.span.from), u64::from(rule.span.to));
        let pause = Duration::from_millis(from + (((to - from) * u64::from(place)) >> 32));
        happens.then_some(pause)
    }

    /// The number of this time, from 1.
    fn count(&self, name: &str, subject: &str) -> u64 {
        let [high, low] = words(&format!("{name}\0{subject}"));
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(u64::from(high) << 32 | u64::from(low)).or_default();
        *count += 1;
        *count
    }
}

/// Two numbers that follow from a text, the same on every machine and with every version of the program.
fn words(text: &str) -> [u32; 2] {
    let hash = digest(&SHA256, text.as_bytes());
    let word = |at: usize| {
        hash.as_ref()[at..]
            .first_chunk()
            .map_or(0, |bytes| u32::from_be_bytes(*bytes))
    };
    [word(0), word(4)]
}

#[cfg(test)]
mod tests {
    use super::super::spec::Rules;
    use super::*;

    fn rule(text: &str) -> Rule {
        let mut rules = Rules::default();
        rules.add(text).unwrap();
        rules.list.remove(0)
    }

    fn draws(seed: u64, rule: &Rule, subjects: &[&str]) -> Vec<Option<Duration>> {
        let draws = Draws::default();
        subjects
            .iter()
            .map(|subject| draws.draw(seed, rule, subject))
            .collect()
    }

    #[test]
    fn the_same_seed_the_same_faults() {
        let (rule, subjects) = (rule("events.delay=0.5"), ["a", "b", "a", "a", "c"].repeat(20));
        assert_eq!(draws(7, &rule, &subjects), draws(7, &rule, &subjects));
        assert_ne!(draws(7, &rule, &subjects), draws(8, &rule, &subjects));
    }

    #[test]
    fn faults_of_one_call_do_not_depend_on_others() {
        let rule = rule("s3.503=0.5");
        let alone = draws(7, &rule, &["a"; 50]);
        let mixed = draws(7, &rule, &["a", "b", "c"].repeat(50));
        assert_eq!(alone, mixed.into_iter().step_by(3).collect::<Vec<_>>());
    }

    #[test]
    fn two_faults_happen_independently() {
        let (one, two) = (rule("s3.503=0.5"), rule("s3.500=0.5"));
        let subjects = vec!["a"; 64];
        assert_ne!(draws(7, &one, &subjects), draws(7, &two, &subjects));
    }

    #[test]
    fn rates_are_kept_and_times_stay_within_their_span() {
        for (text, least, most) in [
            ("events.delay=0:10-20", 0, 0),
            ("events.delay=0.1:10-20", 800, 1200),
            ("events.delay=1:10-20", 10_000, 10_000),
        ] {
            let drawn = draws(1, &rule(text), &vec!["a"; 10_000]);
            let happened: Vec<Duration> = drawn.into_iter().flatten().collect();
            assert!(
                (least..=most).contains(&happened.len()),
                "{text}: {}",
                happened.len()
            );
            let span = Duration::from_millis(10)..=Duration::from_millis(20);
            assert!(happened.iter().all(|pause| span.contains(pause)));
        }
    }

    #[test]
    fn the_nth_is_counted_over_all_subjects() {
        let happened = draws(1, &rule("PutObject.503=@3"), &["a", "b", "c", "d", "c"]);
        let which: Vec<bool> = happened.iter().map(Option::is_some).collect();
        assert_eq!(which, [false, false, true, false, false]);
    }

    /// The words of a seed are a promise: a failure of last year can be played again.
    #[test]
    fn draws_are_the_same_for_ever() {
        assert_eq!(
            words("42\0events.drop\0input/a.mp4\x001"),
            [1_587_440_615, 3_595_096_158]
        );
    }
}
