//! The cache of the edge: small whole objects and, for seconds, errors; in memory, bounded.
//!
//! The key is the path alone, decoded: never the query, so that a signature neither splits the cache nor is kept in
//! it. As at CloudFront, what is in the cache stays until its time is over or until it is invalidated.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use lru::LruCache;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Largest object that is kept, in bytes: a segment of ten seconds at 6 Mbit/s.
pub(super) const ENTRY_MAX: u64 = 8 << 20;
/// Bytes in all.
const TOTAL_MAX: u64 = 256 << 20;
/// Objects that are fetched at one time in order to be kept: bounds the memory that is not counted yet.
const FILLS: usize = 8;
/// How long an object is kept whose origin says nothing, in seconds: 24 hours, as in the managed policy
/// `CachingOptimized`.
const TTL_DEFAULT: i64 = 86_400;
/// The longest that an origin can ask for: a year.
const TTL_MAX: i64 = 31_536_000;

/// The directives with which an answer is not kept.
const UNCACHED: [&str; 3] = ["no-store", "no-cache", "private"];

/// How long a 404 or 414 is kept at least, in seconds: CloudFront's default for the error caching minimum TTL.
const ERROR_TTL: i64 = 10;
/// The same for 500 to 504, as the template sets it: the key has no query, so one viewer's 502 would answer all others.
const SERVER_ERROR_TTL: i64 = 0;

/// The cache of one edge. Cheap to clone; all clones are one cache.
#[derive(Clone)]
pub struct Cache(Arc<Shared>);

struct Shared {
    kept: Mutex<Kept>,
    /// Counts invalidations, so that what was fetched before one is not kept after it.
    generation: AtomicU64,
    fills: Semaphore,
}

struct Kept {
    entries: LruCache<String, Arc<Entry>>,
    bytes: u64,
}

/// One object, or one error, as an origin gave it.
pub(super) struct Entry {
    /// 200, or that of an error.
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// When it was fetched and when it is stale, in seconds since the epoch.
    pub(super) fetched: i64,
    pub(super) stale: i64,
    /// The same compressed, after the first request for it.
    pub(super) gzip: OnceLock<Bytes>,
}

/// The right to fetch an object and to keep it, if nothing is invalidated meanwhile.
pub(super) struct Fill<'a> {
    cache: &'a Shared,
    generation: u64,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self(Arc::new(Shared {
            kept: Mutex::new(Kept {
                entries: LruCache::unbounded(),
                bytes: 0,
            }),
            generation: AtomicU64::new(0),
            fills: Semaphore::new(FILLS),
        }))
    }
}

impl Cache {
    /// What is kept under `path` and not stale.
    pub(super) fn get(&self, path: &str, now: i64) -> Option<Arc<Entry>> {
        let mut kept = self.0.kept();
        let entry = kept.entries.get(path)?;
        if now < entry.stale {
            return Some(entry.clone());
        }
        kept.remove(path);
        None
    }

    /// Waits for its turn to fetch.
    pub(super) async fn fill(&self) -> Fill<'_> {
        Fill {
            // The semaphore is never closed.
            _permit: self.0.fills.acquire().await.ok(),
            generation: self.0.generation.load(Ordering::Acquire),
            cache: &self.0,
        }
    }

    /// Forgets what fits one of `patterns`: paths, decoded, that may end in `*`.
    pub fn invalidate(&self, patterns: &[String]) {
        let mut kept = self.0.kept();
        self.0.generation.fetch_add(1, Ordering::AcqRel);
        let fits = |path: &str| {
            patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => path.starts_with(prefix),
                None => path == pattern,
            })
        };
        let gone: Vec<String> = kept
            .entries
            .iter()
            .filter(|(path, _)| fits(path))
            .map(|(path, _)| path.clone())
            .collect();
        for path in gone {
            kept.remove(&path);
        }
    }
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half way, so what a panic elsewhere left is sound.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fill<'_> {
    /// Keeps `entry`, unless it must not be, and makes room for it.
    pub(super) fn keep(&self, path: &str, entry: &Arc<Entry>) {
        let mut kept = self.cache.kept();
        if self.generation != self.cache.generation.load(Ordering::Acquire) || entry.stale <= entry.fetched {
            return;
        }
        kept.remove(path);
        kept.bytes += entry.size(path);
        kept.entries.put(path.to_owned(), entry.clone());
        while kept.bytes > TOTAL_MAX {
            let Some((path, entry)) = kept.entries.pop_lru() else {
                break;
            };
            kept.bytes -= entry.size(&path);
        }
    }
}

impl Kept {
    fn remove(&mut self, path: &str) {
        if let Some(entry) = self.entries.pop(path) {
            self.bytes -= entry.size(path);
        }
    }
}

impl Entry {
    /// An answer of now, with the headers as the origin sent them.
    pub(super) fn new(headers: HeaderMap, body: Bytes, origin_says: Option<&str>, now: i64) -> Self {
        Self {
            status: StatusCode::OK,
            headers,
            body,
            fetched: now,
            stale: now + ttl(origin_says),
            gzip: OnceLock::new(),
        }
    }

    /// An error of now, for so many seconds.
    pub(super) fn error(status: StatusCode, headers: HeaderMap, body: Bytes, seconds: i64, now: i64) -> Self {
        Self {
            status,
            stale: now + seconds,
            ..Self::new(headers, body, None, now)
        }
    }

    /// What it counts for: twice the body, because a compressed one may come to it, and its names.
    fn size(&self, path: &str) -> u64 {
        let headers: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        let body = if self.body.len() < 1 << 20 {
            2 * self.body.len()
        } else {
            self.body.len()
        };
        (body + headers + path.len() + 256) as u64
    }
}

