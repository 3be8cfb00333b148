//! The rules that fit a template to its source. Each is named, can be turned off and is listed in the record
//! when it changed something. A rule fires only on what the probe has found: nothing is guessed.

use serde_json::Value;

use crate::record::{Change, Media};

/// AWS fails a job that asks for sound which is not there.
pub const DROP_MISSING_AUDIO: &str = "drop-missing-audio";
/// A portrait video in a landscape frame would be a thin strip between black bars.
pub const SWAP_FOR_PORTRAIT: &str = "swap-for-portrait";
/// Enlarging costs money and adds nothing that a player cannot do.
pub const NO_UPSCALE: &str = "no-upscale";

/// Which rules are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub drop_missing_audio: bool,
    pub swap_for_portrait: bool,
    pub no_upscale: bool,
}

/// A name that is no rule's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no rule is called `{0}` (there are {DROP_MISSING_AUDIO}, {SWAP_FOR_PORTRAIT}, {NO_UPSCALE})")]
pub struct UnknownRule(String);

impl Rules {
    /// Every rule, the default.
    pub fn all() -> Self {
        Self {
            drop_missing_audio: true,
            swap_for_portrait: true,
            no_upscale: true,
        }
    }

    /// Every rule but those in a comma-separated list.
    pub fn without(list: &str) -> Result<Self, UnknownRule> {
        let mut rules = Self::all();
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                DROP_MISSING_AUDIO => rules.drop_missing_audio = false,
                SWAP_FOR_PORTRAIT => rules.swap_for_portrait = false,
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
}

/// Fits `settings` to what is known of the source. Paths in the result are those of the template as it came.
pub(super) fn apply(settings: &mut Value, media: &Media, rules: Rules) -> Vec<Change> {
    let mut changes = Vec::new();
    let Some(groups) = settings.get_mut("outputGroups").and_then(Value::as_array_mut) else {
        return changes;
    };
    for (index, group) in groups.iter_mut().enumerate() {
        let Some(outputs) = group.get_mut("outputs").and_then(Value::as_array_mut) else {
            continue;
        };
        let path = |number: usize| format!("/outputGroups/{index}/outputs/{number}");
        let list = std::mem::take(outputs).into_iter().enumerate();
        let mut list: Vec<Output> = list
            .map(|(number, value)| Output {
                path: path(number),
                value,
            })
            .collect();
        if rules.drop_missing_audio && media.audio_tracks == Some(0) {
            drop_missing_audio(&mut list, &mut changes);
        }
        if let Some(source) = media.displayed() {
            if rules.swap_for_portrait && source.1 > source.0 {
                swap_for_portrait(&mut list, &mut changes);
            }
            if rules.no_upscale {
                no_upscale(&mut list, source, &mut changes);
            }
        }
        *outputs = list.into_iter().map(|output| output.value).collect();
    }
    // A group of sound alone has nothing left to make.
    groups.retain(|group| {
        group
            .get("outputs")
            .and_then(Value::as_array)
            .is_none_or(|list| !list.is_empty())
    });
    changes
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

fn size(output: &Value) -> (Option<u64>, Option<u64>) {
    let member = |name: &str| {
        output
            .pointer(&format!("/videoDescription/{name}"))
            .and_then(Value::as_u64)
    };
    (member("width"), member("height"))
}

fn set_size(output: &mut Value, width: u64, height: u64) {
    if let Some(video) = output.get_mut("videoDescription").and_then(Value::as_object_mut) {
        video.insert("width".to_owned(), width.into());
        video.insert("height".to_owned(), height.into());
    }
}

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

/// Whether the picture, fitted into the output, would grow: bars around it are no enlargement.
fn grows(output: &Value, (width, height): (u32, u32)) -> bool {
    match size(output) {
        (Some(w), Some(h)) => w > u64::from(width) && h > u64::from(height),
        (Some(w), None) => w > u64::from(width),
        (None, Some(h)) => h > u64::from(height),
        (None, None) => false,
    }
}

fn area(output: &Value) -> u64 {
    let (width, height) = size(output);
    width.unwrap_or(1).saturating_mul(height.unwrap_or(1))
}

fn no_upscale(outputs: &mut Vec<Output>, source: (u32, u32), changes: &mut Vec<Change>) {
    let is_video = |output: &Output| output.value.get("videoDescription").is_some();
    let fits = |output: &Output| !is_video(output) || !grows(&output.value, source);
    if outputs.iter().all(fits) {
        return;
    }
    if outputs.iter().any(|output| is_video(output) && fits(output)) {
        outputs.retain(|output| {
            let stays = fits(output);
            if !stays {
                changed(changes, NO_UPSCALE, output.path.clone());
            }
            stays
        });
        return;
    }
    // All would grow: the smallest stays and takes the source's own size, made even as H.264 needs it.
    let smallest = outputs
        .iter()
        .filter(|output| is_video(output))
        .min_by_key(|output| area(&output.value));
    let Some(keep) = smallest.map(|output| output.path.clone()) else {
        return;
    };
    outputs.retain_mut(|output| {
        if !is_video(output) {
            return true;
        }
        if output.path != keep {
            changed(changes, NO_UPSCALE, output.path.clone());
            return false;
        }
        set_size(&mut output.value, even(source.0), even(source.1));
        changed(changes, NO_UPSCALE, format!("{}/videoDescription", output.path));
        true
    });
}

fn even(pixels: u32) -> u64 {
    u64::from((pixels & !1).max(2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn output(width: u32, height: u32) -> Value {
        json!({"videoDescription": {"width": width, "height": height}, "audioDescriptions": [{}]})
    }

    fn ladder() -> Value {
        json!({"outputGroups": [
            {"outputs": [output(640, 360), output(960, 540), output(1280, 720)]},
            {"outputs": [output(1280, 720)]}]})
    }

    fn media(width: u32, height: u32) -> Media {
        Media {
            width: Some(width),
            height: Some(height),
            audio_tracks: Some(1),
            ..Media::default()
        }
    }

    fn sizes(settings: &Value) -> Vec<Vec<(u64, u64)>> {
        let groups = settings["outputGroups"].as_array().unwrap();
        let one = |output: &Value| (size(output).0.unwrap(), size(output).1.unwrap());
        groups
            .iter()
            .map(|group| group["outputs"].as_array().unwrap().iter().map(one).collect())
            .collect()
    }

    fn run(media: &Media, rules: Rules) -> (Vec<Vec<(u64, u64)>>, Vec<String>) {
        let mut settings = ladder();
        let changes = apply(&mut settings, media, rules);
        let changes = changes
            .into_iter()
            .map(|change| format!("{} {}", change.rule, change.path))
            .collect();
        (sizes(&settings), changes)
    }

    #[test]
    fn a_source_that_fits_changes_nothing() {
        let (sizes, changes) = run(&media(1920, 1080), Rules::all());
        assert_eq!(
            sizes,
            [vec![(640, 360), (960, 540), (1280, 720)], vec![(1280, 720)]]
        );
        assert!(changes.is_empty());
    }

    #[test]
    fn larger_outputs_go_and_the_last_is_clamped() {
        let (sizes, changes) = run(&media(961, 541), Rules::all());
        assert_eq!(sizes, [vec![(640, 360), (960, 540)], vec![(960, 540)]]);
        assert_eq!(
            changes,
            [
                "no-upscale /outputGroups/0/outputs/2",
                "no-upscale /outputGroups/1/outputs/0/videoDescription"
            ]
        );
    }

    #[test]
    fn wide_pictures_keep_the_rendition_they_fill() {
        let (sizes, _) = run(&media(1280, 536), Rules::all());
        assert_eq!(sizes[0], [(640, 360), (960, 540), (1280, 720)]);
    }

    #[test]
    fn portrait_by_size_and_by_rotation() {
        let rotated = Media {
            rotation: Some(90),
            ..media(1920, 1080)
        };
        for source in [media(1080, 1920), rotated] {
            let (sizes, changes) = run(&source, Rules::all());
            assert_eq!(
                sizes,
                [vec![(360, 640), (540, 960), (720, 1280)], vec![(720, 1280)]]
            );
            assert!(
                changes
                    .iter()
                    .all(|change| change.starts_with("swap-for-portrait ")),
                "{changes:?}"
            );
        }
    }

    #[test]
    fn missing_audio_goes_and_audio_outputs_with_it() {
        let mut settings = json!({"outputGroups": [
            {"outputs": [output(640, 360), {"audioDescriptions": [{}]}]}, {"outputs": [{"audioDescriptions": [{}]}]}]});
        let source = Media {
            audio_tracks: Some(0),
            ..media(1920, 1080)
        };
        let changes = apply(&mut settings, &source, Rules::all());
        assert_eq!(
            settings,
            json!({"outputGroups": [{"outputs": [{"videoDescription": {"width": 640, "height": 360}}]}]})
        );
        assert_eq!(changes.len(), 3);
    }

    #[test]
    fn each_rule_can_be_turned_off() {
        let source = Media {
            audio_tracks: Some(0),
            ..media(180, 320)
        };
        for name in [DROP_MISSING_AUDIO, SWAP_FOR_PORTRAIT, NO_UPSCALE] {
            let (_, changes) = run(&source, Rules::without(name).unwrap());
            assert!(!changes.is_empty());
            assert!(
                changes.iter().all(|change| !change.starts_with(name)),
                "{name}: {changes:?}"
            );
        }
        assert!(Rules::without("no-such-rule").is_err());
    }

    proptest! {
        #[test]
        fn no_output_ever_grows(width in 2u32..4000, height in 2u32..4000) {
            let source = media(width, height);
            let (sizes, _) = run(&source, Rules::all());
            for group in &sizes {
                prop_assert!(!group.is_empty());
                for &(w, h) in group {
                    prop_assert!(w <= u64::from(width) || h <= u64::from(height));
                    prop_assert!(w % 2 == 0 && h % 2 == 0);
                }
            }
        }
    }
}
