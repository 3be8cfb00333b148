//! S3 as far as the pipeline uses it: GET, HEAD, conditional PUT and DELETE, `DeleteObjects`, `ListObjectsV2`, `ListObjectVersions`,
//! `GetBucketVersioning`.

use std::fmt::Write as _;
use std::ops::Bound;

use bytes::Bytes;
use jiff::Timestamp;

use crate::call::{Answer, Call};
use crate::mediaconvert;
use crate::options::{Mutation, chance};
use crate::world::{BUCKET, State, World};

/// The most entries in one page.
const PAGE: usize = 1000;

pub(crate) fn slow_down() -> Answer {
    error(503, "SlowDown", "Please reduce your request rate.")
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Answer::new(status, body).with("content-type", "application/xml".to_owned())
}

pub(crate) fn answer(world: &World, call: &Call) -> Answer {
    let key = call.path.strip_prefix(&format!("/{BUCKET}")).unwrap_or_default();
    let key = key.trim_start_matches('/');
    match (call.method.as_str(), key) {
        ("GET", "") if call.query("versioning").is_some() => {
            world.state().count("S3 GET");
            let status = if world.options.unversioned {
                ""
            } else {
                "<Status>Enabled</Status>"
            };
            Answer::new(
                200,
                format!("<VersioningConfiguration>{status}</VersioningConfiguration>"),
            )
        }
        ("GET", "") if call.query("versions").is_some() => versions(&mut world.state(), call),
        ("GET", "") => list(&mut world.state(), call),
        ("GET" | "HEAD", key) => get(world, call, key),
        ("PUT", key) => put(world, call, key),
        ("POST", "") if call.query("delete").is_some() => delete_many(world, call),
        ("DELETE", key) => delete(world, call, key),
        _ => error(501, "NotImplemented", "not simulated"),
    }
}

fn get(world: &World, call: &Call, key: &str) -> Answer {
    let mut state = world.state();
    state.count("S3 GET");
    let Some(object) = state.objects.get(key) else {
        return if call.method == "HEAD" {
            Answer::new(404, "")
        } else {
            error(404, "NoSuchKey", "The specified key does not exist.")
        };
    };
    let time = object.modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = if call.method == "HEAD" {
        Answer::new(200, "").with("content-length", object.body.len().to_string())
    } else {
        Answer::new(200, seen(world, key, &object.body))
    };
    let answer = answer
        .with("etag", format!("\"{}\"", object.etag))
        .with("last-modified", time);
    match &object.version {
        Some(version) => answer.with("x-amz-version-id", version.clone()),
        None => answer,
    }
}

/// A record or a tombstone as a reader without one of the safeguards would see it.
fn seen(world: &World, key: &str, body: &Bytes) -> Bytes {
    let mutations = [Mutation::NoLease, Mutation::NoTerminal, Mutation::NoTombstone];
    let parsed = mutations
        .into_iter()
        .find(|mutation| world.is(*mutation))
        .and_then(|mutation| Some((mutation, serde_json::from_slice::<serde_json::Value>(body).ok()?)));
    let Some((mutation, mut document)) = parsed else {
        return body.clone();
    };
    let is_record = key.starts_with(vod_core::keys::CATALOG);
    if mutation == Mutation::NoLease && is_record {
        if let Some(lease) = document.get_mut("lease") {
            lease["until"] = "1970-01-01T00:00:00Z".into();
        }
    } else if mutation == Mutation::NoTerminal && is_record {
        for job in document["jobs"].as_array_mut().into_iter().flatten() {
            job["state"] = "SUBMITTED".into();
        }
    } else if mutation == Mutation::NoTombstone && key.starts_with(vod_core::keys::REMOVED) {
        document["removed_at"] = "1970-01-01T00:00:00Z".into();
        document["sequencer"].take();
    }
    document.to_string().into()
}

fn put(world: &World, call: &Call, key: &str) -> Answer {
    let conditional = call.if_none_match || call.if_match.is_some();
    let conflict = conditional && world.happens("409 of two writers", chance::CONFLICT);
    let mut state = world.state();
    state.count("S3 PUT");
    if conflict {
        return error(409, "ConditionalRequestConflict", "try again");
    }
    let known = state.objects.get(key).map(|object| object.etag.as_str());
    let allowed = match (&call.if_match, known) {
        (Some(_), None) => return error(404, "NoSuchKey", "The specified key does not exist."),
        (Some(wanted), Some(known)) => wanted == known,
        (None, known) => !call.if_none_match || known.is_none(),
    };
    if !allowed {
        return error(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions did not hold",
        );
    }
    let etag = state.put(key.to_owned(), call.body.clone());
    Answer::new(200, "").with("etag", format!("\"{etag}\""))
}

/// `DELETE` with `If-Match`.
fn delete(world: &World, call: &Call, key: &str) -> Answer {
    if world.happens("409 of two writers", chance::CONFLICT) {
        return error(409, "ConditionalRequestConflict", "try again");
    }
    let mut state = world.state();
    state.count("S3 DELETE");
    match state.objects.get(key) {
        None => error(404, "NoSuchKey", "The specified key does not exist."),
        Some(known) if call.if_match.as_ref() != Some(&known.etag) => error(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions did not hold",
        ),
        Some(_) => {
            state.delete(key);
            Answer::new(204, "")
        }
    }
}

