//! The picture that all outputs start from.

use mediaconvert_job::model;

use super::Planner;
use crate::plan::color::{self, Conversion};
use crate::plan::deinterlace::Fields;
use crate::plan::images::Timeline;
use crate::plan::picture::{Areas, Frame, Picture, Rotate};
use crate::plan::treatment::Context;
use crate::plan::{Decode, Refusal, VideoEncode, clips, images, preprocess};
use crate::probe::{Ratio, VideoTrack};

impl Planner<'_> {
    /// Plans the picture that all encodes and captures start from.
    pub(super) fn decode(
        &mut self,
        track: &VideoTrack,
        frame: Frame,
        rotate: &Rotate,
    ) -> Result<Decode, Refusal> {
        let Conversion { filters, warning } = color::conversion(track, self.vibrant)?;
        // Outputs of ten bits keep the colors as they are.
        let converted = self.videos.iter().any(|video| !video.deep) || self.videos.is_empty();
        self.warnings.extend(warning.filter(|_| converted));
        let (rate, own) = (self.common_rate(), self.source_rate());
        let interlaced = self.fields.is_none() && track.interlaced && self.keeps_fields(own);
        let mut prepare = color::stated(track, self.input);
        prepare.extend(rotate.filters(track));
        if !interlaced {
            // Those of several inputs are progressive by now.
            let fields = self.fields.filter(|_| self.joint.is_none());
            prepare.extend(Fields::filters(fields, track));
        }
        prepare.extend(preprocess::input_filters(self.input));
        let mut select = Vec::new();
        // Even spacing from 0 on: it makes keyframes fall on the same pictures in every rendition. A cover is one picture that
        // lasts no time, and would not survive a rate.
        if self.source.video.is_none() {
        } else if self.clips.is_empty() {
            prepare.push(format!("fps=fps={rate}:start_time=0"));
        } else {
            prepare.push(format!("fps=fps={own}:start_time=0"));
            select = clips::picture_filters(&self.clips, own);
            select.extend((own != rate).then(|| format!("fps=fps={rate}")));
        }
        let timeline = Timeline {
            rate: own,
            first: clips::first_frame(self.input, self.source)?,
        };
        let path = "/inputs/0/imageInserter";
        let inserter = &self.input.image_inserter;
        Ok(Decode {
            stream: track.index,
            frame,
            prepare,
            images: images::of(inserter, &self.names, self.files, timeline, path)?,
            select,
            interlaced,
            color: filters,
            rate,
        })
    }

    /// Whether all outputs are interlaced at the source's rate.
    fn keeps_fields(&self, own: Ratio) -> bool {
        let keeps = |video: &VideoEncode| {
            video.treatment.top_first.is_some() && video.treatment.pace.is_empty() && video.rate == own
        };
        !self.videos.is_empty() && self.videos.iter().all(keeps)
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            timecode: self.timecode,
            source: self.source,
            clips: &self.clips,
            names: &self.names,
            files: self.files,
        }
    }

    /// Fits the source into an output. `path` is that of its video description.
    pub(super) fn picture(
        &self,
        frame: Frame,
        video: &model::VideoDescription,
        shape: Ratio,
        path: &str,
    ) -> Result<Picture, Refusal> {
        let areas = Areas::of((self.input.crop, self.input.position), video);
        Picture::place(frame, areas, video, shape, path)
    }

    pub(super) fn source_rate(&self) -> Ratio {
        self.source
            .video
            .as_ref()
            .map_or(Ratio { num: 25, den: 1 }, |track| track.frame_rate)
    }

    /// The rate of all encodes where they agree, so that no picture is scaled to be thrown away.
    fn common_rate(&self) -> Ratio {
        let own = self.source_rate();
        let paced = |video: &VideoEncode| !video.treatment.pace.is_empty();
        let mut rates = self
            .videos
            .iter()
            .map(|video| if paced(video) { own } else { video.rate });
        match rates.next() {
            Some(first) if rates.all(|rate| rate == first) => first,
            _ => own,
        }
    }
}
