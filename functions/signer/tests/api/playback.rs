//! `/api/…`: contract, tokens, bad input.

use serde_json::json;
use vod_core::cloudfront::{self, Request};

use crate::world::{HOST, NOW, World, everything, request, token};

#[tokio::test]
async fn the_body_is_the_contract() {
    let world = World::new().await;
    let film = &world.film;
    let answer = world
        .get(
            &format!("/api/playback?asset={film}&ttl_seconds=60"),
            &everything(),
        )
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json");

    let body = answer.json();
    let cookies = body["cookies"].as_object().unwrap();
    let query = ["Policy", "Signature", "Key-Pair-Id", "Hash-Algorithm"]
        .map(|name| {
            format!(
                "{name}={}",
                cookies[&format!("CloudFront-{name}")].as_str().unwrap()
            )
        })
        .join("&");
    let grant = world.grant("").await.len();
    let hls = body["hls"].as_str().unwrap();
    let token = hls.split('/').nth(4).unwrap();
    assert!(token.len().abs_diff(grant) < 8);
    let base = format!("http://{HOST}/output/{film}/default");
    let play = format!("http://{HOST}/play/{token}/{film}/default");
    assert_eq!(
        body,
        json!({"asset": film, "expires_at": "2026-01-01T00:01:00Z",
            "hls": format!("{play}/hls/video.m3u8"),
            "dash": format!("{play}/cmaf/video.mpd"),
            "mp4": [{"url": format!("{base}/mp4/video.mp4?{query}"), "width": 1280, "height": 720}],
            "poster": format!("{base}/thumbnails/video.0000001.jpg?{query}"),
            "thumbnails": format!("{play}/thumbnails/video.vtt"), "cookies": cookies})
    );

    let set: Vec<_> = answer
        .headers
        .get_all("set-cookie")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    let attributes = format!("; Path=/output/{film}/; Secure; HttpOnly; SameSite=Lax");
    assert_eq!(set.len(), 4);
    for cookie in set {
        let (name, value) = cookie.strip_suffix(&attributes).unwrap().split_once('=').unwrap();
        assert_eq!(cookies[name], value);
    }
}

#[tokio::test]
async fn links_are_for_one_asset_and_one_host_and_end_in_time() {
    let world = World::new().await;
    let path = format!("/api/playback?asset={}&ttl_seconds=60&ip=192.0.2.7", world.film);
    let body = world.get(&path, &everything()).await.json();
    let url = body["mp4"][0]["url"].as_str().unwrap();
    let (path, query) = url
        .strip_prefix(&format!("http://{HOST}"))
        .unwrap()
        .split_once('?')
        .unwrap();
    let check = |host, path, now, address: &str| {
        let address = address.parse().ok();
        let request = Request {
            scheme: "http",
            host,
            path,
            query,
            cookies: "",
            address,
            now,
        };
        cloudfront::verify(world.keyring.public_keys(), &request).is_ok()
    };
    assert!(check(HOST, path, NOW + 59, "192.0.2.7"));
    assert!(!check(HOST, path, NOW + 60, "192.0.2.7"));
    assert!(!check(HOST, path, NOW, "192.0.2.8"));
    assert!(!check("other", path, NOW, "192.0.2.7"));
    assert!(!check(
        HOST,
        &path.replace(&world.film, &world.newer),
        NOW,
        "192.0.2.7"
    ));
}

#[tokio::test]
async fn a_source_means_its_newest_complete_version() {
    let world = World::new().await;
    for key in ["input/my%20film.mp4", "input/my+film.mp4"] {
        let answer = world
            .get(&format!("/api/playback?source={key}"), &everything())
            .await;
        assert_eq!(answer.json()["asset"], world.newer.as_str(), "{}", answer.text());
        // Six hours, as twice the duration is less.
        assert_eq!(answer.json()["expires_at"], "2026-01-01T06:00:00Z");
    }
    assert_eq!(
        world
            .get("/api/playback?source=input/none.mp4", &everything())
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn errors_name_their_parameter() {
    let world = World::new().await;
    let film = &world.film;
    for (query, status) in [
        (format!("asset={film}&ttl_seconds=1"), 200),
        (format!("asset={film}&ttl_seconds=604800"), 200),
        (format!("asset={film}&template=default"), 200),
        (format!("asset={film}&ip=10.0.0.0/8"), 200),
        (format!("asset={film}&unknown=1"), 200),
        (format!("asset={film}&ttl_seconds=0"), 400),
        (format!("asset={film}&ttl_seconds=-1"), 400),
        (format!("asset={film}&ttl_seconds=%2B1"), 400),
        (format!("asset={film}&ttl_seconds=604801"), 400),
        (format!("asset={film}&ttl_seconds=315360000"), 400),
        (format!("asset={film}&ttl_seconds=99999999999999999999"), 400),
        (format!("asset={film}&ttl_seconds=1.5"), 400),
        (format!("asset={film}&ttl_seconds="), 400),
        (format!("asset={film}&ip=x"), 400),
        (format!("asset={film}&ip=2001:db8::1"), 400),
        (format!("asset={film}&asset={film}"), 400),
        (format!("asset={film}&source=input/x"), 400),
        (String::new(), 400),
        (format!("asset={film}&template=other"), 404),
        ("asset=none-0123456789abcdef-01234567".to_owned(), 404),
        ("asset=../catalog".to_owned(), 404),
        ("asset=%00".to_owned(), 404),
        (format!("asset={}", world.running), 409),
    ] {
        let answer = world.get(&format!("/api/playback?{query}"), &everything()).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.text());
        if status != 200 {
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.json()["status"], status);
        }
        if status == 409 {
            assert_eq!(answer.json()["state"], "PROGRESSING");
        }
    }
}

