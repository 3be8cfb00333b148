//! Writes the manifests of a group over segments that are in place.

use std::io;

use mediaconvert_job::names;

use super::segments::{Rendition, fragment_kind};
use super::subtitles::Subtitles;
use super::{Collector, Stage};
use crate::dash::{self, Files, Representation};
use crate::plan::{DashForm, FragmentGroup, HlsGroup, Role};
use crate::playlist::{self, AudioRendition, Variant};

impl Collector<'_> {
    /// Manifests of a CMAF or DASH group. Returns their URLs, the DASH manifest's first, as `MediaConvert` has them.
    pub(super) fn manifests(
        &mut self,
        form: &FragmentGroup,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> io::Result<Vec<String>> {
        let mut urls = Vec::new();
        if let Some(dash) = &form.dash {
            let duration = renditions.iter().map(Rendition::seconds).fold(0.0, f64::max);
            let tracks = renditions.iter().enumerate();
            let tracks: Vec<Representation> = tracks
                .map(|(index, rendition)| self.representation(form, dash, index + 1, rendition))
                .collect();
            let captions = subtitles.iter().zip(tracks.len() + 1..);
            let captions = captions
                .map(|(subtitles, id)| self.whole_file(subtitles, id))
                .collect::<io::Result<Vec<_>>>()?;
            let text = dash::mpd(dash, self.group.segment_seconds, duration, &tracks, &captions);
            let name = names::dash_manifest(&self.group.destination.base);
            urls.push(self.write(self.path("manifest.mpd"), &name, &text, Stage::Master)?);
        }
        if let Some(hls) = &form.hls {
            urls.push(self.playlists(hls, renditions, subtitles)?);
        }
        Ok(urls)
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
        let files = if self.group.single_file {
            let segments = || rendition.segments.iter();
            let end = segments()
                .map(|segment| segment.offset.unwrap_or_default() + segment.bytes)
                .max();
            Files::One {
                name: names::fragments(base, &output.name_modifier, kind),
                starts: segments().filter_map(|segment| segment.offset).collect(),
                last: end.unwrap_or_default().saturating_sub(1),
            }
        } else {
            Files::Each {
                media: names::fragment_template(base, &output.name_modifier, kind),
                initialization: rendition.initialization.clone().unwrap_or_default(),
            }
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

    /// The playlist of each rendition, and the master playlist. Returns the URL of the latter.
    pub(super) fn playlists(
        &mut self,
        hls: &HlsGroup,
        renditions: &[Rendition<'_>],
        subtitles: &[Subtitles<'_>],
    ) -> io::Result<String> {
        let base = self.group.destination.base.clone();
        let of_subtitles = subtitles
            .iter()
            .map(|subtitles| (subtitles.output, None, &subtitles.segments));
        let tracks = renditions.iter().map(|rendition| {
            (
                rendition.output,
                rendition.initialization.as_deref(),
                &rendition.segments,
            )
        });
        for (output, initialization, segments) in tracks.chain(of_subtitles) {
            let text = playlist::media(hls, initialization, segments);
            let path = self.path(&format!("{}.m3u8", output.stem));
            let name = names::hls_variant(&base, &output.name_modifier);
            self.write(path, &name, &text, Stage::Playlist)?;
        }
        let (variants, audio) = listed(&base, renditions);
        let fragments = renditions
            .iter()
            .any(|rendition| rendition.initialization.is_some());
        let version = match (fragments, audio.is_empty() && !self.group.single_file) {
            (true, _) => 6,
            (false, false) => 4,
            (false, true) => 3,
        };
        let subtitles: Vec<_> = subtitles
            .iter()
            .map(|subtitles| subtitles.listed(&base))
            .collect();
        let text = playlist::master(hls, version, &variants, &audio, &subtitles);
        self.write(
            self.path("master.m3u8"),
            &names::hls_master(&base),
            &text,
            Stage::Master,
        )
    }
}

/// What a master playlist lists.
fn listed(base: &str, renditions: &[Rendition<'_>]) -> (Vec<Variant>, Vec<AudioRendition>) {
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
