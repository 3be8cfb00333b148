//! Replaces MediaConvert's system presets, whose contents are not public.
//!
//! Their names describe them: `System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz_3.5Mbps`. The stand-in has the container, codecs,
//! size, frame rate and bitrate of the name, and our own choice of everything else: VBR at that bitrate, or QVBR or CBR where the
//! name says so, closed GOPs of 2 s, and AAC-LC with 96 kbit/s. A name with a part that is not understood has no stand-in.

use serde_json::{Map, Value, json};

/// The stand-in of a system preset. `None`: the name is not that of one, or has a part that is not understood.
#[must_use]
pub fn stand_in(name: &str) -> Option<Value> {
    let mut found = Parts::default();
    let text = name.strip_prefix("System-")?;
    // `29_97fps` is a number with a decimal point.
    let text = text.replace("_97fps", ".97fps").replace("_976fps", ".976fps");
    for part in text.split('_') {
        found.read(part)?;
    }
    found.settings()
}

/// Whether a name is that of a system job template. Its stand-in is empty, so that a job that has all settings itself can be
/// made with it.
#[must_use]
pub fn is_system_template(name: &str) -> bool {
    let rest = name.strip_prefix("System-").unwrap_or_default();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    !rest.is_empty() && rest.chars().all(is_part)
}

#[derive(Debug, Default)]
struct Parts {
    container: Option<&'static str>,
    video: Option<&'static str>,
    audio: bool,
    he: bool,
    size: Option<(u32, u32)>,
    lines: Option<u32>,
    aspect: Option<(u32, u32)>,
    /// Frames per second as a fraction.
    rate: Option<(u32, u32)>,
    /// bit/s.
    bitrate: Option<u32>,
    /// The mode of rate control; VBR where the name has none.
    mode: Option<&'static str>,
    quality: Option<u32>,
}

impl Parts {
    fn read(&mut self, part: &str) -> Option<()> {
        match part {
            // Kinds of presets. `Sdr` is what a job without color settings makes.
            "Ott" | "Generic" | "Sd" | "Hd" | "Uhd" | "Sdr" | "Ts" => {}
            "Hls" => self.container = Some("M3U8"),
            "Dash" => self.container = Some("MPD"),
            "Cmaf" | "Cmfc" => self.container = Some("CMFC"),
            // A DASH preset has both words.
            "Mp4" => self.container = self.container.or(Some("MP4")),
            "Avc" => self.video = Some("H_264"),
            "Hevc" => self.video = Some("H_265"),
            "Aac" => self.audio = true,
            "He" => self.he = true,
            "Qvbr" => self.mode = Some("QVBR"),
            "Cbr" => self.mode = Some("CBR"),
            _ => self.number(part)?,
        }
        Some(())
    }

    fn number(&mut self, part: &str) -> Option<()> {
        if let Some(level) = part.strip_prefix("Vq") {
            self.quality = Some(level.parse().ok().filter(|level| (1..=10).contains(level))?);
        } else if let Some(rate) = part.strip_suffix("Hz").or_else(|| part.strip_suffix("fps")) {
            self.rate = Some(frame_rate(rate)?);
        } else if let Some(size) = part.strip_suffix('p') {
            match size.split_once('x') {
                Some((width, height)) => self.size = Some((side(width)?, side(height)?)),
                None => self.lines = Some(side(size)?),
            }
        } else if let Some((width, height)) = part.split_once('x') {
            self.aspect = Some((side(width)?, side(height)?));
        } else {
            self.bitrate = Some(bits(part)?);
        }
        Some(())
    }

    fn settings(&self) -> Option<Value> {
        let mut settings = Map::new();
        let container = self.container.unwrap_or("MP4");
        settings.insert("containerSettings".to_owned(), json!({ "container": container }));
        if let Some(codec) = self.video {
            settings.insert("videoDescription".to_owned(), self.picture(codec)?);
        }
        if self.audio {
            let bitrate = self.bitrate.filter(|_| self.video.is_none());
            settings.insert("audioDescriptions".to_owned(), json!([self.sound(bitrate)]));
        }
        (self.audio || self.video.is_some()).then_some(Value::Object(settings))
    }

