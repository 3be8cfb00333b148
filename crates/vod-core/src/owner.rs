//! The members of a record that its owner sets: title, poster, captions.
//!
//! It is part of the record, and also in a document of its own, from which a lost record is rebuilt.

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Deserializer, Serialize};

use crate::asset::AssetId;
use crate::keys::OWNER;
use crate::record::{self, Caption, Record, Unknown};

/// The longest title in characters.
pub const TITLE_MAX: usize = 200;

/// A change of what the owner has said. A member that is absent stays as it is; null takes back what was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    #[serde(default, deserialize_with = "present")]
    pub title: Option<Option<String>>,
    /// A time in the film in milliseconds.
    #[serde(default, deserialize_with = "present")]
    pub poster_ms: Option<Option<u64>>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// The reason why a change is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSaid {
    #[error("the change is empty: give title or poster_ms")]
    Nothing,
    #[error("title is empty")]
    TitleEmpty,
    #[error("title has more than {TITLE_MAX} characters")]
    TitleTooLong,
    #[error("title contains a control character or a line break")]
    TitleControl,
    #[error("poster_ms is beyond the end of the film, which has {0} ms")]
    PosterBeyond(u64),
    #[error("no template has captured frames, so there is no poster to choose")]
    NoFrames,
}

impl Edit {
    /// The same change with a good title, or the reason why it cannot be made. Markup is text like any other.
    pub fn checked(self) -> Result<Self, NotSaid> {
        if self == Self::default() {
            return Err(NotSaid::Nothing);
        }
        let title = match self.title {
            Some(Some(title)) => Some(Some(good_title(&title)?)),
            other => other,
        };
        Ok(Self { title, ..self })
    }

    /// Changes a record. Returns whether that made a difference.
    pub fn apply(&self, record: &mut Record) -> Result<bool, NotSaid> {
        let before = (record.title.clone(), record.poster_ms);
        if let Some(Some(ms)) = self.poster_ms {
            if !record.has_frames() {
                return Err(NotSaid::NoFrames);
            }
            if let Some(end) = record.duration_ms().filter(|end| ms > *end) {
                return Err(NotSaid::PosterBeyond(end));
            }
        }
        if let Some(title) = &self.title {
            record.title = title.clone().unwrap_or_else(|| record::title(&record.source.key));
        }
        if let Some(chosen) = self.poster_ms {
            record.poster_ms = chosen;
            record.place_poster();
        }
        Ok(before != (record.title.clone(), record.poster_ms))
    }
}

/// A title in Unicode normalization form C, without space around it.
fn good_title(title: &str) -> Result<String, NotSaid> {
    let title = title.trim();
    if title.chars().take(TITLE_MAX + 1).count() > TITLE_MAX {
        return Err(NotSaid::TitleTooLong);
    }
    let unfit = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}');
    if title.contains(unfit) {
        return Err(NotSaid::TitleControl);
    }
    if title.is_empty() {
        return Err(NotSaid::TitleEmpty);
    }
    let normalizer = ComposingNormalizerBorrowed::new_nfc();
    Ok(normalizer.normalize(title).into_owned())
}

/// The members that an owner has set, as they are stored in `ops/owner/<asset>.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub schema: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poster_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captions: Vec<Caption>,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The key of the document about an asset.
pub fn said_key(id: &AssetId) -> String {
    format!("{OWNER}{id}.json")
}

impl Said {
    /// The members of a record that its owner has set.
    pub fn of(record: &Record) -> Self {
        Self {
            schema: 1,
            title: (record.title != record::title(&record.source.key)).then(|| record.title.clone()),
            poster_ms: record.poster_ms,
            captions: record.captions.clone(),
            unknown: Unknown::new(),
        }
    }

