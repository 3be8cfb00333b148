//! Captions that the owner has added to a video.

use serde::{Deserialize, Serialize};

use super::{Record, Unknown};

/// Caption files of one video.
pub const CAPTIONS_MAX: usize = 50;

/// A caption file. It is made part of playlists and manifests when they are served.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Caption {
    /// A tag of RFC 5646, such as `en` or `zh-Hant-TW`.
    pub language: String,
    /// The name in the menus of players.
    pub label: String,
    pub kind: CaptionKind,
    /// Whether players show it unless their viewer chooses otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
    /// A WebVTT file whose times begin at 0.
    pub key: String,
    /// Members of a newer version.
    #[serde(flatten)]
    pub unknown: Unknown,
}

/// The purpose of a caption file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaptionKind {
    /// The words that are spoken.
    #[default]
    Subtitles,
    /// The words that are spoken and the sounds, for people who do not hear them.
    Sdh,
    /// Only what a viewer who knows the language of the film does not understand. Players show it without being asked.
    Forced,
}

impl CaptionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Subtitles => "subtitles",
            Self::Sdh => "sdh",
            Self::Forced => "forced",
        }
    }
}

/// A video has as many captions as it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the asset has {CAPTIONS_MAX} captions already")]
pub struct TooManyCaptions;

impl Record {
    /// Adds captions, in place of those of the same language and kind. Returns the key that is not used any more.
    pub fn put_caption(&mut self, caption: Caption) -> Result<Option<String>, TooManyCaptions> {
        let same = |known: &Caption| (&known.language, known.kind) == (&caption.language, caption.kind);
        if caption.default {
            self.captions.iter_mut().for_each(|known| known.default = false);
        }
        let replaced = match self.captions.iter().position(same) {
            Some(at) => Some(std::mem::replace(&mut self.captions[at], caption).key),
            None if self.captions.len() >= CAPTIONS_MAX => return Err(TooManyCaptions),
            None => {
                self.captions.push(caption);
                None
            }
        };
        self.captions
            .sort_by(|a, b| (&a.language, a.kind.as_str()).cmp(&(&b.language, b.kind.as_str())));
        Ok(replaced.filter(|key| !self.uses_caption(key)))
    }

    /// Removes the captions of a language, of one kind or of all. Returns the keys that are not used any more.
    pub fn remove_captions(&mut self, language: &str, kind: Option<CaptionKind>) -> Vec<String> {
        let goes =
            |caption: &Caption| caption.language == language && kind.is_none_or(|kind| caption.kind == kind);
        let mut removed: Vec<String> = self
            .captions
            .extract_if(.., |caption| goes(caption))
            .map(|caption| caption.key)
            .collect();
        removed.retain(|key| !self.uses_caption(key));
        removed
    }

    fn uses_caption(&self, key: &str) -> bool {
        self.captions.iter().any(|caption| caption.key == key)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::asset::AssetId;
    use crate::record::Source;

    fn caption(language: &str, kind: CaptionKind, key: &str) -> Caption {
        Caption {
            language: language.to_owned(),
            label: language.to_owned(),
            kind,
            key: key.to_owned(),
            ..Caption::default()
        }
    }

    #[test]
    fn captions_replace_those_of_the_same_language_and_kind() {
        use CaptionKind::{Sdh, Subtitles};
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
        for (language, kind, key, replaced) in [
            ("en", Subtitles, "1", None),
            ("de", Subtitles, "2", None),
            ("en", Sdh, "1", None),
            // The other kind still uses the file.
            ("en", Subtitles, "3", None),
            ("en", Subtitles, "3", None),
            ("en", Subtitles, "4", Some("3")),
        ] {
            let found = record.put_caption(caption(language, kind, key));
            assert_eq!(
                found,
                Ok(replaced.map(str::to_owned)),
                "{language} {kind:?} {key}"
            );
        }
        let keys = |record: &Record| {
            record
                .captions
                .iter()
                .map(|caption| caption.key.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(keys(&record), ["2", "1", "4"]);
        for (language, default) in [("de", "de"), ("en", "en")] {
            let default_one = Caption {
                default: true,
                ..caption(language, Subtitles, "5")
            };
            record.put_caption(default_one).unwrap();
            let defaults: Vec<_> = record.captions.iter().filter(|caption| caption.default).collect();
            assert_eq!((defaults.len(), defaults[0].language.as_str()), (1, default));
        }
        assert_eq!(record.remove_captions("en", Some(Sdh)), ["1"]);
        assert_eq!(record.remove_captions("en", None), [""; 0], "the file is in use");
        assert_eq!(record.remove_captions("de", None), ["5"]);
        assert!(record.remove_captions("fr", None).is_empty());
        for number in 0..CAPTIONS_MAX {
            record
                .put_caption(caption(&number.to_string(), Subtitles, "k"))
                .unwrap();
        }
        assert_eq!(
            record.put_caption(caption("x", Subtitles, "k")),
            Err(TooManyCaptions)
        );
    }
}
