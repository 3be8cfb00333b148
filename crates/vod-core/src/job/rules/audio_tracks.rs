//! The rule `audio-tracks`: further audio tracks of a source become renditions, and tracks of files.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{AUDIO_TRACKS, changed};
use crate::job::{default_input, frame_capture, group_kind};
use crate::language;
use crate::record::{Change, Media, TrackKind};

/// Further tracks that are taken over.
const MOST: usize = 8;
/// Containers of files that hold several audio tracks.
const FILES: [&str; 2] = ["MOV", "MP4"];
const DEFAULT: &str = "ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT";
const FURTHER: &str = "ALTERNATE_AUDIO_AUTO_SELECT";

/// An audio track of the source.
struct Track {
    /// From 1, among the audio tracks.
    number: usize,
    /// Code of three letters.
    language: Option<String>,
    /// Shown to viewers; no two tracks have one name.
    name: String,
}

impl Track {
    fn selector(&self) -> String {
        format!("Source Audio Track {}", self.number)
    }
}

/// Gives each streaming group with video a rendition for each further audio track, and each video file a track. Templates that
/// select tracks themselves stay as they are.
pub(super) fn apply(settings: &mut Value, media: &Media) -> Vec<Change> {
    let mut changes = Vec::new();
    let tracks = tracks(media);
    let Some((first, further)) = tracks.split_first() else {
        return changes;
    };
    if further.is_empty() || selects_tracks(settings) {
        return changes;
    }
    let groups = settings.get_mut("outputGroups").and_then(Value::as_array_mut);
    for (index, group) in groups.into_iter().flatten().enumerate() {
        let (member, folder) = group_kind(group);
        let path = format!("/outputGroups/{index}/outputs");
        // Additional manifests list outputs by name, so the template says what belongs together.
        let lists_outputs = group["outputGroupSettings"][member]["additionalManifests"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        let Some(outputs) = group.get_mut("outputs").and_then(Value::as_array_mut) else {
            continue;
        };
        match folder {
            "mp4" => add_tracks(outputs, first, further, &path, &mut changes),
            "hls" | "cmaf" | "dash" if !lists_outputs && outputs.iter().any(is_video) => {
                add_renditions(outputs, folder, first, further, &path, &mut changes);
            }
            _ => {}
        }
    }
    if !changes.is_empty() {
        add_selectors(settings, further, &mut changes);
    }
    changes
}

/// The audio tracks that can be decoded: the first, which templates take, and those that are added.
fn tracks(media: &Media) -> Vec<Track> {
    let mut names = BTreeSet::new();
    let audio = media.tracks.iter().filter(|track| track.kind == TrackKind::Audio);
    (1..)
        .zip(audio)
        .filter(|(_, track)| track.readable)
        .take(MOST + 1)
        .map(|(number, track)| {
            let (language, name) = match track.language.as_deref().and_then(language::audio) {
                Some((code, name)) => (Some(code), name),
                None => (None, format!("Audio {number}")),
            };
            let name = if names.contains(&name) {
                format!("{name} {number}")
            } else {
                name
            };
            names.insert(name.clone());
            Track {
                number,
                language,
                name,
            }
        })
        .collect()
}

/// Whether the template says more of its audio than "the default track".
fn selects_tracks(settings: &Value) -> bool {
    let input = settings.pointer("/inputs/0");
    let has = |value: &Value, member: &str| {
        let value = value.get(member).unwrap_or(&Value::Null);
        !value.is_null() && value != &json!([]) && value != &json!({})
    };
    let groups = ["audioSelectorGroups", "dynamicAudioSelectors"];
    if input.is_some_and(|input| groups.iter().any(|member| has(input, member))) {
        return true;
    }
    let choices = [
        "customLanguageCode",
        "externalAudioFileInput",
        "languageCode",
        "pids",
        "programSelection",
        "remixSettings",
        "streams",
        "tracks",
    ];
    let selects = |selector: &Value| {
        let kind = selector.get("selectorType").and_then(Value::as_str);
        !selector.is_object()
            || !matches!(kind, None | Some("TRACK"))
            || choices.iter().any(|member| has(selector, member))
    };
    let selectors = input.and_then(|input| input.get("audioSelectors")?.as_object());
    selectors.is_some_and(|selectors| selectors.values().any(selects))
}

fn is_video(output: &Value) -> bool {
    output.get("videoDescription").is_some() && frame_capture(output).is_none()
}

fn audio(output: &Value) -> Option<&Vec<Value>> {
    let list = output.get("audioDescriptions").and_then(Value::as_array);
    list.filter(|list| !list.is_empty())
}

fn container(output: &Value) -> &str {
    let container = output.pointer("/containerSettings/container");
    container.and_then(Value::as_str).unwrap_or_default()
}

/// Further tracks of files with video.
fn add_tracks(
    outputs: &mut [Value],
    first: &Track,
    further: &[Track],
    path: &str,
    changes: &mut Vec<Change>,
) {
    for (number, output) in outputs.iter_mut().enumerate() {
        if !is_video(output) || !FILES.contains(&container(output)) {
            continue;
        }
        let Some(descriptions) = output
            .get_mut("audioDescriptions")
            .and_then(Value::as_array_mut)
            .filter(|list| !list.is_empty())
        else {
            continue;
        };
        name_first(&mut descriptions[0], first);
        for track in further {
            let place = format!("{path}/{number}/audioDescriptions/{}", descriptions.len());
            changed(changes, AUDIO_TRACKS, place);
            descriptions.push(description(&descriptions[0], track));
        }
    }
}

/// Further renditions of a group.
fn add_renditions(
    outputs: &mut Vec<Value>,
    folder: &str,
    first: &Track,
    further: &[Track],
    path: &str,
    changes: &mut Vec<Change>,
) {
    let mut models = renditions(outputs, folder);
    if models.is_empty() && folder == "hls" {
        models.extend(separate(outputs, path, changes));
    }
    let mut groups = Vec::new();
    for (count, &model) in models.iter().enumerate() {
        let group = group_id(&mut outputs[model], folder, count);
        if let Some(first_audio) = outputs[model].pointer_mut("/audioDescriptions/0") {
            name_first(first_audio, first);
        }
        for track in further {
            let output = rendition(outputs, model, folder, track, group.as_deref());
            changed(changes, AUDIO_TRACKS, format!("{path}/{}", outputs.len()));
            outputs.push(output);
        }
        groups.extend(group);
    }
    if groups.is_empty() {
        return;
    }
    for output in outputs.iter_mut().filter(|output| is_video(output)) {
        let sets = &mut place_of(output, folder)["audioRenditionSets"];
        if sets.is_null() {
            *sets = json!(groups.join(","));
        }
    }
}

/// The members of an output with its place in playlists.
fn place(folder: &str) -> (&'static str, &'static str) {
    match folder {
        "cmaf" => ("containerSettings", "cmfcSettings"),
        _ => ("outputSettings", "hlsSettings"),
    }
}

fn place_of<'a>(output: &'a mut Value, folder: &str) -> &'a mut Value {
    let (outer, inner) = place(folder);
    member(member(output, outer), inner)
}

