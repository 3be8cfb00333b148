//! The frame rate of a source.

use serde_json::Value;

use super::{Ratio, text};

/// Rates that cameras and studios work with; a source of varying rate is brought to the nearest.
const STANDARD_RATES: [Ratio; 11] = [
    Ratio { num: 10, den: 1 },
    Ratio { num: 15, den: 1 },
    Ratio {
        num: 24_000,
        den: 1001,
    },
    Ratio { num: 24, den: 1 },
    Ratio { num: 25, den: 1 },
    Ratio {
        num: 30_000,
        den: 1001,
    },
    Ratio { num: 30, den: 1 },
    Ratio { num: 50, den: 1 },
    Ratio {
        num: 60_000,
        den: 1001,
    },
    Ratio { num: 60, den: 1 },
    Ratio { num: 120, den: 1 },
];

/// Above this ffprobe's guess is a clock (90 kHz) and no rate of pictures.
const HIGHEST_RATE: f64 = 240.0;

/// Seconds of the source from which its rate is measured.
const INTERVAL: &str = "%+20";
/// Frames below which a measured rate says little.
const FEWEST: usize = 5;

/// ffprobe's arguments for the packets of the video stream `index`.
pub(super) fn arguments(index: &str) -> [&str; 6] {
    [
        "-select_streams",
        index,
        "-read_intervals",
        INTERVAL,
        "-show_entries",
        "packet=pts_time,dts_time",
    ]
}

/// The rate to play at, and whether the source varies around it.
///
/// `r_frame_rate` is the lowest rate that can express all timestamps, `avg_frame_rate` frames over duration as the
/// container has them. They are equal for a constant rate, save for rounding at the ends of short clips. Outside of
/// MP4 and QuickTime both may come from a wrong header, for example the timing of an H.264 stream that counts
/// four ticks to a frame; there `measured` takes the average's place.
pub(super) fn of(stream: &Value, measured: Option<f64>) -> (Ratio, bool) {
    let of = |name: &str| text(&stream[name]).and_then(|rate| Ratio::parse(&rate, '/'));
    let possible = of("r_frame_rate").filter(|rate| rate.as_f64() <= HIGHEST_RATE);
    let average = measured.or(of("avg_frame_rate").map(Ratio::as_f64));
    match (possible, average) {
        (Some(possible), Some(average)) if (possible.as_f64() / average - 1.0).abs() < 0.005 => {
            (possible, false)
        }
        (_, Some(average)) => (nearest_standard(average), true),
        (Some(only), None) => (only, false),
        // Browsers' recordings say nothing; they are made at 30.
        (None, None) => (Ratio { num: 30, den: 1 }, true),
    }
}

/// Frames per second of ffprobe's packets; `None` where they are too few or have no times.
#[expect(clippy::cast_precision_loss, reason = "a count of packets of 20 s")]
pub(super) fn measured(document: &Value) -> Option<f64> {
    let packets = document["packets"].as_array()?;
    let times = |name: &str| -> Vec<f64> {
        let times = packets
            .iter()
            .filter_map(|packet| packet[name].as_str()?.parse().ok());
        let mut times: Vec<f64> = times.filter(|time: &f64| time.is_finite()).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    };
    // AVI has decoding times only.
    let times = Some(times("pts_time"))
        .filter(|times| times.len() >= FEWEST)
        .unwrap_or_else(|| times("dts_time"));
    let span = times.last()? - times.first()?;
    (times.len() >= FEWEST && span > 0.0).then(|| (times.len() - 1) as f64 / span)
}

fn nearest_standard(rate: f64) -> Ratio {
    let distance = |standard: &Ratio| (standard.as_f64() / rate).ln().abs();
    let nearest = STANDARD_RATES
        .into_iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.unwrap_or(Ratio { num: 30, den: 1 })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates() {
        for (real, average, packets, expected, varies) in [
            ("30/1", "30/1", None, (30, 1), false),
            ("30000/1001", "30000/1001", None, (30_000, 1001), false),
            ("30/1", "5400/181", None, (30_000, 1001), true),
            ("120/1", "2963/100", None, (30_000, 1001), true),
            ("90000/1", "24/1", None, (24, 1), true),
            ("30/1", "0/0", None, (30, 1), false),
            ("0/0", "0/0", None, (30, 1), true),
            ("1000/1", "0/0", None, (30, 1), true),
            ("60/1", "59/1", None, (60_000, 1001), true),
            // Measured: the base rate is wrong, the average is wrong, both are.
            ("120/1", "30/1", Some(30.0), (30, 1), true),
            ("30/1", "120/1", Some(29.995), (30, 1), false),
            ("120/1", "120/1", Some(30.0), (30, 1), true),
            ("120/1", "0/0", Some(30.0), (30, 1), true),
        ] {
            let stream = json!({"r_frame_rate": real, "avg_frame_rate": average});
            let expected = Ratio {
                num: expected.0,
                den: expected.1,
            };
            assert_eq!(
                of(&stream, packets),
                (expected, varies),
                "{real} {average} {packets:?}"
            );
        }
    }

    #[test]
    fn packets_are_measured_by_their_times() {
        let packets = |name: &str, times: &[f64]| {
            let packets: Vec<Value> = times.iter().map(|time| json!({name: time.to_string()})).collect();
            measured(&json!({ "packets": packets }))
        };
        // In decoding order, and one of them twice.
        let times = [0.0, 0.16, 0.08, 0.04, 0.12, 0.12, 0.2];
        for name in ["pts_time", "dts_time"] {
            let rate = packets(name, &times).expect("is measured");
            assert!((rate - 25.0).abs() < 0.01, "{name}: {rate}");
        }
        assert_eq!(packets("pts_time", &times[..3]), None);
        assert_eq!(packets("pts_time", &[1.0; 9]), None);
    }
}
