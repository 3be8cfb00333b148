//! Tags and entities inside of the text of a cue, as SubRip, WebVTT and SAMI share them.

use crate::{Align, Place, Span, Style, Vertical};

/// The dialect of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `<i>`, `<b>`, `<u>`, `<font …>`, and `{\an8}` of SSA. Entities are text.
    Srt,
    /// Cue text of WebVTT: spans, time stamps, entities.
    WebVtt,
    /// HTML: line breaks are `<br>`, white space collapses.
    Sami,
}

/// The longest tag, in bytes. It keeps the search for the end of a tag short.
const MAX_TAG: usize = 1024;

/// Reads the text of a cue. Tags without a meaning here are left out, and so is the text of ruby annotations.
pub(crate) fn read(text: &str, dialect: Dialect) -> Vec<Span> {
    let mut reader = Reader {
        spans: Vec::new(),
        open: Vec::new(),
    };
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&', '{']) {
        reader.push(&rest[..at]);
        rest = &rest[at..];
        let taken = match (rest.as_bytes()[0], dialect) {
            (b'<', _) => reader.tag(rest, dialect),
            (b'&', Dialect::WebVtt | Dialect::Sami) => reader.entity(rest),
            (b'{', Dialect::Srt) => ssa(rest),
            _ => 0,
        };
        if taken == 0 {
            reader.push(&rest[..1]);
        }
        rest = &rest[taken.max(1)..];
    }
    reader.push(rest);
    reader.spans
}

/// Joins equal neighbors, and leaves out control characters, blank lines and space at the ends of lines: a blank line
/// would end the cue in SubRip and WebVTT. Empty if there is no text.
pub(crate) fn tidy(spans: Vec<Span>) -> Vec<Span> {
    let mut tidy: Vec<Span> = Vec::new();
    // White space is written only before the next visible text: of several line breaks, one.
    let mut space = "";
    for span in spans {
        for (index, line) in span.text.split('\n').enumerate() {
            if index > 0 {
                space = "\n";
            }
            for word in line.split_inclusive(char::is_whitespace) {
                let visible: String = word
                    .chars()
                    .filter(|c| !c.is_whitespace() && !c.is_control())
                    .collect();
                if !visible.is_empty() {
                    let lead = if tidy.is_empty() { "" } else { space };
                    push(&mut tidy, lead, span.style);
                    push(&mut tidy, &visible, span.style);
                    space = "";
                }
                if word.ends_with(char::is_whitespace) && space != "\n" {
                    space = " ";
                }
            }
        }
    }
    tidy
}

fn push(spans: &mut Vec<Span>, text: &str, style: Style) {
    match spans.last_mut() {
        _ if text.is_empty() => {}
        Some(last) if last.style == style => last.text.push_str(text),
        _ => spans.push(Span {
            text: text.to_owned(),
            style,
        }),
    }
}

struct Reader {
    spans: Vec<Span>,
    /// Names of the open tags, lower case.
    open: Vec<String>,
}

impl Reader {
    fn push(&mut self, text: &str) {
        if self.is_open("rt") {
            return;
        }
        let style = Style {
            bold: self.is_open("b"),
            italic: self.is_open("i"),
            underline: self.is_open("u"),
        };
        push(&mut self.spans, text, style);
    }

    fn is_open(&self, name: &str) -> bool {
        self.open.iter().any(|open| open == name)
    }

    /// The length of the tag at the start of `rest`; 0 if that is text.
    fn tag(&mut self, rest: &str, dialect: Dialect) -> usize {
        let Some(end) = end_of(rest, b'>') else { return 0 };
        let inside = &rest[1..end];
        let (closes, inside) = inside
            .strip_prefix('/')
            .map_or((false, inside), |inside| (true, inside));
        let name: String = inside.chars().take_while(char::is_ascii_alphanumeric).collect();
        let name = name.to_ascii_lowercase();
        // `1 < 2` is text in SubRip; in WebVTT, a time stamp is a tag.
        let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic())
            || dialect == Dialect::WebVtt
            || (dialect == Dialect::Sami && inside.starts_with('!'));
        if !is_tag {
            return 0;
        }
        match name.as_str() {
            "br" => self.push("\n"),
            "b" | "i" | "u" | "rt" if closes => {
                if let Some(at) = self.open.iter().rposition(|open| *open == name) {
                    self.open.truncate(at);
                }
            }
            // More than this is no caption; the limit keeps the search for open tags short.
            "b" | "i" | "u" | "rt" if self.open.len() < 16 => self.open.push(name),
            _ => {}
        }
        end + 1
    }

    /// The length of the entity at the start of `rest`; 0 if that is text.
    fn entity(&mut self, rest: &str) -> usize {
        let Some(end) = end_of(rest, b';') else { return 0 };
        let name = &rest[1..end];
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some(' '),
            "lrm" => Some('\u{200e}'),
            "rlm" => Some('\u{200f}'),
            _ => name.strip_prefix('#').and_then(numeric),
        };
        let Some(character) = character else { return 0 };
        self.push(character.encode_utf8(&mut [0; 4]));
        end + 1
    }
}

/// The place of the byte that ends a tag or an entity.
fn end_of(rest: &str, byte: u8) -> Option<usize> {
    rest.bytes().take(MAX_TAG).position(|here| here == byte)
}

/// `65` and `x41`.
pub(crate) fn numeric(digits: &str) -> Option<char> {
    let (digits, radix) = digits
        .strip_prefix(['x', 'X'])
        .map_or((digits, 10), |digits| (digits, 16));
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|character| !character.is_control() || *character == '\n')
}

/// The length of the SSA override block (`{\an8}`) at the start of `rest`; 0 if that is text.
fn ssa(rest: &str) -> usize {
    if rest.starts_with("{\\") {
        end_of(rest, b'}').map_or(0, |end| end + 1)
    } else {
        0
    }
}

/// The place in `{\an1}` to `{\an9}`, the keys of a numeric pad.
pub(crate) fn ssa_place(text: &str) -> Option<Place> {
    let (_, rest) = text.split_once("{\\an")?;
    let key = rest.bytes().next()?.checked_sub(b'1').filter(|key| *key < 9)?;
    Some(Place {
        vertical: [Vertical::Bottom, Vertical::Middle, Vertical::Top][usize::from(key / 3)],
        align: [Align::Start, Align::Center, Align::End][usize::from(key % 3)],
    })
}
