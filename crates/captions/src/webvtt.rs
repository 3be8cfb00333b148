//! WebVTT, <https://www.w3.org/TR/webvtt1/>. Unlike a browser, the reader reports what it cannot read.

use crate::inline::{self, Dialect};
use crate::{Align, Cue, Cues, Error, Place, Vertical, time};

pub(crate) fn read(text: &str) -> Result<Vec<Cue>, Error> {
    let mut lines = (1..).zip(text.lines()).peekable();
    let head = lines.next().map_or("", |(_, line)| line);
    if head
        .strip_prefix("WEBVTT")
        .is_none_or(|rest| !rest.is_empty() && !rest.starts_with([' ', '\t']))
    {
        return Err(Error::new(1, "the first line of a WebVTT file is `WEBVTT`"));
    }
    let mut cues = Cues::default();
    // The rest of the header is a block, and so is each group of lines up to a blank one.
    loop {
        let block: Vec<(usize, &str)> =
            std::iter::from_fn(|| lines.next_if(|(_, line)| !line.trim().is_empty())).collect();
        // A line with an arrow begins a cue, wherever it is. What comes before it is an identifier.
        let arrows = (0..block.len()).filter(|index| block[*index].1.contains("-->"));
        let mut bounds: Vec<usize> = arrows.collect();
        bounds.push(block.len());
        for pair in bounds.windows(2) {
            add(&mut cues, block[pair[0]], &block[pair[0] + 1..pair[1]])?;
        }
        if lines.next().is_none() {
            return Ok(cues.0);
        }
    }
}

fn add(cues: &mut Cues, (number, line): (usize, &str), text: &[(usize, &str)]) -> Result<(), Error> {
    let Some((start, end, settings)) = time::read_arrow(line) else {
        return Err(Error::new(
            number,
            "the times are not of the form `00:00:01.000 --> 00:00:02.500`",
        ));
    };
    let text: Vec<&str> = text.iter().map(|(_, line)| *line).collect();
    cues.add(
        number,
        (start, end),
        inline::read(&text.join("\n"), Dialect::WebVtt),
        place(settings),
    )
}

/// The settings `line` and `align` of a cue. Upper and lower third decide between top, middle and bottom.
fn place(settings: &str) -> Place {
    let mut place = Place::default();
    for (name, value) in settings
        .split_whitespace()
        .filter_map(|setting| setting.split_once(':'))
    {
        match (name, value) {
            ("line", value) => place.vertical = vertical(value),
            ("align", "start" | "left") => place.align = Align::Start,
            ("align", "end" | "right") => place.align = Align::End,
            _ => {}
        }
    }
    place
}

/// `line:0` is the first line, `line:-1` the last, `line:10%` a part of the height.
fn vertical(value: &str) -> Vertical {
    let value = value.split(',').next().unwrap_or_default();
    let part = match value.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().ok(),
        // A picture has about fifteen lines.
        None => value.parse::<f64>().ok().map(|line| {
            if line < 0.0 {
                100.0 + line * 7.0
            } else {
                line * 7.0
            }
        }),
    };
    match part {
        Some(part) if part < 33.0 => Vertical::Top,
        Some(part) if part < 66.0 => Vertical::Middle,
        _ => Vertical::Bottom,
    }
}
