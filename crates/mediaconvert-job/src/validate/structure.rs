//! Members that are required, and members that belong together. The tables name the source of each rule.

use serde_json::Value;

use super::places::{Output, Place, places};
use super::{Document, Finding, Violation, not_among, required};
use crate::group::GroupType;

mod special;
mod table;

use self::table::{
    CAPTIONS, CODECS, Codecs, DEPENDENCIES, Dependency, GROUP, GROUP_DEPENDENCIES, INPUT, OUTPUT, Required,
    When,
};

const DEPENDENCY: &str = "Should match all dependencies: See other errors for more details";

/// Finds what is missing or does not fit together, dependencies first.
pub(super) fn check(settings: &Value, document: Document) -> Vec<Finding> {
    let outputs = document.outputs(settings);
    let mut found: Vec<Finding> = outputs.iter().flat_map(dependencies).collect();
    for group in places(settings, "", "outputGroups/*") {
        found.extend(in_dependencies(GROUP_DEPENDENCIES, |pattern| {
            places(group.value, &group.path, pattern)
        }));
    }
    let mut missing = Vec::new();
    match document {
        Document::Preset => missing.extend(empty_preset(settings)),
        Document::Job => job(settings, &mut missing),
        Document::Template => {}
    }
    groups(settings, document, &mut missing);
    for output in &outputs {
        missing.extend(output_members(output));
    }
    if document == Document::Job {
        missing.extend(only_captures(&outputs));
        missing.extend(special::of_job(settings, &outputs));
    }
    found.extend(missing.into_iter().map(|violation| vec![violation]));
    found
}

fn job(settings: &Value, missing: &mut Vec<Violation>) {
    for list in ["inputs", "outputGroups"] {
        if settings[list].as_array().is_none_or(Vec::is_empty) {
            missing.push(Violation::new("", required(list)));
        }
    }
    for input in places(settings, "", "inputs/*") {
        // A generator or an asset of another kind may replace the file.
        let file = ["fileInput", "videoGenerator", "tamsSettings"];
        if file.iter().all(|member| input.value[member].is_null()) {
            missing.push(Violation::new(input.path.as_str(), required("fileInput")));
        }
        missing.extend(in_table(INPUT, |pattern| {
            places(input.value, &input.path, pattern)
        }));
    }
}

fn groups(settings: &Value, document: Document, missing: &mut Vec<Violation>) {
    for group in places(settings, "", "outputGroups/*") {
        let settings = &group.value["outputGroupSettings"];
        let path = format!("{}/outputGroupSettings", group.path);
        match settings["type"].as_str().and_then(GroupType::named) {
            None => missing.push(Violation::new(path.as_str(), required("type"))),
            Some(GroupType { member, .. }) => {
                missing.extend(in_table(GROUP, |pattern| {
                    places(group.value, &group.path, pattern)
                }));
                if document == Document::Job && settings[*member]["destination"].is_null() {
                    missing.push(Violation::new(
                        format!("{path}/{member}"),
                        required("destination"),
                    ));
                }
            }
        }
        let outputs = group.value["outputs"].as_array().map_or(&[][..], Vec::as_slice);
        // https://github.com/aws-solutions/video-on-demand-on-aws/issues/1
        if outputs.is_empty() && group.value["automatedEncodingSettings"].is_null() {
            missing.push(Violation::new(
                format!("{}/outputs", group.path),
                "Should have at least 1 items",
            ));
        }
        // API reference, `Output.nameModifier`: "When you create multiple outputs in the same output group, Name modifier
        // is required." The text is ours.
        if outputs.len() > 1 {
            let outputs = places(group.value, &group.path, "outputs/*").into_iter();
            let nameless = outputs.filter(|output| output.value["nameModifier"].is_null());
            missing.extend(nameless.map(|output| Violation::new(output.path, required("nameModifier"))));
        }
    }
}