    /// Whether the owner has said nothing.
    pub fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.poster_ms.is_none()
            && self.captions.is_empty()
            && self.unknown.is_empty()
    }

    /// Puts it on a record that was rebuilt.
    pub fn put_on(&self, record: &mut Record) {
        if let Some(title) = &self.title {
            record.title.clone_from(title);
        }
        record.captions.clone_from(&self.captions);
        if self.poster_ms.is_some() {
            record.poster_ms = self.poster_ms;
            record.place_poster();
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::record::{OutputSet, Source, Thumbnails};

    fn record() -> Record {
        let source = Source {
            key: "input/my film.mp4".to_owned(),
            ..Source::default()
        };
        let id = AssetId::new("vod", &source.key, None, "e");
        Record::new(id, source, Timestamp::UNIX_EPOCH)
    }

    fn edit(json: &str) -> Result<Edit, String> {
        let edit: Edit = serde_json::from_str(json).map_err(|error| error.to_string())?;
        edit.checked().map_err(|error| error.to_string())
    }

    #[test]
    fn titles() {
        for (json, expected) in [
            (r#"{"title":" A film "}"#, Ok("A film")),
            (r#"{"title":"<b>1 & 2</b>"}"#, Ok("<b>1 & 2</b>")),
            (r#"{"title":"cafe\u0301"}"#, Ok("caf\u{e9}")),
            (r#"{"title":null}"#, Ok("my film")),
            (r#"{"title":"  "}"#, Err("title is empty")),
            (
                r#"{"title":"a\nb"}"#,
                Err("title contains a control character or a line break"),
            ),
            (
                r#"{"title":"a\u2028b"}"#,
                Err("title contains a control character or a line break"),
            ),
            ("{}", Err("the change is empty: give title or poster_ms")),
        ] {
            let mut record = record();
            let found = edit(json).map(|edit| {
                edit.apply(&mut record).unwrap();
                record.title.clone()
            });
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found, expected, "{json}");
        }
        for (length, good) in [(TITLE_MAX, true), (TITLE_MAX + 1, false)] {
            let json = format!(r#"{{"title":"{}"}}"#, "\u{e9}".repeat(length));
            assert_eq!(edit(&json).is_ok(), good, "{length}");
        }
        assert!(edit(r#"{"titel":"a"}"#).unwrap_err().contains("unknown field"));
    }

    #[test]
    fn a_poster_needs_frames_and_a_time_in_the_film() {
        let mut record = record();
        let at = |ms: u64| edit(&format!(r#"{{"poster_ms":{ms}}}"#)).unwrap();
        assert_eq!(at(0).apply(&mut record), Err(NotSaid::NoFrames));
        record.source.media.duration_ms = Some(9_000);
        record.outputs.push(OutputSet {
            thumbnails: Some(Thumbnails {
                pattern: "t.%07d.jpg".to_owned(),
                count: 2,
                interval_ms: Some(5_000),
                ..Thumbnails::default()
            }),
            ..OutputSet::default()
        });
        assert_eq!(at(9_001).apply(&mut record), Err(NotSaid::PosterBeyond(9_000)));
        assert_eq!(at(1).apply(&mut record), Ok(true));
        assert_eq!(at(1).apply(&mut record), Ok(false));
        let poster = |record: &Record| record.outputs[0].thumbnails.as_ref().unwrap().poster.clone();
        assert_eq!(poster(&record), "t.0000000.jpg");
        assert_eq!(
            edit(r#"{"poster_ms":null}"#).unwrap().apply(&mut record),
            Ok(true)
        );
        assert_eq!(
            (poster(&record).as_str(), record.poster_ms),
            ("t.0000001.jpg", None)
        );
    }

    #[test]
    fn what_was_said_survives_the_loss_of_the_record() {
        let mut known = record();
        assert!(Said::of(&known).is_empty());
        (known.title, known.poster_ms) = ("Mine".to_owned(), Some(7));
        known.put_caption(Caption::default()).unwrap();
        let said = serde_json::to_string(&Said::of(&known)).unwrap();
        let said: Said = serde_json::from_str(&said).unwrap();
        let mut rebuilt = record();
        said.put_on(&mut rebuilt);
        assert_eq!((rebuilt.title.as_str(), rebuilt.poster_ms), ("Mine", Some(7)));
        assert_eq!(rebuilt.captions, known.captions);
    }
}
