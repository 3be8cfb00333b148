//! Rules between settings. Sources: the API reference ("Required when …") and messages of real jobs.

use serde_json::Value;

use crate::group::GroupType;
use crate::validate::Violation;

/// Bit rates that AAC can have at all, in bits per second (API reference, `AacSettings.bitrate`).
const AAC_BITRATES: [i64; 32] = [
    6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 20_000, 24_000, 28_000, 32_000, 40_000, 48_000, 56_000,
    64_000, 80_000, 96_000, 112_000, 128_000, 160_000, 192_000, 224_000, 256_000, 288_000, 320_000, 384_000,
    448_000, 512_000, 576_000, 640_000, 768_000, 896_000, 1_024_000,
];

/// Video codecs with the settings that belong to each.
const VIDEO_CODECS: [(&str, &str); 13] = [
    ("AV1", "av1Settings"),
    ("AVC_INTRA", "avcIntraSettings"),
    ("FRAME_CAPTURE", "frameCaptureSettings"),
    ("GIF", "gifSettings"),
    ("H_264", "h264Settings"),
    ("H_265", "h265Settings"),
    ("MPEG2", "mpeg2Settings"),
    ("PRORES", "proresSettings"),
    ("UNCOMPRESSED", "uncompressedSettings"),
    ("VC3", "vc3Settings"),
    ("VP8", "vp8Settings"),
    ("VP9", "vp9Settings"),
    ("XAVC", "xavcSettings"),
];

/// Checks settings that have passed the schema.
pub(super) fn check(settings: &Value) -> Vec<Violation> {
    let mut violations = Violations(Vec::new());
    let inputs = items(&settings["inputs"]);
    if inputs.is_empty() {
        violations.add("", "inputs is a required property");
    }
    for (index, input) in inputs.iter().enumerate() {
        violations.input(input, &format!("/inputs/{index}"));
    }
    let groups = items(&settings["outputGroups"]);
    if groups.is_empty() {
        violations.add("", "outputGroups is a required property");
    }
    for (index, group) in groups.iter().enumerate() {
        violations.group(group, &format!("/outputGroups/{index}"));
    }
    let mut outputs = groups
        .iter()
        .flat_map(|group| items(&group["outputs"]))
        .peekable();
    if outputs.peek().is_some() && outputs.all(is_capture) {
        violations.add(
            "/outputGroups",
            "A job with frame capture outputs needs at least one other output",
        );
    }
    violations.0
}

struct Violations(Vec<Violation>);

impl Violations {
    fn add(&mut self, path: &str, message: impl Into<String>) {
        self.0
            .push(Violation::new(if path.is_empty() { "/" } else { path }, message));
    }

    fn require(&mut self, value: &Value, name: &str, path: &str) {
        if value[name].is_null() {
            self.add(path, format!("{name} is a required property"));
        }
    }

    fn input(&mut self, input: &Value, path: &str) {
        match input["fileInput"].as_str() {
            Some(url)
                if ["s3://", "http://", "https://"]
                    .iter()
                    .any(|scheme| url.starts_with(scheme)) => {}
            Some(_) => self.add(
                &format!("{path}/fileInput"),
                "Should match the pattern of an S3 or HTTP URL",
            ),
            // A generator or an asset of another kind may replace the file.
            None if input["videoGenerator"].is_null() && input["tamsSettings"].is_null() => {
                self.add(path, "fileInput is a required property");
            }
            None => {}
        }
    }

    fn group(&mut self, group: &Value, path: &str) {
        let settings = &group["outputGroupSettings"];
        let settings_path = format!("{path}/outputGroupSettings");
        let known = settings["type"].as_str().and_then(GroupType::named);
        let containers = known.map_or(&[][..], |group| group.containers);
        match known {
            None => self.add(&settings_path, "type is a required property"),
            Some(GroupType { member, .. }) => {
                self.destination(&settings[*member], &format!("{settings_path}/{member}"));
            }
        }
        let outputs = items(&group["outputs"]);
        if outputs.is_empty() && group["automatedEncodingSettings"].is_null() {
            self.add(path, "outputs is a required property");
        }
        for (index, output) in outputs.iter().enumerate() {
            let path = format!("{path}/outputs/{index}");
            self.name_modifier(outputs, index, &path);
            self.output(output, containers, &path);
        }
    }

