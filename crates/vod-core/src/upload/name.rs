//! Names of uploads.

use std::iter::once;

use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::Timestamp;

use super::Refusal;

/// The longest file name in characters, as on most file systems.
pub const NAME_MAX: usize = 255;
/// The longest key in bytes (S3).
const KEY_MAX: usize = 1_024;
/// The bytes that a number adds to a name at most: ` (1764353213123)`.
const NUMBER_MAX: usize = 16;
/// The last number that is tried in order.
const IN_ORDER: i64 = 9;
/// Names with a number that follows from the time, after those in order.
const BY_TIME: i64 = 4;

/// A file name in Unicode normalization form C, or the reason why it cannot be the name of an upload.
///
/// Computers write one name in two ways (`é` as one character or as two). In form C, the same name is the same key.
pub fn file_name(name: &str) -> Result<String, Refusal> {
    if name.chars().take(NAME_MAX + 1).count() > NAME_MAX {
        return Err(Refusal::NameTooLong);
    }
    let name = ComposingNormalizerBorrowed::new_nfc()
        .normalize(name)
        .into_owned();
    if name.is_empty() {
        return Err(Refusal::NameEmpty);
    }
    if name.contains(['/', '\\']) || name == "." || name == ".." {
        return Err(Refusal::NameIsPath);
    }
    // XML, in which S3 lists keys, has no form for the last two.
    if name.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(Refusal::NameControl);
    }
    Ok(name)
}

/// The keys to try for a file, in order: its own name, ` (2)` to ` (9)`, then numbers that follow from the time.
pub fn keys(folder: &str, name: &str, now: Timestamp) -> Result<impl Iterator<Item = String>, Refusal> {
    let name = file_name(name)?;
    if folder.len() + name.len() + NUMBER_MAX > KEY_MAX {
        return Err(Refusal::NameTooLong);
    }
    let by_time = now.as_millisecond()..now.as_millisecond() + BY_TIME;
    let folder = folder.to_owned();
    let numbers = once(None).chain((2..=IN_ORDER).chain(by_time).map(Some));
    Ok(numbers.map(move |number| match number {
        None => format!("{folder}{name}"),
        Some(number) => format!("{folder}{}", numbered(&name, number)),
    }))
}

/// `film.mp4` with the number 2 is `film (2).mp4`.
fn numbered(name: &str, number: i64) -> String {
    let dot = name.rfind('.').filter(|dot| *dot > 0).unwrap_or(name.len());
    format!("{} ({number}){}", &name[..dot], &name[dot..])
}
