//! One test per attempt to get what one should not get, over real sockets: edge, signer and S3.
//!
//! Each says which answer it wants; [`refused`] also looks for what an answer must never hold.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use vod_core::cloudfront::{Policy, Signature, encoding, sign};
use vod_core::grant::Grant;

use super::testing::{Answer, NOW, PEMS, SECRET, World, keyring, token, token_with};

/// `attempt!(name, status "words of the answer", |world| what is tried)`
macro_rules! attempt {
    ($name:ident, $status:literal $words:literal, |$world:ident| $answer:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let $world = &World::new().await;
            let answer: Answer = $answer.await;
            refused(&answer, $status, $words);
        }
    };
}

/// The answer is a clear no, and holds nothing of ours.
#[track_caller]
fn refused(answer: &Answer, status: u16, words: &str) {
    let text = String::from_utf8_lossy(&answer.body);
    assert_eq!(answer.status, status, "{text}");
    assert!(text.contains(words), "`{words}` is not in: {text}");
    harmless(answer);
    let cacheable = answer.header("cache-control");
    assert!(
        matches!(cacheable, "" | "no-store" | "private, no-store"),
        "{cacheable}"
    );
}

#[track_caller]
fn harmless(answer: &Answer) {
    let text = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
    for leak in [
        SECRET,
        "BEGIN",
        "Signature=",
        "AWS4-HMAC",
        "x-amz-",
        "panicked",
        "src/",
        "/tmp",
        "SQL",
        "lease",
    ] {
        assert!(!text.contains(leak), "`{leak}` leaks: {text}");
    }
    // What lies in the outputs and behind them.
    for content in ["0123456789", "mp4\"", "secret"] {
        assert_ne!(String::from_utf8_lossy(&answer.body), content);
    }
}

fn playback(world: &World) -> String {
    format!("/api/playback?asset={}", world.asset)
}

fn bearer(header: &Header, claims: &Value, key: &[u8]) -> String {
    let key = EncodingKey::from_secret(key);
    format!("Bearer {}", jsonwebtoken::encode(header, claims, &key).unwrap())
}

fn claims() -> Value {
    json!({"exp": NOW + 60, "scope": "admin"})
}

/// A token whose header and claims are written by hand.
fn forged(header: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("Bearer {}.{}.{signature}", part(header), part(&claims()))
}

fn cookies(signature: &Signature) -> String {
    let pairs = signature.cookies();
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("; ")
}

/// Any text as a policy, signed with the good key.
fn signed_text(policy: &str) -> Signature {
    let signature = keyring("K2P256").signing_key().sign(policy.as_bytes()).unwrap();
    Signature {
        policy: encoding::encode(policy.as_bytes()),
        signature: encoding::encode(&signature),
        ..any_signature()
    }
}

fn any_signature() -> Signature {
    sign(&keyring("K2P256"), &policy("*", NOW + 60)).unwrap()
}

fn policy(resource: &str, expires: i64) -> Policy {
    Policy {
        resource: Some(resource.to_owned()),
        expires,
        not_before: None,
        source: None,
    }
}

fn grant(world: &World) -> String {
    Grant::from(world.signature(NOW + 60)).encode()
}

fn play(world: &World, grant: &str) -> String {
    format!("/play/{grant}/{}/default/hls/video.m3u8", world.asset)
}

// Tokens.

attempt!(no_token, 401 "required", |w| w.get(&playback(w)));
attempt!(an_empty_token, 401 "token", |w| w.ask(&playback(w), Some("Bearer ")));
attempt!(a_token_of_one_word, 401 "not valid", |w| w.ask(&playback(w), Some("Bearer letmein")));
attempt!(another_scheme_of_authorization, 401 "required",
    |w| w.ask(&playback(w), Some("Basic dm9kOnZvZC1sb2NhbC1zZWNyZXQ=")));
attempt!(an_expired_token, 401 "not valid", |w| async {
    let token = bearer(&Header::default(), &json!({"exp": NOW - 31, "scope": "admin"}), SECRET.as_bytes());
    w.ask(&playback(w), Some(&token)).await
});
attempt!(a_token_of_tomorrow, 401 "not valid",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"nbf": NOW + 86_400, "scope": "admin"})))));
attempt!(a_token_without_an_end, 401 "not valid",
    |w| w.ask(&playback(w), Some(&bearer(&Header::default(), &json!({"scope": "admin"}), SECRET.as_bytes()))));
