//! The poster of a video: the captured frame that is nearest to the time that its owner has chosen.

use super::{Record, Thumbnails};

impl Thumbnails {
    /// The key of picture `index`, counted from 0. `None`: the pattern has no field for a number.
    pub fn key(&self, index: u32) -> Option<String> {
        let (before, rest) = self.pattern.split_once('%')?;
        let (width, after) = rest.split_once('d')?;
        let width: usize = width.parse().ok().filter(|width| *width <= 20)?;
        let number = self.first + index;
        Some(format!("{before}{number:0width$}{after}"))
    }

    /// The picture that is nearest to a time in milliseconds.
    fn nearest(&self, ms: u64) -> Option<u32> {
        let interval = self.interval_ms.filter(|interval| *interval > 0)?;
        let index = ms.saturating_add(interval / 2) / interval;
        let last = self.count.checked_sub(1)?;
        Some(u32::try_from(index).map_or(last, |index| index.min(last)))
    }

    /// The picture that is shown if the owner has chosen none: not the first, which is often black.
    fn usual(&self) -> u32 {
        self.count.saturating_sub(1).min(1)
    }
}

impl Record {
    /// Sets the poster of each set of outputs by `poster_ms`.
    pub fn place_poster(&mut self) {
        let chosen = self.poster_ms;
        for thumbnails in self.outputs.iter_mut().filter_map(|set| set.thumbnails.as_mut()) {
            let index = chosen.map_or(Some(thumbnails.usual()), |ms| thumbnails.nearest(ms));
            if let Some(key) = index.and_then(|index| thumbnails.key(index)) {
                thumbnails.poster = key;
            }
        }
    }

    /// Whether frames were captured at known times.
    pub fn has_frames(&self) -> bool {
        let mut sets = self.outputs.iter().filter_map(|set| set.thumbnails.as_ref());
        sets.any(|thumbnails| thumbnails.nearest(0).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asset::AssetId;
    use crate::record::{OutputSet, Source};
    use jiff::Timestamp;

    #[test]
    fn the_poster_is_the_nearest_captured_frame() {
        let id = AssetId::new("vod", "input/a.mp4", None, "e");
        let mut record = Record::new(id, Source::default(), Timestamp::UNIX_EPOCH);
        assert!(!record.has_frames());
        record.outputs.push(OutputSet {
            thumbnails: Some(Thumbnails {
                pattern: "output/a/t/thumbnails/video.%07d.jpg".to_owned(),
                count: 3,
                interval_ms: Some(5_000),
                poster: "before".to_owned(),
                ..Thumbnails::default()
            }),
            ..OutputSet::default()
        });
        assert!(record.has_frames());
        for (chosen, expected) in [
            (None, 1),
            (Some(0), 0),
            (Some(2_499), 0),
            (Some(2_500), 1),
            (Some(9_999), 2),
            (Some(u64::MAX), 2),
        ] {
            record.poster_ms = chosen;
            record.place_poster();
            let poster = &record.outputs[0].thumbnails.as_ref().unwrap().poster;
            assert_eq!(
                *poster,
                format!("output/a/t/thumbnails/video.000000{expected}.jpg"),
                "{chosen:?}"
            );
        }
        // Without times there is nothing to choose from.
        let thumbnails = record.outputs[0].thumbnails.as_mut().unwrap();
        (thumbnails.interval_ms, thumbnails.poster) = (None, "before".to_owned());
        record.place_poster();
        assert_eq!(record.outputs[0].thumbnails.as_ref().unwrap().poster, "before");
        assert!(!record.has_frames());
    }
}
