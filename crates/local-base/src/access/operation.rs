//! Finds the AWS operation of a request by its method, path and query alone.

use http::{HeaderMap, Method, Uri};
use serde::Serialize;

use super::Port;

/// A service's operation and what it is about. Fields that do not apply are left out of the log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Operation {
    /// `s3`, `mediaconvert`, `lambda`, `sqs`, `cloudfront` or `edge`.
    pub service: &'static str,
    /// AWS's name of it, such as `CreateJob`; for Invoke followed by the function's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// S3 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
    /// S3 only, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Which part of the stack called, where it was one that has a role on AWS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<&'static str>,
}

/// The parts that have a role on AWS. Here the session token of their credentials is their name.
const CALLERS: [&str; 6] = [
    "submit",
    "complete",
    "signer",
    "owner",
    "reconcile",
    "mediaconvert",
];

/// Any other token stays out of the log.
fn caller(headers: &HeaderMap) -> Option<&'static str> {
    let token = headers.get("x-amz-security-token")?.to_str().ok()?;
    CALLERS.into_iter().find(|name| *name == token)
}

/// Names the operation of a request that came in through `port`.
pub fn classify(port: Port, method: &Method, uri: &Uri, headers: &HeaderMap) -> Operation {
    Operation {
        caller: caller(headers),
        ..of(port, method, uri, headers)
    }
}

fn of(port: Port, method: &Method, uri: &Uri, headers: &HeaderMap) -> Operation {
    let path = uri.path();
    if port == Port::Edge {
        return named("edge", String::new());
    }
    if let Some(rest) = path.strip_prefix("/2017-08-29/") {
        return named("mediaconvert", media_convert(method, rest));
    }
    for (prefix, operation) in [
        ("/2015-03-31/functions/", "Invoke"),
        ("/lambda-url/", "InvokeFunctionUrl"),
    ] {
        if let Some(rest) = path.strip_prefix(prefix) {
            let function = rest.split('/').next().unwrap_or_default();
            return named("lambda", format!("{operation} {function}"));
        }
    }
    if let Some(target) = headers.get("x-amz-target").and_then(|value| value.to_str().ok()) {
        return named("sqs", target.rsplit('.').next().unwrap_or_default().to_owned());
    }
    if path.starts_with("/2020-05-31/") {
        let name = match (method, path.ends_with("/invalidation")) {
            (&Method::GET, true) => "ListInvalidations",
            (&Method::GET, false) => "GetInvalidation",
            _ => "CreateInvalidation",
        };
        return named("cloudfront", name.to_owned());
    }
    s3(method, uri, headers)
}

fn named(service: &'static str, operation: String) -> Operation {
    Operation {
        service,
        operation,
        ..Operation::default()
    }
}

fn media_convert(method: &Method, path: &str) -> String {
    let mut segments = path.split('/');
    let (collection, one) = (segments.next().unwrap_or_default(), segments.next().is_some());
    // Collections whose operations are named alike: Create, List, Get, Update, Delete.
    let noun = match collection {
        "jobTemplates" => "JobTemplate",
        "presets" => "Preset",
        "queues" => "Queue",
        _ => "",
    };
    let name = match (method.as_str(), collection, one) {
        ("POST", _, false) if !noun.is_empty() => return format!("Create{noun}"),
        ("GET", _, false) if !noun.is_empty() => return format!("List{noun}s"),
        ("GET", _, true) if !noun.is_empty() => return format!("Get{noun}"),
        ("PUT", _, true) if !noun.is_empty() => return format!("Update{noun}"),
        ("DELETE", _, true) if !noun.is_empty() => return format!("Delete{noun}"),
        ("POST", "jobs", false) => "CreateJob",
        ("GET", "jobs", false) => "ListJobs",
        ("GET", "jobs", true) => "GetJob",
        ("DELETE", "jobs", true) => "CancelJob",
        ("GET", "search", _) => "SearchJobs",
        ("POST", "jobsQueries", false) => "StartJobsQuery",
        ("GET", "jobsQueries", true) => "GetJobsQueryResults",
        ("POST", "probe", _) => "Probe",
        ("POST", "tags", false) => "TagResource",
        ("PUT", "tags", true) => "UntagResource",
        ("GET", "tags", true) => "ListTagsForResource",
        ("GET", "versions", _) => "ListVersions",
        ("GET", "policy", _) => "GetPolicy",
        ("PUT", "policy", _) => "PutPolicy",
        ("DELETE", "policy", _) => "DeletePolicy",
        ("POST", "endpoints", _) => "DescribeEndpoints",
        _ => return format!("{method} {collection}"),
    };
    name.to_owned()
}

