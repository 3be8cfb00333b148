//! The log names the asset of a request, and holds nothing that gives access.

use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::world::{SECRET, World, everything};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn every_line_about_an_asset_names_it_and_opens_no_door() {
    let world = World::new().await;
    let grant = world.grant("").await;
    let log = Log::default();
    // As `vod_aws::init_logs`, but into memory.
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(true)
        .with_max_level(tracing::Level::INFO)
        .with_writer(move || writer.clone());
    let guard = tracing::subscriber::set_default(subscriber.finish());
    let film = &world.film;
    for path in [
        format!("/api/playback?asset={film}"),
        format!("/api/playback?asset={film}&ip=nonsense"),
        format!("/api/assets/{film}"),
        format!("/play/{grant}/{film}/default/hls/video.m3u8"),
        format!("/play/{grant}/{film}/default/hls/missing.m3u8"),
    ] {
        world.get(&path, &everything()).await;
    }
    drop(guard);
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.len() >= 5, "{text}");
    // Asked with a range that is none, it has not come to look for the film.
    let about = lines.iter().filter(|line| line["status"] != 400);
    for line in about {
        assert_eq!(line["spans"][0]["asset"], film.as_str(), "{line}");
    }
    let bearer = everything();
    let doors = [grant.as_str(), "Bearer", "Signature=", "PRIVATE KEY", SECRET];
    for door in doors
        .into_iter()
        .chain(bearer.trim_start_matches("Bearer ").split('.'))
    {
        assert!(!text.contains(door), "`{door}` is in {text}");
    }
}
