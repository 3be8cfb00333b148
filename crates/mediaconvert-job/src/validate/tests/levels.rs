//! Limits of codec levels.

use serde_json::json;

use super::{H264, VIDEO, good, message};
use crate::validate::settings;

/// The message for an H.264 output with this level, profile, size and bitrate in bit/s.
fn h264(level: &str, profile: &str, size: (Option<u32>, Option<u32>), bitrate: u32, rate: bool) -> String {
    let mut document = good();
    let video = document.pointer_mut(VIDEO).expect("exists");
    video["width"] = json!(size.0);
    video["height"] = json!(size.1);
    let mut settings_of =
        json!({"codecLevel": level, "codecProfile": profile, "rateControlMode": "CBR", "bitrate": bitrate});
    if rate {
        settings_of["framerateControl"] = json!("SPECIFIED");
        settings_of["framerateNumerator"] = json!(30_000);
        settings_of["framerateDenominator"] = json!(1001);
    }
    video["codecSettings"]["h264Settings"] = settings_of;
    message(&settings(&document))
}

fn at_most(path: &str, most: u32) -> String {
    format!("{path}: Should be less than or equal to {most}")
}

/// Width, height and the greatest width. All but the last are logged jobs.
#[test]
fn limits_of_levels() {
    let width = format!("{VIDEO}/width");
    for (level, size, expected) in [
        ("LEVEL_3", (Some(1920), None), at_most(&width, 1808)),
        ("LEVEL_3", (Some(1280), Some(720)), at_most(&width, 576)),
        ("LEVEL_3", (Some(1024), Some(576)), at_most(&width, 720)),
        ("LEVEL_3", (Some(960), Some(540)), at_most(&width, 752)),
        ("LEVEL_3_1", (Some(1920), Some(1080)), at_most(&width, 832)),
        ("LEVEL_3_2", (Some(1920), Some(1080)), at_most(&width, 1200)),
        (
            "LEVEL_1",
            (None, Some(720)),
            at_most(&format!("{VIDEO}/height"), 448),
        ),
        ("AUTO", (Some(4096), Some(2160)), String::new()),
    ] {
        assert_eq!(
            h264(level, "MAIN", size, 60_000, false),
            expected,
            "{level} {size:?}"
        );
    }
}

#[test]
fn rates_of_levels() {
    let bitrate = format!("{H264}/bitrate");
    let (small, ntsc) = ((Some(640), Some(360)), (Some(720), Some(480)));
    for (level, profile, rate, expected) in [
        ("LEVEL_3", "MAIN", 12_000_001, at_most(&bitrate, 12_000_000)),
        ("LEVEL_3_1", "MAIN", 16_800_001, at_most(&bitrate, 16_800_000)),
        ("LEVEL_3", "HIGH", 15_000_000, String::new()),
        ("AUTO", "MAIN", 200_000_000, String::new()),
    ] {
        assert_eq!(
            h264(level, profile, small, rate, false),
            expected,
            "{level} {rate}"
        );
    }
    // 480 lines at 29.97 frames a second, as one logged job.
    let wide = h264("LEVEL_3", "MAIN", (Some(848), Some(480)), 60_000, true);
    assert_eq!(wide, at_most(&format!("{VIDEO}/width"), 720));
    assert_eq!(h264("LEVEL_3", "MAIN", ntsc, 60_000, true), "");
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
