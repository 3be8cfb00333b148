//! Addresses of objects.

/// The address of an object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Name of the bucket.
    pub bucket: String,
    /// Key of the object.
    pub key: String,
}

impl Location {
    /// Reads `s3://bucket/key`. Returns `None` for anything else.
    pub fn parse(url: &str) -> Option<Self> {
        let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
        let complete = !bucket.is_empty() && !key.is_empty();
        complete.then(|| Self {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        })
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let location = |bucket: &str, key: &str| {
            Some(Location {
                bucket: bucket.into(),
                key: key.into(),
            })
        };
        let table = [
            ("s3://b/input/a b.mp4", location("b", "input/a b.mp4")),
            ("s3://b//x", location("b", "/x")),
            ("s3://b/", None),
            ("s3://b", None),
            ("s3:///k", None),
            ("https://b/k", None),
        ];
        for (url, expected) in table {
            assert_eq!(Location::parse(url), expected, "{url}");
            assert_eq!(expected.map_or(url.to_owned(), |found| found.to_string()), url);
        }
    }
}
