//! The part of the job settings that a transcoder acts on, typed.
//!
//! The engine's own table (`transcode::support`) says which further members are harmless and which are refused.
//! It checks the JSON itself, so no member is dropped without notice. All members are optional, as in the API's model; the rules are in [`crate::validate`].

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    };
}

settings! {
    /// `JobSettings`.
    JobSettings { inputs: Vec<Input>, output_groups: Vec<OutputGroup>, timecode_config: TimecodeConfig }
}
settings! {
    /// The timecode of outputs.
    TimecodeConfig {
        /// `EMBEDDED` (the default), `ZEROBASED` or `SPECIFIEDSTART`.
        source: Option<String>,
        /// The timecode of the first frame, with `SPECIFIEDSTART`.
        start: Option<String>,
        /// The date, `YYYY-MM-DD`.
        timestamp_offset: Option<String>,
    }
}
settings! {
    Input {
        file_input: String,
        audio_selectors: BTreeMap<String, AudioSelector>,
        caption_selectors: BTreeMap<String, CaptionSelector>,
        video_selector: VideoSelector,
        input_clippings: Vec<InputClipping>,
        timecode_source: Option<String>,
        /// The timecode of the first frame, with `SPECIFIEDSTART`.
        timecode_start: Option<String>,
    }
}
settings! {
    /// Timecodes of the first and the last frame; one of them may be absent.
    InputClipping { start_timecode: Option<String>, end_timecode: Option<String> }
}
settings! {
    VideoSelector {
        /// `DEGREE_0` (the default: rotation metadata is ignored), `DEGREES_90`, …, `AUTO`.
        rotate: Option<String>,
    }
}
settings! {
    AudioSelector {
        /// Track numbers, from 1, counting audio tracks only.
        tracks: Vec<u32>,
        /// `TRACK` or `LANGUAGE_CODE`.
        selector_type: Option<String>,
        /// ISO 639-2, upper case.
        language_code: Option<String>,
        /// `DEFAULT` or `NOT_DEFAULT`.
        default_selection: Option<String>,
        /// Shift against the video in milliseconds.
        offset: Option<i32>,
    }
}
settings! {
    CaptionSelector {
        /// RFC 5646.
        custom_language_code: Option<String>,
        /// ISO 639-2, upper case.
        language_code: Option<String>,
        source_settings: CaptionSourceSettings,
    }
}
settings! {
    CaptionSourceSettings { source_type: Option<String>, file_source_settings: FileSourceSettings }
}
settings! {
    FileSourceSettings {
        source_file: Option<String>,
        /// In `time_delta_units`; positive is later.
        time_delta: Option<i64>,
        /// `SECONDS` (the default) or `MILLISECONDS`.
        time_delta_units: Option<String>,
    }
}
settings! {
    OutputGroup {
        name: Option<String>,
        custom_name: Option<String>,
        output_group_settings: OutputGroupSettings,
        outputs: Vec<Output>,
    }
}
settings! {
    OutputGroupSettings {
        #[serde(rename = "type")]
        kind: Option<String>,
        hls_group_settings: HlsGroupSettings,
        cmaf_group_settings: FragmentGroupSettings,
        dash_iso_group_settings: FragmentGroupSettings,
        file_group_settings: FileGroupSettings,
    }
}
settings! {
    HlsGroupSettings {
        destination: Option<String>,
        /// Seconds.
        segment_length: Option<u32>,
        segment_length_control: Option<String>,
        manifest_duration_format: Option<String>,
        target_duration_compatibility_mode: Option<String>,
        codec_specification: Option<String>,
        stream_inf_resolution: Option<String>,
        client_cache: Option<String>,
        base_url: Option<String>,
        segment_control: Option<String>,
        /// Seconds.
        min_final_segment_length: Option<f64>,
        caption_segment_length_control: Option<String>,
        caption_language_setting: Option<String>,
        caption_language_mappings: Vec<CaptionLanguageMapping>,
        /// `INCLUDE` or `EXCLUDE`.
        program_date_time: Option<String>,
        /// Seconds.
        program_date_time_period: Option<u32>,
        output_selection: Option<String>,
        additional_manifests: Vec<AdditionalManifest>,
        encryption: Option<HlsEncryptionSettings>,
    }
}
settings! {
    /// The language of captions that are embedded in the video.
    CaptionLanguageMapping {
        /// From 1.
        caption_channel: Option<u32>,
        custom_language_code: Option<String>,
        language_code: Option<String>,
        language_description: Option<String>,
    }
}
settings! {
    /// A manifest of some of the outputs of a group.
    AdditionalManifest {
        manifest_name_modifier: Option<String>,
        /// Name modifiers.
        selected_outputs: Vec<String>,
    }
}
settings! {
    HlsEncryptionSettings {
        /// 32 hexadecimal digits.
        constant_initialization_vector: Option<String>,
        encryption_method: Option<String>,
        initialization_vector_in_manifest: Option<String>,
        static_key_provider: StaticKeyProvider,
        #[serde(rename = "type")]
        kind: Option<String>,
    }
}
settings! {
    StaticKeyProvider {
        key_format: Option<String>,
        key_format_versions: Option<String>,
        /// 32 hexadecimal digits.
        static_key_value: Option<String>,
        url: Option<String>,
    }
}
settings! {
    /// The members that `CmafGroupSettings` and `DashIsoGroupSettings` have in common, and those of one of them.
    FragmentGroupSettings {
        destination: Option<String>,
        /// Seconds.
        segment_length: Option<u32>,
        segment_length_control: Option<String>,
        /// Seconds.
        fragment_length: Option<u32>,
        segment_control: Option<String>,
        /// Seconds.
        min_final_segment_length: Option<f64>,
        base_url: Option<String>,
        write_hls_manifest: Option<String>,
        manifest_duration_format: Option<String>,
        target_duration_compatibility_mode: Option<String>,
        codec_specification: Option<String>,
        stream_inf_resolution: Option<String>,
        client_cache: Option<String>,
        write_dash_manifest: Option<String>,
        write_segment_timeline_in_representation: Option<String>,
        dash_manifest_style: Option<String>,
        mpd_manifest_bandwidth_type: Option<String>,
        /// Seconds.
        min_buffer_time: Option<u32>,
        mpd_profile: Option<String>,
        hbbtv_compliance: Option<String>,
        audio_channel_config_scheme_id_uri: Option<String>,
        video_composition_offsets: Option<String>,
        additional_manifests: Vec<AdditionalManifest>,
    }
}
settings! {
    FileGroupSettings { destination: Option<String> }
}
settings! {
    Output {
        name_modifier: Option<String>,
        extension: Option<String>,
        container_settings: ContainerSettings,
        output_settings: OutputSettings,
        video_description: Option<VideoDescription>,
        audio_descriptions: Vec<AudioDescription>,
        caption_descriptions: Vec<CaptionDescription>,
    }
}
settings! {
    CaptionDescription {
        caption_selector_name: Option<String>,
        /// RFC 5646.
        custom_language_code: Option<String>,
        /// ISO 639-2, upper case.
        language_code: Option<String>,
        /// Name of the track in manifests.
        language_description: Option<String>,
        destination_settings: CaptionDestinationSettings,
    }
}
settings! {
    CaptionDestinationSettings {
        destination_type: Option<String>,
        burnin_destination_settings: BurninSettings,
        webvtt_destination_settings: CaptionStyleSettings,
        srt_destination_settings: CaptionStyleSettings,
        ttml_destination_settings: CaptionStyleSettings,
        imsc_destination_settings: CaptionStyleSettings,
    }
}
settings! {
    CaptionStyleSettings { style_passthrough: Option<String>, accessibility: Option<String> }
}
settings! {
    /// Sizes and places in pixels of the output, opacities from 0 to 255.
    BurninSettings {
        alignment: Option<String>,
        background_color: Option<String>,
        background_opacity: Option<u8>,
        font_color: Option<String>,
        /// `RRGGBB` or `RRGGBBAA`, where the color is `HEX`.
        hex_font_color: Option<String>,
        font_opacity: Option<u8>,
        font_size: Option<u32>,
        outline_color: Option<String>,
        outline_size: Option<u32>,
        shadow_color: Option<String>,
        shadow_opacity: Option<u8>,
        shadow_x_offset: Option<i32>,
        shadow_y_offset: Option<i32>,
        style_passthrough: Option<String>,
        x_position: Option<u32>,
        y_position: Option<u32>,
    }
}
settings! {
    OutputSettings { hls_settings: HlsSettings }
}
settings! {
    /// `HlsSettings` of an output, and `CmfcSettings`, which have the members for audio in common.
    HlsSettings {
        segment_modifier: Option<String>,
        audio_group_id: Option<String>,
        /// Group ids, separated by commas.
        audio_rendition_sets: Option<String>,
        audio_track_type: Option<String>,
        descriptive_video_service_flag: Option<String>,
        i_frame_only_manifest: Option<String>,
    }
}
settings! {
    ContainerSettings { container: Option<String>, mp4_settings: Mp4Settings, cmfc_settings: HlsSettings }
}
settings! {
    Mp4Settings {
        /// `PROGRESSIVE_DOWNLOAD` puts the index in front.
        moov_placement: Option<String>,
    }
}
settings! {
    VideoDescription {
        /// Pixels; absent: follows the source.
        width: Option<u32>,
        height: Option<u32>,
        scaling_behavior: Option<String>,
        /// 0 (soft) to 100 (sharp), 50 by default.
        sharpness: Option<u32>,
        codec_settings: VideoCodecSettings,
        video_preprocessors: VideoPreprocessors,
    }
}
settings! {
    VideoPreprocessors { color_corrector: Option<ColorCorrector>, deinterlacer: Option<Deinterlacer> }
}
settings! {
    Deinterlacer {
        /// `DEINTERLACE`, `INVERSE_TELECINE` or `ADAPTIVE`.
        mode: Option<String>,
        /// `NORMAL` or `FORCE_ALL_FRAMES`.
        control: Option<String>,
        algorithm: Option<String>,
    }
}
settings! {
    ColorCorrector { color_space_conversion: Option<String> }
}
settings! {
    VideoCodecSettings {
        codec: Option<String>,
        h264_settings: EncoderSettings,
        h265_settings: EncoderSettings,
        av1_settings: EncoderSettings,
        vp8_settings: EncoderSettings,
        vp9_settings: EncoderSettings,
        mpeg2_settings: EncoderSettings,
        prores_settings: EncoderSettings,
        frame_capture_settings: FrameCaptureSettings,
    }
}
settings! {
    /// The settings of a video codec: `H264Settings`, `H265Settings` and so on, of which each has some of these members.
    /// Bit rates in bits per second, buffer size in bits.
    EncoderSettings {
        rate_control_mode: Option<String>,
        bitrate: Option<u64>,
        max_bitrate: Option<u64>,
        hrd_buffer_size: Option<u64>,
        hrd_buffer_initial_fill_percentage: Option<u32>,
        qvbr_settings: QvbrSettings,
        quality_tuning_level: Option<String>,
        codec_profile: Option<String>,
        codec_level: Option<String>,
        entropy_encoding: Option<String>,
        adaptive_quantization: Option<String>,
        gop_size: Option<f64>,
        gop_size_units: Option<String>,
        gop_b_reference: Option<String>,
        dynamic_sub_gop: Option<String>,
        #[serde(rename = "numberBFramesBetweenReferenceFrames")]
        b_frames: Option<u32>,
        number_reference_frames: Option<u32>,
        scene_change_detect: Option<String>,
        slices: Option<u32>,
        framerate_control: Option<String>,
        framerate_numerator: Option<u32>,
        framerate_denominator: Option<u32>,
        par_control: Option<String>,
        par_numerator: Option<u32>,
        par_denominator: Option<u32>,
        /// `BIT_8` or `BIT_10`.
        bit_depth: Option<String>,
        film_grain_synthesis: Option<String>,
        write_mp4_packaging_type: Option<String>,
        sample_adaptive_offset_filter_mode: Option<String>,
        deblocking: Option<String>,
        temporal_ids: Option<String>,
        tree_block_size: Option<String>,
        alternate_transfer_function_sei: Option<String>,
    }
}
settings! {
    QvbrSettings { qvbr_quality_level: Option<u32>, qvbr_quality_level_fine_tune: Option<f64> }
}
settings! {
    /// One picture every denominator/numerator seconds.
    FrameCaptureSettings {
        framerate_numerator: Option<u32>,
        framerate_denominator: Option<u32>,
        max_captures: Option<u32>,
        /// 1 to 100.
        quality: Option<u32>,
    }
}
settings! {
    AudioDescription {
        audio_source_name: Option<String>,
        audio_normalization_settings: Option<AudioNormalizationSettings>,
        codec_settings: AudioCodecSettings,
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

impl VideoDescription {
    /// The codec, in the API's word.
    pub fn codec(&self) -> &str {
        self.codec_settings.codec.as_deref().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    #[test]
    fn the_default_template_is_read() {
        let template =
            Template::parse(include_bytes!("../../../job-templates/default.json")).expect("is a template");
        let settings: JobSettings = serde_json::from_value(template.settings).expect("fits the model");
        let hls = &settings.output_groups[0];
        let video = hls.outputs[2].video_description.as_ref().expect("has video");
        assert_eq!((video.width, video.height), (None, Some(720)));
        assert_eq!(video.codec_settings.h264_settings.max_bitrate, Some(4_500_000));
        assert_eq!(settings.inputs[0].video_selector.rotate.as_deref(), Some("AUTO"));
    }
}
