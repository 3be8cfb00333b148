//! Caption files: any bytes end in cues or in an error, and what was read can be written and read again.
#![no_main]

use captions::ass::{self, Color, Look};
use captions::write::{self, Looks};
use captions::{Align, Cue, Format, MAX_MS, cut, plain, read, segments, shift};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [
        Format::Srt,
        Format::WebVtt,
        Format::Ttml,
        Format::Sami,
        Format::Stl,
    ] {
        let Ok(cues) = read(format, bytes, None) else {
            continue;
        };
        assert!(cues.is_sorted_by_key(|cue| (cue.start, cue.end)));
        for cue in &cues {
            assert!(cue.start < cue.end && cue.end <= MAX_MS);
            assert!(
                cue.text().lines().all(|line| !line.trim().is_empty()),
                "{:?}",
                cue.text()
            );
        }
        moved(&cues);
        assert_eq!(dialogues(&cues), cues.len());
        again(Format::WebVtt, &write::webvtt(&cues, Looks::Kept, None), &cues);
        again(Format::Ttml, &write::ttml(&cues, Looks::Kept, "en"), &cues);
    }
});

fn again(format: Format, file: &str, cues: &[Cue]) {
    let read = read(format, file.as_bytes(), None);
    assert_eq!(read.as_deref(), Ok(cues), "{file}");
}

/// A job's changes to cues keep them in order, within the clip, and with a length.
fn moved(cues: &[Cue]) {
    for ms in [-1500, 40, i64::MIN, i64::MAX] {
        assert!(shift(cues, ms).iter().all(|cue| cue.start < cue.end));
    }
    let (from, to) = (500, 7000);
    for cue in cut(cues, from, to) {
        assert!(from <= cue.start && cue.start < cue.end && cue.end <= to);
    }
    let parts = segments::split(cues, &[2000, 4000]);
    let shown = |cue: &&Cue| cue.start < 6000;
    assert_eq!(parts.len(), 2);
    assert!(
        cues.iter()
            .filter(shown)
            .all(|cue| parts.iter().flatten().any(|part| part == cue))
    );
    assert!(
        plain(cues)
            .iter()
            .zip(cues)
            .all(|(plain, cue)| plain.text() == cue.text())
    );
}

/// The number of lines that draw something, in the script for burn-in: a text adds none.
fn dialogues(cues: &[Cue]) -> usize {
    let white = Color {
        red: 255,
        green: 255,
        blue: 255,
        opacity: 255,
    };
    let look = Look {
        picture: (320, 180),
        font: "Sans".to_owned(),
        font_size: 12,
        color: white,
        outline: white,
        outline_size: 1,
        background: None,
        shadow: None,
        shadow_size: 0,
        align: Some(Align::Center),
        left: None,
        top: None,
    };
    let script = ass::script(cues, &look);
    let (_, events) = script.split_once("[Events]").expect("has events");
    events
        .lines()
        .filter(|line| line.starts_with("Dialogue: "))
        .count()
}
