//! Loudness normalization: what is measured in a first pass, and the one gain that follows from it.

use std::fmt::Write as _;

use mediaconvert_job::model::AudioNormalizationSettings;
use serde::{Deserialize, Serialize};

use crate::plan::h264::decimal;

/// Measured loudness below which there is no audio to speak of: the floor of the absolute gate (ITU-R BS.1770).
const SILENCE: f64 = -69.9;
/// Largest correction, in decibels.
const MOST: f64 = 60.0;

/// How loud audio is to be. Levels in LKFS and decibels of full scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loudness {
    target: f64,
    /// Audio that is quieter stays as it is.
    gate: f64,
    /// Limit of true peaks.
    peak: Option<f64>,
    /// The correction in decibels, once it has been measured.
    gain: Option<f64>,
}

impl Loudness {
    /// `None` where audio is measured and not corrected.
    pub(crate) fn new(settings: &AudioNormalizationSettings) -> Option<Self> {
        if settings.algorithm_control.as_deref() == Some("MEASURE_ONLY") {
            return None;
        }
        // The documented defaults.
        let default = match settings.algorithm.as_deref() {
            Some("ITU_BS_1770_1") => -24.0,
            _ => -23.0,
        };
        let limits = settings.peak_calculation.as_deref() == Some("TRUE_PEAK");
        Some(Self {
            target: settings.target_lkfs.unwrap_or(default),
            gate: settings.correction_gate_level.unwrap_or(-70.0),
            peak: settings.true_peak_limiter_threshold.or(limits.then_some(0.0)),
            gain: None,
        })
    }

    pub(crate) fn measured(self, loudness: f64) -> Self {
        let corrects = loudness > SILENCE.max(self.gate);
        let gain = if corrects {
            (self.target - loudness).clamp(-MOST, MOST)
        } else {
            0.0
        };
        Self {
            gain: Some(gain),
            ..self
        }
    }

    /// Filters at the end of a chain with this sampling rate in hertz.
    pub(crate) fn filters(self, sample_rate: u32) -> String {
        let Some(gain) = self.gain else {
            return String::new();
        };
        let mut filters = format!(",volume={}dB", decimal(gain));
        if let Some(peak) = self.peak {
            // Peaks between samples are those of a higher rate.
            let limit = decimal(10_f64.powf(peak.min(0.0) / 20.0));
            // Writing to a String cannot fail.
            let _ = write!(
                filters,
                ",aresample=192000,alimiter=limit={limit}:level=false,aresample={sample_rate}"
            );
        }
        filters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gain_follows_from_what_was_measured() {
        let settings = AudioNormalizationSettings {
            target_lkfs: Some(-16.0),
            true_peak_limiter_threshold: Some(-2.0),
            ..AudioNormalizationSettings::default()
        };
        let wanted = Loudness::new(&settings).expect("corrects");
        assert_eq!(wanted.filters(48_000), "");
        assert_eq!(
            wanted.measured(-20.5).filters(48_000),
            ",volume=4.5dB,aresample=192000,alimiter=limit=0.794328:level=false,aresample=48000"
        );
        // Silence is not raised.
        assert!(wanted.measured(-70.0).filters(48_000).starts_with(",volume=0dB"));
        let gated = Loudness::new(&AudioNormalizationSettings {
            correction_gate_level: Some(-30.0),
            ..AudioNormalizationSettings::default()
        });
        let gated = gated.expect("corrects");
        assert_eq!(gated.measured(-31.0).filters(48_000), ",volume=0dB");
        assert_eq!(gated.measured(-29.0).filters(48_000), ",volume=6dB");
        let measure = AudioNormalizationSettings {
            algorithm_control: Some("MEASURE_ONLY".to_owned()),
            ..AudioNormalizationSettings::default()
        };
        assert_eq!(Loudness::new(&measure), None);
    }
}
