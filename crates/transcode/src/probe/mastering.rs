//! The HDR10 metadata of a track: of its stream, or of its first pictures.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Mastering display (SMPTE ST 2086) and light levels (CTA-861.3) of HDR10.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mastering {
    /// x and y of green, blue, red and white, in steps of 0.00002.
    pub primaries: [(u32, u32); 4],
    /// Maximum and minimum luminance, in steps of 0.0001 cd/m².
    pub luminance: (u32, u32),
    /// Maximum content and frame-average light level, in cd/m².
    pub light: (u32, u32),
}

/// Reads entries of ffprobe's `side_data_list`. Where there is no mastering display, there is none of it.
pub(super) fn of<'a>(side_data: impl Iterator<Item = &'a Value>) -> Option<Mastering> {
    let mut found = Mastering::default();
    let mut known = false;
    for data in side_data {
        match data["side_data_type"].as_str() {
            Some("Mastering display metadata") => {
                let step = |name: &str, steps| fraction(&data[name], steps);
                let point = |name: &str| {
                    (
                        step(&format!("{name}_x"), 50_000),
                        step(&format!("{name}_y"), 50_000),
                    )
                };
                found.primaries = ["green", "blue", "red", "white_point"].map(point);
                found.luminance = (step("max_luminance", 10_000), step("min_luminance", 10_000));
                known = found.primaries.iter().any(|point| *point != (0, 0));
            }
            Some("Content light level metadata") => {
                let level = |name: &str| super::number(&data[name]).unwrap_or(0);
                found.light = (level("max_content"), level("max_average"));
            }
            _ => {}
        }
    }
    known.then_some(found)
}

/// `34000/50000` in steps of which one is `1/steps`.
fn fraction(value: &Value, steps: u64) -> u32 {
    let read = || {
        let (num, den) = value.as_str()?.split_once('/')?;
        let (num, den): (u64, u64) = (num.parse().ok()?, den.parse().ok()?);
        u32::try_from(num.checked_mul(steps)?.checked_div(den)?).ok()
    };
    read().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ffprobes_fractions_become_steps() {
        let display = json!({"side_data_type": "Mastering display metadata", "red_x": "34000/50000", "red_y": "17/50",
            "green_x": "13250/50000", "green_y": "34500/50000", "blue_x": "7500/50000", "blue_y": "3000/50000",
            "white_point_x": "15635/50000", "white_point_y": "16450/50000",
            "min_luminance": "50/10000", "max_luminance": "1000/1"});
        let light = json!({"side_data_type": "Content light level metadata", "max_content": 1000, "max_average": 400});
        let found = of([&display, &light].into_iter()).expect("is known");
        assert_eq!(
            found.primaries,
            [(13_250, 34_500), (7500, 3000), (34_000, 17_000), (15_635, 16_450)]
        );
        assert_eq!((found.luminance, found.light), ((10_000_000, 50), (1000, 400)));
        assert_eq!(of([&light].into_iter()), None);
        let broken = json!({"side_data_type": "Mastering display metadata", "red_x": "1/0", "green_x": "x", "blue_x": 7});
        assert_eq!(of([&broken].into_iter()), None);
    }
}
