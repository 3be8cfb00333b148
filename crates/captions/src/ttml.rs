//! TTML and its profiles (IMSC text, SMPTE-TT, DFXP), <https://www.w3.org/TR/ttml2/>. Taken: nested times, styles by
//! reference, regions at the top, middle and bottom. Images and animation are left out.

use std::collections::HashMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::{Align, Cue, Cues, Error, MAX_MS, Place, Span, Style, Vertical, inline, time};

/// The deepest nesting of elements.
const MAX_DEPTH: usize = 32;

pub(crate) fn read(text: &str) -> Result<Vec<Cue>, Error> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut document = Document::default();
    let mut lines = Lines { text, at: 0, line: 1 };
    loop {
        let event = reader.read_event();
        let line = lines.at(usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX));
        let fail = |why: String| Error::new(line, why);
        match event.map_err(|error| fail(format!("not XML: {error}")))? {
            Event::Start(tag) => document.open(&tag, line).map_err(fail)?,
            Event::End(_) => document.close()?,
            Event::Text(part) => document.text(&part.decode().map_err(|error| fail(error.to_string()))?),
            Event::CData(part) => document.text(&part.decode().map_err(|error| fail(error.to_string()))?),
            Event::GeneralRef(name) => {
                let name = name.decode().map_err(|error| fail(error.to_string()))?;
                let character = match name.strip_prefix('#') {
                    Some(digits) => inline::numeric(digits),
                    None => quick_xml::escape::resolve_xml_entity(&name).and_then(|text| text.chars().next()),
                };
                let character = character.ok_or_else(|| fail(format!("the entity `{name}` is unknown")))?;
                document.text(character.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(fail("a document type (DOCTYPE) is not allowed".to_owned())),
            Event::Eof if document.seen_root => return document.finish(),
            Event::Eof => return Err(fail("the file has no `tt` element: it is not TTML".to_owned())),
            _ => {}
        }
    }
}

/// Counts lines up to positions that only grow.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn at(&mut self, position: usize) -> usize {
        let position = position.clamp(self.at, self.text.len());
        self.line += String::from_utf8_lossy(&self.text.as_bytes()[self.at..position])
            .matches('\n')
            .count();
        self.at = position;
        self.line
    }
}

/// Looks that a style, a region or an element may set.
#[derive(Clone, Copy, Default)]
struct Look {
    bold: Option<bool>,
    italic: Option<bool>,
    underline: Option<bool>,
    vertical: Option<Vertical>,
    align: Option<Align>,
}

impl Look {
    /// These looks, and the other's where these are silent.
    fn over(self, other: Self) -> Self {
        Self {
            bold: self.bold.or(other.bold),
            italic: self.italic.or(other.italic),
            underline: self.underline.or(other.underline),
            vertical: self.vertical.or(other.vertical),
            align: self.align.or(other.align),
        }
    }

    /// The looks that the attributes of an element set.
    fn of(attributes: &Attributes) -> Self {
        let get = |name: &str| attributes.get(name).map(String::as_str);
        // The origin of a region is its upper left corner; `displayAlign` says where the text is in it.
        let origin = get("origin").and_then(|origin| {
            origin
                .split_whitespace()
                .nth(1)?
                .strip_suffix('%')?
                .parse::<f64>()
                .ok()
        });
        let by_origin = origin.map(|top| match top {
            top if top < 33.0 => Vertical::Top,
            top if top < 60.0 => Vertical::Middle,
            _ => Vertical::Bottom,
        });
        let by_align = get("displayAlign").and_then(|align| match align {
            "before" => Some(Vertical::Top),
            "center" => Some(Vertical::Middle),
            "after" => Some(Vertical::Bottom),
            _ => None,
        });
        // A region that covers the picture begins at the top, and only its alignment says something.
        let vertical = if by_origin == Some(Vertical::Top) {
            by_align.or(by_origin)
        } else {
            by_origin.or(by_align)
        };
        Self {
            bold: get("fontWeight").map(|weight| weight == "bold"),
            italic: get("fontStyle").map(|style| matches!(style, "italic" | "oblique")),
            underline: get("textDecoration")
                .map(|decoration| decoration.split_whitespace().any(|word| word == "underline")),
            vertical,
            align: get("textAlign").and_then(|align| match align {
                "start" | "left" => Some(Align::Start),
                "center" => Some(Align::Center),
                "end" | "right" => Some(Align::End),
                _ => None,
            }),
        }
    }
}

/// Attributes by local name.
type Attributes = HashMap<String, String>;

