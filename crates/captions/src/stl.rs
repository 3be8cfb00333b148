//! Reads EBU STL (EBU Tech 3264): a block of 1,024 bytes about the file, then blocks of 128 bytes, each with a text.

use crate::text::MAX_BYTES;
use crate::{Align, Cues, Error, Place, Span, Style, Vertical};

const HEAD: usize = 1024;
const BLOCK: usize = 128;
/// Where the text of a block begins.
const TEXT: usize = 16;

pub(crate) fn read(bytes: &[u8]) -> Result<Vec<crate::Cue>, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::new(
            1,
            format!("the file is larger than {MAX_BYTES} bytes"),
        ));
    }
    let rate = match bytes.get(3..11) {
        Some(b"STL25.01") if bytes.len() >= HEAD => 25,
        Some(b"STL30.01") if bytes.len() >= HEAD => 30,
        _ => {
            let why = "the file does not begin as EBU STL does, with STL25.01 or STL30.01 at byte 3";
            return Err(Error::new(1, why));
        }
    };
    if &bytes[12..14] != b"00" {
        return Err(Error::new(1, "only the Latin character table (00) is read"));
    }
    // The timecode of the start of the program.
    let origin = digits(&bytes[256..264]).map_or(0, |parts| milliseconds(parts, rate));
    let mut cues = Cues::default();
    let mut text = Vec::new();
    for (index, block) in bytes[HEAD..].chunks_exact(BLOCK).enumerate() {
        let line = index + 1;
        // Data of other programs, and comments.
        if block[3] == 0xfe || block[15] == 1 {
            continue;
        }
        text.extend_from_slice(&block[TEXT..]);
        // A text may go on in the next block.
        if block[3] != 0xff {
            continue;
        }
        let time = |at: usize| {
            let parts = [block[at], block[at + 1], block[at + 2], block[at + 3]];
            let at = milliseconds(parts.map(u64::from), rate);
            at.checked_sub(origin).unwrap_or(at)
        };
        cues.add(line, (time(5), time(9)), spans(&text), place(block))?;
        text.clear();
    }
    Ok(cues.0)
}

/// `HHMMSSFF`.
fn digits(text: &[u8]) -> Option<[u64; 4]> {
    let two = |at: usize| {
        let pair = text.get(at..at + 2)?;
        let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
        Some(digit(pair[0])? * 10 + digit(pair[1])?)
    };
    Some([two(0)?, two(2)?, two(4)?, two(6)?])
}

fn milliseconds([hours, minutes, seconds, frames]: [u64; 4], rate: u64) -> u64 {
    ((hours * 60 + minutes) * 60 + seconds) * 1000 + frames * 1000 / rate
}

/// The rows of teletext count from the top, 1 to 23.
fn place(block: &[u8]) -> Place {
    Place {
        vertical: match block[13] {
            0..=8 => Vertical::Top,
            9..=14 => Vertical::Middle,
            _ => Vertical::Bottom,
        },
        align: match block[14] {
            1 => Align::Start,
            3 => Align::End,
            _ => Align::Center,
        },
    }
}

fn spans(text: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut style, mut now, mut accent) = (Style::default(), String::new(), None);
    for &byte in text {
        let changed = match byte {
            0x80 => Style {
                italic: true,
                ..style
            },
            0x81 => Style {
                italic: false,
                ..style
            },
            0x82 => Style {
                underline: true,
                ..style
            },
            0x83 => Style {
                underline: false,
                ..style
            },
            // Unused space, which ends each block of a text.
            0x8f => continue,
            _ => style,
        };
        if changed != style {
            let text = std::mem::take(&mut now);
            spans.push(Span { text, style });
            style = changed;
            continue;
        }
        match byte {
            0x8a => now.push('\n'),
            // Colors and sizes of teletext take a place each.
            0..=0x1f => now.push(' '),
            0xc1..=0xcf => accent = combining(byte),
            _ => {
                now.extend(letter(byte));
                now.extend(accent.take());
            }
        }
    }
    spans.push(Span { text: now, style });
    spans
}

/// ISO 6937 puts an accent before its letter; Unicode has it behind.
fn combining(byte: u8) -> Option<char> {
    const ACCENTS: [char; 15] = [
        '\u{300}', '\u{301}', '\u{302}', '\u{303}', '\u{304}', '\u{306}', '\u{307}', '\u{308}', ' ',
        '\u{30a}', '\u{327}', ' ', '\u{30b}', '\u{328}', '\u{30c}',
    ];
    let accent = *ACCENTS.get(usize::from(byte).checked_sub(0xc1)?)?;
    (accent != ' ').then_some(accent)
}

