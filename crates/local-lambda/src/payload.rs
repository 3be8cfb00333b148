//! HTTP to Lambda's payload format 2.0 and back
//! (docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads).

use axum::body::Body;
use axum::response::Response;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use local_base::ACCOUNT;
use local_base::sigv4::Keys;
use serde_json::{Map, Value, json};
use vod_ids as ids;

/// Whose signature let the request in, and for which function.
pub(super) struct Caller<'a> {
    pub(super) function: &'a str,
    pub(super) keys: &'a Keys,
}

/// The event for a request; `path` is the still encoded path below the Function URL.
pub(super) fn event(caller: &Caller<'_>, parts: &Parts, path: &str, body: &[u8]) -> Value {
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers),
        "requestContext": request_context(caller, parts, path),
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = cookies.into();
    }
    let parameters = query_parameters(query);
    if !parameters.is_empty() {
        event["queryStringParameters"] = parameters.into();
    }
    if !body.is_empty() {
        let (text, encoded) = encode_body(&parts.headers, body);
        event["body"] = text.into();
        event["isBase64Encoded"] = encoded.into();
    }
    event
}

fn request_context(caller: &Caller<'_>, parts: &Parts, path: &str) -> Value {
    let now = Timestamp::now();
    let (name, keys) = (caller.function, caller.keys);
    let user_agent = first(&parts.headers, "user-agent").unwrap_or_default();
    let source_ip = first(&parts.headers, "x-forwarded-for").and_then(|list| list.split(',').next());
    json!({
        "accountId": ACCOUNT,
        "apiId": name,
        "authorizer": { "iam": {
            "accessKey": keys.access_key,
            "accountId": ACCOUNT,
            "callerId": keys.access_key,
            "cognitoIdentity": null,
            "principalOrgId": null,
            "userArn": format!("arn:aws:iam::{ACCOUNT}:user/{}", keys.access_key),
            "userId": keys.access_key,
        }},
        "domainName": format!("{name}.lambda-url.{}.on.aws", keys.region),
        "domainPrefix": name,
        "http": {
            "method": parts.method.as_str(),
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": source_ip.unwrap_or("127.0.0.1").trim(),
            "userAgent": user_agent,
        },
        "requestId": ids::uuid(),
        "routeKey": "$default",
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": now.as_millisecond(),
    })
}

/// Names in lower case, repeated ones joined by a comma. Cookies have their own member, and the caller's
/// signature is Lambda's business, not the function's.
fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let mut map = Map::new();
    for name in headers
        .keys()
        .filter(|name| **name != header::COOKIE && **name != header::AUTHORIZATION)
    {
        let values: Vec<_> = headers
            .get_all(name)
            .iter()
            .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
            .collect();
        map.insert(name.as_str().to_owned(), values.join(",").into());
    }
    map
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    lines
        .flat_map(|line| line.split(';'))
        .map(|c| c.trim().to_owned())
        .filter(|c| !c.is_empty())
        .collect()
}

fn query_parameters(query: &str) -> Map<String, Value> {
    let mut map = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let joined = match map.get(name.as_ref()).and_then(Value::as_str) {
            Some(earlier) => format!("{earlier},{value}"),
            None => value.into_owned(),
        };
        map.insert(name.into_owned(), joined.into());
    }
    map
}

/// Text stays text, anything else becomes Base64.
fn encode_body(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    let kind = first(headers, "content-type").unwrap_or_default();
    let textual = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml");
    match std::str::from_utf8(body) {
        Ok(text) if textual => (text.to_owned(), false),
        _ => (BASE64_STANDARD.encode(body), true),
    }
}

/// The HTTP answer that a function's JSON describes, or `None` where Lambda would call it malformed.
pub(super) fn response(answer: &Value) -> Option<Response> {
    // Without a status code the whole JSON is the body (format 2.0's inference).
    let Some(status) = answer["statusCode"].as_u64() else {
        let body = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        return Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .ok();
    };
    let mut response = Response::new(Body::from(decode_body(answer)?));
    *response.status_mut() = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let target = response.headers_mut();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        target.insert(
            HeaderName::try_from(name).ok()?,
            HeaderValue::try_from(text).ok()?,
        );
    }
    for cookie in answer["cookies"].as_array().into_iter().flatten() {
        target.append(header::SET_COOKIE, HeaderValue::try_from(cookie.as_str()?).ok()?);
    }
    // The server states the length of what it sends, not of what the function had in mind.
    target.remove(header::CONTENT_LENGTH);
    target
        .entry(header::CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    Some(response)
}

fn decode_body(answer: &Value) -> Option<Vec<u8>> {
    let body = answer["body"].as_str().unwrap_or_default();
    if answer["isBase64Encoded"] == true {
        BASE64_STANDARD.decode(body).ok()
    } else {
        Some(body.as_bytes().to_vec())
    }
}

fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