    fn picture(&self, codec: &str) -> Option<Value> {
        let (width, height) = self.size.or_else(|| {
            let (lines, (width, height)) = (self.lines?, self.aspect?);
            Some(((lines * width).div_ceil(height).next_multiple_of(2), lines))
        })?;
        let member = if codec == "H_264" {
            "h264Settings"
        } else {
            "h265Settings"
        };
        let mut settings = json!({
            "gopSize": 2,
            "gopSizeUnits": "SECONDS",
            "framerateControl": "INITIALIZE_FROM_SOURCE",
            "parControl": "SPECIFIED",
            "parNumerator": 1,
            "parDenominator": 1,
        });
        let bitrate = self.bitrate?;
        let mode = self.mode.unwrap_or("VBR");
        settings["rateControlMode"] = mode.into();
        if mode == "QVBR" {
            settings["qvbrSettings"] = json!({ "qvbrQualityLevel": self.quality.unwrap_or(7) });
        } else {
            settings["bitrate"] = bitrate.into();
        }
        if mode != "CBR" {
            settings["maxBitrate"] = bitrate.into();
        }
        if let Some((numerator, denominator)) = self.rate {
            settings["framerateControl"] = "SPECIFIED".into();
            settings["framerateNumerator"] = numerator.into();
            settings["framerateDenominator"] = denominator.into();
        }
        Some(json!({
            "width": width,
            "height": height,
            "codecSettings": { "codec": codec, member: settings },
        }))
    }

    fn sound(&self, bitrate: Option<u32>) -> Value {
        json!({ "codecSettings": { "codec": "AAC", "aacSettings": {
            "bitrate": bitrate.unwrap_or(96_000),
            "codingMode": "CODING_MODE_2_0",
            "codecProfile": if self.he { "HEV1" } else { "LC" },
            "sampleRate": 48_000,
        }}})
    }
}

/// A side in pixels, or a part of an aspect ratio.
fn side(text: &str) -> Option<u32> {
    text.parse().ok().filter(|side| (1..=8192).contains(side))
}

fn frame_rate(text: &str) -> Option<(u32, u32)> {
    let known = [
        ("23.976", (24_000, 1001)),
        ("29.97", (30_000, 1001)),
        ("59.94", (60_000, 1001)),
    ];
    let known = known
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, rate)| *rate);
    known.or_else(|| Some((text.parse().ok().filter(|rate| (1..=240).contains(rate))?, 1)))
}

