//! Captions that an owner adds to a video: converted, checked, stored, and on record. Nothing is encoded for them.

use captions::Format;
use captions::write::{Looks, webvtt};
use vod_core::asset::AssetId;
use vod_core::keys::caption_key;
use vod_core::language;
use vod_core::record::{Caption, CaptionKind, Record};

use crate::{Manage, ManageError};

/// The largest caption file in bytes: 1 MiB. A film has some 100 KB.
pub const CAPTION_MAX: usize = 1 << 20;
/// The longest label in characters.
const LABEL_MAX: usize = 60;

/// A caption file as it comes from its owner.
#[derive(Debug, Clone)]
pub struct NewCaption {
    /// A tag of RFC 5646.
    pub language: String,
    /// `None`: the name of the language.
    pub label: Option<String>,
    pub kind: CaptionKind,
    pub default: bool,
    /// WebVTT or SubRip.
    pub content: Vec<u8>,
}

/// The reason why a caption file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCaptions {
    #[error("`{0}` is not a language such as `en`, `pt-BR` or `zh-Hant`")]
    Language(String),
    #[error(
        "label is empty, has more than {LABEL_MAX} characters, or contains a quote or a control character"
    )]
    Label,
    #[error("the file has more than 1 MiB")]
    TooLarge,
    #[error("the file is neither WebVTT nor SubRip: {0}")]
    Unreadable(#[from] captions::Error),
    #[error("the first caption is at {first} s, after the end of the film at {end} s")]
    BeyondTheEnd { first: u64, end: u64 },
    #[error(transparent)]
    TooMany(#[from] vod_core::record::TooManyCaptions),
    #[error("the asset has no captions in this language")]
    Missing,
}

impl NewCaption {
    /// The entry for the record, and the WebVTT file.
    fn converted(&self, record: &Record) -> Result<(Caption, String), NotCaptions> {
        let language = known_language(&self.language)?;
        let label = match &self.label {
            Some(label) => good_label(label)?,
            None => language::name(&language),
        };
        if self.content.len() > CAPTION_MAX {
            return Err(NotCaptions::TooLarge);
        }
        let text = self
            .content
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.content);
        let format = if text.starts_with(b"WEBVTT") {
            Format::WebVtt
        } else {
            Format::Srt
        };
        let cues = captions::read(format, &self.content, None)?;
        if let (Some(first), Some(end)) = (cues.first(), record.duration_ms())
            && first.start >= end
        {
            let (first, end) = (first.start / 1_000, end / 1_000);
            return Err(NotCaptions::BeyondTheEnd { first, end });
        }
        let file = webvtt(&cues, Looks::Kept, None);
        let caption = Caption {
            key: caption_key(&record.id, &language, file.as_bytes()),
            language,
            label,
            kind: self.kind,
            default: self.default,
            ..Caption::default()
        };
        Ok((caption, file))
    }
}

fn known_language(tag: &str) -> Result<String, NotCaptions> {
    language::language(tag).ok_or_else(|| NotCaptions::Language(tag.chars().take(40).collect()))
}

