//! Rules that no table can say: they compare several settings, or several outputs. The texts are ours behind AWS's path, where
//! none is public.

use serde_json::Value;

use crate::validate::Violation;
use crate::validate::places::{Output, Place, places};

/// Caption formats that are files of their own.
const SIDECARS: &[&str] = &["IMSC", "SCC", "SMI", "SRT", "TTML", "WEBVTT"];

/// User guide, "Maximum resolutions by codec": the longer and the shorter side, and whether a picture may stand upright.
const LARGEST: &[(&str, i64, i64, bool)] = &[
    ("AV1", 4096, 2160, false),
    ("GIF", 3840, 3840, true),
    ("H_264", 4096, 2160, true),
    ("H_265", 8192, 4320, true),
    ("MPEG2", 1920, 1152, true),
    ("PRORES", 4096, 4096, true),
    ("VC3", 1920, 1080, true),
    ("VP8", 4096, 2160, true),
    ("VP9", 4096, 2160, true),
];

pub(super) fn of_output(output: &Output<'_>) -> Vec<Violation> {
    let codecs = output.places("videoDescription/codecSettings/*");
    let mut found: Vec<Violation> = codecs.iter().flat_map(frame_rate).collect();
    found.extend(active_format(output));
    found.extend(too_large(output));
    found.extend(layers(&output.places(
        "videoDescription/videoPreprocessors/imageInserter/insertableImages/*",
    )));
    found
}

