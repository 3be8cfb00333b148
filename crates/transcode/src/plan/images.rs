//! Images over pictures: the image inserter of inputs and of outputs.

use mediaconvert_job::model::{ImageInserter, InsertableImage};
use serde::{Deserialize, Serialize};

use crate::plan::h264::decimal;
use crate::plan::side::{SideFile, SideFiles};
use crate::plan::{Refusal, clips};
use crate::probe::Ratio;

/// Pixels of all images of a job together: 256 MiB in memory.
const MAX_PIXELS: u64 = 64 << 20;

/// One image over one picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Image {
    /// Its name in the work folder.
    pub(crate) file: String,
    /// Pixels of the file; 0 where a job is only checked.
    pixels: u64,
    at: (u32, u32),
    /// Scaled to this size; 0 follows the image's shape.
    size: Option<(u32, u32)>,
    /// Percent.
    opacity: u32,
    /// Seconds.
    start: Option<f64>,
    /// Seconds, without the fade-out.
    duration: Option<f64>,
    fade_in: f64,
    fade_out: f64,
    /// Frames per second of the picture below it.
    pub(crate) rate: Ratio,
}

/// A timeline on which images appear: the rate of its frames, and the number of its first one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    pub(crate) rate: Ratio,
    pub(crate) first: u64,
}

/// The images of an inserter, from the lowest layer up. `path` is that of the inserter.
pub(crate) fn of(
    inserter: &ImageInserter,
    names: &[SideFile],
    files: Option<&SideFiles>,
    timeline: Timeline,
    path: &str,
) -> Result<Vec<Image>, Refusal> {
    let mut images: Vec<&InsertableImage> = inserter.insertable_images.iter().collect();
    let mut planned = Vec::new();
    images.sort_by_key(|image| image.layer);
    for (index, image) in images.iter().enumerate() {
        if images[..index].iter().any(|below| below.layer == image.layer) {
            let message = format!("two images have the layer {}", image.layer);
            return Err(Refusal::setting(format!("{path}/insertableImages"), message));
        }
    }
    for image in images {
        let number = inserter
            .insertable_images
            .iter()
            .position(|other| other == image)
            .unwrap_or_default();
        let path = format!("{path}/insertableImages/{number}");
        let url = image.image_inserter_input.as_deref().unwrap_or_default();
        let Some(file) = names.iter().find(|file| file.url == url) else {
            return Err(Refusal::setting(
                path,
                "imageInserterInput is a required property",
            ));
        };
        let size = files
            .and_then(|files| files.images.get(url))
            .copied()
            .unwrap_or_default();
        planned.push(one(image, file, size, timeline, &path)?);
    }
    Ok(planned)
}

fn one(
    image: &InsertableImage,
    file: &SideFile,
    (width, height): (u32, u32),
    timeline: Timeline,
    path: &str,
) -> Result<Image, Refusal> {
    let seconds = |milliseconds: Option<u32>| f64::from(milliseconds.unwrap_or(0)) / 1000.0;
    let given = |side: Option<u32>| side.filter(|side| *side > 0);
    let start = match &image.start_time {
        None => None,
        Some(text) => {
            let path = format!("{path}/startTime");
            let frame = clips::frames(text, timeline.rate, &path)?;
            // A start before the first frame is at the first frame.
            Some(clips::at(frame.saturating_sub(timeline.first), timeline.rate))
        }
    };
    let size = match (given(image.width), given(image.height)) {
        (None, None) => None,
        (width, height) => Some((width.unwrap_or(0), height.unwrap_or(0))),
    };
    Ok(Image {
        file: file.name.clone(),
        pixels: u64::from(width) * u64::from(height),
        at: (image.image_x, image.image_y),
        size,
        // The documented default.
        opacity: image.opacity.unwrap_or(50).min(100),
        start,
        duration: given(image.duration).map(|duration| f64::from(duration) / 1000.0),
        fade_in: seconds(image.fade_in),
        fade_out: seconds(image.fade_out),
        rate: timeline.rate,
    })
}

/// Refuses more images than memory should hold.
pub(crate) fn check<'a>(images: impl Iterator<Item = &'a Image>) -> Result<(), Refusal> {
    let pixels: u64 = images.map(|image| image.pixels).sum();
    if pixels <= MAX_PIXELS {
        return Ok(());
    }
    let message = format!("the images of the job have {pixels} pixels in all; the limit is {MAX_PIXELS}");
    Err(Refusal::setting("/", message))
}

impl Image {
    /// Options of ffmpeg's input: an image that fades is a film of itself.
    pub(crate) fn input(&self) -> Vec<String> {
        let mut options = vec!["-f", "image2", "-pattern_type", "none"];
        let (rate, length);
        if self.fades() {
            rate = self.rate.to_string();
            length = decimal(self.end().unwrap_or(self.start() + self.fade_in + 1.0));
            options.extend(["-loop", "1", "-framerate", &rate, "-t", &length]);
        }
        options.into_iter().map(str::to_owned).collect()
    }

    /// Chains that lay the image, ffmpeg's input `input`, over `[below]`, with the result under `[above]`.
    pub(crate) fn chains(&self, input: usize, below: &str, above: &str) -> [String; 2] {
        let mut filters = vec!["format=rgba".to_owned()];
        filters.extend(self.size.map(|(width, height)| {
            let side = |side: u32| {
                if side == 0 {
                    "-1".to_owned()
                } else {
                    side.to_string()
                }
            };
            format!("scale={}:{}", side(width), side(height))
        }));
        let opacity = decimal(f64::from(self.opacity) / 100.0);
        filters.push(format!("colorchannelmixer=aa={opacity}"));
        if self.fade_in > 0.0 {
            let (start, length) = (decimal(self.start()), decimal(self.fade_in));
            filters.push(format!("fade=in:st={start}:d={length}:alpha=1"));
        }
        if let Some(duration) = self.duration.filter(|_| self.fade_out > 0.0) {
            let (start, length) = (decimal(self.start() + duration), decimal(self.fade_out));
            filters.push(format!("fade=out:st={start}:d={length}:alpha=1"));
        }
        let shown = match self.end() {
            Some(end) => format!(
                ":enable='gte(t,{})*lt(t,{})'",
                precise(self.start()),
                precise(end)
            ),
            None if self.start() > 0.0 => format!(":enable='gte(t,{})'", precise(self.start())),
            None => String::new(),
        };
        let (x, y) = self.at;
        [
            format!("[{input}:v]{}[i{input}]", filters.join(",")),
            format!("[{below}][i{input}]overlay={x}:{y}:format=auto:eof_action=repeat{shown}[{above}]"),
        ]
    }

    fn fades(&self) -> bool {
        self.fade_in > 0.0 || (self.fade_out > 0.0 && self.duration.is_some())
    }

    fn start(&self) -> f64 {
        self.start.unwrap_or(0.0)
    }

    /// The instant from which it is not seen any more.
    fn end(&self) -> Option<f64> {
        self.duration
            .map(|duration| self.start() + duration + self.fade_out)
    }
}

/// A margin below half a frame, for sums of binary fractions.
fn precise(seconds: f64) -> String {
    decimal((seconds - 0.0005).max(0.0))
}
