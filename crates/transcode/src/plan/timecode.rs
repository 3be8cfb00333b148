//! Timecodes of outputs, and their burn-in.

use mediaconvert_job::model::{TimecodeBurnin, TimecodeConfig, VideoDescription};

use crate::plan::clips::{self, Clip};
use crate::plan::{Refusal, h264::decimal};
use crate::probe::{MediaInfo, Ratio};

/// The number of the first frame of an output with this rate.
pub(crate) fn first_frame(
    config: &TimecodeConfig,
    source: &MediaInfo,
    clips: &[Clip],
    rate: Ratio,
) -> Result<u64, Refusal> {
    match (config.source.as_deref(), &config.start, &source.timecode) {
        (Some("ZEROBASED"), ..) => Ok(0),
        (Some("SPECIFIEDSTART"), Some(start), _) => clips::frames(start, rate, "/timecodeConfig/start"),
        (Some("SPECIFIEDSTART"), None, _) => Err(Refusal::setting(
            "/timecodeConfig",
            "start is a required property",
        )),
        (_, _, Some(embedded)) => {
            let own = clips::rate(source);
            let first =
                clips::frames(embedded, own, "/inputs/0")? + clips.first().map_or(0, |clip| clip.first);
            let (num, den) = (
                u128::from(first) * u128::from(rate.num) * u128::from(own.den),
                u128::from(rate.den) * u128::from(own.num),
            );
            Ok(u64::try_from(num / den.max(1)).unwrap_or(0))
        }
        _ => Ok(0),
    }
}

/// The timecode of a frame by its number. With dropped numbers, it follows the clock at 29.97 and 59.94 frames per second.
pub(crate) fn text(frame: u64, rate: Ratio, drop: bool) -> String {
    let per_second = u64::from(rate.num.div_ceil(rate.den.max(1))).max(1);
    let mut frame = frame;
    if drop {
        let dropped = per_second / 15;
        let (ten, minute) = (per_second * 600 - dropped * 9, per_second * 60 - dropped);
        let (tens, rest) = (frame / ten, frame % ten);
        // The first minute of ten drops none.
        frame += dropped * 9 * tens + dropped * (rest.saturating_sub(dropped) / minute);
    }
    let seconds = frame / per_second;
    format!(
        "{:02}:{:02}:{:02}{}{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
        if drop { ';' } else { ':' },
        frame % per_second
    )
}

/// The filter that draws timecodes from the number `first` on. `path` is that of the burn-in.
pub(crate) fn burn_in(
    settings: &TimecodeBurnin,
    video: &VideoDescription,
    first: u64,
    rate: Ratio,
    path: &str,
) -> Result<String, Refusal> {
    let drops = rate.den == 1001 && matches!(rate.num, 30_000 | 60_000);
    let drop = drops && video.drop_frame_timecode.as_deref() != Some("DISABLED");
    let prefix = settings.prefix.as_deref().unwrap_or_default();
    if !prefix.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        let path = format!("{path}/prefix");
        return Err(Refusal::setting(
            path,
            "only the characters from 0x20 to 0x7E are possible",
        ));
    }
    let position = settings.position.as_deref().unwrap_or("TOP_CENTER");
    let (row, column) = position.split_once('_').unwrap_or(("TOP", "CENTER"));
    // A twentieth of the side away from the edge, as titles are.
    let place = |at: &str, length: &str, own: &str| match at {
        "TOP" | "LEFT" => format!("{length}/20"),
        "MIDDLE" | "CENTER" => format!("({length}-{own})/2"),
        _ => format!("{length}*19/20-{own}"),
    };
    let size = decimal(f64::from(settings.font_size.unwrap_or(10)));
    Ok(format!(
        "drawtext=font=DejaVu Sans Mono:expansion=none:text={}:timecode={}:timecode_rate={rate}:fontsize={size}:\
         fontcolor=white:box=1:boxcolor=black@0.6:x={}:y={}",
        escaped(prefix),
        escaped(&text(first, rate, drop)),
        place(column, "w", "tw"),
        place(row, "h", "th"),
    ))
}

/// A text as the value of an option in a filter graph, which two parsers read, one after the other
/// (<https://ffmpeg.org/ffmpeg-filters.html#Notes-on-filtergraph-escaping>).
fn escaped(text: &str) -> String {
    let escape = |text: &str, special: &str| -> String {
        let mut escaped = String::new();
        for letter in text.chars() {
            if special.contains(letter) {
                escaped.push('\\');
            }
            escaped.push(letter);
        }
        escaped
    };
    // A space at the beginning or the end would be cut off.
    escape(&escape(text, "\\': "), "\\'[],;")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NTSC: Ratio = Ratio {
        num: 30_000,
        den: 1001,
    };

    #[test]
    fn numbers_become_timecodes() {
        for (frame, rate, drop, expected) in [
            (0, Ratio { num: 25, den: 1 }, false, "00:00:00:00"),
            (90_030, Ratio { num: 25, den: 1 }, false, "01:00:01:05"),
            (1800, NTSC, true, "00:01:00;02"),
            (1799, NTSC, true, "00:00:59;29"),
            (17_982, NTSC, true, "00:10:00;00"),
            (107_892, NTSC, true, "01:00:00;00"),
            (1800, NTSC, false, "00:01:00:00"),
        ] {
            assert_eq!(text(frame, rate, drop), expected, "{frame}");
        }
    }

    #[test]
    fn text_is_escaped_twice() {
        assert_eq!(escaped("a:b"), r"a\\:b");
        assert_eq!(escaped(r"'\,"), r"\\\'\\\\\,");
    }

    proptest! {
        #[test]
        fn timecodes_are_read_back(frame in 0_u64..2_589_408, drop: bool) {
            let text = text(frame, NTSC, drop);
            prop_assert_eq!(clips::frames(&text, NTSC, "").expect("is a timecode"), frame);
        }
    }
}
