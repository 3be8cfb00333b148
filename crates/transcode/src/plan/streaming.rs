//! Plans groups of segments: how they are cut, and what their manifests say.

mod additional;
mod clock;
mod encryption;

use mediaconvert_job::group::GroupType;
use mediaconvert_job::model::{
    self, CaptionLanguageMapping, FragmentGroupSettings, HlsGroupSettings, HlsSettings,
};
use serde::{Deserialize, Serialize};

pub use self::additional::AdditionalManifest;
pub(crate) use self::additional::additional;
pub use self::clock::Clock;
pub(crate) use self::clock::First;
pub use self::encryption::{Encryption, Key};
use crate::plan::{GroupKind, Refusal};

/// Where segments are cut, as the job asks for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cuts {
    /// Seconds, at least 1.
    pub(crate) length: f64,
    /// Segments are whole GOPs; else exactly as long as asked for.
    pub(crate) gop_multiple: bool,
}

/// The form of playlists.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own in the job"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HlsGroup {
    /// Durations as whole seconds.
    pub integer_durations: bool,
    /// `EXT-X-TARGETDURATION` is always above the longest segment.
    pub legacy_target: bool,
    /// `CODECS` as RFC 6381 has them, else the older decimal form.
    pub rfc_6381: bool,
    /// `RESOLUTION` in the master playlist.
    pub resolution: bool,
    /// Without it playlists say `EXT-X-ALLOW-CACHE:NO`.
    pub client_cache: bool,
    /// Text in front of each URI in media playlists.
    pub base_url: String,
    /// Captions are cut where the video is; else every five minutes.
    pub captions_match_video: bool,
    /// Playlists are written; else segments alone.
    pub manifests: bool,
    /// `EXT-X-PROGRAM-DATE-TIME` in media playlists.
    pub clock: Option<Clock>,
    pub closed_captions: ClosedCaptions,
    pub encryption: Option<Encryption>,
}

/// What a master playlist says of captions that are embedded in the video.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClosedCaptions {
    Unsaid,
    None,
    Listed(Vec<ClosedCaption>),
}

/// A channel of embedded captions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedCaption {
    /// 1 to 4.
    pub channel: u32,
    /// Shown to viewers.
    pub name: String,
    /// ISO 639-2.
    pub language: Option<String>,
    pub default: bool,
}

/// CMAF and DASH ISO groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FragmentGroup {
    /// Files are named as those of a CMAF group.
    pub cmaf: bool,
    /// Seconds at which segments are divided into fragments.
    pub fragment_seconds: f64,
    /// Composition offsets may be negative, so that no edit list is needed.
    pub signed_offsets: bool,
    pub hls: Option<HlsGroup>,
    pub dash: Option<DashForm>,
}

/// The form of a DASH manifest.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own in the job"
)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DashForm {
    /// Exact durations, in a `SegmentTimeline`; else one nominal duration.
    pub timeline: bool,
    pub style: DashStyle,
    /// `bandwidth` as measured; else the maximum that the job allows.
    pub measured_bandwidth: bool,
    /// `minBufferTime` in seconds; absent: the length of a segment.
    pub min_buffer_seconds: Option<u32>,
    /// `BaseURL`, if not empty.
    pub base_url: String,
    /// The profile for files with an index; else the main profile.
    pub on_demand: bool,
    /// The profile of `HbbTV` 1.5 too.
    pub hbbtv: bool,
    /// Channels of Dolby codecs by Dolby's own scheme.
    pub dolby_channels: bool,
}

/// Where a manifest says what adaptation sets have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DashStyle {
    Basic,
    /// One timeline for all representations of video, where they agree.
    Compact,
    /// One adaptation set for each frame rate, with one timeline where its representations agree.
    Distinct,
    /// One timeline for all representations of an adaptation set, where they agree.
    Full,
}

/// The place of an output in a master playlist and a DASH manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// A variant, with the audio groups that it can be played with; empty: all groups.
    Variant { audio_groups: Vec<String> },
    /// Audio as a rendition of its own.
    Audio {
        /// Absent: a group of its own.
        group: Option<String>,
        default: bool,
        auto_select: bool,
        describes_video: bool,
        name: Option<String>,
    },
}

