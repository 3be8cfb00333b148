//! Joins several inputs to one, before anything is made of them.
//!
//! The rest of a plan sees one input: its picture is that of the input which outputs follow, and it has one audio track for
//! each audio selector. Each input is brought to that picture and to those tracks; what it does not have is black or silent.

use mediaconvert_job::error_code::UNSUPPORTED_CODEC;
use mediaconvert_job::model::{AudioSelector, Input, JobSettings};
use serde::{Deserialize, Serialize};

use crate::plan::clips::{self, Clip};
use crate::plan::color::{self, Conversion};
use crate::plan::deinterlace::Fields;
use crate::plan::picture::{Area, Frame, Rotate};
use crate::plan::{Refusal, Warning, audio, preprocess};
use crate::probe::{AudioTrack, MediaInfo, Ratio, VideoTrack};

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

/// The sampling rate of the joined audio in hertz.
const SAMPLE_RATE: u32 = 48_000;

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
    fn source(&self, input: usize) -> String {
        self.stream
            .map_or(String::new(), |stream| format!("[{input}:{stream}]"))
    }
}

/// The picture of the whole.
struct Canvas {
    frame: Frame,
    rate: Ratio,
    /// Parts keep the colors of their sources, which agree.
    same_colors: bool,
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
    let canvas = followed.map(|index| canvas(&inputs[index], sources, index));
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
        .map(|name| tracks(name, inputs, sources))
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

fn canvas(input: &Input, sources: &[MediaInfo], followed: usize) -> Canvas {
    let tracks = || sources.iter().filter_map(|source| source.video.as_ref());
    let track = sources[followed].video.as_ref();
    let colors = |track: &VideoTrack| {
        (
            track.color_primaries.clone(),
            track.color_transfer.clone(),
            track.color_matrix.clone(),
            track.full_range,
            track.bit_depth,
        )
    };
    let all_have_one = sources.iter().all(|source| source.video.is_some());
    let same = tracks()
        .map(colors)
        .collect::<Vec<_>>()
        .windows(2)
        .all(|pair| pair[0] == pair[1]);
    let rotate = Rotate::new(input.video_selector.rotate.as_deref());
    let frame = track.map(|track| Frame::turned(track, rotate.degrees(track)));
    let frame = frame.map(|frame| match input.crop {
        Some(crop) => Frame {
            width: crop.width,
            height: crop.height,
            ..frame
        },
        None => frame,
    });
    Canvas {
        frame: frame.unwrap_or(Frame {
            width: 2,
            height: 2,
            sample_aspect: Ratio { num: 1, den: 1 },
        }),
        rate: track.map_or(Ratio { num: 25, den: 1 }, |track| track.frame_rate),
        same_colors: same && all_have_one,
    }
}

impl Canvas {
    /// The picture of a part, and what the owner should know about it.
    fn part(
        &self,
        input: &Input,
        source: &MediaInfo,
        clips: &[Clip],
        seconds: f64,
    ) -> Result<(Chain, Option<Warning>), Refusal> {
        let (width, height) = (self.frame.width / 2 * 2, self.frame.height / 2 * 2);
        let Ratio { num, den } = self.frame.sample_aspect;
        let Some(track) = &source.video else {
            let black = format!(
                "color=c=black:s={width}x{height}:r={}:d={seconds:.6},setsar={num}/{den},format=yuv420p",
                self.rate
            );
            return Ok((Chain::made(black), None));
        };
        if track.codec.is_empty() {
            return Err(Refusal {
                code: UNSUPPORTED_CODEC,
                path: "/inputs/0".to_owned(),
                message: "unsupported codec: the video track cannot be decoded".to_owned(),
            });
        }
        let rotate = Rotate::new(input.video_selector.rotate.as_deref());
        let mut filters = color::stated(track, input);
        filters.extend(rotate.filters(track));
        filters.extend(Fields::filters(None, track));
        filters.extend(preprocess::input_filters(input));
        filters.push(format!("fps=fps={}:start_time=0", track.frame_rate));
        filters.extend(clips::picture_filters(clips, track.frame_rate));
        filters.extend((track.frame_rate != self.rate).then(|| format!("fps=fps={}", self.rate)));
        let mut frame = Frame::turned(track, rotate.degrees(track));
        if let Some(crop) = input.crop {
            let area = Area::inside(
                crop,
                (frame.width, frame.height),
                "Crop rectangle",
                "/inputs/0/crop",
            )?;
            filters.push(format!(
                "crop={}:{}:{}:{}",
                area.width, area.height, area.x, area.y
            ));
            (frame.width, frame.height) = (area.width, area.height);
        }
        filters.extend(self.fitted(frame));
        filters.push(format!("setsar={num}/{den}"));
        let Conversion {
            filters: color,
            warning,
        } = if self.same_colors {
            Conversion::default()
        } else {
            color::conversion(track, false)?
        };
        filters.extend(color);
        let chain = Chain {
            stream: Some(track.index),
            before: filters.join(","),
            after: String::new(),
        };
        Ok((chain, warning))
    }

