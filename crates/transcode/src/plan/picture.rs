//! Sizes: how a source picture is fitted into the size that an output asks for.

use mediaconvert_job::error_code::BAD_SETTING;
use mediaconvert_job::model::{Rectangle, VideoDescription};
use serde::{Deserialize, Serialize};

use crate::plan::Refusal;
use crate::probe::{Ratio, VideoTrack};

/// The rotation of the picture.
pub(crate) enum Rotate {
    /// The file's metadata.
    Auto,
    Clockwise(u32),
}

impl Rotate {
    pub(crate) fn new(setting: Option<&str>) -> Self {
        match setting {
            Some("AUTO") => Self::Auto,
            Some("DEGREES_90") => Self::Clockwise(90),
            Some("DEGREES_180") => Self::Clockwise(180),
            Some("DEGREES_270") => Self::Clockwise(270),
            // Also where nothing is said: MediaConvert then ignores what the file says.
            _ => Self::Clockwise(0),
        }
    }

    pub(crate) fn degrees(&self, track: &VideoTrack) -> u32 {
        match self {
            Self::Auto => track.rotation,
            Self::Clockwise(degrees) => *degrees,
        }
    }

    /// ffmpeg has turned the picture by its metadata already: `-noautorotate` would leave them in outputs, and
    /// players would turn those once more. What is left is the difference.
    pub(crate) fn filters(&self, track: &VideoTrack) -> Vec<String> {
        let turn: &[&str] = match (self.degrees(track) + 360 - track.rotation) % 360 {
            90 => &["transpose=clock"],
            180 => &["hflip", "vflip"],
            270 => &["transpose=cclock"],
            _ => &[],
        };
        turn.iter().map(|&filter| filter.to_owned()).collect()
    }
}

/// A picture as it comes from the decoder, turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Shape of a pixel, width to height.
    pub(crate) sample_aspect: Ratio,
}

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Area {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// The picture of an output: the source picture, or a part of it, scaled to `scaled`, then padded or cropped to `shape`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Picture {
    /// The part of the source picture that is shown; absent: all of it.
    pub(crate) part: Option<Area>,
    pub(crate) scaled: (u32, u32),
    pub(crate) shape: Shape,
    pub(crate) sample_aspect: Ratio,
    /// ffmpeg's scaler.
    pub(crate) scaler: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Shape {
    Whole,
    /// Black bars around it.
    Pad(u32, u32),
    /// Its middle.
    Crop(u32, u32),
    /// At this place of a black picture of this size.
    Place {
        at: (u32, u32),
        size: (u32, u32),
    },
}

pub(crate) const SQUARE: Ratio = Ratio { num: 1, den: 1 };

impl Frame {
    /// The picture of a track turned by quarters.
    pub(crate) fn turned(track: &VideoTrack, degrees: u32) -> Self {
        let Ratio { num, den } = track.sample_aspect;
        if degrees % 180 == 90 {
            Self {
                width: track.height,
                height: track.width,
                sample_aspect: Ratio { num: den, den: num },
            }
        } else {
            Self {
                width: track.width,
                height: track.height,
                sample_aspect: track.sample_aspect,
            }
        }
    }
}

/// The rectangles of a job for one output; those of the input have precedence.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Areas {
    crop: Option<Rectangle>,
    position: Option<Rectangle>,
}

impl Areas {
    pub(crate) fn of(input: (Option<Rectangle>, Option<Rectangle>), wanted: &VideoDescription) -> Self {
        // An empty object asks for nothing.
        let given = |area: Option<Rectangle>| area.filter(|area| (area.width, area.height) != (0, 0));
        Self {
            crop: given(input.0).or(given(wanted.crop)),
            position: given(input.1).or(given(wanted.position)),
        }
    }
}

impl Area {
    /// A rectangle inside a picture. `place` names the picture in `MediaConvert`'s words.
    pub(crate) fn inside(
        rectangle: Rectangle,
        (width, height): (u32, u32),
        place: &str,
        path: &str,
    ) -> Result<Self, Refusal> {
        let Rectangle {
            x,
            y,
            width: w,
            height: h,
        } = rectangle;
        let fits = |from: u32, length: u32, whole| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
        };
        if fits(x, w, width) && fits(y, h, height) {
            return Ok(Self {
                x,
                y,
                width: w,
                height: h,
            });
        }
        Err(Refusal {
            code: BAD_SETTING,
            path: path.to_owned(),
            message: format!(
                "{place} [{w},{h},{x},{y}] lies outside {} resolution [{width}x{height}]",
                if place.starts_with("Crop") {
                    "input"
                } else {
                    "output"
                }
            ),
        })
    }
}

