//! Tokens that are none, or not enough.

use jsonwebtoken::Algorithm;

use super::*;
use crate::testing::PEMS;

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
attempt!(no_list_of_assets_where_one_is_claimed, 401 "not valid",
    |w| w.ask(&playback(w), Some(&token_with(&json!({"scope": "admin", "assets": null})))));
attempt!(an_extension_that_must_be_understood, 401 "not valid",
    |w| w.ask(&playback(w), Some(&signed_token(&json!({"alg": "HS256", "crit": ["x-new"], "x-new": 1})))));
attempt!(a_payload_without_base64, 401 "not valid",
    |w| w.ask(&playback(w), Some(&signed_token(&json!({"alg": "HS256", "crit": ["b64"], "b64": false})))));
attempt!(a_payload_without_base64_that_is_not_said_to_matter, 401 "not valid",
    |w| w.ask(&playback(w), Some(&signed_token(&json!({"alg": "HS256", "b64": false})))));
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
    let edge = TestEdge::new().await;
    let token = token_with(&json!({"scope": "playback library", "assets": [edge.asset]}));
    let none = "none-0123456789abcdef-01234567";
    for path in ["/api/playback?asset=", "/api/assets/"] {
        let forbidden = edge.ask(&format!("{path}{}", edge.other), Some(&token)).await;
        let unknown = edge.ask(&format!("{path}{none}"), Some(&token)).await;
        assert_eq!(
            (forbidden.status, forbidden.text()),
            (unknown.status, unknown.text())
        );
    }
    let forbidden = edge
        .ask("/api/playback?source=input/other.mp4", Some(&token))
        .await;
    let unknown = edge
        .ask("/api/playback?source=input/none.mp4", Some(&token))
        .await;
    assert_eq!(
        (forbidden.status, forbidden.text()),
        (unknown.status, unknown.text())
    );
    let list = edge.ask("/api/assets", Some(&token)).await;
    assert!(!list.text().contains(&edge.other) && list.text().contains(&edge.asset));
}

/// Each record that the token does not cover would be named by a `next` that is a key.
#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_a_limited_token_name_nothing_else() {
    let edge = TestEdge::new().await;
    let hidden = [&edge.other, &edge.running];
    for pattern in [edge.asset.clone(), "*".repeat(2) + &edge.asset[1..]] {
        let token = token_with(&json!({"scope": "library", "assets": [pattern]}));
        let page = edge.ask("/api/assets?limit=1", Some(&token)).await;
        assert_eq!(
            (page.status, page.json()["assets"][0]["id"].as_str()),
            (200, Some(&*edge.asset))
        );
        assert!(page.json().get("next").is_none(), "{}", page.text());
        assert!(
            hidden.iter().all(|id| !page.text().contains(*id)),
            "{}",
            page.text()
        );
    }
    let page = edge.ask("/api/assets?limit=1", None).await.json();
    let next = page["next"].as_str().unwrap();
    // Neither as it is, nor below its encoding.
    let below = String::from_utf8_lossy(&BASE64.decode(next).unwrap()).into_owned();
    for id in [&edge.asset, &edge.other, &edge.running] {
        assert!(!next.contains(&id[..5]) && !below.contains(&id[..5]), "{next}");
    }
    for forged in [
        format!("catalog/{}.json", edge.other),
        BASE64.encode(&edge.other),
        next[1..].to_owned(),
    ] {
        let answer = edge.ask(&format!("/api/assets?after={forged}"), None).await;
        refused(&answer, 400, "after");
    }
}