/// The kind of a group, and the settings that all kinds have.
pub(crate) struct Form<'a> {
    pub(crate) kind: GroupKind,
    pub(crate) cuts: Option<Cuts>,
    pub(crate) destination: Option<&'a str>,
    /// The member of `outputGroupSettings`.
    pub(crate) member: &'static str,
    /// `segmentControl` is `SINGLE_FILE`.
    pub(crate) single_file: bool,
    /// `minFinalSegmentLength`, in seconds.
    pub(crate) shortest_end: f64,
    pub(crate) additional: &'a [model::AdditionalManifest],
}

impl<'a> Form<'a> {
    pub(crate) fn of(settings: &'a model::OutputGroupSettings) -> Self {
        let GroupType { member, folder, .. } = GroupType::or_file(settings.kind.as_deref());
        match *folder {
            "hls" => Self::of_hls(&settings.hls_group_settings, member),
            "cmaf" => Self::of_fragments(&settings.cmaf_group_settings, member, 10),
            "dash" => Self::of_fragments(&settings.dash_iso_group_settings, member, 30),
            _ => Self {
                kind: GroupKind::File,
                cuts: None,
                destination: settings.file_group_settings.destination.as_deref(),
                member,
                single_file: false,
                shortest_end: 0.0,
                additional: &[],
            },
        }
    }

    fn of_hls(hls: &'a HlsGroupSettings, member: &'static str) -> Self {
        let control = hls.segment_length_control.as_deref();
        Self {
            kind: GroupKind::Hls(hls_group(hls)),
            cuts: Some(Cuts::new(hls.segment_length, control, 10)),
            destination: hls.destination.as_deref(),
            member,
            single_file: is(hls.segment_control.as_ref(), "SINGLE_FILE"),
            shortest_end: hls.min_final_segment_length.unwrap_or(0.0),
            additional: &hls.additional_manifests,
        }
    }

    /// `default` is the length of segments in seconds where the job has none.
    fn of_fragments(fragments: &'a FragmentGroupSettings, member: &'static str, default: u32) -> Self {
        let control = fragments.segment_length_control.as_deref();
        let cmaf = member == "cmafGroupSettings";
        Self {
            kind: GroupKind::Fragments(fragment_group(fragments, cmaf)),
            cuts: Some(Cuts::new(fragments.segment_length, control, default)),
            destination: fragments.destination.as_deref(),
            member,
            single_file: is(fragments.segment_control.as_ref(), "SINGLE_FILE"),
            shortest_end: fragments.min_final_segment_length.unwrap_or(0.0),
            additional: &fragments.additional_manifests,
        }
    }
}

/// Whether an output has a playlist of its I-frames.
pub(crate) fn has_i_frames(output: &model::Output, group: &GroupKind) -> bool {
    let settings = match group {
        GroupKind::Hls(_) => &output.output_settings.hls_settings,
        GroupKind::Fragments(group) if group.cmaf => &output.container_settings.cmfc_settings,
        GroupKind::Fragments(_) | GroupKind::File => return false,
    };
    is(settings.i_frame_only_manifest.as_ref(), "INCLUDE") && output.video_description.is_some()
}

/// Refuses combinations that cannot be written. `path` is that of the group's settings.
pub(crate) fn check(
    kind: &GroupKind,
    outputs: &[model::Output],
    single_file: bool,
    path: &str,
) -> Result<(), Refusal> {
    let is_encrypted = matches!(kind, GroupKind::Hls(hls) if hls.encryption.is_some());
    if is_encrypted && outputs.iter().any(|output| has_i_frames(output, kind)) {
        let message =
            "a picture cannot be taken out of an encrypted segment: iFrameOnlyManifest has to be EXCLUDE";
        return Err(Refusal::setting(format!("{path}/encryption"), message));
    }
    let is_on_demand =
        matches!(kind, GroupKind::Fragments(form) if form.dash.as_ref().is_some_and(|dash| dash.on_demand));
    // API reference, `MpdProfile`: "you must also set SegmentControl to SINGLE_FILE".
    if is_on_demand && !single_file {
        let message = "ON_DEMAND_PROFILE needs SINGLE_FILE in segmentControl";
        return Err(Refusal::setting(format!("{path}/mpdProfile"), message));
    }
    Ok(())
}

impl Cuts {
    pub(crate) fn new(length: Option<u32>, control: Option<&str>, default: u32) -> Self {
        Self {
            length: f64::from(length.unwrap_or(default).max(1)),
            gop_multiple: control == Some("GOP_MULTIPLE"),
        }
    }
}

