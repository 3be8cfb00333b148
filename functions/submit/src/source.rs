//! The upload itself, from the event that told of it and the object that lies there.

use vod_aws::Head;
use vod_core::events::ObjectCreated;
use vod_core::record::{Media, Source};

/// What the event and the object's head say together; the event's version is the one that was uploaded.
pub(crate) fn source(object: &ObjectCreated, head: Option<&Head>) -> Source {
    let head_etag = head.map(|head| head.etag.clone());
    Source {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        version: object
            .version
            .clone()
            .or_else(|| head.and_then(|head| head.version.clone())),
        etag: object.etag.clone().or(head_etag).unwrap_or_default(),
        size: object.size.or(head.map(|head| head.size)).unwrap_or(0),
        uploaded_at: head.map_or_else(vod_aws::now, |head| head.modified),
        sequencer: object.sequencer.clone(),
        media: Media::default(),
        ..Source::default()
    }
}
