//! Limits the work that an upload can cause. Pure.
//!
//! A file of a kilobyte can hold three pictures that are 100 hours apart, and an encode at a constant rate fills the
//! gaps: hours of work for next to nothing. So play time is limited, and so are pictures in relation to the bytes that
//! were uploaded. What a container says of itself is judged before the encode, what comes of it during the encode.

use std::time::Duration;

use crate::exec::Progress;
use crate::failure::TranscodeError;
use crate::plan::Plan;
use crate::probe::Ratio;

/// Pictures that any upload may become, however small: an hour at 60 per second.
const FREE_PICTURES: u64 = 60 * 60 * 60;

/// The limits of one upload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    play_time: Duration,
    /// Bytes of the upload.
    size: u64,
    /// Pictures per second, where they alone say how much was played.
    rate: Option<Ratio>,
}

impl Bounds {
    pub(crate) fn new(play_time: Duration, size: u64) -> Self {
        Self {
            play_time,
            size,
            rate: None,
        }
    }

    /// The same for a run that reports no time: its pictures count at this rate.
    pub(crate) fn counting(self, rate: Ratio) -> Self {
        Self {
            rate: Some(rate),
            ..self
        }
    }

    /// One for each byte, above those that are free: the emptiest pictures of H.264 in MP4 take more.
    fn pictures(&self) -> u64 {
        self.size.max(FREE_PICTURES)
    }

    /// Judges a plan before it runs.
    pub(crate) fn check(&self, plan: &Plan) -> Result<(), TranscodeError> {
        self.play_time(Duration::from_millis(plan.duration_ms))?;
        for rate in plan.rates() {
            let (num, den) = (u128::from(rate.num), u128::from(rate.den));
            let pictures = u128::from(plan.duration_ms) * num / (den * 1000);
            self.frames(u64::try_from(pictures).unwrap_or(u64::MAX))?;
        }
        Ok(())
    }

    /// Judges what an encode has come to.
    pub(crate) fn watch(&self, progress: Progress, played: Duration) -> Result<(), TranscodeError> {
        let counted = self.rate.map_or(0.0, |rate| {
            f64::from(u32::try_from(progress.frames).unwrap_or(u32::MAX)) / rate.as_f64().max(1e-6)
        });
        self.play_time(played.max(Duration::from_secs_f64(counted)))?;
        self.frames(progress.frames)
    }

    fn play_time(&self, time: Duration) -> Result<(), TranscodeError> {
        if time > self.play_time {
            return Err(TranscodeError::TooLong {
                hours: time.as_secs_f64() / 3600.0,
                limit: self.play_time.as_secs_f64() / 3600.0,
            });
        }
        Ok(())
    }

    fn frames(&self, pictures: u64) -> Result<(), TranscodeError> {
        let limit = self.pictures();
        if pictures > limit {
            let size = self.size;
            return Err(TranscodeError::TooManyPictures {
                pictures,
                size,
                limit,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mediaconvert_job::error_code::LIMIT;

    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn progress(frames: u64) -> Progress {
        Progress { percent: 1, frames }
    }

    #[test]
    fn pictures_follow_the_size_of_the_upload() {
        for (size, pictures, accepted) in [
            (899, FREE_PICTURES, true),
            (899, FREE_PICTURES + 1, false),
            (FREE_PICTURES + 1, FREE_PICTURES + 1, true),
            (1 << 30, 1 << 30, true),
            (1 << 30, (1 << 30) + 1, false),
        ] {
            let watched = Bounds::new(DAY, size).watch(progress(pictures), Duration::ZERO);
            assert_eq!(watched.is_ok(), accepted, "{pictures} of {size} bytes");
        }
    }

    #[test]
    fn errors_name_the_number_and_are_not_retried() {
        let bounds = Bounds::new(DAY, 899);
        let long = bounds.watch(progress(0), DAY + DAY / 2).expect_err("is too long");
        let failure = long.failure("s3://b/k");
        assert_eq!(failure.message, "the video plays for 36.0 h; the limit is 24 h");
        assert_eq!(failure.code, LIMIT);
        let many = bounds.watch(progress(2_592_000), DAY).expect_err("are too many");
        let failure = many.failure("s3://b/k");
        assert_eq!(
            failure.message,
            "the video becomes at least 2592000 pictures of 899 bytes; the limit is 216000"
        );
        assert_eq!(failure.code, LIMIT);
    }
}