/// A character of ISO 6937, or none.
fn letter(byte: u8) -> Option<char> {
    /// From 0xa0.
    const HIGH: &str = "\u{a0}¡¢£$¥\u{fffd}§¤‘“«←↑→↓°±²³×µ¶·÷’”»¼½¾¿";
    /// From 0xd0.
    const HIGHER: &str =
        "―¹®©™♪¬¦\u{fffd}\u{fffd}\u{fffd}\u{fffd}⅛⅜⅝⅞ΩÆĐªĦ\u{fffd}ĲĿŁØŒºÞŦŊŉĸæđðħıĳŀłøœßþŧŋ\u{ad}";
    let found = match byte {
        b'$' => Some('¤'),
        0x20..=0x7e => Some(char::from(byte)),
        0xa0..=0xbf => HIGH.chars().nth(usize::from(byte - 0xa0)),
        0xd0..=0xff => HIGHER.chars().nth(usize::from(byte - 0xd0)),
        _ => None,
    };
    found.filter(|found| *found != '\u{fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(rate: &[u8], origin: [u8; 8]) -> Vec<u8> {
        let mut head = vec![b' '; HEAD];
        head[3..11].copy_from_slice(rate);
        head[12..14].copy_from_slice(b"00");
        head[256..264].copy_from_slice(&origin);
        head
    }

    /// A block with its times in hours, minutes, seconds and frames.
    fn block(extension: u8, times: [[u8; 4]; 2], row: u8, justify: u8, text: &[u8]) -> Vec<u8> {
        let mut block = vec![0x8f; BLOCK];
        block[..5].copy_from_slice(&[0, 0, 0, extension, 0]);
        block[5..9].copy_from_slice(&times[0]);
        block[9..13].copy_from_slice(&times[1]);
        block[13..16].copy_from_slice(&[row, justify, 0]);
        block[TEXT..TEXT + text.len()].copy_from_slice(text);
        block
    }

    #[test]
    fn texts_times_and_places() {
        let times = |from: u8, to: u8| [[10, 0, from, 5], [10, 0, to, 0]];
        let mut file = head(b"STL25.01", *b"10000000");
        file.extend(block(
            0xff,
            times(1, 3),
            20,
            2,
            b"\x07Caf\xc2e\x8a\x80now\x81 \xd5",
        ));
        file.extend(block(0x00, times(4, 6), 2, 1, b"one "));
        file.extend(block(0xff, times(4, 6), 2, 1, b"text"));
        file.extend(block(0xfe, times(5, 6), 2, 1, b"not shown"));
        let cues = read(&file).expect("is read");
        assert_eq!(cues.len(), 2);
        assert_eq!((cues[0].start, cues[0].end), (1200, 3000));
        assert_eq!(cues[0].text(), "Cafe\u{301}\nnow ♪");
        let italic: Vec<&str> = cues[0]
            .spans
            .iter()
            .filter(|span| span.style.italic)
            .map(|span| span.text.as_str())
            .collect();
        assert_eq!(italic, ["\nnow"]);
        assert_eq!(cues[1].text(), "one text");
        assert_eq!(
            (cues[1].place.vertical, cues[1].place.align),
            (Vertical::Top, Align::Start)
        );
    }

    #[test]
    fn what_is_no_stl_says_so() {
        let mut cyrillic = head(b"STL25.01", *b"00000000");
        cyrillic[13] = b'1';
        for (file, word) in [
            (b"1\n00:00:01,000 --> 00:00:02,000\nx\n".to_vec(), "EBU STL"),
            (head(b"STL24.01", *b"00000000"), "EBU STL"),
            (head(b"STL25.01", *b"00000000")[..1000].to_vec(), "EBU STL"),
            (cyrillic, "Latin"),
        ] {
            let error = read(&file).expect_err("is refused");
            assert!(error.why.contains(word), "{error}");
        }
        let backwards = [
            head(b"STL30.01", *b"        "),
            block(0xff, [[0, 0, 3, 0], [0, 0, 1, 0]], 20, 2, b"x"),
        ]
        .concat();
        assert!(
            read(&backwards)
                .expect_err("is refused")
                .why
                .contains("before its start")
        );
    }
}
