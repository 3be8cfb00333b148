//! What the engine does with each setting of a job. A setting that is not in this table is refused with its
//! path: nothing is ignored in silence.

use serde_json::Value;

use crate::plan::Refusal;

/// What happens to a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// Changes what is made.
    Honoured,
    /// Any value is accepted, and makes no difference here; why.
    Harmless(&'static str),
    /// Only these values are accepted: what the engine does anyway.
    Only(&'static [&'static str]),
}

use Support::{Harmless, Honoured, Only};

const TIMECODE: &str = "no output carries a timecode, and nothing is clipped by one";
const PIDS: &str = "the muxer numbers its streams; players read the numbers from the program map";
const NO_CAPTIONS: &str = "no captions are made";
const ONE_FILE: &str = "all files are sent when the job is done";
const S3: &str = "the local store has one class of storage, and no keys";
/// Who may watch is decided by signatures; on a bucket that enforces its owner AWS fails such a job too.
const NO_ACL: Support = Only(&["BUCKET_OWNER_FULL_CONTROL", "BUCKET_OWNER_READ"]);
const PROGRESSIVE: &str = "outputs are progressive";
const PSYCHOVISUAL: &str = "the encoder's own psychovisual tuning is used";

/// Settings by path, where `*` is one list index or map key and a last `**` is everything below.
pub const TABLE: &[(&str, Support)] = &[
    ("/adAvailOffset", Harmless("no ads are signalled")),
    ("/followSource", Only(&["1"])),
    ("/timecodeConfig/**", Harmless(TIMECODE)),
    // Input.
    ("/inputs/*/fileInput", Honoured),
    ("/inputs/*/timecodeSource", Harmless(TIMECODE)),
    ("/inputs/*/timecodeStart", Harmless(TIMECODE)),
    ("/inputs/*/filterEnable", Only(&["AUTO", "DISABLE"])),
    ("/inputs/*/filterStrength", Only(&["0"])),
    ("/inputs/*/deblockFilter", Only(&["DISABLED"])),
    ("/inputs/*/denoiseFilter", Only(&["DISABLED"])),
    (
        "/inputs/*/psiControl",
        Harmless("the demuxer uses the tables where they are sound"),
    ),
    ("/inputs/*/inputScanType", Only(&["AUTO"])),
    ("/inputs/*/videoSelector/rotate", Honoured),
    ("/inputs/*/videoSelector/colorSpace", Only(&["FOLLOW"])),
    ("/inputs/*/videoSelector/colorSpaceUsage", Only(&["FALLBACK"])),
    ("/inputs/*/videoSelector/alphaBehavior", Only(&["DISCARD"])),
    ("/inputs/*/videoSelector/sampleRange", Only(&["FOLLOW"])),
    ("/inputs/*/videoSelector/padVideo", Only(&["DISABLED"])),
    ("/inputs/*/audioSelectors/*/tracks/*", Honoured),
    (
        "/inputs/*/audioSelectors/*/selectorType",
        Only(&["TRACK", "LANGUAGE_CODE"]),
    ),
    ("/inputs/*/audioSelectors/*/languageCode", Honoured),
    ("/inputs/*/audioSelectors/*/defaultSelection", Honoured),
    ("/inputs/*/audioSelectors/*/offset", Honoured),
    ("/inputs/*/audioSelectors/*/programSelection", Only(&["0", "1"])),
    (
        "/inputs/*/audioSelectors/*/audioDurationCorrection",
        Only(&["DISABLED", "AUTO"]),
    ),
    // Groups.
    ("/outputGroups/*/name", Harmless("a label")),
    ("/outputGroups/*/customName", Harmless("a label")),
    (
        "/outputGroups/*/outputGroupSettings/type",
        Only(&["HLS_GROUP_SETTINGS", "FILE_GROUP_SETTINGS"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/fileGroupSettings/destination",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl",
        NO_ACL,
    ),
    (
        "/outputGroups/*/outputGroupSettings/fileGroupSettings/destinationSettings/**",
        Harmless(S3),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/destination",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl",
        NO_ACL,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/destinationSettings/**",
        Harmless(S3),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/segmentLength",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/segmentLengthControl",
        Only(&["EXACT", "GOP_MULTIPLE"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/minSegmentLength",
        Harmless("applies to ad breaks only"),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/minFinalSegmentLength",
        Only(&["0", "0.0"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/segmentControl",
        Only(&["SEGMENTED_FILES"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/directoryStructure",
        Only(&["SINGLE_DIRECTORY"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/manifestDurationFormat",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/targetDurationCompatibilityMode",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/codecSpecification",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/streamInfResolution",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/clientCache",
        Honoured,
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/outputSelection",
        Only(&["MANIFESTS_AND_SEGMENTS"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/manifestCompression",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/progressiveWriteHlsManifest",
        Harmless(ONE_FILE),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/programDateTime",
        Only(&["EXCLUDE"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/programDateTimePeriod",
        Harmless("no date and time is written"),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/imageBasedTrickPlay",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/captionLanguageSetting",
        Harmless(NO_CAPTIONS),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/captionSegmentLengthControl",
        Harmless(NO_CAPTIONS),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/audioOnlyHeader",
        Harmless("no output is sound alone"),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/timedMetadataId3Frame",
        Harmless("no metadata is inserted"),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/timedMetadataId3Period",
        Harmless("no metadata is inserted"),
    ),
    (
        "/outputGroups/*/outputGroupSettings/hlsGroupSettings/timestampDeltaMilliseconds",
        Only(&["0"]),
    ),
    // Outputs.
    ("/outputGroups/*/outputs/*/nameModifier", Honoured),
    ("/outputGroups/*/outputs/*/extension", Honoured),
    (
        "/outputGroups/*/outputs/*/outputSettings/hlsSettings/segmentModifier",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/outputSettings/hlsSettings/iFrameOnlyManifest",
        Only(&["EXCLUDE"]),
    ),
    (
        "/outputGroups/*/outputs/*/outputSettings/hlsSettings/audioGroupId",
        Harmless("sound is in the video's own segments"),
    ),
    (
        "/outputGroups/*/outputs/*/outputSettings/hlsSettings/audioRenditionSets",
        Harmless("sound is in the video's own segments"),
    ),
    (
        "/outputGroups/*/outputs/*/outputSettings/hlsSettings/audioOnlyContainer",
        Harmless("no output is sound alone"),
    ),
    ("/outputGroups/*/outputs/*/containerSettings/container", Honoured),
    (
        "/outputGroups/*/outputs/*/containerSettings/mp4Settings/moovPlacement",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/mp4Settings/cslgAtom",
        Harmless("boxes are the muxer's choice"),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/mp4Settings/freeSpaceBox",
        Only(&["EXCLUDE"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/mp4Settings/cttsVersion",
        Harmless("boxes are the muxer's choice"),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/mp4Settings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/m3u8Settings/audioDuration",
        Only(&["DEFAULT_CODEC_DURATION"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/m3u8Settings/scte35Source",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/m3u8Settings/timedMetadata",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/m3u8Settings/nielsenId3",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/containerSettings/m3u8Settings/**",
        Harmless(PIDS),
    ),
    // Video.
    ("/outputGroups/*/outputs/*/videoDescription/width", Honoured),
    ("/outputGroups/*/outputs/*/videoDescription/height", Honoured),
    (
        "/outputGroups/*/outputs/*/videoDescription/scalingBehavior",
        Only(&["DEFAULT", "STRETCH_TO_OUTPUT", "FIT", "FIT_NO_UPSCALE", "FILL"]),
    ),
    ("/outputGroups/*/outputs/*/videoDescription/sharpness", Honoured),
    (
        "/outputGroups/*/outputs/*/videoDescription/antiAlias",
        Harmless("scaling always filters"),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/afdSignaling",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/respondToAfd",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/colorMetadata",
        Only(&["INSERT"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/dropFrameTimecode",
        Harmless(TIMECODE),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/timecodeInsertion",
        Only(&["DISABLED"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/timecodeTrack",
        Only(&["DISABLED"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/chromaPositionMode",
        Only(&["AUTO"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector/colorSpaceConversion",
        Only(&["NONE", "FORCE_709"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector/brightness",
        Only(&["50"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector/contrast",
        Only(&["50"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector/hue",
        Only(&["0"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/videoPreprocessors/colorCorrector/saturation",
        Only(&["50"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/codec",
        Only(&["H_264", "FRAME_CAPTURE"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/frameCaptureSettings/framerateNumerator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/frameCaptureSettings/framerateDenominator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/frameCaptureSettings/maxCaptures",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/frameCaptureSettings/quality",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/rateControlMode",
        Only(&["VBR", "CBR", "QVBR"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/bitrate",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/maxBitrate",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/hrdBufferSize",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/hrdBufferInitialFillPercentage",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/qvbrSettings/qvbrQualityLevel",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/qvbrSettings/qvbrQualityLevelFineTune",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/qualityTuningLevel",
        Only(&["SINGLE_PASS", "SINGLE_PASS_HQ", "MULTI_PASS_HQ"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/codecProfile",
        Only(&["BASELINE", "MAIN", "HIGH"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/codecLevel",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/entropyEncoding",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/gopSize",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/gopSizeUnits",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/gopClosedCadence",
        Only(&["1"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/gopBReference",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/dynamicSubGop",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/minIInterval",
        Only(&["0"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/numberBFramesBetweenReferenceFrames",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/numberReferenceFrames",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/sceneChangeDetect",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/slices",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/adaptiveQuantization",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/spatialAdaptiveQuantization",
        Harmless(PSYCHOVISUAL),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/temporalAdaptiveQuantization",
        Harmless(PSYCHOVISUAL),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/flickerAdaptiveQuantization",
        Harmless(PSYCHOVISUAL),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/softness",
        Only(&["0"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/framerateControl",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/framerateNumerator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/framerateDenominator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/framerateConversionAlgorithm",
        Only(&["DUPLICATE_DROP"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/parControl",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/parNumerator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/parDenominator",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/interlaceMode",
        Only(&["PROGRESSIVE"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/fieldEncoding",
        Harmless(PROGRESSIVE),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/scanTypeConversionMode",
        Harmless(PROGRESSIVE),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/telecine",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/slowPal",
        Only(&["DISABLED"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/syntax",
        Only(&["DEFAULT"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/repeatPps",
        Only(&["DISABLED"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/unregisteredSeiTimecode",
        Only(&["DISABLED"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/endOfStreamMarkers",
        Only(&["SUPPRESS"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/writeMp4PackagingType",
        Only(&["AVC1"]),
    ),
    (
        "/outputGroups/*/outputs/*/videoDescription/codecSettings/h264Settings/saliencyAwareEncoding",
        Only(&["DISABLED"]),
    ),
    // Sound.
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/audioSourceName",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/audioType",
        Harmless("the audio type descriptor is not written"),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/audioTypeControl",
        Harmless("the audio type descriptor is not written"),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/languageCode",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/languageCodeControl",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/streamName",
        Harmless("names separate renditions of sound only"),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/codec",
        Only(&["AAC"]),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/bitrate",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/codingMode",
        Only(&[
            "CODING_MODE_1_0",
            "CODING_MODE_2_0",
            "CODING_MODE_5_1",
            "CODING_MODE_AUTO",
        ]),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/sampleRate",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/codecProfile",
        Only(&["LC"]),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/rateControlMode",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/vbrQuality",
        Honoured,
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/rawFormat",
        Only(&["NONE"]),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/specification",
        Only(&["MPEG4"]),
    ),
    (
        "/outputGroups/*/outputs/*/audioDescriptions/*/codecSettings/aacSettings/audioDescriptionBroadcasterMix",
        Only(&["NORMAL"]),
    ),
];

/// What is done with the setting at a path.
pub fn of(path: &str) -> Option<Support> {
    TABLE
        .iter()
        .find(|(pattern, _)| matches(pattern, path))
        .map(|(_, support)| *support)
}

/// Refuses the first setting that would not be honoured. Nulls and empty lists say nothing.
pub fn check(settings: &Value) -> Result<(), Refusal> {
    walk(settings, &mut String::new(), &mut |path, value| {
        let allowed = match of(path) {
            Some(Honoured | Harmless(_)) => return Ok(()),
            Some(Only(allowed)) => allowed,
            None => {
                return Err(Refusal::setting(
                    path,
                    "the local engine cannot honour this setting",
                ));
            }
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if allowed.contains(&text.as_str()) {
            return Ok(());
        }
        let message = format!(
            "the local engine cannot honour {text} here, only {}",
            allowed.join(", ")
        );
        Err(Refusal::setting(path, message))
    })
}

/// Visits every scalar with its JSON pointer.
pub fn walk<E>(
    value: &Value,
    path: &mut String,
    visit: &mut impl FnMut(&str, &Value) -> Result<(), E>,
) -> Result<(), E> {
    let length = path.len();
    match value {
        Value::Null => {}
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push('/');
                path.push_str(&index.to_string());
                walk(item, path, visit)?;
                path.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                path.push('/');
                path.push_str(&name.replace('~', "~0").replace('/', "~1"));
                walk(member, path, visit)?;
                path.truncate(length);
            }
        }
        scalar => visit(path, scalar)?,
    }
    Ok(())
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (Some("**"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_match_patterns() {
        for (pattern, path, expected) in [
            ("/a/*/b", "/a/0/b", true),
            ("/a/*/b", "/a/0/c", false),
            ("/a/*/b", "/a/0/b/c", false),
            ("/a/**", "/a/0/b/c", true),
            ("/a/**", "/a", false),
            ("/a/*", "/a/Audio Selector 1", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_is_refused_by_its_path() {
        for (settings, message) in [
            (
                json!({"inputs": [{"rotate": 1}]}),
                "/inputs/0/rotate: the local engine cannot honour this setting",
            ),
            (
                json!({"outputGroups": [{"outputGroupSettings": {"fileGroupSettings": {"destinationSettings": {"s3Settings":
                    {"accessControl": {"cannedAcl": "PUBLIC_READ"}}}}}}]}),
                "/outputGroups/0/outputGroupSettings/fileGroupSettings/destinationSettings/s3Settings/accessControl/cannedAcl: \
                 the local engine cannot honour PUBLIC_READ here, only BUCKET_OWNER_FULL_CONTROL, BUCKET_OWNER_READ",
            ),
            (
                json!({"outputGroups": [{"outputs": [{"videoDescription": {"codecSettings": {"codec": "H_265"}}}]}]}),
                "/outputGroups/0/outputs/0/videoDescription/codecSettings/codec: \
                 the local engine cannot honour H_265 here, only H_264, FRAME_CAPTURE",
            ),
        ] {
            assert_eq!(check(&settings).expect_err("is refused").to_string(), message);
        }
        assert!(
            check(&json!({"esam": null, "nielsenConfiguration": {}, "inputs": [{"inputClippings": []}]}))
                .is_ok()
        );
    }

    #[test]
    fn the_table_has_no_path_twice() {
        let mut paths: Vec<_> = TABLE.iter().map(|(path, _)| path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), TABLE.len());
    }
}
