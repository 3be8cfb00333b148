//! Collects segments of fragmented MP4.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use mediaconvert_job::names::{self, Fragment};

use super::segments::{Piece, Rendition, is_streams};
use super::{Collector, Stage, i_frames};
use crate::boxes::{self, Entry, Keyframe, Track};
use crate::dash;
use crate::plan::{FragmentGroup, Media, Output};
use crate::playlist::Initialization;

/// Starts and ends of segments in ticks.
type Spans = Vec<(u64, u64)>;

impl<'a> Collector<'a> {
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
        let head = fs::read(self.work.join(&file))?;
        let track = Track::parse(&head).ok_or_else(|| {
            io::Error::other("an initialization segment has no track that can be described")
        })?;
        let (mut pieces, mut spans) = self.pieces(&track, &folder, |number| {
            names::fragment(base, modifier, kind, number)
        })?;
        if self.join_short_end(output, &mut pieces)?
            && let (Some((_, end)), Some(last)) = (spans.pop(), spans.last_mut())
        {
            last.1 = end;
        }
        let shown = i_frames::of(output, &pieces, |piece| {
            let segment = track.segment(&mut File::open(self.work.join(&piece.file))?)?;
            let seconds = |key: &Keyframe| seconds(key.at.saturating_sub(segment.start), track.timescale);
            let keys = segment.keyframes.iter();
            Ok(keys.map(|key| (key.start..key.end, seconds(key))).collect())
        })?;
        let single = names::fragments(base, modifier, kind);
        let (initialization, segments, index) = if self.group.single_file {
            let index = self.index(&track, &pieces, &spans)?;
            let bytes = head.len() as u64;
            let range = bytes..bytes + index.len() as u64;
            let segments = self.place(output, pieces, &single, &[head, index].concat())?;
            (single, segments, Some(range))
        } else {
            let name = names::initialization(base, modifier, kind);
            self.add(file, &name, Stage::Media)?;
            (name, self.place(output, pieces, &single, &[])?, None)
        };
        let rfc_6381 = form.hls.as_ref().is_none_or(|hls| hls.rfc_6381);
        let i_frames = i_frames::ranges(&shown, &segments);
        let rendition = self.rendition(output, segments, vec![track.codec(rfc_6381)]);
        let timescale = match rendition.picture {
            Some(_) => dash::VIDEO_TIMESCALE,
            None => track.timescale,
        };
        let scaled = |ticks| rescaled(ticks, track.timescale, timescale);
        Ok(Rendition {
            initialization: Some(Initialization {
                name: initialization,
                bytes: index.as_ref().map(|index| index.start),
            }),
            ticks: spans
                .iter()
                .map(|&(start, end)| (scaled(start), scaled(end)))
                .collect(),
            index,
            i_frames,
            ..rendition
        })
    }

    /// The segments of a track in the order of their numbers, and their starts and ends in its ticks.
    fn pieces(
        &self,
        track: &Track,
        folder: &Path,
        name: impl Fn(usize) -> String,
    ) -> io::Result<(Vec<Piece>, Spans)> {
        let (mut pieces, mut spans) = (Vec::new(), Vec::new());
        for number in 1.. {
            let file = folder.join(format!("{number:09}.m4s"));
            let path = self.work.join(&file);
            let mut opened = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                opened => opened?,
            };
            if self.group.single_file {
                // The file has one index, in front.
                let bare = path.with_extension("bare");
                boxes::copy_fragments(&mut opened, &mut File::create(&bare)?)?;
                fs::rename(bare, &path)?;
                opened = File::open(&path)?;
            }
            let span = track.segment(&mut opened)?;
            spans.push((span.start, span.end));
            pieces.push(Piece {
                file,
                name: name(number),
                seconds: seconds(span.end.saturating_sub(span.start), track.timescale),
            });
        }
        Ok((pieces, spans))
    }

    /// The index of a file of all segments.
    fn index(&self, track: &Track, pieces: &[Piece], spans: &[(u64, u64)]) -> io::Result<Vec<u8>> {
        let entries = pieces.iter().zip(spans).map(|(piece, &(start, end))| {
            let bytes = fs::metadata(self.work.join(&piece.file))?.len();
            Ok(Entry { start, end, bytes })
        });
        boxes::index(track.timescale, &entries.collect::<io::Result<Vec<_>>>()?)
    }
}

pub(super) fn fragment_kind(form: &FragmentGroup, output: &Output) -> Fragment {
    match &output.media {
        _ if !form.cmaf => Fragment::Dash,
        Media::Streams { video: Some(_), .. } => Fragment::CmafVideo,
        _ => Fragment::CmafAudio,
    }
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
