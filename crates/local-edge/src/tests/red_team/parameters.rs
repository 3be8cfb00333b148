//! Parameters of the API.

use super::*;

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
