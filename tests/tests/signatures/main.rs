//! Our signatures before openssl, botocore with cryptography, and @aws-sdk/cloudfront-signer; and theirs before
//! our verifier. So signer and verifier cannot share a mistake.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use vod_core::cloudfront::{Denied, Keyring, Policy, PublicKeys, Reason, Request, sign, sign_canned, verify};

const NOW: i64 = 1_767_225_600;
const LATER: i64 = NOW + 3_600;
const BASE: &str = "https://d111111abcdef8.cloudfront.net/output/film";
/// Ids of the keys, their algorithms and the names of their files.
const KEYS: [(&str, &str, &str); 2] = [("K2P256", "ES256", "p256"), ("K2RSA", "RS256", "rsa2048")];

#[derive(Deserialize)]
struct Peer {
    checks: usize,
    made: Vec<Made>,
}

#[derive(Deserialize)]
struct Made {
    name: String,
    url: String,
    cookies: String,
}

#[test]
fn openssl_and_botocore_agree_with_us() -> anyhow::Result<()> {
    let made = agree("python", Command::new(python()).arg(folder().join("peers.py")))?;
    // Two tools, two keys, two hashes; custom and canned, by query and by cookies.
    assert_eq!(made, 2 * 2 * 2 * 4);
    Ok(())
}

#[test]
fn the_javascript_sdk_agrees_with_us() -> anyhow::Result<()> {
    let made = agree("node", Command::new("node").arg(folder().join("peers.mjs")))?;
    assert_eq!(made, 2 * 2 * 4);
    Ok(())
}

/// What we sign must be good to the peer, and what it signs to us. Returns how many it made.
fn agree(what: &str, peer: &mut Command) -> anyhow::Result<usize> {
    let ours = ours()?;
    // Two keys; a folder, a file with its own query, all conditions at once, a canned policy, and cookies of both.
    assert_eq!(ours.len(), 2 * 6);
    let peer = ask(what, peer, &ours)?;
    assert_eq!(peer.checks, ours.len());

    let keys = keyring("K2P256")?.public_keys().clone();
    for made in &peer.made {
        let verdict = judge(&keys, made, NOW);
        ensure!(verdict.is_ok(), "{}: {verdict:?}", made.name);
        let expired = judge(&keys, made, LATER);
        ensure!(
            expired == Err(Denied::AccessDenied(Reason::Expired)),
            "{}: {expired:?}",
            made.name
        );
        let elsewhere = Made {
            url: made.url.replace("/film/", "/other/"),
            cookies: made.cookies.clone(),
            name: String::new(),
        };
        ensure!(
            matches!(judge(&keys, &elsewhere, NOW), Err(Denied::AccessDenied(_))),
            "{} opens another folder",
            made.name
        );
    }
    Ok(peer.made.len())
}

fn judge(keys: &PublicKeys, made: &Made, now: i64) -> Result<(), Denied> {
    let (path, query) = made.url.split_once('?').unwrap_or((&made.url, ""));
    let (host, path) = path
        .strip_prefix("https://")
        .and_then(|rest| rest.split_at_checked(rest.find('/')?))
        .unwrap_or_default();
    verify(
        keys,
        &Request {
            scheme: "https",
            host,
            path,
            query,
            cookies: &made.cookies,
            address: "192.0.2.9".parse().ok(),
            now,
        },
    )
    .map(drop)
}

/// One signature of ours for each way to make one, with the terms that a peer is to write down by itself.
fn ours() -> anyhow::Result<Vec<Value>> {
    let mut ours = Vec::new();
    for (id, ..) in KEYS {
        let keyring = keyring(id)?;
        let folder = format!("{BASE}/*");
        let plain = policy(&folder, None, None)?;
        let file = format!("{BASE}/a.mp4?size=1");
        let exact = policy(&file.replace('?', "\\?"), None, None)?;
        let narrow = policy(&folder, Some(NOW), Some("192.0.2.0/24"))?;
        for (name, policy, url) in [
            ("folder", &plain, format!("{BASE}/hls/video_00001.ts")),
            ("file", &exact, file),
            ("conditions", &narrow, format!("{BASE}/a.mp4")),
        ] {
            let url = sign(&keyring, policy)?.url(&url);
            ours.push(
                json!({"name": format!("{id} {name}"), "url": url, "cookies": "", "terms": terms(policy)}),
            );
        }
        let url = format!("{BASE}/a.mp4?size=1");
        let canned = sign_canned(&keyring, &url, LATER)?;
        let canned_terms = json!({"resource": url, "expires": LATER});
        ours.push(
            json!({"name": format!("{id} canned"), "url": canned.url(), "cookies": "", "terms": canned_terms}),
        );
        for (name, url, cookies, terms) in [
            (
                "custom",
                format!("{BASE}/a.mp4"),
                sign(&keyring, &plain)?.cookies(),
                terms(&plain),
            ),
            ("canned", url, canned.cookies(), canned_terms),
        ] {
            let cookies: Vec<_> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let name = format!("{id} {name} cookies");
            ours.push(json!({"name": name, "url": url, "cookies": cookies.join("; "), "terms": terms}));
        }
    }
    Ok(ours)
}

fn policy(resource: &str, not_before: Option<i64>, source: Option<&str>) -> anyhow::Result<Policy> {
    Ok(Policy {
        resource: Some(resource.to_owned()),
        expires: LATER,
        not_before,
        source: source.map(str::parse).transpose()?,
    })
}

fn terms(policy: &Policy) -> Value {
    let mut terms = json!({"resource": policy.resource, "expires": policy.expires});
    if let Some(not_before) = policy.not_before {
        terms["not_before"] = not_before.into();
    }
    if let Some(source) = policy.source {
        terms["source"] = source.to_string().into();
    }
    terms
}

fn keyring(active: &str) -> anyhow::Result<Keyring> {
    let mut keys = Vec::new();
    for (id, algorithm, file) in KEYS {
        let pem = |form: &str| std::fs::read_to_string(key_file(file, form));
        keys.push(
            json!({"id": id, "algorithm": algorithm, "private_pem": pem("pkcs8")?, "public_pem": pem("spki")?}),
        );
    }
    Ok(Keyring::from_json(
        &json!({"active": active, "keys": keys}).to_string(),
    )?)
}

fn key_file(name: &str, form: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join(format!(
        "../crates/vod-core/testdata/cloudfront/{name}.{form}.pem"
    ))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures")
}

/// The Python of the tests' own environment, which has the peers' libraries.
fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/venv/bin/python")
}

fn ask(what: &str, peer: &mut Command, ours: &[Value]) -> anyhow::Result<Peer> {
    let keys: serde_json::Map<_, _> = KEYS
        .into_iter()
        .map(|(id, _, file)| {
            (
                id.to_owned(),
                json!({"private": key_file(file, "pkcs8"), "public": key_file(file, "spki")}),
            )
        })
        .collect();
    let question = json!({"keys": keys, "ours": ours, "now": NOW}).to_string();
    let mut process = peer
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{what} cannot be run: install it with `scripts/setup.sh run test`"))?;
    let mut stdin = process.stdin.take().context("no standard input")?;
    stdin.write_all(question.as_bytes())?;
    drop(stdin);
    let output = process.wait_with_output()?;
    if !output.status.success() {
        bail!(
            "{what} does not agree, or lacks a package (`scripts/setup.sh run test` installs them): {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} answered no JSON"))
}
