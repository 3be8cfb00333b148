//! The video of an output.

use serde::Deserialize;

use super::{Hdr10Metadata, ImageInserter, Rectangle};

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

impl VideoDescription {
    /// The codec, in the API's word.
    pub fn codec(&self) -> &str {
        self.codec_settings.codec.as_deref().unwrap_or_default()
    }
}
