//! The table itself. See [`super`].

use super::Support::{self, Harmless, Only, Supported};

const TIMECODE: &str = "no output carries a timecode, and nothing is clipped by one";
const PIDS: &str = "the muxer numbers its streams; players read the numbers from the program map";
const NO_CAPTIONS: &str = "no captions are made";
const ONE_FILE: &str = "all files are sent when the job is done";
const S3: &str = "the local store has one class of storage, and no keys";
/// Signatures decide who may watch; AWS also fails such a job on a bucket that enforces its owner.
const NO_ACL: Support = Only(&["BUCKET_OWNER_FULL_CONTROL"]);
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
    ("/outputGroups/*/outputs/*", OUTPUT),
    ("/outputGroups/*/outputs/*/videoDescription", VIDEO),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings",
        H264,
    ),
    ("/outputGroups/*/outputs/*/audioDescriptions/*", SOUND),
];

const JOB: &[(&str, Support)] = &[
    ("adAvailOffset", Harmless("no ads are signalled")),
    ("followSource", Only(&["1"])),
    ("timecodeConfig/**", Harmless(TIMECODE)),
];

const INPUT: &[(&str, Support)] = &[
    ("fileInput", Supported),
    ("timecodeSource", Harmless(TIMECODE)),
    ("timecodeStart", Harmless(TIMECODE)),
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
        Only(&["HLS_GROUP_SETTINGS", "FILE_GROUP_SETTINGS"]),
    ),
    ("outputGroupSettings/fileGroupSettings/destination", Supported),
    (
        "outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl",
        NO_ACL,
    ),
    (
        "outputGroupSettings/fileGroupSettings/destinationSettings/**",
        Harmless(S3),
    ),
];

const HLS: &[(&str, Support)] = &[
    ("destination", Supported),
    ("destinationSettings/s3Settings/accessControl/cannedAcl", NO_ACL),
    ("destinationSettings/**", Harmless(S3)),
    ("segmentLength", Supported),
    ("segmentLengthControl", Only(&["EXACT", "GOP_MULTIPLE"])),
    ("minSegmentLength", Harmless("applies to ad breaks only")),
    ("minFinalSegmentLength", Only(&["0", "0.0"])),
    ("segmentControl", Only(&["SEGMENTED_FILES"])),
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
    ("captionLanguageSetting", Harmless(NO_CAPTIONS)),
    ("captionSegmentLengthControl", Harmless(NO_CAPTIONS)),
    ("audioOnlyHeader", Harmless("no output is audio alone")),
    ("timedMetadataId3Frame", Harmless("no metadata is inserted")),
    ("timedMetadataId3Period", Harmless("no metadata is inserted")),
    ("timestampDeltaMilliseconds", Only(&["0"])),
];

const OUTPUT: &[(&str, Support)] = &[
    ("nameModifier", Supported),
    ("extension", Supported),
    ("outputSettings/hlsSettings/segmentModifier", Supported),
    (
        "outputSettings/hlsSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE"]),
    ),
    (
        "outputSettings/hlsSettings/audioGroupId",
        Harmless("audio is in the video's own segments"),
    ),
    (
        "outputSettings/hlsSettings/audioRenditionSets",
        Harmless("audio is in the video's own segments"),
    ),
    (
        "outputSettings/hlsSettings/audioOnlyContainer",
        Harmless("no output is audio alone"),
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
    ("codecSettings/codec", Only(&["H_264", "FRAME_CAPTURE"])),
    ("codecSettings/frameCaptureSettings/framerateNumerator", Supported),
    (
        "codecSettings/frameCaptureSettings/framerateDenominator",
        Supported,
    ),
    ("codecSettings/frameCaptureSettings/maxCaptures", Supported),
    ("codecSettings/frameCaptureSettings/quality", Supported),
];

const H264: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["VBR", "CBR", "QVBR"])),
    ("bitrate", Supported),
    ("maxBitrate", Supported),
    ("hrdBufferSize", Supported),
    ("hrdBufferInitialFillPercentage", Supported),
    ("qvbrSettings/qvbrQualityLevel", Supported),
    ("qvbrSettings/qvbrQualityLevelFineTune", Supported),
    (
        "qualityTuningLevel",
        Only(&["SINGLE_PASS", "SINGLE_PASS_HQ", "MULTI_PASS_HQ"]),
    ),
    ("codecProfile", Only(&["BASELINE", "MAIN", "HIGH"])),
    ("codecLevel", Supported),
    ("entropyEncoding", Supported),
    ("gopSize", Supported),
    ("gopSizeUnits", Supported),
    ("gopClosedCadence", Only(&["1"])),
    ("gopBReference", Supported),
    ("dynamicSubGop", Supported),
    ("minIInterval", Only(&["0"])),
    ("numberBFramesBetweenReferenceFrames", Supported),
    ("numberReferenceFrames", Supported),
    ("sceneChangeDetect", Supported),
    ("slices", Supported),
    ("adaptiveQuantization", Supported),
    ("spatialAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("temporalAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("flickerAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("softness", Only(&["0"])),
    ("framerateControl", Supported),
    ("framerateNumerator", Supported),
    ("framerateDenominator", Supported),
    ("framerateConversionAlgorithm", Only(&["DUPLICATE_DROP"])),
    ("parControl", Supported),
    ("parNumerator", Supported),
    ("parDenominator", Supported),
    ("interlaceMode", Only(&["PROGRESSIVE"])),
    ("fieldEncoding", Harmless(PROGRESSIVE)),
    ("scanTypeConversionMode", Harmless(PROGRESSIVE)),
    ("telecine", Only(&["NONE"])),
    ("slowPal", Only(&["DISABLED"])),
    ("syntax", Only(&["DEFAULT"])),
    ("repeatPps", Only(&["DISABLED"])),
    ("unregisteredSeiTimecode", Only(&["DISABLED"])),
    ("endOfStreamMarkers", Only(&["SUPPRESS"])),
    ("writeMp4PackagingType", Only(&["AVC1"])),
    ("saliencyAwareEncoding", Only(&["DISABLED"])),
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
    ("streamName", Harmless("names separate renditions of audio only")),
    ("codecSettings/codec", Only(&["AAC"])),
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
    ("codecSettings/aacSettings/codecProfile", Only(&["LC"])),
    ("codecSettings/aacSettings/rateControlMode", Supported),
    ("codecSettings/aacSettings/vbrQuality", Supported),
    ("codecSettings/aacSettings/rawFormat", Only(&["NONE"])),
    ("codecSettings/aacSettings/specification", Only(&["MPEG4"])),
    (
        "codecSettings/aacSettings/audioDescriptionBroadcasterMix",
        Only(&["NORMAL"]),
    ),
];