/// A member that is an object, which is made where it is missing.
fn member<'a>(value: &'a mut Value, name: &str) -> &'a mut Value {
    if !value.is_object() {
        *value = json!({});
    }
    if !value[name].is_object() {
        value[name] = json!({});
    }
    &mut value[name]
}

/// The first audio rendition of each audio group, by its index. Packed audio other than AAC is not made by the local engine.
fn renditions(outputs: &[Value], folder: &str) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    let mut models = Vec::new();
    for (index, output) in outputs.iter().enumerate() {
        let Some(descriptions) = audio(output) else {
            continue;
        };
        let is_aac = descriptions[0].pointer("/codecSettings/codec") == Some(&json!("AAC"));
        if output.get("videoDescription").is_some() || (folder == "hls" && !is_aac) {
            continue;
        }
        if folder == "dash" {
            // A DASH manifest has no groups: its audio is one choice.
            return vec![index];
        }
        let (outer, inner) = place(folder);
        let place = &output[outer][inner];
        let kind = place["audioTrackType"].as_str();
        let is_rendition = kind.map_or(folder == "cmaf", |kind| kind.starts_with("ALTERNATE"));
        let group = place["audioGroupId"].as_str().filter(|group| !group.is_empty());
        if is_rendition && group.is_none_or(|group| seen.insert(group.to_owned())) {
            models.push(index);
        }
    }
    models
}

/// Takes the audio out of the variants of an HLS group into a rendition of its own, whose index it returns: beside audio in the
/// variants, players would offer the further tracks alone.
fn separate(outputs: &mut Vec<Value>, path: &str, changes: &mut Vec<Change>) -> Option<usize> {
    let model = outputs
        .iter()
        .find(|output| is_video(output) && audio(output).is_some())?;
    let description = model["audioDescriptions"][0].clone();
    if description.pointer("/codecSettings/codec") != Some(&json!("AAC")) {
        return None;
    }
    let mut rendition = json!({
        "audioDescriptions": [description],
        "containerSettings": {"container": container(model)},
        "nameModifier": free_name(outputs, "_audio_1"),
    });
    place_of(&mut rendition, "hls")["audioTrackType"] = json!(DEFAULT);
    for (number, output) in outputs.iter_mut().enumerate() {
        if !is_video(output) {
            continue;
        }
        let Some(members) = output.as_object_mut() else {
            continue;
        };
        if members.remove("audioDescriptions").is_some() {
            changed(
                changes,
                AUDIO_TRACKS,
                format!("{path}/{number}/audioDescriptions"),
            );
        }
        // CreateJob wants it as soon as a group has several outputs.
        members.entry("nameModifier").or_insert_with(|| json!("_video"));
    }
    changed(changes, AUDIO_TRACKS, format!("{path}/{}", outputs.len()));
    outputs.push(rendition);
    Some(outputs.len() - 1)
}

