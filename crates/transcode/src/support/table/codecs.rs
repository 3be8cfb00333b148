//! Settings of codecs: one table each.

use super::{CADENCE, DOLBY, PASSTHROUGH, PSYCHOVISUAL};
use crate::support::Support::{self, Approximated, Harmless, Only, Refused, Supported};

/// Settings that several video codecs have in common. A row of one codec counts before these.
pub(super) const VIDEO_CODEC: &[(&str, Support)] = &[
    ("bitrate", Supported),
    ("maxBitrate", Supported),
    ("hrdBufferSize", Supported),
    ("hrdBufferInitialFillPercentage", Supported),
    ("qvbrSettings/qvbrQualityLevel", Supported),
    ("qvbrSettings/qvbrQualityLevelFineTune", Supported),
    ("qualityTuningLevel", Supported),
    ("codecLevel", Supported),
    ("gopSize", Supported),
    ("gopSizeUnits", Supported),
    ("gopClosedCadence", Harmless("every GOP is closed")),
    ("minIInterval", Harmless(CADENCE)),
    ("numberBFramesBetweenReferenceFrames", Supported),
    ("numberReferenceFrames", Supported),
    ("sceneChangeDetect", Harmless(CADENCE)),
    ("slices", Supported),
    ("adaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("spatialAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("temporalAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("flickerAdaptiveQuantization", Harmless(PSYCHOVISUAL)),
    ("softness", Supported),
    ("framerateControl", Supported),
    ("framerateNumerator", Supported),
    ("framerateDenominator", Supported),
    (
        "framerateConversionAlgorithm",
        Only(&["DUPLICATE_DROP", "INTERPOLATE"]),
    ),
    ("parControl", Supported),
    ("parNumerator", Supported),
    ("parDenominator", Supported),
    (
        "interlaceMode",
        Only(&[
            "PROGRESSIVE",
            "TOP_FIELD",
            "BOTTOM_FIELD",
            "FOLLOW_TOP_FIELD",
            "FOLLOW_BOTTOM_FIELD",
        ]),
    ),
    (
        "scanTypeConversionMode",
        Only(&["INTERLACED", "INTERLACED_OPTIMIZE"]),
    ),
    ("telecine", Only(&["NONE", "HARD"])),
    ("slowPal", Only(&["DISABLED"])),
    ("syntax", Only(&["DEFAULT"])),
    (
        "unregisteredSeiTimecode",
        Approximated(&["ENABLED"], "no timecode is written into the stream"),
    ),
    (
        "hrdBufferFinalFillPercentage",
        Approximated(
            &[],
            "the encoder does not steer how full the buffer is at the end",
        ),
    ),
    (
        "qvbrSettings/maxAverageBitrate",
        Approximated(&[], "the quality level and maxBitrate decide"),
    ),
    (
        "bandwidthReductionFilter/*",
        Approximated(
            &["LOW", "MEDIUM", "HIGH", "AUTO"],
            "no filter reduces the bit rate",
        ),
    ),
    (
        "endOfStreamMarkers",
        Harmless("the encoder writes none, and players need none"),
    ),
    (
        "perFrameMetrics/**",
        Refused("no reports on single pictures are written"),
    ),
];

pub(super) const H264: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["VBR", "CBR", "QVBR"])),
    (
        "qualityTuningLevel",
        Only(&["SINGLE_PASS", "SINGLE_PASS_HQ", "MULTI_PASS_HQ"]),
    ),
    (
        "codecProfile",
        Only(&[
            "BASELINE",
            "MAIN",
            "HIGH",
            "HIGH_10BIT",
            "HIGH_422",
            "HIGH_422_10BIT",
        ]),
    ),
    ("explicitWeightedPrediction", Supported),
    ("entropyEncoding", Supported),
    ("gopBReference", Supported),
    ("dynamicSubGop", Supported),
    ("sceneChangeDetect", Supported),
    ("adaptiveQuantization", Supported),
    (
        "fieldEncoding",
        Approximated(&["FORCE_FIELD"], "x264 codes both fields of a frame together"),
    ),
    (
        "syntax",
        Approximated(&["RP2027"], "the syntax is the default one"),
    ),
    (
        "repeatPps",
        Approximated(&["ENABLED"], "parameter sets are repeated at keyframes alone"),
    ),
    ("writeMp4PackagingType", Only(&["AVC1"])),
    (
        "saliencyAwareEncoding",
        Approximated(&["PREFERRED"], PSYCHOVISUAL),
    ),
];

