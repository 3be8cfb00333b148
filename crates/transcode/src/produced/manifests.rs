//! Writes the manifests of a group over segments that are in place.

use std::io;

use mediaconvert_job::names;

use super::fragments::fragment_kind;
use super::segments::Rendition;
use super::subtitles::Subtitles;
use super::{Collector, Stage};
use crate::dash::{self, CaptionFile, Files, Mpd, Representation};
use crate::plan::{DashForm, FragmentGroup, HlsGroup, Output, Role};
use crate::playlist::{self, AudioRendition, Contents, Master, Segment, Variant};

/// The outputs that a manifest lists: all of the group, or those of an additional manifest.
#[derive(Clone, Copy)]
struct Selection<'a> {
    modifier: &'a str,
    outputs: Option<&'a [usize]>,
    /// Of the manifest's file in the work directory.
    number: usize,
}

impl Selection<'_> {
    fn has(&self, output: &Output) -> bool {
        let is_it = |index: &usize| format!("o{index}") == output.stem;
        self.outputs.is_none_or(|outputs| outputs.iter().any(is_it))
    }
}

impl Collector<'_> {
    /// The selections of all manifests, that with the name of the group first: the whole group, or the outputs of an additional
    /// manifest without a name of its own.
    fn selections(&self) -> Vec<Selection<'_>> {
        let mut first = Selection {
            modifier: "",
            outputs: None,
            number: 0,
        };
        let additional = self.group.additional.iter();
        let additional = additional.zip(1..).map(|(manifest, number)| Selection {
            modifier: &manifest.modifier,
            outputs: Some(&manifest.outputs),
            number,
        });
        let (unnamed, named): (Vec<_>, Vec<_>) =
            additional.partition(|selection| selection.modifier.is_empty());
        first.outputs = unnamed.first().and_then(|selection| selection.outputs);
        [first].into_iter().chain(named).collect()
    }

    /// Manifests of a CMAF or DASH group. Returns their URLs, as `MediaConvert` has them: the DASH manifest's before that of
    /// the master playlist. Those of additional manifests follow.
    pub(super) fn manifests(
        &mut self,
        form: &FragmentGroup,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> io::Result<Vec<String>> {
        let mut urls = Vec::new();
        if let Some(dash) = &form.dash {
            urls.push(self.mpds(form, dash, renditions, subtitles)?);
        }
        if let Some(hls) = &form.hls {
            urls.push(self.playlists(hls, renditions, subtitles)?);
        }
        let count = urls.iter().map(Vec::len).max().unwrap_or_default();
        let in_turn = (0..count).flat_map(|index| urls.iter().filter_map(move |urls| urls.get(index)));
        Ok(in_turn.cloned().collect())
    }

    fn mpds(
        &mut self,
        form: &FragmentGroup,
        dash: &DashForm,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> io::Result<Vec<String>> {
        let tracks: Vec<(&Output, Representation)> = (1..)
            .zip(renditions)
            .map(|(id, rendition)| (rendition.output, self.representation(form, dash, id, rendition)))
            .collect();
        let captions = subtitles.iter().zip(tracks.len() + 1..);
        let captions = captions
            .map(|(subtitles, id)| Ok((subtitles.output, self.whole_file(subtitles, id)?)))
            .collect::<io::Result<Vec<(&Output, CaptionFile)>>>()?;
        let duration = renditions.iter().map(Rendition::seconds).fold(0.0, f64::max);
        let base = &self.group.destination.base;
        let manifests = self.selections().into_iter().map(|selection| {
            let tracks = tracks.iter().filter(|(output, _)| selection.has(output));
            let captions = captions.iter().filter(|(output, _)| selection.has(output));
            let mpd = Mpd {
                segment: self.group.segment_seconds,
                duration,
                tracks: tracks.map(|(_, track)| track.clone()).collect(),
                captions: captions.map(|(_, captions)| captions.clone()).collect(),
            };
            let path = self.path(&format!("manifest{}.mpd", selection.number));
            (
                path,
                names::file(base, selection.modifier, "mpd"),
                dash::mpd(dash, &mpd),
            )
        });
        let manifests: Vec<_> = manifests.collect();
        manifests
            .into_iter()
            .map(|(path, name, text)| self.write(path, &name, &text, Stage::Master))
            .collect()
    }

    fn representation(
        &self,
        form: &FragmentGroup,
        dash: &DashForm,
        id: usize,
        rendition: &Rendition<'_>,
    ) -> Representation {
        let output = rendition.output;
        let (base, kind) = (&self.group.destination.base, fragment_kind(form, output));
        let (peak, average) = playlist::bandwidth(&rendition.segments);
        let bandwidth = if dash.measured_bandwidth {
            average
        } else {
            output.bitrate.unwrap_or(peak)
        };
        let track = match (rendition.picture, rendition.audio) {
            (Some((size, rate)), _) => dash::Track::Video { size, rate },
            (None, audio) => dash::Track::Audio {
                language: audio.and_then(|audio| audio.language.clone()),
                sample_rate: audio.map_or(48_000, |audio| audio.sample_rate),
                channels: audio.map_or(2, |audio| audio.channels),
            },
        };
        let initialization = rendition.initialization.as_ref();
        let files = match &rendition.index {
            Some(index) => Files::One {
                name: names::fragments(base, &output.name_modifier, kind),
                index: index.clone(),
            },
            None => Files::Each {
                media: names::fragment_template(base, &output.name_modifier, kind),
                initialization: initialization.map_or(String::new(), |file| file.name.clone()),
            },
        };
        Representation {
            id,
            files,
            codecs: rendition.codecs.join(","),
            bandwidth,
            segments: rendition.ticks.clone(),
            track,
        }
    }

    /// The playlist of each rendition, and the master playlists. Returns the URLs of the latter.
    pub(super) fn playlists(
        &mut self,
        hls: &HlsGroup,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> io::Result<Vec<String>> {
        for rendition in renditions {
            self.media_playlist(hls, Contents::Segments, rendition)?;
            if !rendition.i_frames.is_empty() {
                self.media_playlist(hls, Contents::IFrames, rendition)?;
            }
        }
        for subtitles in subtitles {
            let text = playlist::media(hls, Contents::Captions, None, &subtitles.segments);
            let name = names::hls_variant(&self.group.destination.base, &subtitles.output.name_modifier);
            let path = self.path(&format!("{}.m3u8", subtitles.output.stem));
            self.write(path, &name, &text, Stage::Playlist)?;
        }
        let base = &self.group.destination.base;
        let masters = self.selections().into_iter().map(|selection| {
            let lists = self.master(&selection, renditions, subtitles);
            let path = self.path(&format!("master{}.m3u8", selection.number));
            let name = names::file(base, selection.modifier, "m3u8");
            (path, name, playlist::master(hls, &lists))
        });
        let masters: Vec<_> = masters.collect();
        masters
            .into_iter()
            .map(|(path, name, text)| self.write(path, &name, &text, Stage::Master))
            .collect()
    }

    fn media_playlist(
        &mut self,
        hls: &HlsGroup,
        contents: Contents,
        rendition: &Rendition<'_>,
    ) -> io::Result<()> {
        let base = &self.group.destination.base;
        let Output {
            stem, name_modifier, ..
        } = rendition.output;
        let (segments, name, suffix) = match contents {
            Contents::IFrames => (
                &rendition.i_frames,
                names::hls_i_frames(base, name_modifier),
                "_i.m3u8",
            ),
            _ => (
                &rendition.segments,
                names::hls_variant(base, name_modifier),
                ".m3u8",
            ),
        };
        let text = playlist::media(hls, contents, rendition.initialization.as_ref(), segments);
        let path = self.path(&format!("{stem}{suffix}"));
        self.write(path, &name, &text, Stage::Playlist)?;
        Ok(())
    }

    /// What a master playlist lists.
    fn master(
        &self,
        selection: &Selection<'_>,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> Master {
        let base = &self.group.destination.base;
        let renditions = renditions.iter();
        let renditions: Vec<_> = renditions
            .filter(|rendition| selection.has(rendition.output))
            .collect();
        let subtitles = subtitles.iter();
        let subtitles = subtitles.filter(|subtitles| selection.has(subtitles.output));
        let (variants, audio) = listed(base, &renditions);
        let i_frames: Vec<Variant> = renditions
            .iter()
            .filter(|rendition| !rendition.i_frames.is_empty())
            .map(|rendition| i_frame_variant(base, rendition))
            .collect();
        let fragments = renditions
            .iter()
            .any(|rendition| rendition.initialization.is_some());
        let plain = audio.is_empty() && i_frames.is_empty() && !self.group.single_file;
        Master {
            version: match (fragments, plain) {
                (true, _) => 6,
                (false, false) => 4,
                (false, true) => 3,
            },
            variants,
            i_frames,
            audio,
            subtitles: subtitles.map(|subtitles| subtitles.listed(base)).collect(),
        }
    }
}

/// What a master playlist lists.
fn listed(base: &str, renditions: &[&Rendition<'_>]) -> (Vec<Variant>, Vec<AudioRendition>) {
    let mut audio: Vec<(AudioRendition, &Rendition<'_>)> = Vec::new();
    let mut unnamed = 0..;
    for rendition in renditions {
        let Role::Audio {
            group,
            default,
            auto_select,
            describes_video,
            name,
        } = &rendition.output.role
        else {
            continue;
        };
        let own = || format!("program_audio_{}", unnamed.next().unwrap_or(0));
        let listed = AudioRendition {
            group: group.clone().unwrap_or_else(own),
            name: name.clone().unwrap_or_else(|| "Alternate Audio".to_owned()),
            language: rendition.audio.and_then(|audio| audio.language.clone()),
            default: *default,
            auto_select: *auto_select,
            describes_video: *describes_video,
            channels: rendition.audio.map_or(2, |audio| audio.channels),
            file: names::hls_variant(base, &rendition.output.name_modifier),
        };
        audio.push((listed, rendition));
    }
    let mut groups: Vec<&str> = Vec::new();
    for (rendition, _) in &audio {
        if !groups.contains(&rendition.group.as_str()) {
            groups.push(&rendition.group);
        }
    }
    let mut variants = Vec::new();
    for rendition in renditions {
        let Role::Variant { audio_groups } = &rendition.output.role else {
            continue;
        };
        let chosen: Vec<&str> = match audio_groups.as_slice() {
            // Video with audio of its own, and audio alone, need no other.
            [] if rendition.audio.is_some() => Vec::new(),
            [] => groups.clone(),
            named => named
                .iter()
                .map(String::as_str)
                .filter(|name| groups.contains(name))
                .collect(),
        };
        let alone = variant(base, rendition);
        if chosen.is_empty() {
            variants.push(alone.clone());
        }
        // One entry for each group, over the same playlist.
        variants.extend(chosen.iter().map(|group| beside(alone.clone(), group, &audio)));
    }
    (variants, audio.into_iter().map(|(audio, _)| audio).collect())
}

fn variant(base: &str, rendition: &Rendition<'_>) -> Variant {
    let (bandwidth, average_bandwidth) = playlist::bandwidth(&rendition.segments);
    Variant {
        name: names::hls_variant(base, &rendition.output.name_modifier),
        bandwidth,
        average_bandwidth,
        codecs: rendition.codecs.clone(),
        picture: rendition.picture,
        audio_group: None,
    }
}

/// The I-frames of a rendition.
fn i_frame_variant(base: &str, rendition: &Rendition<'_>) -> Variant {
    let rate = |picture: &Segment| playlist::bandwidth(std::slice::from_ref(picture)).0;
    let peak = rendition.i_frames.iter().map(rate).max();
    let (_, average_bandwidth) = playlist::bandwidth(&rendition.i_frames);
    Variant {
        name: names::hls_i_frames(base, &rendition.output.name_modifier),
        bandwidth: peak.unwrap_or_default(),
        average_bandwidth,
        // That of the video, which comes first.
        codecs: rendition.codecs.iter().take(1).cloned().collect(),
        ..variant(base, rendition)
    }
}

/// A variant with the rates and codecs of the largest rendition of an audio group.
fn beside(mut variant: Variant, group: &str, audio: &[(AudioRendition, &Rendition<'_>)]) -> Variant {
    let members = audio
        .iter()
        .filter(|(audio, _)| audio.group == group)
        .map(|(_, rendition)| rendition);
    let (mut peak, mut average) = (0, 0);
    for rendition in members {
        let rates = playlist::bandwidth(&rendition.segments);
        (peak, average) = (peak.max(rates.0), average.max(rates.1));
        for codec in &rendition.codecs {
            if !variant.codecs.contains(codec) {
                variant.codecs.push(codec.clone());
            }
        }
    }
    variant.bandwidth += peak;
    variant.average_bandwidth += average;
    variant.audio_group = Some(group.to_owned());
    variant
}
