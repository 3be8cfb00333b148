//! Settings of pictures: geometry and preprocessors.

use crate::support::Support::{self, Approximated, Harmless, Only, Supported};

const SPEED: &str = "ffmpeg's filters have one speed";

pub(super) const VIDEO: &[(&str, Support)] = &[
    ("width", Supported),
    ("height", Supported),
    (
        "scalingBehavior",
        Only(&["DEFAULT", "STRETCH_TO_OUTPUT", "FIT", "FIT_NO_UPSCALE", "FILL"]),
    ),
    ("sharpness", Supported),
    ("antiAlias", Harmless("scaling always filters")),
    ("crop/*", Supported),
    ("position/*", Supported),
    (
        "afdSignaling",
        Approximated(&["AUTO", "FIXED"], "no active format description is written"),
    ),
    (
        "respondToAfd",
        Approximated(
            &["RESPOND", "PASSTHROUGH"],
            "active format descriptions are not read",
        ),
    ),
    ("fixedAfd", Harmless("no active format is signaled")),
    ("colorMetadata", Only(&["INSERT", "IGNORE"])),
    ("dropFrameTimecode", Supported),
    (
        "timecodeInsertion",
        Approximated(&["PIC_TIMING_SEI"], "no timecode is written into the stream"),
    ),
    (
        "timecodeTrack",
        Approximated(&["ENABLED"], "no timecode track is written"),
    ),
    (
        "chromaPositionMode",
        Approximated(
            &["FORCE_CENTER", "FORCE_TOP_LEFT"],
            "chroma samples are where the encoder puts them",
        ),
    ),
    ("videoPreprocessors/timecodeBurnin/fontSize", Supported),
    (
        "videoPreprocessors/timecodeBurnin/position",
        Only(&[
            "TOP_CENTER",
            "TOP_LEFT",
            "TOP_RIGHT",
            "MIDDLE_LEFT",
            "MIDDLE_CENTER",
            "MIDDLE_RIGHT",
            "BOTTOM_LEFT",
            "BOTTOM_CENTER",
            "BOTTOM_RIGHT",
        ]),
    ),
    ("videoPreprocessors/timecodeBurnin/prefix", Supported),
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

pub(super) const COLOR: &[(&str, Support)] = &[
    (
        "colorSpaceConversion",
        Only(&["NONE", "FORCE_601", "FORCE_709", "FORCE_HDR10", "FORCE_HLG_2020"]),
    ),
    (
        "sampleRangeConversion",
        Only(&["NONE", "LIMITED_RANGE_SQUEEZE", "LIMITED_RANGE_CLIP"]),
    ),
    ("clipLimits/minimumYUV", Supported),
    ("clipLimits/maximumYUV", Supported),
    (
        "clipLimits/*",
        Approximated(&[], "samples are clipped as YUV alone"),
    ),
    ("hdr10Metadata/*", Supported),
    ("hdrToSdrToneMapper", Only(&["PRESERVE_DETAILS", "VIBRANT"])),
    (
        "maxLuminance",
        Harmless("the curve of the tone mapping has no such limit"),
    ),
    ("sdrReferenceWhiteLevel", Supported),
    ("brightness", Supported),
    ("contrast", Supported),
    ("hue", Supported),
    ("saturation", Supported),
];

pub(super) const IMAGES: &[(&str, Support)] = &[
    (
        "sdrReferenceWhiteLevel",
        Harmless("images are drawn with their own levels"),
    ),
    ("insertableImages/*/*", Supported),
];

pub(super) const NOISE: &[(&str, Support)] = &[
    (
        "filter",
        Approximated(&[], "the nearest of ffmpeg's filters is used"),
    ),
    ("filterSettings/strength", Supported),
    ("spatialFilterSettings/strength", Supported),
    ("spatialFilterSettings/postFilterSharpenStrength", Supported),
    ("spatialFilterSettings/speed", Harmless(SPEED)),
    ("temporalFilterSettings/strength", Supported),
    ("temporalFilterSettings/*", Harmless(SPEED)),
];
