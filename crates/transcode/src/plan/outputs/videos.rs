//! Video encodes and frame captures of outputs.

use mediaconvert_job::error_code::{NO_VIDEO, UNSUPPORTED_CODEC};
use mediaconvert_job::model::{self, EncoderSettings, FrameCaptureSettings};

use super::{Planner, shared};
use crate::plan::captions::Captions;
use crate::plan::color;
use crate::plan::deinterlace::Fields;
use crate::plan::picture::{Frame, SQUARE};
use crate::plan::streaming::Cuts;
use crate::plan::{
    Capture, Refusal, VideoEncode, WARN_APPROXIMATED, WARN_ONE_PASS, h264, hevc, owned, video,
};
use crate::probe::Ratio;

impl Planner<'_> {
    /// The cover of a source without video.
    pub(super) fn cover(&self) -> Option<Frame> {
        let cover = self.source.cover.as_ref().filter(|_| self.source.video.is_none());
        cover.map(|cover| Frame::turned(cover, 0))
    }

    /// The source's picture. `path` is that of a video description.
    fn frame(&self, path: &str) -> Result<Frame, Refusal> {
        let refuse = |code, message: &str| Refusal {
            code,
            path: path.to_owned(),
            message: message.to_owned(),
        };
        if self
            .source
            .video
            .as_ref()
            .is_some_and(|track| track.codec.is_empty())
        {
            return Err(refuse(
                UNSUPPORTED_CODEC,
                "unsupported codec: the video track cannot be decoded",
            ));
        }
        self.frame
            .ok_or_else(|| refuse(NO_VIDEO, "the input has no video track"))
    }

    pub(super) fn video(
        &mut self,
        output: &model::Output,
        video: &model::VideoDescription,
        cuts: Option<Cuts>,
        path: &str,
    ) -> Result<(usize, Option<f64>), Refusal> {
        let description = format!("{path}/videoDescription");
        let frame = self.frame(&description)?;
        let codecs = format!("{description}/codecSettings");
        let codec = video::Codec::of(video, &codecs)?;
        let settings = codec.settings(video);
        let own = format!("{codecs}/{}", codec.member);
        let shape = pixel_shape(settings, frame, &own)?;
        let picture = self.picture(frame, video, shape, &description)?;
        let rate = self.rate(settings, &own)?;
        let height = picture.size().1;
        let context = self.context();
        let treatment = context.treatment(video, rate, &description)?;
        let treatment = context.encoded(treatment, (video, settings), rate, height, &own)?;
        let script = self.captions.script(output, picture.size(), path)?;
        let script = script.map(|script| shared(&mut self.scripts, script));
        self.deinterlace(video, rate, path)?;
        let mut encoder = codec.encoder(video, rate, cuts, &own)?;
        if Captions::are_embedded(output) {
            self.embed_captions(video, rate, &mut encoder.options, path)?;
        }
        if let Some(top) = treatment.top_first.filter(|_| video.codec() == "H_264") {
            h264::order_fields(&mut encoder.options, top);
        }
        let deep = is_deep(video, &encoder.options);
        let mut treatment = treatment;
        let colors = if deep {
            let deep = color::deep(self.source, video);
            if let Some(metadata) = deep.mastering.filter(|_| video.codec() == "H_265") {
                hevc::describe(&mut encoder.options, &metadata);
            }
            deep.filters
        } else {
            color::shallow(self.source, video)
        };
        treatment.filters.splice(0..0, colors);
        let corrector = video.video_preprocessors.color_corrector.as_ref();
        let mapper = corrector.and_then(|corrector| corrector.hdr_to_sdr_tone_mapper.as_deref());
        self.vibrant |= mapper == Some("VIBRANT");
        self.warn_of_video(settings, &own);
        let encode = VideoEncode {
            picture,
            treatment,
            script,
            deep,
            options: owned(encoder.options),
            rate,
        };
        let level = settings.quality_tuning_level.as_deref().unwrap_or_default();
        if level.starts_with("MULTI_PASS") && !encode.has_two_passes() {
            self.warn(WARN_ONE_PASS, format!("{level} is encoded in one slower pass"));
        }
        Ok((shared(&mut self.videos, encode), encoder.segment_seconds))
    }

    /// Keeps captions in the pictures. They are spread over frames, so that their rate has to stay.
    fn embed_captions(
        &self,
        video: &model::VideoDescription,
        rate: Ratio,
        options: &mut [(&'static str, String)],
        path: &str,
    ) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::setting(format!("{path}/captionDescriptions"), message));
        if rate != self.source_rate() {
            return refuse("embedded captions are kept only at the frame rate of the source");
        }
        match options.iter_mut().find(|(name, _)| *name == "a53cc") {
            Some((_, value)) => "1".clone_into(value),
            None => {
                return refuse(&format!(
                    "the local engine keeps embedded captions in H_264 only, not in {}",
                    video.codec()
                ));
            }
        }
        Ok(())
    }

    /// Warns of values in the middle of a range, which the support table cannot name.
    fn warn_of_video(&mut self, settings: &EncoderSettings, path: &str) {
        if let Some(softness) = settings
            .softness
            .filter(|softness| !matches!(softness, 0 | 1 | 16))
        {
            let how = "the quantization matrices are those of the standard, or flat";
            self.warn(WARN_APPROXIMATED, format!("{path}/softness: {softness}: {how}"));
        }
        if settings.framerate_conversion_algorithm.as_deref() == Some("INTERPOLATE")
            && self
                .rate(settings, path)
                .is_ok_and(|rate| rate != self.source_rate())
        {
            let how = "neighboring frames are blended, without following motion";
            self.warn(
                WARN_APPROXIMATED,
                format!("{path}/framerateConversionAlgorithm: INTERPOLATE: {how}"),
            );
        }
    }

    /// Takes in what an output wants done with fields. One decode feeds all outputs, so they have to agree.
    fn deinterlace(
        &mut self,
        video: &model::VideoDescription,
        rate: Ratio,
        path: &str,
    ) -> Result<(), Refusal> {
        let Some(settings) = &video.video_preprocessors.deinterlacer else {
            return Ok(());
        };
        let path = format!("{path}/videoDescription/videoPreprocessors/deinterlacer");
        let wanted = Fields::wanted(settings, rate, &path)?;
        if wanted == Fields::InverseTelecine && self.joint.is_some() {
            let message = "the local engine takes film out of fields in a job with one input only";
            return Err(Refusal::setting(path, message));
        }
        if *self.fields.get_or_insert(wanted) == wanted {
            return Ok(());
        }
        Err(Refusal::setting(
            path,
            "the local engine deinterlaces all outputs of a job alike",
        ))
    }

    fn rate(&self, settings: &EncoderSettings, path: &str) -> Result<Ratio, Refusal> {
        if settings.framerate_control.as_deref() != Some("SPECIFIED") {
            return Ok(self.source_rate());
        }
        match (settings.framerate_numerator, settings.framerate_denominator) {
            (Some(num), Some(den)) if num > 0 && den > 0 => Ok(Ratio { num, den }),
            (Some(_), _) => Err(Refusal::setting(
                path,
                "framerateDenominator is a required property",
            )),
            _ => Err(Refusal::setting(
                path,
                "framerateNumerator is a required property",
            )),
        }
    }

    pub(super) fn capture(
        &mut self,
        video: &model::VideoDescription,
        stem: &str,
        path: &str,
    ) -> Result<usize, Refusal> {
        let FrameCaptureSettings {
            framerate_numerator,
            framerate_denominator,
            max_captures,
            quality,
        } = video.codec_settings.frame_capture_settings;
        let worse = f64::from(100 - quality.unwrap_or(80).clamp(1, 100)) / 99.0;
        let path = format!("{path}/videoDescription");
        let rate = Ratio {
            num: framerate_numerator.unwrap_or(1).max(1),
            den: framerate_denominator.unwrap_or(1).max(1),
        };
        if video.video_preprocessors.timecode_burnin.is_some() {
            let path = format!("{path}/videoPreprocessors/timecodeBurnin");
            return Err(Refusal::setting(
                path,
                "the local engine burns no timecode into captured frames",
            ));
        }
        let frame = self.frame(&path).or_else(|refusal| self.cover().ok_or(refusal))?;
        let picture = self.picture(frame, video, SQUARE, &path)?;
        self.captures.push(Capture {
            picture,
            treatment: self.context().treatment(video, self.source_rate(), &path)?,
            rate,
            max_captures: max_captures.unwrap_or(10_000_000),
            quantizer: quantizer(worse),
            pattern: format!("{stem}.%07d.jpg"),
        });
        Ok(self.captures.len() - 1)
    }
}

