//! Plans color conversion: outputs of 8 bits are BT.709 or BT.601, whatever the source is; those of 10 bits keep its colors.

use mediaconvert_job::model::{Hdr10Metadata, Input, VideoDescription};

use crate::plan::{Refusal, WARN_TONE_MAPPED, Warning};
use crate::probe::{Mastering, MediaInfo, VideoTrack};

/// The filter that takes the description of colors from pictures.
pub(crate) const UNDESCRIBED: &str = "setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown";

/// Filters that follow the first scaling, and a warning about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conversion {
    pub(crate) filters: Vec<String>,
    pub(crate) warning: Option<Warning>,
}

/// Colors by the name that `MediaConvert` has for them: primaries, transfer and matrix in ffmpeg's words.
fn named(space: &str) -> Option<[&'static str; 3]> {
    Some(match space {
        "REC_601" | "FORCE_601" => ["smpte170m", "smpte170m", "smpte170m"],
        "REC_709" | "FORCE_709" => ["bt709", "bt709", "bt709"],
        "HDR10" | "FORCE_HDR10" => ["bt2020", "smpte2084", "bt2020nc"],
        "HLG_2020" | "FORCE_HLG_2020" => ["bt2020", "arib-std-b67", "bt2020nc"],
        _ => return None,
    })
}

/// The source with what the input states about its picture.
pub(crate) fn overridden(source: &MediaInfo, input: &Input) -> Result<MediaInfo, Refusal> {
    let mut source = source.clone();
    let Some(track) = &mut source.video else {
        return Ok(source);
    };
    let selector = &input.video_selector;
    // Progressive frames that are marked as interlaced.
    if input.input_scan_type.as_deref() == Some("PSF") {
        (track.interlaced, track.top_field_first) = (false, None);
    }
    let forced = selector.color_space_usage.as_deref() == Some("FORCE");
    if let Some([primaries, transfer, matrix]) = selector.color_space.as_deref().and_then(named) {
        let set = |known: &mut Option<String>, stated: &str| {
            if forced || known.is_none() {
                *known = Some(stated.to_owned());
            }
        };
        set(&mut track.color_primaries, primaries);
        set(&mut track.color_transfer, transfer);
        set(&mut track.color_matrix, matrix);
    }
    let metadata = selector.hdr10_metadata.as_ref().map(mastering);
    track.mastering = if forced {
        metadata.or(track.mastering)
    } else {
        track.mastering.or(metadata)
    };
    match selector.sample_range.as_deref() {
        Some("FULL_RANGE") => track.full_range = true,
        Some("LIMITED_RANGE") => track.full_range = false,
        _ => {}
    }
    if selector.alpha_behavior.as_deref() == Some("REMAP_TO_LUMA") && !has_alpha(track) {
        return Err(Refusal::setting(
            "/inputs/0/videoSelector/alphaBehavior",
            "the picture has no alpha channel",
        ));
    }
    Ok(source)
}

fn has_alpha(track: &VideoTrack) -> bool {
    let marks = ["yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16"];
    marks.iter().any(|mark| track.pixel_format.starts_with(mark))
}

/// Filters that tell the decoded pictures what the selector states.
pub(crate) fn stated(track: &VideoTrack, input: &Input) -> Vec<String> {
    let selector = &input.video_selector;
    let says = |setting: &Option<String>| setting.as_deref().is_some_and(|value| value != "FOLLOW");
    let mut filters = Vec::new();
    if input.input_scan_type.as_deref() == Some("PSF") {
        filters.push("setfield=mode=prog".to_owned());
    }
    if says(&selector.color_space) || says(&selector.sample_range) {
        let word = |known: &Option<String>| known.clone().unwrap_or_else(|| "unknown".to_owned());
        filters.push(format!(
            "setparams=color_primaries={}:color_trc={}:colorspace={}:range={}",
            word(&track.color_primaries),
            word(&track.color_transfer),
            word(&track.color_matrix),
            if track.full_range { "pc" } else { "tv" }
        ));
    }
    if selector.alpha_behavior.as_deref() == Some("REMAP_TO_LUMA") {
        filters.push("alphaextract".to_owned());
    }
    filters
}

/// The colors of an output of ten bits.
#[derive(Debug, Default)]
pub(crate) struct Deep {
    pub(crate) filters: Vec<String>,
    /// HDR10 metadata, of HDR10 alone.
    pub(crate) mastering: Option<Mastering>,
}

/// Plans the colors of an output of ten bits: those of the source, or the HDR that the job asks for.
pub(crate) fn deep(source: &MediaInfo, video: &VideoDescription) -> Deep {
    let Some(track) = &source.video else {
        return Deep::default();
    };
    let corrector = video.video_preprocessors.color_corrector.as_ref();
    let forced = corrector.and_then(|corrector| named(corrector.color_space_conversion.as_deref()?));
    let mut deep = Deep::default();
    let mut transfer = track.color_transfer.as_deref();
    if let Some([primaries, wanted, matrix]) = forced.filter(|[_, wanted, _]| transfer != Some(wanted)) {
        let white = corrector.and_then(|corrector| corrector.sdr_reference_white_level);
        let input = if track.is_hdr() {
            described(track, "smpte2084")
        } else {
            let range = if track.full_range { "pc" } else { "tv" };
            let [primaries, transfer, matrix] = sdr(track);
            format!("tin={transfer}:min={matrix}:pin={primaries}:rin={range}")
        };
        let white = white.unwrap_or(100);
        deep.filters.push(format!(
            "zscale={input}:t={wanted}:p={primaries}:m={matrix}:r=tv:npl={white},format=yuv420p10le"
        ));
        transfer = Some(wanted);
    }
    let configured = corrector
        .and_then(|corrector| corrector.hdr10_metadata.as_ref())
        .filter(|_| forced.is_some())
        .map(mastering);
    if transfer == Some("smpte2084") && video.color_metadata.as_deref() != Some("IGNORE") {
        deep.mastering = configured.or(track.mastering);
    }
    deep
}