fn is(setting: Option<&String>, value: &str) -> bool {
    setting.is_some_and(|setting| setting == value)
}

/// Playlists over transport streams.
pub(crate) fn hls_group(settings: &HlsGroupSettings) -> HlsGroup {
    HlsGroup {
        integer_durations: is(settings.manifest_duration_format.as_ref(), "INTEGER"),
        legacy_target: !is(
            settings.target_duration_compatibility_mode.as_ref(),
            "SPEC_COMPLIANT",
        ),
        rfc_6381: is(settings.codec_specification.as_ref(), "RFC_6381"),
        resolution: !is(settings.stream_inf_resolution.as_ref(), "EXCLUDE"),
        client_cache: !is(settings.client_cache.as_ref(), "DISABLED"),
        base_url: settings.base_url.clone().unwrap_or_default(),
        captions_match_video: is(settings.caption_segment_length_control.as_ref(), "MATCH_VIDEO"),
        manifests: !is(settings.output_selection.as_ref(), "SEGMENTS_ONLY"),
        clock: None,
        closed_captions: closed_captions(settings),
        encryption: None,
    }
}

fn closed_captions(settings: &HlsGroupSettings) -> ClosedCaptions {
    let listed = |(index, mapping): (usize, &CaptionLanguageMapping)| {
        let channel = mapping.caption_channel.unwrap_or(1);
        let code = mapping
            .custom_language_code
            .as_ref()
            .or(mapping.language_code.as_ref());
        let language = code.map(|code| code.to_ascii_lowercase());
        let name = mapping
            .language_description
            .clone()
            .filter(|name| !name.is_empty());
        ClosedCaption {
            channel,
            name: name
                .or_else(|| language.clone())
                .unwrap_or_else(|| format!("CC{channel}")),
            language,
            default: index == 0,
        }
    };
    match settings.caption_language_setting.as_deref() {
        Some("NONE") => ClosedCaptions::None,
        Some("INSERT") if !settings.caption_language_mappings.is_empty() => {
            let mappings = settings.caption_language_mappings.iter().enumerate();
            ClosedCaptions::Listed(mappings.map(listed).collect())
        }
        _ => ClosedCaptions::Unsaid,
    }
}

/// A CMAF group has playlists and a manifest over the same segments, a DASH group a manifest alone.
pub(crate) fn fragment_group(settings: &FragmentGroupSettings, cmaf: bool) -> FragmentGroup {
    let hls = cmaf && !is(settings.write_hls_manifest.as_ref(), "DISABLED");
    let dash = !cmaf || !is(settings.write_dash_manifest.as_ref(), "DISABLED");
    FragmentGroup {
        cmaf,
        // The default of a CMAF group; MediaConvert wants it spelled out in a DASH group.
        fragment_seconds: f64::from(settings.fragment_length.unwrap_or(2).max(1)),
        signed_offsets: is(settings.video_composition_offsets.as_ref(), "SIGNED"),
        hls: hls.then(|| HlsGroup {
            // CMAF's `baseUrl` is for the DASH manifest.
            base_url: String::new(),
            ..hls_group(&HlsGroupSettings {
                manifest_duration_format: settings.manifest_duration_format.clone(),
                target_duration_compatibility_mode: settings.target_duration_compatibility_mode.clone(),
                codec_specification: settings.codec_specification.clone(),
                stream_inf_resolution: settings.stream_inf_resolution.clone(),
                client_cache: settings.client_cache.clone(),
                ..HlsGroupSettings::default()
            })
        }),
        dash: dash.then(|| dash_form(settings)),
    }
}

fn dash_form(settings: &FragmentGroupSettings) -> DashForm {
    DashForm {
        timeline: is(
            settings.write_segment_timeline_in_representation.as_ref(),
            "ENABLED",
        ),
        style: match settings.dash_manifest_style.as_deref() {
            Some("COMPACT") => DashStyle::Compact,
            Some("DISTINCT") => DashStyle::Distinct,
            Some("FULL") => DashStyle::Full,
            _ => DashStyle::Basic,
        },
        measured_bandwidth: is(settings.mpd_manifest_bandwidth_type.as_ref(), "AVERAGE"),
        min_buffer_seconds: settings.min_buffer_time.filter(|seconds| *seconds > 0),
        base_url: settings.base_url.clone().unwrap_or_default(),
        on_demand: is(settings.mpd_profile.as_ref(), "ON_DEMAND_PROFILE"),
        hbbtv: is(settings.hbbtv_compliance.as_ref(), "HBBTV_1_5"),
        dolby_channels: is(
            settings.audio_channel_config_scheme_id_uri.as_ref(),
            "DOLBY_CHANNEL_CONFIGURATION",
        ),
    }
}

