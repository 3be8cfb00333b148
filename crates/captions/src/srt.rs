//! SubRip. There is no specification; the reader takes what players take: a text may have blank lines, and the
//! numbers of the captions are not looked at.

use crate::inline::{self, Dialect};
use crate::{Cue, Cues, Error, time};

pub(crate) fn read(text: &str) -> Result<Vec<Cue>, Error> {
    if text.trim_start().starts_with("WEBVTT") {
        return Err(Error::new(1, "this is a WebVTT file. Name it `.vtt`"));
    }
    let lines: Vec<&str> = text.lines().collect();
    let starts: Vec<usize> = (0..lines.len())
        .filter(|index| lines[*index].contains("-->"))
        .collect();
    let mut cues = Cues::default();
    for (n, &at) in starts.iter().enumerate() {
        let Some((start, end, _)) = time::read_arrow(lines[at]) else {
            return Err(Error::new(
                at + 1,
                "the times are not of the form `00:00:01,000 --> 00:00:02,500`",
            ));
        };
        let next = starts.get(n + 1).copied().unwrap_or(lines.len());
        let body = without_number(&lines[at + 1..next], next < lines.len());
        let text = body.join("\n");
        let place = inline::ssa_place(&text).unwrap_or_default();
        cues.add(at + 1, (start, end), inline::read(&text, Dialect::Srt), place)?;
    }
    let head = &lines[..starts.first().copied().unwrap_or(0)];
    match without_number(head, true)
        .iter()
        .position(|line| !line.trim().is_empty())
    {
        Some(index) => Err(Error::new(index + 1, "text before the first caption")),
        None => Ok(cues.0),
    }
}

/// The lines of a text without the number of the next caption, which is the last line that is not blank.
fn without_number<'a, 'b>(lines: &'a [&'b str], numbered: bool) -> &'a [&'b str] {
    let last = lines.iter().rposition(|line| !line.trim().is_empty());
    match last {
        Some(last) if numbered && time::number(lines[last].trim(), 9).is_some() => &lines[..last],
        _ => lines,
    }
}
