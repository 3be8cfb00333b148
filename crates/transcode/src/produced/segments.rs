//! Collects the segments of renditions.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use mediaconvert_job::names::{self, Fragment};

use super::{Collector, ProducedOutput, Stage, milliseconds};
use crate::boxes::{self, Track};
use crate::plan::{AudioEncode, FragmentGroup, HlsGroup, Media, Output, START_SECONDS};
use crate::playlist::{self, Segment};
use crate::probe::Ratio;
use crate::{adts, dash};

/// A segment as the encoder wrote it, with the name that it is to have.
struct Piece {
    file: PathBuf,
    name: String,
    seconds: f64,
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
    /// Name of the initialization segment.
    pub(super) initialization: Option<String>,
    /// Starts and ends of the segments, in the ticks that DASH manifests have.
    pub(super) ticks: Vec<(u64, u64)>,
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
                let (segments, codecs) = if packed {
                    // The only codec that is packed.
                    (self.packed_audio(output)?, vec!["mp4a.40.2".to_owned()])
                } else {
                    // Before its first segment becomes a part of another file.
                    let codecs = self.codecs(hls, output)?;
                    (self.transport_stream(output, durations)?, codecs)
                };
                Ok(self.rendition(output, segments, codecs))
            })
            .collect()
    }

    fn rendition(&self, output: &'a Output, segments: Vec<Segment>, codecs: Vec<String>) -> Rendition<'a> {
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
        }
    }

    fn transport_stream(
        &mut self,
        output: &Output,
        durations: &BTreeMap<PathBuf, u64>,
    ) -> io::Result<Vec<Segment>> {
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
        let single = names::file(&self.group.destination.base, &output.name_modifier, "ts");
        self.place(output, pieces, &single, None)
    }

    fn packed_audio(&mut self, output: &Output) -> io::Result<Vec<Segment>> {
        let path = |number| self.path(&format!("{}_{number:05}.aac", output.stem));
        let whole = self.work.join(self.path(&format!("{}.adts", output.stem)));
        let seconds = self.group.segment_seconds;
        let durations = adts::cut(&whole, seconds, START_SECONDS, |number| {
            self.work.join(path(number))
        })?;
        let pieces = (1..).zip(durations).map(|(number, seconds)| Piece {
            file: path(number),
            name: self.segment_name(output, number, "aac"),
            seconds,
        });
        let mut pieces: Vec<Piece> = pieces.collect();
        self.join_short_end(output, &mut pieces)?;
        let single = names::file(&self.group.destination.base, &output.name_modifier, "aac");
        self.place(output, pieces, &single, None)
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

    /// Puts segments into place: each in a file of its own, or one after the other, behind the initialization segment, in one
    /// with the name `single`.
    fn place(
        &mut self,
        output: &Output,
        pieces: Vec<Piece>,
        single: &str,
        initialization: Option<&Path>,
    ) -> io::Result<Vec<Segment>> {
        if pieces.is_empty() {
            return Err(none());
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
        let mut append = |piece: &Path| {
            let path = self.work.join(piece);
            let bytes = io::copy(&mut File::open(&path)?, &mut file)?;
            // Its bytes are in the other file now.
            fs::remove_file(path)?;
            io::Result::Ok(bytes)
        };
        let mut offset = initialization.map_or(Ok(0), &mut append)?;
        let mut segments = Vec::new();
        for piece in pieces {
            let bytes = append(&piece.file)?;
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
    fn join_short_end(&self, output: &Output, pieces: &mut Vec<Piece>) -> io::Result<bool> {
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

    /// Renditions in fragmented MP4, one track each.
    pub(super) fn fragments(&mut self, form: &FragmentGroup) -> io::Result<Vec<Rendition<'a>>> {
        let outputs = self.group.outputs.iter().filter(|output| is_streams(output));
        outputs.map(|output| self.fragmented(form, output)).collect()
    }

    fn fragmented(&mut self, form: &FragmentGroup, output: &'a Output) -> io::Result<Rendition<'a>> {
        let (base, modifier) = (&self.group.destination.base, &output.name_modifier);
        let kind = fragment_kind(form, output);
        let folder = self.path(&output.stem);
        let file = folder.join("init.mp4");
        let track = Track::parse(&fs::read(self.work.join(&file))?).ok_or_else(|| {
            io::Error::other("an initialization segment has no track that can be described")
        })?;
        let (mut pieces, mut spans) = (Vec::new(), Vec::new());
        for number in 1.. {
            let file = folder.join(format!("{number:09}.m4s"));
            let mut opened = match File::open(self.work.join(&file)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                opened => opened?,
            };
            let span = track.segment(&mut opened)?;
            spans.push((span.start, span.end));
            pieces.push(Piece {
                file,
                name: names::fragment(base, modifier, kind, number),
                seconds: seconds(span.end.saturating_sub(span.start), track.timescale),
            });
        }
        if self.join_short_end(output, &mut pieces)?
            && let (Some((_, end)), Some(last)) = (spans.pop(), spans.last_mut())
        {
            last.1 = end;
        }
        let single = names::fragments(base, modifier, kind);
        let (initialization, first) = if self.group.single_file {
            (single.clone(), Some(file.as_path()))
        } else {
            let name = names::initialization(base, modifier, kind);
            self.add(file.clone(), &name, Stage::Media)?;
            (name, None)
        };
        let segments = self.place(output, pieces, &single, first)?;
        let rfc_6381 = form.hls.as_ref().is_none_or(|hls| hls.rfc_6381);
        let rendition = self.rendition(output, segments, vec![track.codec(rfc_6381)]);
        let timescale = match rendition.picture {
            Some(_) => dash::VIDEO_TIMESCALE,
            None => track.timescale,
        };
        let scaled = |ticks| rescaled(ticks, track.timescale, timescale);
        Ok(Rendition {
            initialization: Some(initialization),
            ticks: spans
                .iter()
                .map(|&(start, end)| (scaled(start), scaled(end)))
                .collect(),
            ..rendition
        })
    }
}

pub(super) fn fragment_kind(form: &FragmentGroup, output: &Output) -> Fragment {
    match &output.media {
        _ if !form.cmaf => Fragment::Dash,
        Media::Streams { video: Some(_), .. } => Fragment::CmafVideo,
        _ => Fragment::CmafAudio,
    }
}

fn is_streams(output: &Output) -> bool {
    matches!(output.media, Media::Streams { .. })
}

fn none() -> io::Error {
    io::Error::other("the encoder wrote no segment")
}

#[expect(clippy::cast_precision_loss, reason = "ticks of a segment are far below 2^52")]
fn seconds(ticks: u64, timescale: u32) -> f64 {
    ticks as f64 / f64::from(timescale)
}

/// To the nearest tick of another scale. Each instant is rounded by itself, so that nothing adds up.
fn rescaled(ticks: u64, from: u32, to: u32) -> u64 {
    let (ticks, from, to) = (u128::from(ticks), u128::from(from), u128::from(to));
    u64::try_from((ticks * to + from / 2) / from).unwrap_or(u64::MAX)
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
