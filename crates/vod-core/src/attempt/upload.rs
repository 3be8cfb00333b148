//! The uploaded object: what an event and the object's head say of it, and whether it can be encoded.

use jiff::Timestamp;

use crate::events::ObjectCreated;
use crate::object::Head;
use crate::record::{Record, Source, State};

/// The source that an event announces. The event's version and `ETag` are those of the upload; what it does not say
/// is taken from the head of the object that is at the key at `now`.
pub fn source(object: &ObjectCreated, head: Option<&Head>, now: Timestamp) -> Source {
    let head_version = || head.and_then(|head| head.version.clone());
    let head_etag = || head.map(|head| head.etag.clone());
    Source {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object.version.clone().or_else(head_version),
        etag: object.etag.clone().or_else(head_etag).unwrap_or_default(),
        size: object.size.or(head.map(|head| head.size)).unwrap_or(0),
        uploaded_at: head.map_or(now, |head| head.modified),
        sequencer: object.sequencer.clone(),
        ..Source::default()
    }
}

/// The event of an upload, made from its source: reconcile submits a lost upload with it.
pub fn event(source: &Source) -> ObjectCreated {
    ObjectCreated {
        bucket: source.bucket.clone(),
        key: source.key.clone(),
        size: Some(source.size),
        etag: Some(source.etag.clone()),
        version: source.version.clone(),
        sequencer: source.sequencer.clone(),
    }
}

/// Whether the object with this head is the upload. MediaConvert reads no other version.
pub fn is_current(source: &Source, head: &Head) -> bool {
    head.etag == source.etag && head.version == source.version
}

/// Why an upload is not encoded that a delivery has recorded although its owner had removed it.
pub const REMOVED: &str = "the video was removed";

/// Why an upload cannot be encoded, given the object that is at its key now. `None`: it can.
pub fn obstacle(source: &Source, head: Option<&Head>) -> Option<&'static str> {
    match head {
        None => Some("the upload was removed before it could be read"),
        Some(head) if !is_current(source, head) => {
            Some("the upload was replaced by a newer one before it could be read")
        }
        Some(head) if head.size > 0 => None,
        Some(_) if source.key.ends_with('/') => Some("a directory marker, not a file"),
        Some(_) => Some("the file is empty (zero bytes)"),
    }
}

/// The record of an upload that is not encoded.
pub fn ignored(source: Source, reason: &str, now: Timestamp) -> Record {
    let mut record = Record::new(source.asset_id(), source, now);
    record.state = State::Ignored;
    record.reason = Some(reason.to_owned());
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::testing::at;

    fn head(version: Option<&str>, etag: &str, size: u64) -> Head {
        Head {
            size,
            etag: etag.to_owned(),
            version: version.map(str::to_owned),
            modified: at(5),
        }
    }

    fn object(version: Option<&str>, etag: Option<&str>) -> ObjectCreated {
        ObjectCreated {
            bucket: "vod".to_owned(),
            key: "input/a.mp4".to_owned(),
            size: None,
            etag: etag.map(str::to_owned),
            version: version.map(str::to_owned),
            sequencer: Some("05".to_owned()),
        }
    }

    #[test]
    fn the_event_names_the_upload_and_the_head_adds_the_rest() {
        for (event, head, expected) in [
            (
                object(Some("v1"), Some("e1")),
                Some(head(Some("v2"), "e2", 7)),
                (Some("v1"), "e1", 7, 5),
            ),
            (
                object(None, None),
                Some(head(Some("v2"), "e2", 7)),
                (Some("v2"), "e2", 7, 5),
            ),
            (object(None, Some("e1")), None, (None, "e1", 0, 9)),
        ] {
            let source = source(&event, head.as_ref(), at(9));
            let found = (
                source.version.as_deref(),
                &*source.etag,
                source.size,
                source.uploaded_at.as_second(),
            );
            assert_eq!(found, expected, "{event:?} {head:?}");
            assert_eq!(super::event(&source).sequencer, event.sequencer);
        }
    }

    #[test]
    fn an_upload_that_cannot_be_encoded_has_a_reason() {
        for (key, head, expected) in [
            ("input/a.mp4", Some(head(None, "e", 1)), None),
            ("input/a.mp4", None, Some("removed")),
            ("input/a.mp4", Some(head(None, "other", 1)), Some("replaced")),
            ("input/a.mp4", Some(head(Some("v"), "e", 1)), Some("replaced")),
            ("input/a.mp4", Some(head(None, "e", 0)), Some("zero bytes")),
            ("input/a/", Some(head(None, "e", 0)), Some("directory marker")),
        ] {
            let mut source = source(&object(None, Some("e")), None, at(1));
            key.clone_into(&mut source.key);
            let found = obstacle(&source, head.as_ref());
            assert_eq!(found.is_some(), expected.is_some(), "{key} {head:?}");
            assert!(
                found.unwrap_or_default().contains(expected.unwrap_or_default()),
                "{found:?}"
            );
        }
    }
}
