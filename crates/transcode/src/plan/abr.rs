//! Automated ABR: a ladder of fixed sizes and rates in place of the one that `MediaConvert` finds by analysis.

use serde_json::{Value, json};

use crate::probe::{MediaInfo, VideoTrack};

/// Lines of the shorter side, and bits per second up to 30 pictures a second.
const LADDER: &[(u64, u64)] = &[
    (2160, 14_000_000),
    (1440, 8_000_000),
    (1080, 5_000_000),
    (720, 3_000_000),
    (540, 1_800_000),
    (432, 1_100_000),
    (360, 800_000),
    (270, 400_000),
    (234, 300_000),
];
/// Defaults of the API.
const MAX_BITRATE: u64 = 8_000_000;
const MIN_BITRATE: u64 = 600_000;
const MAX_RENDITIONS: u64 = 15;

/// A size, and the rate that is allowed for it in bit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rendition {
    width: u64,
    height: u64,
    rate: u64,
}

/// The settings with the video output of each group of automated ABR replaced by its renditions, and how many there are.
/// `None`: no group has it.
pub(super) fn expand(settings: &Value, source: &MediaInfo) -> Option<(Value, usize)> {
    let mut settings = settings.clone();
    let mut count = 0;
    let rotates = settings["inputs"][0]["videoSelector"]["rotate"] == "AUTO";
    for group in settings["outputGroups"].as_array_mut()? {
        let wanted = group["automatedEncodingSettings"]["abrSettings"].take();
        if wanted.is_null() {
            continue;
        }
        group.as_object_mut()?.remove("automatedEncodingSettings");
        let outputs = group["outputs"].as_array_mut()?;
        let base = outputs
            .iter()
            .position(|output| output["videoDescription"].is_object())?;
        let output = outputs.remove(base);
        let ladder = ladder(&wanted, &output, source.video.as_ref(), rotates);
        count += ladder.len();
        let made = (1..)
            .zip(&ladder)
            .map(|(number, rendition)| made(&output, number, *rendition));
        outputs.splice(base..base, made);
    }
    (count > 0).then_some((settings, count))
}

/// The base output at one size.
fn made(base: &Value, number: usize, rendition: Rendition) -> Value {
    let mut output = base.clone();
    let modifier = base["nameModifier"].as_str().unwrap_or_default();
    output["nameModifier"] = json!(format!("{modifier}_{number}"));
    let video = &mut output["videoDescription"];
    video["width"] = json!(rendition.width);
    video["height"] = json!(rendition.height);
    let codec = match video["codecSettings"]["codec"].as_str() {
        Some("H_265") => "h265Settings",
        _ => "h264Settings",
    };
    let codec = &mut video["codecSettings"][codec];
    if !codec.is_object() {
        *codec = json!({});
    }
    codec["rateControlMode"] = json!("QVBR");
    codec["maxBitrate"] = json!(rendition.rate);
    for member in ["bitrate", "hrdBufferSize", "codecLevel"] {
        codec.as_object_mut().map(|codec| codec.remove(member));
    }
    output
}

