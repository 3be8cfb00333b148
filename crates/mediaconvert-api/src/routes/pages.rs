//! Pages of queues, job templates and presets.

use std::collections::HashMap;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use crate::{Resource, ServiceError};

/// The most of a page, and the default.
pub(super) const PAGE: usize = 20;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListBy {
    Name,
    CreationDate,
    /// AWS's own, by name.
    System,
}

impl ListBy {
    /// Reads `listBy`. API reference: "If you don't specify, the service will list them by name."
    pub(super) fn parse(query: &HashMap<String, String>, system: bool) -> Result<Self, ServiceError> {
        match query.get("listBy").map(String::as_str) {
            None | Some("NAME") => Ok(Self::Name),
            Some("CREATION_DATE") => Ok(Self::CreationDate),
            Some("SYSTEM") if system => Ok(Self::System),
            Some(other) => Err(ServiceError::BadRequest(format!(
                "/listBy: {other} is not an order of this list"
            ))),
        }
    }

    /// The sort key of a resource: for names, the time is always 0.
    fn key(self, resource: &Resource) -> (i64, &str) {
        let time = match self {
            Self::CreationDate => resource.created_at(),
            Self::Name | Self::System => 0,
        };
        (time, &resource.name)
    }
}

/// One page of resources, and the token of the next.
pub(super) fn page(
    mut all: Vec<Resource>,
    by: ListBy,
    query: &HashMap<String, String>,
) -> Result<(Vec<Resource>, Option<String>), ServiceError> {
    let ascending = ascending(query)?.unwrap_or(by != ListBy::CreationDate);
    all.sort_by(|a, b| by.key(a).cmp(&by.key(b)));
    if !ascending {
        all.reverse();
    }
    if let Some(token) = query.get("nextToken") {
        let (time, name) = read(token)?;
        let last = (time, name.as_str());
        all.retain(|resource| {
            let key = by.key(resource);
            if ascending { key > last } else { key < last }
        });
    }
    let limit = limit(query)?;
    let more = all.len() > limit;
    all.truncate(limit);
    let next = all.last().filter(|_| more).map(|last| token(by.key(last)));
    Ok((all, next))
}

/// The body of a page.
pub(super) fn body(member: &str, items: &Value, next: Option<String>) -> Value {
    let mut body = json!({ member: items });
    if let Some(next) = next {
        body["nextToken"] = next.into();
    }
    body
}

/// Reads `order`. `None`: the list's own default.
pub(super) fn ascending(query: &HashMap<String, String>) -> Result<Option<bool>, ServiceError> {
    match query.get("order").map(String::as_str) {
        Some("ASCENDING") => Ok(Some(true)),
        Some("DESCENDING") => Ok(Some(false)),
        None => Ok(None),
        Some(other) => Err(ServiceError::BadRequest(format!(
            "/order: {other} is not an order"
        ))),
    }
}

/// Reads `maxResults`.
pub(super) fn limit(query: &HashMap<String, String>) -> Result<usize, ServiceError> {
    match query.get("maxResults").map(|text| text.parse()) {
        None => Ok(PAGE),
        Some(Ok(limit)) if (1..=PAGE).contains(&limit) => Ok(limit),
        Some(_) => Err(ServiceError::BadRequest(format!(
            "/maxResults: Should be between 1 and {PAGE}"
        ))),
    }
}

fn token((time, name): (i64, &str)) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!([time, name]).to_string())
}

fn read(token: &str) -> Result<(i64, String), ServiceError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(not_a_token)
}

pub(super) fn not_a_token() -> ServiceError {
    ServiceError::BadRequest("/nextToken: The token is not one of a list".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(name: &str, time: i64) -> Resource {
        Resource {
            name: name.to_owned(),
            body: json!({ "createdAt": time }),
            tags: std::collections::BTreeMap::new(),
        }
    }

    fn names(by: ListBy, order: &str) -> Vec<String> {
        let mut all = vec![resource("b", 1), resource("c", 1), resource("a", 2)];
        let mut query: HashMap<String, String> = [("maxResults", "1")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .into();
        if !order.is_empty() {
            query.insert("order".to_owned(), order.to_owned());
        }
        let mut found = Vec::new();
        loop {
            let (page, next) = page(all.clone(), by, &query).unwrap();
            found.extend(page.into_iter().map(|resource| resource.name));
            let Some(next) = next else { return found };
            query.insert("nextToken".to_owned(), next);
            // One that is removed meanwhile shifts nothing.
            all.retain(|resource| found.last() != Some(&resource.name));
        }
    }

    #[test]
    fn orders() {
        assert_eq!(names(ListBy::Name, ""), ["a", "b", "c"]);
        assert_eq!(names(ListBy::Name, "DESCENDING"), ["c", "b", "a"]);
        assert_eq!(names(ListBy::CreationDate, "ASCENDING"), ["b", "c", "a"]);
        assert_eq!(names(ListBy::CreationDate, ""), ["a", "c", "b"]);
    }

    #[test]
    fn bad_parameters() {
        for (name, value) in [
            ("order", "UP"),
            ("maxResults", "0"),
            ("maxResults", "21"),
            ("nextToken", "MTIz"),
            ("nextToken", "!"),
        ] {
            let query = [(name.to_owned(), value.to_owned())].into();
            assert!(page(Vec::new(), ListBy::Name, &query).is_err(), "{name}={value}");
        }
    }
}
