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
    JobSettings {
        inputs: Vec<Input>,
        output_groups: Vec<OutputGroup>,
        timecode_config: TimecodeConfig,
        /// Number of the input whose size and rate are the defaults, from 1.
        follow_source: Option<u32>,
    }
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
        audio_selector_groups: BTreeMap<String, AudioSelectorGroup>,
        caption_selectors: BTreeMap<String, CaptionSelector>,
        video_selector: VideoSelector,
        input_clippings: Vec<InputClipping>,
        timecode_source: Option<String>,
        /// The timecode of the first frame, with `SPECIFIEDSTART`.
        timecode_start: Option<String>,
        crop: Option<Rectangle>,
        position: Option<Rectangle>,
        image_inserter: ImageInserter,
        input_scan_type: Option<String>,
        filter_enable: Option<String>,
        filter_strength: Option<u32>,
        deblock_filter: Option<String>,
        denoise_filter: Option<String>,
    }
}
settings! {
    /// Pixels; all even.
    #[derive(Copy, Eq)]
    Rectangle { x: u32, y: u32, width: u32, height: u32 }
}
settings! {
    ImageInserter { insertable_images: Vec<InsertableImage> }
}
settings! {
    InsertableImage {
        /// URL.
        image_inserter_input: Option<String>,
        /// Pixels.
        image_x: u32,
        image_y: u32,
        width: Option<u32>,
        height: Option<u32>,
        /// Higher ones are on top.
        layer: u32,
        /// Percent.
        opacity: Option<u32>,
        /// A timecode.
        start_time: Option<String>,
        /// Milliseconds, with the fade-in and without the fade-out.
        duration: Option<u32>,
        /// Milliseconds.
        fade_in: Option<u32>,
        fade_out: Option<u32>,
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
        color_space: Option<String>,
        /// `FALLBACK` (the default) or `FORCE`.
        color_space_usage: Option<String>,
        /// `FOLLOW` (the default), `FULL_RANGE` or `LIMITED_RANGE`.
        sample_range: Option<String>,
        /// `DISCARD` (the default) or `REMAP_TO_LUMA`.
        alpha_behavior: Option<String>,
        hdr10_metadata: Option<Hdr10Metadata>,
    }
}
settings! {
    /// SMPTE ST 2086 in 0.00002 of the color coordinates and 0.0001 cd/m², and light levels in cd/m².
    #[derive(Copy, Eq)]
    Hdr10Metadata {
        red_primary_x: u32,
        red_primary_y: u32,
        green_primary_x: u32,
        green_primary_y: u32,
        blue_primary_x: u32,
        blue_primary_y: u32,
        white_point_x: u32,
        white_point_y: u32,
        max_luminance: u32,
        min_luminance: u32,
        max_content_light_level: u32,
        max_frame_average_light_level: u32,
    }
}
settings! {
    AudioSelector {
        /// Track numbers, from 1, counting audio tracks only.
        tracks: Vec<u32>,
        /// Numbers of streams, from 1, counting all of the file.
        streams: Vec<u32>,
        /// Packet identifiers of a transport stream.
        pids: Vec<u32>,
        /// `TRACK` (the default), `LANGUAGE_CODE`, `PID`, `STREAM` or `ALL_PCM`.
        selector_type: Option<String>,
        /// RFC 5646.
        custom_language_code: Option<String>,
        /// URL of a file that has the audio instead of the input.
        external_audio_file_input: Option<String>,
        remix_settings: Option<RemixSettings>,
        /// ISO 639-2, upper case.
        language_code: Option<String>,
        /// `DEFAULT` or `NOT_DEFAULT`.
        default_selection: Option<String>,
        /// Shift against the video in milliseconds.
        offset: Option<i32>,
    }
}
settings! {
    AudioSelectorGroup { audio_selector_names: Vec<String> }
}
settings! {
    RemixSettings {
        channels_in: Option<u32>,
        channels_out: Option<u32>,
        channel_mapping: ChannelMapping,
    }
}
settings! {
    ChannelMapping { output_channels: Vec<OutputChannelMapping> }
}
settings! {
    /// Gains of the channels of the input, in decibels, in one channel of the output: whole or fractional ones.
    OutputChannelMapping { input_channels: Vec<f64>, input_channels_fine_tune: Vec<f64> }
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
    CaptionSourceSettings {
        source_type: Option<String>,
        file_source_settings: FileSourceSettings,
        embedded_source_settings: EmbeddedSourceSettings,
    }
}
settings! {
    EmbeddedSourceSettings {
        /// 1 to 4; 1 if absent.
        source608_channel_number: Option<u32>,
    }
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
        crop: Option<Rectangle>,
        position: Option<Rectangle>,
        /// `INSERT` (the default) or `IGNORE`.
        color_metadata: Option<String>,
        /// `ENABLED` (the default) or `DISABLED`.
        drop_frame_timecode: Option<String>,
        codec_settings: VideoCodecSettings,
        video_preprocessors: VideoPreprocessors,
    }
}
settings! {
    VideoPreprocessors {
        color_corrector: Option<ColorCorrector>,
        deinterlacer: Option<Deinterlacer>,
        image_inserter: ImageInserter,
        noise_reducer: Option<NoiseReducer>,
        timecode_burnin: Option<TimecodeBurnin>,
    }
}
settings! {
    NoiseReducer {
        filter: Option<String>,
        filter_settings: NoiseReducerStrength,
        spatial_filter_settings: NoiseReducerStrength,
        temporal_filter_settings: NoiseReducerStrength,
    }
}
settings! {
    /// The settings of one filter, of which each has some of these members.
    NoiseReducerStrength { strength: Option<u32>, post_filter_sharpen_strength: Option<u32> }
}
settings! {
    TimecodeBurnin {
        /// Pixels.
        font_size: Option<u32>,
        position: Option<String>,
        prefix: Option<String>,
    }
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
    ColorCorrector {
        color_space_conversion: Option<String>,
        /// 1 to 100, 50 is neutral; so are contrast and saturation.
        brightness: Option<u32>,
        contrast: Option<u32>,
        saturation: Option<u32>,
        /// Degrees, from -180 to 180.
        hue: Option<i32>,
        sample_range_conversion: Option<String>,
        clip_limits: ClipLimits,
        hdr10_metadata: Option<Hdr10Metadata>,
        hdr_to_sdr_tone_mapper: Option<String>,
        /// cd/m².
        sdr_reference_white_level: Option<u32>,
    }
}
settings! {
    /// Levels of ten bits.
    ClipLimits {
        #[serde(rename = "minimumYUV")]
        minimum_yuv: Option<u32>,
        #[serde(rename = "maximumYUV")]
        maximum_yuv: Option<u32>,
    }
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
        /// Quantization matrices of H.264: 0 is flat, 1 and 16 are those of the standard.
        softness: Option<u32>,
        interlace_mode: Option<String>,
        scan_type_conversion_mode: Option<String>,
        telecine: Option<String>,
        framerate_conversion_algorithm: Option<String>,
        explicit_weighted_prediction: Option<String>,
        repeat_pps: Option<String>,
        intra_dc_precision: Option<String>,
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
