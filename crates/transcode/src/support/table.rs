//! The table itself. See [`super`].

mod captions;
mod codecs;
mod packaging;
mod picture;
mod refused;

use self::captions::{BURN_IN, CAPTION_SOURCE, CAPTIONS};
use self::codecs::{AV1, CODECS, H264, H265, MPEG2, PRORES, VIDEO_CODEC, VPX};
use self::packaging::{CMAF, DASH, FRAGMENTS, HLS};
use self::picture::{COLOR, IMAGES, NOISE, VIDEO};
use self::refused::{REFUSED, REFUSED_CODECS, REFUSED_GROUP, REFUSED_INPUT, REFUSED_OUTPUT};
use super::Support::{self, Approximated, Harmless, Only, Supported};

const NO_ADS: &str = "no ads are signalled";
const NO_METADATA: &str = "no metadata is inserted";
const NO_TRICK_PLAY: &str = "no pictures for trick play are made";
const BOXES: &str = "boxes are the muxer's choice";
const TIMECODE: &str = "no output carries a timecode, except in its picture";
const PIDS: &str = "the muxer numbers its streams; players read the numbers from the program map";
const NO_CAPTIONS: &str = "no captions are made";
const FIRST_PROGRAM: Support = Approximated(
    &[],
    "streams are taken from the whole file, the best video and the first audio track first",
);
const S3: &str = "the local store has one class of storage, and no keys";
/// AWS fails such a job only on a bucket that enforces its owner.
const ACL: Support = Approximated(
    &["PUBLIC_READ", "AUTHENTICATED_READ", "BUCKET_OWNER_READ"],
    "objects of the local store have no access control list; signatures decide who may watch",
);
const AUDIO_END: Support = Approximated(
    &["MATCH_VIDEO_DURATION"],
    "the audio ends with that of its source: it is not padded or cut to the video",
);
const CADENCE: &str = "keyframes are on the cadence alone";
const DOLBY: &str = "the encoder writes no metadata for broadcasters' decoders beside the dialogue level";
const XHE: &str = "applies to xHE-AAC only";
pub(super) const PASSTHROUGH: Support = Approximated(
    &["WHEN_POSSIBLE"],
    "the audio is encoded again, with the settings of the job",
);
const PSYCHOVISUAL: &str = "the encoder's own psychovisual tuning is used";