fn output_members(output: &Output<'_>) -> Vec<Violation> {
    let mut missing = in_table(OUTPUT, |pattern| output.places(pattern));
    if !output.is_preset {
        missing.extend(in_table(CAPTIONS, |pattern| output.places(pattern)));
    }
    let absent = |name: &str| output.value[name].as_array().is_none_or(Vec::is_empty);
    let nothing = output.value["videoDescription"].is_null()
        && absent("audioDescriptions")
        && absent("captionDescriptions");
    if nothing && !output.is_preset {
        missing.push(Violation::new(output.path.as_str(), required("videoDescription")));
    }
    let container = &output.value["containerSettings"]["container"];
    let allowed = output.group.map_or(&[][..], |group| group.containers);
    if !allowed.is_empty() && container.as_str().is_some_and(|name| !allowed.contains(&name)) {
        missing.push(Violation::new(
            format!("{}/containerSettings/container", output.path),
            not_among(allowed.iter().copied()),
        ));
    }
    missing.extend(odd_sizes(output));
    missing.extend(special::of_output(output));
    missing
}

/// Logged jobs: `…/videoDescription/position/x: Should be a multiple of 2`, the same for crop and width.
fn odd_sizes(output: &Output<'_>) -> Vec<Violation> {
    let sides = [
        "videoDescription/width",
        "videoDescription/height",
        "videoDescription/crop/*",
        "videoDescription/position/*",
    ];
    let sides = sides.iter().flat_map(|side| output.places(side));
    let odd = sides.filter(|side| side.value.as_i64().is_some_and(|pixels| pixels % 2 != 0));
    odd.map(|side| Violation::new(side.path, "Should be a multiple of 2"))
        .collect()
}

/// The violations of a table of required members, in its order.
fn in_table<'a>(table: &[Required], find: impl Fn(&str) -> Vec<Place<'a>>) -> Vec<Violation> {
    let mut missing = Vec::new();
    for row in table {
        for place in find(row.at) {
            let applies = match row.when {
                When::Always => true,
                When::Is(member, value) => place.value[member] == value,
                When::IsNot(member, value) => place.value[member] != value,
            };
            if applies && place.value.is_object() && place.value[row.member].is_null() {
                missing.push(Violation::new(place.path, required(row.member)));
            }
        }
    }
    missing
}

/// Settings of another codec or destination than the one that is chosen, and values that need others.
fn dependencies(output: &Output<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = CODECS
        .iter()
        .flat_map(|codecs| other_codecs(output, codecs))
        .collect();
    found.extend(in_dependencies(DEPENDENCIES, |pattern| output.places(pattern)));
    found.extend(fonts(output));
    found
}

fn in_dependencies<'a>(table: &[Dependency], find: impl Fn(&str) -> Vec<Place<'a>>) -> Vec<Finding> {
    let mut found = Vec::new();
    for row in table {
        let ((member, value), (needed, wanted)) = (row.when, row.needs);
        for place in find(row.at) {
            let applies = match &place.value[member] {
                Value::String(text) => text == value,
                Value::Number(number) => number.to_string() == value,
                _ => false,
            };
            if applies && place.value[needed] != wanted {
                found.push(vec![
                    Violation::new(format!("{}/{member}", place.path), DEPENDENCY),
                    Violation::new(format!("{}/{needed}", place.path), format!("Must be {wanted}")),
                ]);
            }
        }
    }
    found
}

fn other_codecs(output: &Output<'_>, codecs: &Codecs) -> Vec<Finding> {
    let mut found = Vec::new();
    for place in output.places(codecs.at) {
        let Some(chosen) = place.value[codecs.choice].as_str() else {
            continue;
        };
        let given = codecs
            .members
            .iter()
            .filter(|(_, member)| !place.value[member].is_null());
        // Logged jobs: `…/codecSettings: Should have at most 2 properties`.
        if codecs.alone && given.clone().count() > 1 {
            found.push(vec![Violation::new(
                place.path,
                "Should have at most 2 properties",
            )]);
            continue;
        }
        for (name, member) in given.filter(|(name, _)| *name != chosen) {
            found.push(vec![
                Violation::new(format!("{}/{member}", place.path), DEPENDENCY),
                Violation::new(
                    format!("{}/{}", place.path, codecs.choice),
                    format!("Must be {name}"),
                ),
            ]);
        }
    }
    found
}

