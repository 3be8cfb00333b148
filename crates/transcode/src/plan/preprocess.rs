//! Noise reducers and color corrections as ffmpeg's filters.

use mediaconvert_job::model::{ColorCorrector, Input, NoiseReducer, NoiseReducerStrength};

use crate::plan::h264::decimal;

/// Filters that an input asks for. With `AUTO`, `MediaConvert` decides by itself; here that is none.
pub(crate) fn input_filters(input: &Input) -> Vec<String> {
    let is = |setting: &Option<String>, value: &str| setting.as_deref() == Some(value);
    let strength = input.filter_strength.unwrap_or(0).min(5);
    if !is(&input.filter_enable, "FORCE") || strength == 0 {
        return Vec::new();
    }
    let mut filters = Vec::new();
    if is(&input.deblock_filter, "ENABLED") {
        let filter = if strength > 2 { "strong" } else { "weak" };
        filters.push(format!("deblock=filter={filter}:block=8"));
    }
    if is(&input.denoise_filter, "ENABLED") {
        filters.push(format!("hqdn3d={strength}"));
    }
    filters
}

/// Filters of a noise reducer. `MediaConvert`'s scales of strength are its own; these are near them.
pub(crate) fn noise_filters(reducer: &NoiseReducer) -> Vec<String> {
    let strength = |settings: &NoiseReducerStrength| settings.strength.unwrap_or(0);
    let (spatial, temporal) = (
        &reducer.spatial_filter_settings,
        &reducer.temporal_filter_settings,
    );
    let level = strength(&reducer.filter_settings).min(3);
    let scaled = |step: f64| decimal(f64::from(level) * step);
    let filter = match reducer.filter.as_deref() {
        Some("SPATIAL") => match strength(spatial) {
            0 => None,
            level => Some(format!("hqdn3d={}", decimal(f64::from(level) / 2.0))),
        },
        // The filter takes a strength of 0 for its default.
        Some("TEMPORAL") => match strength(temporal) {
            0 => None,
            level => Some(format!("hqdn3d=0.01:0.01:{level}:{level}")),
        },
        _ if level == 0 => None,
        Some("MEAN") => Some(format!("avgblur=sizeX={level}")),
        Some("GAUSSIAN") => Some(format!("gblur=sigma={}", scaled(0.4))),
        Some("LANCZOS") => Some(format!("gblur=sigma={}", scaled(0.25))),
        Some("SHARPEN") => Some(format!("unsharp=5:5:{}", scaled(0.2))),
        Some("CONSERVE") => Some("removegrain=m0=1:m1=1:m2=1".to_owned()),
        _ => Some(format!("bilateral=sigmaS={level}:sigmaR={}", scaled(0.05))),
    };
    let sharpen = spatial.post_filter_sharpen_strength.unwrap_or(0).min(3);
    let sharpened = reducer.filter.as_deref() == Some("SPATIAL") && sharpen > 0;
    let sharpen = sharpened.then(|| format!("unsharp=5:5:{}", decimal(f64::from(sharpen) * 0.2)));
    filter.into_iter().chain(sharpen).collect()
}

/// Filters of a color corrector on samples of limited range. 50 is neutral, 0 black, gray or colorless, and 100 doubles.
pub(crate) fn color_filters(corrector: &ColorCorrector) -> Vec<String> {
    const MIDDLE: &str = "(minval+maxval)/2";
    let level = |setting: Option<u32>| f64::from(setting.unwrap_or(50)) / 50.0;
    let (brightness, contrast, saturation) = (
        level(corrector.brightness),
        level(corrector.contrast),
        level(corrector.saturation),
    );
    let mut filters = Vec::new();
    if let Some(hue) = corrector.hue.filter(|hue| *hue != 0) {
        filters.push(format!("hue=h={hue}"));
    }
    if [brightness, contrast, saturation]
        .iter()
        .any(|level| (level - 1.0).abs() > 1e-6)
    {
        let scaled = |factor: f64| format!("(val-{MIDDLE})*{}+{MIDDLE}", decimal(factor));
        let chroma = scaled(saturation);
        // Half of the range up or down at the ends of the scale.
        let shift = decimal((brightness - 1.0) / 2.0);
        filters.push(format!(
            "lutyuv=y={}+{shift}*(maxval-minval):u={chroma}:v={chroma}",
            scaled(contrast)
        ));
    }
    if corrector.sample_range_conversion.as_deref() == Some("LIMITED_RANGE_CLIP") {
        let bound = |limit: Option<u32>, default: u32| limit.unwrap_or(default) / 4;
        // Levels are those of eight bits here; the filter's planes are luma and both chromas.
        let low = bound(corrector.clip_limits.minimum_yuv, 64);
        let high = bound(corrector.clip_limits.maximum_yuv, 940);
        filters.push(format!("format=yuv420p,limiter=min={low}:max={high}"));
    }
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reducer(filter: &str, strength: u32) -> NoiseReducer {
        let strength = NoiseReducerStrength {
            strength: Some(strength),
            ..NoiseReducerStrength::default()
        };
        NoiseReducer {
            filter: Some(filter.to_owned()),
            filter_settings: strength.clone(),
            spatial_filter_settings: strength.clone(),
            temporal_filter_settings: strength,
        }
    }

    #[test]
    fn each_noise_reducer_has_a_filter_unless_its_strength_is_zero() {
        for (filter, expected) in [
            ("BILATERAL", "bilateral=sigmaS=2:sigmaR=0.1"),
            ("MEAN", "avgblur=sizeX=2"),
            ("GAUSSIAN", "gblur=sigma=0.8"),
            ("LANCZOS", "gblur=sigma=0.5"),
            ("SHARPEN", "unsharp=5:5:0.4"),
            ("CONSERVE", "removegrain=m0=1:m1=1:m2=1"),
            ("SPATIAL", "hqdn3d=1"),
            ("TEMPORAL", "hqdn3d=0.01:0.01:2:2"),
        ] {
            assert_eq!(noise_filters(&reducer(filter, 2)), [expected]);
            assert!(noise_filters(&reducer(filter, 0)).is_empty(), "{filter}");
        }
    }

    #[test]
    fn a_neutral_corrector_does_nothing() {
        let neutral = ColorCorrector {
            brightness: Some(50),
            contrast: Some(50),
            saturation: Some(50),
            hue: Some(0),
            ..ColorCorrector::default()
        };
        assert!(color_filters(&neutral).is_empty());
        let bright = ColorCorrector {
            brightness: Some(60),
            hue: Some(-90),
            ..neutral
        };
        assert_eq!(
            color_filters(&bright),
            [
                "hue=h=-90",
                "lutyuv=y=(val-(minval+maxval)/2)*1+(minval+maxval)/2+0.1*(maxval-minval):\
                 u=(val-(minval+maxval)/2)*1+(minval+maxval)/2:v=(val-(minval+maxval)/2)*1+(minval+maxval)/2"
            ]
        );
    }

    #[test]
    fn input_filters_are_those_that_are_forced() {
        let mut input = Input {
            filter_enable: Some("AUTO".to_owned()),
            filter_strength: Some(3),
            deblock_filter: Some("ENABLED".to_owned()),
            denoise_filter: Some("ENABLED".to_owned()),
            ..Input::default()
        };
        assert!(input_filters(&input).is_empty());
        input.filter_enable = Some("FORCE".to_owned());
        assert_eq!(
            input_filters(&input),
            ["deblock=filter=strong:block=8", "hqdn3d=3"]
        );
    }
}
