//! One round of our side of `bench/signing.py`: signed URLs and complete verifications per CPU second, what the crypto
//! library alone takes for one (`bare_…`, the floor of both), and the cost of rewriting a playlist against that of
//! copying the same bytes into a new buffer, in one piece. Prints JSON.
//!
//! `signing ES256|RS256 <private.pem> <public.pem> <seconds per case>`

#![expect(clippy::print_stdout, reason = "the bench reads it")]
#![expect(clippy::disallowed_methods, reason = "the bench measures time")]

use std::error::Error;
use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;
use vod_core::cloudfront::{Hash, Keyring, Policy, Request, sign, verify};
use vod_core::grant::Grant;
use vod_core::playlist;

const NOW: i64 = 1_767_225_600;
const HOST: &str = "d111111abcdef8.cloudfront.net";
const PATH: &str = "/output/film-0123456789abcdef-01234567/default/hls/video_720_00001.ts";
/// An hour in segments of six seconds.
const SEGMENTS: usize = 600;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [algorithm, private, public, seconds] = &arguments[..] else {
        return Err("usage: signing ES256|RS256 <private.pem> <public.pem> <seconds>".into());
    };
    let secret = json!({"active": "K2", "keys": [{"id": "K2", "algorithm": algorithm,
        "private_pem": std::fs::read_to_string(private)?, "public_pem": std::fs::read_to_string(public)?}]});
    let keyring = Keyring::from_json(&secret.to_string())?;
    let duration = Duration::try_from_secs_f64(seconds.parse()?)?;

    let url = format!("https://{HOST}{PATH}");
    let mut expires = NOW;
    let signed = per_cpu_second(duration, || {
        // Another policy each time, as for another viewer.
        expires += 1;
        sign(&keyring, &policy(expires))
            .map(|signature| signature.url(&url))
            .is_ok()
    })?;
    let query = sign(&keyring, &policy(NOW + 60))?.query();
    let request = Request {
        scheme: "https",
        host: HOST,
        path: PATH,
        query: &query,
        cookies: "",
        address: None,
        now: NOW,
    };
    let verified = per_cpu_second(duration, || {
        verify(keyring.public_keys(), black_box(&request)).is_ok()
    })?;

    let message = policy(NOW).to_json();
    let signature = keyring.signing_key().sign(message.as_bytes())?;
    let bare_signed = per_cpu_second(duration, || {
        keyring.signing_key().sign(black_box(message.as_bytes())).is_ok()
    })?;
    let public = keyring.public_keys().get("K2").ok_or("no public key")?;
    let bare_verified = per_cpu_second(duration, || {
        public.verify(Hash::Sha256, black_box(message.as_bytes()), &signature)
    })?;

    let grant = Grant::from(sign(&keyring, &policy(NOW + 60))?);
    let key = PATH[1..].replace("_00001.ts", ".m3u8");
    let text = hour()?;
    let rewritten = playlist::m3u8(&text, &key, &grant)?;
    let copies = per_cpu_second(duration, || !black_box(black_box(&rewritten).clone()).is_empty())?;
    let rewrites = per_cpu_second(duration, || {
        playlist::m3u8(black_box(&text), &key, &grant).is_ok()
    })?;
    println!(
        "{}",
        json!({"signed": signed, "verified": verified, "bare_signed": bare_signed, "bare_verified": bare_verified,
            "rewrites": rewrites, "copies": copies, "playlist_bytes": rewritten.len()})
    );
    Ok(())
}

/// The playlist of an hour, as MediaConvert writes it.
fn hour() -> Outcome<String> {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:7\n".to_owned();
    for index in 0..SEGMENTS {
        writeln!(text, "#EXTINF:6.000,\nvideo_720_{index:05}.ts")?;
    }
    Ok(text + "#EXT-X-ENDLIST\n")
}

fn policy(expires: i64) -> Policy {
    Policy {
        resource: Some(format!("https://{HOST}/output/film-0123456789abcdef-01234567/*")),
        expires,
        not_before: None,
        source: None,
    }
}

/// Number of times that `work` succeeds in a second of this thread's CPU time.
fn per_cpu_second(duration: Duration, mut work: impl FnMut() -> bool) -> Outcome<f64> {
    let (started, cpu) = (Instant::now(), cpu()?);
    let mut count = 0_u32;
    while started.elapsed() < duration {
        for _ in 0..16 {
            if !black_box(work()) {
                return Err("the work under measurement fails".into());
            }
        }
        count += 16;
    }
    Ok(f64::from(count) / self::cpu()?.saturating_sub(cpu).as_secs_f64())
}

/// CPU time of this thread, which Linux reports in nanoseconds.
fn cpu() -> Outcome<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = text.split_whitespace().next().ok_or("schedstat is empty")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}
