//! Settings of captions.

use crate::support::Support::{self, Approximated, Harmless, Only, Supported};

const NO_708: Support = Approximated(&["UPCONVERT"], "captions stay CEA-608");

pub(super) const CAPTION_SOURCE: &[(&str, Support)] = &[
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
            "STL",
            "SCC",
            "EMBEDDED",
            "NULL_SOURCE",
        ]),
    ),
    ("sourceSettings/fileSourceSettings/sourceFile", Supported),
    ("sourceSettings/fileSourceSettings/timeDelta", Supported),
    ("sourceSettings/fileSourceSettings/timeDeltaUnits", Supported),
    ("sourceSettings/fileSourceSettings/convert608To708", NO_708),
    (
        "sourceSettings/fileSourceSettings/convertPaintToPop",
        Harmless("captions are read whole"),
    ),
    (
        "sourceSettings/fileSourceSettings/framerate/**",
        Approximated(
            &[],
            "a frame in the times of an SCC file counts as a thirtieth of a second",
        ),
    ),
    ("sourceSettings/embeddedSourceSettings/convert608To708", NO_708),
    (
        "sourceSettings/embeddedSourceSettings/source608ChannelNumber",
        Only(&["1", "3"]),
    ),
    (
        "sourceSettings/embeddedSourceSettings/source608TrackNumber",
        Only(&["1"]),
    ),
    (
        "sourceSettings/embeddedSourceSettings/terminateCaptions",
        Harmless("captions end with their input"),
    ),
    (
        "sourceSettings/fileSourceSettings/byteRateLimit",
        Harmless("applies to captions that are embedded in video"),
    ),
    (
        "sourceSettings/fileSourceSettings/upconvertSTLToTeletext",
        Only(&["DISABLED"]),
    ),
];

pub(super) const CAPTIONS: &[(&str, Support)] = &[
    ("captionSelectorName", Supported),
    ("customLanguageCode", Supported),
    ("languageCode", Supported),
    ("languageDescription", Supported),
    (
        "destinationSettings/destinationType",
        Only(&["BURN_IN", "EMBEDDED", "WEBVTT", "SRT", "TTML", "IMSC", "SMI"]),
    ),
    (
        "destinationSettings/embeddedDestinationSettings/destination608ChannelNumber",
        Only(&["1"]),
    ),
    (
        "destinationSettings/embeddedDestinationSettings/destination708ServiceNumber",
        Harmless("captions of the source pass through as they are"),
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

pub(super) const BURN_IN: &[(&str, Support)] = &[
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
    (
        "removeRubyReserveAttributes",
        Harmless("text is drawn without ruby"),
    ),
    ("teletextSpacing", Harmless("no source is teletext")),
    ("xPosition", Supported),
    ("yPosition", Supported),
];
