//! Joins several inputs to one, before anything is made of them.
//!
//! The rest of a plan sees one input: its picture is that of the input which outputs follow, and it has one audio track for
//! each audio selector. Each input is brought to that picture and to those tracks; what it does not have is black or silent.

mod canvas;
mod tracks;

use mediaconvert_job::model::{AudioSelector, Input, JobSettings};
use serde::{Deserialize, Serialize};

use self::canvas::Canvas;
use self::tracks::Tracks;
use crate::plan::clips::{self, Clip};
use crate::plan::{Refusal, Warning, color};
use crate::probe::{MediaInfo, Ratio};

/// The inputs, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Joint {
    pub(crate) parts: Vec<Part>,
}

/// An input as a part of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Filters from its picture, or a source of black, to the picture of the whole; absent if no output has a picture.
    picture: Option<Chain>,
    /// The same for each audio track of the whole.
    audio: Vec<Chain>,
    clips: Vec<Clip>,
    /// Frames per second in which clips are counted.
    rate: Ratio,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Chain {
    /// Index of the stream in the file; absent if filters make the content.
    stream: Option<u32>,
    /// Filters before clips are cut out of audio; all of a picture.
    before: String,
    after: String,
}

/// Several inputs as one.
pub(crate) struct Joined {
    pub(crate) joint: Joint,
    pub(crate) input: Input,
    pub(crate) source: MediaInfo,
    pub(crate) warnings: Vec<Warning>,
    /// The parts of each input that are taken: starts and ends in milliseconds.
    pub(crate) spans: Vec<Vec<(u64, u64)>>,
}

impl Joint {
    /// Chains that end in the labels `jv`, if the whole has a picture, and `ja{encode}` for each of these encodes, given with
    /// their tracks.
    pub(crate) fn chains(&self, picture: bool, audio: &[(usize, u32)]) -> Vec<String> {
        let (mut chains, mut pads) = (Vec::new(), Vec::new());
        for (index, part) in self.parts.iter().enumerate() {
            if let (true, Some(chain)) = (picture, &part.picture) {
                let pad = format!("[p{index}v]");
                chains.push(format!("{}{}{pad}", chain.source(index), chain.before));
                pads.push(pad);
            }
            for &(encode, track) in audio {
                if let Some(chain) = part.audio.get(track as usize) {
                    chains.push(part.sound(chain, index, encode));
                    pads.push(format!("[p{index}a{encode}]"));
                }
            }
        }
        let has_picture = picture && self.parts.iter().any(|part| part.picture.is_some());
        let picture = has_picture.then(|| "[jv]".to_owned());
        let sound = audio.iter().map(|(encode, _)| format!("[ja{encode}]"));
        let joined: Vec<String> = picture.into_iter().chain(sound).collect();
        chains.push(format!(
            "{}concat=n={}:v={}:a={}{}",
            pads.concat(),
            self.parts.len(),
            u8::from(has_picture),
            audio.len(),
            joined.concat()
        ));
        chains
    }
}

impl Part {
    /// The chain of an audio track, with labels for one encode.
    fn sound(&self, chain: &Chain, index: usize, encode: usize) -> String {
        let name = format!("p{index}a{encode}");
        let Chain {
            stream,
            before,
            after,
        } = chain;
        if stream.is_none() || self.clips.is_empty() {
            let separator = if after.is_empty() { "" } else { "," };
            return format!("{}{before}{separator}{after}[{name}]", chain.source(index));
        }
        let clips = clips::audio_filters(&self.clips, self.rate, &name);
        format!("{}{before},{clips},{after}[{name}]", chain.source(index))
    }
}

impl Chain {
    /// Filters that make the content, without a stream of a file.
    fn made(filters: String) -> Self {
        Self {
            stream: None,
            before: filters,
            after: String::new(),
        }
    }

    fn source(&self, input: usize) -> String {
        self.stream
            .map_or(String::new(), |stream| format!("[{input}:{stream}]"))
    }
}

