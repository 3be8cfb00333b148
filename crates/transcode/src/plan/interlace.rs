//! Interlaced outputs, and how the source's frame rate becomes that of an output.

use mediaconvert_job::model::EncoderSettings;

use crate::plan::Refusal;
use crate::probe::{Ratio, VideoTrack};

/// Filters of one output around its frame rate.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Cadence {
    /// From the source's frame rate to the output's. Empty: frames are dropped and doubled.
    pub(crate) pace: Vec<String>,
    /// At the end.
    pub(crate) fields: Vec<String>,
    /// Whether the top field comes first, of an interlaced output.
    pub(crate) top_first: Option<bool>,
}

const FILM: Ratio = Ratio {
    num: 24_000,
    den: 1001,
};
const NTSC: Ratio = Ratio {
    num: 30_000,
    den: 1001,
};

/// Plans an output of `rate`. `height` is that of its picture, `path` that of the codec's settings.
pub(crate) fn cadence(
    settings: &EncoderSettings,
    track: &VideoTrack,
    rate: Ratio,
    height: u32,
    path: &str,
) -> Result<Cadence, Refusal> {
    let source = track.frame_rate;
    let algorithm = settings.framerate_conversion_algorithm.as_deref();
    let telecine = settings.telecine.as_deref() == Some("HARD");
    let Some(top) = top_first(settings, track) else {
        if telecine {
            return Err(Refusal::setting(
                format!("{path}/telecine"),
                "HARD needs an interlaced output (interlaceMode)",
            ));
        }
        let blended = algorithm == Some("INTERPOLATE") && !same(source, rate);
        return Ok(Cadence {
            pace: blended
                .then(|| format!("framerate=fps={rate}"))
                .into_iter()
                .collect(),
            ..Cadence::default()
        });
    };
    if !height.is_multiple_of(4) {
        let message = format!("an interlaced picture has a height that is a multiple of 4, not {height}");
        return Err(Refusal::setting(format!("{path}/interlaceMode"), message));
    }
    let (first, order) = if top { ("top", "tff") } else { ("bottom", "bff") };
    let twice = Ratio {
        num: rate.num.saturating_mul(2),
        den: rate.den,
    };
    let optimized = settings.scan_type_conversion_mode.as_deref() == Some("INTERLACED_OPTIMIZE");
    let pace = if telecine {
        if !same(source, FILM) || !same(rate, NTSC) {
            let message =
                format!("HARD makes 30000/1001 of 24000/1001 frames per second, not {rate} of {source}");
            return Err(Refusal::setting(format!("{path}/telecine"), message));
        }
        vec![format!("telecine=pattern=23:first_field={first}")]
    } else if optimized && same(source, twice) {
        // Each frame of the source becomes a field.
        vec![format!("tinterlace=mode=interleave_{first}")]
    } else if algorithm == Some("INTERPOLATE") && !same(source, rate) {
        vec![format!("framerate=fps={rate}")]
    } else {
        Vec::new()
    };
    Ok(Cadence {
        pace,
        // Fields of the source that are kept may have the other order.
        fields: vec![format!("fieldorder=order={order}"), format!("setfield={order}")],
        top_first: Some(top),
    })
}

/// Whether the top field comes first; `None` for a progressive output.
fn top_first(settings: &EncoderSettings, track: &VideoTrack) -> Option<bool> {
    let source = track.top_field_first;
    Some(match settings.interlace_mode.as_deref()? {
        "TOP_FIELD" => true,
        "BOTTOM_FIELD" => false,
        "FOLLOW_TOP_FIELD" => source.unwrap_or(true),
        "FOLLOW_BOTTOM_FIELD" => source.unwrap_or(false),
        _ => return None,
    })
}

/// Whether an output is interlaced: encoders have to know.
pub(crate) fn is_interlaced(settings: &EncoderSettings) -> bool {
    let mode = settings.interlace_mode.as_deref();
    mode.is_some_and(|mode| mode != "PROGRESSIVE")
}

fn same(a: Ratio, b: Ratio) -> bool {
    u64::from(a.num) * u64::from(b.den) == u64::from(b.num) * u64::from(a.den)
}
