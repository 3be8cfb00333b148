//! Plans color conversion: outputs are 8-bit BT.709 or BT.601, whatever the source is.

use crate::plan::{Refusal, WARN_TONE_MAPPED, Warning};
use crate::probe::VideoTrack;

/// Filters that follow the first scaling, and a warning about them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conversion {
    pub(crate) filters: Vec<String>,
    pub(crate) warning: Option<Warning>,
}

/// Plans the conversion of a source to 8-bit 4:2:0.
pub(crate) fn conversion(track: &VideoTrack) -> Result<Conversion, Refusal> {
    if track.dolby_vision_profile == Some(5) {
        // Its base layer is no picture that anything but a Dolby decoder can show.
        return Err(Refusal::setting(
            "/inputs/0",
            "the local engine cannot decode Dolby Vision profile 5",
        ));
    }
    let mut conversion = Conversion::default();
    if track.is_hdr() {
        conversion.filters = tone_mapping(track);
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
fn tone_mapping(track: &VideoTrack) -> Vec<String> {
    let input = described(track, "smpte2084");
    vec![
        // 100 cd/m² is the white of ordinary screens.
        format!("zscale={input}:t=linear:npl=100"),
        "format=gbrpf32le".to_owned(),
        "zscale=p=bt709".to_owned(),
        "tonemap=tonemap=hable:desat=0".to_owned(),
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
