//! Collects the segments of renditions.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::ops::Range;
use std::path::PathBuf;

use mediaconvert_job::names;

use super::{Collector, ProducedOutput, Stage, encrypt, i_frames, milliseconds};
use crate::adts;
use crate::boxes;
use crate::plan::{AudioEncode, GroupKind, HlsGroup, Media, Output, START_SECONDS};
use crate::playlist::{self, Initialization, Segment};
use crate::probe::Ratio;

/// A segment as the encoder wrote it, with the name that it is to have.
pub(super) struct Piece {
    pub(super) file: PathBuf,
    pub(super) name: String,
    pub(super) seconds: f64,
}

/// A rendition whose segments are in place.
pub(super) struct Rendition<'a> {
    pub(super) output: &'a Output,
    pub(super) segments: Vec<Segment>,
    pub(super) codecs: Vec<String>,
    /// Pixels and frame rate; absent for audio alone.
    pub(super) picture: Option<((u32, u32), Ratio)>,
    /// Its first audio encode.
    pub(super) audio: Option<&'a AudioEncode>,
    pub(super) initialization: Option<Initialization>,
    /// Starts and ends of the segments, in the ticks that DASH manifests have.
    pub(super) ticks: Vec<(u64, u64)>,
    /// Bytes of the index in a file of all segments.
    pub(super) index: Option<Range<u64>>,
    /// Byte ranges of I-frames, where the output has a playlist of them.
    pub(super) i_frames: Vec<Segment>,
}

impl Rendition<'_> {
    pub(super) fn seconds(&self) -> f64 {
        self.segments.iter().map(|segment| segment.seconds).sum()
    }

    pub(super) fn produced(&self, paths: Vec<String>) -> ProducedOutput {
        ProducedOutput {
            paths,
            duration_ms: milliseconds(self.seconds()),
            size: self.picture.map(|(size, _)| size),
        }
    }
}