/// Units of the document's time expressions.
struct Clock {
    /// Frames per second.
    frames: f64,
    /// Ticks per second.
    ticks: f64,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            frames: 30.0,
            ticks: 1.0,
        }
    }
}

impl Clock {
    /// `ttp:frameRate`, `ttp:frameRateMultiplier` and `ttp:tickRate` (TTML2, section 7.2).
    fn of(attributes: &Attributes) -> Result<Self, String> {
        let number = |name: &str| -> Result<Option<f64>, String> {
            let Some(value) = attributes.get(name) else {
                return Ok(None);
            };
            let number = time::number(value, 9)
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| *number > 0);
            number
                .map(|number| Some(f64::from(number)))
                .ok_or_else(|| format!("`{name}` is not a number: {value}"))
        };
        let rate = number("frameRate")?;
        let multiplier = match attributes.get("frameRateMultiplier") {
            Some(value) => {
                ratio(value).ok_or_else(|| format!("`frameRateMultiplier` is not two numbers: {value}"))?
            }
            None => 1.0,
        };
        let frames = rate.unwrap_or(30.0) * multiplier;
        let ticks = number("tickRate")?.unwrap_or(rate.map_or(1.0, |_| frames));
        Ok(Self { frames, ticks })
    }

    /// A time expression in ms: `00:00:01.5`, `00:00:01:12` (frames), `1.5s`, `90f`, `1000t`, `2m`, `1h`, `500ms`.
    fn read(&self, text: &str) -> Result<u64, String> {
        let ms = if text.contains(':') {
            self.clock(text)
        } else {
            self.offset(text)
        };
        ms.filter(|ms| *ms <= MAX_MS)
            .ok_or_else(|| format!("`{text}` is not a time between 0 and 100 hours"))
    }

    fn clock(&self, text: &str) -> Option<u64> {
        let mut parts = text.splitn(4, ':');
        let clock: Vec<&str> = parts.by_ref().take(3).collect();
        let whole = time::read_clock(&clock.join(":"))?;
        let Some(frames) = parts.next() else {
            return Some(whole);
        };
        // Parts of frames are below a millisecond's worth of difference.
        let frames = time::number(frames.split('.').next()?, 4)?;
        Some(whole + milliseconds(f64::from(u32::try_from(frames).ok()?) / self.frames)?)
    }

    fn offset(&self, text: &str) -> Option<u64> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (count, unit) = text.split_at(digits);
        let seconds = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 0.001,
            "f" => 1.0 / self.frames,
            "t" => 1.0 / self.ticks,
            _ => return None,
        };
        milliseconds(count.parse::<f64>().ok()? * seconds)
    }
}

/// Two numbers, divided: `1000 1001`, in old files `1000:1001`.
fn ratio(text: &str) -> Option<f64> {
    let (over, under) = text.split_once([' ', ':'])?;
    let (over, under) = (time::number(over.trim(), 6)?, time::number(under.trim(), 6)?);
    let (over, under) = (u32::try_from(over).ok()?, u32::try_from(under).ok()?);
    (over > 0 && under > 0).then(|| f64::from(over) / f64::from(under))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within the limits of a film"
)]
fn milliseconds(seconds: f64) -> Option<u64> {
    (0.0..1e7)
        .contains(&seconds)
        .then(|| (seconds * 1000.0).round() as u64)
}

/// An open element.
#[derive(Clone, Default)]
struct Open {
    name: String,
    /// Absolute, in ms.
    begin: u64,
    /// Absolute, in ms. `None` has no end.
    end: Option<u64>,
    look: Look,
    /// `xml:space="preserve"`.
    preserve: bool,
    /// The id of a region or a style whose nested `style` elements add to it.
    defines: Option<String>,
    line: usize,
}

#[derive(Default)]
struct Document {
    seen_root: bool,
    clock: Clock,
    open: Vec<Open>,
    /// Styles and regions by id.
    looks: HashMap<String, Look>,
    /// Texts of the paragraph that is read, each with its times.
    runs: Vec<(u64, Option<u64>, Span)>,
    place: Place,
    cues: Cues,
}

