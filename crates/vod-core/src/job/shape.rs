//! The picture keeps its shape: a template that gives one side of an output gets the other from the source.
//!
//! CreateJob never carries one side alone, because MediaConvert then computes the other at run time and fails
//! where it comes out odd (error 1040, `Invalid resolution [912 x 513], only even values are supported`).

use serde_json::Value;

use crate::record::Media;

/// Longest side of an output in pixels: MediaConvert user guide, "Supported output codecs" (H.264 4096x2160 or
/// turned, H.265 8192x4320).
const LONGEST: u64 = 4096;
const LONGEST_H265: u64 = 8192;
/// Shortest side that CreateJob takes (API reference, `VideoDescription`).
const SHORTEST: u64 = 32;
/// Longest side of a source that is believed, and largest part of a pixel's shape: no product overflows.
const LARGEST: u64 = 1 << 20;
const LARGEST_PART: u64 = 1 << 16;
/// Shape of the frame where nothing is known of the source.
const WIDESCREEN: Shape = Shape { width: 16, height: 9 };

/// Width to height, in a unit that does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    width: u64,
    height: u64,
}

/// The source's picture as the job's input gives it: cropped and turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    width: u64,
    height: u64,
    /// Width and height of one pixel.
    pixel: (u64, u64),
}

impl Source {
    /// The shape that `settings` give to a probed picture. `None` if its size is unknown.
    pub(super) fn new(settings: &Value, media: &Media) -> Option<Self> {
        let input = settings.pointer("/inputs/0");
        let crop = |side: &str| input?.pointer(&format!("/crop/{side}"))?.as_u64();
        let side = |name, probed: Option<u32>| {
            let side = crop(name).or(probed.map(u64::from));
            side.filter(|side| (1..=LARGEST).contains(side))
        };
        let (width, height) = (side("width", media.width)?, side("height", media.height)?);
        let pixel = media
            .pixel_aspect
            .map(|aspect| (u64::from(aspect.width), u64::from(aspect.height)));
        let pixel = pixel.filter(is_pixel).unwrap_or((1, 1));
        let turned = |degrees: u16| degrees % 180 == 90;
        // MediaConvert rotates by the file's metadata only if `rotate` is AUTO, which the pipeline sets.
        let rotate = input.map_or(Some("AUTO"), |input| {
            input.pointer("/videoSelector/rotate").and_then(Value::as_str)
        });
        let on_its_side = match rotate {
            Some("AUTO") => turned(media.rotation.unwrap_or(0)),
            Some("DEGREES_90" | "DEGREES_270") => true,
            _ => false,
        };
        Some(if on_its_side {
            Self {
                width: height,
                height: width,
                pixel: (pixel.1, pixel.0),
            }
        } else {
            Self { width, height, pixel }
        })
    }

    /// Whether a viewer sees it higher than wide.
    pub(super) fn is_portrait(self) -> bool {
        self.height * self.pixel.1 > self.width * self.pixel.0
    }

    /// Its size in the pixels of an output, unscaled.
    pub(super) fn in_pixels_of(self, output: &Value) -> (u64, u64) {
        let shape = self.shape_in(output);
        (scaled(self.height, shape.width, shape.height).max(1), self.height)
    }

    /// Its shape in the pixels of an output: square ones where the template says so, else the source's own.
    fn shape_in(self, output: &Value) -> Shape {
        let (width, height) = (self.width * self.pixel.0, self.height * self.pixel.1);
        let (num, den) = match pixel_of(output) {
            Some(specified) => specified,
            None => self.pixel,
        };
        Shape {
            width: width * den,
            height: height * num,
        }
    }
}

/// The pixel shape that an output asks for; `None` follows the source. Captured frames have square pixels.
fn pixel_of(output: &Value) -> Option<(u64, u64)> {
    let codec = output.pointer("/videoDescription/codecSettings")?.as_object()?;
    if codec.get("codec").and_then(Value::as_str) == Some("FRAME_CAPTURE") {
        return Some((1, 1));
    }
    let settings = codec
        .values()
        .find(|settings| settings.get("parControl").and_then(Value::as_str) == Some("SPECIFIED"))?;
    let side = |name: &str| settings.get(name).and_then(Value::as_u64);
    let (num, den) = (side("parNumerator")?, side("parDenominator")?);
    Some((num, den)).filter(is_pixel)
}