impl<'a> Collector<'a> {
    /// Renditions in transport streams, and packed audio.
    pub(super) fn transport_streams(
        &mut self,
        hls: &HlsGroup,
        durations: &BTreeMap<PathBuf, u64>,
    ) -> io::Result<Vec<Rendition<'a>>> {
        let outputs = self.group.outputs.iter().filter(|output| is_streams(output));
        outputs
            .map(|output| {
                let packed = matches!(&output.media, Media::Streams { video: None, .. });
                if packed {
                    // The only codec that is packed.
                    let segments = self.packed_audio(output)?;
                    return Ok(self.rendition(output, segments, vec!["mp4a.40.2".to_owned()]));
                }
                // Before its first segment becomes a part of another file.
                let codecs = self.codecs(hls, output)?;
                let (segments, i_frames) = self.transport_stream(output, durations)?;
                Ok(Rendition {
                    i_frames,
                    ..self.rendition(output, segments, codecs)
                })
            })
            .collect()
    }

    pub(super) fn rendition(
        &self,
        output: &'a Output,
        segments: Vec<Segment>,
        codecs: Vec<String>,
    ) -> Rendition<'a> {
        let audio = match &output.media {
            Media::Streams { audio, .. } => audio.first().and_then(|index| self.plan.audio.get(*index)),
            Media::Capture(_) | Media::Captions(_) => None,
        };
        Rendition {
            output,
            segments,
            codecs,
            picture: self.video(output),
            audio,
            initialization: None,
            ticks: Vec::new(),
            index: None,
            i_frames: Vec::new(),
        }
    }

    fn transport_stream(
        &mut self,
        output: &Output,
        durations: &BTreeMap<PathBuf, u64>,
    ) -> io::Result<(Vec<Segment>, Vec<Segment>)> {
        let playlist = self.path(&format!("{}.m3u8", output.stem));
        let text = fs::read_to_string(self.work.join(&playlist))?;
        let pieces = (1..)
            .zip(playlist::durations(&text))
            .map(|(number, seconds)| Piece {
                file: self.path(&format!("{}_{number:05}.ts", output.stem)),
                name: self.segment_name(output, number, "ts"),
                seconds,
            });
        let mut pieces: Vec<Piece> = pieces.collect();
        let last = pieces.last_mut().ok_or_else(none)?;
        outlast(&mut last.seconds, durations.get(&playlist));
        self.join_short_end(output, &mut pieces)?;
        let shown = i_frames::of(output, &pieces, |piece| {
            i_frames::in_transport_stream(&mut BufReader::new(File::open(self.work.join(&piece.file))?))
        })?;
        let single = names::file(&self.group.destination.base, &output.name_modifier, "ts");
        let segments = self.place(output, pieces, &single, &[])?;
        let i_frames = i_frames::ranges(&shown, &segments);
        Ok((segments, i_frames))
    }

    fn packed_audio(&mut self, output: &Output) -> io::Result<Vec<Segment>> {
        let path = |number| self.path(&format!("{}_{number:05}.aac", output.stem));
        let whole = self.work.join(self.path(&format!("{}.adts", output.stem)));
        let seconds = self.group.segment_seconds;
        let mut whole = BufReader::new(File::open(whole)?);
        let create = |number| File::create(self.work.join(path(number))).map(BufWriter::new);
        let durations = adts::cut(&mut whole, seconds, START_SECONDS, create)?;
        let pieces = (1..).zip(durations).map(|(number, seconds)| Piece {
            file: path(number),
            name: self.segment_name(output, number, "aac"),
            seconds,
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        self.join_short_end(output, &mut pieces)?;
        let single = names::file(&self.group.destination.base, &output.name_modifier, "aac");
        self.place(output, pieces, &single, &[])
    }

    fn segment_name(&self, output: &Output, number: usize, suffix: &str) -> String {
        let base = &self.group.destination.base;
        names::hls_segment(
            base,
            &output.name_modifier,
            &output.segment_modifier,
            number,
            suffix,
        )
    }

    /// Puts segments into place: each in a file of its own, or one after the other, behind the bytes of `head`, in one with the
    /// name `single`.
    pub(super) fn place(
        &mut self,
        output: &Output,
        pieces: Vec<Piece>,
        single: &str,
        head: &[u8],
    ) -> io::Result<Vec<Segment>> {
        if pieces.is_empty() {
            return Err(none());
        }
        if let GroupKind::Hls(HlsGroup {
            encryption: Some(encryption),
            ..
        }) = &self.group.kind
        {
            for (number, piece) in (1..).zip(&pieces) {
                encrypt::file(&self.work.join(&piece.file), encryption, number)?;
            }
        }
        if !self.group.single_file {
            let placed = pieces.into_iter().map(|Piece { file, name, seconds }| {
                let bytes = self.add(file, &name, Stage::Media)?;
                Ok(Segment {
                    name,
                    seconds,
                    bytes,
                    offset: None,
                })
            });
            return placed.collect();
        }
        let whole = self.path(&format!("{}.single", output.stem));
        let mut file = File::create(self.work.join(&whole))?;
        file.write_all(head)?;
        let mut offset = head.len() as u64;
        let mut segments = Vec::new();
        for piece in pieces {
            let path = self.work.join(&piece.file);
            let bytes = io::copy(&mut File::open(&path)?, &mut file)?;
            // Its bytes are in the other file now.
            fs::remove_file(path)?;
            segments.push(Segment {
                name: single.to_owned(),
                seconds: piece.seconds,
                bytes,
                offset: Some(offset),
            });
            offset += bytes;
        }
        self.add(whole, single, Stage::Media)?;
        Ok(segments)
    }

    /// Appends a last segment that is shorter than the job allows to the one before, or that is no more than a frame or two of
    /// audio: its encoder's delay shifts the cuts of audio, so that a film of whole segments ends in such a sliver.
    pub(super) fn join_short_end(&self, output: &Output, pieces: &mut Vec<Piece>) -> io::Result<bool> {
        const SLIVER: f64 = 0.05;
        let sliver = if self.video(output).is_none() { SLIVER } else { 0.0 };
        let shortest = self.group.shortest_end.max(sliver);
        let Some(last) = pieces.pop_if(|last| last.seconds < shortest) else {
            return Ok(false);
        };
        let Some(before) = pieces.last_mut() else {
            pieces.push(last);
            return Ok(false);
        };
        let from = self.work.join(&last.file);
        let mut to = File::options().append(true).open(self.work.join(&before.file))?;
        io::copy(&mut File::open(&from)?, &mut to)?;
        fs::remove_file(from)?;
        before.seconds += last.seconds;
        Ok(true)
    }

    fn codecs(&self, hls: &HlsGroup, output: &Output) -> io::Result<Vec<String>> {
        // Enough for the tables and the first picture's parameter sets.
        let mut start = Vec::new();
        let first = self.path(&format!("{}_00001.ts", output.stem));
        File::open(self.work.join(first))?
            .take(64 << 10)
            .read_to_end(&mut start)?;
        let video = playlist::avc_codec(&start, hls.rfc_6381)
            .or_else(|| boxes::hevc_in_stream(&start))
            .ok_or_else(|| io::Error::other("a segment has no H.264 or H.265 parameters"))?;
        let Media::Streams { audio, .. } = &output.media else {
            return Ok(vec![video]);
        };
        let mut codecs = vec![video];
        for codec in audio
            .iter()
            .filter_map(|index| self.plan.audio.get(*index)?.codec.clone())
        {
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        Ok(codecs)
    }
}

pub(super) fn is_streams(output: &Output) -> bool {
    matches!(output.media, Media::Streams { .. })
}

fn none() -> io::Error {
    io::Error::other("the encoder wrote no segment")
}

/// Extends a segment to the end of its audio, which ends up to one AAC frame (21 ms at 48 kHz) after the pictures.
#[expect(clippy::cast_precision_loss, reason = "a duration in milliseconds")]
fn outlast(seconds: &mut f64, audio_ms: Option<&u64>) {
    const ROUNDING: f64 = 0.05;
    let audio = audio_ms.map_or(0.0, |&ms| ms as f64 / 1000.0);
    if audio > *seconds + ROUNDING {
        *seconds = audio;
    }
}
