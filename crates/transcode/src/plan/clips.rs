//! Input clippings: parts of an input by timecode, one after the other.

use mediaconvert_job::model::Input;
use serde::{Deserialize, Serialize};

use crate::plan::Refusal;
use crate::probe::{MediaInfo, Ratio};

/// `MediaConvert`'s error code for a clip that is not in the input.
const NOT_IN_INPUT: u32 = 1060;

/// A part of the input, in frames of the source's rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clip {
    pub(crate) first: u64,
    /// The frame after the last; absent: to the end of the input.
    pub(crate) end: Option<u64>,
}

/// The rate in which timecodes of audio alone count: hundredths of a second.
const AUDIO_RATE: Ratio = Ratio { num: 100, den: 1 };

/// The rate in which timecodes of an input count.
pub(crate) fn rate(source: &MediaInfo) -> Ratio {
    source.video.as_ref().map_or(AUDIO_RATE, |track| track.frame_rate)
}

/// The clips of an input, in their order; none if all of it is taken.
pub(crate) fn of(input: &Input, source: &MediaInfo) -> Result<Vec<Clip>, Refusal> {
    let rate = rate(source);
    if input.input_clippings.is_empty() {
        return Ok(Vec::new());
    }
    let base = first_frame(input, source)?;
    let total = milliseconds_to_frames(source.duration_ms, rate);
    let mut clips: Vec<Clip> = Vec::new();
    for (index, clipping) in input.input_clippings.iter().enumerate() {
        let path = format!("/inputs/0/inputClippings/{index}");
        let at = |text: Option<&String>, member: &str| {
            let path = format!("{path}/{member}");
            let Some(text) = text else { return Ok(None) };
            let frame = frames(text, rate, &path)?.checked_sub(base);
            frame
                .map(Some)
                .ok_or_else(|| outside(&path, "is before the first frame of the input"))
        };
        let first = at(clipping.start_timecode.as_ref(), "startTimecode")?;
        let last = at(clipping.end_timecode.as_ref(), "endTimecode")?;
        if first.is_none() && last.is_none() {
            return Err(Refusal::setting(path, "a clip needs a start or an end"));
        }
        let clip = Clip {
            first: first.unwrap_or(0),
            end: last.map(|last| last + 1),
        };
        // A probe may not know the length.
        if total > 0 && clip.first >= total {
            return Err(outside(&path, "begins after the end of the input"));
        }
        let before = clips.last().map(|before| before.end);
        let follows = before.is_none_or(|end| end.is_some_and(|end| end <= clip.first));
        if !follows || clip.end.is_some_and(|end| end <= clip.first) {
            return Err(Refusal::setting(
                path,
                "clips have to be in the order of the input, without overlap",
            ));
        }
        clips.push(clip);
    }
    Ok(clips)
}

/// The number that the timecode of the input's first frame stands for.
pub(crate) fn first_frame(input: &Input, source: &MediaInfo) -> Result<u64, Refusal> {
    let base = match input.timecode_source.as_deref() {
        Some("ZEROBASED") => None,
        Some("SPECIFIEDSTART") => input.timecode_start.as_deref(),
        _ => source.timecode.as_deref(),
    };
    base.map_or(Ok(0), |text| {
        frames(text, rate(source), "/inputs/0/timecodeStart")
    })
}

fn outside(path: &str, message: &str) -> Refusal {
    Refusal {
        code: NOT_IN_INPUT,
        path: path.to_owned(),
        message: message.to_owned(),
    }
}

/// Play time of clips in milliseconds.
pub(crate) fn duration_ms(clips: &[Clip], source: &MediaInfo) -> u64 {
    let rate = rate(source);
    let total = milliseconds_to_frames(source.duration_ms, rate);
    let lengths = clips.iter().map(|clip| {
        clip.end
            .map_or(total, |end| end.min(total))
            .saturating_sub(clip.first)
    });
    let frames: u128 = lengths.map(u128::from).sum();
    let milliseconds = frames * 1000 * u128::from(rate.den) / u128::from(rate.num).max(1);
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}

fn milliseconds_to_frames(milliseconds: u64, rate: Ratio) -> u64 {
    let frames = u128::from(milliseconds) * u128::from(rate.num) / (u128::from(rate.den).max(1) * 1000);
    u64::try_from(frames).unwrap_or(u64::MAX)
}

/// Starts and ends of the clips in the input, in milliseconds.
pub(crate) fn spans(clips: &[Clip], source: &MediaInfo) -> Vec<(u64, u64)> {
    let rate = rate(source);
    let at = |frames: u64| {
        let milliseconds = u128::from(frames) * 1000 * u128::from(rate.den) / u128::from(rate.num).max(1);
        u64::try_from(milliseconds).unwrap_or(u64::MAX)
    };
    let span = |clip: &Clip| {
        (
            at(clip.first),
            clip.end.map_or(source.duration_ms, at).min(source.duration_ms),
        )
    };
    clips.iter().map(span).collect()
}

