//! Walks the groups and outputs of a job, collects encodes, and shares the equal ones.

use mediaconvert_job::model::{self, Input, JobSettings, TimecodeConfig};
use mediaconvert_job::names::{self, Destination, Identifiers};

use crate::plan::captions::Captions;
use crate::plan::clips::Clip;
use crate::plan::deinterlace::Fields;
use crate::plan::files::{default_extension, is_single, muxer, unique_names};
use crate::plan::joint::{self, Joint};
use crate::plan::picture::{Frame, Rotate};
use crate::plan::side::{SideFile, SideFiles};
use crate::plan::streaming::{self, Clock, Cuts, Encryption, First, Form};
use crate::plan::{
    AudioEncode, CaptionTrack, Capture, Group, GroupKind, MAX_INPUTS, Media, Output, Plan, Refusal, Stretch,
    VideoEncode, WARN_HE_AAC, WARN_NO_LOUDNESS_LOG, Warning, audio, clips, color, images, side, video,
};
use crate::probe::MediaInfo;

mod decode;
mod videos;

/// Collects what the outputs need.
struct Planner<'a> {
    input: &'a Input,
    source: &'a MediaInfo,
    timecode: &'a TimecodeConfig,
    names: Vec<SideFile>,
    files: Option<&'a SideFiles>,
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
    /// An output prefers bright colors where HDR becomes SDR.
    vibrant: bool,
    /// What outputs want done with fields.
    fields: Option<Fields>,
    clips: Vec<Clip>,
    joint: Option<Joint>,
    /// The place of the first picture in the first input, in milliseconds.
    first_ms: u64,
}

pub(crate) fn plan(
    job: &JobSettings,
    sources: &[MediaInfo],
    files: Option<&SideFiles>,
    started: &str,
) -> Result<Plan, Refusal> {
    let joined;
    let (input, source, joint) = match (job.inputs.as_slice(), sources) {
        ([], _) => return Err(Refusal::setting("/inputs", "a job needs an input")),
        ([input], [source, ..]) => (input, source, None),
        (inputs, sources) if inputs.len() == sources.len() && inputs.len() <= MAX_INPUTS => {
            joined = joint::join(job, sources)?;
            (&joined.input, &joined.source, Some(&joined))
        }
        _ => {
            let message = format!("a job has at most {MAX_INPUTS} inputs, each with a file");
            return Err(Refusal::setting("/inputs", message));
        }
    };
    if let (None, Some(2..)) = (joint, job.follow_source) {
        return Err(Refusal::setting("/followSource", "the job has one input"));
    }
    let source = &color::overridden(source, input)?;
    let rotate = Rotate::new(input.video_selector.rotate.as_deref());
    let frame = source
        .video
        .as_ref()
        .map(|track| Frame::turned(track, rotate.degrees(track)));
    let clips = clips::of(input, source)?;
    let spans = match (joint, clips.as_slice()) {
        (Some(joined), _) => joined.spans.clone(),
        (None, []) => vec![vec![(0, source.duration_ms)]],
        (None, clips) => vec![clips::spans(clips, source)],
    };
    let first_ms = spans.iter().flatten().next().map_or(0, |span| span.0);
    let mut planner = Planner {
        input,
        source,
        timecode: &job.timecode_config,
        names: side::of(job),
        files,
        started,
        frame,
        videos: Vec::new(),
        audio: Vec::new(),
        captures: Vec::new(),
        captions: Captions::new(&job.inputs, files.map(|files| &files.captions), spans),
        joint: joint.map(|joined| joined.joint.clone()),
        first_ms,
        tracks: Vec::new(),
        scripts: Vec::new(),
        warnings: joint.map_or(Vec::new(), |joined| joined.warnings.clone()),
        vibrant: false,
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
        let source = self.source;
        let track = source.video.as_ref().or(source.cover.as_ref());
        let frame = self.frame.or_else(|| self.cover());
        let picture = match (track.filter(|_| used), frame) {
            (Some(track), Some(frame)) => Some(self.decode(track, frame, rotate)?),
            _ => None,
        };
        let duration_ms = match self.clips.as_slice() {
            [] => self.source.duration_ms,
            clips => clips::duration_ms(clips, self.source),
        };
        let plan = Plan {
            warnings: self.warnings,
            duration_ms,
            joint: self.joint,
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
        };
        images::check(plan.images())?;
        Ok(plan)
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
        First {
            rate: clips::rate(self.source),
            timecode: self.source.timecode.as_deref(),
            at_ms: self.first_ms,
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
        if video.is_none() && output.audio_descriptions.is_empty() {
            return Err(Refusal::setting(path, "an output needs video or audio"));
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
            let encodes = self.sound().encodes(description, &path)?;
            self.warn_of_audio(description);
            audio.extend(encodes.into_iter().map(|encode| shared(&mut self.audio, encode)));
        }
        // The packed audio of an HLS group, and each file of a CMAF or DASH group.
        if usize::from(video.is_some()) + audio.len() > 1 && is_single(muxer) {
            let message = "the local engine writes one track into each output of this kind: give each audio \
                           description, and the video, an output of its own";
            return Err(Refusal::setting(path, message));
        }
        let media = Media::Streams {
            video,
            audio,
            muxer: muxer.to_owned(),
            options: options.to_owned(),
        };
        Ok((media, seconds))
    }

    fn sound(&self) -> audio::Context<'_> {
        audio::Context {
            input: self.input,
            source: self.source,
            names: &self.names,
            files: self.files,
        }
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

/// The index of a thing that is equal, or of a new one.
fn shared<T: PartialEq>(known: &mut Vec<T>, new: T) -> usize {
    known.iter().position(|old| *old == new).unwrap_or_else(|| {
        known.push(new);
        known.len() - 1
    })
}