    fn destination(&mut self, settings: &Value, path: &str) {
        match settings["destination"].as_str() {
            None => self.add(path, "destination is a required property"),
            Some(url) if url.starts_with("s3://") => {}
            Some(_) => self.add(
                &format!("{path}/destination"),
                r"Should match pattern ^s3:\/\/.*$",
            ),
        }
    }

    /// Required, and different, where a group has several outputs.
    fn name_modifier(&mut self, outputs: &[Value], index: usize, path: &str) {
        if outputs.len() < 2 {
            return;
        }
        let modifier = &outputs[index]["nameModifier"];
        let same = |other: &Value| {
            other["nameModifier"] == *modifier && other["extension"] == outputs[index]["extension"]
        };
        if modifier.is_null() {
            self.add(path, "nameModifier is a required property");
        } else if outputs[..index].iter().any(same) {
            self.add(
                &format!("{path}/nameModifier"),
                "Should be unique in its output group",
            );
        }
    }

    fn output(&mut self, output: &Value, containers: &[&str], path: &str) {
        // A preset brings its own settings, which only the account knows.
        if !output["preset"].is_null() {
            return;
        }
        let container = &output["containerSettings"]["container"];
        if container.is_null() {
            self.add(
                &format!("{path}/containerSettings"),
                "container is a required property",
            );
        } else if !containers.is_empty() && !containers.iter().any(|allowed| container == allowed) {
            let allowed: Vec<String> = containers.iter().map(|name| format!("\"{name}\"")).collect();
            let message = format!(
                "Should be equal to one of the allowed values in [{}]",
                allowed.join(",")
            );
            self.add(&format!("{path}/containerSettings/container"), message);
        }
        let video = &output["videoDescription"];
        let audio = items(&output["audioDescriptions"]);
        if video.is_null() && audio.is_empty() && items(&output["captionDescriptions"]).is_empty() {
            self.add(path, "videoDescription is a required property");
        }
        if video.is_object() {
            self.video(video, &format!("{path}/videoDescription"));
        }
        for (index, description) in audio.iter().enumerate() {
            self.audio(description, &format!("{path}/audioDescriptions/{index}"));
        }
    }

    fn video(&mut self, video: &Value, path: &str) {
        for side in ["width", "height"] {
            if video[side].as_i64().is_some_and(|pixels| pixels % 2 != 0) {
                self.add(&format!("{path}/{side}"), "Should be a multiple of 2");
            }
        }
        for (rectangle, side) in [("crop", "x"), ("crop", "y"), ("position", "x"), ("position", "y")] {
            if video[rectangle][side]
                .as_i64()
                .is_some_and(|pixels| pixels % 2 != 0)
            {
                self.add(&format!("{path}/{rectangle}/{side}"), "Should be a multiple of 2");
            }
        }
        let codecs = &video["codecSettings"];
        let path = format!("{path}/codecSettings");
        let Some(codec) = codecs["codec"].as_str() else {
            return self.add(&path, "codec is a required property");
        };
        for (name, member) in VIDEO_CODECS {
            if name != codec && !codecs[member].is_null() {
                let message = "Should match all dependencies: See other errors for more details";
                self.add(&format!("{path}/{member}"), message);
                self.add(&format!("{path}/codec"), format!("Must be {name}"));
            } else if name == codec && codecs[member].is_null() {
                self.add(&path, format!("{member} is a required property"));
            }
        }
        if let ("H_264", settings @ Value::Object(_)) = (codec, &codecs["h264Settings"]) {
            self.h264(settings, &format!("{path}/h264Settings"));
        }
    }

