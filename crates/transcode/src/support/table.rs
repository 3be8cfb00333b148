//! The table itself. See [`super`].

mod codecs;
mod refused;

use self::codecs::{AV1, CODECS, H264, H265, MPEG2, PRORES, VIDEO_CODEC, VPX};
use self::refused::{REFUSED, REFUSED_GROUP, REFUSED_INPUT, REFUSED_OUTPUT};
use super::Support::{self, Approximated, Harmless, Only, Supported};

const TIMECODE: &str = "no output carries a timecode, and nothing is clipped by one";
const PIDS: &str = "the muxer numbers its streams; players read the numbers from the program map";
const NO_CAPTIONS: &str = "no captions are made";
const ONE_FILE: &str = "all files are sent when the job is done";
const S3: &str = "the local store has one class of storage, and no keys";
/// AWS fails such a job only on a bucket that enforces its owner.
const ACL: Support = Approximated(
    &["PUBLIC_READ", "AUTHENTICATED_READ", "BUCKET_OWNER_READ"],
    "objects of the local store have no access control list; signatures decide who may watch",
);
const CADENCE: &str = "keyframes are on the cadence alone";
const DOLBY: &str = "the encoder writes no metadata for broadcasters' decoders beside the dialogue level";
const PROGRESSIVE: &str = "outputs are progressive";
const PSYCHOVISUAL: &str = "the encoder's own psychovisual tuning is used";

