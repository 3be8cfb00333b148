//! Plans audio: selects the track of an output, and what is encoded of it.

use mediaconvert_job::error_code::{NO_AUDIO, UNSUPPORTED_CODEC};
use mediaconvert_job::model::{AudioDescription, AudioSelector, Input};

use crate::plan::{AudioEncode, Loudness, Refusal, owned};
use crate::probe::{AudioTrack, MediaInfo};

pub(crate) mod codec;

/// Plans one audio description. `path` is its own.
pub(crate) fn encode(
    description: &AudioDescription,
    input: &Input,
    source: &MediaInfo,
    path: &str,
) -> Result<AudioEncode, Refusal> {
    let (name, selector) = selector(description, input, path)?;
    let track = select(name, selector, source)?;
    if !track.is_readable() {
        return Err(Refusal {
            code: UNSUPPORTED_CODEC,
            path: format!("/inputs/0/audioSelectors/{name}"),
            message: "unsupported codec: the audio track cannot be decoded".to_owned(),
        });
    }
    let settings = &description.codec_settings;
    let path = format!("{path}/codecSettings");
    let codec = codec::Codec::of(settings, &path)?;
    let codec::Chosen {
        options,
        sample_rate,
        layout: (layout, channels),
    } = codec.choose(settings, track, &path)?;
    let mut filters = shifted(selector.offset.unwrap_or(0));
    // Gaps become silence, and audio that starts late starts with silence: players expect both tracks from 0.
    filters.push("aresample=async=1:first_pts=0".to_owned());
    Ok(AudioEncode {
        stream: track.index,
        filters: filters.join(","),
        format: format!("aformat=sample_rates={sample_rate}:channel_layouts={layout}"),
        options: owned(options),
        language: language(description, track),
        channels,
        sample_rate,
        codec: codec.in_transport_stream.map(str::to_owned),
        loudness: description
            .audio_normalization_settings
            .as_ref()
            .and_then(Loudness::new),
    })
}

/// Filters that shift audio by milliseconds.
pub(crate) fn shifted(offset: i32) -> Vec<String> {
    match offset {
        0 => Vec::new(),
        late if late > 0 => vec![format!("adelay={late}:all=1")],
        early => vec![format!(
            "atrim=start={},asetpts=PTS-STARTPTS",
            f64::from(early.unsigned_abs()) / 1000.0
        )],
    }
}

/// The selector that a description names, or the only one there is.
fn selector<'a>(
    description: &'a AudioDescription,
    input: &'a Input,
    path: &str,
) -> Result<(&'a str, &'a AudioSelector), Refusal> {
    let is_default = |selector: &AudioSelector| selector.default_selection.as_deref() == Some("DEFAULT");
    let selectors = &input.audio_selectors;
    let found = match &description.audio_source_name {
        Some(name) => selectors.get_key_value(name),
        None => selectors
            .iter()
            .find(|(_, selector)| is_default(selector))
            .or_else(|| selectors.iter().next()),
    };
    found
        .map(|(name, selector)| (name.as_str(), selector))
        .ok_or_else(|| {
            let name = description.audio_source_name.as_deref().unwrap_or_default();
            Refusal::setting(
                format!("{path}/audioSourceName"),
                format!("no audio selector is called `{name}`"),
            )
        })
}

/// The track that a selector means.
pub(crate) fn select<'a>(
    name: &str,
    selector: &AudioSelector,
    source: &'a MediaInfo,
) -> Result<&'a AudioTrack, Refusal> {
    let path = format!("/inputs/0/audioSelectors/{name}");
    let none = |track: &str| Refusal {
        code: NO_AUDIO,
        path: path.clone(),
        // MediaConvert's own words.
        message: format!("No audio frames decoded on [selector-({name})-track-{track}-drc]"),
    };
    if selector.selector_type.as_deref() == Some("LANGUAGE_CODE") {
        let wanted = selector.language_code.as_deref().unwrap_or_default();
        let speaks = |track: &&AudioTrack| {
            let language = track.language.as_deref();
            language.is_some_and(|language| language.eq_ignore_ascii_case(wanted))
        };
        // MediaConvert falls back to the first track of a default selector.
        let is_default = selector.default_selection.as_deref() == Some("DEFAULT");
        let fallback = first_readable(source).filter(|_| is_default);
        return source
            .audio
            .iter()
            .find(speaks)
            .or(fallback)
            .ok_or_else(|| none(wanted));
    }
    let number = match selector.tracks.as_slice() {
        [] => return first_readable(source).ok_or_else(|| none("1")),
        [number] => *number as usize,
        _ => {
            let message = "the local engine cannot join several tracks into one";
            return Err(Refusal::setting(format!("{path}/tracks/1"), message));
        }
    };
    let track = number.checked_sub(1).and_then(|index| source.audio.get(index));
    track.ok_or_else(|| none(&number.to_string()))
}

/// Phones add audio tracks that only they can play.
fn first_readable(source: &MediaInfo) -> Option<&AudioTrack> {
    let mut tracks = source.audio.iter();
    tracks.find(|track| track.is_readable()).or(source.audio.first())
}

fn language(description: &AudioDescription, track: &AudioTrack) -> Option<String> {
    let configured = description.language_code.as_deref().map(str::to_ascii_lowercase);
    match description.language_code_control.as_deref() {
        Some("USE_CONFIGURED") => configured,
        // The file's own value comes first; the configured value applies if the file has none.
        _ => track.language.clone().or(configured),
    }
}
