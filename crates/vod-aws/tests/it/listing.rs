//! Listings of a versioned bucket, from answers in the form of the S3 API reference (`ListObjectVersions`).

use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use vod_aws::{AwsConfig, Bucket, Place};

/// Gives recorded answers in turn, and keeps what was asked.
#[derive(Debug, Clone, Default)]
struct Recorded {
    answers: Arc<Mutex<Vec<&'static str>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl HttpConnector for Recorded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request.uri().to_owned());
        let body = self.answers.lock().unwrap().remove(0);
        let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::from(body));
        HttpConnectorFuture::ready(Ok(response))
    }
}

fn listing(answers: &[&'static str]) -> (Bucket, Recorded) {
    let recorded = Recorded::default();
    recorded.answers.lock().unwrap().extend(answers);
    let connector = SharedHttpConnector::new(recorded.clone());
    let config = AwsConfig {
        region: "us-east-1".into(),
        access_key_id: "vod".into(),
        secret_access_key: "secret".into(),
        session_token: None,
        s3_endpoint: Some("http://s3".into()),
        mediaconvert_endpoint: None,
    };
    let s3 = vod_aws::s3_over(http_client_fn(move |_, _| connector.clone()), &config);
    (Bucket::new(s3, "vod"), recorded)
}

/// A replaced upload, a removed one, and one from before the bucket had versions; the page ends in mid-key.
const FIRST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
  <Name>vod</Name><Prefix>input/</Prefix><MaxKeys>5</MaxKeys><IsTruncated>true</IsTruncated>
  <NextKeyMarker>input/c.mp4</NextKeyMarker><NextVersionIdMarker>c2</NextVersionIdMarker>
  <Version><Key>input/a.mp4</Key><VersionId>a2</VersionId><IsLatest>true</IsLatest>
    <LastModified>2026-01-02T00:00:00.000Z</LastModified><ETag>"e2"</ETag><Size>5</Size></Version>
  <Version><Key>input/a.mp4</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>
    <LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"e1"</ETag><Size>4</Size></Version>
  <DeleteMarker><Key>input/b.mp4</Key><VersionId>b2</VersionId><IsLatest>true</IsLatest>
    <LastModified>2026-01-04T00:00:00.000Z</LastModified></DeleteMarker>
  <Version><Key>input/b.mp4</Key><VersionId>b1</VersionId><IsLatest>false</IsLatest>
    <LastModified>2026-01-03T00:00:00.000Z</LastModified><ETag>"e3"</ETag><Size>0</Size></Version>
  <Version><Key>input/c.mp4</Key><VersionId>c2</VersionId><IsLatest>true</IsLatest>
    <LastModified>2026-01-06T00:00:00.000Z</LastModified><ETag>"e5"</ETag><Size>6</Size></Version>
</ListVersionsResult>"#;
/// A page that holds a delete marker alone is not the end.
const SECOND: &str = r"<ListVersionsResult>
  <IsTruncated>true</IsTruncated><NextKeyMarker>input/d.mp4</NextKeyMarker><NextVersionIdMarker>d1</NextVersionIdMarker>
  <DeleteMarker><Key>input/d.mp4</Key><VersionId>d1</VersionId><IsLatest>true</IsLatest>
    <LastModified>2026-01-04T00:00:00.000Z</LastModified></DeleteMarker>
</ListVersionsResult>";
const LAST: &str = "<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>";

#[tokio::test]
async fn of_a_versioned_bucket_every_version_is_listed_and_pages_may_end_in_mid_key() {
    let (listing, recorded) = listing(&[FIRST, SECOND, LAST]);
    let page = listing.objects("input/", None, true).await.unwrap();
    let found: Vec<_> = page
        .entries
        .iter()
        .map(|listed| {
            (
                listed.key.as_str(),
                listed.version.as_deref(),
                listed.latest,
                listed.etag.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("input/a.mp4", Some("a2"), true, "e2"),
            // From before there were versions: its id follows from the ETag.
            ("input/a.mp4", None, false, "e1"),
            // Removed, and still to be accounted for.
            ("input/b.mp4", Some("b1"), false, "e3"),
            ("input/c.mp4", Some("c2"), true, "e5"),
        ]
    );
    let place = page.next.unwrap();
    assert_eq!(
        (place.key.as_str(), place.version.as_deref()),
        ("input/c.mp4", Some("c2"))
    );

    let page = listing.objects("input/", Some(&place), true).await.unwrap();
    assert!(page.entries.is_empty());
    let place = page.next.unwrap();
    assert!(
        listing
            .objects("input/", Some(&place), true)
            .await
            .unwrap()
            .next
            .is_none()
    );
    let asked = recorded.asked.lock().unwrap();
    assert!(!asked[0].contains("marker"), "{asked:?}");
    for (uri, marker) in asked[1..].iter().zip(["c.mp4&", "d.mp4&"]) {
        assert!(
            uri.contains("versions") && uri.contains(&format!("key-marker=input%2F{marker}")),
            "{uri}"
        );
    }
    assert!(asked[1].contains("version-id-marker=c2") && asked[2].contains("version-id-marker=d1"));
}

#[tokio::test]
async fn suspended_versioning_is_versioning() {
    for (status, expected) in [("Enabled", true), ("Suspended", true), ("", false)] {
        let answer: &'static str = match status {
            "" => "<VersioningConfiguration/>",
            "Enabled" => "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
            _ => "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        };
        let (listing, _) = listing(&[answer]);
        assert_eq!(listing.is_versioned().await.unwrap(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_place_without_a_version_begins_after_its_key() {
    let (listing, recorded) = listing(&[LAST]);
    let place = Place {
        key: "input/a.mp4".into(),
        version: None,
    };
    listing.objects("input/", Some(&place), true).await.unwrap();
    assert!(!recorded.asked.lock().unwrap()[0].contains("version-id-marker"));
}
