//! Walks the groups and outputs of a job, collects encodes, and shares the equal ones.

use mediaconvert_job::error_code::{NO_VIDEO, UNSUPPORTED_CODEC};
use mediaconvert_job::model::{
    self, EncoderSettings, FrameCaptureSettings, Input, JobSettings, TimecodeConfig,
};
use mediaconvert_job::names::{self, Destination, Identifiers};

use crate::plan::captions::Captions;
use crate::plan::clips::Clip;
use crate::plan::color::{self, Conversion};
use crate::plan::deinterlace::Fields;
use crate::plan::files::{default_extension, muxer, unique_names};
use crate::plan::picture::{Frame, Picture, Rotate, SQUARE};
use crate::plan::streaming::{self, Clock, Cuts, Encryption, First, Form};
use crate::plan::{
    AudioEncode, CaptionFiles, CaptionTrack, Capture, Decode, Group, GroupKind, Media, Output, Plan, Refusal,
    Stretch, VideoEncode, WARN_HE_AAC, WARN_NO_LOUDNESS_LOG, WARN_ONE_PASS, Warning, audio, clips, owned,
    video,
};
use crate::probe::{MediaInfo, Ratio};

/// Collects what the outputs need.
struct Planner<'a> {
    input: &'a Input,
    source: &'a MediaInfo,
    timecode: &'a TimecodeConfig,
    started: &'a str,
    /// The source's picture, turned as asked.
    frame: Option<Frame>,
    videos: Vec<VideoEncode>,
    audio: Vec<AudioEncode>,
    captures: Vec<Capture>,
    captions: Captions<'a>,
    tracks: Vec<CaptionTrack>,
    scripts: Vec<String>,
    warnings: Vec<Warning>,
    /// What outputs want done with fields.
    fields: Option<Fields>,
    clips: Vec<Clip>,
}

pub(crate) fn plan(
    job: &JobSettings,
    source: &MediaInfo,
    files: Option<&CaptionFiles>,
    started: &str,
) -> Result<Plan, Refusal> {
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
    let clips = clips::of(input, source)?;
    let spans = match clips.as_slice() {
        [] => vec![(0, source.duration_ms)],
        clips => clips::spans(clips, source),
    };
    let mut planner = Planner {
        input,
        source,
        timecode: &job.timecode_config,
        started,
        frame,
        videos: Vec::new(),
        audio: Vec::new(),
        captures: Vec::new(),
        captions: Captions::new(input, files, spans),
        tracks: Vec::new(),
        scripts: Vec::new(),
        warnings: Vec::new(),
        fields: None,
        clips,
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
            "a job needs an output that is more than captured frames and captions",
        ));
    }
    planner.finish(groups, &rotate)
}

