//! Scripts for libass, which draws captions into the picture (burn-in).

use std::fmt::Write as _;

use crate::{Align, Cue, Place, Vertical, write};

/// A color. An opacity of 255 hides what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
    pub opacity: u8,
}

impl Color {
    /// `&HAABBGGRR`, where the alpha of SSA is transparency.
    fn ssa(self) -> String {
        format!(
            "&H{:02X}{:02X}{:02X}{:02X}",
            255 - self.opacity,
            self.blue,
            self.green,
            self.red
        )
    }
}

/// The look of all captions of an output. Sizes are in pixels of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Width and height of the picture.
    pub picture: (u32, u32),
    /// The name of a font that the drawing process can find. Commas and control characters are left out.
    pub font: String,
    pub font_size: u32,
    pub color: Color,
    pub outline: Color,
    pub outline_size: u32,
    /// A box behind the text.
    pub background: Option<Color>,
    pub shadow: Option<Color>,
    /// Offset of the shadow.
    pub shadow_size: u32,
    /// The alignment of all cues. Without it, each cue keeps its own.
    pub align: Option<Align>,
    /// The place of the text, from the left side and from the top. Without one of them, the alignment decides.
    pub left: Option<u32>,
    pub top: Option<u32>,
}

/// The script that shows the cues.
pub fn script(cues: &[Cue], look: &Look) -> String {
    let (width, height) = look.picture;
    let mut script = format!(
        "[Script Info]\nScriptType: v4.00+\nPlayResX: {width}\nPlayResY: {height}\nWrapStyle: 0\n\
         ScaledBorderAndShadow: yes\n\n{}\n\n[Events]\n\
         Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n",
        styles(look)
    );
    for cue in cues {
        // Writing to a String cannot fail.
        let _ = writeln!(
            script,
            "Dialogue: 0,{},{},Default,,0,0,0,,{}{}",
            centiseconds(cue.start),
            centiseconds(cue.end),
            place(cue.place, look),
            text(cue)
        );
    }
    script
}

fn styles(look: &Look) -> String {
    let font: String = look
        .font
        .chars()
        .filter(|c| *c != ',' && !c.is_control())
        .collect();
    let invisible = Color {
        red: 0,
        green: 0,
        blue: 0,
        opacity: 0,
    };
    // Style 4 of libass draws one box behind all lines, in the color of the shadow.
    let (border, back, depth) = match (look.background, look.shadow) {
        (Some(background), _) => (4, background, 0),
        (None, Some(shadow)) => (1, shadow, look.shadow_size),
        (None, None) => (1, invisible, 0),
    };
    let margin = margin(look);
    format!(
        "[V4+ Styles]\nFormat: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, \
         Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, \
         MarginL, MarginR, MarginV, Encoding\n\
         Style: Default,{font},{},{1},{1},{2},{3},0,0,0,0,100,100,0,0,{border},{4},{depth},2,{margin},{margin},{margin},1",
        look.font_size,
        look.color.ssa(),
        look.outline.ssa(),
        back.ssa(),
        look.outline_size,
    )
}

/// The distance of captions from the edges of the picture.
fn margin(look: &Look) -> u32 {
    look.picture.1 / 20
}

fn place(place: Place, look: &Look) -> String {
    let place = Place {
        align: look.align.unwrap_or(place.align),
        ..place
    };
    let (width, height) = look.picture;
    let margin = margin(look);
    // The anchor is the corner of the text, or the middle of an edge, that is at the given place.
    let (align, x) = match (look.left, place.align) {
        (Some(left), _) => (Align::Start, left),
        (None, Align::Start) => (Align::Start, margin),
        (None, Align::Center) => (Align::Center, width / 2),
        (None, Align::End) => (Align::End, width.saturating_sub(margin)),
    };
    let (vertical, y) = look
        .top
        .map_or((Vertical::Bottom, height.saturating_sub(margin)), |top| {
            (Vertical::Top, top)
        });
    if look.left.is_none() && look.top.is_none() {
        return format!("{{\\an{}}}", write::numeric_pad(place));
    }
    format!(
        "{{\\an{}\\pos({x},{y})}}",
        write::numeric_pad(Place { vertical, align })
    )
}

fn text(cue: &Cue) -> String {
    let mut text = String::new();
    for span in &cue.spans {
        let style = span.style;
        let _ = write!(
            text,
            "{{\\b{}\\i{}\\u{}}}",
            u8::from(style.bold),
            u8::from(style.italic),
            u8::from(style.underline)
        );
        for character in span.text.chars() {
            match character {
                '\n' => text.push_str("\\N"),
                // An invisible joiner keeps `\n` and `\h` of a text from being commands.
                '\\' => text.push_str("\\\u{2060}"),
                '{' => text.push_str("\\{"),
                _ => text.push(character),
            }
        }
    }
    text
}

/// `H:MM:SS.cc`.
fn centiseconds(ms: u64) -> String {
    let centiseconds = ms / 10;
    let (seconds, minutes) = (centiseconds / 100, centiseconds / 6000);
    format!(
        "{}:{:02}:{:02}.{:02}",
        minutes / 60,
        minutes % 60,
        seconds % 60,
        centiseconds % 100
    )
}
