//! Caption files: any bytes end in cues or in an error, and what was read can be written and read again.
#![no_main]

use captions::write::{self, Looks};
use captions::{Cue, Format, MAX_MS, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for format in [Format::Srt, Format::WebVtt, Format::Ttml, Format::Sami, Format::Stl] {
        let Ok(cues) = read(format, bytes, None) else { continue };
        assert!(cues.is_sorted_by_key(|cue| (cue.start, cue.end)));
        for cue in &cues {
            assert!(cue.start < cue.end && cue.end <= MAX_MS);
            assert!(cue.text().lines().all(|line| !line.trim().is_empty()), "{:?}", cue.text());
        }
        again(Format::WebVtt, &write::webvtt(&cues, Looks::Kept, None), &cues);
        again(Format::Ttml, &write::ttml(&cues, Looks::Kept, "en"), &cues);
    }
});

fn again(format: Format, file: &str, cues: &[Cue]) {
    let read = read(format, file.as_bytes(), None);
    assert_eq!(read.as_deref(), Ok(cues), "{file}");
}