attempt!(a_token_whose_end_is_a_word, 401 "not valid",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"exp": "never", "scope": "admin"})))));
attempt!(a_token_of_another_key, 401 "not valid",
    |w| w.ask(&playback(w), Some(&bearer(&Header::default(), &claims(), &[b'x'; 32]))));
attempt!(a_token_of_the_empty_key, 401 "not valid",
    |w| w.ask(&playback(w), Some(&bearer(&Header::default(), &claims(), b""))));
attempt!(algorithm_none, 401 "not valid",
    |w| w.ask(&playback(w), Some(&forged(&json!({"alg": "none", "typ": "JWT"}), ""))));
attempt!(algorithm_none_in_odd_case, 401 "not valid",
    |w| w.ask(&playback(w), Some(&forged(&json!({"alg": "nOnE"}), ""))));
attempt!(algorithm_none_with_a_signature, 401 "not valid",
    |w| w.ask(&playback(w), Some(&forged(&json!({"alg": "none"}), "AAAA"))));
attempt!(no_algorithm_at_all, 401 "not valid", |w| w.ask(&playback(w), Some(&forged(&json!({"typ": "JWT"}), ""))));
attempt!(a_stronger_hash_with_the_right_key, 401 "not valid",
    |w| w.ask(&playback(w), Some(&bearer(&Header::new(Algorithm::HS512), &claims(), SECRET.as_bytes()))));
attempt!(the_public_signing_key_as_a_secret, 401 "not valid",
    |w| w.ask(&playback(w), Some(&bearer(&Header::default(), &claims(), PEMS[1].1.as_bytes()))));
attempt!(the_algorithm_of_another_family, 401 "not valid", |w| {
    let good = token();
    let (_, signature) = good.rsplit_once('.').unwrap();
    let mixed = forged(&json!({"alg": "RS256"}), signature);
    async move { w.ask(&playback(w), Some(&mixed)).await }
});
attempt!(a_key_that_the_token_brings_along, 401 "not valid", |w| {
    let header = Header { kid: Some("../../../dev/null".to_owned()), x5u: Some(format!("http://{}/web/app.js", w.edge)), jku: Some(format!("http://{}/web/app.js", w.edge)), ..Header::default() };
    let token = bearer(&header, &claims(), b"js");
    async move { w.ask(&playback(w), Some(&token)).await }
});
attempt!(claims_of_one_token_and_the_signature_of_another, 401 "not valid", |w| {
    let (narrow, wide) = (token_with(&json!({"scope": "library"})), token_with(&json!({"scope": "admin"})));
    let wide = wide.rsplit_once('.').unwrap().0.to_owned();
    let mixed = format!("{wide}.{}", narrow.rsplit_once('.').unwrap().1);
    async move { w.ask(&playback(w), Some(&mixed)).await }
});
attempt!(a_token_of_nine_kilobytes, 401 "not valid",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"scope": "admin", "x": "x".repeat(9_000)})))));
attempt!(a_token_in_the_query, 401 "required",
    |w| w.get(&format!("{}&access_token={}", playback(w), &token()[7..])));
attempt!(a_token_in_a_cookie, 401 "required",
    |w| w.send("GET", &playback(w), &[("cookie", &format!("token={}", &token()[7..]))]));
attempt!(a_token_under_the_edges_own_name, 401 "required",
    |w| w.send("GET", &playback(w), &[("x-viewer-authorization", &token())]));
attempt!(a_good_token_behind_a_bad_one, 401 "not valid",
    |w| w.send("GET", &playback(w), &[("authorization", "Bearer x"), ("authorization", &token())]));
attempt!(a_token_without_scopes, 403 "lacks the scope", |w| w.ask(&playback(w), Some(&token_with(&json!({})))));
attempt!(a_scope_that_begins_alike, 403 "lacks the scope",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"scope": "playbacks play PLAYBACK"})))));
attempt!(the_scope_of_another_path, 403 "lacks the scope",
    |w| w.ask("/api/assets", Some(&token_with(&json!({"scope": "playback"})))));
attempt!(an_asset_that_the_token_does_not_cover, 403 "does not cover", |w| {
    let token = token_with(&json!({"scope": "playback", "assets": [w.other.clone()]}));
    async move { w.ask(&playback(w), Some(&token)).await }
});
attempt!(a_token_that_covers_no_asset, 403 "does not cover",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"scope": "playback", "assets": []})))));

