//! Plans audio: selects the tracks of an output, and what is encoded of them.

use mediaconvert_job::error_code::UNSUPPORTED_CODEC;
use mediaconvert_job::model::{AudioDescription, AudioSelector, Input};

use crate::plan::side::{SideFile, SideFiles};
use crate::plan::{AudioEncode, Loudness, Refusal, owned};
use crate::probe::{AudioTrack, MediaInfo};

pub(crate) mod codec;
mod remix;
pub(crate) mod select;

use self::remix::Mix;

/// The parts of a job that audio is planned from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) input: &'a Input,
    pub(crate) source: &'a MediaInfo,
    pub(crate) names: &'a [SideFile],
    /// Absent where a job is only checked.
    pub(crate) files: Option<&'a SideFiles>,
}

/// Tracks that a selector takes from one file.
struct Selected<'a> {
    /// Its name in the work folder, if it is not the input.
    file: Option<String>,
    tracks: Vec<&'a AudioTrack>,
}

impl Context<'_> {
    /// Plans one audio description: one track for each member of a group of selectors. `path` is the description's own.
    pub(crate) fn encodes(
        &self,
        description: &AudioDescription,
        path: &str,
    ) -> Result<Vec<AudioEncode>, Refusal> {
        let selectors = select::selectors(description, self.input, path)?;
        selectors
            .into_iter()
            .map(|(name, selector)| self.encode(description, name, selector, path))
            .collect()
    }

    fn encode(
        &self,
        description: &AudioDescription,
        name: &str,
        selector: &AudioSelector,
        path: &str,
    ) -> Result<AudioEncode, Refusal> {
        let selected = self.selected(name, selector)?;
        if selected.tracks.iter().any(|track| !track.is_readable()) {
            return Err(Refusal {
                code: UNSUPPORTED_CODEC,
                path: format!("/inputs/0/audioSelectors/{name}"),
                message: "unsupported codec: the audio track cannot be decoded".to_owned(),
            });
        }
        let tracks = &selected.tracks;
        let channels = tracks.iter().map(|track| track.channels).sum();
        let mut mix = Mix::new(channels);
        mix.add(
            selector.remix_settings.as_ref(),
            &format!("/inputs/0/audioSelectors/{name}/remixSettings"),
        )?;
        mix.add(
            description.remix_settings.as_ref(),
            &format!("{path}/remixSettings"),
        )?;
        // What codecs follow.
        let mixed = AudioTrack {
            channels: mix.channels,
            ..tracks[0].clone()
        };
        let settings = &description.codec_settings;
        let path = format!("{path}/codecSettings");
        let codec = codec::Codec::of(settings, &path)?;
        let codec::Chosen {
            options,
            sample_rate,
            layout: (layout, channels),
        } = codec.choose(settings, &mixed, &path)?;
        let mut filters = shifted(selector.offset.unwrap_or(0));
        // Gaps become silence, and audio that starts late starts with silence: players expect both tracks from 0.
        filters.push("aresample=async=1:first_pts=0".to_owned());
        if selected.file.is_some() && self.source.video.is_some() && self.source.duration_ms > 0 {
            // Audio beside the video is not longer than it.
            filters.push(format!("atrim=end={}", seconds(self.source.duration_ms)));
        }
        filters.extend(mix.filters);
        Ok(AudioEncode {
            file: selected.file,
            streams: tracks.iter().map(|track| track.index).collect(),
            filters: filters.join(","),
            format: format!("aformat=sample_rates={sample_rate}:channel_layouts={layout}"),
            options: owned(options),
            language: language(description, tracks[0]),
            channels,
            sample_rate,
            codec: codec.in_transport_stream.map(str::to_owned),
            loudness: description
                .audio_normalization_settings
                .as_ref()
                .and_then(Loudness::new),
        })
    }

    /// The tracks that a selector means, of the input or of a file of its own.
    fn selected(&self, name: &str, selector: &AudioSelector) -> Result<Selected<'_>, Refusal> {
        let Some(url) = selector.external_audio_file_input.as_deref() else {
            let tracks = select::tracks(name, selector, self.source)?;
            return Ok(Selected { file: None, tracks });
        };
        let path = format!("/inputs/0/audioSelectors/{name}/externalAudioFileInput");
        let named = self.names.iter().find(|file| file.url == url);
        let file = named.ok_or_else(|| Refusal::setting(&path, "the file is unknown"))?;
        // Where a job is only checked, the input stands in for the file.
        let info = self
            .files
            .and_then(|files| files.sounds.get(url))
            .unwrap_or(self.source);
        Ok(Selected {
            file: Some(file.name.clone()),
            tracks: select::tracks(name, selector, info)?,
        })
    }
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

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

fn language(description: &AudioDescription, track: &AudioTrack) -> Option<String> {
    let code = description.language_code.as_deref().map(str::to_ascii_lowercase);
    let configured = description.custom_language_code.clone().or(code);
    match description.language_code_control.as_deref() {
        Some("USE_CONFIGURED") => configured,
        // The file's own value comes first; the configured value applies if the file has none.
        _ => track.language.clone().or(configured),
    }
}
