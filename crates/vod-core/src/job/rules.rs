//! The rules that fit a template to its source. Each is named, can be turned off and is listed in the record
//! when it changed something. A rule fires only on what the probe has found: nothing is guessed.

mod audio_only;
mod audio_tracks;

use std::borrow::Cow;

use serde_json::Value;

use super::group_kind;
use super::shape::{self, Completed, Source, set_size, size};
use crate::record::{Change, LeftOut, Media};

/// MediaConvert would make black pictures for a source that has none.
pub const AUDIO_ONLY: &str = "audio-only";
/// A template made for one audio track would leave out the other languages of a source.
pub const AUDIO_TRACKS: &str = "audio-tracks";
/// AWS fails a job that requires audio if the source has none.
pub const DROP_MISSING_AUDIO: &str = "drop-missing-audio";
/// A portrait video in a landscape frame would be a thin strip between black bars.
pub const SWAP_FOR_PORTRAIT: &str = "swap-for-portrait";
/// An output with one side gets the other from the source, so that no bars are baked in.
pub const KEEP_SHAPE: &str = "keep-shape";
/// Enlarging costs money and adds nothing that a player cannot do.
pub const NO_UPSCALE: &str = "no-upscale";

/// The rules that are on.
#[expect(clippy::struct_excessive_bools, reason = "each is a rule of its own")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub audio_only: bool,
    pub audio_tracks: bool,
    pub drop_missing_audio: bool,
    pub swap_for_portrait: bool,
    /// Off, an output with one side has a 16:9 frame: CreateJob never carries one side alone.
    pub keep_shape: bool,
    pub no_upscale: bool,
}

/// A name that is no rule's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no rule is called `{0}` (there are {AUDIO_ONLY}, {AUDIO_TRACKS}, {DROP_MISSING_AUDIO}, {SWAP_FOR_PORTRAIT}, {KEEP_SHAPE}, {NO_UPSCALE})"
)]
pub struct UnknownRule(String);

impl Rules {
    /// Every rule, the default.
    pub fn all() -> Self {
        Self {
            audio_only: true,
            audio_tracks: true,
            drop_missing_audio: true,
            swap_for_portrait: true,
            keep_shape: true,
            no_upscale: true,
        }
    }

    /// Every rule but those in a comma-separated list.
    pub fn without(list: &str) -> Result<Self, UnknownRule> {
        let mut rules = Self::all();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                AUDIO_ONLY => rules.audio_only = false,
                AUDIO_TRACKS => rules.audio_tracks = false,
                DROP_MISSING_AUDIO => rules.drop_missing_audio = false,
                SWAP_FOR_PORTRAIT => rules.swap_for_portrait = false,
                KEEP_SHAPE => rules.keep_shape = false,
                NO_UPSCALE => rules.no_upscale = false,
                _ => return Err(UnknownRule(name.to_owned())),
            }
        }
        Ok(rules)
    }
}

/// An output with the path it had in the template.
struct Output {
    path: String,
    value: Value,
    /// Whether [`KEEP_SHAPE`] gave it the source's shape.
    kept: bool,
}

/// The result of the rules.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) changes: Vec<Change>,
    /// Renditions that are not made.
    pub(super) left_out: Vec<LeftOut>,
}

/// Fits `settings` to what is known of the source. Paths in the result are those of the template as it came.
pub(super) fn apply(settings: &mut Value, media: &Media, rules: Rules) -> Applied {
    let mut applied = Applied::default();
    if rules.audio_only && media.is_audio_only() {
        applied.changes = audio_only::apply(settings, media.cover.is_some()).unwrap_or_default();
    }
    if rules.audio_tracks {
        applied.changes.extend(audio_tracks::apply(settings, media));
    }
    let source = Source::new(settings, &pictured(media));
    let Some(groups) = settings.get_mut("outputGroups").and_then(Value::as_array_mut) else {
        return applied;
    };
    for (index, group) in groups.iter_mut().enumerate() {
        let folder = group_kind(group).1;
        let Some(outputs) = group.get_mut("outputs").and_then(Value::as_array_mut) else {
            continue;
        };
        let list = std::mem::take(outputs).into_iter().enumerate();
        let mut list: Vec<Output> = list
            .map(|(number, value)| Output {
                path: format!("/outputGroups/{index}/outputs/{number}"),
                value,
                kept: false,
            })
            .collect();
        if rules.drop_missing_audio && media.audio_tracks == Some(0) {
            drop_missing_audio(&mut list, &mut applied.changes);
        }
        if rules.swap_for_portrait && source.is_some_and(Source::is_portrait) {
            swap_for_portrait(&mut list, &mut applied.changes);
        }
        keep_shape(&mut list, source, rules, &mut applied.changes);
        if let Some(source) = source.filter(|_| rules.no_upscale) {
            no_upscale(&mut list, source, folder, &mut applied);
        }
        *outputs = list.into_iter().map(|output| output.value).collect();
    }
    // A group of audio alone has no outputs left.
    groups.retain(|group| {
        group
            .get("outputs")
            .and_then(Value::as_array)
            .is_none_or(|list| !list.is_empty())
    });
    applied
}