/// Settings below a common path.
pub type Section = (&'static str, &'static [(&'static str, Support)]);

/// Settings by path, where `*` is one list index or map key and a last `**` is everything below. Paths are below
/// that of their section; the first that matches counts.
pub const TABLE: &[Section] = &[
    ("", JOB),
    ("/inputs/*", INPUT),
    ("/inputs/*/imageInserter", IMAGES),
    ("/outputGroups/*", GROUP),
    ("/outputGroups/*/outputGroupSettings/hlsGroupSettings", HLS),
    ("/outputGroups/*/outputGroupSettings/cmafGroupSettings", FRAGMENTS),
    ("/outputGroups/*/outputGroupSettings/cmafGroupSettings", CMAF),
    (
        "/outputGroups/*/outputGroupSettings/dashIsoGroupSettings",
        FRAGMENTS,
    ),
    ("/outputGroups/*/outputGroupSettings/dashIsoGroupSettings", DASH),
    ("/outputGroups/*/outputs/*", OUTPUT),
    ("/outputGroups/*/outputs/*/videoDescription", VIDEO),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector",
        COLOR,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/imageInserter",
        IMAGES,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/noiseReducer",
        NOISE,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings",
        H264,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h265Settings",
        H265,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/av1Settings",
        AV1,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/vp8Settings",
        VPX,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/vp9Settings",
        VPX,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/mpeg2Settings",
        MPEG2,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/proresSettings",
        PRORES,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings",
        REFUSED_CODECS,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/*",
        VIDEO_CODEC,
    ),
    ("/outputGroups/*/outputs/*/audioDescriptions/*", SOUND),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings",
        CODECS,
    ),
    ("/inputs/*/captionSelectors/*", CAPTION_SOURCE),
    ("/outputGroups/*/outputs/*/captionDescriptions/*", CAPTIONS),
    (
        "/outputGroups/*/outputs/*/captionDescriptions/*/destinationSettings/burninDestinationSettings",
        BURN_IN,
    ),
    ("/inputs/*", REFUSED_INPUT),
    ("/outputGroups/*", REFUSED_GROUP),
    ("/outputGroups/*/outputs/*", REFUSED_OUTPUT),
    ("", REFUSED),
];

const JOB: &[(&str, Support)] = &[
    ("adAvailOffset", Harmless(NO_ADS)),
    ("availBlanking/**", Harmless(NO_ADS)),
    (
        "extendedDataServices/**",
        Harmless("broadcasters' data in line 21 is not carried"),
    ),
    ("followSource", Supported),
    (
        "timecodeConfig/source",
        Only(&["EMBEDDED", "ZEROBASED", "SPECIFIEDSTART"]),
    ),
    ("timecodeConfig/start", Supported),
    ("timecodeConfig/timestampOffset", Supported),
    ("timecodeConfig/**", Harmless(TIMECODE)),
];

const INPUT: &[(&str, Support)] = &[
    ("fileInput", Supported),
    (
        "timecodeSource",
        Only(&["EMBEDDED", "ZEROBASED", "SPECIFIEDSTART"]),
    ),
    ("timecodeStart", Supported),
    ("inputClippings/*/startTimecode", Supported),
    ("inputClippings/*/endTimecode", Supported),
    ("advancedInputFilter", Only(&["DISABLED"])),
    (
        "advancedInputFilterSettings/**",
        Harmless("the advanced filter is off"),
    ),
    ("programNumber", FIRST_PROGRAM),
    ("crop/*", Supported),
    ("position/*", Supported),
    ("filterEnable", Supported),
    ("filterStrength", Supported),
    ("deblockFilter", Supported),
    ("denoiseFilter", Supported),
    (
        "psiControl",
        Harmless("the demuxer uses the tables if they are intact"),
    ),
    ("inputScanType", Only(&["AUTO", "PSF"])),
    ("videoSelector/embeddedTimecodeOverride", Only(&["NONE"])),
    ("videoSelector/programNumber", FIRST_PROGRAM),
    ("videoSelector/selectorType", Only(&["AUTO"])),
    ("videoSelector/rotate", Supported),
    (
        "videoSelector/colorSpace",
        Only(&["FOLLOW", "REC_601", "REC_709", "HDR10", "HLG_2020"]),
    ),
    ("videoSelector/colorSpaceUsage", Only(&["FALLBACK", "FORCE"])),
    ("videoSelector/hdr10Metadata/*", Supported),
    (
        "videoSelector/maxLuminance",
        Harmless("the curve of the tone mapping has no such limit"),
    ),
    ("videoSelector/alphaBehavior", Only(&["DISCARD", "REMAP_TO_LUMA"])),
    (
        "videoSelector/sampleRange",
        Only(&["FOLLOW", "FULL_RANGE", "LIMITED_RANGE"]),
    ),
    ("videoSelector/padVideo", Only(&["DISABLED"])),
    ("audioSelectors/*/tracks/*", Supported),
    ("audioSelectors/*/streams/*", Supported),
    ("audioSelectors/*/pids/*", Supported),
    (
        "audioSelectors/*/selectorType",
        Only(&["TRACK", "LANGUAGE_CODE", "PID", "STREAM", "ALL_PCM"]),
    ),
    ("audioSelectors/*/customLanguageCode", Supported),
    ("audioSelectors/*/externalAudioFileInput", Supported),
    ("audioSelectors/*/remixSettings/channelsIn", Supported),
    ("audioSelectors/*/remixSettings/channelsOut", Supported),
    (
        "audioSelectors/*/remixSettings/channelMapping/outputChannels/*/*/*",
        Supported,
    ),
    ("audioSelectorGroups/*/audioSelectorNames/*", Supported),
    ("audioSelectors/*/languageCode", Supported),
    ("audioSelectors/*/defaultSelection", Supported),
    ("audioSelectors/*/offset", Supported),
    ("audioSelectors/*/programSelection", Only(&["0", "1"])),
    (
        "audioSelectors/*/audioDurationCorrection",
        Harmless("the timestamps of the source keep audio and video together"),
    ),
];

const GROUP: &[(&str, Support)] = &[
    ("automatedEncodingSettings/abrSettings/maxAbrBitrate", Supported),
    ("automatedEncodingSettings/abrSettings/minAbrBitrate", Supported),
    ("automatedEncodingSettings/abrSettings/maxRenditions", Supported),
    (
        "automatedEncodingSettings/abrSettings/maxQualityLevel",
        Harmless("the quality level of the output counts"),
    ),
    ("automatedEncodingSettings/abrSettings/rules/**", Supported),
    ("name", Harmless("a label")),
    ("customName", Harmless("a label")),
    (
        "outputGroupSettings/type",
        Only(&[
            "HLS_GROUP_SETTINGS",
            "CMAF_GROUP_SETTINGS",
            "DASH_ISO_GROUP_SETTINGS",
            "FILE_GROUP_SETTINGS",
        ]),
    ),
    ("outputGroupSettings/fileGroupSettings/destination", Supported),
    (
        "outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl",
        ACL,
    ),
    (
        "outputGroupSettings/fileGroupSettings/destinationSettings/**",
        Harmless(S3),
    ),
];

const OUTPUT: &[(&str, Support)] = &[
    ("nameModifier", Supported),
    ("extension", Supported),
    ("outputSettings/hlsSettings/segmentModifier", Supported),
    (
        "outputSettings/hlsSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE", "INCLUDE"]),
    ),
    ("outputSettings/hlsSettings/audioGroupId", Supported),
    ("outputSettings/hlsSettings/audioRenditionSets", Supported),
    ("outputSettings/hlsSettings/audioTrackType", Supported),
    (
        "outputSettings/hlsSettings/descriptiveVideoServiceFlag",
        Supported,
    ),
    (
        "outputSettings/hlsSettings/audioOnlyContainer",
        Only(&["AUTOMATIC"]),
    ),
    ("containerSettings/container", Supported),
    ("containerSettings/mp4Settings/moovPlacement", Supported),
    ("containerSettings/mp4Settings/cslgAtom", Harmless(BOXES)),
    ("containerSettings/mp4Settings/freeSpaceBox", Only(&["EXCLUDE"])),
    ("containerSettings/mp4Settings/cttsVersion", Harmless(BOXES)),
    ("containerSettings/mp4Settings/audioDuration", AUDIO_END),
    ("containerSettings/m3u8Settings/audioDuration", AUDIO_END),
    ("containerSettings/m3u8Settings/scte35Source", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/timedMetadata", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/nielsenId3", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/**", Harmless(PIDS)),
    ("containerSettings/m2tsSettings/audioDuration", AUDIO_END),
    ("containerSettings/m2tsSettings/klvMetadata", Only(&["NONE"])),
    ("containerSettings/m2tsSettings/nielsenId3", Only(&["NONE"])),
    ("containerSettings/m2tsSettings/scte35Source", Only(&["NONE"])),
    ("containerSettings/m2tsSettings/**", Harmless(PIDS)),
    ("containerSettings/mp4Settings/mp4MajorBrand", Harmless(BOXES)),
    ("containerSettings/f4vSettings/**", Harmless(BOXES)),
    ("containerSettings/movSettings/**", Harmless(BOXES)),
    (
        "containerSettings/cmfcSettings/manifestMetadataSignaling",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/cmfcSettings/timedMetadataBoxVersion",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/cmfcSettings/timedMetadataSchemeIdUri",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/cmfcSettings/timedMetadataValue",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/mpdSettings/manifestMetadataSignaling",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/mpdSettings/timedMetadataBoxVersion",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/mpdSettings/timedMetadataSchemeIdUri",
        Harmless(NO_METADATA),
    ),
    (
        "containerSettings/mpdSettings/timedMetadataValue",
        Harmless(NO_METADATA),
    ),
    ("containerSettings/cmfcSettings/audioGroupId", Supported),
    ("containerSettings/cmfcSettings/audioRenditionSets", Supported),
    ("containerSettings/cmfcSettings/audioTrackType", Supported),
    (
        "containerSettings/cmfcSettings/descriptiveVideoServiceFlag",
        Supported,
    ),
    ("containerSettings/cmfcSettings/audioDuration", AUDIO_END),
    (
        "containerSettings/cmfcSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE", "INCLUDE"]),
    ),
    ("containerSettings/cmfcSettings/scte35Source", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/scte35Esam", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/klvMetadata", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/timedMetadata", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/c2paManifest", Only(&["EXCLUDE"])),
    ("containerSettings/mpdSettings/audioDuration", AUDIO_END),
    (
        "containerSettings/mpdSettings/accessibilityCaptionHints",
        Harmless(NO_CAPTIONS),
    ),
    (
        "containerSettings/mpdSettings/captionContainerType",
        Harmless(NO_CAPTIONS),
    ),
    ("containerSettings/mpdSettings/scte35Source", Only(&["NONE"])),
    ("containerSettings/mpdSettings/scte35Esam", Only(&["NONE"])),
    ("containerSettings/mpdSettings/klvMetadata", Only(&["NONE"])),
    ("containerSettings/mpdSettings/timedMetadata", Only(&["NONE"])),
    ("containerSettings/mpdSettings/c2paManifest", Only(&["EXCLUDE"])),
];

const SOUND: &[(&str, Support)] = &[
    ("audioSourceName", Supported),
    ("audioType", Harmless("the audio type descriptor is not written")),
    (
        "audioTypeControl",
        Harmless("the audio type descriptor is not written"),
    ),
    ("languageCode", Supported),
    ("customLanguageCode", Supported),
    ("languageCodeControl", Supported),
    ("streamName", Supported),
    ("remixSettings/channelsIn", Supported),
    ("remixSettings/channelsOut", Supported),
    ("remixSettings/channelMapping/outputChannels/*/*/*", Supported),
    (
        "audioPitchCorrectionSettings/**",
        Harmless("audio keeps its speed"),
    ),
    (
        "audioNormalizationSettings/algorithm",
        Only(&["ITU_BS_1770_1", "ITU_BS_1770_2", "ITU_BS_1770_3", "ITU_BS_1770_4"]),
    ),
    ("audioNormalizationSettings/algorithmControl", Supported),
    ("audioNormalizationSettings/correctionGateLevel", Supported),
    ("audioNormalizationSettings/loudnessLogging", Supported),
    ("audioNormalizationSettings/peakCalculation", Supported),
    ("audioNormalizationSettings/targetLkfs", Supported),
    ("audioNormalizationSettings/truePeakLimiterThreshold", Supported),
    (
        "codecSettings/codec",
        Only(&[
            "AAC", "AC3", "EAC3", "MP2", "MP3", "OPUS", "VORBIS", "WAV", "AIFF", "FLAC",
        ]),
    ),
    ("codecSettings/aacSettings/bitrate", Supported),
    (
        "codecSettings/aacSettings/codingMode",
        Only(&[
            "CODING_MODE_1_0",
            "CODING_MODE_2_0",
            "CODING_MODE_5_1",
            "CODING_MODE_AUTO",
        ]),
    ),
    ("codecSettings/aacSettings/sampleRate", Supported),
    ("codecSettings/aacSettings/codecProfile", Only(&["LC", "HEV1"])),
    ("codecSettings/aacSettings/rateControlMode", Supported),
    ("codecSettings/aacSettings/vbrQuality", Supported),
    ("codecSettings/aacSettings/rawFormat", Only(&["NONE"])),
    (
        "codecSettings/aacSettings/specification",
        Approximated(&["MPEG2"], "the stream is marked as MPEG-4"),
    ),
    (
        "codecSettings/aacSettings/audioDescriptionBroadcasterMix",
        Approximated(
            &["BROADCASTER_MIXED_AD"],
            "the stream is not marked as audio description",
        ),
    ),
    ("codecSettings/aacSettings/loudnessMeasurementMode", Harmless(XHE)),
    ("codecSettings/aacSettings/rapInterval", Harmless(XHE)),
    ("codecSettings/aacSettings/targetLoudnessRange", Harmless(XHE)),
    ("codecSettings/aacSettings/passthroughControl", PASSTHROUGH),
    (
        "audioChannelTaggingSettings/**",
        Harmless("the number of channels says which they are"),
    ),
];
