//! Reads caption files into cues, and writes cues as caption files.
//!
//! | format | read | written |
//! | --- | --- | --- |
//! | SubRip (`.srt`) | [`Format::Srt`] | [`write::srt`] |
//! | WebVTT (`.vtt`) | [`Format::WebVtt`] | [`write::webvtt`], [`segments`] |
//! | TTML, IMSC text (`.ttml`, `.xml`, `.dfxp`) | [`Format::Ttml`] | [`write::ttml`] |
//! | SAMI (`.smi`) | [`Format::Sami`] | [`write::sami`] |
//! | EBU STL (`.stl`) | [`Format::Stl`] | – |
//! | `SubStation` Alpha (`.ass`), for burn-in | – | [`ass`] |
//!
//! Architecture invariant: this crate is pure. It takes values and returns values; it has no async, reads no
//! environment, no clock, no files.

pub mod ass;
mod inline;
mod sami;
pub mod segments;
mod srt;
mod stl;
mod text;
mod time;
mod ttml;
mod webvtt;
pub mod write;

use serde::{Deserialize, Serialize};

pub use text::MAX_BYTES;

/// The largest number of cues of a file. A film has about 2,000.
pub const MAX_CUES: usize = 50_000;

/// The latest time of a cue, in ms: 100 hours.
pub const MAX_MS: u64 = 360_000_000;

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Srt,
    WebVtt,
    Ttml,
    Sami,
    /// EBU Tech 3264, times from the start of the program.
    Stl,
}

/// A stretch of text and how it looks. Lines are separated by `\n`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub text: String,
    pub style: Style,
}

/// The look of a span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    pub bold: bool,
    pub italic: bool,
    pub underline: bool,
}

/// The vertical place of a cue in the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vertical {
    Top,
    Middle,
    #[default]
    Bottom,
}

/// The alignment of the lines of a cue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Align {
    Start,
    #[default]
    Center,
    End,
}

/// The place of a cue in the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub vertical: Vertical,
    pub align: Align,
}

/// One caption. Times are in ms from the start of the video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cue {
    pub start: u64,
    /// Later than the start.
    pub end: u64,
    /// Has text that is not blank.
    pub spans: Vec<Span>,
    pub place: Place,
}

impl Cue {
    /// The text without styles.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// The line of a caption file that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Error {
    /// From 1.
    pub line: usize,
    pub why: String,
}

impl Error {
    fn new(line: usize, why: impl Into<String>) -> Self {
        Self {
            line,
            why: why.into(),
        }
    }
}

/// Reads a caption file. The cues are in the order of their starts; they may overlap.
///
/// `language` is the language to take from a SAMI file with several (`en`, or `en-US`); without it, the first.
///
/// The text is UTF-8, or UTF-16 with a byte order mark. A file of another encoding, with a time that cannot be read,
/// with a cue that ends before its start, or without any cue is an error. Cues without text or without length are
/// left out.
pub fn read(format: Format, bytes: &[u8], language: Option<&str>) -> Result<Vec<Cue>, Error> {
    let text = || text::decode(bytes);
    let mut cues = match format {
        Format::Srt => srt::read(&text()?),
        Format::WebVtt => webvtt::read(&text()?),
        Format::Ttml => ttml::read(&text()?),
        Format::Sami => sami::read(&text()?, language),
        Format::Stl => stl::read(bytes),
    }?;
    if cues.is_empty() {
        return Err(Error::new(
            1,
            format!("the file has no captions: expected {}", format.looks()),
        ));
    }
    cues.sort_by_key(|cue| (cue.start, cue.end));
    Ok(cues)
}

impl Format {
    /// The look of a cue in this format, for messages.
    fn looks(self) -> &'static str {
        match self {
            Self::Srt => "SubRip, with times such as `00:00:01,000 --> 00:00:02,500`",
            Self::WebVtt => "WebVTT, with times such as `00:00:01.000 --> 00:00:02.500`",
            Self::Ttml => "TTML, with `<p begin=\"1s\" end=\"2.5s\">`",
            Self::Stl => "EBU STL, with texts in blocks of 128 bytes",
            Self::Sami => "SAMI, with `<SYNC Start=1000>`",
        }
    }
}

/// The cues without styles, all at the default place.
pub fn plain(cues: &[Cue]) -> Vec<Cue> {
    cues.iter()
        .map(|cue| Cue {
            spans: vec![Span {
                text: cue.text(),
                style: Style::default(),
            }],
            place: Place::default(),
            ..cue.clone()
        })
        .collect()
}

/// Moves all cues by `ms`, which may be negative. Cues that end before 0 or start after [`MAX_MS`] are left out.
pub fn shift(cues: &[Cue], ms: i64) -> Vec<Cue> {
    let moved = |at: u64| at.saturating_add_signed(ms);
    cues.iter()
        .map(|cue| Cue {
            start: moved(cue.start),
            end: moved(cue.end),
            ..cue.clone()
        })
        .filter(|cue| cue.end > cue.start && cue.start <= MAX_MS)
        .collect()
}

/// Keeps the part of the cues from `from` until `to`, in ms, on the same timeline.
pub fn cut(cues: &[Cue], from: u64, to: u64) -> Vec<Cue> {
    cues.iter()
        .map(|cue| Cue {
            start: cue.start.max(from),
            end: cue.end.min(to),
            ..cue.clone()
        })
        .filter(|cue| cue.end > cue.start)
        .collect()
}

/// Collects the cues of a file, within the limits of the crate.
#[derive(Default)]
struct Cues(Vec<Cue>);

impl Cues {
    /// Adds a cue that begins at the line `line`.
    fn add(&mut self, line: usize, times: (u64, u64), spans: Vec<Span>, place: Place) -> Result<(), Error> {
        let (start, end) = times;
        if end < start {
            let (start, end) = (time::clock(start, '.'), time::clock(end, '.'));
            return Err(Error::new(
                line,
                format!("the caption ends at {end}, before its start at {start}"),
            ));
        }
        if end > MAX_MS {
            return Err(Error::new(line, "the caption is later than 100 hours"));
        }
        if self.0.len() == MAX_CUES {
            return Err(Error::new(
                line,
                format!("the file has more than {MAX_CUES} captions"),
            ));
        }
        let spans = inline::tidy(spans);
        if end > start && !spans.is_empty() {
            self.0.push(Cue {
                start,
                end,
                spans,
                place,
            });
        }
        Ok(())
    }
}
