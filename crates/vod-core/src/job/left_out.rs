//! Tracks of a source that a template does not take over, in words.
//!
//! Computed from the probe and the template alone, so that a record says the same whichever engine made it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::record::{LeftOut, Media, Track, TrackKind};

/// Entries of a file with very many tracks.
const MOST: usize = 32;

/// The tracks of `media` that `settings` leave out.
pub(super) fn tracks(settings: &Value, media: &Media) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    videos(media, &mut left_out);
    audio(settings, media, &mut left_out);
    captions(settings, media, &mut left_out);
    left_out.truncate(MOST);
    left_out
}

fn of_kind(media: &Media, kind: TrackKind) -> impl Iterator<Item = (usize, &Track)> {
    (1..).zip(media.tracks.iter().filter(move |track| track.kind == kind))
}

fn name(kind: &str, number: usize, track: &Track) -> String {
    match &track.language {
        Some(language) => format!("{kind} track {number} ({language})"),
        None => format!("{kind} track {number}"),
    }
}

fn videos(media: &Media, left_out: &mut Vec<LeftOut>) {
    for (number, track) in of_kind(media, TrackKind::Video).skip(1) {
        left_out.push(LeftOut::new(
            name("video", number, track),
            "only the first video track is taken over",
        ));
    }
}

fn audio(settings: &Value, media: &Media, left_out: &mut Vec<LeftOut>) {
    let tracks: Vec<_> = of_kind(media, TrackKind::Audio).collect();
    let Some(taken) = taken_audio(settings, &tracks) else {
        return;
    };
    for (number, track) in tracks {
        if taken.contains(&number) {
            continue;
        }
        let why = match &taken {
            _ if !track.readable => "its codec is unknown, so it cannot be decoded".to_owned(),
            none if none.is_empty() => "the template makes no audio".to_owned(),
            taken => {
                let numbers: Vec<String> = taken.iter().map(ToString::to_string).collect();
                format!("the template takes audio track {}", numbers.join(", "))
            }
        };
        left_out.push(LeftOut::new(name("audio", number, track), why));
    }
}

/// Numbers of the audio tracks that the template takes, from 1; `None` where it selects them in a way that the probe
/// cannot answer.
fn taken_audio(settings: &Value, tracks: &[(usize, &Track)]) -> Option<BTreeSet<usize>> {
    let descriptions = || list(settings, "/outputGroups").flat_map(|group| list(group, "/outputs"));
    let mut descriptions = descriptions().flat_map(|output| list(output, "/audioDescriptions"));
    let selectors = settings.pointer("/inputs/0/audioSelectors");
    let mut taken = BTreeSet::new();
    descriptions.try_for_each(|description| {
        let source = description.get("audioSourceName").and_then(Value::as_str);
        let selector = match (selectors, source) {
            (None, _) => None,
            (Some(selectors), Some(name)) => Some(selectors.get(name)?),
            (Some(selectors), None) => selectors.as_object()?.values().next(),
        };
        taken.extend(selected(selector, tracks)?);
        Some(())
    })?;
    Some(taken)
}

/// The tracks of one selector; without one, those of the input that we add to a template.
fn selected(selector: Option<&Value>, tracks: &[(usize, &Track)]) -> Option<Vec<usize>> {
    let first_readable = tracks
        .iter()
        .find(|(_, track)| track.readable)
        .map(|(number, _)| *number);
    let first = first_readable.unwrap_or(1);
    let Some(selector) = selector else {
        return Some(vec![first]);
    };
    let member = |name: &str| selector.get(name).and_then(Value::as_str);
    match member("selectorType") {
        None | Some("TRACK") => {
            let numbers = list(selector, "/tracks").map(|number| usize::try_from(number.as_u64()?).ok());
            let numbers: Vec<usize> = numbers.collect::<Option<_>>()?;
            Some(if numbers.is_empty() { vec![first] } else { numbers })
        }
        Some("LANGUAGE_CODE") => {
            let wanted = member("languageCode")?;
            let speaks = |track: &Track| {
                let language = track.language.as_deref();
                language.is_some_and(|language| language.eq_ignore_ascii_case(wanted))
            };
            let found = tracks.iter().find(|(_, track)| speaks(track));
            Some(vec![found.map_or(first, |(number, _)| *number)])
        }
        _ => None,
    }
}

const NO_CAPTIONS: &str = "the template makes no captions";
/// Of the tracks in an MP4 or Matroska file, no source type of a caption selector reads text (API reference,
/// `CaptionSourceSettings`; `TrackSourceSettings` is for IMSC in IMF).
const NOT_READ: &str = "MediaConvert does not read subtitle tracks inside a video: save them as an SRT or WebVTT file and add it as \
    captions (docs/api.md), or name it in the template's CaptionSelectors";
/// Sources of captions that are tracks of the input.
const IN_TRACKS: [&str; 3] = ["DVB_SUB", "IMSC", "TELETEXT"];