/// Renditions from the largest to the smallest.
fn ladder(wanted: &Value, output: &Value, track: Option<&VideoTrack>, rotates: bool) -> Vec<Rendition> {
    let number = |name: &str, absent: u64| wanted[name].as_u64().unwrap_or(absent);
    let (least, most) = (
        number("minAbrBitrate", MIN_BITRATE),
        number("maxAbrBitrate", MAX_BITRATE),
    );
    let source = track.map_or((1920, 1080), |track| shown(track, rotates));
    let limit = |side: &str, own: u64| {
        output["videoDescription"][side]
            .as_u64()
            .map_or(own, |max| own.min(max))
    };
    let largest = fitted(source, (limit("width", source.0), limit("height", source.1)));
    let faster = track.is_some_and(|track| track.frame_rate.as_f64() > 31.0);
    let rate = |lines: u64| {
        let step = LADDER.iter().find(|step| step.0 <= lines).or(LADDER.last());
        let rate = step.map_or(MIN_BITRATE, |step| step.1);
        if faster { rate * 3 / 2 } else { rate }
    };
    let of_size = |(width, height): (u64, u64)| Rendition {
        width,
        height,
        rate: rate(width.min(height)).clamp(least, most),
    };
    let sizes = rule_sizes(wanted, "ALLOWED_RENDITIONS", "allowedRenditions");
    let mut made: Vec<Rendition> = if sizes.is_empty() {
        let steps = LADDER.iter().map(|step| step.0);
        let mut lines: Vec<u64> = steps.filter(|lines| *lines < largest.0.min(largest.1)).collect();
        lines.insert(0, largest.0.min(largest.1));
        lines
            .into_iter()
            .map(|lines| of_size(with_lines(largest, lines)))
            .collect()
    } else {
        let fits = |size: &(u64, u64)| size.0 <= largest.0.max(2) && size.1 <= largest.1.max(2);
        sizes.into_iter().filter(fits).map(of_size).collect()
    };
    let forced = rule_sizes(wanted, "FORCE_INCLUDE_RENDITIONS", "forceIncludeRenditions");
    let bottom = rule_sizes(wanted, "MIN_BOTTOM_RENDITION_SIZE", "minBottomRenditionSize");
    if let Some(bottom) = bottom.first() {
        made.retain(|rendition| rendition.width >= bottom.0 || rendition.height >= bottom.1);
    }
    // Several sizes at one rate add nothing: the largest stays at the top, and the first at the bottom.
    made.dedup_by(|later, earlier| later.rate == earlier.rate);
    if made.is_empty() {
        made.push(of_size(largest));
    }
    let most = usize::try_from(number("maxRenditions", MAX_RENDITIONS))
        .unwrap_or(1)
        .max(1);
    let room = most.saturating_sub(forced.len()).max(1);
    thin_out(&mut made, room);
    made.extend(forced.into_iter().map(of_size));
    made.sort_by_key(|rendition| std::cmp::Reverse((rendition.width * rendition.height, rendition.rate)));
    made.dedup_by_key(|rendition| (rendition.width, rendition.height));
    made
}

/// Keeps the first, the last and evenly spaced ones between them.
fn thin_out(made: &mut Vec<Rendition>, room: usize) {
    if made.len() <= room {
        return;
    }
    let last = made.len() - 1;
    let kept = |index: usize| if room == 1 { 0 } else { index * last / (room - 1) };
    *made = (0..room).map(|index| made[kept(index)]).collect();
}

/// The sizes of the rules of one kind.
fn rule_sizes(wanted: &Value, kind: &str, member: &str) -> Vec<(u64, u64)> {
    let rules = wanted["rules"].as_array().into_iter().flatten();
    let size = |value: &Value| Some((value["width"].as_u64()?, value["height"].as_u64()?));
    rules
        .filter(|rule| rule["type"] == kind)
        .flat_map(|rule| match &rule[member] {
            Value::Array(items) => items.iter().filter_map(size).collect(),
            one => size(one).into_iter().collect::<Vec<_>>(),
        })
        .collect()
}

/// Width and height as a viewer sees them, in square pixels.
fn shown(track: &VideoTrack, rotates: bool) -> (u64, u64) {
    let pixel = track.sample_aspect;
    let width = u64::from(track.width) * u64::from(pixel.num) / u64::from(pixel.den.max(1));
    let (width, height) = (width.max(2), u64::from(track.height).max(2));
    if rotates && track.rotation % 180 == 90 {
        (height, width)
    } else {
        (width, height)
    }
}

/// The largest even size of this shape within bounds.
fn fitted((width, height): (u64, u64), (most_width, most_height): (u64, u64)) -> (u64, u64) {
    let by_height = width * most_height / height;
    if by_height <= most_width {
        (even(by_height), even(most_height))
    } else {
        (even(most_width), even(height * most_width / width))
    }
}

/// The size of this shape whose shorter side has so many lines.
fn with_lines((width, height): (u64, u64), lines: u64) -> (u64, u64) {
    let short = width.min(height).max(1);
    (even(width * lines / short), even(height * lines / short))
}

