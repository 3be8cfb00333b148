//! Outputs: their captions, containers and names.

use serde::Deserialize;

use super::{AudioDescription, VideoDescription};

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