#[tokio::test]
async fn tokens_are_required_and_limited() {
    let world = World::new().await;
    let playback = format!("/api/playback?asset={}", world.film);
    let show = format!("/api/assets/{}", world.film);
    let own = token(&json!({"scope": "playback library", "assets": [world.film]}));
    let none = token(&json!({"scope": "playback library", "assets": ["other-*"]}));
    let null = token(&json!({"scope": "playback library", "assets": null}));
    for (path, authorization, status) in [
        (playback.as_str(), "", 401),
        (&playback, "Bearer x", 401),
        (&playback, &token(&json!({"scope": "library"})), 403),
        (&show, &token(&json!({"scope": "playback"})), 403),
        (&show, &token(&json!({"scope": "admin"})), 200),
        (&playback, &own, 200),
        (&show, &own, 200),
        // What the token does not cover looks the same whether it exists or not.
        (&playback, &none, 403),
        ("/api/playback?asset=none-0123456789abcdef-01234567", &none, 403),
        ("/api/playback?source=input/none.mp4", &none, 403),
        ("/api/playback?source=input/my+film.mp4", &none, 403),
        ("/api/playback?source=input/my+film.mp4", &own, 200),
        (&show, &none, 403),
        // Not the same as no list.
        (&playback, &null, 401),
        (&show, &null, 401),
        ("/api/assets", &null, 401),
    ] {
        let answer = world.get(path, authorization).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert!(status != 401 || answer.header("www-authenticate").starts_with("Bearer"));
    }
    assert_eq!(
        world.get("/api/assets", &none).await.json(),
        json!({"assets": []})
    );
}

#[tokio::test]
async fn the_list_is_paged() {
    let world = World::new().await;
    let first = world.get("/api/assets?limit=2", &everything()).await.json();
    assert_eq!(first["assets"].as_array().unwrap().len(), 2);
    assert!(!first.to_string().contains("lease"));
    let next = first["next"].as_str().unwrap();
    let second = world
        .get(&format!("/api/assets?limit=2&after={next}"), &everything())
        .await
        .json();
    assert_eq!(second["assets"].as_array().unwrap().len(), 1);
    assert!(second.get("next").is_none());
    let of_source = world
        .get("/api/assets?source=input/my+film.mp4", &everything())
        .await
        .json();
    assert_eq!(of_source["assets"].as_array().unwrap().len(), 3);
    let other = world
        .get("/api/assets?source=input/other.mp4", &everything())
        .await
        .json();
    assert_eq!(other, json!({"assets": []}));
    let of_a_key = format!("after=catalog/{}.json", world.film);
    for wrong in [
        "after=",
        "after=%02",
        "after=a%20b",
        "after=%C3%A9",
        "after=AAAA",
        &of_a_key,
        "source=",
    ] {
        let answer = world.get(&format!("/api/assets?{wrong}"), &everything()).await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
    for limit in ["0", "101", "x", ""] {
        assert_eq!(
            world
                .get(&format!("/api/assets?limit={limit}"), &everything())
                .await
                .status,
            400
        );
    }
}

#[tokio::test]
async fn methods_paths_and_hosts() {
    let world = World::new().await;
    let playback = format!("/api/playback?asset={}", world.film);
    let head = world.send(request("HEAD", &playback, &everything())).await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    for path in ["/api/playback", "/api/assets", "/api/assets/x", "/play/x/y.m3u8"] {
        let answer = world.send(request("POST", path, &everything())).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, "GET,HEAD"),
            "{path}"
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for path in [
        "/",
        "/api",
        "/api/playback/",
        "/play",
        "/play/x",
        "/catalog/x.json",
        "/%2e%2e/x",
    ] {
        assert_eq!(world.get(path, &everything()).await.status, 404, "{path}");
    }
    for host in ["a b", "evil/x", "a\"b", "*", ""] {
        let mut request = request("GET", &playback, &everything());
        request
            .headers_mut()
            .insert("x-viewer-host", host.parse().unwrap());
        assert_eq!(world.send(request).await.status, 400, "{host}");
    }
}