    fn h264(&mut self, settings: &Value, path: &str) {
        let (bitrate, max_bitrate) = (settings["bitrate"].as_i64(), settings["maxBitrate"].as_i64());
        let mode = settings["rateControlMode"].as_str();
        let clash = match mode {
            Some("QVBR") => {
                self.require(settings, "maxBitrate", path);
                bitrate.is_some()
            }
            Some("CBR") => {
                self.require(settings, "bitrate", path);
                max_bitrate.is_some()
            }
            _ => {
                self.require(settings, "bitrate", path);
                max_bitrate
                    .zip(bitrate)
                    .is_some_and(|(greatest, average)| greatest < average)
            }
        };
        if clash {
            self.add(
                path,
                "Your job contains values for the following settings that are incompatible: Rate control mode, \
                 Bitrate, and Max bitrate.",
            );
        }
        if mode != Some("QVBR") && settings["qvbrSettings"].is_object() {
            self.add(&format!("{path}/rateControlMode"), "Must be QVBR");
        }
        for (control, members) in [
            ("framerateControl", ["framerateNumerator", "framerateDenominator"]),
            ("parControl", ["parNumerator", "parDenominator"]),
        ] {
            if settings[control] == "SPECIFIED" {
                for member in members {
                    self.require(settings, member, path);
                }
            }
        }
    }

    fn audio(&mut self, description: &Value, path: &str) {
        let codecs = &description["codecSettings"];
        let path = format!("{path}/codecSettings");
        match codecs["codec"].as_str() {
            None => self.add(&path, "codec is a required property"),
            Some("AAC") if codecs["aacSettings"].is_null() => {
                self.add(&path, "aacSettings is a required property");
            }
            Some("AAC") => self.aac(&codecs["aacSettings"], &format!("{path}/aacSettings")),
            Some(_) => {}
        }
    }

    fn aac(&mut self, settings: &Value, path: &str) {
        for member in ["codingMode", "sampleRate"] {
            self.require(settings, member, path);
        }
        if settings["rateControlMode"] == "VBR" {
            return;
        }
        self.require(settings, "bitrate", path);
        let profile = settings["codecProfile"].as_str().unwrap_or("LC");
        let (Some(bitrate), Some(rate), Some(mode)) = (
            settings["bitrate"].as_i64(),
            settings["sampleRate"].as_i64(),
            settings["codingMode"].as_str(),
        ) else {
            return;
        };
        let Some((least, greatest)) = aac_range(profile, mode, rate) else {
            return;
        };
        if !(least..=greatest).contains(&bitrate) || !AAC_BITRATES.contains(&bitrate) {
            self.add(
                &format!("{path}/bitrate"),
                format!(
                    "You specified a value for Bitrate that is not valid with the combination of Profile {profile}, \
                     Coding mode {mode}, and Sample rate {rate} you selected. Specify a bitrate in the range of \
                     {least}-{greatest}"
                ),
            );
        }
    }
}

/// Least and greatest bit rate of AAC-LC.
///
/// The greatest is the codec's own: 6144 bits in a frame of 1024 samples, for each channel. The least is known
/// for the usual case only; for others the smallest rate of all is taken, so that nothing valid is refused.
fn aac_range(profile: &str, mode: &str, sample_rate: i64) -> Option<(i64, i64)> {
    let channels = match (profile, mode) {
        ("LC", "CODING_MODE_1_0" | "AD_RECEIVER_MIX") => 1,
        ("LC", "CODING_MODE_1_1" | "CODING_MODE_2_0") => 2,
        ("LC", "CODING_MODE_5_1") => 5,
        _ => return None,
    };
    let least = if (mode, sample_rate) == ("CODING_MODE_2_0", 48_000) {
        64_000
    } else {
        AAC_BITRATES[0]
    };
    Some((least, 6 * sample_rate * channels))
}

fn is_capture(output: &Value) -> bool {
    output["videoDescription"]["codecSettings"]["codec"] == "FRAME_CAPTURE"
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