impl Document {
    fn open(&mut self, tag: &BytesStart<'_>, line: usize) -> Result<(), String> {
        if self.open.len() == MAX_DEPTH {
            return Err(format!("the elements are nested deeper than {MAX_DEPTH}"));
        }
        let name = String::from_utf8_lossy(tag.local_name().as_ref()).into_owned();
        let attributes = attributes(tag)?;
        if !self.seen_root {
            if name != "tt" {
                return Err(format!(
                    "the first element is `{name}`, not `tt`: this is not TTML"
                ));
            }
            self.seen_root = true;
            self.clock = Clock::of(&attributes)?;
        }
        let parent = self.open.last().cloned().unwrap_or_default();
        let mut open = self.child(&parent, &attributes)?;
        (open.name, open.line) = (name, line);
        match open.name.as_str() {
            "style" | "region" => self.define(&mut open, &parent, &attributes),
            "br" => self.run("\n".to_owned(), &open),
            "p" => {
                self.place = Place {
                    vertical: open.look.vertical.unwrap_or_default(),
                    align: open.look.align.unwrap_or_default(),
                }
            }
            _ => {}
        }
        self.open.push(open);
        Ok(())
    }

    /// The times and looks of an element: those of its own, within and over its parent's.
    fn child(&self, parent: &Open, attributes: &Attributes) -> Result<Open, String> {
        let at = |name: &str| {
            attributes
                .get(name)
                .map(|value| self.clock.read(value.trim()))
                .transpose()
        };
        if attributes
            .get("timeContainer")
            .is_some_and(|container| container == "seq")
        {
            return Err(
                "`timeContainer=\"seq\"` is not supported. Give each paragraph its own times".to_owned(),
            );
        }
        let begin = parent.begin + at("begin")?.unwrap_or(0);
        let ends = [
            at("end")?.map(|end| parent.begin + end),
            at("dur")?.map(|length| begin + length),
            parent.end,
        ];
        let ids = attributes
            .get("style")
            .map_or("", String::as_str)
            .split_whitespace();
        let region = attributes.get("region").map(String::as_str);
        let named = ids
            .chain(region)
            .filter_map(|id| self.looks.get(id))
            .fold(Look::default(), |sum, look| look.over(sum));
        Ok(Open {
            begin,
            end: ends.into_iter().flatten().min(),
            look: Look::of(attributes).over(named).over(parent.look),
            preserve: attributes
                .get("space")
                .map_or(parent.preserve, |space| space == "preserve"),
            ..Open::default()
        })
    }

    /// Notes a style or a region. A `style` inside of a region adds to it.
    fn define(&mut self, open: &mut Open, parent: &Open, attributes: &Attributes) {
        let id = attributes.get("id").or(parent.defines.as_ref());
        if let Some(id) = id {
            let before = self.looks.get(id).copied().unwrap_or_default();
            self.looks.insert(id.clone(), open.look.over(before));
            open.defines = Some(id.clone());
        }
    }

    /// Text of the file. A line break in it is a space, unless space is preserved.
    fn text(&mut self, text: &str) {
        let Some(open) = self.open.last().cloned() else {
            return;
        };
        if open.name != "metadata" && self.open.iter().any(|open| open.name == "p") {
            let text = if open.preserve {
                text.to_owned()
            } else {
                text.replace('\n', " ")
            };
            self.run(text, &open);
        }
    }

    fn run(&mut self, text: String, open: &Open) {
        let look = open.look;
        let style = Style {
            bold: look.bold.unwrap_or_default(),
            italic: look.italic.unwrap_or_default(),
            underline: look.underline.unwrap_or_default(),
        };
        self.runs.push((open.begin, open.end, Span { text, style }));
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.open.pop() {
            Some(open) if open.name == "p" => self.paragraph(open.line),
            _ => Ok(()),
        }
    }

    /// Texts with the same times are one cue.
    fn paragraph(&mut self, line: usize) -> Result<(), Error> {
        let runs = std::mem::take(&mut self.runs);
        for same in runs.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1)) {
            let spans: Vec<Span> = same.iter().map(|(_, _, span)| span.clone()).collect();
            if inline::tidy(spans.clone()).is_empty() {
                continue;
            }
            let (begin, Some(end)) = (same[0].0, same[0].1) else {
                return Err(Error::new(line, "the paragraph has no `end` and no `dur`"));
            };
            self.cues.add(line, (begin, end), spans, self.place)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Cue>, Error> {
        match self.open.last() {
            Some(open) => Err(Error::new(open.line, format!("`{}` is never closed", open.name))),
            None => Ok(self.cues.0),
        }
    }
}

fn attributes(tag: &BytesStart<'_>) -> Result<Attributes, String> {
    let mut all = Attributes::new();
    for attribute in tag.attributes().take(64) {
        let attribute = attribute.map_err(|error| format!("not XML: {error}"))?;
        let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("not XML: {error}"))?;
        all.insert(name, value.into_owned());
    }
    Ok(all)
}
