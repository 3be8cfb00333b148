//! Output groups: where their files go and how they are packaged.

use serde::Deserialize;

use super::Output;

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