/// Settings below a common path.
pub type Section = (&'static str, &'static [(&'static str, Support)]);

/// Settings by path, where `*` is one list index or map key and a last `**` is everything below. Paths are below
/// that of their section; the first that matches counts.
pub const TABLE: &[Section] = &[
    ("", JOB),
    ("/inputs/*", INPUT),
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

const CAPTION_SOURCE: &[(&str, Support)] = &[
    ("customLanguageCode", Supported),
    (
        "languageCode",
        Harmless("the captions of an output have a language of their own"),
    ),
    (
        "sourceSettings/sourceType",
        Only(&[
            "SRT",
            "WEBVTT",
            "TTML",
            "IMSC",
            "SMPTE_TT",
            "TT_3GPP",
            "SMI",
            "NULL_SOURCE",
        ]),
    ),
    ("sourceSettings/fileSourceSettings/sourceFile", Supported),
    ("sourceSettings/fileSourceSettings/timeDelta", Supported),
    ("sourceSettings/fileSourceSettings/timeDeltaUnits", Supported),
    (
        "sourceSettings/fileSourceSettings/convert608To708",
        Only(&["DISABLED"]),
    ),
    (
        "sourceSettings/fileSourceSettings/convertPaintToPop",
        Only(&["DISABLED"]),
    ),
];

const CAPTIONS: &[(&str, Support)] = &[
    ("captionSelectorName", Supported),
    ("customLanguageCode", Supported),
    ("languageCode", Supported),
    ("languageDescription", Supported),
    (
        "destinationSettings/destinationType",
        Only(&["BURN_IN", "WEBVTT", "SRT", "TTML", "IMSC", "SMI"]),
    ),
    (
        "destinationSettings/webvttDestinationSettings/stylePassthrough",
        Supported,
    ),
    (
        "destinationSettings/webvttDestinationSettings/accessibility",
        Supported,
    ),
    (
        "destinationSettings/srtDestinationSettings/stylePassthrough",
        Supported,
    ),
    (
        "destinationSettings/ttmlDestinationSettings/stylePassthrough",
        Supported,
    ),
    (
        "destinationSettings/imscDestinationSettings/stylePassthrough",
        Supported,
    ),
    (
        "destinationSettings/imscDestinationSettings/accessibility",
        Supported,
    ),
];

const BURN_IN: &[(&str, Support)] = &[
    ("alignment", Supported),
    ("applyFontColor", Only(&["ALL_TEXT"])),
    ("backgroundColor", Supported),
    ("backgroundOpacity", Supported),
    (
        "fallbackFont",
        Harmless("a character that the font lacks comes from any font of the system"),
    ),
    ("fontColor", Supported),
    ("fontOpacity", Supported),
    ("fontResolution", Harmless("sizes are in pixels")),
    (
        "fontScript",
        Harmless("a character that the font lacks comes from any font of the system"),
    ),
    ("fontSize", Supported),
    ("hexFontColor", Supported),
    ("outlineColor", Supported),
    ("outlineSize", Supported),
    ("shadowColor", Supported),
    ("shadowOpacity", Supported),
    ("shadowXOffset", Supported),
    ("shadowYOffset", Supported),
    ("stylePassthrough", Supported),
    ("teletextSpacing", Harmless("no source is teletext")),
    ("xPosition", Supported),
    ("yPosition", Supported),
];

const JOB: &[(&str, Support)] = &[
    ("adAvailOffset", Harmless("no ads are signalled")),
    ("followSource", Only(&["1"])),
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
    ("filterEnable", Only(&["AUTO", "DISABLE"])),
    ("filterStrength", Only(&["0"])),
    ("deblockFilter", Only(&["DISABLED"])),
    ("denoiseFilter", Only(&["DISABLED"])),
    (
        "psiControl",
        Harmless("the demuxer uses the tables if they are intact"),
    ),
    ("inputScanType", Only(&["AUTO"])),
    ("videoSelector/rotate", Supported),
    ("videoSelector/colorSpace", Only(&["FOLLOW"])),
    ("videoSelector/colorSpaceUsage", Only(&["FALLBACK"])),
    ("videoSelector/alphaBehavior", Only(&["DISCARD"])),
    ("videoSelector/sampleRange", Only(&["FOLLOW"])),
    ("videoSelector/padVideo", Only(&["DISABLED"])),
    ("audioSelectors/*/tracks/*", Supported),
    ("audioSelectors/*/selectorType", Only(&["TRACK", "LANGUAGE_CODE"])),
    ("audioSelectors/*/languageCode", Supported),
    ("audioSelectors/*/defaultSelection", Supported),
    ("audioSelectors/*/offset", Supported),
    ("audioSelectors/*/programSelection", Only(&["0", "1"])),
    (
        "audioSelectors/*/audioDurationCorrection",
        Only(&["DISABLED", "AUTO"]),
    ),
];

const GROUP: &[(&str, Support)] = &[
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

const HLS: &[(&str, Support)] = &[
    ("destination", Supported),
    ("destinationSettings/s3Settings/accessControl/cannedAcl", ACL),
    ("destinationSettings/**", Harmless(S3)),
    ("segmentLength", Supported),
    ("segmentLengthControl", Only(&["EXACT", "GOP_MULTIPLE"])),
    ("minSegmentLength", Harmless("applies to ad breaks only")),
    ("minFinalSegmentLength", Supported),
    ("segmentControl", Only(&["SEGMENTED_FILES", "SINGLE_FILE"])),
    ("directoryStructure", Only(&["SINGLE_DIRECTORY"])),
    ("manifestDurationFormat", Supported),
    ("targetDurationCompatibilityMode", Supported),
    ("codecSpecification", Supported),
    ("streamInfResolution", Supported),
    ("clientCache", Supported),
    ("outputSelection", Only(&["MANIFESTS_AND_SEGMENTS"])),
    ("manifestCompression", Only(&["NONE"])),
    ("progressiveWriteHlsManifest", Harmless(ONE_FILE)),
    ("programDateTime", Only(&["EXCLUDE"])),
    ("programDateTimePeriod", Harmless("no date and time is written")),
    ("imageBasedTrickPlay", Only(&["NONE"])),
    ("captionLanguageSetting", Only(&["OMIT"])),
    ("captionSegmentLengthControl", Supported),
    ("audioOnlyHeader", Only(&["INCLUDE"])),
    ("baseUrl", Supported),
    ("timedMetadataId3Frame", Harmless("no metadata is inserted")),
    ("timedMetadataId3Period", Harmless("no metadata is inserted")),
    ("timestampDeltaMilliseconds", Only(&["0"])),
];

/// Settings that CMAF and DASH groups have in common.
const FRAGMENTS: &[(&str, Support)] = &[
    ("destination", Supported),
    ("destinationSettings/s3Settings/accessControl/cannedAcl", ACL),
    ("destinationSettings/**", Harmless(S3)),
    ("segmentLength", Supported),
    ("segmentLengthControl", Only(&["EXACT", "GOP_MULTIPLE"])),
    ("minFinalSegmentLength", Supported),
    ("fragmentLength", Supported),
    ("segmentControl", Only(&["SEGMENTED_FILES", "SINGLE_FILE"])),
    ("baseUrl", Supported),
    ("writeSegmentTimelineInRepresentation", Supported),
    ("dashManifestStyle", Only(&["BASIC", "COMPACT", "DISTINCT"])),
    ("mpdManifestBandwidthType", Supported),
    ("mpdProfile", Only(&["MAIN_PROFILE"])),
    ("minBufferTime", Supported),
    ("imageBasedTrickPlay", Only(&["NONE"])),
    ("videoCompositionOffsets", Only(&["UNSIGNED"])),
    ("ptsOffsetHandlingForBFrames", Only(&["ZERO_BASED"])),
];

const CMAF: &[(&str, Support)] = &[
    ("manifestDurationFormat", Supported),
    ("targetDurationCompatibilityMode", Supported),
    ("codecSpecification", Supported),
    ("streamInfResolution", Supported),
    ("clientCache", Supported),
    ("manifestCompression", Only(&["NONE"])),
    ("writeHlsManifest", Supported),
    ("writeDashManifest", Supported),
];

const DASH: &[(&str, Support)] = &[
    ("hbbtvCompliance", Only(&["NONE"])),
    (
        "audioChannelConfigSchemeIdUri",
        Only(&["MPEG_CHANNEL_CONFIGURATION"]),
    ),
];

const OUTPUT: &[(&str, Support)] = &[
    ("nameModifier", Supported),
    ("extension", Supported),
    ("outputSettings/hlsSettings/segmentModifier", Supported),
    (
        "outputSettings/hlsSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE"]),
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
    (
        "containerSettings/mp4Settings/cslgAtom",
        Harmless("boxes are the muxer's choice"),
    ),
    ("containerSettings/mp4Settings/freeSpaceBox", Only(&["EXCLUDE"])),
    (
        "containerSettings/mp4Settings/cttsVersion",
        Harmless("boxes are the muxer's choice"),
    ),
    (
        "containerSettings/mp4Settings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
    (
        "containerSettings/m3u8Settings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
    ("containerSettings/m3u8Settings/scte35Source", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/timedMetadata", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/nielsenId3", Only(&["NONE"])),
    ("containerSettings/m3u8Settings/**", Harmless(PIDS)),
    ("containerSettings/cmfcSettings/audioGroupId", Supported),
    ("containerSettings/cmfcSettings/audioRenditionSets", Supported),
    ("containerSettings/cmfcSettings/audioTrackType", Supported),
    (
        "containerSettings/cmfcSettings/descriptiveVideoServiceFlag",
        Supported,
    ),
    (
        "containerSettings/cmfcSettings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
    (
        "containerSettings/cmfcSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE"]),
    ),
    ("containerSettings/cmfcSettings/scte35Source", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/scte35Esam", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/klvMetadata", Only(&["NONE"])),
    ("containerSettings/cmfcSettings/timedMetadata", Only(&["NONE"])),
    (
        "containerSettings/mpdSettings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
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
];

const VIDEO: &[(&str, Support)] = &[
    ("width", Supported),
    ("height", Supported),
    (
        "scalingBehavior",
        Only(&["DEFAULT", "STRETCH_TO_OUTPUT", "FIT", "FIT_NO_UPSCALE", "FILL"]),
    ),
    ("sharpness", Supported),
    ("antiAlias", Harmless("scaling always filters")),
    ("afdSignaling", Only(&["NONE"])),
    ("respondToAfd", Only(&["NONE"])),
    ("colorMetadata", Only(&["INSERT"])),
    ("dropFrameTimecode", Harmless(TIMECODE)),
    ("timecodeInsertion", Only(&["DISABLED"])),
    ("timecodeTrack", Only(&["DISABLED"])),
    ("chromaPositionMode", Only(&["AUTO"])),
    (
        "videoPreprocessors/colorCorrector/colorSpaceConversion",
        Only(&["NONE", "FORCE_709"]),
    ),
    ("videoPreprocessors/colorCorrector/brightness", Only(&["50"])),
    ("videoPreprocessors/colorCorrector/contrast", Only(&["50"])),
    ("videoPreprocessors/colorCorrector/hue", Only(&["0"])),
    ("videoPreprocessors/colorCorrector/saturation", Only(&["50"])),
    (
        "codecSettings/codec",
        Only(&[
            "H_264",
            "H_265",
            "AV1",
            "VP8",
            "VP9",
            "MPEG2",
            "PRORES",
            "FRAME_CAPTURE",
        ]),
    ),
    (
        "videoPreprocessors/deinterlacer/mode",
        Only(&["DEINTERLACE", "INVERSE_TELECINE", "ADAPTIVE"]),
    ),
    (
        "videoPreprocessors/deinterlacer/control",
        Only(&["NORMAL", "FORCE_ALL_FRAMES"]),
    ),
    (
        "videoPreprocessors/deinterlacer/algorithm",
        Harmless("one motion-adaptive filter is used for all algorithms"),
    ),
    ("codecSettings/frameCaptureSettings/framerateNumerator", Supported),
    (
        "codecSettings/frameCaptureSettings/framerateDenominator",
        Supported,
    ),
    ("codecSettings/frameCaptureSettings/maxCaptures", Supported),
    ("codecSettings/frameCaptureSettings/quality", Supported),
];

const SOUND: &[(&str, Support)] = &[
    ("audioSourceName", Supported),
    ("audioType", Harmless("the audio type descriptor is not written")),
    (
        "audioTypeControl",
        Harmless("the audio type descriptor is not written"),
    ),
    ("languageCode", Supported),
    ("languageCodeControl", Supported),
    ("streamName", Supported),
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
    ("codecSettings/aacSettings/specification", Only(&["MPEG4"])),
    (
        "codecSettings/aacSettings/audioDescriptionBroadcasterMix",
        Only(&["NORMAL"]),
    ),
];
