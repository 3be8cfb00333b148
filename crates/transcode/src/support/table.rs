//! The table itself. See [`super`].

use super::Support::{self, Harmless, Honoured, Only};

const TIMECODE: &str = "no output carries a timecode, and nothing is clipped by one";
const PIDS: &str = "the muxer numbers its streams; players read the numbers from the program map";
const NO_CAPTIONS: &str = "no captions are made";
const ONE_FILE: &str = "all files are sent when the job is done";
const S3: &str = "the local store has one class of storage, and no keys";
/// Who may watch is decided by signatures; on a bucket that enforces its owner AWS fails such a job too.
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
    ("fileInput", Honoured),
    ("timecodeSource", Harmless(TIMECODE)),
    ("timecodeStart", Harmless(TIMECODE)),
    ("filterEnable", Only(&["AUTO", "DISABLE"])),
    ("filterStrength", Only(&["0"])),
    ("deblockFilter", Only(&["DISABLED"])),
    ("denoiseFilter", Only(&["DISABLED"])),
    (
        "psiControl",
        Harmless("the demuxer uses the tables where they are sound"),
    ),
    ("inputScanType", Only(&["AUTO"])),
    ("videoSelector/rotate", Honoured),
    ("videoSelector/colorSpace", Only(&["FOLLOW"])),
    ("videoSelector/colorSpaceUsage", Only(&["FALLBACK"])),
    ("videoSelector/alphaBehavior", Only(&["DISCARD"])),
    ("videoSelector/sampleRange", Only(&["FOLLOW"])),
    ("videoSelector/padVideo", Only(&["DISABLED"])),
    ("audioSelectors/*/tracks/*", Honoured),
    ("audioSelectors/*/selectorType", Only(&["TRACK", "LANGUAGE_CODE"])),
    ("audioSelectors/*/languageCode", Honoured),
    ("audioSelectors/*/defaultSelection", Honoured),
    ("audioSelectors/*/offset", Honoured),
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
    ("outputGroupSettings/fileGroupSettings/destination", Honoured),
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
    ("destination", Honoured),
    ("destinationSettings/s3Settings/accessControl/cannedAcl", NO_ACL),
    ("destinationSettings/**", Harmless(S3)),
    ("segmentLength", Honoured),
    ("segmentLengthControl", Only(&["EXACT", "GOP_MULTIPLE"])),
    ("minSegmentLength", Harmless("applies to ad breaks only")),
    ("minFinalSegmentLength", Only(&["0", "0.0"])),
    ("segmentControl", Only(&["SEGMENTED_FILES"])),
    ("directoryStructure", Only(&["SINGLE_DIRECTORY"])),
    ("manifestDurationFormat", Honoured),
    ("targetDurationCompatibilityMode", Honoured),
    ("codecSpecification", Honoured),
    ("streamInfResolution", Honoured),
    ("clientCache", Honoured),
    ("outputSelection", Only(&["MANIFESTS_AND_SEGMENTS"])),
    ("manifestCompression", Only(&["NONE"])),
    ("progressiveWriteHlsManifest", Harmless(ONE_FILE)),
    ("programDateTime", Only(&["EXCLUDE"])),
    ("programDateTimePeriod", Harmless("no date and time is written")),
    ("imageBasedTrickPlay", Only(&["NONE"])),
    ("captionLanguageSetting", Harmless(NO_CAPTIONS)),
    ("captionSegmentLengthControl", Harmless(NO_CAPTIONS)),
    ("audioOnlyHeader", Harmless("no output is sound alone")),
    ("timedMetadataId3Frame", Harmless("no metadata is inserted")),
    ("timedMetadataId3Period", Harmless("no metadata is inserted")),
    ("timestampDeltaMilliseconds", Only(&["0"])),
];

