//! The picture of joined inputs.

use mediaconvert_job::error_code::UNSUPPORTED_CODEC;
use mediaconvert_job::model::Input;

use super::Chain;
use crate::plan::clips::{self, Clip};
use crate::plan::color::{self, Conversion};
use crate::plan::deinterlace::Fields;
use crate::plan::picture::{Area, Frame, Rotate};
use crate::plan::{Refusal, Warning, preprocess};
use crate::probe::{MediaInfo, Ratio, VideoTrack};

/// The picture of the whole.
pub(super) struct Canvas {
    frame: Frame,
    rate: Ratio,
    /// Parts keep the colors of their sources, which agree.
    same_colors: bool,
}

impl Canvas {
    /// That of the input which outputs follow. `sources` are all inputs.
    pub(super) fn new(input: &Input, sources: &[MediaInfo], followed: usize) -> Self {
        let tracks = || sources.iter().filter_map(|source| source.video.as_ref());
        let track = sources[followed].video.as_ref();
        let colors = |track: &VideoTrack| {
            (
                track.color_primaries.clone(),
                track.color_transfer.clone(),
                track.color_matrix.clone(),
                track.full_range,
                track.bit_depth,
            )
        };
        let all_have_one = sources.iter().all(|source| source.video.is_some());
        let same = tracks()
            .map(colors)
            .collect::<Vec<_>>()
            .windows(2)
            .all(|pair| pair[0] == pair[1]);
        let rotate = Rotate::new(input.video_selector.rotate.as_deref());
        let frame = track.map(|track| Frame::turned(track, rotate.degrees(track)));
        let frame = frame.map(|frame| match input.crop {
            Some(crop) => Frame {
                width: crop.width,
                height: crop.height,
                ..frame
            },
            None => frame,
        });
        Self {
            frame: frame.unwrap_or(Frame {
                width: 2,
                height: 2,
                sample_aspect: Ratio { num: 1, den: 1 },
            }),
            rate: track.map_or(Ratio { num: 25, den: 1 }, |track| track.frame_rate),
            same_colors: same && all_have_one,
        }
    }

    /// The picture of a part, and what the owner should know about it.
    pub(super) fn part(
        &self,
        input: &Input,
        source: &MediaInfo,
        clips: &[Clip],
        seconds: f64,
    ) -> Result<(Chain, Option<Warning>), Refusal> {
        let (width, height) = (self.frame.width / 2 * 2, self.frame.height / 2 * 2);
        let Ratio { num, den } = self.frame.sample_aspect;
        let Some(track) = &source.video else {
            let black = format!(
                "color=c=black:s={width}x{height}:r={}:d={seconds:.6},setsar={num}/{den},format=yuv420p",
                self.rate
            );
            return Ok((Chain::made(black), None));
        };
        if track.codec.is_empty() {
            return Err(Refusal {
                code: UNSUPPORTED_CODEC,
                path: "/inputs/0".to_owned(),
                message: "unsupported codec: the video track cannot be decoded".to_owned(),
            });
        }
        let rotate = Rotate::new(input.video_selector.rotate.as_deref());
        let mut filters = color::stated(track, input);
        filters.extend(rotate.filters(track));
        filters.extend(Fields::filters(None, track));
        filters.extend(preprocess::input_filters(input));
        filters.push(format!("fps=fps={}:start_time=0", track.frame_rate));
        filters.extend(clips::picture_filters(clips, track.frame_rate));
        filters.extend((track.frame_rate != self.rate).then(|| format!("fps=fps={}", self.rate)));
        let mut frame = Frame::turned(track, rotate.degrees(track));
        if let Some(crop) = input.crop {
            let area = Area::inside(
                crop,
                (frame.width, frame.height),
                "Crop rectangle",
                "/inputs/0/crop",
            )?;
            filters.push(format!(
                "crop={}:{}:{}:{}",
                area.width, area.height, area.x, area.y
            ));
            (frame.width, frame.height) = (area.width, area.height);
        }
        filters.extend(self.fitted(frame));
        filters.push(format!("setsar={num}/{den}"));
        let Conversion {
            filters: color,
            warning,
        } = if self.same_colors {
            Conversion::default()
        } else {
            color::conversion(track, false)?
        };
        filters.extend(color);
        let chain = Chain {
            stream: Some(track.index),
            before: filters.join(","),
            after: String::new(),
        };
        Ok((chain, warning))
    }

    /// Filters that show the whole of a picture in the middle of that of the whole.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes are positive and small"
    )]
    fn fitted(&self, frame: Frame) -> Vec<String> {
        let even = |length: f64| ((length / 2.0).round() as u32 * 2).max(2);
        let (width, height) = (self.frame.width / 2 * 2, self.frame.height / 2 * 2);
        // In the pixels of the whole.
        let shape = frame.sample_aspect.as_f64() / self.frame.sample_aspect.as_f64();
        let natural = (f64::from(frame.width) * shape, f64::from(frame.height));
        let zoom = (f64::from(width) / natural.0).min(f64::from(height) / natural.1);
        let scaled = (
            even(natural.0 * zoom).min(width),
            even(natural.1 * zoom).min(height),
        );
        let mut filters = Vec::new();
        if scaled != (frame.width, frame.height) {
            filters.push(format!("scale={}:{}:flags=bicubic", scaled.0, scaled.1));
        }
        if scaled != (width, height) {
            let (x, y) = ((width - scaled.0) / 4 * 2, (height - scaled.1) / 4 * 2);
            filters.push(format!("pad={width}:{height}:{x}:{y}"));
        }
        filters
    }

    /// The video track of the whole, as a probe would find it.
    pub(super) fn track(&self, followed: &VideoTrack) -> VideoTrack {
        let track = VideoTrack {
            index: 0,
            width: self.frame.width / 2 * 2,
            height: self.frame.height / 2 * 2,
            rotation: 0,
            sample_aspect: self.frame.sample_aspect,
            variable_frame_rate: false,
            interlaced: false,
            top_field_first: None,
            embedded_captions: false,
            bit_rate: None,
            ..followed.clone()
        };
        if self.same_colors {
            return track;
        }
        VideoTrack {
            bit_depth: 8,
            pixel_format: "yuv420p".to_owned(),
            color_primaries: None,
            color_transfer: None,
            color_matrix: None,
            full_range: false,
            dolby_vision_profile: None,
            mastering: None,
            ..track
        }
    }
}