fn captions(settings: &Value, media: &Media, left_out: &mut Vec<LeftOut>) {
    let asks = |output: &Value| list(output, "/captionDescriptions").next().is_some();
    let mut outputs = list(settings, "/outputGroups").flat_map(|group| list(group, "/outputs"));
    let makes_captions = outputs.any(asks);
    let selectors = settings
        .pointer("/inputs/0/captionSelectors")
        .and_then(Value::as_object);
    let reads_tracks = selectors
        .into_iter()
        .flat_map(|selectors| selectors.values())
        .any(|selector| {
            let source = selector
                .pointer("/sourceSettings/sourceType")
                .and_then(Value::as_str);
            source.is_some_and(|source| IN_TRACKS.contains(&source))
        });
    // Which tracks a template takes is decided by its selectors.
    if !(makes_captions && reads_tracks) {
        for (number, track) in of_kind(media, TrackKind::Subtitles) {
            left_out.push(LeftOut::new(name("subtitle", number, track), NOT_READ));
        }
    }
    if !makes_captions && of_kind(media, TrackKind::EmbeddedCaptions).next().is_some() {
        left_out.push(LeftOut::new("embedded captions (608/708)", NO_CAPTIONS));
    }
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn track(kind: TrackKind, language: Option<&str>) -> Track {
        Track {
            kind,
            language: language.map(str::to_owned),
            readable: true,
        }
    }

    fn media(tracks: Vec<Track>) -> Media {
        Media {
            tracks,
            ..Media::default()
        }
    }

    fn template(selector: &Value) -> Value {
        json!({"inputs": [{"audioSelectors": {"Audio Selector 1": selector}}],
            "outputGroups": [{"outputs": [{"audioDescriptions": [{"audioSourceName": "Audio Selector 1"}]}]}]})
    }

    fn said(settings: &Value, media: &Media) -> Vec<String> {
        let entries = tracks(settings, media).into_iter();
        entries
            .map(|entry| format!("{}: {}", entry.what, entry.why))
            .collect()
    }

    #[test]
    fn each_track_that_is_not_taken_over_is_named() {
        let mut unreadable = track(TrackKind::Audio, None);
        unreadable.readable = false;
        let media = media(vec![
            track(TrackKind::Video, None),
            track(TrackKind::EmbeddedCaptions, None),
            unreadable,
            track(TrackKind::Audio, Some("eng")),
            track(TrackKind::Audio, Some("deu")),
            track(TrackKind::Subtitles, None),
            track(TrackKind::Subtitles, Some("deu")),
            track(TrackKind::Video, None),
        ]);
        assert_eq!(
            said(&template(&json!({"defaultSelection": "DEFAULT"})), &media),
            [
                "video track 2: only the first video track is taken over",
                "audio track 1: its codec is unknown, so it cannot be decoded",
                "audio track 3 (deu): the template takes audio track 2",
                &format!("subtitle track 1: {NOT_READ}"),
                &format!("subtitle track 2 (deu): {NOT_READ}"),
                "embedded captions (608/708): the template makes no captions",
            ]
        );
    }

    #[test]
    fn the_selector_decides_which_audio_is_taken() {
        let media = media(vec![
            track(TrackKind::Audio, Some("eng")),
            track(TrackKind::Audio, Some("deu")),
        ]);
        for (selector, left_out) in [
            (
                json!({}),
                vec!["audio track 2 (deu): the template takes audio track 1"],
            ),
            (
                json!({"tracks": [2]}),
                vec!["audio track 1 (eng): the template takes audio track 2"],
            ),
            (json!({"tracks": [1, 2]}), vec![]),
            (
                json!({"selectorType": "LANGUAGE_CODE", "languageCode": "DEU"}),
                vec!["audio track 1 (eng): the template takes audio track 2"],
            ),
            // Process identifiers are not in the probe: nothing is guessed.
            (json!({"selectorType": "PID", "pids": [257]}), vec![]),
        ] {
            assert_eq!(said(&template(&selector), &media), left_out, "{selector}");
        }
        let silent = json!({"outputGroups": [{"outputs": [{"videoDescription": {}}]}]});
        assert_eq!(said(&silent, &media).len(), 2);
    }

    #[test]
    fn a_template_with_captions_decides_by_itself() {
        for (source, left_out) in [("TELETEXT", 0), ("DVB_SUB", 0), ("EMBEDDED", 1), ("SRT", 1)] {
            let settings = json!({
                "inputs": [{"captionSelectors": {"A": {"sourceSettings": {"sourceType": source}}}}],
                "outputGroups": [{"outputs": [{"captionDescriptions": [{}]}]}]});
            let tracks = vec![
                track(TrackKind::Subtitles, None),
                track(TrackKind::EmbeddedCaptions, None),
            ];
            assert_eq!(said(&settings, &media(tracks)).len(), left_out, "{source}");
        }
    }
}
