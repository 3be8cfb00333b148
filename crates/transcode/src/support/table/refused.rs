//! Settings that the engine does not support, with the reason. Every setting of the API is in a table, see the test of the list.

use crate::support::Support::{self, Only, Refused};

const VENDOR: &str = "it needs software or a service of its vendor";
const DRM: &str = "it needs a key server";
const SIGNING: &str = "no content credentials are signed";
const CODEC: &str = "there is no encoder for this codec";
const PLAYLIST: &str = "inputs are files, not HLS playlists";
const DESCRIPTION: &str = "audio description is not mixed in";
const GROUPING: &str = "renditions are grouped by dashManifestStyle alone";
const TRICK_PLAY: &str = "no segments of I-frames alone are written";
const TTML_STYLE: &str = "the text has the style of its source";
const FONT: &str = "fonts are those of the system";
const PEAK: &str = "peaks are limited by maxBitrate and the buffer alone";

pub(super) const REFUSED: &[(&str, Support)] = &[
    (
        "colorConversion3DLUTSettings/**",
        Refused("lookup tables of colors are not applied"),
    ),
    ("esam/**", Refused("no ad markers are written")),
    ("kantarWatermark/**", Refused(VENDOR)),
    ("motionImageInserter/**", Refused("moving overlays are not drawn")),
    (
        "motionImageInserters/**",
        Refused("moving overlays are not drawn"),
    ),
    ("nielsenConfiguration/**", Refused(VENDOR)),
    ("nielsenNonLinearWatermark/**", Refused(VENDOR)),
    (
        "timedMetadataInsertion/**",
        Refused("no timed metadata is inserted"),
    ),
];

pub(super) const REFUSED_INPUT: &[(&str, Support)] = &[
    ("decryptionSettings/**", Refused(DRM)),
    ("dolbyVisionMetadataXml", Refused(VENDOR)),
    (
        "multiViewSettings/**",
        Refused("there are no stereoscopic outputs"),
    ),
    ("supplementalImps/**", Refused("IMF packages are not read")),
    ("tamsSettings/**", Refused("time-addressable stores are not read")),
    (
        "dynamicAudioSelectors/**",
        Refused("audio is taken by audioSelectors alone"),
    ),
    ("videoGenerator/**", Refused("every input is a file")),
    (
        "videoSelector/pid",
        Refused("the best video stream of a file is taken"),
    ),
    ("videoSelector/streams/**", Refused(PLAYLIST)),
    ("audioSelectors/*/hlsRenditionGroupSettings/**", Refused(PLAYLIST)),
    (
        "audioSelectors/*/remixSettings/audioDescriptionAudioChannel",
        Refused(DESCRIPTION),
    ),
    (
        "audioSelectors/*/remixSettings/audioDescriptionDataChannel",
        Refused(DESCRIPTION),
    ),
    ("audioSelectors/*/smpte337Passthrough", Refused(VENDOR)),
    (
        "captionSelectors/*/sourceSettings/ancillarySourceSettings/**",
        Refused("captions are not read from ancillary data"),
    ),
    (
        "captionSelectors/*/sourceSettings/dvbSubSourceSettings/**",
        Refused("bitmap subtitles are not read"),
    ),
    (
        "captionSelectors/*/sourceSettings/teletextSourceSettings/pageNumber",
        Refused("teletext is not read"),
    ),
    (
        "captionSelectors/*/sourceSettings/trackSourceSettings/**",
        Refused("IMF packages are not read"),
    ),
    (
        "captionSelectors/*/sourceSettings/webvttHlsSourceSettings/**",
        Refused(PLAYLIST),
    ),
    (
        "videoOverlays/**",
        Refused("videos are not drawn over other videos"),
    ),
];

pub(super) const REFUSED_GROUP: &[(&str, Support)] = &[
    (
        "outputGroupSettings/msSmoothGroupSettings/**",
        Refused("Smooth Streaming is not written"),
    ),
    (
        "outputGroupSettings/perFrameMetrics/**",
        Refused("no reports on single pictures are written"),
    ),
    (
        "outputGroupSettings/cmafGroupSettings/encryption/**",
        Refused(DRM),
    ),
    (
        "outputGroupSettings/dashIsoGroupSettings/encryption/**",
        Refused(DRM),
    ),
    (
        "outputGroupSettings/hlsGroupSettings/encryption/spekeKeyProvider/**",
        Refused(DRM),
    ),
    (
        "outputGroupSettings/*/dashAdaptationSetGrouping/**",
        Refused(GROUPING),
    ),
    (
        "outputGroupSettings/*/dashIFrameTrickPlayNameModifier",
        Refused(TRICK_PLAY),
    ),
];

