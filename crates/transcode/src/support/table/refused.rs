//! Settings that the engine does not support, with the reason. A setting of the API that is in no table is refused too.

use crate::support::Support::{self, Only, Refused};

const VENDOR: &str = "it needs software or a service of its vendor";
const DRM: &str = "it needs a key server";
const SIGNING: &str = "no content credentials are signed";
const CODEC: &str = "there is no encoder for this codec";

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
        "audioSelectors/*/hlsRenditionGroupSettings/**",
        Refused("inputs are files, not HLS playlists"),
    ),
    ("audioSelectors/*/smpte337Passthrough", Refused(VENDOR)),
    (
        "captionSelectors/*/sourceSettings/dvbSubSourceSettings/**",
        Refused("bitmap subtitles are not read"),
    ),
    (
        "captionSelectors/*/sourceSettings/webvttHlsSourceSettings/**",
        Refused("inputs are files, not HLS playlists"),
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
];

pub(super) const REFUSED_OUTPUT: &[(&str, Support)] = &[
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
        "captionDescriptions/*/destinationSettings/dvbSubDestinationSettings/**",
        Refused("text does not become bitmaps"),
    ),
    (
        "captionDescriptions/*/destinationSettings/teletextDestinationSettings/**",
        Refused("teletext is not written"),
    ),
    (
        "videoDescription/dynamicMultiviewSettings/**",
        Refused("there are no stereoscopic outputs"),
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
    ("xavcSettings/**", Refused(CODEC)),
];
