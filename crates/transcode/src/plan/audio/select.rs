//! Selection of audio: selectors by name, and tracks by number, language, identifier or stream.

use mediaconvert_job::error_code::NO_AUDIO;
use mediaconvert_job::model::{AudioDescription, AudioSelector, Input};

use crate::plan::Refusal;
use crate::probe::{AudioTrack, MediaInfo};

/// An input without selectors has its first track.
static FIRST_TRACK: AudioSelector = AudioSelector {
    tracks: Vec::new(),
    streams: Vec::new(),
    pids: Vec::new(),
    selector_type: None,
    language_code: None,
    custom_language_code: None,
    default_selection: None,
    offset: None,
    external_audio_file_input: None,
    remix_settings: None,
};

/// The selectors that a description names: one, or those of a group.
pub(super) fn selectors<'a>(
    description: &'a AudioDescription,
    input: &'a Input,
    path: &str,
) -> Result<Vec<(&'a str, &'a AudioSelector)>, Refusal> {
    let is_default = |selector: &AudioSelector| selector.default_selection.as_deref() == Some("DEFAULT");
    let selectors = &input.audio_selectors;
    let default = || selectors.iter().find(|(_, selector)| is_default(selector));
    let unknown =
        |name: &str, path: String| Refusal::setting(path, format!("no audio selector is called `{name}`"));
    let own = format!("{path}/audioSourceName");
    let found = match description.audio_source_name.as_deref() {
        Some(name) => {
            if let Some(group) = input.audio_selector_groups.get(name) {
                let path = format!("/inputs/0/audioSelectorGroups/{name}/audioSelectorNames");
                let member = |member: &'a String| {
                    let found = selectors.get_key_value(member);
                    let (name, selector) = found.ok_or_else(|| unknown(member, path.clone()))?;
                    Ok((name.as_str(), selector))
                };
                return group.audio_selector_names.iter().map(member).collect();
            }
            // Outputs that name a selector which the input does not have get the default one.
            selectors.get_key_value(name).or_else(default)
        }
        None => default().or_else(|| selectors.iter().next()),
    };
    match found {
        Some((name, selector)) => Ok(vec![(name.as_str(), selector)]),
        None if selectors.is_empty() => Ok(vec![("Audio Selector 1", &FIRST_TRACK)]),
        None => Err(unknown(
            description.audio_source_name.as_deref().unwrap_or_default(),
            own,
        )),
    }
}

/// The first track that a selector means.
pub(crate) fn track<'a>(
    name: &str,
    selector: &AudioSelector,
    source: &'a MediaInfo,
) -> Result<&'a AudioTrack, Refusal> {
    Ok(tracks(name, selector, source)?[0])
}

/// The tracks that a selector means, at least one.
pub(super) fn tracks<'a>(
    name: &str,
    selector: &AudioSelector,
    source: &'a MediaInfo,
) -> Result<Vec<&'a AudioTrack>, Refusal> {
    let path = format!("/inputs/0/audioSelectors/{name}");
    let none = |track: &str| Refusal {
        code: NO_AUDIO,
        path: path.clone(),
        // MediaConvert's own words.
        message: format!("No audio frames decoded on [selector-({name})-track-{track}-drc]"),
    };
    // Each of these numbers, or the first that there is none of.
    let each = |numbers: &[u32], fits: &dyn Fn(u32, usize, &AudioTrack) -> bool| {
        let find = |number: &u32| {
            let mut tracks = source.audio.iter().enumerate();
            let found = tracks.find(|(index, track)| fits(*number, *index, track));
            found
                .map(|(_, track)| track)
                .ok_or_else(|| none(&number.to_string()))
        };
        numbers.iter().map(find).collect::<Result<Vec<_>, _>>()
    };
    let first = || first_readable(source).map(|track| vec![track]);
    match selector.selector_type.as_deref() {
        Some("LANGUAGE_CODE") => {
            let wanted = selector
                .language_code
                .as_deref()
                .or(selector.custom_language_code.as_deref());
            let wanted = wanted.unwrap_or_default();
            let speaks = |track: &&AudioTrack| {
                let language = track.language.as_deref();
                language.is_some_and(|language| language.eq_ignore_ascii_case(wanted))
            };
            // MediaConvert falls back to the first track of a default selector.
            let is_default = selector.default_selection.as_deref() == Some("DEFAULT");
            let found = source.audio.iter().find(speaks).map(|track| vec![track]);
            found
                .or_else(|| first().filter(|_| is_default))
                .ok_or_else(|| none(wanted))
        }
        Some("PID") if !selector.pids.is_empty() => {
            each(&selector.pids, &|pid, _, track| track.id == Some(pid))
        }
        Some("STREAM") if !selector.streams.is_empty() => each(&selector.streams, &|number, _, track| {
            track.index.checked_add(1) == Some(number)
        }),
        Some("ALL_PCM") => {
            let pcm: Vec<_> = source
                .audio
                .iter()
                .filter(|track| track.codec.starts_with("pcm_"))
                .collect();
            if pcm.is_empty() { Err(none("pcm")) } else { Ok(pcm) }
        }
        _ if selector.tracks.is_empty() => first().ok_or_else(|| none("1")),
        _ => each(&selector.tracks, &|number, index, _| number as usize == index + 1),
    }
}

