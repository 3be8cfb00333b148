//! SAMI (`.smi`), Microsoft's "Understanding SAMI 1.0". One file may have several languages, each a class of
//! paragraphs.

use crate::inline::{self, Dialect};
use crate::{Cue, Cues, Error, MAX_MS, Place, Span};

pub(crate) fn read(text: &str, language: Option<&str>) -> Result<Vec<Cue>, Error> {
    let lower = text.to_ascii_lowercase();
    if !lower.trim_start().starts_with("<sami") {
        return Err(Error::new(1, "a SAMI file begins with `<SAMI>`"));
    }
    let class = language.map_or(Ok(None), |language| class_of(&lower, language).map(Some))?;
    let mut reader = Reader {
        cues: Cues::default(),
        class,
        showing: None,
    };
    let mut starts: Vec<usize> = lower.match_indices("<sync").map(|(at, _)| at).collect();
    let mut line = text[..starts.first().copied().unwrap_or(0)].matches('\n').count() + 1;
    starts.push(text.len());
    for pair in starts.windows(2) {
        let sync = &text[pair[0]..pair[1]];
        reader.sync(line, sync)?;
        line += sync.matches('\n').count();
    }
    // The last text has no end in the file. It is shown for 4 s.
    reader.end_at(u64::MAX)?;
    Ok(reader.cues.0)
}

/// The class of a language: `.ENCC { Name: English; lang: en-US; }`.
fn class_of(lower: &str, language: &str) -> Result<String, Error> {
    let wanted = language.to_ascii_lowercase();
    let style = lower
        .split_once("<style")
        .and_then(|(_, rest)| rest.split_once("</style"))
        .map_or("", |(style, _)| style);
    let rules = style.split('}').filter_map(|rule| rule.split_once('{'));
    let mut languages = Vec::new();
    for (selector, body) in rules {
        let lang = body.split(';').find_map(|property| {
            let (name, value) = property.split_once(':')?;
            (name.trim() == "lang").then(|| value.trim().to_owned())
        });
        let (Some(lang), Some((_, class))) = (lang, selector.rsplit_once('.')) else {
            continue;
        };
        if lang == wanted || lang.split('-').next() == wanted.split('-').next() {
            return Ok(class.trim().to_owned());
        }
        languages.push(lang);
    }
    let has = if languages.is_empty() {
        "no languages".to_owned()
    } else {
        languages.join(", ")
    };
    Err(Error::new(
        1,
        format!("the file has no captions of the language `{language}`; it names {has}"),
    ))
}

struct Reader {
    cues: Cues,
    /// The class that is read, in lower case. The first that appears if none was asked for.
    class: Option<String>,
    /// Line, start and text of the caption that is shown until the next one of its class.
    showing: Option<(usize, u64, Vec<Span>)>,
}

impl Reader {
    /// One `<SYNC Start=…>` with its paragraphs.
    fn sync(&mut self, line: usize, text: &str) -> Result<(), Error> {
        let (head, body) = text.split_once('>').unwrap_or((text, ""));
        let Some(at) = attribute(head, "start").and_then(|value| value.parse::<u64>().ok()) else {
            return Err(Error::new(line, "`<SYNC>` without a `Start` in milliseconds"));
        };
        if at > MAX_MS {
            return Err(Error::new(line, "the caption is later than 100 hours"));
        }
        let lower = body.to_ascii_lowercase();
        let mut paragraphs: Vec<usize> = lower
            .match_indices("<p")
            .map(|(at, _)| at)
            .filter(|at| is_paragraph(&lower[*at..]))
            .collect();
        paragraphs.push(body.len());
        for pair in paragraphs.windows(2) {
            let (head, text) = body[pair[0]..pair[1]].split_once('>').unwrap_or_default();
            let class = attribute(head, "class")
                .map(str::to_ascii_lowercase)
                .unwrap_or_default();
            if *self.class.get_or_insert_with(|| class.clone()) == class {
                self.end_at(at)?;
                let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
                self.showing = Some((line, at, inline::read(&text, Dialect::Sami)));
            }
        }
        Ok(())
    }

    /// Ends the caption that is shown.
    fn end_at(&mut self, at: u64) -> Result<(), Error> {
        match self.showing.take() {
            Some((line, start, spans)) => {
                let end = if at == u64::MAX { start + 4000 } else { at };
                self.cues.add(line, (start, end), spans, Place::default())
            }
            None => Ok(()),
        }
    }
}

/// `<p>`, not `<param>`.
fn is_paragraph(lower: &str) -> bool {
    lower[2..].starts_with(|c: char| c == '>' || c.is_whitespace())
}

/// The value of an attribute, with or without quotes.
fn attribute<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lower = head.to_ascii_lowercase();
    let at = lower.match_indices(name).map(|(at, _)| at).find(|at| {
        let before = lower[..*at].ends_with(char::is_whitespace);
        before && lower[at + name.len()..].trim_start().starts_with('=')
    })?;
    let value = head[at + name.len()..]
        .trim_start()
        .strip_prefix('=')?
        .trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => value[1..].split(quote).next(),
        None => value.split([' ', '\t', '\n', '>', '/']).next(),
    }
}
