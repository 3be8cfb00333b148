use super::*;

const REGION: &str = "us-east-1";

fn parts(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder()
        .method(method)
        .uri(uri)
        .header("host", "h");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn by_header(scope: &str, signed: &str, headers: &[(&str, &str)]) -> Result<(), Refused> {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=vod/20261128/{scope}/aws4_request, SignedHeaders={signed}, Signature=00"
    );
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend(headers);
    check(&parts("PUT", "/vod/input/x", &all), REGION)
}

fn presigned(scope: &str, expires: &str, signed: &str, headers: &[(&str, &str)]) -> Result<(), Refused> {
    let signed = signed.replace(';', "%3B");
    let uri = format!(
        "/vod/input/x?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=vod%2F20261128%2F{scope}%2Faws4_request\
         &X-Amz-Date=20261128T000000Z&X-Amz-Expires={expires}&X-Amz-SignedHeaders={signed}&X-Amz-Signature=00"
    );
    check(&parts("PUT", &uri, headers), REGION)
}

fn unsigned(result: Result<(), Refused>) -> String {
    let refused = result.unwrap_err();
    assert_eq!(
        (refused.status, refused.code),
        (StatusCode::FORBIDDEN, "AccessDenied")
    );
    refused.detail.unwrap().1
}

#[test]
fn all_that_is_acted_on_must_be_signed() {
    let copy = ("x-amz-copy-source", "/vod/input/other");
    let hash = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let scope = "us-east-1/s3";
    assert_eq!(by_header(scope, "host;x-amz-content-sha256", &[hash]), Ok(()));
    assert_eq!(by_header(scope, "host;x-amz-copy-source", &[copy]), Ok(()));
    assert_eq!(
        by_header(
            scope,
            "host",
            &[("content-type", "video/mp4"), ("x-forwarded-for", "1")]
        ),
        Ok(())
    );
    for (signed, header, missing) in [
        ("host", hash, "x-amz-content-sha256"),
        ("host", copy, "x-amz-copy-source"),
        ("host;X-Amz-Copy-Source", copy, "x-amz-copy-source"),
        ("host;x-amz-copy-sourc", copy, "x-amz-copy-source"),
        ("host", ("X-Amz-Meta-A", ""), "x-amz-meta-a"),
        ("host", ("content-md5", "x"), "content-md5"),
        ("x-amz-copy-source", copy, "host"),
        ("x-amz-date", copy, "host, x-amz-copy-source"),
    ] {
        assert_eq!(unsigned(by_header(scope, signed, &[header])), missing, "{signed}");
    }

    let scope = "us-east-1%2Fs3";
    assert_eq!(presigned(scope, "604800", "host", &[hash]), Ok(()));
    assert_eq!(presigned(scope, "60", "host;x-amz-copy-source", &[copy]), Ok(()));
    for (signed, header, missing) in [
        ("host", copy, "x-amz-copy-source"),
        ("host", ("x-amz-acl", "private"), "x-amz-acl"),
        ("host", ("content-md5", "x"), "content-md5"),
        ("x-amz-acl", ("x-amz-acl", "private"), "host"),
    ] {
        assert_eq!(
            unsigned(presigned(scope, "60", signed, &[header])),
            missing,
            "{signed}"
        );
    }
}

#[test]
fn the_scope_and_the_time_of_a_signature_are_s3s() {
    for (scope, words) in [
        (
            "eu-west-1/s3",
            "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
        ),
        ("us-east-1/sts", "incorrect service \"sts\""),
        ("us-east-1", "slash-delimited"),
    ] {
        let refused = by_header(scope, "host", &[]).unwrap_err();
        assert_eq!(refused.code, "AuthorizationHeaderMalformed");
        assert!(refused.message.contains(words), "{}", refused.message);
    }
    for (scope, expires, words) in [
        ("eu-west-1%2Fs3", "60", "the region 'eu-west-1' is wrong"),
        ("us-east-1%2Fsts", "60", "incorrect service"),
        ("us-east-1", "60", "mal-formed"),
        ("us-east-1%2Fs3", "604801", "less than a week"),
        ("us-east-1%2Fs3", "-1", "should be a number"),
    ] {
        let refused = presigned(scope, expires, "host", &[]).unwrap_err();
        assert_eq!(
            (refused.status, refused.code),
            (StatusCode::BAD_REQUEST, "AuthorizationQueryParametersError")
        );
        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

#[test]
fn one_mechanism_and_that_is_version_4() {
    let v4 = "AWS4-HMAC-SHA256 Credential=vod/20261128/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00";
    for (uri, authorization, code) in [
        ("/vod/x?X-Amz-Signature=00", v4, "InvalidArgument"),
        ("/vod/x", "AWS vod:c2ln", "InvalidRequest"),
        (
            "/vod/x?AWSAccessKeyId=vod&Signature=x&Expires=9",
            "",
            "InvalidRequest",
        ),
        ("/vod/x", "Bearer token", "AuthorizationHeaderMalformed"),
        (
            "/vod/x?X-Amz-Signature=00",
            "",
            "AuthorizationQueryParametersError",
        ),
    ] {
        let header = [("authorization", authorization)];
        let headers = if authorization.is_empty() {
            &[][..]
        } else {
            &header[..]
        };
        assert_eq!(
            check(&parts("GET", uri, headers), REGION).unwrap_err().code,
            code,
            "{uri} {authorization}"
        );
    }
    let twice = [("authorization", v4), ("authorization", v4)];
    assert_eq!(
        check(&parts("GET", "/vod/x", &twice), REGION).unwrap_err().code,
        "InvalidArgument"
    );
    // Without any, s3s denies what is not public, and nothing is.
    assert_eq!(check(&parts("GET", "/vod/x", &[]), REGION), Ok(()));
}

#[test]
fn documents_are_limited_and_objects_are_not() {
    let long = ("content-length", "8388609");
    let chunked = ("transfer-encoding", "chunked");
    for (method, uri, header, code) in [
        ("POST", "/vod?delete", long, Some("MaxMessageLengthExceeded")),
        ("PUT", "/vod", long, Some("MaxMessageLengthExceeded")),
        ("POST", "/vod/x?uploadId=1", chunked, Some("MissingContentLength")),
        ("POST", "/vod?delete", ("content-length", "8388608"), None),
        ("PUT", "/vod/x", long, None),
        ("PUT", "/vod/x", chunked, None),
    ] {
        let found = check(&parts(method, uri, &[header]), REGION)
            .err()
            .map(|refused| refused.code);
        assert_eq!(found, code, "{method} {uri}");
    }
    let form = ("content-type", "Multipart/Form-Data; boundary=b");
    assert!(is_form(&parts("POST", "/vod", &[form])));
    assert!(!is_form(&parts("PUT", "/vod/x", &[form])));
    let refused = check(&parts("POST", "/vod", &[form, chunked]), REGION).unwrap_err();
    assert_eq!(refused.status, StatusCode::LENGTH_REQUIRED);
}