fn is_pixel(&(width, height): &(u64, u64)) -> bool {
    [width, height]
        .iter()
        .all(|part| (1..=LARGEST_PART).contains(part))
}

/// The one side that an output gives, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Width(u64),
    Height(u64),
}

/// The change that [`complete`] made to an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Completed {
    /// It gives both sides, or none.
    Untouched,
    /// Its frame is 16:9; a picture of another shape gets bars.
    Widescreen,
    /// It has the source's shape.
    Kept,
}

/// Gives an output that has one side the other: that of the source, or of a 16:9 frame where there is no `source`.
/// `turn` lets the number that was given for landscape be the other side's for a portrait source.
pub(super) fn complete(output: &mut Value, source: Option<Source>, turn: bool) -> Completed {
    let Some(given) = side_of(output) else {
        return Completed::Untouched;
    };
    let given = match given {
        Side::Height(number) if turn && source.is_some_and(Source::is_portrait) => Side::Width(number),
        Side::Width(number) if turn && source.is_some_and(Source::is_portrait) => Side::Height(number),
        other => other,
    };
    let shape = source.map_or(WIDESCREEN, |source| source.shape_in(output));
    let (width, height) = fit(given, shape, longest(output));
    set_size(output, width, height);
    if source.is_none() {
        return Completed::Widescreen;
    }
    // Both sides are as the picture is, one pixel off at most: nothing is to be padded.
    stretch(output);
    Completed::Kept
}

/// Makes an output as large as the source, with even sides.
pub(super) fn make_own_size(output: &mut Value, (width, height): (u64, u64)) {
    let even = |side: u64| (side & !1).max(SHORTEST);
    set_size(output, even(width), even(height));
}

pub(super) fn size(output: &Value) -> (Option<u64>, Option<u64>) {
    let member = |name: &str| output.pointer(&format!("/videoDescription/{name}"))?.as_u64();
    (member("width"), member("height"))
}

pub(super) fn set_size(output: &mut Value, width: u64, height: u64) {
    set(output, "width", width.into());
    set(output, "height", height.into());
}

fn stretch(output: &mut Value) {
    set(output, "scalingBehavior", "STRETCH_TO_OUTPUT".into());
}

fn set(output: &mut Value, member: &str, value: Value) {
    if let Some(video) = output.get_mut("videoDescription").and_then(Value::as_object_mut) {
        video.insert(member.to_owned(), value);
    }
}

fn side_of(output: &Value) -> Option<Side> {
    // What is there and is no number stays: CreateJob refuses it by its path.
    let absent = |name: &str| output["videoDescription"].get(name).is_none_or(Value::is_null);
    match size(output) {
        (Some(width), None) if absent("height") => Some(Side::Width(width)),
        (None, Some(height)) if absent("width") => Some(Side::Height(height)),
        _ => None,
    }
}

fn longest(output: &Value) -> u64 {
    match output
        .pointer("/videoDescription/codecSettings/codec")
        .and_then(Value::as_str)
    {
        Some("H_265") => LONGEST_H265,
        _ => LONGEST,
    }
}

/// Both sides of a picture of `shape`, even, from the one that is given. A computed side beyond `longest` is cut
/// to it, and the given one follows.
fn fit(given: Side, shape: Shape, longest: u64) -> (u64, u64) {
    let Shape { width, height } = shape;
    match given {
        Side::Height(number) => {
            let other = even(number, width, height);
            if other > longest {
                (longest, even(longest, height, width))
            } else {
                (other, even(number, 1, 1))
            }
        }
        Side::Width(number) => {
            let turned = Shape {
                width: height,
                height: width,
            };
            let (height, width) = fit(Side::Height(number), turned, longest);
            (width, height)
        }
    }
}