    /// Filters that show the whole of a picture in the middle of that of the whole.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are positive and small"
    )]
    fn fitted(&self, frame: Frame) -> Vec<String> {
        let even = |length: f64| ((length / 2.0).round() as u32 * 2).max(2);
        let (width, height) = (self.frame.width / 2 * 2, self.frame.height / 2 * 2);
        // In the pixels of the whole.
        let shape = frame.sample_aspect.as_f64() / self.frame.sample_aspect.as_f64();
        let natural = (f64::from(frame.width) * shape, f64::from(frame.height));
        let zoom = (f64::from(width) / natural.0).min(f64::from(height) / natural.1);
        let scaled = (
            even(natural.0 * zoom).min(width),
            even(natural.1 * zoom).min(height),
        );
        let mut filters = Vec::new();
        if scaled != (frame.width, frame.height) {
            filters.push(format!("scale={}:{}:flags=bicubic", scaled.0, scaled.1));
        }
        if scaled != (width, height) {
            let (x, y) = ((width - scaled.0) / 4 * 2, (height - scaled.1) / 4 * 2);
            filters.push(format!("pad={width}:{height}:{x}:{y}"));
        }
        filters
    }

    /// The video track of the whole, as a probe would find it.
    fn track(&self, followed: &VideoTrack) -> VideoTrack {
        let track = VideoTrack {
            index: 0,
            width: self.frame.width / 2 * 2,
            height: self.frame.height / 2 * 2,
            rotation: 0,
            sample_aspect: self.frame.sample_aspect,
            variable_frame_rate: false,
            interlaced: false,
            top_field_first: None,
            embedded_captions: false,
            bit_rate: None,
            ..followed.clone()
        };
        if self.same_colors {
            return track;
        }
        VideoTrack {
            bit_depth: 8,
            pixel_format: "yuv420p".to_owned(),
            color_primaries: None,
            color_transfer: None,
            color_matrix: None,
            full_range: false,
            dolby_vision_profile: None,
            mastering: None,
            ..track
        }
    }
}

/// The tracks that one audio selector has in the inputs.
struct Tracks<'a> {
    /// By input; `None`: silence.
    of_inputs: Vec<Option<(&'a AudioSelector, &'a AudioTrack)>>,
    channels: u32,
}

fn tracks<'a>(name: &str, inputs: &'a [Input], sources: &'a [MediaInfo]) -> Result<Tracks<'a>, Refusal> {
    let mut of_inputs = Vec::new();
    for (index, (input, source)) in inputs.iter().zip(sources).enumerate() {
        let is_default = |selector: &&AudioSelector| selector.default_selection.as_deref() == Some("DEFAULT");
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
    Ok(Tracks {
        of_inputs,
        channels: match channels {
            Some(6..) => 6,
            Some(2..) => 2,
            _ => 1,
        },
    })
}

impl Tracks<'_> {
    fn layout(&self) -> &'static str {
        match self.channels {
            6 => "5.1",
            2 => "stereo",
            _ => "mono",
        }
    }

    fn part(&self, input: usize, seconds: f64) -> Chain {
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
    fn whole(&self, index: usize) -> AudioTrack {
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

    fn are_silent(&self) -> bool {
        self.of_inputs.iter().all(Option::is_none)
    }
}

impl Chain {
    fn made(filters: String) -> Self {
        Self {
            stream: None,
            before: filters,
            after: String::new(),
        }
    }
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
