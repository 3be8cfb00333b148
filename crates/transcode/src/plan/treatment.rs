//! The work on the picture of one output after it has been scaled.

use mediaconvert_job::model::{EncoderSettings, TimecodeConfig, VideoDescription};
use serde::{Deserialize, Serialize};

use crate::plan::clips::Clip;
use crate::plan::images::{self, Image, Timeline};
use crate::plan::side::{SideFile, SideFiles};
use crate::plan::{Refusal, color, interlace, preprocess, timecode};
use crate::probe::{MediaInfo, Ratio};

/// Filters on one scaled picture, in the order in which they work.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Treatment {
    /// Noise and colors, before bars are added.
    pub(crate) filters: Vec<String>,
    /// Images over the picture with its bars.
    pub(crate) images: Vec<Image>,
    /// From the source's frame rate to the output's. Empty: frames are dropped and doubled.
    pub(crate) pace: Vec<String>,
    /// Timecode and fields.
    pub(crate) last: Vec<String>,
    /// Whether the top field comes first, of an interlaced output.
    pub(crate) top_first: Option<bool>,
}

/// The parts of a job that a treatment follows from.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) timecode: &'a TimecodeConfig,
    pub(crate) source: &'a MediaInfo,
    pub(crate) clips: &'a [Clip],
    pub(crate) names: &'a [SideFile],
    pub(crate) files: Option<&'a SideFiles>,
}

impl Context<'_> {
    /// Plans a video description at a frame rate. `path` is its own.
    pub(crate) fn treatment(
        &self,
        video: &VideoDescription,
        rate: Ratio,
        path: &str,
    ) -> Result<Treatment, Refusal> {
        let path = format!("{path}/videoPreprocessors");
        let wanted = &video.video_preprocessors;
        let mut filters = Vec::new();
        filters.extend(wanted.noise_reducer.iter().flat_map(preprocess::noise_filters));
        filters.extend(wanted.color_corrector.iter().flat_map(preprocess::color_filters));
        let first = timecode::first_frame(self.timecode, self.source, self.clips, rate)?;
        let images = images::of(
            &wanted.image_inserter,
            self.names,
            self.files,
            Timeline { rate, first },
            &format!("{path}/imageInserter"),
        )?;
        let burn_in = wanted.timecode_burnin.as_ref().map(|settings| {
            timecode::burn_in(settings, video, first, rate, &format!("{path}/timecodeBurnin"))
        });
        Ok(Treatment {
            filters,
            images,
            last: burn_in.transpose()?.into_iter().collect(),
            ..Treatment::default()
        })
    }

    /// Adds what belongs to an encoder: fields, the frame rate, and colors. `path` is that of its settings.
    pub(crate) fn encoded(
        &self,
        treatment: Treatment,
        (video, settings): (&VideoDescription, &EncoderSettings),
        rate: Ratio,
        height: u32,
        path: &str,
    ) -> Result<Treatment, Refusal> {
        let Some(track) = &self.source.video else {
            return Ok(treatment);
        };
        let cadence = interlace::cadence(settings, track, rate, height, path)?;
        let mut treatment = Treatment {
            pace: cadence.pace,
            top_first: cadence.top_first,
            ..treatment
        };
        treatment.last.extend(cadence.fields);
        if video.color_metadata.as_deref() == Some("IGNORE") {
            treatment.last.push(color::UNDESCRIBED.to_owned());
        }
        Ok(treatment)
    }
}
