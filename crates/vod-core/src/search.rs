//! Search in the library.

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::record::Record;

/// Text that is searched for, however it is written: upper or lower case, composed or decomposed (Unicode normalization
/// form KC).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(String);

impl Needle {
    pub fn new(text: &str) -> Self {
        Self(folded(text.trim()))
    }

    /// Whether the title, the id or the key of the upload contains the text. All of them contain the empty text.
    pub fn is_in(&self, record: &Record) -> bool {
        let texts = [record.title.as_str(), record.id.as_str(), &record.source.key];
        texts.iter().any(|text| folded(text).contains(&self.0))
    }
}

fn folded(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc()
        .normalize(text)
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::asset::AssetId;
    use crate::record::Source;

    #[test]
    fn text_is_found_however_it_is_written() {
        let key = "input/trips/Straße am Me\u{e9}r.mp4";
        let id = AssetId::new("vod", key, None, "e");
        let source = Source {
            key: key.to_owned(),
            ..Source::default()
        };
        let record = Record::new(id.clone(), source, Timestamp::UNIX_EPOCH);
        let slug = &id.as_str()[..12];
        for text in [
            "straße",
            "MEÉR",
            "Mee\u{301}r",
            "\u{ff2d}eér",
            " am ",
            "input/trips/",
            slug,
            "",
            key,
        ] {
            assert!(Needle::new(text).is_in(&record), "{text}");
        }
        for text in ["meer", "output/", "see", "meér.mov"] {
            assert!(!Needle::new(text).is_in(&record), "{text}");
        }
    }
}
