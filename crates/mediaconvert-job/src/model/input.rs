//! Inputs and what is selected of them.

use std::collections::BTreeMap;

use serde::Deserialize;

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
