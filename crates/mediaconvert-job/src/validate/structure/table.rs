//! The rules themselves. Places are patterns below their document's part: a job's input, an output group, an output.

/// A member that must be there.
pub(super) struct Required {
    pub(super) at: &'static str,
    pub(super) when: When,
    pub(super) member: &'static str,
}

/// The condition of a rule on another member of the same object.
pub(super) enum When {
    Always,
    Is(&'static str, &'static str),
    IsNot(&'static str, &'static str),
}

/// A value that needs a value of another member of the same object.
pub(super) struct Dependency {
    pub(super) at: &'static str,
    pub(super) when: (&'static str, &'static str),
    pub(super) needs: (&'static str, &'static str),
}

/// A choice, and the member that holds the settings of each.
pub(super) struct Codecs {
    pub(super) at: &'static str,
    /// The member that names the choice.
    pub(super) choice: &'static str,
    /// Whether several members are an error of their own.
    pub(super) alone: bool,
    pub(super) members: &'static [(&'static str, &'static str)],
}

const fn always(at: &'static str, member: &'static str) -> Required {
    Required {
        at,
        when: When::Always,
        member,
    }
}

const fn needs(at: &'static str, when: When, member: &'static str) -> Required {
    Required { at, when, member }
}

/// API reference, `InsertableImage`: "Required for any image overlay that you specify."
const IMAGES: &str = "imageInserter/insertableImages/*";
pub(super) const INPUT: &[Required] = &[always(IMAGES, "imageX"), always(IMAGES, "imageY")];

const HLS: &str = "outputGroupSettings/hlsGroupSettings";
const DASH: &str = "outputGroupSettings/dashIsoGroupSettings";

pub(super) const GROUP: &[Required] = &[
    // https://github.com/aws/aws-sdk (issue 577).
    always(HLS, "minSegmentLength"),
    // Logged jobs.
    always(DASH, "fragmentLength"),
];

const VIDEO: &str = "videoDescription/codecSettings";
const ANY_CODEC: &str = "videoDescription/codecSettings/*";
const AUDIO: &str = "audioDescriptions/*/codecSettings";
const AAC: &str = "audioDescriptions/*/codecSettings/aacSettings";
const OVERLAYS: &str = "videoDescription/videoPreprocessors/imageInserter/insertableImages/*";

pub(super) const OUTPUT: &[Required] = &[
    // https://github.com/aws/aws-sdk-js-v3/issues/2661
    always("", "containerSettings"),
    always("containerSettings", "container"),
    // Logged jobs.
    always("videoDescription", "codecSettings"),
    always(VIDEO, "codec"),
    // API reference, `VideoCodecSettings`: "For each codec enum that you choose, define the corresponding settings object."
    needs(VIDEO, When::Is("codec", "AV1"), "av1Settings"),
    needs(VIDEO, When::Is("codec", "AVC_INTRA"), "avcIntraSettings"),
    needs(VIDEO, When::Is("codec", "FRAME_CAPTURE"), "frameCaptureSettings"),
    needs(VIDEO, When::Is("codec", "GIF"), "gifSettings"),
    needs(VIDEO, When::Is("codec", "H_264"), "h264Settings"),
    needs(VIDEO, When::Is("codec", "H_265"), "h265Settings"),
    needs(VIDEO, When::Is("codec", "MPEG2"), "mpeg2Settings"),
    needs(VIDEO, When::Is("codec", "PRORES"), "proresSettings"),
    needs(VIDEO, When::Is("codec", "UNCOMPRESSED"), "uncompressedSettings"),
    needs(VIDEO, When::Is("codec", "VC3"), "vc3Settings"),
    needs(VIDEO, When::Is("codec", "VP8"), "vp8Settings"),
    needs(VIDEO, When::Is("codec", "VP9"), "vp9Settings"),
    needs(VIDEO, When::Is("codec", "XAVC"), "xavcSettings"),
    // API reference, `Av1Settings.gopSize`: "MediaConvert can't choose the GOP length for you, so you must specify it."
    always("videoDescription/codecSettings/av1Settings", "gopSize"),
    // API reference, `framerateNumerator` and `parNumerator`: "specify the frame rate as a fraction".
    needs(
        ANY_CODEC,
        When::Is("framerateControl", "SPECIFIED"),
        "framerateNumerator",
    ),
    needs(
        ANY_CODEC,
        When::Is("framerateControl", "SPECIFIED"),
        "framerateDenominator",
    ),
    needs(ANY_CODEC, When::Is("parControl", "SPECIFIED"), "parNumerator"),
    needs(ANY_CODEC, When::Is("parControl", "SPECIFIED"), "parDenominator"),
    always(OVERLAYS, "imageX"),
    always(OVERLAYS, "imageY"),
    // Logged jobs, in this order.
    always("audioDescriptions/*", "codecSettings"),
    always(AUDIO, "codec"),
    needs(AUDIO, When::Is("codec", "AAC"), "aacSettings"),
    always(AAC, "codingMode"),
    always(AAC, "sampleRate"),
    needs(AAC, When::IsNot("rateControlMode", "VBR"), "bitrate"),
];

