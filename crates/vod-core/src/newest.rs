//! The index of the records by time, the newest first: one object per record, without content.
//!
//! S3 lists keys in ascending order only, so the time in a key counts down. An entry is written after its record, by
//! the same claim; `reconcile` writes those that a claim has left out, and a reader skips those without a record.

use jiff::Timestamp;

use crate::asset::AssetId;

/// The folder of the entries.
pub const NEWEST: &str = "ops/newest/";

/// The time that has the lowest key, in milliseconds: thirteen digits last until the year 2286.
const END_MS: i64 = 9_999_999_999_999;
/// Digits of a time in a key.
const DIGITS: usize = 13;

/// One entry of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The time at which the record was created, to the millisecond.
    pub created_at: Timestamp,
    pub id: AssetId,
}

impl Entry {
    pub fn new(created_at: Timestamp, id: &AssetId) -> Self {
        Self {
            created_at,
            id: id.clone(),
        }
    }

    /// Its key: `ops/newest/<9999999999999 − milliseconds>-<asset>`.
    pub fn key(&self) -> String {
        format!("{}-{}", place(self.created_at), self.id)
    }

    /// The entry at `key`, if it is an entry's key.
    pub fn from_key(key: &str) -> Option<Self> {
        let (digits, id) = key.strip_prefix(NEWEST)?.split_at_checked(DIGITS)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let left: i64 = digits.parse().ok()?;
        Some(Self {
            created_at: Timestamp::from_millisecond(END_MS - left).ok()?,
            id: id.strip_prefix('-')?.parse().ok()?,
        })
    }
}

/// The beginning of the keys of this time.
fn place(time: Timestamp) -> String {
    let left = END_MS - time.as_millisecond().clamp(0, END_MS);
    format!("{NEWEST}{left:0DIGITS$}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(ms: i64) -> Entry {
        let id = AssetId::new("vod", "input/film.mp4", None, "abc");
        Entry::new(Timestamp::from_millisecond(ms).unwrap(), &id)
    }

    proptest! {
        #[test]
        fn later_entries_come_first(a in 0..END_MS, b in 0..END_MS) {
            let (one, two) = (entry(a), entry(b));
            prop_assert_eq!(one.key().cmp(&two.key()), b.cmp(&a));
            prop_assert_eq!(Entry::from_key(&one.key()), Some(one));
        }

        #[test]
        fn no_key_is_a_fault(rest in "\\PC{0,40}") {
            let _ = Entry::from_key(&format!("{NEWEST}{rest}"));
        }
    }

    #[test]
    fn a_key_is_read_whole_or_not_at_all() {
        let key = entry(1_790_000_000_123).key();
        assert_eq!(key, format!("ops/newest/8209999999876-{}", entry(0).id));
        let id = key.split_once('-').unwrap().1;
        for other in [
            "ops/newest/".to_owned(),
            "ops/newest/8209999999876".to_owned(),
            "ops/newest/8209999999876-".to_owned(),
            format!("ops/newest/820999999987-{id}"),
            format!("ops/newest/+209999999876-{id}"),
            format!("ops/removed/8209999999876-{id}"),
            format!("ops/newest/8209999999876-{id}.json"),
        ] {
            assert_eq!(Entry::from_key(&other), None, "{other}");
        }
    }
}
