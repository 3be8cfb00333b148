//! Video codecs: one row of [`CODECS`] each, and a module that turns its settings into ffmpeg's options.

use mediaconvert_job::model::{EncoderSettings, VideoCodecSettings, VideoDescription};

use crate::plan::h264::Encoder;
use crate::plan::streaming::Cuts;
use crate::plan::{Refusal, av1, h264, hevc, other};
use crate::probe::Ratio;

/// A video codec.
pub(crate) struct Codec {
    /// As `codecSettings/codec` has it.
    name: &'static str,
    /// The member with its settings.
    pub(crate) member: &'static str,
    settings: fn(&VideoCodecSettings) -> &EncoderSettings,
    encoder: fn(&EncoderSettings, Ratio, Option<Cuts>, &str) -> Result<Encoder, Refusal>,
}

#[rustfmt::skip]
const CODECS: [Codec; 7] = [
    Codec { name: "H_264", member: "h264Settings", settings: |all| &all.h264_settings, encoder: h264::encoder },
    Codec { name: "H_265", member: "h265Settings", settings: |all| &all.h265_settings, encoder: hevc::encoder },
    Codec { name: "AV1", member: "av1Settings", settings: |all| &all.av1_settings, encoder: av1::encoder },
    Codec { name: "VP8", member: "vp8Settings", settings: |all| &all.vp8_settings, encoder: other::vp8 },
    Codec { name: "VP9", member: "vp9Settings", settings: |all| &all.vp9_settings, encoder: other::vp9 },
    Codec { name: "MPEG2", member: "mpeg2Settings", settings: |all| &all.mpeg2_settings, encoder: other::mpeg2 },
    Codec { name: "PRORES", member: "proresSettings", settings: |all| &all.prores_settings, encoder: other::prores },
];

impl Codec {
    /// The codec of a description. `path` is that of its `codecSettings`.
    pub(crate) fn of(video: &VideoDescription, path: &str) -> Result<&'static Self, Refusal> {
        let found = CODECS.iter().find(|codec| codec.name == video.codec());
        found.ok_or_else(|| Refusal::setting(path, "codec is a required property"))
    }

    pub(crate) fn settings<'a>(&self, video: &'a VideoDescription) -> &'a EncoderSettings {
        (self.settings)(&video.codec_settings)
    }

    /// Options for one output. `path` is that of the codec's settings.
    pub(crate) fn encoder(
        &self,
        video: &VideoDescription,
        rate: Ratio,
        cuts: Option<Cuts>,
        path: &str,
    ) -> Result<Encoder, Refusal> {
        (self.encoder)(self.settings(video), rate, cuts, path)
    }
}

/// The settings of the codec that a description names.
pub(crate) fn settings(video: &VideoDescription) -> Option<&EncoderSettings> {
    Codec::of(video, "").ok().map(|codec| codec.settings(video))
}
