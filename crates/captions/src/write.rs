//! Cues into caption files.

use std::fmt::Write as _;

use crate::{Align, Cue, Place, Style, Vertical, time};

/// Whether a file keeps styles and places. `MediaConvert`'s `stylePassthrough` decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    Plain,
    Kept,
}

/// A WebVTT file. `start_pts` is the 90 kHz time stamp of 0 in the video, for segments beside MPEG-TS
/// (`X-TIMESTAMP-MAP`, RFC 8216 section 3.5).
pub fn webvtt(cues: &[Cue], looks: Looks, start_pts: Option<u64>) -> String {
    let mut file = String::from("WEBVTT\n");
    // Writing to a String cannot fail, here and below.
    if let Some(pts) = start_pts {
        let _ = writeln!(file, "X-TIMESTAMP-MAP=MPEGTS:{pts},LOCAL:00:00:00.000");
    }
    for cue in cues {
        let _ = writeln!(file, "\n{}{}", arrow(cue, '.'), settings(cue.place, looks));
        file.push_str(&marked_up(cue, looks, |text| escape(text, &['&', '<', '>'])));
        file.push('\n');
    }
    file
}

/// A SubRip file.
pub fn srt(cues: &[Cue], looks: Looks) -> String {
    let mut file = String::new();
    for (number, cue) in (1..).zip(cues) {
        let place = if looks == Looks::Kept {
            ssa_place(cue.place)
        } else {
            String::new()
        };
        // SubRip has no escapes.
        let text = marked_up(cue, looks, str::to_owned);
        let _ = writeln!(file, "{number}\n{}\n{place}{text}\n", arrow(cue, ','));
    }
    file
}

/// A TTML file of the IMSC 1.1 text profile, <https://www.w3.org/TR/ttml-imsc1.1/>. `language` is a tag of RFC 5646,
/// or empty.
pub fn ttml(cues: &[Cue], looks: Looks, language: &str) -> String {
    let mut file = format!(
        concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
            "<tt xmlns=\"http://www.w3.org/ns/ttml\" xmlns:ttp=\"http://www.w3.org/ns/ttml#parameter\"",
            " xmlns:tts=\"http://www.w3.org/ns/ttml#styling\"",
            " ttp:contentProfiles=\"http://www.w3.org/ns/ttml/profile/imsc1.1/text\" ttp:timeBase=\"media\"",
            " xml:lang=\"{}\">\n",
            " <head>\n  <layout>\n",
        ),
        xml(language)
    );
    for (id, align) in [("top", "before"), ("middle", "center"), ("bottom", "after")] {
        let _ = writeln!(
            file,
            "   <region xml:id=\"{id}\" tts:origin=\"10% 10%\" tts:extent=\"80% 80%\" tts:displayAlign=\"{align}\"/>"
        );
    }
    file.push_str("  </layout>\n </head>\n <body>\n  <div>\n");
    for cue in cues {
        let place = if looks == Looks::Kept {
            cue.place
        } else {
            Place::default()
        };
        let _ = write!(
            file,
            "   <p begin=\"{}\" end=\"{}\" region=\"{}\" tts:textAlign=\"{}\">",
            time::clock(cue.start, '.'),
            time::clock(cue.end, '.'),
            region(place.vertical),
            align(place.align)
        );
        for span in &cue.spans {
            let text = xml(&span.text).replace('\n', "<br/>");
            let style = ttml_style(if looks == Looks::Kept {
                span.style
            } else {
                Style::default()
            });
            let _ = if style.is_empty() {
                write!(file, "{text}")
            } else {
                write!(file, "<span{style}>{text}</span>")
            };
        }
        file.push_str("</p>\n");
    }
    file.push_str("  </div>\n </body>\n</tt>\n");
    file
}