/// `DeleteObjects`; its answer is quiet.
fn delete_many(world: &World, call: &Call) -> Answer {
    let mut state = world.state();
    state.count("S3 DELETE");
    let body = String::from_utf8_lossy(&call.body);
    for key in body
        .split("<Key>")
        .skip(1)
        .filter_map(|rest| rest.split("</Key>").next())
    {
        if key.starts_with(vod_core::keys::OUTPUT) {
            mediaconvert::delete_output(&mut state, key);
        } else {
            state.delete(key);
        }
    }
    Answer::new(200, "<?xml version=\"1.0\"?><DeleteResult></DeleteResult>")
        .with("content-type", "application/xml".to_owned())
}

fn list(state: &mut State, call: &Call) -> Answer {
    state.count("S3 LIST");
    let prefix = call.query("prefix").unwrap_or_default();
    let after = call.query("start-after").unwrap_or_default();
    let max = call
        .query("max-keys")
        .and_then(|max| max.parse().ok())
        .unwrap_or(PAGE)
        .min(PAGE);
    let mut xml = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
    let more = if prefix.starts_with(vod_core::keys::OUTPUT) {
        outputs(
            state,
            &mut xml,
            prefix,
            after,
            max,
            call.query("delimiter").is_some(),
        )
    } else {
        objects(state, &mut xml, prefix, after, max)
    };
    let _ = write!(xml, "<IsTruncated>{more}</IsTruncated></ListBucketResult>");
    Answer::new(200, xml).with("content-type", "application/xml".to_owned())
}

fn entry(xml: &mut String, key: &str, etag: &str, size: usize, modified: Timestamp) {
    let time = modified.strftime("%Y-%m-%dT%H:%M:%S.000Z");
    let _ = write!(
        xml,
        "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>&quot;{etag}&quot;</ETag><Size>{size}</Size></Contents>"
    );
}

fn objects(state: &State, xml: &mut String, prefix: &str, after: &str, max: usize) -> bool {
    let from = if after > prefix {
        Bound::Excluded(after)
    } else {
        Bound::Included(prefix)
    };
    let range = state.objects.range::<str, _>((from, Bound::Unbounded));
    let mut matching = range.take_while(|(key, _)| key.starts_with(prefix));
    for (key, object) in matching.by_ref().take(max) {
        entry(xml, key, &object.etag, object.body.len(), object.modified);
    }
    matching.next().is_some()
}

/// All versions of uploads, of each key the newest first.
fn versions(state: &mut State, call: &Call) -> Answer {
    state.count("S3 LIST");
    let prefix = call.query("prefix").unwrap_or_default();
    let (key, version) = (call.query("key-marker"), call.query("version-id-marker"));
    let from = key.filter(|key| *key > prefix).unwrap_or(prefix);
    let range = state
        .objects
        .range::<str, _>((Bound::Included(from), Bound::Unbounded));
    let all = range
        .take_while(|(key, _)| key.starts_with(prefix))
        .flat_map(|(key, object)| {
            std::iter::once(object)
                .chain(&object.older)
                .enumerate()
                .map(move |(age, object)| (key.as_str(), age == 0, object))
        });
    // Those of the marker's key up to the marker have been listed.
    let mut seen = version.is_some();
    let mut left = all.skip_while(|(name, _, object)| {
        let listed = Some(*name) == key && (seen || version.is_none());
        seen = seen && object.version.as_deref() != version;
        listed
    });
    let mut xml = String::from("<?xml version=\"1.0\"?><ListVersionsResult>");
    let mut last = None;
    for (key, latest, object) in left.by_ref().take(PAGE) {
        let version = object.version.as_deref().unwrap_or("null");
        let time = object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z");
        let _ = write!(
            xml,
            "<Version><Key>{key}</Key><VersionId>{version}</VersionId><IsLatest>{latest}</IsLatest>\
             <LastModified>{time}</LastModified><ETag>&quot;{}&quot;</ETag><Size>{}</Size></Version>",
            object.etag,
            object.body.len()
        );
        last = Some((key, version));
    }
    let more = left.next().is_some();
    if let Some((key, version)) = last.filter(|_| more) {
        let _ = write!(
            xml,
            "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
        );
    }
    let _ = write!(xml, "<IsTruncated>{more}</IsTruncated></ListVersionsResult>");
    Answer::new(200, xml).with("content-type", "application/xml".to_owned())
}

/// Outputs are not kept: they follow from the jobs that are complete.
fn outputs(state: &State, xml: &mut String, prefix: &str, after: &str, max: usize, folders: bool) -> bool {
    let rest = prefix.trim_start_matches(vod_core::keys::OUTPUT);
    if folders {
        let name = |path: &str| {
            path.trim_start_matches(vod_core::keys::OUTPUT)
                .trim_end_matches('/')
                .to_owned()
        };
        let after = name(after);
        let has_outputs = |asset: &str| state.jobs_of(asset).any(mediaconvert::has_outputs);
        let assets = state.by_asset.keys().filter(|asset| ***asset > *after);
        let mut assets = assets.filter(|asset| has_outputs(asset));
        for asset in assets.by_ref().take(max) {
            let _ = write!(
                xml,
                "<CommonPrefixes><Prefix>output/{asset}/</Prefix></CommonPrefixes>"
            );
        }
        return assets.next().is_some();
    }
    let asset = rest.split('/').next().unwrap_or_default();
    for key in mediaconvert::outputs_of(state, asset) {
        if key.starts_with(prefix) && *key > *after {
            entry(xml, &key, "0", 1, Timestamp::UNIX_EPOCH);
        }
    }
    false
}
