//! The command line, flag by flag. All outputs are relative to the work directory.

use std::ffi::OsString;
use std::path::Path;

use crate::plan::h264::cut;
use crate::plan::{Capture, Group, GroupKind, Media, Output, Plan, VideoEncode};
use crate::process::{FORMAT_WHITELIST, MAX_PIXELS, PROTOCOL_WHITELIST};

/// The instant at which transport streams start whose audio is in other files: the default of `MediaConvert`'s `ptsOffset`.
pub(crate) const START_SECONDS: u32 = 2;

/// The file in the work directory with what a pass knows of the pictures of an encode: ffmpeg appends its number to `-passlogfile`.
pub(crate) fn pass_file(pass: u8, encode: usize) -> String {
    format!("pass{pass}-{encode}.log")
}

impl Plan {
    /// ffmpeg's arguments for an input file. <https://ffmpeg.org/ffmpeg.html>
    pub fn arguments(&self, input: &Path) -> Vec<OsString> {
        self.arguments_for(&[input])
    }

    /// The same for the files of all inputs.
    pub fn arguments_for(&self, files: &[impl AsRef<Path>]) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        inputs(&mut arguments, files, "error");
        self.sound_inputs(&mut arguments);
        self.image_inputs(&mut arguments);
        arguments.flag("-filter_complex").add(&self.filters());
        self.streams(&mut arguments);
        for (index, capture) in self.captures.iter().enumerate() {
            frames(&mut arguments, index, capture);
        }
        arguments.0
    }

    /// ffmpeg's arguments for measuring the loudness of an audio encode: its summary is among the messages.
    pub(crate) fn measuring(&self, audio: usize, files: &[impl AsRef<Path>]) -> Vec<OsString> {
        let mut arguments = Arguments::default();
        inputs(&mut arguments, files, "info");
        self.sound_inputs(&mut arguments);
        let track = &self.audio[audio];
        let joint = self.joint.as_ref();
        let mut chains = joint.map_or(Vec::new(), |joint| {
            joint.chains(false, &[(audio, track.streams[0])])
        });
        let filters = self.audio_filters(audio, track);
        chains.push(format!("{filters},ebur128=framelog=verbose[a]"));
        let graph = chains.join(";");
        arguments
            .flag("-filter_complex")
            .add(&graph)
            .flag("-map")
            .add("[a]");
        arguments.flag("-f").add("null").add("-");
        arguments.0
    }

    /// ffmpeg's arguments for the first pass of the encodes that have two; `None` if there are none. It writes what it learns of
    /// the pictures to [`pass_file`], with the number that the encode has in this pass.
    pub(crate) fn first_pass(&self, files: &[impl AsRef<Path>]) -> Option<Vec<OsString>> {
        let videos: Vec<_> = self.two_passes().map(|(_, video)| video.clone()).collect();
        let first = Plan {
            videos,
            audio: Vec::new(),
            captures: Vec::new(),
            ..self.clone()
        };
        if first.videos.is_empty() {
            return None;
        }
        let mut arguments = Arguments::default();
        inputs(&mut arguments, files, "error");
        first.image_inputs(&mut arguments);
        arguments.flag("-filter_complex").add(&first.filters());
        first.pictures(&mut arguments, 1);
        arguments.flag("-fps_mode").add("passthrough");
        arguments.flag("-f").add("null").add("-");
        Some(arguments.0)
    }

    /// The encodes that have two passes, with their numbers.
    pub(crate) fn two_passes(&self) -> impl Iterator<Item = (usize, &VideoEncode)> {
        self.videos
            .iter()
            .enumerate()
            .filter(|(_, video)| video.has_two_passes())
    }

    /// Files with audio beside the source.
    fn sound_inputs(&self, arguments: &mut Arguments) {
        for file in self.sounds() {
            reading(arguments, FORMAT_WHITELIST);
            arguments.flag("-i").add(&format!("file:{file}"));
        }
    }

    /// Images, which are inputs of their own.
    fn image_inputs(&self, arguments: &mut Arguments) {
        for image in self.images() {
            reading(arguments, "image2");
            for option in image.input() {
                arguments.add(&option);
            }
            arguments.flag("-i").add(&format!("file:{}", image.file));
        }
    }

    /// All encodes, in one output which the `tee` muxer writes as many files.
    fn streams(&self, arguments: &mut Arguments) {
        self.pictures(arguments, 2);
        for index in 0..self.audio.len() {
            arguments.flag("-map").add(&format!("[a{index}]"));
        }
        for (index, track) in self.audio.iter().enumerate() {
            for (option, value) in &track.options {
                arguments.flag(&format!("-{option}:a:{index}")).add(value);
            }
            if let Some(language) = &track.language {
                arguments
                    .flag(&format!("-metadata:s:a:{index}"))
                    .add(&format!("language={language}"));
            }
        }
        // Pictures are evenly spaced already; dropping or doubling here would undo that.
        arguments.flag("-fps_mode").add("passthrough");
        // No place, camera or chapter of the uploaded file goes into what is published.
        arguments
            .flag("-map_metadata")
            .add("-1")
            .flag("-map_chapters")
            .add("-1");
        let slaves: Vec<String> = self
            .groups
            .iter()
            .flat_map(|group| {
                group
                    .outputs
                    .iter()
                    .filter_map(|output| self.slave(group, output))
            })
            .collect();
        arguments.flag("-f").add("tee").add(&slaves.join("|"));
    }

    /// All encodes of video. `pass` counts for those that have two.
    fn pictures(&self, arguments: &mut Arguments, pass: u8) {
        for index in 0..self.videos.len() {
            arguments.flag("-map").add(&format!("[v{index}]"));
        }
        // Parameter sets out of band, as MP4 wants them; the transport stream muxer puts them back in.
        arguments.flag("-flags").add("+global_header");
        for (index, video) in self.videos.iter().enumerate() {
            for (option, value) in &video.options {
                // Flags of one stream replace those of all.
                let value = if option == "flags" {
                    &format!("+global_header{value}")
                } else {
                    value
                };
                arguments.flag(&format!("-{option}:v:{index}")).add(value);
            }
            if video.has_two_passes() {
                arguments.flag(&format!("-pass:v:{index}")).add(&pass.to_string());
                arguments
                    .flag(&format!("-passlogfile:v:{index}"))
                    .add(&format!("pass{pass}"));
            }
        }
    }

    /// One file (or playlist with segments) of the `tee` muxer. <https://ffmpeg.org/ffmpeg-formats.html#tee>
    fn slave(&self, group: &Group, output: &Output) -> Option<String> {
        let Media::Streams {
            video,
            audio,
            muxer,
            options,
        } = &output.media
        else {
            return None;
        };
        let first_audio = self.videos.len();
        let streams: Vec<String> = video
            .iter()
            .copied()
            .chain(audio.iter().map(|track| first_audio + track))
            .map(|it| it.to_string())
            .collect();
        let path = format!("{}/{}", group.folder, output.stem);
        let mut slave = vec![format!("select={}", streams.join(",")), format!("f={muxer}")];
        slave.extend(segmenting(group, muxer, &path));
        if !options.is_empty() {
            slave.push(options.clone());
        }
        Some(format!(
            "[{}]{}",
            slave.join(":"),
            output.file(&group.folder)?.display()
        ))
    }
}