#[tokio::test(flavor = "multi_thread")]
async fn unknown_and_forbidden_look_the_same() {
    let world = World::new().await;
    let token = token_with(&json!({"scope": "playback library", "assets": [world.asset]}));
    let none = "none-0123456789abcdef-01234567";
    for path in ["/api/playback?asset=", "/api/assets/"] {
        let forbidden = world.ask(&format!("{path}{}", world.other), Some(&token)).await;
        let unknown = world.ask(&format!("{path}{none}"), Some(&token)).await;
        assert_eq!(
            (forbidden.status, forbidden.text()),
            (unknown.status, unknown.text())
        );
    }
    let forbidden = world
        .ask("/api/playback?source=input/other.mp4", Some(&token))
        .await;
    let unknown = world
        .ask("/api/playback?source=input/none.mp4", Some(&token))
        .await;
    assert_eq!(
        (forbidden.status, forbidden.text()),
        (unknown.status, unknown.text())
    );
    let list = world.ask("/api/assets", Some(&token)).await;
    assert!(!list.text().contains(&world.other) && list.text().contains(&world.asset));
}

// Parameters.

attempt!(no_time_to_live, 400 "ttl_seconds", |w| w.ask(&format!("{}&ttl_seconds=0", playback(w)), None));
attempt!(a_negative_time_to_live, 400 "ttl_seconds", |w| w.ask(&format!("{}&ttl_seconds=-1", playback(w)), None));
attempt!(ten_years, 400 "ttl_seconds", |w| w.ask(&format!("{}&ttl_seconds=315360000", playback(w)), None));
attempt!(more_seconds_than_there_are, 400 "ttl_seconds",
    |w| w.ask(&format!("{}&ttl_seconds=18446744073709551617", playback(w)), None));
attempt!(a_time_to_live_in_other_digits, 400 "ttl_seconds",
    |w| w.ask(&format!("{}&ttl_seconds=%D9%A1%D9%A0", playback(w)), None));
attempt!(two_times_to_live, 400 "ttl_seconds",
    |w| w.ask(&format!("{}&ttl_seconds=60&ttl_seconds=604800", playback(w)), None));
attempt!(two_assets, 400 "asset", |w| w.ask(&format!("{}&asset={}", playback(w), w.other), None));
attempt!(an_address_that_breaks_out_of_the_policy, 400 "ip",
    |w| w.ask(&format!("{}&ip=0.0.0.0%2F0%22%7D%2C%22x", playback(w)), None));
attempt!(an_asset_that_climbs, 404 "no such asset", |w| w.ask("/api/playback?asset=../catalog/x", None));
attempt!(an_asset_that_is_a_wildcard, 404 "no such asset", |w| w.ask("/api/playback?asset=*", None));
attempt!(an_asset_with_a_nul, 404 "no such asset", |w| w.ask(&format!("{}%00", playback(w)), None));
attempt!(an_asset_that_breaks_out_of_the_policy, 404 "no such asset",
    |w| w.ask(&format!("{}%22%2C%22x%22%3A%22", playback(w)), None));
attempt!(an_asset_that_nobody_has, 404 "no such asset",
    |w| w.ask("/api/playback?asset=none-0123456789abcdef-01234567", None));
attempt!(an_asset_that_is_not_done, 409 "PROGRESSING", |w| w.ask(&format!("/api/playback?asset={}", w.running), None));
attempt!(a_template_that_climbs, 404 "template", |w| w.ask(&format!("{}&template=../../x", playback(w)), None));
attempt!(a_record_as_the_source, 404 "no such upload",
    |w| w.ask(&format!("/api/playback?source=catalog/{}.json", w.asset), None));
attempt!(a_page_without_end, 400 "limit", |w| w.ask("/api/assets?limit=99999999", None));
attempt!(a_record_that_climbs, 403 "AccessDenied", |w| w.ask("/api/assets/..%2f..%2finput%2fx", None));

// Hosts and what the edge says of the viewer.

attempt!(a_signed_url_at_another_host, 403 "AccessDenied",
    |w| w.send("GET", &w.signed("mp4/video.mp4"), &[("host", "evil.example.com")]));
attempt!(a_host_that_breaks_out_of_the_policy, 400 "Bad request",
    |w| w.send("GET", &playback(w), &[("host", "a\"/*"), ("authorization", &token())]));
