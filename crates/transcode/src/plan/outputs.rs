//! Walks the groups and outputs of a job, collects encodes, and shares the equal ones.

use mediaconvert_job::error_code::{NO_VIDEO, UNSUPPORTED_CODEC};
use mediaconvert_job::group::GroupType;
use mediaconvert_job::model::{
    self, FrameCaptureSettings, H264Settings, HlsGroupSettings, Input, JobSettings,
};
use mediaconvert_job::names::{self, Destination, Identifiers};

use crate::plan::color::{self, Conversion};
use crate::plan::files::{default_extension, hls_group, muxer, unique_names};
use crate::plan::graph::Graph;
use crate::plan::picture::{Frame, Picture, Rotate, SQUARE};
use crate::plan::{
    AudioEncode, Capture, Group, GroupKind, Media, Output, Plan, Refusal, VideoEncode, WARN_ONE_PASS,
    Warning, audio, h264,
};
use crate::probe::{MediaInfo, Ratio};

/// Collects what the outputs need.
struct Planner<'a> {
    input: &'a Input,
    source: &'a MediaInfo,
    started: &'a str,
    /// The source's picture, turned as asked.
    frame: Option<Frame>,
    videos: Vec<VideoEncode>,
    audio: Vec<AudioEncode>,
    captures: Vec<Capture>,
    warnings: Vec<Warning>,
}

pub(crate) fn plan(job: &JobSettings, source: &MediaInfo, started: &str) -> Result<Plan, Refusal> {
    let input = match job.inputs.as_slice() {
        [input] => input,
        [] => return Err(Refusal::setting("/inputs", "a job needs an input")),
        _ => return Err(Refusal::setting("/inputs/1", "the local engine takes one input")),
    };
    let rotate = Rotate::new(input.video_selector.rotate.as_deref());
    let frame = source
        .video
        .as_ref()
        .map(|track| Frame::turned(track, rotate.degrees(track)));
    let mut planner = Planner {
        input,
        source,
        started,
        frame,
        videos: Vec::new(),
        audio: Vec::new(),
        captures: Vec::new(),
        warnings: Vec::new(),
    };
    let groups = job
        .output_groups
        .iter()
        .enumerate()
        .map(|(index, group)| planner.group(index, group))
        .collect::<Result<Vec<_>, _>>()?;
    if planner.videos.is_empty() && planner.audio.is_empty() {
        return Err(Refusal::setting(
            "/outputGroups",
            "a job needs an output that is more than captured frames",
        ));
    }
    planner.finish(groups, &rotate)
}