/// Phones add audio tracks that only they can play.
fn first_readable(source: &MediaInfo) -> Option<&AudioTrack> {
    let mut tracks = source.audio.iter();
    tracks.find(|track| track.is_readable()).or(source.audio.first())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source() -> MediaInfo {
        let track = |index: u32, codec: &str, language: &str| AudioTrack {
            index,
            codec: codec.to_owned(),
            channels: 1,
            sample_rate: 48_000,
            language: Some(language.to_owned()),
            bit_rate: None,
            id: Some(0x100 + index),
        };
        MediaInfo {
            audio: vec![
                track(1, "aac", "eng"),
                track(2, "pcm_s16le", "deu"),
                track(4, "pcm_s16le", "eng"),
            ],
            ..MediaInfo::default()
        }
    }

    #[test]
    fn tracks_are_selected_in_each_way() {
        let source = source();
        for (selector, expected) in [
            (json!({}), Some(vec![1])),
            (json!({"tracks": [2]}), Some(vec![2])),
            (json!({"tracks": [3, 1]}), Some(vec![4, 1])),
            (json!({"tracks": [0]}), None),
            (json!({"tracks": [4]}), None),
            (json!({"selectorType": "PID", "pids": [258]}), Some(vec![2])),
            (json!({"selectorType": "PID", "pids": [999]}), None),
            (json!({"selectorType": "STREAM", "streams": [5]}), Some(vec![4])),
            (json!({"selectorType": "STREAM", "streams": [1]}), None),
            (json!({"selectorType": "ALL_PCM"}), Some(vec![2, 4])),
            (
                json!({"selectorType": "LANGUAGE_CODE", "languageCode": "DEU"}),
                Some(vec![2]),
            ),
            (
                json!({"selectorType": "LANGUAGE_CODE", "customLanguageCode": "deu"}),
                Some(vec![2]),
            ),
            (
                json!({"selectorType": "LANGUAGE_CODE", "languageCode": "FRA"}),
                None,
            ),
            (
                json!({"selectorType": "LANGUAGE_CODE", "languageCode": "FRA", "defaultSelection": "DEFAULT"}),
                Some(vec![1]),
            ),
        ] {
            let selected: AudioSelector = serde_json::from_value(selector.clone()).expect("fits the model");
            let found = tracks("A", &selected, &source).ok();
            let found = found.map(|tracks| tracks.iter().map(|track| track.index).collect::<Vec<_>>());
            assert_eq!(found, expected, "{selector}");
        }
    }

    #[test]
    fn a_name_means_a_selector_a_group_or_the_default() {
        let selectors_of = |name: serde_json::Value, input: serde_json::Value| {
            let input: Input = serde_json::from_value(input).expect("fits the model");
            let description: AudioDescription =
                serde_json::from_value(json!({"audioSourceName": name})).expect("fits the model");
            let found = selectors(&description, &input, "/d").map_err(|refusal| refusal.to_string())?;
            Ok::<Vec<String>, String>(found.into_iter().map(|(name, _)| name.to_owned()).collect())
        };
        let two = json!({"audioSelectors": {"A": {}, "B": {"defaultSelection": "DEFAULT"}},
            "audioSelectorGroups": {"G": {"audioSelectorNames": ["B", "A"]}, "H": {"audioSelectorNames": ["C"]}}});
        for (name, expected) in [
            (json!("A"), Ok(vec!["A"])),
            (json!(null), Ok(vec!["B"])),
            (json!("C"), Ok(vec!["B"])),
            (json!("G"), Ok(vec!["B", "A"])),
            (
                json!("H"),
                Err("/inputs/0/audioSelectorGroups/H/audioSelectorNames: no audio selector is called `C`"),
            ),
        ] {
            let expected = expected
                .map(|names| names.into_iter().map(str::to_owned).collect())
                .map_err(str::to_owned);
            assert_eq!(selectors_of(name.clone(), two.clone()), expected, "{name}");
        }
        assert_eq!(
            selectors_of(json!("A"), json!({})),
            Ok(vec!["Audio Selector 1".to_owned()])
        );
        assert_eq!(
            selectors_of(json!("C"), json!({"audioSelectors": {"A": {}}})),
            Err("/d/audioSourceName: no audio selector is called `C`".to_owned())
        );
    }
}