fn even(pixels: u64) -> u64 {
    (pixels / 2 * 2).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Ratio, parse};

    fn source(width: u32, height: u32, rate: &str) -> MediaInfo {
        parse(
            &json!({"format": {"duration": "10"}, "streams": [{"index": 0, "codec_type": "video", "codec_name": "h264",
            "width": width, "height": height, "pix_fmt": "yuv420p", "r_frame_rate": rate, "avg_frame_rate": rate}]}),
        )
    }

    fn heights(abr: &Value, source: &MediaInfo) -> Vec<(u64, u64)> {
        let settings = json!({"inputs": [{}], "outputGroups": [{"automatedEncodingSettings": {"abrSettings": abr},
            "outputs": [{"nameModifier": "v", "videoDescription": {"codecSettings": {"codec": "H_264", "h264Settings": {}}}},
                {"nameModifier": "a", "audioDescriptions": [{}]}]}]});
        let (made, count) = expand(&settings, source).expect("is expanded");
        let outputs = made["outputGroups"][0]["outputs"].as_array().expect("is a list");
        assert_eq!(outputs.len(), count + 1);
        assert!(made["outputGroups"][0]["automatedEncodingSettings"].is_null());
        assert_eq!(outputs[0]["nameModifier"], "v_1");
        let video = |output: &Value| {
            let height = output["videoDescription"]["height"]
                .as_u64()
                .expect("has a height");
            let rate = &output["videoDescription"]["codecSettings"]["h264Settings"]["maxBitrate"];
            (height, rate.as_u64().expect("has a rate"))
        };
        outputs[..count].iter().map(video).collect()
    }

    #[test]
    fn renditions_follow_the_source_and_the_rules() {
        let full = source(1920, 1080, "30/1");
        let of = |abr: Value| heights(&abr, &full);
        assert_eq!(
            of(json!({})),
            [
                (1080, 5_000_000),
                (720, 3_000_000),
                (540, 1_800_000),
                (432, 1_100_000),
                (360, 800_000),
                (270, 600_000)
            ]
        );
        assert_eq!(
            of(json!({"maxRenditions": 3})),
            [(1080, 5_000_000), (540, 1_800_000), (270, 600_000)]
        );
        let rates = json!({"maxAbrBitrate": 2_000_000, "minAbrBitrate": 1_000_000});
        assert_eq!(
            of(rates),
            [
                (1080, 2_000_000),
                (540, 1_800_000),
                (432, 1_100_000),
                (360, 1_000_000)
            ]
        );
        let size = |height: u64| json!({"width": height * 16 / 9, "height": height});
        let rules = json!({"rules": [{"type": "MIN_BOTTOM_RENDITION_SIZE", "minBottomRenditionSize": size(540)},
            {"type": "FORCE_INCLUDE_RENDITIONS", "forceIncludeRenditions": [size(360)]}]});
        let found: Vec<u64> = of(rules).into_iter().map(|(height, _)| height).collect();
        assert_eq!(found, [1080, 720, 540, 360]);
        let allowed = json!({"rules": [{"type": "ALLOWED_RENDITIONS", "allowedRenditions": [size(720), size(360), size(2160)]}]});
        let found: Vec<u64> = of(allowed).into_iter().map(|(height, _)| height).collect();
        assert_eq!(found, [720, 360]);
    }

    #[test]
    fn small_upright_and_fast_sources() {
        let small = heights(&json!({}), &source(320, 180, "25/1"));
        assert_eq!(small, [(180, 600_000)]);
        let upright = heights(&json!({"maxRenditions": 3}), &source(1080, 1920, "60/1"));
        assert_eq!(upright[0], (1920, 7_500_000));
        let mut wide = source(720, 576, "25/1");
        if let Some(video) = &mut wide.video {
            video.sample_aspect = Ratio { num: 64, den: 45 };
        }
        assert_eq!(heights(&json!({}), &wide)[0].0, 576);
    }

    #[test]
    fn settings_without_automated_abr_stay() {
        let settings = json!({"inputs": [{}], "outputGroups": [{"outputs": [{}]}]});
        assert!(expand(&settings, &source(320, 180, "25/1")).is_none());
    }
}