impl Planner<'_> {
    fn finish(mut self, groups: Vec<Group>, rotate: &Rotate) -> Result<Plan, Refusal> {
        let used = !self.videos.is_empty() || !self.captures.is_empty();
        let track = self.source.video.as_ref().filter(|_| used);
        let Conversion {
            filters: color,
            warning,
        } = track.map(color::conversion).transpose()?.unwrap_or_default();
        self.warnings.extend(warning);
        let rate = self.common_rate();
        let mut prepare = track.map(|track| rotate.filters(track)).unwrap_or_default();
        if track.is_some_and(|track| track.interlaced) {
            prepare.push("bwdif=mode=send_frame:deint=all".to_owned());
        }
        // Even spacing from 0 on: it makes keyframes fall on the same pictures in every rendition.
        prepare.push(format!("fps=fps={rate}:start_time=0"));
        let frame = self.frame.unwrap_or(Frame {
            width: 0,
            height: 0,
            sample_aspect: SQUARE,
        });
        let filters = Graph {
            stream: track.map_or(0, |track| track.index),
            frame,
            prepare,
            color,
            rate,
            videos: &self.videos,
            captures: &self.captures,
            audio: &self.audio,
        }
        .render();
        Ok(Plan {
            warnings: self.warnings,
            groups,
            duration_ms: self.source.duration_ms,
            videos: self.videos,
            audio: self.audio,
            captures: self.captures,
            filters,
        })
    }

    fn source_rate(&self) -> Ratio {
        self.source
            .video
            .as_ref()
            .map_or(Ratio { num: 25, den: 1 }, |track| track.frame_rate)
    }

    /// The rate of all encodes where they agree, so that no picture is scaled to be thrown away.
    fn common_rate(&self) -> Ratio {
        let mut rates = self.videos.iter().map(|video| video.rate);
        match rates.next() {
            Some(first) if rates.all(|rate| rate == first) => first,
            _ => self.source_rate(),
        }
    }

    fn group(&mut self, index: usize, group: &model::OutputGroup) -> Result<Group, Refusal> {
        let path = format!("/outputGroups/{index}");
        let settings = &group.output_group_settings;
        let GroupType { member, folder, .. } = GroupType::or_file(settings.kind.as_deref());
        let hls = (*folder == "hls").then_some(&settings.hls_group_settings);
        let destination = match hls {
            Some(hls) => &hls.destination,
            None => &settings.file_group_settings.destination,
        };
        let destination = destination
            .as_deref()
            .and_then(|url| Destination::parse(url, &self.input.file_input));
        let destination = destination.ok_or_else(|| {
            let path = format!("{path}/outputGroupSettings/{member}/destination");
            Refusal::setting(path, "must be an s3:// URL with a bucket")
        })?;
        if group.outputs.is_empty() {
            return Err(Refusal::setting(
                format!("{path}/outputs"),
                "an output group needs an output",
            ));
        }
        let folder = format!("g{index}");
        let mut kind = hls.map_or(GroupKind::File, |hls| GroupKind::Hls(hls_group(hls)));
        let mut outputs = Vec::new();
        for (number, output) in group.outputs.iter().enumerate() {
            let path = format!("{path}/outputs/{number}");
            let (media, seconds) = self.media(output, hls, &path, &format!("{folder}/o{number}"))?;
            if let (GroupKind::Hls(hls), Some(seconds)) = (&mut kind, seconds) {
                hls.segment_seconds = seconds;
            }
            outputs.push(self.output(output, number, media, hls.is_some()));
        }
        unique_names(&outputs, &path)?;
        Ok(Group {
            kind,
            folder,
            destination,
            outputs,
        })
    }

    /// Plans what an output carries, and the seconds of its segments.
    fn media(
        &mut self,
        output: &model::Output,
        hls: Option<&HlsGroupSettings>,
        path: &str,
        stem: &str,
    ) -> Result<(Media, Option<f64>), Refusal> {
        let video = output.video_description.as_ref();
        if let Some(video) = video.filter(|video| video.codec() == "FRAME_CAPTURE") {
            if hls.is_some() {
                let path = format!("{path}/videoDescription/codecSettings/codec");
                return Err(Refusal::setting(path, "captured frames belong in a file group"));
            }
            return Ok((Media::Capture(self.capture(video, stem, path)?), None));
        }
        let (muxer, options) = muxer(output, hls.is_some(), path)?;
        let mut seconds = None;
        let video = match video {
            Some(video) => {
                let (index, segment) = self.video(video, hls, path)?;
                seconds = segment;
                Some(index)
            }
            None if hls.is_some() => {
                return Err(Refusal::setting(
                    path,
                    "the local engine does not support HLS outputs of audio alone",
                ));
            }
            None => None,
        };
        let mut audio = Vec::new();
        for (number, description) in output.audio_descriptions.iter().enumerate() {
            let path = format!("{path}/audioDescriptions/{number}");
            let encode = audio::encode(description, self.input, self.source, &path)?;
            audio.push(shared(&mut self.audio, encode));
        }
        if video.is_none() && audio.is_empty() {
            return Err(Refusal::setting(path, "an output needs video or audio"));
        }
        Ok((
            Media::Streams {
                video,
                audio,
                muxer,
                options,
            },
            seconds,
        ))
    }

    fn frame(&self, path: &str) -> Result<Frame, Refusal> {
        let refuse = |code, message: &str| Refusal {
            code,
            path: format!("{path}/videoDescription"),
            message: message.to_owned(),
        };
        if self
            .source
            .video
            .as_ref()
            .is_some_and(|track| track.codec.is_empty())
        {
            return Err(refuse(
                UNSUPPORTED_CODEC,
                "unsupported codec: the video track cannot be decoded",
            ));
        }
        self.frame
            .ok_or_else(|| refuse(NO_VIDEO, "the input has no video track"))
    }

    fn video(
        &mut self,
        video: &model::VideoDescription,
        hls: Option<&HlsGroupSettings>,
        path: &str,
    ) -> Result<(usize, Option<f64>), Refusal> {
        let frame = self.frame(path)?;
        let settings = &video.codec_settings.h264_settings;
        let path = format!("{path}/videoDescription/codecSettings/h264Settings");
        let picture = Picture::fit(frame, video, pixel_shape(settings, frame, &path)?);
        let rate = self.rate(settings, &path)?;
        let encoder = h264::encoder(settings, rate, hls, &path)?;
        if settings.quality_tuning_level.as_deref() == Some("MULTI_PASS_HQ") {
            let message = "MULTI_PASS_HQ is encoded in one slower pass".to_owned();
            shared(
                &mut self.warnings,
                Warning {
                    code: WARN_ONE_PASS,
                    message,
                },
            );
        }
        let encode = VideoEncode {
            picture,
            options: encoder.options,
            rate,
        };
        Ok((shared(&mut self.videos, encode), encoder.segment_seconds))
    }

    fn rate(&self, settings: &H264Settings, path: &str) -> Result<Ratio, Refusal> {
        if settings.framerate_control.as_deref() != Some("SPECIFIED") {
            return Ok(self.source_rate());
        }
        match (settings.framerate_numerator, settings.framerate_denominator) {
            (Some(num), Some(den)) if num > 0 && den > 0 => Ok(Ratio { num, den }),
            (Some(_), _) => Err(Refusal::setting(
                path,
                "framerateDenominator is a required property",
            )),
            _ => Err(Refusal::setting(
                path,
                "framerateNumerator is a required property",
            )),
        }
    }

    fn capture(&mut self, video: &model::VideoDescription, stem: &str, path: &str) -> Result<usize, Refusal> {
        let FrameCaptureSettings {
            framerate_numerator,
            framerate_denominator,
            max_captures,
            quality,
        } = video.codec_settings.frame_capture_settings;
        let worse = f64::from(100 - quality.unwrap_or(80).clamp(1, 100)) / 99.0;
        let picture = Picture::fit(self.frame(path)?, video, SQUARE);
        self.captures.push(Capture {
            picture,
            rate: Ratio {
                num: framerate_numerator.unwrap_or(1).max(1),
                den: framerate_denominator.unwrap_or(1).max(1),
            },
            max_captures: max_captures.unwrap_or(10_000_000),
            quantizer: quantizer(worse),
            pattern: format!("{stem}.%07d.jpg"),
        });
        Ok(self.captures.len() - 1)
    }

    /// Names of an output.
    fn output(&self, output: &model::Output, number: usize, media: Media, streaming: bool) -> Output {
        let extension = output
            .extension
            .clone()
            .unwrap_or_else(|| default_extension(output, streaming).to_owned());
        let (size, rate) = match &media {
            Media::Capture(index) => (Some(self.captures[*index].size()), None),
            Media::Streams { video, .. } => {
                let video = video.map(|index| &self.videos[index]);
                (video.map(VideoEncode::size), video.map(|video| video.rate))
            }
        };
        let kbps = |bits: u64| u32::try_from(bits / 1000).ok();
        let h264 = output
            .video_description
            .as_ref()
            .map(|video| &video.codec_settings.h264_settings);
        let audio_bitrate = output
            .audio_descriptions
            .first()
            .and_then(|audio| audio.codec_settings.aac_settings.bitrate);
        let values = Identifiers {
            started: self.started,
            input: names::input_name(&self.input.file_input),
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            framerate: rate.map(|rate| rate.num / rate.den),
            video_kbps: h264.and_then(|h264| kbps(h264.bitrate.or(h264.max_bitrate)?)),
            audio_kbps: audio_bitrate.map(|bits| bits / 1000),
            extension: &extension,
        };
        let substituted =
            |text: Option<&String>| text.map_or(String::new(), |text| names::substitute(text, &values));
        Output {
            stem: format!("o{number}"),
            name_modifier: substituted(output.name_modifier.as_ref()),
            segment_modifier: substituted(output.output_settings.hls_settings.segment_modifier.as_ref()),
            extension,
            media,
        }
    }
}

/// The index of a thing that is equal, or of a new one.
fn shared<T: PartialEq>(known: &mut Vec<T>, new: T) -> usize {
    known.iter().position(|old| *old == new).unwrap_or_else(|| {
        known.push(new);
        known.len() - 1
    })
}

fn pixel_shape(settings: &H264Settings, frame: Frame, path: &str) -> Result<Ratio, Refusal> {
    if settings.par_control.as_deref() != Some("SPECIFIED") {
        return Ok(frame.sample_aspect);
    }
    match (settings.par_numerator, settings.par_denominator) {
        (Some(num), Some(den)) if num > 0 && den > 0 => Ok(Ratio { num, den }),
        (Some(_), _) => Err(Refusal::setting(path, "parDenominator is a required property")),
        _ => Err(Refusal::setting(path, "parNumerator is a required property")),
    }
}

/// `worse` runs from 0 (best) to 1. The eye sees steps at the good end first, hence the square.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 2 and 31"
)]
fn quantizer(worse: f64) -> u32 {
    (2.0 + 29.0 * worse * worse).round() as u32
}