impl Picture {
    /// Fits a part of `frame` into what `wanted` says, at the place that the job says. `path` is that of the video description.
    pub(crate) fn place(
        frame: Frame,
        areas: Areas,
        wanted: &VideoDescription,
        sample_aspect: Ratio,
        path: &str,
    ) -> Result<Self, Refusal> {
        let mut shown = frame;
        let mut part = None;
        if let Some(crop) = areas.crop {
            let area = Area::inside(
                crop,
                (frame.width, frame.height),
                "Crop rectangle",
                &format!("{path}/crop"),
            )?;
            (shown.width, shown.height) = (area.width, area.height);
            part = Some(area);
        }
        let mut picture = Self::fit(shown, wanted, sample_aspect);
        if let Some(position) = areas.position {
            let size = Self::fit(
                frame,
                &VideoDescription {
                    scaling_behavior: None,
                    ..wanted.clone()
                },
                sample_aspect,
            )
            .size();
            let area = Area::inside(position, size, "Position rectangle", &format!("{path}/position"))?;
            picture.scaled = (area.width, area.height);
            picture.shape = Shape::Place {
                at: (area.x, area.y),
                size,
            };
        }
        Ok(Self { part, ..picture })
    }

    /// Fits `frame` into what `wanted` says. `sample_aspect` is the output's pixel shape.
    fn fit(frame: Frame, wanted: &VideoDescription, sample_aspect: Ratio) -> Self {
        // The source in the output's pixels, before any scaling.
        let natural = (
            f64::from(frame.width) * frame.sample_aspect.as_f64() / sample_aspect.as_f64(),
            f64::from(frame.height),
        );
        let (width, height) = match (wanted.width, wanted.height) {
            (Some(width), Some(height)) => (even(width.into()), even(height.into())),
            (Some(width), None) => (even(width.into()), even(f64::from(width) * natural.1 / natural.0)),
            (None, Some(height)) => (
                even(f64::from(height) * natural.0 / natural.1),
                even(height.into()),
            ),
            (None, None) => (even(natural.0), even(natural.1)),
        };
        let zoom = (f64::from(width) / natural.0, f64::from(height) / natural.1);
        let at = |zoom: f64| (even(natural.0 * zoom), even(natural.1 * zoom));
        let inside = at(zoom.0.min(zoom.1));
        let (scaled, shape) = match wanted.scaling_behavior.as_deref() {
            Some("STRETCH_TO_OUTPUT") => ((width, height), Shape::Whole),
            Some("FIT") => (inside, Shape::Whole),
            Some("FIT_NO_UPSCALE") => (at(zoom.0.min(zoom.1).min(1.0)), Shape::Whole),
            Some("FILL") => (at(zoom.0.max(zoom.1)), Shape::Crop(width, height)),
            _ => (inside, Shape::Pad(width, height)),
        };
        let shape = if Picture::frame_of(shape) == Some(scaled) {
            Shape::Whole
        } else {
            shape
        };
        Self {
            part: None,
            scaled,
            shape,
            sample_aspect,
            scaler: scaler(wanted.sharpness).to_owned(),
        }
    }

    /// Pixels of the output.
    pub(crate) fn size(&self) -> (u32, u32) {
        Self::frame_of(self.shape).unwrap_or(self.scaled)
    }

    fn frame_of(shape: Shape) -> Option<(u32, u32)> {
        match shape {
            Shape::Whole => None,
            Shape::Pad(width, height) | Shape::Crop(width, height) => Some((width, height)),
            Shape::Place { size, .. } => Some(size),
        }
    }
}

/// 4:2:0 pictures have even sides; `MediaConvert` refuses others.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at least 2, and clamped"
)]
fn even(pixels: f64) -> u32 {
    ((pixels / 2.0).round() * 2.0).clamp(2.0, 16_384.0) as u32
}

