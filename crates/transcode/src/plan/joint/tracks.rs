//! The audio tracks of joined inputs.

use mediaconvert_job::error_code::UNSUPPORTED_CODEC;
use mediaconvert_job::model::{AudioSelector, Input};

use super::Chain;
use crate::plan::{Refusal, audio};
use crate::probe::{AudioTrack, MediaInfo};

/// The sampling rate of the joined audio in hertz.
const SAMPLE_RATE: u32 = 48_000;

/// The tracks that one audio selector has in the inputs.
pub(super) struct Tracks<'a> {
    /// By input; `None`: silence.
    of_inputs: Vec<Option<(&'a AudioSelector, &'a AudioTrack)>>,
    channels: u32,
}

impl<'a> Tracks<'a> {
    /// Finds the tracks of a selector.
    pub(super) fn new(name: &str, inputs: &'a [Input], sources: &'a [MediaInfo]) -> Result<Self, Refusal> {
        let mut of_inputs = Vec::new();
        for (index, (input, source)) in inputs.iter().zip(sources).enumerate() {
            let is_default =
                |selector: &&AudioSelector| selector.default_selection.as_deref() == Some("DEFAULT");
            let selector = input.audio_selectors.get(name);
            // A selector of another name takes over where it is the default.
            let selector = selector.or_else(|| input.audio_selectors.values().find(is_default));
            let found = selector
                .and_then(|selector| Some((selector, audio::select::track(name, selector, source).ok()?)));
            if found.is_some_and(|(_, track)| !track.is_readable()) {
                return Err(Refusal {
                    code: UNSUPPORTED_CODEC,
                    path: format!("/inputs/{index}/audioSelectors/{name}"),
                    message: "unsupported codec: the audio track cannot be decoded".to_owned(),
                });
            }
            of_inputs.push(found);
        }
        let channels = of_inputs.iter().flatten().map(|(_, track)| track.channels).max();
        Ok(Self {
            of_inputs,
            channels: match channels {
                Some(6..) => 6,
                Some(2..) => 2,
                _ => 1,
            },
        })
    }

    fn layout(&self) -> &'static str {
        match self.channels {
            6 => "5.1",
            2 => "stereo",
            _ => "mono",
        }
    }

    pub(super) fn part(&self, input: usize, seconds: f64) -> Chain {
        let layout = self.layout();
        let Some((selector, track)) = self.of_inputs.get(input).copied().flatten() else {
            return Chain::made(format!(
                "anullsrc=r={SAMPLE_RATE}:cl={layout},atrim=end={seconds:.6}"
            ));
        };
        let mut filters = audio::shifted(selector.offset.unwrap_or(0));
        filters.push("aresample=async=1:first_pts=0".to_owned());
        Chain {
            stream: Some(track.index),
            before: filters.join(","),
            after: format!("aformat=sample_rates={SAMPLE_RATE}:channel_layouts={layout}"),
        }
    }

    /// The track of the whole, as a probe would find it.
    pub(super) fn whole(&self, index: usize) -> AudioTrack {
        let first = self.of_inputs.iter().flatten().map(|(_, track)| *track).next();
        AudioTrack {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            channels: self.channels,
            sample_rate: SAMPLE_RATE,
            bit_rate: None,
            id: None,
            codec: first.map_or(String::new(), |track| track.codec.clone()),
            language: first.and_then(|track| track.language.clone()),
        }
    }

    pub(super) fn are_silent(&self) -> bool {
        self.of_inputs.iter().all(Option::is_none)
    }
}
