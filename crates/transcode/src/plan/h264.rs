//! H.264 settings as libx264's options.

use mediaconvert_job::model::EncoderSettings;

use crate::plan::Refusal;
use crate::plan::interlace::is_interlaced;
use crate::plan::streaming::Cuts;
use crate::probe::Ratio;

/// A video encode's options and where it can be cut.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Encoder {
    pub(crate) options: Vec<(&'static str, String)>,
    /// Seconds between cuts of a segmented output.
    pub(crate) segment_seconds: Option<f64>,
}

/// Seconds between keyframes where the job leaves it to us and nothing is segmented.
const AUTO_GOP_SECONDS: f64 = 2.0;

/// Options for one output. `path` is that of the settings; `cuts` are the group's, where it is segmented.
pub(crate) fn encoder(
    settings: &EncoderSettings,
    rate: Ratio,
    cuts: Option<Cuts>,
    path: &str,
) -> Result<Encoder, Refusal> {
    let preset = preset(settings.quality_tuning_level.as_deref());
    let (profile, pixels) = match settings.codec_profile.as_deref() {
        Some("BASELINE") => ("baseline", "yuv420p"),
        Some("HIGH") => ("high", "yuv420p"),
        Some("HIGH_10BIT") => ("high10", "yuv420p10le"),
        Some("HIGH_422") => ("high422", "yuv422p"),
        Some("HIGH_422_10BIT") => ("high422", "yuv422p10le"),
        _ => ("main", "yuv420p"),
    };
    let mut options: Vec<(&'static str, String)> = vec![
        ("c", "libx264".to_owned()),
        ("preset", preset.to_owned()),
        ("pix_fmt", pixels.to_owned()),
        // Captions embedded in the source are spread over its frames; dropped and repeated frames make noise of them.
        ("a53cc", "0".to_owned()),
    ];
    options.push(("profile", profile.to_owned()));
    if let Some(level) = settings.codec_level.as_deref().filter(|level| *level != "AUTO") {
        options.push(("level", level.trim_start_matches("LEVEL_").replace('_', ".")));
    }
    rate_control(settings, 23.0, path, &mut options)?;
    let mut own = Vec::new();
    if settings.rate_control_mode.as_deref() == Some("CBR") {
        // Constant at the receiver too: filler where the encoder needs less.
        own.push("nal-hrd=cbr");
    }
    // The matrices of the standard, which the profiles below High lack. There are none that are softer.
    if settings.softness.is_some_and(|softness| softness > 0) && profile.starts_with("high") {
        own.push("cqm=jvt");
    }
    if !own.is_empty() {
        options.push(("x264-params", own.join(":")));
    }
    if is_interlaced(settings) {
        options.push(("flags", "+ildct+ilme".to_owned()));
    }
    if let Some(weighted) = settings.explicit_weighted_prediction.as_deref() {
        let prediction = if weighted == "ENABLED" { "smart" } else { "none" };
        options.push(("weightp", prediction.to_owned()));
    }
    let cadence = Cadence::new(settings, rate, cuts);
    cadence.options(
        rate,
        settings.scene_change_detect.as_deref() != Some("DISABLED"),
        &mut options,
    );
    structure(settings, &mut options);
    Ok(Encoder {
        options,
        segment_seconds: cadence.segment_seconds,
    })
}

/// Tells the encoder which field comes first: it writes that before it sees a picture.
pub(crate) fn order_fields(options: &mut Vec<(&'static str, String)>, top: bool) {
    let order = if top { "tff=1" } else { "bff=1" };
    match options.iter_mut().find(|(name, _)| *name == "x264-params") {
        Some((_, own)) => own.extend([":", order]),
        None => options.push(("x264-params", order.to_owned())),
    }
}

/// x264's effort per picture. `MediaConvert`'s default level is `SINGLE_PASS_HQ`.
fn preset(level: Option<&str>) -> &'static str {
    match level {
        // Local work is for trying things out: about four times quicker than `medium`, at some 15 % more bits.
        Some("SINGLE_PASS") => "veryfast",
        Some("MULTI_PASS_HQ") => "slow",
        _ => "fast",
    }
}

