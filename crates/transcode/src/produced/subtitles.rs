//! Writes captions: as files, and as renditions beside video.

use std::io;

use captions::segments;
use captions::write;
use mediaconvert_job::names;

use super::segments::Rendition;
use super::{Collector, ProducedOutput, Stage, milliseconds};
use crate::dash::CaptionFile;
use crate::plan::{CaptionTrack, HlsGroup, Media, Output, START_SECONDS};
use crate::playlist::{Segment, SubtitleRendition};

/// Length of segments of captions in an HLS group that does not ask for those of the video, in milliseconds
/// (API reference, `HlsCaptionSegmentLengthControl`).
const LARGE_SEGMENTS: u64 = 300_000;

/// Captions in segments that are in place.
pub(super) struct Subtitles<'a> {
    pub(super) output: &'a Output,
    pub(super) segments: Vec<Segment>,
    track: &'a CaptionTrack,
}

impl Subtitles<'_> {
    pub(super) fn produced(&self, paths: Vec<String>) -> ProducedOutput {
        ProducedOutput {
            paths,
            duration_ms: milliseconds(self.segments.iter().map(|segment| segment.seconds).sum()),
            size: None,
        }
    }

    /// The entry in a master playlist.
    pub(super) fn listed(&self, base: &str) -> SubtitleRendition {
        let name = self.track.name.clone().filter(|name| !name.trim().is_empty());
        SubtitleRendition {
            name: name
                .or_else(|| self.track.language.clone())
                .unwrap_or_else(|| "Captions".to_owned()),
            language: self.track.language.clone(),
            default: self.track.default,
            accessible: self.track.accessible,
            file: names::hls_variant(base, &self.output.name_modifier),
        }
    }
}

impl<'a> Collector<'a> {
    /// A caption file of a file group.
    pub(super) fn caption_file(&mut self, output: &Output, index: usize) -> io::Result<ProducedOutput> {
        let base = &self.group.destination.base;
        let name = names::file(base, &output.name_modifier, &output.extension);
        let text = self.track(index)?.file();
        let path = self.path(&format!("{}.captions", output.stem));
        let url = self.write(path, &name, &text, Stage::Media)?;
        // As long as the job's other outputs, which is known when all are.
        Ok(ProducedOutput {
            paths: vec![url],
            duration_ms: 0,
            size: None,
        })
    }

    /// Captions beside video: in an HLS group with the given form, else in a CMAF group.
    pub(super) fn subtitles(
        &mut self,
        hls: Option<&HlsGroup>,
        renditions: &[Rendition<'_>],
    ) -> io::Result<Vec<Subtitles<'a>>> {
        let group = self.group;
        let lengths = lengths(hls, renditions);
        let mut all = Vec::new();
        for output in &group.outputs {
            if let Media::Captions(index) = output.media {
                all.push(self.rendition_of(output, index, hls.is_some(), &lengths)?);
            }
        }
        Ok(all)
    }

    fn rendition_of(
        &mut self,
        output: &'a Output,
        index: usize,
        hls: bool,
        lengths: &[u64],
    ) -> io::Result<Subtitles<'a>> {
        let track = self.track(index)?;
        // Segments of transport streams begin at this time stamp of 90 kHz. Fragmented MP4 begins at 0.
        let start_pts = hls.then_some(u64::from(START_SECONDS) * 90_000);
        let digits = if hls { 5 } else { 9 };
        let mut written = Vec::new();
        for ((cues, length), number) in segments::split(&track.cues, lengths).iter().zip(lengths).zip(1..) {
            let text = write::webvtt(cues, track.looks(), start_pts);
            let base = &self.group.destination.base;
            let name = names::caption_segment(base, &output.name_modifier, number, digits);
            let path = self.path(&format!("{}_{number:09}.vtt", output.stem));
            self.write(path, &name, &text, Stage::Media)?;
            written.push(Segment {
                name,
                seconds: seconds(*length),
                bytes: text.len() as u64,
                offset: None,
            });
        }
        Ok(Subtitles {
            output,
            segments: written,
            track,
        })
    }

    /// The captions of a rendition in one file, which is how a DASH manifest names them.
    pub(super) fn whole_file(&mut self, subtitles: &Subtitles<'_>, id: usize) -> io::Result<CaptionFile> {
        let output = subtitles.output;
        let file = names::file(&self.group.destination.base, &output.name_modifier, "vtt");
        let text = subtitles.track.file();
        let path = self.path(&format!("{}.captions", output.stem));
        self.write(path, &file, &text, Stage::Media)?;
        let bits = text.len() as u64 * 8;
        Ok(CaptionFile {
            id,
            file,
            language: subtitles.track.language.clone(),
            bandwidth: (bits * 1000)
                .checked_div(self.plan.duration_ms)
                .unwrap_or(bits)
                .max(1),
            accessible: subtitles.track.accessible,
        })
    }

    fn track(&self, index: usize) -> io::Result<&'a CaptionTrack> {
        let track = self.plan.captions.get(index);
        track.ok_or_else(|| io::Error::other("the plan has no such captions"))
    }
}

/// Lengths of the segments of captions in milliseconds: those of the video, or of five minutes.
fn lengths(hls: Option<&HlsGroup>, renditions: &[Rendition<'_>]) -> Vec<u64> {
    let longest = renditions
        .iter()
        .find(|rendition| rendition.picture.is_some())
        .or(renditions.first());
    let Some(rendition) = longest else {
        return Vec::new();
    };
    // Each boundary is rounded by itself, so that nothing adds up.
    let mut ends = rendition.segments.iter().scan(0.0, |end, segment| {
        *end += segment.seconds;
        Some(milliseconds(*end))
    });
    if hls.is_some_and(|hls| !hls.captions_match_video) {
        let total = ends.last().unwrap_or(0);
        let starts = (0..total).step_by(usize::try_from(LARGE_SEGMENTS).unwrap_or(usize::MAX));
        return starts.map(|start| LARGE_SEGMENTS.min(total - start)).collect();
    }
    let mut start = 0;
    let mut lengths = Vec::new();
    for end in ends.by_ref() {
        lengths.push(end - start);
        start = end;
    }
    lengths
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a film")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