/// A label in the attribute of a playlist, where a quote has no escape.
fn good_label(label: &str) -> Result<String, NotCaptions> {
    let label = label.trim();
    let is_good = !label.is_empty()
        && label.chars().take(LABEL_MAX + 1).count() <= LABEL_MAX
        && !label.contains(|c: char| c == '"' || c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
    is_good.then(|| label.to_owned()).ok_or(NotCaptions::Label)
}

impl Manage {
    /// Adds captions, in place of those of the same language and kind.
    pub async fn add_caption(&self, asset: &AssetId, new: &NewCaption) -> Result<Record, ManageError> {
        let catalog = &self.services.catalog;
        let known = catalog.get(asset).await?.ok_or(ManageError::Missing)?.value;
        let (caption, file) = new.converted(&known)?;
        // Before it is on record, so that a playlist never names a file that is not there.
        let outputs = &self.take_down.outputs;
        outputs
            .put(&caption.key, "text/vtt; charset=utf-8", file.into_bytes())
            .await?;
        let (mut replaced, mut refused) = (None, None);
        let change = |record: &mut Record| match record.put_caption(caption.clone()) {
            Ok(key) => {
                replaced = key;
                true
            }
            Err(error) => {
                refused = Some(error);
                false
            }
        };
        let record = catalog.change(asset, change).await?.ok_or(ManageError::Missing)?;
        if let Some(refused) = refused {
            outputs.delete(&[caption.key]).await?;
            return Err(ManageError::NotCaptions(refused.into()));
        }
        self.take_down.note(&record).await?;
        outputs.delete(&replaced.into_iter().collect::<Vec<_>>()).await?;
        Ok(record)
    }

    /// Removes the captions of a language, of one kind or of all: from the record, then the files, then at the edge.
    pub async fn remove_captions(
        &self,
        asset: &AssetId,
        language: &str,
        kind: Option<CaptionKind>,
        distribution: &str,
    ) -> Result<Record, ManageError> {
        let language = known_language(language)?;
        let (mut removed, mut found) = (Vec::new(), false);
        let change = |record: &mut Record| {
            let before = record.captions.len();
            removed = record.remove_captions(&language, kind);
            found = record.captions.len() < before;
            found
        };
        let record = self.services.catalog.change(asset, change).await?;
        let record = record.ok_or(ManageError::Missing)?;
        if !found {
            return Err(ManageError::NotCaptions(NotCaptions::Missing));
        }
        self.take_down.note(&record).await?;
        self.take_down.outputs.delete(&removed).await?;
        for key in &removed {
            self.invalidate(distribution, &format!("/{key}")).await?;
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use vod_core::record::Source;

    use super::*;

    const VTT: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<i>Hello</i>\n";
    const SRT: &str = "\u{feff}1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\n";

    fn record() -> Record {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
        record.source.media.duration_ms = Some(10_000);
        record
    }

    fn new(language: &str, label: Option<&str>, content: &[u8]) -> NewCaption {
        NewCaption {
            language: language.to_owned(),
            label: label.map(str::to_owned),
            kind: CaptionKind::Subtitles,
            default: true,
            content: content.to_vec(),
        }
    }

    #[test]
    fn both_formats_become_webvtt() {
        for (content, expected) in [
            (VTT, VTT),
            (SRT, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n"),
        ] {
            let (caption, file) = new("EN-gb", None, content.as_bytes())
                .converted(&record())
                .unwrap();
            assert_eq!(file, expected);
            assert_eq!(
                (caption.language.as_str(), caption.label.as_str()),
                ("en-GB", "English (GB)")
            );
            let name = caption.key.rsplit('/').next().unwrap();
            assert!(
                name.starts_with("en-GB-") && name.len() == "en-GB-01234567.vtt".len(),
                "{name}"
            );
        }
        let named = new("de", Some(" Deutsch <1> "), VTT.as_bytes())
            .converted(&record())
            .unwrap();
        assert_eq!((named.0.label.as_str(), named.0.default), ("Deutsch <1>", true));
    }

    #[test]
    fn bad_files_are_refused_with_their_reason() {
        let large = vec![b' '; CAPTION_MAX + 1];
        let late = VTT.replace("00:00:0", "00:01:0");
        let backwards = VTT.replace("00:00:02", "00:00:00");
        let long = "x".repeat(LABEL_MAX + 1);
        for (new, words) in [
            (new("english", None, VTT.as_bytes()), "is not a language"),
            (new("../x", None, VTT.as_bytes()), "is not a language"),
            (new("en", Some("a\"b"), VTT.as_bytes()), "label"),
            (new("en", Some("a\nb"), VTT.as_bytes()), "label"),
            (new("en", Some(" "), VTT.as_bytes()), "label"),
            (new("en", Some(&long), VTT.as_bytes()), "label"),
            (new("en", None, &large), "more than 1 MiB"),
            (
                new("en", None, b"<!DOCTYPE html><p>1 --> 2</p>"),
                "neither WebVTT nor SubRip",
            ),
            (new("en", None, b""), "neither WebVTT nor SubRip"),
            (new("en", None, b"WEBVTT\n"), "no captions"),
            (new("en", None, b"\xff\xd8\xff\xe0"), "neither WebVTT nor SubRip"),
            (new("en", None, backwards.as_bytes()), "before its start"),
            (
                new("en", None, late.as_bytes()),
                "after the end of the film at 10 s",
            ),
        ] {
            let said = new.converted(&record()).unwrap_err().to_string();
            assert!(said.contains(words), "{words}: {said}");
        }
    }
}