/// Whether an encode keeps ten bits, and with them the colors of HDR: unless the job asks for those of SDR.
fn is_deep(video: &model::VideoDescription, options: &[(&str, String)]) -> bool {
    let corrector = video.video_preprocessors.color_corrector.as_ref();
    let conversion = corrector.and_then(|corrector| corrector.color_space_conversion.as_deref());
    conversion.is_none_or(|conversion| matches!(conversion, "NONE" | "FORCE_HDR10" | "FORCE_HLG_2020"))
        && options
            .iter()
            .any(|(name, value)| *name == "pix_fmt" && value.ends_with("10le"))
}

fn pixel_shape(settings: &EncoderSettings, frame: Frame, path: &str) -> Result<Ratio, Refusal> {
    if settings.par_control.as_deref() != Some("SPECIFIED") {
        return Ok(frame.sample_aspect);
    }
    match (settings.par_numerator, settings.par_denominator) {
        (Some(num), Some(den)) if num > 0 && den > 0 => Ok(Ratio { num, den }),
        (Some(_), _) => Err(Refusal::setting(path, "parDenominator is a required property")),
        _ => Err(Refusal::setting(path, "parNumerator is a required property")),
    }
}

/// `worse` runs from 0 (best) to 1. The eye sees steps at the good end first, hence the square.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 2 and 31"
)]
fn quantizer(worse: f64) -> u32 {
    (2.0 + 29.0 * worse * worse).round() as u32
}