/// Filters that bring the converted pictures of eight bits to BT.601 or BT.709, where the job asks for one.
pub(crate) fn shallow(source: &MediaInfo, video: &VideoDescription) -> Vec<String> {
    let corrector = video.video_preprocessors.color_corrector.as_ref();
    let forced = corrector.and_then(|corrector| named(corrector.color_space_conversion.as_deref()?));
    let (Some(track), Some(wanted)) = (&source.video, forced) else {
        return Vec::new();
    };
    // Wide colors are BT.709 by now.
    let is_wide = track.is_hdr() || track.color_primaries.as_deref() == Some("bt2020");
    let [primaries, transfer, matrix] = if is_wide { ["bt709"; 3] } else { sdr(track) };
    let [to_primaries, to_transfer, to_matrix] = wanted;
    let mut filters = Vec::new();
    if matrix != to_matrix {
        filters.push(format!(
            "zscale=tin={transfer}:min={matrix}:pin={primaries}:rin=tv:t={to_transfer}:p={to_primaries}:m={to_matrix}:r=tv,\
             format=yuv420p"
        ));
    }
    filters.push(format!(
        "setparams=color_primaries={to_primaries}:color_trc={to_transfer}:colorspace={to_matrix}"
    ));
    filters
}

/// The colors of ordinary video. A file without a description has those of its size.
fn sdr(track: &VideoTrack) -> [&'static str; 3] {
    let small = track.height <= 576;
    match track.color_matrix.as_deref() {
        Some("smpte170m" | "bt470bg") => ["smpte170m"; 3],
        None if small => ["smpte170m"; 3],
        _ => ["bt709"; 3],
    }
}

/// The metadata of a job. Without primaries, they are those of P3 with the white of daylight (D65).
fn mastering(metadata: &Hdr10Metadata) -> Mastering {
    const P3: [(u32, u32); 4] = [(13_250, 34_500), (7500, 3000), (34_000, 16_000), (15_635, 16_450)];
    let given = [
        (metadata.green_primary_x, metadata.green_primary_y),
        (metadata.blue_primary_x, metadata.blue_primary_y),
        (metadata.red_primary_x, metadata.red_primary_y),
        (metadata.white_point_x, metadata.white_point_y),
    ];
    Mastering {
        primaries: if given.contains(&(0, 0)) { P3 } else { given },
        // Without a display that is known, one of 1000 cd/m².
        luminance: match (metadata.max_luminance, metadata.min_luminance) {
            (0, _) => (10_000_000, 1),
            given => given,
        },
        light: (
            metadata.max_content_light_level,
            metadata.max_frame_average_light_level,
        ),
    }
}

/// Plans the conversion of a source to 8-bit 4:2:0. `vibrant` prefers bright colors to details in them.
pub(crate) fn conversion(track: &VideoTrack, vibrant: bool) -> Result<Conversion, Refusal> {
    if track.dolby_vision_profile == Some(5) {
        // Its base layer is no picture that anything but a Dolby decoder can show.
        return Err(Refusal::setting(
            "/inputs/0",
            "the local engine cannot decode Dolby Vision profile 5",
        ));
    }
    let mut conversion = Conversion::default();
    if track.is_hdr() {
        conversion.filters = tone_mapping(track, vibrant);
        conversion.warning = Some(Warning {
            code: WARN_TONE_MAPPED,
            message: "the source is HDR; outputs are 8-bit SDR (BT.709), tone-mapped".to_owned(),
        });
    } else if track.color_primaries.as_deref() == Some("bt2020") {
        let input = described(track, "bt709");
        conversion.filters = vec![format!("zscale={input}:p=bt709:t=bt709:m=bt709:r=tv")];
    } else if track.full_range {
        conversion.filters = vec!["scale=in_range=pc:out_range=tv".to_owned()];
    }
    conversion.filters.push("format=yuv420p".to_owned());
    Ok(conversion)
}

/// To linear light, to the smaller gamut there, through a curve that keeps highlights, and back.
fn tone_mapping(track: &VideoTrack, vibrant: bool) -> Vec<String> {
    // MediaConvert keeps details of HLG in any case.
    let vibrant = vibrant && track.color_transfer.as_deref() == Some("smpte2084");
    let curve = if vibrant { "mobius" } else { "hable" };
    let input = described(track, "smpte2084");
    vec![
        // 100 cd/m² is the white of ordinary screens.
        format!("zscale={input}:t=linear:npl=100"),
        "format=gbrpf32le".to_owned(),
        "zscale=p=bt709".to_owned(),
        format!("tonemap=tonemap={curve}:desat=0"),
        "zscale=t=bt709:m=bt709:r=tv".to_owned(),
    ]
}

/// The source's colors in zscale's terms: stated explicitly, because frames do not always carry them.
fn described(track: &VideoTrack, default_transfer: &str) -> String {
    let transfer = track.color_transfer.as_deref().unwrap_or(default_transfer);
    let matrix = track.color_matrix.as_deref().unwrap_or("bt2020nc");
    let primaries = track.color_primaries.as_deref().unwrap_or("bt2020");
    let range = if track.full_range { "pc" } else { "tv" };
    format!("tin={transfer}:min={matrix}:pin={primaries}:rin={range}")
}