/// Joins the inputs of a job. There is one source for each.
pub(crate) fn join(job: &JobSettings, sources: &[MediaInfo]) -> Result<Joined, Refusal> {
    let inputs = &job.inputs;
    // With what each input states about its picture.
    let sources = inputs.iter().zip(sources).enumerate();
    let sources = &sources
        .map(|(index, (input, source))| {
            color::overridden(source, input).map_err(|refusal| at_input(refusal, index))
        })
        .collect::<Result<Vec<MediaInfo>, Refusal>>()?;
    let followed = followed(job, sources)?;
    let canvas = followed.map(|index| Canvas::new(&inputs[index], sources, index));
    let names: Vec<&String> = {
        let mut names: Vec<_> = inputs
            .iter()
            .flat_map(|input| input.audio_selectors.keys())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let tracks = names
        .iter()
        .map(|name| Tracks::new(name, inputs, sources))
        .collect::<Result<Vec<_>, _>>()?;
    let (mut parts, mut spans, mut warnings) = (Vec::new(), Vec::new(), Vec::new());
    for (index, (input, source)) in inputs.iter().zip(sources).enumerate() {
        supported(input).map_err(|refusal| at_input(refusal, index))?;
        let clips = clips::of(input, source).map_err(|refusal| at_input(refusal, index))?;
        let taken = match clips.as_slice() {
            [] => vec![(0, source.duration_ms)],
            clips => clips::spans(clips, source),
        };
        let seconds = seconds(&taken);
        let picture = canvas.as_ref().map(|canvas| {
            let (chain, warning) = canvas.part(input, source, &clips, seconds)?;
            warnings.extend(warning);
            Ok(chain)
        });
        let picture = picture.transpose();
        let sound = tracks.iter().map(|track| track.part(index, seconds));
        parts.push(Part {
            picture: picture.map_err(|refusal| at_input(refusal, index))?,
            audio: sound.collect(),
            rate: clips::rate(source),
            clips,
        });
        spans.push(taken);
    }
    warnings.dedup();
    let duration_ms = spans.iter().flatten().map(|(from, to)| to - from).sum();
    Ok(Joined {
        joint: Joint { parts },
        input: whole_input(&inputs[0], &names, &tracks),
        source: MediaInfo {
            duration_ms,
            cover: None,
            video: canvas
                .as_ref()
                .zip(followed)
                .and_then(|(canvas, index)| Some(canvas.track(sources[index].video.as_ref()?))),
            audio: tracks
                .iter()
                .enumerate()
                .map(|(index, track)| track.whole(index))
                .collect(),
            other: Vec::new(),
            ..sources[0].clone()
        },
        warnings,
        spans,
    })
}

/// The input whose size, rate and pixel shape outputs follow: that of `followSource`, or the first with a picture. `None`: no
/// input has one.
fn followed(job: &JobSettings, sources: &[MediaInfo]) -> Result<Option<usize>, Refusal> {
    let first = sources.iter().position(|source| source.video.is_some());
    let Some(number) = job.follow_source else {
        return Ok(first);
    };
    let index = (number as usize).checked_sub(1);
    let index = index.filter(|index| sources.get(*index).is_some_and(|source| source.video.is_some()));
    index.map(Some).ok_or_else(|| {
        let message = format!("the job has no input {number} with a picture");
        Refusal::setting("/followSource", message)
    })
}

/// Refuses settings of an input that the engine takes of a single input only.
fn supported(input: &Input) -> Result<(), Refusal> {
    const MESSAGE: &str = "the local engine supports this setting in a job with one input only";
    let settings = [
        ("position", input.position.is_some()),
        (
            "imageInserter",
            !input.image_inserter.insertable_images.is_empty(),
        ),
    ];
    if let Some((member, _)) = settings.iter().find(|(_, is_set)| *is_set) {
        return Err(Refusal::setting(format!("/inputs/0/{member}"), MESSAGE));
    }
    for (name, selector) in &input.audio_selectors {
        let several = |numbers: &[u32]| numbers.len() > 1;
        let settings = [
            (
                "externalAudioFileInput",
                selector.external_audio_file_input.is_some(),
            ),
            ("remixSettings", selector.remix_settings.is_some()),
            ("tracks/1", several(&selector.tracks)),
            ("streams/1", several(&selector.streams)),
            ("pids/1", several(&selector.pids)),
        ];
        if let Some((member, _)) = settings.iter().find(|(_, is_set)| *is_set) {
            let path = format!("/inputs/0/audioSelectors/{name}/{member}");
            return Err(Refusal::setting(path, MESSAGE));
        }
    }
    Ok(())
}

/// The one input that the rest of the plan sees.
fn whole_input(first: &Input, names: &[&String], tracks: &[Tracks<'_>]) -> Input {
    let selector = |(index, tracks): (u32, &Tracks<'_>)| AudioSelector {
        // No track: a selector that is silent in all inputs is an error, as with one input.
        tracks: vec![if tracks.are_silent() { u32::MAX } else { index }],
        ..AudioSelector::default()
    };
    Input {
        file_input: first.file_input.clone(),
        audio_selector_groups: first.audio_selector_groups.clone(),
        audio_selectors: names
            .iter()
            .map(|name| (*name).clone())
            .zip((1..).zip(tracks).map(selector))
            .collect(),
        ..Input::default()
    }
}

/// A refusal of an input, which is planned as if it were the only one.
pub(crate) fn at_input(mut refusal: Refusal, index: usize) -> Refusal {
    if let Some(rest) = refusal.path.strip_prefix("/inputs/0") {
        refusal.path = format!("/inputs/{index}{rest}");
    }
    refusal
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a film")]
fn seconds(spans: &[(u64, u64)]) -> f64 {
    let milliseconds: u64 = spans.iter().map(|(from, to)| to.saturating_sub(*from)).sum();
    milliseconds as f64 / 1000.0
}