/// The audio group of a rendition, which gets one if it has none: renditions without one are each a group of their own.
fn group_id(output: &mut Value, folder: &str, count: usize) -> Option<String> {
    if folder == "dash" {
        return None;
    }
    let place = place_of(output, folder);
    if place["audioTrackType"].is_null() {
        place["audioTrackType"] = json!(DEFAULT);
    }
    let named = place["audioGroupId"].as_str().filter(|group| !group.is_empty());
    let group = named.map_or_else(|| format!("audio_{}", count + 1), str::to_owned);
    place["audioGroupId"] = json!(group);
    Some(group)
}

/// A rendition of `track` that is otherwise as the one at `model`.
fn rendition(outputs: &[Value], model: usize, folder: &str, track: &Track, group: Option<&str>) -> Value {
    let mut output = outputs[model].clone();
    output["audioDescriptions"] = json!([description(&output["audioDescriptions"][0], track)]);
    let modifier = output["nameModifier"].as_str().unwrap_or("_audio");
    let stem = modifier.strip_suffix("_1").unwrap_or(modifier);
    output["nameModifier"] = json!(free_name(outputs, &format!("{stem}_{}", track.number)));
    if let Some(group) = group {
        let place = place_of(&mut output, folder);
        place["audioGroupId"] = json!(group);
        place["audioTrackType"] = json!(FURTHER);
    }
    output
}

/// A name modifier that no output of the group has.
fn free_name(outputs: &[Value], wanted: &str) -> String {
    let mut name = wanted.to_owned();
    while outputs
        .iter()
        .any(|output| output["nameModifier"] == name.as_str())
    {
        name.push('_');
    }
    name
}

/// The description of `track` with the settings of another.
fn description(model: &Value, track: &Track) -> Value {
    let mut description = model.clone();
    if let Some(members) = description.as_object_mut() {
        for member in ["languageCode", "customLanguageCode", "languageCodeControl"] {
            members.remove(member);
        }
        members.insert("audioSourceName".to_owned(), json!(track.selector()));
        say_language(members, track);
        members.insert("streamName".to_owned(), json!(track.name));
    }
    description
}

/// Gives the audio that the template has a language and a name, if it has none.
fn name_first(description: &mut Value, first: &Track) {
    let Some(members) = description.as_object_mut() else {
        return;
    };
    let codes = ["languageCode", "customLanguageCode", "languageCodeControl"];
    if !codes.iter().any(|member| members.contains_key(*member)) {
        say_language(members, first);
    }
    members.entry("streamName").or_insert_with(|| json!(first.name));
}

fn say_language(members: &mut Map<String, Value>, track: &Track) {
    let Some(language) = &track.language else { return };
    // API reference, `AudioDescription.customLanguageCode`: any code of ISO 639-2 for all outputs.
    members.insert("customLanguageCode".to_owned(), json!(language));
    members.insert("languageCodeControl".to_owned(), json!("USE_CONFIGURED"));
}

/// A selector for each further track, with what the template's own selector says beside its track.
fn add_selectors(settings: &mut Value, further: &[Track], changes: &mut Vec<Change>) {
    if settings.pointer("/inputs/0").is_none() {
        settings["inputs"] = json!([default_input()]);
    }
    let input = &mut settings["inputs"][0];
    let selectors = member(input, "audioSelectors");
    if selectors.as_object().is_none_or(Map::is_empty) {
        *selectors = default_input()["audioSelectors"].take();
    }
    let Some(selectors) = selectors.as_object_mut() else {
        return;
    };
    let Some((own, model)) = selectors.iter().next() else {
        return;
    };
    let (own, model) = (own.clone(), model.clone());
    for track in further {
        let mut selector = model.clone();
        selector["selectorType"] = json!("TRACK");
        selector["tracks"] = json!([track.number]);
        selector["defaultSelection"] = json!("NOT_DEFAULT");
        let name = track.selector();
        changed(changes, AUDIO_TRACKS, format!("/inputs/0/audioSelectors/{name}"));
        selectors.insert(name, selector);
    }
    name_sources(settings, &own);
}

/// Descriptions without a selector mean the input's only one, which is not the only one any more.
fn name_sources(settings: &mut Value, own: &str) {
    let groups = settings.get_mut("outputGroups").and_then(Value::as_array_mut);
    let outputs = |group: &mut Value| group.get_mut("outputs")?.as_array_mut().map(std::mem::take);
    for group in groups.into_iter().flatten() {
        let Some(mut list) = outputs(group) else { continue };
        let descriptions = list
            .iter_mut()
            .filter_map(|output| output.get_mut("audioDescriptions")?.as_array_mut())
            .flatten()
            .filter_map(Value::as_object_mut);
        for description in descriptions {
            description.entry("audioSourceName").or_insert_with(|| json!(own));
        }
        group["outputs"] = list.into();
    }
}
