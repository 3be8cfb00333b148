//! Random captions survive each format, and random bytes are answered.

use captions::write::{self, Looks};
use captions::{Align, Cue, Format, Place, Span, Style, Vertical, read};
use proptest::prelude::*;

fn place() -> impl Strategy<Value = Place> {
    let vertical = prop_oneof![
        Just(Vertical::Top),
        Just(Vertical::Middle),
        Just(Vertical::Bottom)
    ];
    let align = prop_oneof![Just(Align::Start), Just(Align::Center), Just(Align::End)];
    (vertical, align).prop_map(|(vertical, align)| Place { vertical, align })
}

/// Spans whose styles alternate, so that neighbors are not joined when they are read.
fn spans(text: &'static str) -> impl Strategy<Value = Vec<Span>> {
    prop::collection::vec(text, 1..4).prop_map(|texts| {
        let styled = |(index, text)| Span {
            text,
            style: Style {
                italic: index % 2 == 1,
                bold: index % 4 == 2,
                underline: false,
            },
        };
        texts.into_iter().enumerate().map(styled).collect()
    })
}

prop_compose! {
    fn cues(text: &'static str)(
        cues in prop::collection::vec((1..5000_u64, 1..5000_u64, spans(text), place()), 1..6)
    ) -> Vec<Cue> {
        let mut at = 0;
        cues.into_iter().map(|(gap, length, spans, place)| {
            let start = at + gap;
            at = start + length;
            Cue { start, end: at, spans, place }
        }).collect()
    }
}

proptest! {
    #[test]
    fn webvtt_and_ttml_keep_everything(cues in cues("[a-z&<>\"';#{}한é]{1,5}(\n[a-z&<>]{1,5})?")) {
        let file = write::webvtt(&cues, Looks::Kept, Some(900_000));
        prop_assert_eq!(&read(Format::WebVtt, file.as_bytes(), None).expect("reads"), &cues, "{}", file);
        let file = write::ttml(&cues, Looks::Kept, "ko");
        prop_assert_eq!(&read(Format::Ttml, file.as_bytes(), None).expect("reads"), &cues, "{}", file);
    }

    #[test]
    fn subrip_keeps_text_without_braces_and_tags(cues in cues("[a-z&\"';#한é]{1,5}(\n[a-z&]{1,5})?")) {
        let file = write::srt(&cues, Looks::Kept);
        prop_assert_eq!(&read(Format::Srt, file.as_bytes(), None).expect("reads"), &cues, "{}", file);
    }

    #[test]
    fn sami_keeps_times_and_text(cues in cues("[a-z&<>\"';#{}한é]{1,5}(\n[a-z&<>]{1,5})?")) {
        let file = write::sami(&cues, Looks::Kept, "ko");
        let read = read(Format::Sami, file.as_bytes(), Some("ko")).expect("reads");
        let facts = |cues: &[Cue]| cues.iter().map(|cue| (cue.start, cue.end, cue.spans.clone())).collect::<Vec<_>>();
        prop_assert_eq!(facts(&read), facts(&cues), "{}", file);
    }

    #[test]
    fn any_text_is_answered(text in "(WEBVTT|<tt>|<SAMI>)?[\\PC\n]{0,300}") {
        for format in [Format::Srt, Format::WebVtt, Format::Ttml, Format::Sami] {
            if let Ok(cues) = read(format, text.as_bytes(), Some("en")) {
                prop_assert!(cues.iter().all(|cue| cue.end > cue.start && !cue.text().trim().is_empty()));
            }
        }
    }
}