const OUTPUT: &[(&str, Support)] = &[
    ("nameModifier", Honoured),
    ("extension", Honoured),
    ("outputSettings/hlsSettings/segmentModifier", Honoured),
    (
        "outputSettings/hlsSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE"]),
    ),
    (
        "outputSettings/hlsSettings/audioGroupId",
        Harmless("sound is in the video's own segments"),
    ),
    (
        "outputSettings/hlsSettings/audioRenditionSets",
        Harmless("sound is in the video's own segments"),
    ),
    (
        "outputSettings/hlsSettings/audioOnlyContainer",
        Harmless("no output is sound alone"),
    ),
    ("containerSettings/container", Honoured),
    ("containerSettings/mp4Settings/moovPlacement", Honoured),
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
    ("width", Honoured),
    ("height", Honoured),
    (
        "scalingBehavior",
        Only(&["DEFAULT", "STRETCH_TO_OUTPUT", "FIT", "FIT_NO_UPSCALE", "FILL"]),
    ),
    ("sharpness", Honoured),
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
    ("codecSettings/frameCaptureSettings/framerateNumerator", Honoured),
    (
        "codecSettings/frameCaptureSettings/framerateDenominator",
        Honoured,
    ),
    ("codecSettings/frameCaptureSettings/maxCaptures", Honoured),
    ("codecSettings/frameCaptureSettings/quality", Honoured),
];

const H264: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["VBR", "CBR", "QVBR"])),
    ("bitrate", Honoured),
    ("maxBitrate", Honoured),
    ("hrdBufferSize", Honoured),
    ("hrdBufferInitialFillPercentage", Honoured),
    ("qvbrSettings/qvbrQualityLevel", Honoured),
    ("qvbrSettings/qvbrQualityLevelFineTune", Honoured),
    (
        "qualityTuningLevel",
        Only(&["SINGLE_PASS", "SINGLE_PASS_HQ", "MULTI_PASS_HQ"]),
    ),
    ("codecProfile", Only(&["BASELINE", "MAIN", "HIGH"])),
    ("codecLevel", Honoured),
    ("entropyEncoding", Honoured),
    ("gopSize", Honoured),
    ("gopSizeUnits", Honoured),
    ("gopClosedCadence", Only(&["1"])),
    ("gopBReference", Honoured),
    ("dynamicSubGop", Honoured),
    ("minIInterval", Only(&["0"])),
    ("numberBFramesBetweenReferenceFrames", Honoured),
    ("numberReferenceFrames", Honoured),
    ("sceneChangeDetect", Honoured),
    ("slices", Honoured),
    ("adaptiveQuantization", Honoured),
    ("spatialAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("temporalAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("flickerAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("softness", Only(&["0"])),
    ("framerateControl", Honoured),
    ("framerateNumerator", Honoured),
    ("framerateDenominator", Honoured),
    ("framerateConversionAlgorithm", Only(&["DUPLICATE_DROP"])),
    ("parControl", Honoured),
    ("parNumerator", Honoured),
    ("parDenominator", Honoured),
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
    ("audioSourceName", Honoured),
    ("audioType", Harmless("the audio type descriptor is not written")),
    (
        "audioTypeControl",
        Harmless("the audio type descriptor is not written"),
    ),
    ("languageCode", Honoured),
    ("languageCodeControl", Honoured),
    ("streamName", Harmless("names separate renditions of sound only")),
    ("codecSettings/codec", Only(&["AAC"])),
    ("codecSettings/aacSettings/bitrate", Honoured),
    (
        "codecSettings/aacSettings/codingMode",
        Only(&[
            "CODING_MODE_1_0",
            "CODING_MODE_2_0",
            "CODING_MODE_5_1",
            "CODING_MODE_AUTO",
        ]),
    ),
    ("codecSettings/aacSettings/sampleRate", Honoured),
    ("codecSettings/aacSettings/codecProfile", Only(&["LC"])),
    ("codecSettings/aacSettings/rateControlMode", Honoured),
    ("codecSettings/aacSettings/vbrQuality", Honoured),
    ("codecSettings/aacSettings/rawFormat", Only(&["NONE"])),
    ("codecSettings/aacSettings/specification", Only(&["MPEG4"])),
    (
        "codecSettings/aacSettings/audioDescriptionBroadcasterMix",
        Only(&["NORMAL"]),
    ),
];
