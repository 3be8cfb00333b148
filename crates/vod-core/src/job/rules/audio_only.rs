//! The rule `audio-only`: a source without video makes no video.

use serde_json::{Value, json};

use super::{AUDIO_ONLY, changed};
use crate::job::frame_capture;
use crate::record::Change;

/// Captions that are part of a picture.
const IN_PICTURES: [&str; 5] = [
    "BURN_IN",
    "DVB_SUB",
    "EMBEDDED",
    "EMBEDDED_PLUS_SCTE20",
    "SCTE20_PLUS_EMBEDDED",
];

const VARIANT: &str = "AUDIO_ONLY_VARIANT_STREAM";

/// Takes the video out of all outputs. Captured frames stay if there is a cover to take them from. Outputs of a group that differ
/// in their video alone become one, and empty groups go.
///
/// `None`: the template makes no audio, and stays as it is.
pub(super) fn apply(settings: &mut Value, has_cover: bool) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let groups = settings.get_mut("outputGroups")?.as_array_mut()?;
    if !groups.iter().flat_map(crate::job::outputs).any(is_heard) {
        return None;
    }
    for (index, group) in groups.iter_mut().enumerate() {
        let path = format!("/outputGroups/{index}/outputs");
        let Some(outputs) = group.get_mut("outputs").and_then(Value::as_array_mut) else {
            continue;
        };
        let mut kept: Vec<Value> = Vec::new();
        for (number, mut output) in std::mem::take(outputs).into_iter().enumerate() {
            let path = format!("{path}/{number}");
            if has_cover && frame_capture(&output).is_some() {
                kept.push(output);
                continue;
            }
            let had_video = silence(&mut output);
            if !is_heard(&output) || kept.iter().any(|other| are_alike(other, &output)) {
                changed(&mut changes, AUDIO_ONLY, path);
                continue;
            }
            if had_video {
                changed(&mut changes, AUDIO_ONLY, format!("{path}/videoDescription"));
            }
            kept.push(output);
        }
        make_variants(&mut kept);
        *outputs = kept;
    }
    groups.retain(|group| {
        let outputs = group.get("outputs").and_then(Value::as_array);
        outputs.is_none_or(|outputs| !outputs.is_empty())
    });
    Some(changes)
}

/// Removes the video of an output, and captions in it. Returns whether there was one.
fn silence(output: &mut Value) -> bool {
    let Some(members) = output.as_object_mut() else {
        return false;
    };
    let had_video = members.remove("videoDescription").is_some();
    if let Some(captions) = members
        .get_mut("captionDescriptions")
        .and_then(Value::as_array_mut)
    {
        let kind = |caption: &Value| {
            let kind = caption
                .pointer("/destinationSettings/destinationType")?
                .as_str()?;
            Some(kind.to_owned())
        };
        captions.retain(|caption| kind(caption).is_none_or(|kind| !IN_PICTURES.contains(&kind.as_str())));
        if captions.is_empty() {
            members.remove("captionDescriptions");
        }
    }
    had_video
}

/// Captions alone are not kept: MediaConvert makes caption files only beside video.
fn is_heard(output: &Value) -> bool {
    let audio = output.get("audioDescriptions").and_then(Value::as_array);
    audio.is_some_and(|audio| !audio.is_empty())
}

/// Whether two outputs have the same audio in the same container.
fn are_alike(one: &Value, other: &Value) -> bool {
    ["audioDescriptions", "containerSettings"]
        .iter()
        .all(|member| one.get(member) == other.get(member))
}

/// In a streaming group without video, audio is what players choose among: renditions beside nothing would never be played.
fn make_variants(outputs: &mut [Value]) {
    for output in outputs {
        if output.pointer("/containerSettings/container") == Some(&json!("CMFC")) {
            output["containerSettings"]["cmfcSettings"]["audioTrackType"] = json!(VARIANT);
        }
        if let Some(settings) = output.pointer_mut("/outputSettings/hlsSettings")
            && settings.get("audioTrackType").is_some()
        {
            settings["audioTrackType"] = json!(VARIANT);
        }
    }
}
