//! Collects the files of a finished plan from its work directory, under the names and keys of the job.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mediaconvert_job::names::{self, Destination};
use serde_json::{Map, Value, json};

use crate::plan::{Group, GroupKind, Media, Output, Plan};
use segments::Rendition;
use subtitles::Subtitles;

mod encrypt;
mod fragments;
mod i_frames;
mod manifests;
mod segments;
mod subtitles;

/// All files of a job.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Produced {
    pub groups: Vec<ProducedGroup>,
    /// In the order in which they should be sent: a playlist comes after the files that it names.
    pub files: Vec<ProducedFile>,
    /// Longest play time of any output, in milliseconds.
    pub duration_ms: u64,
}

/// One file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedFile {
    /// Relative to the work directory.
    pub path: PathBuf,
    /// `s3://bucket/key`.
    pub url: String,
    /// Bytes.
    pub size: u64,
    pub stage: Stage,
}

/// Files are sent in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Media,
    Playlist,
    Master,
}

/// An output group as the COMPLETE event lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedGroup {
    /// For example `HLS_GROUP`.
    pub kind: &'static str,
    pub outputs: Vec<ProducedOutput>,
    /// URLs of master playlists and DASH manifests.
    pub playlists: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducedOutput {
    /// URLs; of captured frames the last one only, and none in CMAF and DASH groups, as `MediaConvert` has it.
    pub paths: Vec<String>,
    pub duration_ms: u64,
    /// Pixels; absent for audio alone.
    pub size: Option<(u32, u32)>,
}

impl Produced {
    /// `outputGroupDetails` of the COMPLETE event.
    pub fn output_group_details(&self) -> Value {
        self.groups.iter().map(ProducedGroup::details).collect()
    }
}

impl ProducedGroup {
    fn details(&self) -> Value {
        let outputs: Vec<Value> = self.outputs.iter().map(ProducedOutput::details).collect();
        let mut details = Map::new();
        details.insert("outputDetails".to_owned(), outputs.into());
        if !self.playlists.is_empty() {
            details.insert("playlistFilePaths".to_owned(), self.playlists.clone().into());
        }
        details.insert("type".to_owned(), self.kind.into());
        Value::Object(details)
    }
}

impl ProducedOutput {
    fn details(&self) -> Value {
        let mut details = json!({"durationInMs": self.duration_ms});
        if !self.paths.is_empty() {
            details["outputFilePaths"] = self.paths.clone().into();
        }
        if let Some((width, height)) = self.size {
            details["videoDetails"] = json!({"widthInPx": width, "heightInPx": height});
        }
        details
    }
}

/// Gives the files of a work directory their names, and writes playlists.
///
/// `durations` has play times in milliseconds by path: of each file of a file group, and of the last segment of each
/// playlist with audio.
pub(crate) fn collect(plan: &Plan, work: &Path, durations: &BTreeMap<PathBuf, u64>) -> io::Result<Produced> {
    let mut produced = Produced::default();
    for group in &plan.groups {
        let group = Collector {
            plan,
            work,
            group,
            files: &mut produced.files,
        }
        .group(durations)?;
        produced.groups.push(group);
    }
    let outputs = || produced.groups.iter().flat_map(|group| &group.outputs);
    produced.duration_ms = outputs().map(|output| output.duration_ms).max().unwrap_or(0);
    // Captured frames are as long as what they were taken from.
    for output in produced.groups.iter_mut().flat_map(|group| &mut group.outputs) {
        output.duration_ms = if output.duration_ms == 0 {
            produced.duration_ms
        } else {
            output.duration_ms
        };
    }
    produced.files.sort_by_key(|file| file.stage);
    Ok(produced)
}

struct Collector<'a> {
    plan: &'a Plan,
    work: &'a Path,
    group: &'a Group,
    files: &'a mut Vec<ProducedFile>,
}

