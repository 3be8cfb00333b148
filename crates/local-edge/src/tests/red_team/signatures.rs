//! Signatures for another resource, not yet valid, expired, or of unknown keys.

use aws_lc_rs::rand;

use super::*;

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
    let edge = TestEdge::new().await;
    let signature = edge.signature(NOW + 60);
    let (cookies, query) = (cookies(&signature), signature.query());
    for (name, code) in [
        ("Policy", "MissingPolicy"),
        ("Signature", "MissingSignature"),
        ("Key-Pair-Id", "MissingKey"),
        ("Hash-Algorithm", "AccessDenied"),
    ] {
        let rest: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(name)).collect();
        let path = format!("{}?{}", edge.file("mp4/video.mp4"), rest.join("&"));
        refused(&edge.send("GET", &path, &[("cookie", &cookies)]).await, 403, code);
    }
}