pub(super) fn of_job(settings: &Value, outputs: &[Output<'_>]) -> Vec<Violation> {
    let mut found: Vec<Violation> = places(settings, "", "inputs/*")
        .iter()
        .flat_map(|input| {
            layers(&places(
                input.value,
                &input.path,
                "imageInserter/insertableImages/*",
            ))
        })
        .collect();
    found.extend(lonely_captions(outputs));
    for group in places(settings, "", "outputGroups/*") {
        found.extend(automated(&group));
    }
    found
}

/// API reference, `slowPal`: "You must also set Framerate to 25." `telecine`: for an output that is interlaced.
/// `qvbrSettings.maxAverageBitrate`: "only when Rate control mode is QVBR and Quality tuning level is Multi-pass HQ".
fn frame_rate(codec: &Place<'_>) -> Vec<Violation> {
    let settings = codec.value;
    let mut found = Vec::new();
    let mut refuse = |member: &str, message: &str| {
        found.push(Violation::new(format!("{}/{member}", codec.path), message));
    };
    let part = |name: &str, absent: i64| settings[name].as_i64().unwrap_or(absent);
    let is_25 = settings["framerateControl"] == "SPECIFIED"
        && part("framerateNumerator", 0) == 25 * part("framerateDenominator", 1);
    if settings["slowPal"] == "ENABLED" && !is_25 {
        refuse("slowPal", "You must also set Framerate to 25");
    }
    let is_progressive = settings["interlaceMode"].as_str().unwrap_or("PROGRESSIVE") == "PROGRESSIVE";
    if settings["telecine"] == "HARD" && is_progressive {
        refuse("telecine", "Hard telecine needs an interlaced output");
    }
    let limited = !settings["qvbrSettings"]["maxAverageBitrate"].is_null();
    if limited && (settings["rateControlMode"] != "QVBR" || settings["qualityTuningLevel"] != "MULTI_PASS_HQ")
    {
        let message = "Needs rateControlMode QVBR and qualityTuningLevel MULTI_PASS_HQ";
        refuse("qvbrSettings/maxAverageBitrate", message);
    }
    found
}

/// API reference, `respondToAfd`: "Do not choose this when `AfdSignaling` is set to NONE."
fn active_format(output: &Output<'_>) -> Option<Violation> {
    let video = &output.value["videoDescription"];
    let is_off = video["afdSignaling"].as_str().unwrap_or("NONE") == "NONE";
    (video["respondToAfd"] == "PASSTHROUGH" && is_off).then(|| {
        Violation::new(
            format!("{}/videoDescription/respondToAfd", output.path),
            "PASSTHROUGH needs another afdSignaling than NONE",
        )
    })
}

fn too_large(output: &Output<'_>) -> Option<Violation> {
    let video = &output.value["videoDescription"];
    let codec = video["codecSettings"]["codec"].as_str()?;
    let (_, long, short, turns) = LARGEST.iter().find(|row| row.0 == codec)?;
    let side = |name: &str| video[name].as_i64().unwrap_or(0);
    let is_upright = *turns && side("height") > side("width");
    let most = if is_upright { (short, long) } else { (long, short) };
    let (name, most) = [("width", *most.0), ("height", *most.1)]
        .into_iter()
        .find(|(name, most)| side(name) > *most)?;
    Some(Violation::new(
        format!("{}/videoDescription/{name}", output.path),
        format!("Should be less than or equal to {most}"),
    ))
}

/// User guide, "Image inserter": each image has a layer of its own.
fn layers(images: &[Place<'_>]) -> Vec<Violation> {
    let twice = images.iter().enumerate().filter(|(index, image)| {
        let layer = &image.value["layer"];
        !layer.is_null()
            && images[..*index]
                .iter()
                .any(|other| other.value["layer"] == *layer)
    });
    twice
        .map(|(_, image)| Violation::new(format!("{}/layer", image.path), "Should be unique"))
        .collect()
}

/// User guide, "Captions": a job with sidecar captions needs an output with video.
fn lonely_captions(outputs: &[Output<'_>]) -> Option<Violation> {
    if outputs
        .iter()
        .any(|output| !output.value["videoDescription"].is_null())
    {
        return None;
    }
    let sidecar = outputs
        .iter()
        .flat_map(|output| output.places("captionDescriptions/*/destinationSettings/destinationType"))
        .find(|place| place.value.as_str().is_some_and(|name| SIDECARS.contains(&name)))?;
    let message = "A job with sidecar captions needs at least one output with video";
    Some(Violation::new(sidecar.path, message))
}

/// User guide, "Automated ABR: rules and restrictions".
fn automated(group: &Place<'_>) -> Vec<Violation> {
    let settings = &group.value["automatedEncodingSettings"]["abrSettings"];
    if settings.is_null() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let videos: Vec<Place<'_>> = places(group.value, &group.path, "outputs/*")
        .into_iter()
        .filter(|output| !output.value["videoDescription"].is_null())
        .collect();
    if let Some(second) = videos.get(1) {
        let message = "An output group with automated ABR has one output with video";
        found.push(Violation::new(
            format!("{}/videoDescription", second.path),
            message,
        ));
    }
    for video in &videos {
        let codec = &video.value["videoDescription"]["codecSettings"]["codec"];
        if codec != "H_264" && codec != "H_265" {
            let path = format!("{}/videoDescription/codecSettings/codec", video.path);
            let allowed = ["H_264", "H_265"].into_iter();
            found.push(Violation::new(path, crate::validate::not_among(allowed)));
        }
    }
    let path = format!("{}/automatedEncodingSettings/abrSettings", group.path);
    found.extend(rules(settings, &path));
    found
}

/// API reference, `AutomatedAbrRule`: each kind needs its sizes, and allowed renditions exclude forced ones.
fn rules(settings: &Value, path: &str) -> Vec<Violation> {
    const NEEDS: &[(&str, &str)] = &[
        ("ALLOWED_RENDITIONS", "allowedRenditions"),
        ("FORCE_INCLUDE_RENDITIONS", "forceIncludeRenditions"),
        ("MIN_BOTTOM_RENDITION_SIZE", "minBottomRenditionSize"),
        ("MIN_TOP_RENDITION_SIZE", "minTopRenditionSize"),
    ];
    let mut found = Vec::new();
    let rules = places(settings, path, "rules/*");
    for rule in &rules {
        let needed = NEEDS.iter().find(|(kind, _)| rule.value["type"] == *kind);
        let empty = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if let Some((_, member)) = needed.filter(|(_, member)| empty(&rule.value[*member])) {
            found.push(Violation::new(rule.path.as_str(), super::required(member)));
        }
        let count = rule.value["forceIncludeRenditions"]
            .as_array()
            .map_or(0, Vec::len);
        let most = settings["maxRenditions"].as_u64().unwrap_or(15);
        if u64::try_from(count).is_ok_and(|count| count > most) {
            let path = format!("{}/forceIncludeRenditions", rule.path);
            found.push(Violation::new(path, format!("Should have at most {most} items")));
        }
    }
    let has = |kind: &str| rules.iter().any(|rule| rule.value["type"] == kind);
    if has("ALLOWED_RENDITIONS") && has("FORCE_INCLUDE_RENDITIONS") {
        let message = "ALLOWED_RENDITIONS and FORCE_INCLUDE_RENDITIONS exclude each other";
        found.push(Violation::new(format!("{path}/rules"), message));
    }
    found
}
