//! Grants: the same in the path of a playlist.

use super::*;

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
attempt!(a_grant_and_no_playlist, 404 "only .m3u8, .mpd and .vtt",
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
