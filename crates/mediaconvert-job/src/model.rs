//! The part of the job settings that a transcoder acts on, typed.
//!
//! The engine's own table (`transcode::support`) says which further members are harmless and which are refused.
//! It checks the JSON itself, so no member is dropped without notice. All members are optional, as in the API's model; the rules are in [`crate::validate`].

use serde::Deserialize;

macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type),* }
    };
}

mod audio;
mod group;
mod input;
mod output;
mod video;

pub use self::{audio::*, group::*, input::*, output::*, video::*};

settings! {
    /// `JobSettings`.
    JobSettings {
        inputs: Vec<Input>,
        output_groups: Vec<OutputGroup>,
        timecode_config: TimecodeConfig,
        /// Number of the input whose size and rate are the defaults, from 1.
        follow_source: Option<u32>,
    }
}
settings! {
    /// The timecode of outputs.
    TimecodeConfig {
        /// `EMBEDDED` (the default), `ZEROBASED` or `SPECIFIEDSTART`.
        source: Option<String>,
        /// The timecode of the first frame, with `SPECIFIEDSTART`.
        start: Option<String>,
        /// The date, `YYYY-MM-DD`.
        timestamp_offset: Option<String>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Template;

    #[test]
    fn the_default_template_is_read() {
        let template =
            Template::parse(include_bytes!("../../../job-templates/default.json")).expect("is a template");
        let settings: JobSettings = serde_json::from_value(template.settings).expect("fits the model");
        let hls = &settings.output_groups[0];
        let video = hls.outputs[2].video_description.as_ref().expect("has video");
        assert_eq!((video.width, video.height), (None, Some(720)));
        assert_eq!(video.codec_settings.h264_settings.max_bitrate, Some(4_500_000));
        assert_eq!(settings.inputs[0].video_selector.rotate.as_deref(), Some("AUTO"));
    }
}
