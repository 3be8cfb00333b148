//! The audio of an output.

use serde::Deserialize;
use serde_json::Value;

use super::RemixSettings;

settings! {
    AudioDescription {
        audio_source_name: Option<String>,
        audio_normalization_settings: Option<AudioNormalizationSettings>,
        codec_settings: AudioCodecSettings,
        remix_settings: Option<RemixSettings>,
        /// RFC 5646.
        custom_language_code: Option<String>,
        language_code: Option<String>,
        language_code_control: Option<String>,
        /// Name of the track in manifests.
        stream_name: Option<String>,
    }
}
settings! {
    AudioNormalizationSettings {
        algorithm: Option<String>,
        algorithm_control: Option<String>,
        /// LKFS: only audio above it is corrected.
        correction_gate_level: Option<f64>,
        loudness_logging: Option<String>,
        target_lkfs: Option<f64>,
        peak_calculation: Option<String>,
        /// Decibels below full scale.
        true_peak_limiter_threshold: Option<f64>,
    }
}
settings! {
    AudioCodecSettings {
        codec: Option<String>,
        aac_settings: AudioEncoderSettings,
        ac3_settings: AudioEncoderSettings,
        eac3_settings: AudioEncoderSettings,
        mp3_settings: AudioEncoderSettings,
        mp2_settings: AudioEncoderSettings,
        opus_settings: AudioEncoderSettings,
        vorbis_settings: AudioEncoderSettings,
        wav_settings: AudioEncoderSettings,
        aiff_settings: AudioEncoderSettings,
        flac_settings: AudioEncoderSettings,
    }
}
settings! {
    /// The settings of an audio codec: `AacSettings`, `Ac3Settings` and so on, of which each has some of these members.
    AudioEncoderSettings {
        /// Bits per second.
        bitrate: Option<u32>,
        codec_profile: Option<String>,
        coding_mode: Option<String>,
        /// 0 follows the input.
        channels: Option<u32>,
        rate_control_mode: Option<String>,
        /// Hertz.
        sample_rate: Option<u32>,
        /// A word with AAC, a number with MP3 and Vorbis.
        vbr_quality: Option<Value>,
        /// Bits of a sample.
        bit_depth: Option<u32>,
        dialnorm: Option<u32>,
        lfe_control: Option<String>,
    }
}