attempt!(links_made_under_another_host, 403 "AccessDenied", |w| async {
    let answer = w.send("GET", &playback(w), &[("host", "evil.example.com"), ("authorization", &token())]).await;
    let url = answer.json()["mp4"][0]["url"].as_str().unwrap().to_owned();
    w.get(url.strip_prefix("http://evil.example.com").unwrap()).await
});
attempt!(another_address_than_the_viewers, 403 "AccessDenied", |w| async {
    let links = w.ask(&format!("{}&ip=192.0.2.1", playback(w)), None).await.json();
    let forged = [("cloudfront-viewer-address", "192.0.2.1:1"), ("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
    w.send("GET", &w.path_of(&links["mp4"][0]["url"]), &forged).await
});

#[tokio::test(flavor = "multi_thread")]
async fn hosts_in_other_headers_are_nobodys() {
    let world = World::new().await;
    let good = token();
    for name in ["x-viewer-host", "x-forwarded-host", "x-host", "forwarded"] {
        // Naming it in `connection` would have a careless proxy drop the edge's own header.
        let headers = [
            ("authorization", good.as_str()),
            (name, "evil.example.com"),
            ("connection", name),
        ];
        let answer = world.send("GET", &playback(&world), &headers).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.text().contains("evil"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_no_host_and_a_foreign_proxy_target() {
    let world = World::new().await;
    let path = world.signed("mp4/video.mp4");
    for (head, status) in [
        (
            format!("GET {path} HTTP/1.1\r\nHost: {}\r\nHost: evil\r\n", world.edge),
            "400",
        ),
        (format!("GET {path} HTTP/1.1\r\n"), "400"),
        (
            format!(
                "GET http://{}/vod/input/my%20film.mp4 HTTP/1.1\r\nHost: {}\r\n",
                world.api, world.edge
            ),
            "403",
        ),
    ] {
        let answer = world
            .raw(format!("{head}Connection: close\r\n\r\n").as_bytes())
            .await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head}: {answer}"
        );
    }
}

// Paths.

attempt!(a_path_that_climbs, 403 "AccessDenied",
    |w| w.get(&w.signed("../../../input/my%20film.mp4")));
attempt!(a_path_that_climbs_encoded, 403 "AccessDenied",
    |w| w.get(&w.signed("%2e%2e/%2e%2e/%2e%2e/input/my%20film.mp4")));
attempt!(a_path_that_climbs_half_encoded, 403 "AccessDenied",
    |w| w.get(&w.signed(".%2e/.%2E/%2e./input/my%20film.mp4")));
attempt!(a_path_encoded_twice, 404 "NoSuchKey", |w| w.get(&w.signed("%252e%252e/%252e%252e/x")));
attempt!(a_path_with_overlong_dots, 403 "AccessDenied", |w| w.get(&w.signed("%c0%ae%c0%ae/x")));
attempt!(a_path_with_encoded_slashes, 403 "AccessDenied", |w| w.get(&w.signed("..%2f..%2f..%2finput/x")));
attempt!(a_path_with_backslashes, 403 "AccessDenied", |w| w.get(&w.signed("..%5c..%5cinput")));
attempt!(a_path_with_two_slashes, 403 "AccessDenied", |w| w.get(&w.signed("/mp4/video.mp4")));
attempt!(a_path_with_a_nul, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4%00.jpg")));
attempt!(a_path_with_a_line_end, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4%0d%0aX-Evil:1")));
attempt!(another_assets_file, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace(&w.asset, &w.other)));
attempt!(another_assets_file_by_climbing, 403 "AccessDenied",
    |w| w.get(&w.signed(&format!("../../{}/default/mp4/video.mp4", w.other))));
attempt!(an_asset_whose_id_begins_alike, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace(&w.asset, &format!("{}x", w.asset))));
attempt!(the_folder_of_all_outputs, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url("/output/?list-type=2");
    async move { w.get(&path).await }
});
attempt!(a_listing_of_ones_own_folder, 404 "NoSuchKey",
    |w| w.get(&w.signed("").replace('?', "?list-type=2&prefix=&")));
attempt!(an_upload_with_a_good_signature, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url("/input/my%20film.mp4");
    async move { w.get(&path).await }
});
attempt!(a_record_with_a_good_signature, 403 "AccessDenied", |w| {
    let path = w.signature(NOW + 60).url(&format!("/catalog/{}.json", w.asset));
    async move { w.get(&path).await }
});
attempt!(the_function_behind_the_edge, 403 "AccessDenied", |w| w.ask("/lambda-url/signer/api/assets", None));
attempt!(outputs_in_capitals, 403 "AccessDenied", |w| w.get(&w.signed("mp4/video.mp4").replace("/output/", "/OUTPUT/")));

#[tokio::test(flavor = "multi_thread")]
async fn a_query_changes_nothing_of_an_object() {
    let world = World::new().await;
    for own in [
        "response-content-type=text/html",
        "versionId=null",
        "acl",
        "torrent",
        "x-id=DeleteObject",
        "uploads",
    ] {
        let answer = world
            .get(&world.signed("mp4/video.mp4").replace('?', &format!("?{own}&")))
            .await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, "video/mp4"),
            "{own}"
        );
        assert_eq!(answer.text(), "mp4");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origins_let_nobody_in_but_the_edge() {
    let world = World::new().await;
    let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new())
        .build_http::<http_body_util::Empty<bytes::Bytes>>();
    for path in [
        format!("/vod/output/{}/default/mp4/video.mp4", world.asset),
        "/vod/?list-type=2".to_owned(),
        format!("/lambda-url/signer{}", playback(&world)),
    ] {
        let request = http::Request::get(format!("http://{}{path}", world.api))
            .header("x-viewer-authorization", token())
            .header("x-viewer-host", "evil.example.com");
        let answer = client
            .request(request.body(http_body_util::Empty::new()).unwrap())
            .await
            .unwrap();
        assert_eq!(answer.status(), 403, "{path}");
    }
}

