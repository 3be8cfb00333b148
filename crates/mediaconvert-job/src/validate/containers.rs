//! Codecs that a container can hold (user guide, "Supported codecs and containers",
//! <https://docs.aws.amazon.com/mediaconvert/latest/ug/reference-codecs-containers.html>). The texts are ours.

use super::places::Output;
use super::{Finding, Violation, not_among};

/// Codecs that the guide's tables know. Codecs that MediaConvert has learnt since are not judged.
const KNOWN_VIDEO: &[&str] = &["H_264", "H_265", "MPEG2", "PRORES", "VC3", "VP8", "VP9"];
const KNOWN_AUDIO: &[&str] = &["AAC", "AC3", "EAC3", "MP2", "MP3", "VORBIS"];

/// A container with its video codecs and audio codecs, of those that are known.
type Row = (&'static str, &'static [&'static str], &'static [&'static str]);

/// Containers that may hold anything, or whose table is not certain, are not here.
const TABLE: &[Row] = &[
    ("CMFC", &["H_264", "H_265"], &["AAC", "AC3", "EAC3"]),
    (
        "MPD",
        &["H_264", "H_265", "VP8", "VP9"],
        &["AAC", "AC3", "EAC3", "VORBIS"],
    ),
    ("M3U8", &["H_264", "H_265"], &["AAC", "AC3", "EAC3", "MP3"]),
    ("ISMV", &["H_264"], &["AAC"]),
    ("F4V", &["H_264"], &["AAC"]),
    (
        "M2TS",
        &["H_264", "H_265", "MPEG2"],
        &["AAC", "AC3", "EAC3", "MP2"],
    ),
    ("MP4", &["H_264", "H_265"], &["AAC", "AC3", "EAC3", "MP3"]),
    (
        "MOV",
        &["H_264", "H_265", "MPEG2", "PRORES"],
        &["AAC", "AC3", "EAC3", "MP3"],
    ),
    ("WEBM", &["VP8", "VP9"], &["VORBIS"]),
];

pub(super) fn check(output: &Output<'_>) -> Vec<Finding> {
    let container = output.value["containerSettings"]["container"].as_str();
    let mut found = Vec::new();
    if container.is_some_and(|name| name != "RAW") {
        found.extend(capture(output));
    }
    let Some((_, video, audio)) = TABLE.iter().find(|row| Some(row.0) == container) else {
        return found;
    };
    for (places, known, allowed) in [
        ("videoDescription/codecSettings/codec", KNOWN_VIDEO, video),
        ("audioDescriptions/*/codecSettings/codec", KNOWN_AUDIO, audio),
    ] {
        for place in output.places(places) {
            let codec = place.value.as_str().unwrap_or_default();
            if known.contains(&codec) && !allowed.contains(&codec) {
                let message = not_among(allowed.iter().copied());
                found.push(vec![Violation::new(place.path, message)]);
            }
        }
    }
    found
}

/// User guide, "Creating frame capture outputs": the container is "No container (RAW)".
fn capture(output: &Output<'_>) -> Option<Finding> {
    let codec = &output.value["videoDescription"]["codecSettings"]["codec"];
    let path = format!("{}/containerSettings/container", output.path);
    (codec == "FRAME_CAPTURE").then(|| vec![Violation::new(path, "Must be RAW")])
}