/// Logged jobs. A preset has no selectors.
pub(super) const CAPTIONS: &[Required] = &[always("captionDescriptions/*", "captionSelectorName")];

/// Dependencies that the API reference states. The texts follow that of codecs, which is a logged one.
pub(super) const DEPENDENCIES: &[Dependency] = &[
    // `Mp4Settings.cttsVersion`: "When you specify a value of 1, you must also set CSLG atom to the value INCLUDE."
    Dependency {
        at: "containerSettings/mp4Settings",
        when: ("cttsVersion", "1"),
        needs: ("cslgAtom", "INCLUDE"),
    },
];

/// `DashIsoGroupSettings.mpdProfile`: "When you choose On-demand, you must also set the output group setting Segment control to
/// Single file." The same for CMAF.
pub(super) const GROUP_DEPENDENCIES: &[Dependency] = &[
    Dependency {
        at: DASH,
        when: ("mpdProfile", "ON_DEMAND_PROFILE"),
        needs: ("segmentControl", "SINGLE_FILE"),
    },
    Dependency {
        at: "outputGroupSettings/cmafGroupSettings",
        when: ("mpdProfile", "ON_DEMAND_PROFILE"),
        needs: ("segmentControl", "SINGLE_FILE"),
    },
];

pub(super) const CODECS: &[Codecs] = &[
    Codecs {
        at: VIDEO,
        choice: "codec",
        alone: false,
        members: &[
            ("AV1", "av1Settings"),
            ("AVC_INTRA", "avcIntraSettings"),
            ("FRAME_CAPTURE", "frameCaptureSettings"),
            ("GIF", "gifSettings"),
            ("H_264", "h264Settings"),
            ("H_265", "h265Settings"),
            ("MPEG2", "mpeg2Settings"),
            ("PASSTHROUGH", "passthroughSettings"),
            ("PRORES", "proresSettings"),
            ("UNCOMPRESSED", "uncompressedSettings"),
            ("VC3", "vc3Settings"),
            ("VP8", "vp8Settings"),
            ("VP9", "vp9Settings"),
            ("XAVC", "xavcSettings"),
        ],
    },
    Codecs {
        at: AUDIO,
        choice: "codec",
        alone: true,
        members: &[
            ("AAC", "aacSettings"),
            ("AC3", "ac3Settings"),
            ("AC4", "ac4Settings"),
            ("AIFF", "aiffSettings"),
            ("DTSC", "dtscSettings"),
            ("DTSX", "dtsxSettings"),
            ("EAC3", "eac3Settings"),
            ("EAC3_ATMOS", "eac3AtmosSettings"),
            ("FLAC", "flacSettings"),
            ("MP2", "mp2Settings"),
            ("MP3", "mp3Settings"),
            ("OPUS", "opusSettings"),
            ("VORBIS", "vorbisSettings"),
            ("WAV", "wavSettings"),
        ],
    },
    Codecs {
        at: "captionDescriptions/*/destinationSettings",
        choice: "destinationType",
        alone: false,
        members: &[
            ("BURN_IN", "burninDestinationSettings"),
            ("DVB_SUB", "dvbSubDestinationSettings"),
        ],
    },
];
