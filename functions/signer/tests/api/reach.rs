//! A token that is limited to some assets learns nothing of the others: neither by what a page says, nor by what is read
//! for it and so by how long it takes.

use serde_json::{Value, json};
use vod_core::asset::AssetId;

use crate::world::{World, everything, token};

fn id(key: &str) -> String {
    AssetId::new("vod", key, None, "1").to_string()
}

fn limited(assets: &Value) -> String {
    token(&json!({"scope": "playback library", "assets": assets}))
}

/// The pages of the list, by their `next`.
async fn pages(world: &World, authorization: &str, limit: usize) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let next = pages.last().map(|page| page["next"].as_str().unwrap());
        let after = next.map(|next| format!("&after={next}")).unwrap_or_default();
        let path = format!("/api/assets?limit={limit}{after}");
        let answer = world.get(&path, authorization).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        pages.push(answer.json());
        assert!(pages.len() < 100, "the pages never end");
        if pages.last().unwrap().get("next").is_none() {
            return pages;
        }
    }
}

fn ids(page: &Value) -> Vec<&str> {
    let assets = page["assets"].as_array().unwrap();
    assets.iter().map(|asset| asset["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_are_full_of_what_the_token_covers_and_name_nothing_else() {
    let world = World::among(&["input/a.mp4", "input/b.mp4", "input/my-film-2.mp4", "input/z.mp4"]).await;
    let (a, z) = (id("input/a.mp4"), id("input/z.mp4"));
    for assets in [json!([z, a]), json!([a, "z-*"]), json!(["*-z*", "z-*", a])] {
        let pages = pages(&world, &limited(&assets), 1).await;
        let found: Vec<_> = pages.iter().map(ids).collect();
        assert_eq!(found, [[a.as_str()], [z.as_str()]], "{assets}");
        let next = pages[0]["next"].as_str().unwrap();
        assert!(
            next.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{next}"
        );
    }
    for nothing in [
        json!([]),
        json!([""]),
        json!(["none-*"]),
        json!(["\u{e9}*"]),
        json!(["x".repeat(2_000)]),
    ] {
        assert_eq!(
            pages(&world, &limited(&nothing), 1).await,
            [json!({"assets": []})]
        );
    }
    let all = pages(&world, &everything(), 3).await;
    assert_eq!(
        all.iter().map(|page| ids(page).len()).collect::<Vec<_>>(),
        [3, 3, 1]
    );
}

#[tokio::test]
async fn assets_outside_a_token_are_not_read() {
    let world = World::among(&["input/a.mp4", "input/other.mp4"]).await;
    let own = id("input/a.mp4");
    let (exact, behind) = (
        limited(&json!([own])),
        limited(&json!([format!("*{}", &own[1..])])),
    );
    for path in ["/api/playback?source=", "/api/assets?source="] {
        for (authorization, lists) in [(&exact, 0), (&behind, 1)] {
            world.calls();
            let hidden = world.get(&format!("{path}input/other.mp4"), authorization).await;
            let of_hidden = world.calls();
            let none = world.get(&format!("{path}input/none.mp4"), authorization).await;
            let of_none = world.calls();
            assert_eq!((hidden.status, hidden.text()), (none.status, none.text()));
            let only_lists = |calls: &[String]| calls.iter().all(|call| call.starts_with("LIST"));
            assert!(
                only_lists(&of_hidden) && only_lists(&of_none),
                "{of_hidden:?} {of_none:?}"
            );
            assert_eq!((of_hidden.len(), of_none.len()), (lists, lists), "{path}");
        }
    }
    world.calls();
    assert_eq!(pages(&world, &exact, 50).await.len(), 1);
    assert_eq!(
        world.calls(),
        [format!("LIST catalog/{own}"), format!("GET catalog/{own}.json")]
    );
}

/// A request makes a limited number of calls; the next one goes on from there, and still says nothing.
#[tokio::test]
async fn a_token_with_many_patterns_is_served_in_several_pages() {
    let world = World::among(&["input/z.mp4"]).await;
    let z = id("input/z.mp4");
    let mut assets: Vec<_> = (100..180).map(|n| format!("film-{n}-*")).collect();
    assets.push(z.clone());
    let pages = pages(&world, &limited(&json!(assets)), 10).await;
    assert_eq!(
        pages.iter().map(ids).collect::<Vec<_>>(),
        [vec![], vec![z.as_str()]]
    );
    let next = pages[0]["next"].as_str().unwrap();
    assert!(!next.contains("film"), "{next}");
}