impl Collector<'_> {
    fn group(mut self, durations: &BTreeMap<PathBuf, u64>) -> io::Result<ProducedGroup> {
        let group = self.group;
        let (kind, outputs, playlists) = match &group.kind {
            GroupKind::File => ("FILE_GROUP", self.files(durations)?, Vec::new()),
            GroupKind::Hls(hls) => {
                let renditions = self.transport_streams(hls, durations)?;
                let subtitles = self.subtitles(Some(hls), &renditions)?;
                let masters = if hls.manifests {
                    self.playlists(hls, &renditions, &subtitles)?
                } else {
                    Vec::new()
                };
                let outputs = self.outputs(&renditions, &subtitles, hls.manifests);
                ("HLS_GROUP", outputs, masters)
            }
            GroupKind::Fragments(form) => {
                let renditions = self.fragments(form)?;
                let subtitles = self.subtitles(None, &renditions)?;
                let kind = if form.cmaf { "CMAF_GROUP" } else { "DASH_ISO_GROUP" };
                let manifests = self.manifests(form, &renditions, &subtitles)?;
                (kind, self.outputs(&renditions, &subtitles, false), manifests)
            }
        };
        Ok(ProducedGroup {
            kind,
            outputs,
            playlists,
        })
    }

    /// Outputs of a segmented group in the order of the job, with the URLs of their playlists where `MediaConvert` has them.
    fn outputs(
        &self,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
        listed: bool,
    ) -> Vec<ProducedOutput> {
        let Destination { base, .. } = &self.group.destination;
        let output = |output: &Output| {
            let url = || {
                self.group
                    .destination
                    .url(&names::hls_variant(base, &output.name_modifier))
            };
            let paths = if listed { vec![url()] } else { Vec::new() };
            let of_rendition = renditions
                .iter()
                .find(|rendition| rendition.output.stem == output.stem);
            let of_subtitles = || {
                subtitles
                    .iter()
                    .find(|subtitles| subtitles.output.stem == output.stem)
            };
            match of_rendition {
                Some(rendition) => Some(rendition.produced(paths)),
                None => of_subtitles().map(|subtitles| subtitles.produced(paths)),
            }
        };
        self.group.outputs.iter().filter_map(output).collect()
    }

    fn files(&mut self, durations: &BTreeMap<PathBuf, u64>) -> io::Result<Vec<ProducedOutput>> {
        let outputs = self.group.outputs.iter();
        outputs
            .map(|output| match output.media {
                Media::Streams { .. } => self.file(output, durations),
                Media::Capture(index) => self.frames(output, index),
                Media::Captions(index) => self.caption_file(output, index),
            })
            .collect()
    }

    fn file(&mut self, output: &Output, durations: &BTreeMap<PathBuf, u64>) -> io::Result<ProducedOutput> {
        let name = names::file(
            &self.group.destination.base,
            &output.name_modifier,
            &output.extension,
        );
        let path = output
            .file(&self.group.folder)
            .ok_or_else(|| io::Error::other("a capture is no file"))?;
        let duration_ms = *durations
            .get(&path)
            .ok_or_else(|| io::Error::other("an output was not measured"))?;
        self.add(path, &name, Stage::Media)?;
        let paths = vec![self.group.destination.url(&name)];
        Ok(ProducedOutput {
            paths,
            duration_ms,
            size: self.video(output).map(|(size, _)| size),
        })
    }

    fn frames(&mut self, output: &Output, capture: usize) -> io::Result<ProducedOutput> {
        let base = &self.group.destination.base;
        let mut last = None;
        for number in 0.. {
            let path = self.path(&format!("{}.{number:07}.jpg", output.stem));
            if !self.work.join(&path).try_exists()? {
                break;
            }
            let name = names::frame(base, &output.name_modifier, &output.extension, number);
            self.add(path, &name, Stage::Media)?;
            last = Some(self.group.destination.url(&name));
        }
        let paths = vec![last.ok_or_else(|| io::Error::other("the encoder captured no frame"))?];
        let size = self.plan.captures.get(capture).map(crate::plan::Capture::size);
        Ok(ProducedOutput {
            paths,
            // Known when all outputs are.
            duration_ms: 0,
            size,
        })
    }

    /// Pixels and frame rate of an output with video.
    fn video(&self, output: &Output) -> Option<((u32, u32), crate::probe::Ratio)> {
        let Media::Streams {
            video: Some(index), ..
        } = &output.media
        else {
            return None;
        };
        let video = self.plan.videos.get(*index)?;
        Some((video.size(), video.rate))
    }

    fn path(&self, file: &str) -> PathBuf {
        Path::new(&self.group.folder).join(file)
    }

    fn write(&mut self, path: PathBuf, name: &str, text: &str, stage: Stage) -> io::Result<String> {
        fs::write(self.work.join(&path), text)?;
        self.add(path, name, stage)?;
        Ok(self.group.destination.url(name))
    }

    fn add(&mut self, path: PathBuf, name: &str, stage: Stage) -> io::Result<u64> {
        let size = fs::metadata(self.work.join(&path))?.len();
        self.files.push(ProducedFile {
            path,
            url: self.group.destination.url(name),
            size,
            stage,
        });
        Ok(size)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "durations are not negative"
)]
pub(crate) fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0).round() as u64
}