/// `3.5Mbps`, `5000kbps` or `96Kbps` in bit/s.
fn bits(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (number, unit) = match lower.strip_suffix("mbps") {
        Some(number) => (number, 1_000_000),
        None => (lower.strip_suffix("kbps")?, 1_000),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths: u32 = format!("{fraction:0<3}").parse().ok()?;
    let bits = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(unit)?
        .checked_add(thousandths * (unit / 1000))?;
    (1_000..=1_152_000_000).contains(&bits).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate;

    /// Name, container, size, numerator of the frame rate, maximum of video and bitrate of audio in bit/s.
    type Row = (
        &'static str,
        &'static str,
        Option<(u64, u64)>,
        Option<u64>,
        Option<u64>,
        Option<u64>,
    );

    const REAL: &[Row] = &[
        (
            "System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz_3.5Mbps",
            "M3U8",
            Some((1280, 720)),
            Some(30),
            Some(3_500_000),
            Some(96_000),
        ),
        (
            "System-Ott_Hls_Ts_Avc_Aac_16x9_1920x1080p_8.5Mbps",
            "M3U8",
            Some((1920, 1080)),
            None,
            Some(8_500_000),
            Some(96_000),
        ),
        (
            "System-Avc_16x9_720p_29_97fps_5000kbps",
            "MP4",
            Some((1280, 720)),
            Some(30_000),
            Some(5_000_000),
            None,
        ),
        (
            "System-Avc_4x3_480p_29_97fps_600kbps",
            "MP4",
            Some((640, 480)),
            Some(30_000),
            Some(600_000),
            None,
        ),
        (
            "System-Ott_Dash_Mp4_Aac_He_96Kbps",
            "MPD",
            None,
            None,
            None,
            Some(96_000),
        ),
        (
            "System-Ott_Dash_Mp4_Avc_16x9_640x360p_30Hz_1.2Mbps",
            "MPD",
            Some((640, 360)),
            Some(30),
            Some(1_200_000),
            None,
        ),
        (
            "System-Ott_Cmaf_Cmfc_Avc_16x9_Sdr_1280x720p_30Hz_4Mbps_Qvbr_Vq8",
            "CMFC",
            Some((1280, 720)),
            Some(30),
            Some(4_000_000),
            None,
        ),
        (
            "System-Ott_Cmaf_Cmfc_Avc_16x9_Sdr_1920x1080p_30Hz_10Mbps_Cbr",
            "CMFC",
            Some((1920, 1080)),
            Some(30),
            None,
            None,
        ),
        (
            "System-Generic_Sd_Mp4_Avc_Aac_16x9_Sdr_640x360p_30Hz_0.8Mbps_Qvbr_Vq7",
            "MP4",
            Some((640, 360)),
            Some(30),
            Some(800_000),
            Some(96_000),
        ),
        (
            "System-Generic_Hd_Mp4_Avc_Aac_16x9_1920x1080p_24Hz_6Mbps",
            "MP4",
            Some((1920, 1080)),
            Some(24),
            Some(6_000_000),
            Some(96_000),
        ),
        (
            "System-Generic_Uhd_Mp4_Hevc_Aac_16x9_3840x2160p_24Hz_8Mbps",
            "MP4",
            Some((3840, 2160)),
            Some(24),
            Some(8_000_000),
            Some(96_000),
        ),
    ];

    #[test]
    fn names_of_real_presets() {
        for &(name, container, size, rate, video, audio) in REAL {
            let settings = stand_in(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!(settings["containerSettings"]["container"], container, "{name}");
            let picture = &settings["videoDescription"];
            let side = |name: &str| picture[name].as_u64().unwrap();
            assert_eq!(
                size,
                picture.is_object().then(|| (side("width"), side("height"))),
                "{name}"
            );
            let codecs = &picture["codecSettings"];
            let codec = if codecs["h264Settings"].is_null() {
                "h265Settings"
            } else {
                "h264Settings"
            };
            assert_eq!(codecs[codec]["framerateNumerator"].as_u64(), rate, "{name}");
            assert_eq!(codecs[codec]["maxBitrate"].as_u64(), video, "{name}");
            let sound = &settings["audioDescriptions"][0]["codecSettings"]["aacSettings"];
            assert_eq!(sound["bitrate"].as_u64(), audio, "{name}");
            assert_eq!(validate::preset(&settings), [], "{name}");
        }
    }

    #[test]
    fn names_of_templates() {
        for (name, expected) in [
            ("System-Ott_Hls_Ts_Avc_Aac", true),
            ("System-", false),
            ("film", false),
            ("System-a b", false),
        ] {
            assert_eq!(is_system_template(name), expected, "{name}");
        }
    }

    #[test]
    fn names_that_are_not_understood() {
        for name in [
            "hd",
            "System-",
            "System-Ott_Hls_Ts",
            "System-Broadcast_Xdcam_Mxf_Mpeg2_Wav_16x9_1280x720p_50Hz_35Mbps",
            "System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz",
            "System-Ott_Hls_Ts_Avc_Aac_16x9_0x720p_30Hz_3.5Mbps",
            "System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz_99999999Mbps",
            "System-Ott_Hls_Ts_Avc_Aac_16x9_1280x720p_30Hz_3.55555Mbps",
        ] {
            assert_eq!(stand_in(name), None, "{name}");
        }
    }
}