/// `side * num / den` as the nearest even number that CreateJob takes.
fn even(side: u64, num: u64, den: u64) -> u64 {
    (scaled(side, num, den.saturating_mul(2)) * 2).max(SHORTEST)
}

/// `side * num / den`, rounded to the nearest; numbers of a template may be as large as they like.
fn scaled(side: u64, num: u64, den: u64) -> u64 {
    let (product, den) = (u128::from(side) * u128::from(num), u128::from(den.max(1)));
    let rounded = (product + den / 2) / den;
    u64::try_from(rounded).map_or(u64::MAX / 4, |rounded| rounded.min(u64::MAX / 4))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::record::PixelAspect;

    fn media(width: u32, height: u32, pixel: (u32, u32), rotation: u16) -> Media {
        Media {
            width: Some(width),
            height: Some(height),
            pixel_aspect: PixelAspect::new(pixel.0, pixel.1),
            rotation: Some(rotation),
            ..Media::default()
        }
    }

    fn h264(member: &str, side: u64) -> Value {
        json!({"videoDescription": {member: side, "codecSettings": {"codec": "H_264", "h264Settings":
            {"parControl": "SPECIFIED", "parNumerator": 1, "parDenominator": 1}}}})
    }

    fn completed(mut output: Value, media: &Media) -> (u64, u64) {
        let source = Source::new(&json!({}), media);
        assert_ne!(complete(&mut output, source, true), Completed::Untouched);
        let (width, height) = size(&output);
        (width.unwrap(), height.unwrap())
    }

    /// Coded size, pixel shape, degrees; then the sizes for 360, 540 and 720 lines.
    type Row = ((u32, u32), (u32, u32), u16, [(u64, u64); 3]);

    const SHAPES: [Row; 16] = [
        ((1920, 1080), (1, 1), 0, [(640, 360), (960, 540), (1280, 720)]),
        ((640, 480), (1, 1), 0, [(480, 360), (720, 540), (960, 720)]),
        ((1920, 800), (1, 1), 0, [(864, 360), (1296, 540), (1728, 720)]),
        ((4096, 1716), (1, 1), 0, [(860, 360), (1288, 540), (1718, 720)]),
        ((2560, 1600), (1, 1), 0, [(576, 360), (864, 540), (1152, 720)]),
        ((1080, 1080), (1, 1), 0, [(360, 360), (540, 540), (720, 720)]),
        ((853, 479), (1, 1), 0, [(642, 360), (962, 540), (1282, 720)]),
        ((1279, 719), (1, 1), 0, [(640, 360), (960, 540), (1280, 720)]),
        // Anamorphic: PAL and NTSC wide, NTSC 4:3, HDV.
        ((720, 576), (64, 45), 0, [(640, 360), (960, 540), (1280, 720)]),
        ((720, 480), (32, 27), 0, [(640, 360), (960, 540), (1280, 720)]),
        ((720, 480), (8, 9), 0, [(480, 360), (720, 540), (960, 720)]),
        ((1440, 1080), (4, 3), 0, [(640, 360), (960, 540), (1280, 720)]),
        // Portrait, by size and by rotation.
        ((1080, 1920), (1, 1), 0, [(360, 640), (540, 960), (720, 1280)]),
        ((1920, 1080), (1, 1), 90, [(360, 640), (540, 960), (720, 1280)]),
        ((1170, 2532), (1, 1), 0, [(360, 780), (540, 1168), (720, 1558)]),
        ((720, 576), (64, 45), 270, [(360, 640), (540, 960), (720, 1280)]),
    ];

    #[test]
    fn sixteen_shapes_by_three_heights() {
        for ((width, height), pixel, rotation, expected) in SHAPES {
            let media = media(width, height, pixel, rotation);
            let sizes = [360, 540, 720].map(|lines| completed(h264("height", lines), &media));
            assert_eq!(sizes, expected, "{width}x{height} {pixel:?} {rotation}");
            for (width, height) in sizes {
                assert!(width % 2 == 0 && height % 2 == 0, "{width}x{height}");
            }
        }
    }

    #[test]
    fn a_width_alone_is_completed_too() {
        assert_eq!(
            completed(h264("width", 1280), &media(640, 480, (1, 1), 0)),
            (1280, 960)
        );
        assert_eq!(
            completed(h264("width", 1280), &media(1080, 1920, (1, 1), 0)),
            (720, 1280)
        );
    }

    #[test]
    fn without_a_probe_the_frame_is_16_to_9() {
        let mut output = h264("height", 540);
        assert_eq!(complete(&mut output, None, true), Completed::Widescreen);
        assert_eq!(size(&output), (Some(960), Some(540)));
        assert_eq!(output.pointer("/videoDescription/scalingBehavior"), None);
    }

    #[test]
    fn an_output_that_follows_the_pixels_of_its_source_is_as_wide_as_it_is_coded() {
        let pal = media(720, 576, (64, 45), 0);
        let follows = json!({"videoDescription": {"height": 288, "codecSettings": {"codec": "H_264", "h264Settings": {}}}});
        assert_eq!(completed(follows, &pal), (360, 288));
        let frames =
            json!({"videoDescription": {"height": 288, "codecSettings": {"codec": "FRAME_CAPTURE"}}});
        assert_eq!(completed(frames, &pal), (512, 288));
    }

    #[test]
    fn the_input_decides_what_is_turned_and_cropped() {
        let turned = media(1920, 1080, (1, 1), 90);
        for (input, portrait) in [
            (json!({"videoSelector": {"rotate": "AUTO"}}), true),
            (json!({"videoSelector": {"rotate": "DEGREES_180"}}), false),
            (json!({"videoSelector": {"rotate": "DEGREES_270"}}), true),
            // MediaConvert ignores the file's rotation unless `rotate` is AUTO.
            (json!({}), false),
            (
                json!({"crop": {"x": 0, "y": 0, "width": 200, "height": 600}}),
                true,
            ),
        ] {
            let source = Source::new(&json!({"inputs": [input]}), &turned).unwrap();
            assert_eq!(source.is_portrait(), portrait, "{input}");
        }
    }

    proptest! {
        #[test]
        fn sides_are_even_and_one_pixel_off_at_most(
            width in 16u32..8192, height in 16u32..8192, pixel in (1u32..100, 1u32..100), rotation in 0u16..4,
            lines in 32u64..2161, by_width: bool,
        ) {
            let media = media(width, height, pixel, rotation * 90);
            let (w, h) = completed(h264(if by_width { "width" } else { "height" }, lines), &media);
            prop_assert!(w % 2 == 0 && h % 2 == 0 && w >= SHORTEST && h >= SHORTEST);
            prop_assert!(w.max(h) <= LONGEST.max(lines + 1));
            let source = Source::new(&json!({}), &media).unwrap();
            let shape = source.shape_in(&h264("height", 2));
            // One of the sides is within a pixel of what the other asks for, unless it is as short as it may be.
            let near = |side: u64, num: u64, den: u64, other: u64| {
                let ideal = u128::from(other) * u128::from(num);
                let found = u128::from(side) * u128::from(den);
                ideal.abs_diff(found) <= u128::from(den)
            };
            prop_assert!(
                w == SHORTEST || h == SHORTEST
                    || near(w, shape.width, shape.height, h) || near(h, shape.height, shape.width, w)
                    || lines % 2 == 1,
                "{w}x{h}"
            );
        }

        #[test]
        fn no_number_of_a_template_overflows(side: u64, crop: u64, par: u64) {
            let source = Source::new(&json!({"inputs": [{"crop": {"width": crop, "height": 9}}]}), &media(16, 9, (1, 1), 0));
            let mut output = h264("height", side);
            output["videoDescription"]["codecSettings"]["h264Settings"]["parNumerator"] = par.into();
            complete(&mut output, source, true);
        }
    }
}
