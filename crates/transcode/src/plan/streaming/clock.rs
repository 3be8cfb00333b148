//! The date and time of the first picture, for `EXT-X-PROGRAM-DATE-TIME` in playlists.

use jiff::civil::Date;
use mediaconvert_job::model::{HlsGroupSettings, TimecodeConfig};
use serde::{Deserialize, Serialize};

use crate::plan::{Refusal, clips};
use crate::probe::Ratio;

/// Seconds between two dates in a playlist that does not ask for others: the default of `MediaLive`, since that of
/// `MediaConvert` is not documented.
const PERIOD: u32 = 600;

/// Dates in playlists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The first picture, in milliseconds since 1970 in UTC.
    pub start_ms: i64,
    /// Seconds from one date to the next; 0: each segment has one.
    pub period: u32,
}

/// The first picture of the outputs.
pub(crate) struct First<'a> {
    /// Frames per second in which timecodes count.
    pub(crate) rate: Ratio,
    /// The timecode that the input contains.
    pub(crate) timecode: Option<&'a str>,
    /// Its place in the input in milliseconds.
    pub(crate) at_ms: u64,
}

impl Clock {
    /// The clock of a group that asks for dates. Its time of day is the timecode of the outputs (`timecodeConfig`), its date
    /// that of `timestampOffset`, else the day on which the job started, `YYYYMMDDTHHMMSS` in UTC.
    pub(crate) fn of(
        group: &HlsGroupSettings,
        config: &TimecodeConfig,
        first: &First<'_>,
        started: &str,
    ) -> Result<Option<Self>, Refusal> {
        if group.program_date_time.as_deref() != Some("INCLUDE") {
            return Ok(None);
        }
        let date = match config.timestamp_offset.as_deref() {
            Some(text) => date(text.split('-')).ok_or_else(|| {
                Refusal::setting(
                    "/timecodeConfig/timestampOffset",
                    format!("`{text}` is no date of the form YYYY-MM-DD"),
                )
            })?,
            None => [0..4, 4..6, 6..8]
                .map(|part| started.get(part))
                .into_iter()
                .collect::<Option<Vec<&str>>>()
                .and_then(|parts| date(parts.into_iter()))
                .unwrap_or(Date::new(1970, 1, 1).unwrap_or_default()),
        };
        let day = Date::new(1970, 1, 1).map_or(0, |epoch| date.duration_since(epoch).as_millis());
        let time = timecode_ms(config, first)?;
        Ok(Some(Self {
            start_ms: i64::try_from(day).unwrap_or_default().saturating_add(time),
            period: group.program_date_time_period.unwrap_or(PERIOD),
        }))
    }

    /// The date and time so many seconds after the first picture, in RFC 3339.
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a film")]
    pub(crate) fn at(self, seconds: f64) -> Option<String> {
        let milliseconds = self.start_ms.saturating_add((seconds * 1000.0).round() as i64);
        let instant = jiff::Timestamp::from_millisecond(milliseconds).ok()?;
        Some(instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
    }
}

fn date<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<Date> {
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// The timecode of the first picture as a time of day.
fn timecode_ms(config: &TimecodeConfig, first: &First<'_>) -> Result<i64, Refusal> {
    let (text, path, later) = match config.source.as_deref() {
        Some("ZEROBASED") => (None, "", 0),
        Some("SPECIFIEDSTART") => (config.start.as_deref(), "/timecodeConfig/start", 0),
        // The input goes on to count where a clip begins.
        _ => (first.timecode, "/inputs/0/timecodeStart", first.at_ms),
    };
    let frames = text.map_or(Ok(0), |text| clips::frames(text, first.rate, path))?;
    let milliseconds =
        u128::from(frames) * 1000 * u128::from(first.rate.den) / u128::from(first.rate.num).max(1);
    Ok(i64::try_from(milliseconds + u128::from(later)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(config: Value, first: &First<'_>) -> Option<String> {
        let group = serde_json::from_value(json!({"programDateTime": "INCLUDE"})).expect("fits the model");
        let config = serde_json::from_value(config).expect("fits the model");
        let clock = Clock::of(&group, &config, first, "20260102T030405").ok()??;
        clock.at(0.0)
    }

    #[test]
    fn the_time_is_the_timecode_and_the_date_the_offset() {
        let first = First {
            rate: Ratio { num: 25, den: 1 },
            timecode: Some("23:59:59:05"),
            at_ms: 2000,
        };
        for (config, expected) in [
            (json!({}), Some("2026-01-03T00:00:01.200Z")),
            (json!({"source": "ZEROBASED"}), Some("2026-01-02T00:00:00.000Z")),
            (
                json!({"source": "SPECIFIEDSTART", "start": "10:00:00:12", "timestampOffset": "2003-1-25"}),
                Some("2003-01-25T10:00:00.480Z"),
            ),
            (json!({"timestampOffset": "2003-13-25"}), None),
            (json!({"timestampOffset": "yesterday"}), None),
            (json!({"source": "SPECIFIEDSTART", "start": "x"}), None),
        ] {
            assert_eq!(at(config.clone(), &first).as_deref(), expected, "{config}");
        }
    }
}
