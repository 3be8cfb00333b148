//! The records by time: the newest first, page by page, filtered.

use serde_json::{Value, json};
use vod_core::asset::AssetId;

use crate::world::{World, everything, token};

fn id(key: &str) -> String {
    AssetId::new("vod", key, None, "1").to_string()
}

/// The ids on each page, by their `next`.
async fn pages(world: &World, authorization: &str, query: &str) -> Vec<Vec<String>> {
    let (mut pages, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/assets?order=newest{query}{after}");
        let answer = world.get(&path, authorization).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let page: Value = answer.json();
        let assets = page["assets"].as_array().unwrap();
        let ids = assets
            .iter()
            .map(|asset| asset["id"].as_str().unwrap().to_owned());
        pages.push(ids.collect());
        let Some(next) = page["next"].as_str() else {
            return pages;
        };
        after = format!("&after={next}");
        assert!(pages.len() < 20, "the pages never end");
    }
}

#[tokio::test]
async fn the_newest_come_first_and_pages_join() {
    let keys = ["input/c.mp4", "input/a.mp4", "input/b.mp4"];
    let world = World::among(&keys).await;
    let newest: Vec<_> = keys.iter().rev().map(|key| id(key)).collect();
    let all = pages(&world, &everything(), "").await.concat();
    assert_eq!((all.len(), &all[..3]), (6, &newest[..]));
    for limit in [1, 2, 5, 6, 100] {
        let pages = pages(&world, &everything(), &format!("&limit={limit}")).await;
        assert_eq!(pages.concat(), all, "{limit}");
        assert!(pages.iter().all(|page| page.len() <= limit), "{pages:?}");
    }
}

#[tokio::test]
async fn filters_choose_records() {
    let world = World::among(&["input/a.mp4", "input/B\u{e9}.mp4"]).await;
    let (a, b) = (id("input/a.mp4"), id("input/B\u{e9}.mp4"));
    for (query, expected) in [
        ("&since=2026-01-01T00:00:01Z", vec![&b]),
        ("&since=2026-01-01T00:00:00Z", vec![&b, &a]),
        ("&since=2026-01-01T00:00:02Z", vec![]),
        ("&state=PROGRESSING", vec![&world.running]),
        ("&state=ERROR", vec![]),
        ("&source=input/a.mp4", vec![&a]),
        ("&source=input/none.mp4", vec![]),
        ("&q=be%CC%81.MP4", vec![&b]),
        ("&q=Input/A", vec![&a]),
        ("&q=input/a&state=ERROR", vec![]),
        ("&q=input/a&since=2026-01-01T00:00:01Z", vec![]),
    ] {
        let found = pages(&world, &everything(), query).await.concat();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
    }
    // A page that looks for one record ends at the first that fits.
    let found = pages(&world, &everything(), "&limit=1&state=COMPLETE").await;
    assert_eq!(found[..2], [vec![b], vec![a]]);
}

#[tokio::test]
async fn a_filter_means_the_order_by_time() {
    let world = World::among(&["input/b.mp4", "input/a.mp4"]).await;
    for query in ["q=input/", "since=2026-01-01T00:00:00Z", "state=COMPLETE"] {
        let answer = world
            .get(&format!("/api/assets?{query}"), &everything())
            .await
            .json();
        assert_eq!(answer["assets"][0]["id"], id("input/a.mp4"), "{query}");
    }
}

#[tokio::test]
async fn a_limited_token_sees_its_own_in_order() {
    let world = World::among(&["input/a.mp4", "input/other.mp4", "input/z.mp4"]).await;
    let (a, z) = (id("input/a.mp4"), id("input/z.mp4"));
    let limited = token(&json!({"scope": "library", "assets": [a, "z-*"]}));
    world.calls();
    assert_eq!(
        pages(&world, &limited, "&limit=1").await.concat(),
        [z.clone(), a.clone()]
    );
    let read: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("GET"))
        .collect();
    assert_eq!(
        read,
        [format!("GET catalog/{z}.json"), format!("GET catalog/{a}.json")]
    );
}

#[tokio::test]
async fn a_listing_that_makes_no_sense_is_refused() {
    let world = World::among(&["input/a.mp4"]).await;
    let by_id = world.get("/api/assets?limit=1", &everything()).await.json();
    let of_ids = format!("order=newest&after={}", by_id["next"].as_str().unwrap());
    let by_time = world
        .get("/api/assets?order=newest&limit=1", &everything())
        .await
        .json();
    let of_times = format!("after={}", by_time["next"].as_str().unwrap());
    let long = format!("order=newest&q={}", "x".repeat(201));
    for query in [
        "order=oldest",
        "order=newest&since=yesterday",
        "order=newest&state=done",
        "order=newest&source=",
        &long,
        &of_ids,
        &of_times,
    ] {
        let answer = world.get(&format!("/api/assets?{query}"), &everything()).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
}