/// Options of a muxer that cuts segments.
fn segmenting(group: &Group, muxer: &str, path: &str) -> Vec<String> {
    let seconds = cut(group.segment_seconds);
    match &group.kind {
        GroupKind::Hls(_) if muxer == "hls" => {
            let mut options = vec![
                format!("hls_time={seconds}"),
                "hls_playlist_type=vod:start_number=1".to_owned(),
                format!("hls_segment_filename={path}_%05d.ts"),
            ];
            if group.has_separate_tracks() {
                // Each file would otherwise be moved so that its own first timestamp is that of the muxer.
                options.push(format!(
                    "avoid_negative_ts=disabled:output_ts_offset={START_SECONDS}"
                ));
            }
            options
        }
        GroupKind::Fragments(form) => vec![
            // Without `use_timeline=0` each segment is cut by its own length, and audio drifts from video.
            format!("seg_duration={seconds}:use_timeline=0:hls_playlist=1"),
            format!("frag_type=duration:frag_duration={}", cut(form.fragment_seconds)),
            "init_seg_name=init.mp4:media_seg_name=$Number%09d$.m4s".to_owned(),
        ],
        _ => Vec::new(),
    }
}

fn inputs(arguments: &mut Arguments, files: &[impl AsRef<Path>], messages: &str) {
    // Never ask or read the terminal; files of an earlier try may exist.
    arguments.flag("-nostdin").flag("-hide_banner").flag("-y");
    arguments.flag("-loglevel").add(messages);
    // Machine-readable progress every half second on standard output.
    arguments
        .flag("-nostats")
        .flag("-stats_period")
        .add("0.5")
        .flag("-progress")
        .add("pipe:1");
    for input in files {
        reading(arguments, FORMAT_WHITELIST);
        // With its protocol in front no name can be taken for an option or another protocol.
        let mut file = OsString::from("file:");
        file.push(input.as_ref());
        arguments.flag("-i").0.push(file);
    }
}

/// What parses a file may open that file and nothing else: no playlists, no network.
fn reading(arguments: &mut Arguments, formats: &str) {
    arguments.flag("-protocol_whitelist").add(PROTOCOL_WHITELIST);
    arguments.flag("-format_whitelist").add(formats);
    arguments.flag("-max_pixels").add(MAX_PIXELS);
}

/// Captured frames: one JPEG each, numbered from 0.
fn frames(arguments: &mut Arguments, index: usize, capture: &Capture) {
    arguments.flag("-map").add(&format!("[c{index}]"));
    arguments
        .flag("-c:v")
        .add("mjpeg")
        .flag("-q:v")
        .add(&capture.quantizer.to_string());
    arguments
        .flag("-fps_mode")
        .add("passthrough")
        .flag("-map_metadata")
        .add("-1");
    arguments.flag("-frames:v").add(&capture.max_captures.to_string());
    arguments
        .flag("-f")
        .add("image2")
        .flag("-start_number")
        .add("0")
        .add(&capture.pattern);
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    /// An option's name.
    fn flag(&mut self, name: &str) -> &mut Self {
        self.add(name)
    }

    /// An option's value, or an output.
    fn add(&mut self, value: &str) -> &mut Self {
        self.0.push(value.into());
        self
    }
}