pub(super) const H265: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["VBR", "CBR", "QVBR"])),
    (
        "codecProfile",
        Only(&[
            "MAIN_MAIN",
            "MAIN_HIGH",
            "MAIN10_MAIN",
            "MAIN10_HIGH",
            "MAIN_422_8BIT_MAIN",
            "MAIN_422_8BIT_HIGH",
            "MAIN_422_10BIT_MAIN",
            "MAIN_422_10BIT_HIGH",
        ]),
    ),
    ("writeMp4PackagingType", Only(&["HVC1", "HEV1"])),
    ("interlaceMode", Only(&["PROGRESSIVE"])),
    ("telecine", Only(&["NONE"])),
    (
        "gopBReference",
        Harmless("x265 decides about B-pictures that are references"),
    ),
    (
        "dynamicSubGop",
        Harmless("x265 decides about the number of B-pictures"),
    ),
    ("adaptiveQuantization", Supported),
    ("sampleAdaptiveOffsetFilterMode", Supported),
    ("deblocking", Supported),
    ("temporalIds", Supported),
    ("treeBlockSize", Supported),
    ("alternateTransferFunctionSei", Supported),
    (
        "tiles",
        Harmless("tiles divide work among processors; x265 has rows of blocks for that"),
    ),
    ("tileHeight", Harmless("there are no tiles")),
    ("tilePadding", Harmless("there are no tiles")),
    ("tileWidth", Harmless("there are no tiles")),
    (
        "mvOverPictureBoundaries",
        Harmless("x265 decides; any decoder of the level follows"),
    ),
    (
        "mvTemporalPredictor",
        Harmless("x265 decides; any decoder of the level follows"),
    ),
];

pub(super) const AV1: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["QVBR"])),
    ("bitrate", Harmless("it applies to CBR, which is refused")),
    ("bitDepth", Only(&["BIT_8", "BIT_10"])),
    ("fastDecode", Only(&["DISABLED"])),
    ("filmGrainSynthesis", Supported),
    (
        "numberBFramesBetweenReferenceFrames",
        Harmless("SVT-AV1 has a fixed hierarchy"),
    ),
    ("slices", Harmless("SVT-AV1 divides pictures as it sees fit")),
];

pub(super) const VPX: &[(&str, Support)] = &[("rateControlMode", Only(&["VBR"]))];

pub(super) const MPEG2: &[(&str, Support)] = &[
    ("rateControlMode", Only(&["VBR", "CBR"])),
    ("codecProfile", Only(&["MAIN", "PROFILE_422"])),
    (
        "intraDcPrecision",
        Only(&[
            "AUTO",
            "INTRA_DC_PRECISION_8",
            "INTRA_DC_PRECISION_9",
            "INTRA_DC_PRECISION_10",
            "INTRA_DC_PRECISION_11",
        ]),
    ),
    (
        "dynamicSubGop",
        Approximated(&["ADAPTIVE"], "the number of B-pictures is fixed"),
    ),
];

pub(super) const PRORES: &[(&str, Support)] = &[
    ("codecProfile", Supported),
    ("chromaSampling", Only(&["PRESERVE_444_SAMPLING"])),
];

/// Settings of the audio codecs beside AAC.
pub(super) const CODECS: &[(&str, Support)] = &[
    ("ac3Settings/bitrate", Supported),
    ("ac3Settings/codingMode", Supported),
    ("ac3Settings/sampleRate", Supported),
    ("ac3Settings/dialnorm", Supported),
    ("ac3Settings/**", Harmless(DOLBY)),
    ("eac3Settings/bitrate", Supported),
    ("eac3Settings/codingMode", Supported),
    ("eac3Settings/lfeControl", Supported),
    ("eac3Settings/sampleRate", Supported),
    ("eac3Settings/dialnorm", Supported),
    ("eac3Settings/passthroughControl", PASSTHROUGH),
    ("eac3Settings/**", Harmless(DOLBY)),
    ("mp3Settings/bitrate", Supported),
    ("mp3Settings/channels", Supported),
    ("mp3Settings/rateControlMode", Supported),
    ("mp3Settings/sampleRate", Supported),
    ("mp3Settings/vbrQuality", Supported),
    ("mp2Settings/bitrate", Supported),
    ("mp2Settings/channels", Supported),
    ("mp2Settings/sampleRate", Supported),
    ("mp2Settings/audioDescriptionMix", Only(&["NONE"])),
    ("opusSettings/bitrate", Supported),
    ("opusSettings/channels", Supported),
    ("opusSettings/sampleRate", Supported),
    ("vorbisSettings/channels", Supported),
    ("vorbisSettings/sampleRate", Supported),
    ("vorbisSettings/vbrQuality", Supported),
    ("wavSettings/bitDepth", Supported),
    ("wavSettings/channels", Supported),
    ("wavSettings/sampleRate", Supported),
    ("wavSettings/format", Only(&["RIFF", "EXTENSIBLE"])),
    ("aiffSettings/bitDepth", Supported),
    ("aiffSettings/channels", Supported),
    ("aiffSettings/sampleRate", Supported),
    ("flacSettings/bitDepth", Supported),
    ("flacSettings/channels", Supported),
    ("flacSettings/sampleRate", Supported),
];
