//! Settings of groups of segments.

use super::{ACL, NO_ADS, NO_METADATA, NO_TRICK_PLAY, S3};
use crate::support::Support::{self, Approximated, Harmless, Only, Supported};

const ONE_FILE: &str = "all files are sent when the job is done";

pub(super) const HLS: &[(&str, Support)] = &[
    ("destination", Supported),
    ("destinationSettings/s3Settings/accessControl/cannedAcl", ACL),
    ("destinationSettings/**", Harmless(S3)),
    ("segmentLength", Supported),
    ("segmentLengthControl", Only(&["EXACT", "GOP_MULTIPLE"])),
    ("minSegmentLength", Harmless("applies to ad breaks only")),
    ("minFinalSegmentLength", Supported),
    ("segmentControl", Only(&["SEGMENTED_FILES", "SINGLE_FILE"])),
    (
        "directoryStructure",
        Approximated(
            &["SUBDIRECTORY_PER_STREAM"],
            "all files of a group are in one folder",
        ),
    ),
    ("manifestDurationFormat", Supported),
    ("targetDurationCompatibilityMode", Supported),
    ("codecSpecification", Supported),
    ("streamInfResolution", Supported),
    ("clientCache", Supported),
    ("outputSelection", Supported),
    ("adMarkers/**", Harmless(NO_ADS)),
    ("imageBasedTrickPlaySettings/**", Harmless(NO_TRICK_PLAY)),
    ("imageBasedTrickPlayVariants/**", Harmless(NO_TRICK_PLAY)),
    (
        "segmentsPerSubdirectory",
        Harmless("all segments are in one folder"),
    ),
    ("additionalManifests/*/manifestNameModifier", Supported),
    ("additionalManifests/*/selectedOutputs/*", Supported),
    ("encryption/type", Only(&["STATIC_KEY"])),
    ("encryption/encryptionMethod", Only(&["AES128"])),
    ("encryption/constantInitializationVector", Supported),
    ("encryption/initializationVectorInManifest", Supported),
    (
        "encryption/offlineEncrypted",
        Harmless("the key of the job is written for any kind of playback"),
    ),
    ("encryption/staticKeyProvider/*", Supported),
    ("manifestCompression", Only(&["NONE"])),
    ("progressiveWriteHlsManifest", Harmless(ONE_FILE)),
    ("programDateTime", Supported),
    ("programDateTimePeriod", Supported),
    ("imageBasedTrickPlay", Only(&["NONE"])),
    ("captionLanguageSetting", Supported),
    ("captionLanguageMappings/*/*", Supported),
    ("captionSegmentLengthControl", Supported),
    ("audioOnlyHeader", Only(&["INCLUDE"])),
    ("baseUrl", Supported),
    ("timedMetadataId3Frame", Harmless(NO_METADATA)),
    ("timedMetadataId3Period", Harmless(NO_METADATA)),
    ("timestampDeltaMilliseconds", Only(&["0"])),
];

/// Settings that CMAF and DASH groups have in common.
pub(super) const FRAGMENTS: &[(&str, Support)] = &[
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
    ("dashManifestStyle", Supported),
    ("mpdManifestBandwidthType", Supported),
    ("mpdProfile", Supported),
    ("additionalManifests/*/manifestNameModifier", Supported),
    ("additionalManifests/*/selectedOutputs/*", Supported),
    ("minBufferTime", Supported),
    ("imageBasedTrickPlay", Only(&["NONE"])),
    ("imageBasedTrickPlaySettings/**", Harmless(NO_TRICK_PLAY)),
    ("imageBasedTrickPlayVariants/**", Harmless(NO_TRICK_PLAY)),
    ("videoCompositionOffsets", Supported),
    (
        "ptsOffsetHandlingForBFrames",
        Harmless("the first picture is shown at 0, by an edit list if need be"),
    ),
];

pub(super) const CMAF: &[(&str, Support)] = &[
    ("manifestDurationFormat", Supported),
    ("targetDurationCompatibilityMode", Supported),
    ("codecSpecification", Supported),
    ("streamInfResolution", Supported),
    ("clientCache", Supported),
    ("manifestCompression", Only(&["NONE"])),
    ("writeHlsManifest", Supported),
    ("writeDashManifest", Supported),
];

pub(super) const DASH: &[(&str, Support)] = &[
    ("hbbtvCompliance", Supported),
    ("audioChannelConfigSchemeIdUri", Supported),
];