/// Filters on pictures that are evenly spaced.
pub(crate) fn picture_filters(clips: &[Clip], rate: Ratio) -> Vec<String> {
    let Some(last) = clips.last() else {
        return Vec::new();
    };
    let ranges: Vec<String> = clips
        .iter()
        .map(|clip| match clip.end {
            Some(end) => format!("between(n\\,{}\\,{})", clip.first, end - 1),
            None => format!("gte(n\\,{})", clip.first),
        })
        .collect();
    // What comes after the last clip is not decoded.
    let mut filters: Vec<String> = last
        .end
        .iter()
        .map(|end| format!("trim=end_frame={end}"))
        .collect();
    filters.push(format!("select={}", ranges.join("+")));
    filters.push(format!("setpts=N/({rate})/TB"));
    filters
}

/// Filters on audio, with labels that begin with `name`.
pub(crate) fn audio_filters(clips: &[Clip], rate: Ratio, name: &str) -> String {
    let cut = |clip: &Clip| {
        let at = |frame: u64| seconds(frame, rate);
        let end = clip.end.map_or(String::new(), |end| format!(":end={}", at(end)));
        format!("atrim=start={}{end},asetpts=PTS-STARTPTS", at(clip.first))
    };
    match clips {
        [] => "anull".to_owned(),
        [clip] => cut(clip),
        clips => {
            let label = |kind: char, index: usize| format!("[{name}{kind}{index}]");
            let all = |kind: char| {
                (0..clips.len())
                    .map(|index| label(kind, index))
                    .collect::<String>()
            };
            let cuts = clips.iter().enumerate();
            let cuts: Vec<String> = cuts
                .map(|(index, clip)| format!("{}{}{};", label('s', index), cut(clip), label('t', index)))
                .collect();
            let cuts = cuts.concat();
            let count = clips.len();
            format!(
                "asplit={count}{};{cuts}{}concat=n={count}:v=0:a=1",
                all('s'),
                all('t')
            )
        }
    }
}

fn seconds(frame: u64, rate: Ratio) -> String {
    format!("{:.9}", at(frame, rate))
}

/// The instant of a frame in seconds.
#[expect(clippy::cast_precision_loss, reason = "frame counts are far below 2^52")]
pub(crate) fn at(frame: u64, rate: Ratio) -> f64 {
    frame as f64 / rate.as_f64()
}

/// The number of a frame from its timecode, `HH:MM:SS:FF` or, with dropped frames, `HH:MM:SS;FF`.
pub(crate) fn frames(text: &str, rate: Ratio, path: &str) -> Result<u64, Refusal> {
    let refuse = || Refusal::setting(path, format!("`{text}` is no timecode of the form HH:MM:SS:FF"));
    // Newer patterns allow a rate behind the timecode.
    let plain = text.split('@').next().unwrap_or(text);
    let numbers: Option<Vec<u64>> = plain.split([':', ';']).map(|part| part.parse().ok()).collect();
    let [hours, minutes, seconds, frame] = numbers.ok_or_else(refuse)?[..] else {
        return Err(refuse());
    };
    let per_second = u64::from(rate.num.div_ceil(rate.den.max(1)));
    if hours > 99 || minutes > 59 || seconds > 59 || frame >= per_second {
        return Err(refuse());
    }
    let minute = hours * 60 + minutes;
    let count = (minute * 60 + seconds) * per_second + frame;
    // Two numbers (of 60, four) are left out at each minute except every tenth (SMPTE ST 12-1).
    let dropped = if plain.contains(';') {
        per_second / 15 * (minute - minute / 10)
    } else {
        0
    };
    Ok(count - dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timecodes_count_frames() {
        let ntsc = Ratio {
            num: 30_000,
            den: 1001,
        };
        let pal = Ratio { num: 25, den: 1 };
        for (text, rate, expected) in [
            ("00:00:00:00", pal, Some(0)),
            ("00:00:01:05", pal, Some(30)),
            ("01:00:00:00", pal, Some(90_000)),
            ("00:00:01:05@25", pal, Some(30)),
            ("00:01:00;02", ntsc, Some(1800)),
            ("00:10:00;00", ntsc, Some(17_982)),
            ("01:00:00;00", ntsc, Some(107_892)),
            (
                "00:01:00;04",
                Ratio {
                    num: 60_000,
                    den: 1001,
                },
                Some(3600),
            ),
            ("00:00:00:25", pal, None),
            ("00:60:00:00", pal, None),
            ("00:00:00", pal, None),
            ("x", pal, None),
        ] {
            assert_eq!(frames(text, rate, "/x").ok(), expected, "{text}");
        }
    }

    #[test]
    fn audio_of_several_clips_is_joined() {
        let rate = Ratio { num: 25, den: 1 };
        let clips = [
            Clip {
                first: 0,
                end: Some(25),
            },
            Clip { first: 50, end: None },
        ];
        assert_eq!(
            audio_filters(&clips, rate, "a0"),
            "asplit=2[a0s0][a0s1];[a0s0]atrim=start=0.000000000:end=1.000000000,asetpts=PTS-STARTPTS[a0t0];\
             [a0s1]atrim=start=2.000000000,asetpts=PTS-STARTPTS[a0t1];[a0t0][a0t1]concat=n=2:v=0:a=1"
        );
        assert_eq!(
            picture_filters(&clips, rate),
            ["select=between(n\\,0\\,24)+gte(n\\,50)", "setpts=N/(25)/TB"]
        );
    }
}