// Signatures.

attempt!(no_signature, 403 "MissingKey", |w| w.get(&w.file("mp4/video.mp4")));
attempt!(an_expired_signature, 403 "AccessDenied", |w| w.get(&w.signature(NOW).url(&w.file("mp4/video.mp4"))));
attempt!(a_signature_for_milliseconds, 403 "MalformedPolicy",
    |w| w.get(&w.signature((NOW + 60) * 1_000).url(&w.file("mp4/video.mp4"))));
attempt!(a_signature_of_an_unknown_key, 403 "InvalidKey",
    |w| w.get(&w.signed("mp4/video.mp4").replace("K2P256", "K2EVIL")));
attempt!(a_signature_under_another_keys_name, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace("K2P256", "K2RSA")));
attempt!(a_signature_with_another_hash, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace("=SHA256", "=SHA1")));
attempt!(a_signature_with_no_hash, 403 "AccessDenied",
    |w| w.get(&w.signed("mp4/video.mp4").replace("=SHA256", "=none")));
attempt!(an_empty_signature, 403 "MissingSignature",
    |w| w.get(&Signature { signature: String::new(), ..w.signature(NOW + 60) }.url(&w.file("mp4/video.mp4"))));
attempt!(a_signature_of_zeros, 403 "AccessDenied", |w| {
    // r = s = 0: what "psychic signatures" were made of.
    let zeros = Signature { signature: encoding::encode(&[0x30, 6, 2, 1, 0, 2, 1, 0]), ..w.signature(NOW + 60) };
    async move { w.get(&zeros.url(&w.file("mp4/video.mp4"))).await }
});
attempt!(a_signature_of_noise, 403 "AccessDenied", |w| {
    let mut noise = [0; 71];
    rand::fill(&mut noise).unwrap();
    let noise = Signature { signature: encoding::encode(&noise), ..w.signature(NOW + 60) };
    async move { w.get(&noise.url(&w.file("mp4/video.mp4"))).await }
});
attempt!(the_policy_of_another_signature, 403 "AccessDenied", |w| {
    let wide = Signature { signature: w.signature(NOW + 60).signature, ..any_signature() };
    async move { w.get(&wide.url(&w.file("mp4/video.mp4"))).await }
});
attempt!(a_policy_of_two_statements, 403 "MalformedPolicy", |w| {
    let one = format!(r#"{{"Resource":"http://{}/*","Condition":{{"DateLessThan":{{"AWS:EpochTime":{}}}}}}}"#, w.edge, NOW + 60);
    let path = signed_text(&format!(r#"{{"Statement":[{one},{one}]}}"#)).url(&w.file("mp4/video.mp4"));
    async move { w.get(&path).await }
});
attempt!(a_policy_without_an_end, 403 "MalformedPolicy",
    |w| w.get(&signed_text(r#"{"Statement":[{"Resource":"*","Condition":{}}]}"#).url(&w.file("mp4/video.mp4"))));
attempt!(a_policy_of_other_json, 403 "MalformedPolicy",
    |w| w.get(&signed_text(&"[".repeat(3_000)).url(&w.file("mp4/video.mp4"))));
attempt!(a_canned_signature_over_a_wildcard, 403 "AccessDenied", |w| {
    let wild = format!("http://{}/output/{}/*", w.edge, w.asset);
    let url = vod_core::cloudfront::sign_canned(&keyring("K2P256"), &wild, NOW + 60).unwrap().url();
    let path = format!("{}?{}", w.file("mp4/video.mp4"), url.split_once('?').unwrap().1);
    async move { w.get(&path).await }
});
attempt!(a_forged_policy_before_a_good_one, 403 "AccessDenied", |w| {
    let forged = any_signature().policy;
    w.get_owned(w.signed("mp4/video.mp4").replace("?Policy=", &format!("?Policy={forged}&Policy=")))
});
attempt!(an_end_beside_an_expired_policy, 403 "AccessDenied",
    |w| w.get_owned(format!("{}&Expires={}", w.signature(NOW).url(&w.file("mp4/video.mp4")), NOW + 60)));
attempt!(cookies_of_another_asset, 403 "AccessDenied", |w| {
    let signature = sign(&keyring("K2P256"), &policy(&format!("http://{}/output/{}/*", w.edge, w.other), NOW + 60)).unwrap();
    let path = w.file("mp4/video.mp4");
    async move { w.send("GET", &path, &[("cookie", &cookies(&signature))]).await }
});
attempt!(expired_cookies, 403 "AccessDenied", |w| {
    let cookies = cookies(&w.signature(NOW));
    let path = w.file("mp4/video.mp4");
    async move { w.send("GET", &path, &[("cookie", &cookies)]).await }
});

#[tokio::test(flavor = "multi_thread")]
async fn partial_parameters_are_not_mended_by_good_cookies() {
    let world = World::new().await;
    let signature = world.signature(NOW + 60);
    let (cookies, query) = (cookies(&signature), signature.query());
    for (name, code) in [
        ("Policy", "MissingPolicy"),
        ("Signature", "MissingSignature"),
        ("Key-Pair-Id", "MissingKey"),
        ("Hash-Algorithm", "AccessDenied"),
    ] {
        let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(name)).collect();
        let path = format!("{}?{}", world.file("mp4/video.mp4"), rest.join("&"));
        refused(
            &world.send("GET", &path, &[("cookie", &cookies)]).await,
            403,
            code,
        );
    }
}

// Grants.

attempt!(a_grant_of_another_asset, 403 "AccessDenied",
    |w| w.get_owned(play(w, &grant(w)).replace(&w.asset, &w.other)));
attempt!(an_expired_grant, 403 "AccessDenied",
    |w| w.get_owned(play(w, &Grant::from(w.signature(NOW)).encode())));
attempt!(a_grant_of_three_kilobytes, 403 "MalformedPolicy", |w| w.get_owned(play(w, &"A".repeat(3_000))));
attempt!(a_grant_of_nine_kilobytes, 413 "maximum length", |w| w.get_owned(play(w, &"A".repeat(9_000))));
attempt!(a_grant_of_four_dots, 403 "Missing", |w| w.get_owned(play(w, "....")));
attempt!(a_grant_with_a_fifth_part, 403 "InvalidKey", |w| w.get_owned(play(w, &format!("{}.x", grant(w)))));
attempt!(a_grant_of_another_key, 403 "AccessDenied", |w| w.get_owned(play(w, &grant(w).replace("K2P256", "K2RSA"))));
attempt!(a_grant_for_the_whole_world_unsigned, 403 "AccessDenied", |w| {
    let wide = Signature { signature: w.signature(NOW + 60).signature, ..any_signature() };
    w.get_owned(play(w, &Grant::from(wide).encode()))
});
attempt!(a_grant_for_another_host, 403 "AccessDenied", |w| {
    let signature = sign(&keyring("K2P256"), &policy(&format!("http://evil/output/{}/*", w.asset), NOW + 60)).unwrap();
    w.get_owned(play(w, &Grant::from(signature).encode()))
});
attempt!(a_grant_and_no_playlist, 404 "only .m3u8 and .vtt",
    |w| w.get_owned(play(w, &grant(w)).replace("hls/video.m3u8", "mp4/video.mp4")));
attempt!(a_grant_and_a_record, 403 "AccessDenied",
    |w| w.get_owned(format!("/play/{}/../catalog/{}.m3u8", grant(w), w.asset)));
attempt!(a_grant_and_a_climbing_path, 403 "AccessDenied",
    |w| w.get_owned(play(w, &grant(w)).replace("default/hls", &format!("%2e%2e/{}/default/hls", w.other))));
attempt!(a_grant_and_an_escaped_path, 403 "AccessDenied",
    |w| w.get_owned(play(w, &grant(w)).replace("video.m3u8", "vide%6f.m3u8")));
attempt!(a_grant_in_the_query, 403 "Missing",
    |w| w.get_owned(format!("{}?{}", play(w, "x"), w.signature(NOW + 60).query())));
attempt!(no_grant, 403 "AccessDenied", |w| w.get_owned(format!("/play//{}/default/hls/video.m3u8", w.asset)));

// Requests of odd shapes.

attempt!(a_post, 403 "not configured to allow", |w| w.send("POST", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_put, 403 "not configured to allow", |w| w.send("PUT", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_delete, 403 "not configured to allow", |w| w.send("DELETE", &w.signed("mp4/video.mp4"), &[]));
attempt!(a_trace, 403 "not configured to allow", |w| w.send("TRACE", "/", &[]));
attempt!(an_invented_method, 403 "not configured to allow", |w| w.send("BREW", "/", &[]));
attempt!(sixty_kilobytes_of_url, 413 "maximum length", |w| w.get_owned(format!("/web/{}", "a".repeat(60_000))));
attempt!(thirty_kilobytes_of_headers, 413 "maximum length",
    |w| w.send("GET", "/web/index.html", &[("x-long", &"a".repeat(30_000))]));

#[tokio::test(flavor = "multi_thread")]
async fn another_method_in_a_header() {
    let world = World::new().await;
    let signed = world.signed("mp4/video.mp4");
    for name in ["x-http-method-override", "x-method-override", "x-http-method"] {
        assert_eq!(
            world.send("GET", &signed, &[(name, "DELETE")]).await.text(),
            "mp4"
        );
    }
    assert_eq!(world.get(&signed).await.text(), "mp4");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes() {
    let world = World::new().await;
    let edge = world.edge;
    let long = vec![b'a'; 10 << 20];
    for head in [
        format!(
            "POST /api/playback HTTP/1.1\r\nHost: {edge}\r\nContent-Length: {}\r\n\r\n",
            long.len()
        ),
        format!(
            "GET /api/assets HTTP/1.1\r\nHost: {edge}\r\nContent-Length: {}\r\n\r\n",
            long.len()
        ),
        format!("GET / HTTP/1.1\r\nHost: {edge}\r\nX-Long: "),
        "GET /".to_owned(),
    ] {
        let answer = world.raw(&[head.as_bytes(), &long].concat()).await;
        let status = answer.get(9..12).unwrap_or("closed");
        assert!(
            ["403", "414", "431", "closed"].contains(&status),
            "{head}: {answer}"
        );
        // And the edge goes on serving.
        assert_eq!(world.get("/healthz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_inside_another() {
    let world = World::new().await;
    let edge = world.edge;
    let inner = format!("GET /healthz HTTP/1.1\r\nHost: {edge}\r\nConnection: close\r\n\r\n");
    for head in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Content-Length: 4\r\nContent-Length: 0\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: -1\r\n",
    ] {
        let bytes = format!("GET /web/index.html HTTP/1.1\r\nHost: {edge}\r\n{head}\r\n0\r\n\r\n{inner}");
        let answer = world.raw(bytes.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{head}: {answer}");
        assert!(
            !answer.contains("<html>\n") && !answer.contains("200 OK\r\ncontent-type: text/html"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http() {
    let world = World::new().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\0/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\r\n\r\n\r\n\r\n\0\r\n\r\n",
    ] {
        let answer = world.raw(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert_eq!(world.get("/healthz").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_ranges() {
    let world = World::new().await;
    let ranges = format!("bytes={}", vec!["0-"; 1_000].join(","));
    let answer = world
        .send("GET", &world.signed("mp4/video.mp4"), &[("range", &ranges)])
        .await;
    assert_eq!((answer.status, answer.text()), (200, "mp4".to_owned()));
}