pub(super) const REFUSED_OUTPUT: &[(&str, Support)] = &[
    ("preset", Refused("presets are applied before a job is planned")),
    (
        "containerSettings/cmfcSettings/certificateSecret",
        Refused(SIGNING),
    ),
    ("containerSettings/cmfcSettings/signingKmsKey", Refused(SIGNING)),
    ("containerSettings/mp4Settings/c2paManifest", Only(&["EXCLUDE"])),
    (
        "containerSettings/mp4Settings/certificateSecret",
        Refused(SIGNING),
    ),
    ("containerSettings/mp4Settings/signingKmsKey", Refused(SIGNING)),
    (
        "containerSettings/mpdSettings/certificateSecret",
        Refused(SIGNING),
    ),
    ("containerSettings/mpdSettings/signingKmsKey", Refused(SIGNING)),
    (
        "containerSettings/mxfSettings/**",
        Refused("MXF files are not written"),
    ),
    (
        "audioDescriptions/*/remixSettings/audioDescriptionAudioChannel",
        Refused(DESCRIPTION),
    ),
    (
        "audioDescriptions/*/remixSettings/audioDescriptionDataChannel",
        Refused(DESCRIPTION),
    ),
    ("audioDescriptions/*/codecSettings/ac4Settings/**", Refused(CODEC)),
    (
        "audioDescriptions/*/codecSettings/dtscSettings/**",
        Refused(CODEC),
    ),
    (
        "audioDescriptions/*/codecSettings/dtsxSettings/**",
        Refused(CODEC),
    ),
    (
        "audioDescriptions/*/codecSettings/eac3AtmosSettings/**",
        Refused(CODEC),
    ),
    (
        "captionDescriptions/*/audioSourceNames/**",
        Refused("speech is not recognized"),
    ),
    ("captionDescriptions/*/source", Only(&["INPUT_CAPTION_SELECTOR"])),
    (
        "captionDescriptions/*/destinationSettings/burninDestinationSettings/fontFileBold",
        Refused(FONT),
    ),
    (
        "captionDescriptions/*/destinationSettings/burninDestinationSettings/fontFileBoldItalic",
        Refused(FONT),
    ),
    (
        "captionDescriptions/*/destinationSettings/burninDestinationSettings/fontFileItalic",
        Refused(FONT),
    ),
    (
        "captionDescriptions/*/destinationSettings/burninDestinationSettings/fontFileRegular",
        Refused(FONT),
    ),
    (
        "captionDescriptions/*/destinationSettings/dvbSubDestinationSettings/**",
        Refused("text does not become bitmaps"),
    ),
    (
        "captionDescriptions/*/destinationSettings/sccDestinationSettings/framerate",
        Refused("SCC files are not written"),
    ),
    (
        "captionDescriptions/*/destinationSettings/teletextDestinationSettings/**",
        Refused("teletext is not written"),
    ),
    (
        "captionDescriptions/*/destinationSettings/ttmlDestinationSettings/*",
        Refused(TTML_STYLE),
    ),
    (
        "videoDescription/dynamicMultiviewSettings/**",
        Refused("there are no stereoscopic outputs"),
    ),
    (
        "videoDescription/codecSettings/passthroughSettings/**",
        Refused("video is encoded in any case"),
    ),
    (
        "videoDescription/videoPreprocessors/durationControl/**",
        Refused("outputs are as long as their input"),
    ),
    (
        "videoDescription/videoPreprocessors/dolbyVision/**",
        Refused(VENDOR),
    ),
    (
        "videoDescription/videoPreprocessors/hdr10Plus/**",
        Refused("no encoder at hand writes dynamic metadata"),
    ),
    (
        "videoDescription/videoPreprocessors/partnerWatermarking/**",
        Refused(VENDOR),
    ),
];

/// Video codecs that cannot be chosen, so that what several codecs have in common does not count for them.
pub(super) const REFUSED_CODECS: &[(&str, Support)] = &[
    ("avcIntraSettings/**", Refused(CODEC)),
    ("uncompressedSettings/**", Refused(CODEC)),
    ("vc3Settings/**", Refused(CODEC)),
    ("xavcSettings/**", Refused(CODEC)),
    ("*/slidingWindowMs", Refused(PEAK)),
    ("*/slidingWindowPeakBitrate", Refused(PEAK)),
];
