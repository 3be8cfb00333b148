//! Deinterlacer settings as filters on the decoded pictures.

use mediaconvert_job::model::Deinterlacer;
use serde::{Deserialize, Serialize};

use crate::plan::Refusal;
use crate::probe::{Ratio, VideoTrack};

/// What is done with fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fields {
    /// Frames that are marked as interlaced become progressive.
    Marked,
    /// All frames are treated as interlaced.
    All,
    /// Film that was spread over fields at 29.97 becomes 23.976 frames again.
    InverseTelecine,
}

/// The film rate that inverse telecine makes.
const FILM: Ratio = Ratio {
    num: 24_000,
    den: 1001,
};

impl Fields {
    /// The wish of an output with this rate. `path` is that of the deinterlacer.
    pub(crate) fn wanted(settings: &Deinterlacer, rate: Ratio, path: &str) -> Result<Self, Refusal> {
        let is_film = u64::from(rate.num) * u64::from(FILM.den) == u64::from(FILM.num) * u64::from(rate.den);
        match settings.mode.as_deref() {
            Some("INVERSE_TELECINE") if !is_film => Err(Refusal::setting(
                format!("{path}/mode"),
                "INVERSE_TELECINE needs an output frame rate of 24000/1001",
            )),
            Some("INVERSE_TELECINE") => Ok(Self::InverseTelecine),
            Some("ADAPTIVE") if is_film => Ok(Self::InverseTelecine),
            _ if settings.control.as_deref() == Some("FORCE_ALL_FRAMES") => Ok(Self::All),
            _ => Ok(Self::Marked),
        }
    }

    /// Filters for a track. Without a deinterlacer, an interlaced source becomes progressive all the same, because outputs are.
    pub(crate) fn filters(wanted: Option<Self>, track: &VideoTrack) -> Vec<String> {
        let filters: &[&str] = match wanted {
            Some(Self::InverseTelecine) => {
                &["fieldmatch", "bwdif=mode=send_frame:deint=interlaced", "decimate"]
            }
            Some(Self::All) => &["bwdif=mode=send_frame:deint=all"],
            Some(Self::Marked) if track.interlaced => &["bwdif=mode=send_frame:deint=interlaced"],
            None if track.interlaced => &["bwdif=mode=send_frame:deint=all"],
            _ => &[],
        };
        filters.iter().map(|&filter| filter.to_owned()).collect()
    }
}