/// A SAMI file with one language, a tag of RFC 5646.
pub fn sami(cues: &[Cue], looks: Looks, language: &str) -> String {
    let language = if language.is_empty() { "und" } else { language };
    let mut file = format!(
        concat!(
            "<SAMI>\n<HEAD>\n<STYLE TYPE=\"text/css\">\n<!--\n",
            ".CC {{ Name: {0}; lang: {0}; SAMIType: CC; }}\n-->\n</STYLE>\n</HEAD>\n<BODY>\n"
        ),
        xml(language)
    );
    for (index, cue) in cues.iter().enumerate() {
        let text = marked_up(cue, looks, xml).replace('\n', "<br>");
        let _ = writeln!(file, "<SYNC Start={}><P Class=CC>{text}</P></SYNC>", cue.start);
        // Empty text takes a caption away, unless the next one does.
        if cues.get(index + 1).is_none_or(|next| next.start > cue.end) {
            let _ = writeln!(file, "<SYNC Start={}><P Class=CC>&nbsp;</P></SYNC>", cue.end);
        }
    }
    file.push_str("</BODY>\n</SAMI>\n");
    file
}

fn arrow(cue: &Cue, point: char) -> String {
    format!(
        "{} --> {}",
        time::clock(cue.start, point),
        time::clock(cue.end, point)
    )
}

/// The text with `<b>`, `<i>` and `<u>` around styled spans.
fn marked_up(cue: &Cue, looks: Looks, escape: fn(&str) -> String) -> String {
    let mut text = String::new();
    for span in &cue.spans {
        let style = if looks == Looks::Kept {
            span.style
        } else {
            Style::default()
        };
        let tags = [("b", style.bold), ("i", style.italic), ("u", style.underline)];
        let tags: Vec<&str> = tags.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        for name in &tags {
            let _ = write!(text, "<{name}>");
        }
        text.push_str(&escape(&span.text));
        for name in tags.iter().rev() {
            let _ = write!(text, "</{name}>");
        }
    }
    text
}

/// Replaces characters by XML's entities, which are HTML's and WebVTT's.
fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' if special.contains(&'&') => escaped.push_str("&amp;"),
            '<' if special.contains(&'<') => escaped.push_str("&lt;"),
            '>' if special.contains(&'>') => escaped.push_str("&gt;"),
            '"' if special.contains(&'"') => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn xml(text: &str) -> String {
    escape(text, &['&', '<', '>', '"'])
}

/// Settings of a WebVTT cue that differ from the default.
fn settings(place: Place, looks: Looks) -> String {
    if looks == Looks::Plain {
        return String::new();
    }
    let vertical = match place.vertical {
        Vertical::Top => " line:0",
        Vertical::Middle => " line:50%",
        Vertical::Bottom => "",
    };
    let align = if place.align == Align::Center {
        String::new()
    } else {
        format!(" align:{}", align(place.align))
    };
    format!("{vertical}{align}")
}

/// `{\an8}` where a place differs from the default.
fn ssa_place(place: Place) -> String {
    let key = numeric_pad(place);
    if key == 2 {
        String::new()
    } else {
        format!("{{\\an{key}}}")
    }
}

/// The key of a numeric pad at the same place, which is SSA's alignment.
pub(crate) fn numeric_pad(place: Place) -> u8 {
    let row = match place.vertical {
        Vertical::Bottom => 0,
        Vertical::Middle => 3,
        Vertical::Top => 6,
    };
    row + match place.align {
        Align::Start => 1,
        Align::Center => 2,
        Align::End => 3,
    }
}

fn align(align: Align) -> &'static str {
    match align {
        Align::Start => "start",
        Align::Center => "center",
        Align::End => "end",
    }
}

fn region(vertical: Vertical) -> &'static str {
    match vertical {
        Vertical::Top => "top",
        Vertical::Middle => "middle",
        Vertical::Bottom => "bottom",
    }
}

fn ttml_style(style: Style) -> String {
    let attributes = [
        (style.bold, " tts:fontWeight=\"bold\""),
        (style.italic, " tts:fontStyle=\"italic\""),
        (style.underline, " tts:textDecoration=\"underline\""),
    ];
    attributes
        .iter()
        .filter(|(on, _)| *on)
        .map(|(_, attribute)| *attribute)
        .collect()
}