/// `MediaConvert`'s scale of sharpness from 0 to 100, 50 by default, as the three kernels that there are.
fn scaler(sharpness: Option<u32>) -> &'static str {
    match sharpness.unwrap_or(50) {
        0..=33 => "bilinear",
        34..=66 => "bicubic",
        _ => "lanczos",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(
        width: impl Into<Option<u32>>,
        height: impl Into<Option<u32>>,
        behavior: &str,
    ) -> VideoDescription {
        VideoDescription {
            width: width.into(),
            height: height.into(),
            scaling_behavior: Some(behavior.to_owned()),
            ..VideoDescription::default()
        }
    }

    fn frame(width: u32, height: u32) -> Frame {
        Frame {
            width,
            height,
            sample_aspect: SQUARE,
        }
    }

    #[test]
    fn fitting() {
        use Shape::{Crop, Pad, Whole};
        for (source, wanted, scaled, shape) in vec![
            (
                frame(1920, 1080),
                wanted(1280, 720, "DEFAULT"),
                (1280, 720),
                Whole,
            ),
            (
                frame(1080, 1920),
                wanted(1280, 720, "DEFAULT"),
                (406, 720),
                Pad(1280, 720),
            ),
            (
                frame(640, 480),
                wanted(1280, 720, "DEFAULT"),
                (960, 720),
                Pad(1280, 720),
            ),
            (frame(853, 479), wanted(640, 360, "DEFAULT"), (640, 360), Whole),
            (
                frame(640, 480),
                wanted(1280, 720, "STRETCH_TO_OUTPUT"),
                (1280, 720),
                Whole,
            ),
            (frame(640, 480), wanted(1280, 720, "FIT"), (960, 720), Whole),
            (
                frame(640, 480),
                wanted(1280, 720, "FIT_NO_UPSCALE"),
                (640, 480),
                Whole,
            ),
            (
                frame(640, 480),
                wanted(1280, 720, "FILL"),
                (1280, 960),
                Crop(1280, 720),
            ),
            (
                frame(1279, 721),
                wanted(None, None, "DEFAULT"),
                (1280, 722),
                Whole,
            ),
            (frame(1920, 1080), wanted(640, None, "DEFAULT"), (640, 360), Whole),
            (frame(1920, 1080), wanted(None, 540, "DEFAULT"), (960, 540), Whole),
        ] {
            let picture = Picture::fit(source, &wanted, SQUARE);
            assert_eq!(
                (picture.scaled, picture.shape),
                (scaled, shape),
                "{source:?} {wanted:?}"
            );
        }
    }

    #[test]
    fn pixels_become_square_or_keep_their_shape() {
        let anamorphic = Frame {
            width: 720,
            height: 576,
            sample_aspect: Ratio { num: 64, den: 45 },
        };
        let square = Picture::fit(anamorphic, &wanted(1024, 576, "DEFAULT"), SQUARE);
        assert_eq!((square.scaled, square.shape), ((1024, 576), Shape::Whole));
        let kept = Picture::fit(anamorphic, &wanted(720, 576, "DEFAULT"), anamorphic.sample_aspect);
        assert_eq!((kept.scaled, kept.shape), ((720, 576), Shape::Whole));
    }

    #[test]
    fn a_part_of_the_source_is_put_at_a_place_of_the_output() {
        let rectangle = |x, y, width, height| Some(Rectangle { x, y, width, height });
        let place = |input, output: (Option<Rectangle>, Option<Rectangle>)| {
            let wanted = VideoDescription {
                crop: output.0,
                position: output.1,
                ..wanted(1280, 720, "STRETCH_TO_OUTPUT")
            };
            Picture::place(frame(640, 480), Areas::of(input, &wanted), &wanted, SQUARE, "/v")
        };
        let cropped = place((None, None), (rectangle(0, 60, 640, 360), None)).expect("fits");
        assert_eq!(
            cropped.part,
            Some(Area {
                x: 0,
                y: 60,
                width: 640,
                height: 360
            })
        );
        assert_eq!((cropped.scaled, cropped.shape), ((1280, 720), Shape::Whole));
        let placed = place((None, rectangle(160, 0, 960, 720)), (None, rectangle(0, 0, 2, 2))).expect("fits");
        let shape = Shape::Place {
            at: (160, 0),
            size: (1280, 720),
        };
        assert_eq!(
            (placed.scaled, placed.shape, placed.size()),
            ((960, 720), shape, (1280, 720))
        );
        for (areas, message) in [
            (
                (rectangle(2, 0, 640, 480), None),
                "/v/crop: Crop rectangle [640,480,2,0] lies outside input resolution [640x480]",
            ),
            (
                (None, rectangle(0, u32::MAX - 1, 2, 2)),
                "/v/position: Position rectangle [2,2,0,4294967294] lies outside output resolution [1280x720]",
            ),
        ] {
            assert_eq!(
                place((None, None), areas).expect_err("is outside").to_string(),
                message
            );
        }
    }

    proptest! {
        #[test]
        fn padded_pictures_fit_inside_and_are_even(
            source in (16_u32..5000, 16_u32..5000), size in (16_u32..2000, 16_u32..2000)
        ) {
            let picture = Picture::fit(frame(source.0, source.1), &wanted(size.0, size.1, "DEFAULT"), SQUARE);
            let (width, height) = picture.size();
            prop_assert!(picture.scaled.0 <= width && picture.scaled.1 <= height);
            prop_assert!([picture.scaled.0, picture.scaled.1, width, height].iter().all(|side| side % 2 == 0));
        }
    }
}