/// A source without video has the shape of its cover.
fn pictured(media: &Media) -> Cow<'_, Media> {
    let Some(cover) = media.cover.filter(|_| media.width.is_none()) else {
        return Cow::Borrowed(media);
    };
    Cow::Owned(Media {
        width: Some(cover.width),
        height: Some(cover.height),
        ..media.clone()
    })
}

fn changed(changes: &mut Vec<Change>, rule: &str, path: String) {
    changes.push(Change {
        rule: rule.to_owned(),
        path,
        ..Change::default()
    });
}

fn drop_missing_audio(outputs: &mut Vec<Output>, changes: &mut Vec<Change>) {
    outputs.retain_mut(|output| {
        let Some(members) = output.value.as_object_mut() else {
            return true;
        };
        let asks = members
            .get("audioDescriptions")
            .and_then(Value::as_array)
            .is_some_and(|list| !list.is_empty());
        if !asks {
            return true;
        }
        members.remove("audioDescriptions");
        let silent_film = members.contains_key("videoDescription");
        let what = if silent_film { "/audioDescriptions" } else { "" };
        changed(changes, DROP_MISSING_AUDIO, format!("{}{what}", output.path));
        silent_film
    });
}

/// Turns the frames of outputs that give both sides.
fn swap_for_portrait(outputs: &mut [Output], changes: &mut Vec<Change>) {
    for output in outputs {
        if let (Some(width), Some(height)) = size(&output.value)
            && width > height
        {
            set_size(&mut output.value, height, width);
            changed(
                changes,
                SWAP_FOR_PORTRAIT,
                format!("{}/videoDescription", output.path),
            );
        }
    }
}

/// Completes outputs that give one side.
fn keep_shape(outputs: &mut [Output], source: Option<Source>, rules: Rules, changes: &mut Vec<Change>) {
    let source = source.filter(|_| rules.keep_shape);
    for output in outputs {
        let completed = shape::complete(&mut output.value, source, rules.swap_for_portrait);
        output.kept = completed == Completed::Kept;
        if completed != Completed::Untouched {
            changed(changes, KEEP_SHAPE, format!("{}/videoDescription", output.path));
        }
    }
}

/// Whether the picture, fitted into the output, would grow: bars around it are no enlargement.
fn grows(output: &Value, source: Source) -> bool {
    let (width, height) = source.in_pixels_of(output);
    match size(output) {
        (Some(w), Some(h)) => w > width && h > height,
        _ => false,
    }
}

fn area(output: &Output) -> u64 {
    let (width, height) = size(&output.value);
    width.unwrap_or(1).saturating_mul(height.unwrap_or(1))
}

/// The decision of [`no_upscale`] about an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Stays,
    /// Becomes as large as the source.
    Shrinks,
    Goes,
}

fn no_upscale(outputs: &mut Vec<Output>, source: Source, folder: &str, applied: &mut Applied) {
    let fates = fates(outputs, source);
    let mut fates = fates.into_iter();
    outputs.retain_mut(|output| match fates.next().unwrap_or(Fate::Stays) {
        Fate::Stays => true,
        Fate::Shrinks => {
            let own = source.in_pixels_of(&output.value);
            shape::make_own_size(&mut output.value, own);
            let path = format!("{}/videoDescription", output.path);
            changed(&mut applied.changes, NO_UPSCALE, path);
            true
        }
        Fate::Goes => {
            let (width, height) = source.in_pixels_of(&output.value);
            applied.left_out.push(LeftOut::new(
                rendition(folder, &output.value),
                format!("the picture is {width}x{height}, and enlarging it adds nothing"),
            ));
            changed(&mut applied.changes, NO_UPSCALE, output.path.clone());
            false
        }
    });
}

/// Larger outputs go. One becomes as large as the source: the smallest, where all are larger; else the next above,
/// if it keeps the source's shape and has a fifth more lines than the largest that fits.
fn fates(outputs: &[Output], source: Source) -> Vec<Fate> {
    let is_video = |output: &&Output| output.value.get("videoDescription").is_some();
    let fits = |output: &&Output| !grows(&output.value, source);
    let smallest_above = outputs
        .iter()
        .filter(is_video)
        .filter(|output| !fits(output))
        .min_by_key(|output| area(output));
    let largest = outputs
        .iter()
        .filter(is_video)
        .filter(fits)
        .max_by_key(|output| area(output));
    let shrinks = smallest_above.filter(|above| {
        let lines = |output: &Output| size(&output.value).1.unwrap_or(u64::MAX);
        let own = source.in_pixels_of(&above.value).1;
        largest.is_none_or(|largest| above.kept && own.saturating_mul(5) >= lines(largest).saturating_mul(6))
    });
    let fate = |output: &Output| match shrinks {
        _ if !is_video(&output) || fits(&output) => Fate::Stays,
        Some(above) if above.path == output.path => Fate::Shrinks,
        _ => Fate::Goes,
    };
    outputs.iter().map(fate).collect()
}

/// An output's name in words, for example `hls rendition 1280x720`.
fn rendition(folder: &str, output: &Value) -> String {
    match size(output) {
        (Some(width), Some(height)) => format!("{folder} rendition {width}x{height}"),
        _ => format!("{folder} rendition"),
    }
}

#[cfg(test)]
mod tests;