/// The place of an output in manifests. Audio alone is a rendition in CMAF groups, and a variant in HLS groups unless its
/// track type says otherwise.
pub(crate) fn role(output: &model::Output, group: &GroupKind) -> Role {
    let cmaf = matches!(group, GroupKind::Fragments(group) if group.cmaf);
    let settings = if cmaf {
        &output.container_settings.cmfc_settings
    } else {
        &output.output_settings.hls_settings
    };
    let HlsSettings {
        audio_group_id,
        audio_rendition_sets,
        audio_track_type,
        descriptive_video_service_flag,
        ..
    } = settings;
    let audio_only = output.video_description.is_none() && !output.audio_descriptions.is_empty();
    let (default, auto_select) = match audio_track_type.as_deref() {
        Some("ALTERNATE_AUDIO_AUTO_SELECT_DEFAULT") => (true, true),
        Some("ALTERNATE_AUDIO_AUTO_SELECT") => (false, true),
        Some("ALTERNATE_AUDIO_NOT_AUTO_SELECT") => (false, false),
        // A rendition of which nothing is said is played: MediaConvert's manifests have DEFAULT=YES then.
        None if cmaf => (true, true),
        _ => return variant(audio_rendition_sets.as_deref()),
    };
    if !audio_only {
        return variant(audio_rendition_sets.as_deref());
    }
    Role::Audio {
        group: audio_group_id.clone().filter(|group| !group.is_empty()),
        default,
        auto_select,
        describes_video: is(descriptive_video_service_flag.as_ref(), "FLAG"),
        name: output
            .audio_descriptions
            .first()
            .and_then(|audio| audio.stream_name.clone()),
    }
}

fn variant(sets: Option<&str>) -> Role {
    let names = sets.unwrap_or_default().split(',').map(str::trim);
    Role::Variant {
        audio_groups: names.filter(|name| !name.is_empty()).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn role_of(output: Value, cmaf: bool) -> Role {
        let group = if cmaf {
            GroupKind::Fragments(fragment_group(&FragmentGroupSettings::default(), true))
        } else {
            GroupKind::Hls(hls_group(&HlsGroupSettings::default()))
        };
        role(&serde_json::from_value(output).expect("is an output"), &group)
    }

    #[test]
    fn audio_alone_is_a_rendition_or_a_variant() {
        let audio = json!([{"streamName": "Director"}]);
        let flagged = json!({"audioTrackType": "ALTERNATE_AUDIO_AUTO_SELECT", "audioGroupId": "low",
            "descriptiveVideoServiceFlag": "FLAG"});
        let rendition = Role::Audio {
            group: Some("low".to_owned()),
            default: false,
            auto_select: true,
            describes_video: true,
            name: Some("Director".to_owned()),
        };
        let hls = json!({"audioDescriptions": audio, "outputSettings": {"hlsSettings": flagged}});
        assert_eq!(role_of(hls, false), rendition);
        let cmaf = json!({"audioDescriptions": audio, "containerSettings": {"cmfcSettings": flagged}});
        assert_eq!(role_of(cmaf, true), rendition);

        let plain = json!({"audioDescriptions": audio});
        let all = Role::Variant {
            audio_groups: Vec::new(),
        };
        assert_eq!(role_of(plain.clone(), false), all);
        assert!(
            matches!(
                role_of(plain, true),
                Role::Audio {
                    default: true,
                    group: None,
                    ..
                }
            ),
            "audio of a CMAF group is a rendition"
        );
        let only = json!({"audioDescriptions": audio,
            "containerSettings": {"cmfcSettings": {"audioTrackType": "AUDIO_ONLY_VARIANT_STREAM"}}});
        assert_eq!(role_of(only, true), all);
        let video = json!({"videoDescription": {}, "containerSettings": {"cmfcSettings": {"audioRenditionSets": "a, b"}}});
        let two = Role::Variant {
            audio_groups: vec!["a".to_owned(), "b".to_owned()],
        };
        assert_eq!(role_of(video, true), two);
    }
}