/// Logged jobs: all four fonts or none.
fn fonts(output: &Output<'_>) -> Option<Finding> {
    const FONTS: [&str; 4] = [
        "fontFileRegular",
        "fontFileBold",
        "fontFileItalic",
        "fontFileBoldItalic",
    ];
    const TEXT: &str = "You specified one or more custom font files in your output captions, but did not specify all \
        required types: regular, bold, italic, and bold italic. To resolve: Specify each required custom font file type, or \
        remove all custom font files. Then resubmit your job.";
    let burnt = output.places("captionDescriptions/*/destinationSettings/burninDestinationSettings");
    let given = |place: &Place<'_>| FONTS.iter().filter(|font| !place.value[font].is_null()).count();
    let place = burnt
        .into_iter()
        .find(|place| (1..FONTS.len()).contains(&given(place)))?;
    Some(vec![Violation::new(place.path, TEXT)])
}

/// <https://github.com/aws/aws-sdk-php/issues/1449>, of which the whole text is not public.
fn empty_preset(settings: &Value) -> Option<Violation> {
    let members = ["videoDescription", "audioDescriptions", "captionDescriptions"];
    let empty = |member: &&str| match &settings[*member] {
        Value::Array(items) => items.is_empty(),
        other => other.is_null(),
    };
    members
        .iter()
        .all(empty)
        .then(|| Violation::new("", required("videoDescription")))
}

/// User guide, "Creating frame capture outputs": a job needs another output. The text is ours.
fn only_captures(outputs: &[Output<'_>]) -> Option<Violation> {
    let is_capture =
        |output: &Output<'_>| output.value["videoDescription"]["codecSettings"]["codec"] == "FRAME_CAPTURE";
    let message = "A job with frame capture outputs needs at least one other output";
    (!outputs.is_empty() && outputs.iter().all(is_capture)).then(|| Violation::new("/outputGroups", message))
}

/// Logged jobs, at run time: `Duplicate output paths [s3://…] found in input job.`
pub(super) fn duplicates(settings: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    for group in places(settings, "", "outputGroups/*") {
        let outputs = places(group.value, &group.path, "outputs/*");
        let settings = places(group.value, "", "outputGroupSettings/*/destination");
        let destination = settings
            .first()
            .and_then(|place| place.value.as_str())
            .unwrap_or_default();
        for (index, output) in outputs.iter().enumerate() {
            let name = file_name(output.value);
            if outputs[..index]
                .iter()
                .any(|other| file_name(other.value) == name)
            {
                found.push(Violation::new(
                    format!("{}/nameModifier", output.path),
                    format!(
                        "Duplicate output paths [{destination}{}] found in input job.",
                        name.0
                    ),
                ));
            }
        }
    }
    found
}

/// The properties that distinguish the files of two outputs of a group: modifier, extension, container, the codec of a file without
/// one, and the size that a variable in the modifier may stand for.
fn file_name(output: &Value) -> (&str, &str, &str, &str, &Value) {
    let container = output["containerSettings"]["container"]
        .as_str()
        .unwrap_or_default();
    let codec = if container == "RAW" {
        let video = &output["videoDescription"]["codecSettings"]["codec"];
        let audio = &output["audioDescriptions"][0]["codecSettings"]["codec"];
        let captions = &output["captionDescriptions"][0]["destinationSettings"]["destinationType"];
        [video, audio, captions].iter().find_map(|codec| codec.as_str())
    } else {
        None
    };
    let modifier = output["nameModifier"].as_str().unwrap_or_default();
    let video = if modifier.contains('$') {
        &output["videoDescription"]
    } else {
        &Value::Null
    };
    (
        modifier,
        output["extension"].as_str().unwrap_or_default(),
        container,
        codec.unwrap_or_default(),
        video,
    )
}