fn s3(method: &Method, uri: &Uri, headers: &HeaderMap) -> Operation {
    let path = uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let query: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .collect();
    let has = |name: &str| query.contains(&name);
    let copy = headers.contains_key("x-amz-copy-source");
    let name = match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("GET", _, true) if has("list-type") => "ListObjectsV2",
        ("GET", _, true) if has("uploads") => "ListMultipartUploads",
        ("GET", _, true) if has("location") => "GetBucketLocation",
        ("GET", _, true) if has("versioning") => "GetBucketVersioning",
        ("GET", _, true) if has("versions") => "ListObjectVersions",
        ("GET", _, true) => "ListObjects",
        ("HEAD", _, true) => "HeadBucket",
        ("PUT", _, true) => "CreateBucket",
        ("POST", _, true) if has("delete") => "DeleteObjects",
        ("DELETE", _, true) => "DeleteBucket",
        ("GET", _, false) if has("uploadId") => "ListParts",
        ("GET", _, false) => "GetObject",
        ("HEAD", _, false) => "HeadObject",
        ("PUT", _, false) if has("partNumber") && copy => "UploadPartCopy",
        ("PUT", _, false) if has("partNumber") => "UploadPart",
        ("PUT", _, false) if copy => "CopyObject",
        ("PUT", _, false) => "PutObject",
        ("POST", _, false) if has("uploads") => "CreateMultipartUpload",
        ("POST", _, false) if has("uploadId") => "CompleteMultipartUpload",
        ("DELETE", _, false) if has("uploadId") => "AbortMultipartUpload",
        ("DELETE", _, false) => "DeleteObject",
        (other, ..) => other,
    };
    let decode = |text: &str| {
        (!text.is_empty()).then(|| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        })
    };
    Operation {
        bucket: decode(bucket),
        key: decode(key),
        ..named("s3", name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_by_path() {
        let table = [
            ("POST", "/2017-08-29/jobs", "mediaconvert", "CreateJob"),
            ("GET", "/2017-08-29/jobs?status=ERROR", "mediaconvert", "ListJobs"),
            ("GET", "/2017-08-29/jobs/1-a", "mediaconvert", "GetJob"),
            ("DELETE", "/2017-08-29/jobs/1-a", "mediaconvert", "CancelJob"),
            (
                "GET",
                "/2017-08-29/search?inputFile=x",
                "mediaconvert",
                "SearchJobs",
            ),
            ("GET", "/2017-08-29/presets", "mediaconvert", "ListPresets"),
            (
                "PUT",
                "/2017-08-29/jobTemplates/a",
                "mediaconvert",
                "UpdateJobTemplate",
            ),
            (
                "GET",
                "/2017-08-29/certificates",
                "mediaconvert",
                "GET certificates",
            ),
            (
                "POST",
                "/2015-03-31/functions/submit/invocations",
                "lambda",
                "Invoke submit",
            ),
            (
                "GET",
                "/lambda-url/signer/api/playback",
                "lambda",
                "InvokeFunctionUrl signer",
            ),
            ("GET", "/vod?list-type=2&prefix=input%2F", "s3", "ListObjectsV2"),
            ("GET", "/vod?versioning", "s3", "GetBucketVersioning"),
            ("GET", "/vod?versions&prefix=input%2F", "s3", "ListObjectVersions"),
            ("PUT", "/vod/input/a?partNumber=1&uploadId=u", "s3", "UploadPart"),
            ("POST", "/vod/input/a?uploads", "s3", "CreateMultipartUpload"),
            ("GET", "/vod/catalog/a.json", "s3", "GetObject"),
        ];
        for (method, uri, service, operation) in table {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let found = classify(Port::Api, &method, &uri.parse().unwrap(), &HeaderMap::new());
            assert_eq!(
                (found.service, found.operation.as_str()),
                (service, operation),
                "{uri}"
            );
        }
    }

    #[test]
    fn a_caller_is_named_and_no_other_token_is() {
        let found = |token: &'static str| {
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static("x-amz-security-token"),
                http::HeaderValue::from_static(token),
            )]);
            classify(Port::Api, &Method::GET, &"/vod".parse().unwrap(), &headers).caller
        };
        assert_eq!(found("signer"), Some("signer"));
        assert_eq!(found("FwoGZXIvYXdzEA"), None);
    }

    #[test]
    fn an_object_has_its_decoded_key() {
        let found = classify(
            Port::Api,
            &Method::GET,
            &"/vod/input/a%20b+c.mp4".parse().unwrap(),
            &HeaderMap::new(),
        );
        assert_eq!(
            (found.bucket.as_deref(), found.key.as_deref()),
            (Some("vod"), Some("input/a b+c.mp4"))
        );
    }
}