/// Bit rate, or quality, and their limits. `quality` is the encoder's quality at level 7, "high quality" in AWS's words; one level
/// is one and a half of its steps.
pub(crate) fn rate_control(
    settings: &EncoderSettings,
    quality: f64,
    path: &str,
    options: &mut Vec<(&'static str, String)>,
) -> Result<(), Refusal> {
    let missing = |name: &str| Refusal::setting(path, format!("{name} is a required property"));
    let cap = match settings.rate_control_mode.as_deref() {
        Some("QVBR") => {
            let cap = settings.max_bitrate.ok_or_else(|| missing("maxBitrate"))?;
            let level = f64::from(settings.qvbr_settings.qvbr_quality_level.unwrap_or(7))
                + settings.qvbr_settings.qvbr_quality_level_fine_tune.unwrap_or(0.0);
            options.push(("crf", decimal(quality + (7.0 - level) * 1.5)));
            Some(cap)
        }
        Some("CBR") => {
            let bitrate = settings.bitrate.ok_or_else(|| missing("bitrate"))?;
            options.push(("b", bitrate.to_string()));
            Some(bitrate)
        }
        _ => {
            options.push((
                "b",
                settings.bitrate.ok_or_else(|| missing("bitrate"))?.to_string(),
            ));
            settings.max_bitrate
        }
    };
    let Some(cap) = cap else { return Ok(()) };
    // Without a buffer size the encoder would ignore the cap.
    let buffer = settings.hrd_buffer_size.unwrap_or(cap * 2);
    options.push(("maxrate", cap.to_string()));
    options.push(("bufsize", buffer.to_string()));
    if let Some(percent) = settings.hrd_buffer_initial_fill_percentage {
        options.push((
            "rc_init_occupancy",
            (buffer * u64::from(percent) / 100).to_string(),
        ));
    }
    Ok(())
}

/// Keyframe positions: the same times in every rendition, independent of the content.
#[derive(Debug, PartialEq)]
pub(crate) struct Cadence {
    /// Longest distance of two keyframes in seconds.
    gop: f64,
    /// Exact segments that are no multiple of the GOP: the count starts again with each segment.
    restart: Option<f64>,
    pub(crate) segment_seconds: Option<f64>,
}

impl Cadence {
    pub(crate) fn new(settings: &EncoderSettings, rate: Ratio, cuts: Option<Cuts>) -> Self {
        let segment = cuts.map(|cuts| cuts.length);
        let auto = || {
            segment.map_or(AUTO_GOP_SECONDS, |segment| {
                segment / (segment / AUTO_GOP_SECONDS).ceil()
            })
        };
        let gop = match (settings.gop_size_units.as_deref(), settings.gop_size) {
            (Some("AUTO"), _) | (_, None) => auto(),
            (Some("SECONDS"), Some(seconds)) => seconds,
            (_, Some(frames)) => frames / rate.as_f64(),
        };
        let gop = if gop > 0.0 { gop } else { auto() };
        let gops_per_segment = segment.map(|segment| (segment / gop - 1e-6).ceil().max(1.0));
        let whole = |segment: f64, gops: f64| (gops * gop - segment).abs() < 1e-3;
        match (segment, gops_per_segment) {
            (Some(_), Some(gops)) if cuts.is_some_and(|cuts| cuts.gop_multiple) => Self {
                gop,
                restart: None,
                segment_seconds: Some(gops * gop),
            },
            (Some(segment), Some(gops)) if !whole(segment, gops) => Self {
                gop,
                restart: Some(segment),
                segment_seconds: Some(segment),
            },
            _ => Self {
                gop,
                restart: None,
                segment_seconds: segment,
            },
        }
    }

    fn options(&self, rate: Ratio, scene_cuts: bool, options: &mut Vec<(&'static str, String)>) {
        self.force(options);
        // The encoder itself never starts a GOP: its own limit is out of reach, and `keyint_min` above the
        // distance of forced keyframes makes a scene cut an I-picture inside the GOP.
        let frames = self.frames(rate);
        options.push(("g", decimal(frames * 2.0)));
        options.push(("keyint_min", decimal(frames)));
        options.push(("sc_threshold", if scene_cuts { "40" } else { "0" }.to_owned()));
    }

    /// More pictures than there are between two keyframes.
    pub(crate) fn frames(&self, rate: Ratio) -> f64 {
        (self.gop * rate.as_f64()).ceil() + 1.0
    }

    /// Keyframes at their times.
    pub(crate) fn force(&self, options: &mut Vec<(&'static str, String)>) {
        let due = match self.restart {
            None => format!("n_forced*{}", precise(self.gop)),
            Some(segment) => {
                let gops = (segment / self.gop - 1e-6).ceil().max(1.0);
                let (gop, segment) = (precise(self.gop), precise(segment));
                format!("floor(n_forced/{gops})*{segment}+mod(n_forced,{gops})*{gop}")
            }
        };
        // A margin for sums of binary fractions, and no more: the muxer cuts at the first keyframe that is not before the
        // end of a segment, so that a keyframe half a millisecond early would make a segment a whole GOP too long.
        options.push(("force_key_frames", format!("expr:gte(t+0.000001,{due})")));
    }
}

fn structure(settings: &EncoderSettings, options: &mut Vec<(&'static str, String)>) {
    if let Some(count) = settings.b_frames {
        options.push(("bf", count.to_string()));
    }
    if let Some(count) = settings.number_reference_frames {
        options.push(("refs", count.to_string()));
    }
    if let Some(count) = settings.slices {
        options.push(("slices", count.to_string()));
    }
    let mut choice = |option, setting: Option<&String>, values: &[(&str, &str)]| {
        let found = setting.and_then(|setting| values.iter().find(|(name, _)| name == setting));
        if let Some((_, value)) = found {
            options.push((option, (*value).to_owned()));
        }
    };
    choice(
        "coder",
        settings.entropy_encoding.as_ref(),
        &[("CABAC", "cabac"), ("CAVLC", "cavlc")],
    );
    choice(
        "b-pyramid",
        settings.gop_b_reference.as_ref(),
        &[("ENABLED", "normal"), ("DISABLED", "none")],
    );
    choice(
        "b_strategy",
        settings.dynamic_sub_gop.as_ref(),
        &[("ADAPTIVE", "1"), ("STATIC", "0")],
    );
    choice(
        "aq-mode",
        settings.adaptive_quantization.as_ref(),
        &[("OFF", "0")],
    );
    let strengths = [
        ("LOW", "0.5"),
        ("MEDIUM", "0.8"),
        ("HIGH", "1.0"),
        ("HIGHER", "1.3"),
        ("MAX", "1.6"),
    ];
    choice("aq-strength", settings.adaptive_quantization.as_ref(), &strengths);
}

/// At most six decimals, without trailing zeros.
pub(crate) fn decimal(value: f64) -> String {
    trimmed(&format!("{value:.6}"))
}

/// Six decimals, rounded down: a cut that is due a fraction of a microsecond late would miss its keyframe.
pub(crate) fn cut(seconds: f64) -> String {
    decimal((seconds * 1e6 + 1e-3).floor() / 1e6)
}

/// Twelve decimals: an error in the seventh would be a picture after some minutes.
fn precise(seconds: f64) -> String {
    trimmed(&format!("{seconds:.12}"))
}

fn trimmed(text: &str) -> String {
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const THIRTY: Ratio = Ratio { num: 30, den: 1 };

    fn gop(size: impl Into<Option<f64>>, units: &str) -> EncoderSettings {
        EncoderSettings {
            bitrate: Some(1_000_000),
            gop_size: size.into(),
            gop_size_units: Some(units.to_owned()),
            ..EncoderSettings::default()
        }
    }

    fn segments(length: u32, control: &str) -> Cuts {
        Cuts::new(Some(length), Some(control), 10)
    }

    #[test]
    fn keyframes_are_where_segments_start() {
        for (settings, cuts, due, seconds) in [
            (
                gop(2.0, "SECONDS"),
                Some(segments(6, "EXACT")),
                "n_forced*2",
                Some(6.0),
            ),
            (gop(2.0, "SECONDS"), None, "n_forced*2", None),
            (
                gop(90.0, "FRAMES"),
                Some(segments(6, "EXACT")),
                "n_forced*3",
                Some(6.0),
            ),
            (
                gop(None, "AUTO"),
                Some(segments(5, "EXACT")),
                "n_forced*1.666666666667",
                Some(5.0),
            ),
            (
                gop(4.0, "SECONDS"),
                Some(segments(6, "EXACT")),
                "floor(n_forced/2)*6+mod(n_forced,2)*4",
                Some(6.0),
            ),
            (
                gop(4.0, "SECONDS"),
                Some(segments(6, "GOP_MULTIPLE")),
                "n_forced*4",
                Some(8.0),
            ),
            (
                gop(8.0, "SECONDS"),
                Some(segments(6, "EXACT")),
                "floor(n_forced/1)*6+mod(n_forced,1)*8",
                Some(6.0),
            ),
        ] {
            let encoder = encoder(&settings, THIRTY, cuts, "").expect("is planned");
            let forced = encoder
                .options
                .iter()
                .find(|(name, _)| *name == "force_key_frames")
                .map(|(_, value)| value);
            assert_eq!(
                forced,
                Some(&format!("expr:gte(t+0.000001,{due})")),
                "{settings:?} {cuts:?}"
            );
            assert_eq!(encoder.segment_seconds, seconds, "{settings:?} {cuts:?}");
        }
    }

    #[test]
    fn a_rate_that_is_missing_is_named() {
        let settings = EncoderSettings {
            rate_control_mode: Some("QVBR".to_owned()),
            ..EncoderSettings::default()
        };
        let refusal = encoder(&settings, THIRTY, None, "/x").expect_err("is refused");
        assert_eq!(refusal.to_string(), "/x: maxBitrate is a required property");
    }
}