/// Seconds for which an answer with this `Cache-Control` may be kept; 0 is not at all.
fn ttl(cache_control: Option<&str>) -> i64 {
    let (mut seconds, mut shared) = (TTL_DEFAULT, None);
    for directive in cache_control.unwrap_or_default().split(',') {
        let directive = directive.trim().to_ascii_lowercase();
        let number = |text: &str| text.trim_matches('"').parse::<i64>().unwrap_or(0);
        match directive.split_once('=') {
            Some(("max-age", text)) => seconds = number(text),
            Some(("s-maxage", text)) => shared = Some(number(text)),
            _ if UNCACHED.contains(&directive.as_str()) => return 0,
            _ => {}
        }
    }
    shared.unwrap_or(seconds).clamp(0, TTL_MAX)
}

/// Seconds for which an error with this `Cache-Control` is kept, as the developer guide has it ("Control how long CloudFront
/// caches errors"): `no-store` counts for 404, 414 and 501 alone. `None` is not at all.
pub(super) fn error_ttl(status: StatusCode, cache_control: Option<&str>) -> Option<i64> {
    let says = cache_control.unwrap_or_default().to_ascii_lowercase();
    let forbids = UNCACHED.iter().any(|word| says.contains(word));
    let asked = says.contains("max-age") || says.contains("s-maxage");
    let at_least = match status.as_u16() {
        404 | 414 | 501 if forbids => return None,
        404 | 414 => ERROR_TTL,
        500..=504 => SERVER_ERROR_TTL,
        400 | 403 | 405 | 412 | 415 if asked && !forbids => ERROR_TTL,
        _ => return None,
    };
    let seconds = if asked { ttl(cache_control) } else { 0 };
    Some(seconds.max(at_least)).filter(|seconds| *seconds > 0)
}

/// What an origin says of caching.
pub(super) fn cache_control(headers: &HeaderMap) -> Option<&str> {
    headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(bytes: usize, cache_control: Option<&str>) -> Arc<Entry> {
        Arc::new(Entry::new(
            HeaderMap::new(),
            Bytes::from(vec![0; bytes]),
            cache_control,
            100,
        ))
    }

    async fn keep(cache: &Cache, path: &str, entry: &Arc<Entry>) {
        cache.fill().await.keep(path, entry);
    }

    #[test]
    fn times_to_live() {
        for (cache_control, seconds) in [
            (None, 86_400),
            (Some(""), 86_400),
            (Some("public, max-age=60"), 60),
            (Some("max-age=60, s-maxage=5"), 5),
            (Some("Max-Age=\"7\""), 7),
            (Some("max-age=99999999999"), 31_536_000),
            (Some("max-age=0"), 0),
            (Some("max-age=soon"), 0),
            (Some("max-age=-1"), 0),
            (Some("private, max-age=60"), 0),
            (Some("no-cache"), 0),
            (Some("no-store"), 0),
        ] {
            assert_eq!(ttl(cache_control), seconds, "{cache_control:?}");
        }
    }

    #[test]
    fn times_of_errors() {
        for (status, cache_control, seconds) in [
            (404, None, Some(10)),
            (404, Some("max-age=3"), Some(10)),
            (404, Some("public, max-age=60"), Some(60)),
            (404, Some("no-store"), None),
            (501, Some("private"), None),
            (503, Some("no-store"), None),
            (500, None, None),
            (504, None, None),
            (502, Some("max-age=3"), Some(3)),
            (501, None, None),
            (403, None, None),
            (403, Some("max-age=60"), Some(60)),
            (412, None, None),
            (416, Some("max-age=60"), None),
            (429, None, None),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                error_ttl(status, cache_control),
                seconds,
                "{status} {cache_control:?}"
            );
        }
    }

    #[tokio::test]
    async fn it_is_bounded_and_the_oldest_go_first() {
        let cache = Cache::default();
        for index in 0..40 {
            keep(&cache, &format!("{index}"), &entry(8 << 20, None)).await;
            assert!(cache.get("0", 100).is_some() || index > 0);
            assert!(cache.0.kept().bytes <= TOTAL_MAX);
        }
        // The first was used again and again.
        assert!(cache.get("0", 100).is_some() && cache.get("1", 100).is_none());
        cache.invalidate(&["*".to_owned()]);
        let kept = cache.0.kept();
        assert_eq!((kept.bytes, kept.entries.len()), (0, 0));
    }

    #[tokio::test]
    async fn stale_and_uncacheable_responses_are_not_kept() {
        let cache = Cache::default();
        keep(&cache, "a", &entry(1, Some("max-age=5"))).await;
        assert!(cache.get("a", 104).is_some());
        assert!(cache.get("a", 105).is_none());
        keep(&cache, "b", &entry(1, Some("private"))).await;
        assert!(cache.get("b", 100).is_none());
    }

    #[tokio::test]
    async fn an_invalidation_reaches_what_is_on_its_way() {
        let cache = Cache::default();
        for path in ["output/a/1.ts", "output/a/2.ts", "output/b/1.ts"] {
            keep(&cache, path, &entry(1, None)).await;
        }
        let fill = cache.fill().await;
        cache.invalidate(&["output/a/*".to_owned(), "output/b".to_owned()]);
        fill.keep("output/a/1.ts", &entry(1, None));
        assert!(cache.get("output/a/1.ts", 100).is_none());
        assert!(cache.get("output/a/2.ts", 100).is_none());
        assert!(cache.get("output/b/1.ts", 100).is_some());
    }
}