impl Planner<'_> {
    fn finish(mut self, groups: Vec<Group>, rotate: &Rotate) -> Result<Plan, Refusal> {
        let used = !self.videos.is_empty() || !self.captures.is_empty();
        let track = self.source.video.as_ref().or(self.source.cover.as_ref());
        let frame = self.frame.or_else(|| self.cover());
        let picture = match (track.filter(|_| used), frame) {
            (Some(track), Some(frame)) => {
                let Conversion { filters, warning } = color::conversion(track)?;
                // Outputs of ten bits keep the colors as they are.
                let converted = self.videos.iter().any(|video| !video.deep) || self.videos.is_empty();
                self.warnings.extend(warning.filter(|_| converted));
                let rate = self.common_rate();
                let mut prepare = rotate.filters(track);
                prepare.extend(Fields::filters(self.fields, track));
                prepare.extend(self.spacing(rate));
                Some(Decode {
                    stream: track.index,
                    frame,
                    prepare,
                    color: filters,
                    rate,
                })
            }
            _ => None,
        };
        let duration_ms = match self.clips.as_slice() {
            [] => self.source.duration_ms,
            clips => clips::duration_ms(clips, self.source),
        };
        Ok(Plan {
            warnings: self.warnings,
            duration_ms,
            picture,
            source_rate: clips::rate(self.source),
            clips: self.clips,
            stretches: vec![Stretch {
                start_ms: 0,
                duration_ms,
            }],
            videos: self.videos,
            audio: self.audio,
            captures: self.captures,
            captions: self.tracks,
            scripts: self.scripts,
            groups,
        })
    }

    /// Even spacing from 0 on: it makes keyframes fall on the same pictures in every rendition. A cover is one picture that
    /// lasts no time, and would not survive a rate.
    fn spacing(&self, rate: Ratio) -> Vec<String> {
        if self.source.video.is_none() {
            return Vec::new();
        }
        if self.clips.is_empty() {
            return vec![format!("fps=fps={rate}:start_time=0")];
        }
        let own = self.source_rate();
        let mut filters = vec![format!("fps=fps={own}:start_time=0")];
        filters.extend(clips::picture_filters(&self.clips, own));
        filters.extend((own != rate).then(|| format!("fps=fps={rate}")));
        filters
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
        let Form {
            mut kind,
            cuts,
            destination,
            member,
            single_file,
            shortest_end,
            additional,
        } = Form::of(&group.output_group_settings);
        let destination = destination
            .and_then(|url| Destination::parse(url, &self.input.file_input))
            .ok_or_else(|| {
                let path = format!("{path}/outputGroupSettings/{member}/destination");
                Refusal::setting(path, "must be an s3:// URL with a bucket")
            })?;
        if group.outputs.is_empty() {
            return Err(Refusal::setting(
                format!("{path}/outputs"),
                "an output group needs an output",
            ));
        }
        let own = format!("{path}/outputGroupSettings/{member}");
        if let GroupKind::Hls(hls) = &mut kind {
            let settings = &group.output_group_settings.hls_group_settings;
            hls.clock = Clock::of(settings, self.timecode, &self.first_picture(), self.started)?;
            hls.encryption = Encryption::of(settings, &own)?;
        }
        streaming::check(&kind, &group.outputs, single_file, &own)?;
        let additional = streaming::additional(additional, &group.outputs, &own)?;
        let folder = format!("g{index}");
        let mut segment_seconds = cuts.map_or(0.0, |cuts| cuts.length);
        self.captions.first = true;
        let mut outputs = Vec::new();
        for (number, output) in group.outputs.iter().enumerate() {
            let path = format!("{path}/outputs/{number}");
            let (media, seconds) = self.media(output, &kind, cuts, &path, &format!("{folder}/o{number}"))?;
            segment_seconds = seconds.unwrap_or(segment_seconds);
            outputs.push(self.output(output, number, media, &kind));
        }
        unique_names(&outputs, &path)?;
        if let GroupKind::Fragments(group) = &mut kind {
            group.fragment_seconds = group.fragment_seconds.min(segment_seconds);
        }
        Ok(Group {
            kind,
            folder,
            destination,
            outputs,
            segment_seconds,
            single_file,
            shortest_end,
            additional,
        })
    }

    /// The first picture of the outputs, in the terms of timecodes.
    fn first_picture(&self) -> First<'_> {
        let spans = clips::spans(&self.clips, self.source);
        First {
            rate: clips::rate(self.source),
            timecode: self.source.timecode.as_deref(),
            at_ms: spans.first().map_or(0, |span| span.0),
        }
    }

    /// Plans what an output carries, and the seconds of its segments.
    fn media(
        &mut self,
        output: &model::Output,
        group: &GroupKind,
        cuts: Option<Cuts>,
        path: &str,
        stem: &str,
    ) -> Result<(Media, Option<f64>), Refusal> {
        if let Some(track) = self.captions.track(output, group, path)? {
            self.tracks.push(track);
            return Ok((Media::Captions(self.tracks.len() - 1), None));
        }
        let video = output.video_description.as_ref();
        if !output.caption_descriptions.is_empty()
            && video.is_none_or(|video| video.codec() == "FRAME_CAPTURE")
        {
            let path = format!("{path}/captionDescriptions");
            return Err(Refusal::setting(path, "captions in an output need video there"));
        }
        if let Some(video) = video.filter(|video| video.codec() == "FRAME_CAPTURE") {
            if *group != GroupKind::File {
                let path = format!("{path}/videoDescription/codecSettings/codec");
                return Err(Refusal::setting(path, "captured frames belong in a file group"));
            }
            return Ok((Media::Capture(self.capture(video, stem, path)?), None));
        }
        let (muxer, options) = muxer(output, group, path)?;
        let tracks = usize::from(video.is_some()) + output.audio_descriptions.len();
        if tracks == 0 {
            return Err(Refusal::setting(path, "an output needs video or audio"));
        }
        // The packed audio of an HLS group, and each file of a CMAF or DASH group.
        if tracks > 1 && matches!(muxer, "adts" | "dash") {
            let message = "the local engine writes one track into each output of this kind: give each audio \
                           description, and the video, an output of its own";
            return Err(Refusal::setting(path, message));
        }
        let mut seconds = None;
        let video = match video {
            Some(video) => {
                let (index, segment) = self.video(output, video, cuts, path)?;
                seconds = segment;
                Some(index)
            }
            None => None,
        };
        let mut audio = Vec::new();
        for (number, description) in output.audio_descriptions.iter().enumerate() {
            let path = format!("{path}/audioDescriptions/{number}");
            let encode = audio::encode(description, self.input, self.source, &path)?;
            self.warn_of_audio(description);
            audio.push(shared(&mut self.audio, encode));
        }
        let media = Media::Streams {
            video,
            audio,
            muxer: muxer.to_owned(),
            options: options.to_owned(),
        };
        Ok((media, seconds))
    }

    /// The cover of a source without video.
    fn cover(&self) -> Option<Frame> {
        let cover = self.source.cover.as_ref().filter(|_| self.source.video.is_none());
        cover.map(|cover| Frame::turned(cover, 0))
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
        output: &model::Output,
        video: &model::VideoDescription,
        cuts: Option<Cuts>,
        path: &str,
    ) -> Result<(usize, Option<f64>), Refusal> {
        let frame = self.frame(path)?;
        let codecs = format!("{path}/videoDescription/codecSettings");
        let codec = video::Codec::of(video, &codecs)?;
        let settings = codec.settings(video);
        let own = format!("{codecs}/{}", codec.member);
        let picture = Picture::fit(frame, video, pixel_shape(settings, frame, &own)?);
        let rate = self.rate(settings, &own)?;
        let script = self.captions.script(output, picture.size(), path)?;
        let script = script.map(|script| shared(&mut self.scripts, script));
        self.deinterlace(video, rate, path)?;
        let encoder = codec.encoder(video, rate, cuts, &own)?;
        if settings
            .quality_tuning_level
            .as_deref()
            .is_some_and(|level| level.starts_with("MULTI_PASS"))
        {
            let level = settings.quality_tuning_level.as_deref().unwrap_or_default();
            self.warn(WARN_ONE_PASS, format!("{level} is encoded in one slower pass"));
        }
        let encode = VideoEncode {
            picture,
            script,
            deep: is_deep(video, &encoder.options),
            options: owned(encoder.options),
            rate,
        };
        Ok((shared(&mut self.videos, encode), encoder.segment_seconds))
    }

    fn warn(&mut self, code: u32, message: String) {
        shared(&mut self.warnings, Warning { code, message });
    }

    fn warn_of_audio(&mut self, description: &model::AudioDescription) {
        if description.codec_settings.aac_settings.codec_profile.as_deref() == Some("HEV1") {
            let message = "HE-AAC (HEV1) is encoded as AAC-LC at the same bit rate";
            self.warn(WARN_HE_AAC, message.to_owned());
        }
        let normalization = description.audio_normalization_settings.as_ref();
        if normalization.is_some_and(|settings| settings.loudness_logging.as_deref() == Some("LOG")) {
            self.warn(
                WARN_NO_LOUDNESS_LOG,
                "the log of loudness (loudnessLogging) is not written".to_owned(),
            );
        }
    }

    /// Takes in what an output wants done with fields. One decode feeds all outputs, so they have to agree.
    fn deinterlace(
        &mut self,
        video: &model::VideoDescription,
        rate: Ratio,
        path: &str,
    ) -> Result<(), Refusal> {
        let Some(settings) = &video.video_preprocessors.deinterlacer else {
            return Ok(());
        };
        let path = format!("{path}/videoDescription/videoPreprocessors/deinterlacer");
        let wanted = Fields::wanted(settings, rate, &path)?;
        if *self.fields.get_or_insert(wanted) == wanted {
            return Ok(());
        }
        Err(Refusal::setting(
            path,
            "the local engine deinterlaces all outputs of a job alike",
        ))
    }

    fn rate(&self, settings: &EncoderSettings, path: &str) -> Result<Ratio, Refusal> {
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
        let frame = self.frame(path).or_else(|refusal| self.cover().ok_or(refusal))?;
        let picture = Picture::fit(frame, video, SQUARE);
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
    fn output(&self, output: &model::Output, number: usize, media: Media, group: &GroupKind) -> Output {
        let extension = output.extension.clone().unwrap_or_else(|| match &media {
            Media::Captions(index) if *group == GroupKind::File => {
                self.tracks[*index].format.extension().to_owned()
            }
            _ => default_extension(output, group).to_owned(),
        });
        let (size, rate) = match &media {
            Media::Capture(index) => (Some(self.captures[*index].size()), None),
            Media::Captions(_) => (None, None),
            Media::Streams { video, .. } => {
                let video = video.map(|index| &self.videos[index]);
                (video.map(VideoEncode::size), video.map(|video| video.rate))
            }
        };
        let kbps = |bits: u64| u32::try_from(bits / 1000).ok();
        let settings = output.video_description.as_ref().and_then(video::settings);
        let audio_bitrate = output.audio_descriptions.first().and_then(|audio| {
            let codec = audio::codec::Codec::of(&audio.codec_settings, "").ok()?;
            codec.bitrate(&audio.codec_settings)
        });
        let video_bitrate = settings.and_then(|settings| settings.max_bitrate.or(settings.bitrate));
        let values = Identifiers {
            started: self.started,
            input: names::input_name(&self.input.file_input),
            width: size.map(|size| size.0),
            height: size.map(|size| size.1),
            framerate: rate.map(|rate| rate.num / rate.den),
            video_kbps: settings.and_then(|settings| kbps(settings.bitrate.or(settings.max_bitrate)?)),
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
            role: streaming::role(output, group),
            i_frames: streaming::has_i_frames(output, group),
            bitrate: video_bitrate.or(audio_bitrate.map(u64::from)),
        }
    }
}

/// Whether an encode keeps ten bits, and with them the colors of HDR: unless the job asks for others.
fn is_deep(video: &model::VideoDescription, options: &[(&str, String)]) -> bool {
    let corrector = video.video_preprocessors.color_corrector.as_ref();
    let conversion = corrector.and_then(|corrector| corrector.color_space_conversion.as_deref());
    conversion.is_none_or(|conversion| conversion == "NONE")
        && options
            .iter()
            .any(|(name, value)| *name == "pix_fmt" && value.ends_with("10le"))
}

/// The index of a thing that is equal, or of a new one.
fn shared<T: PartialEq>(known: &mut Vec<T>, new: T) -> usize {
    known.iter().position(|old| *old == new).unwrap_or_else(|| {
        known.push(new);
        known.len() - 1
    })
}

fn pixel_shape(settings: &EncoderSettings, frame: Frame, path: &str) -> Result<Ratio, Refusal> {
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
