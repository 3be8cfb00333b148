//! Limits of codec levels.

use serde_json::{Value, json};

use super::{H264, VIDEO, good, message};
use crate::validate::settings;

/// The first six are logged jobs.
#[test]
fn limits_of_levels() {
    let h264 = |level: &str, profile: &str| json!({"codecLevel": level, "codecProfile": profile, "rateControlMode": "CBR", "bitrate": 1_000_000});
    let at = |path: &str, most: u64| format!("{path}: Should be less than or equal to {most}");
    let (width, height) = (format!("{VIDEO}/width"), format!("{VIDEO}/height"));
    for (level, profile, size, more, expected) in [
        ("LEVEL_3", "MAIN", (Some(1920), None), json!({}), at(&width, 1808)),
        (
            "LEVEL_3",
            "MAIN",
            (Some(1280), Some(720)),
            json!({}),
            at(&width, 576),
        ),
        (
            "LEVEL_3",
            "MAIN",
            (Some(1024), Some(576)),
            json!({}),
            at(&width, 720),
        ),
        (
            "LEVEL_3",
            "MAIN",
            (Some(960), Some(540)),
            json!({}),
            at(&width, 752),
        ),
        (
            "LEVEL_3_1",
            "MAIN",
            (Some(1920), Some(1080)),
            json!({}),
            at(&width, 832),
        ),
        (
            "LEVEL_3_2",
            "MAIN",
            (Some(1920), Some(1080)),
            json!({}),
            at(&width, 1200),
        ),
        (
            "LEVEL_3",
            "MAIN",
            (Some(848), Some(480)),
            json!({"framerateControl": "SPECIFIED", "framerateNumerator": 30_000, "framerateDenominator": 1001}),
            at(&width, 720),
        ),
        (
            "LEVEL_3",
            "MAIN",
            (Some(720), Some(480)),
            json!({"framerateControl": "SPECIFIED", "framerateNumerator": 30_000, "framerateDenominator": 1001}),
            String::new(),
        ),
        (
            "LEVEL_3",
            "MAIN",
            (Some(640), Some(360)),
            json!({"bitrate": 12_000_001}),
            at(&format!("{H264}/bitrate"), 12_000_000),
        ),
        (
            "LEVEL_3_1",
            "MAIN",
            (Some(640), Some(360)),
            json!({"bitrate": 16_800_001}),
            at(&format!("{H264}/bitrate"), 16_800_000),
        ),
        (
            "LEVEL_3",
            "HIGH",
            (Some(640), Some(360)),
            json!({"bitrate": 15_000_000}),
            String::new(),
        ),
        ("LEVEL_1", "MAIN", (None, Some(720)), json!({}), at(&height, 448)),
        (
            "AUTO",
            "MAIN",
            (Some(4096), Some(2160)),
            json!({"bitrate": 200_000_000}),
            String::new(),
        ),
    ] {
        let mut document = good();
        let video = document.pointer_mut(VIDEO).expect("exists");
        video["width"] = json!(size.0);
        video["height"] = json!(size.1);
        let settings_of = &mut video["codecSettings"]["h264Settings"];
        settings_of["maxBitrate"] = Value::Null;
        for (name, value) in h264(level, profile)
            .as_object()
            .expect("is an object")
            .iter()
            .chain(more.as_object().expect("is an object"))
        {
            settings_of[name] = value.clone();
        }
        assert_eq!(
            message(&settings(&document)),
            expected,
            "{level} {profile} {size:?} {more}"
        );
    }
}

#[test]
fn limits_of_hevc_levels() {
    let hevc = format!("{VIDEO}/codecSettings/h265Settings");
    for (level, profile, width, bitrate, expected) in [
        ("LEVEL_4", "MAIN_MAIN", 1920, 13_200_000, String::new()),
        (
            "LEVEL_4",
            "MAIN_MAIN",
            1920,
            13_200_001,
            format!("{hevc}/maxBitrate: Should be less than or equal to 13200000"),
        ),
        ("LEVEL_4", "MAIN10_HIGH", 1920, 33_000_000, String::new()),
        (
            "LEVEL_3",
            "MAIN_MAIN",
            1280,
            1_000_000,
            format!("{VIDEO}/width: Should be less than or equal to 512"),
        ),
        ("AUTO", "MAIN_MAIN", 1920, 90_000_000, String::new()),
    ] {
        let mut document = good();
        let video = document.pointer_mut(VIDEO).expect("exists");
        video["width"] = json!(width);
        video["height"] = json!(1080);
        video["codecSettings"] = json!({"codec": "H_265", "h265Settings": {"codecLevel": level, "codecProfile": profile,
            "rateControlMode": "QVBR", "maxBitrate": bitrate}});
        assert_eq!(message(&settings(&document)), expected, "{level} {profile}");
    }
}
