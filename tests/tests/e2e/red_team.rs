//! Attacks a running stack as strangers on this machine could: web pages of other sites, and clients that stop in mid-request.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context, ensure};
use vod_tests::{LocalStack, http, tools};

const FOREIGN: &str = "https://evil.example";
const ALLOWED: &str = "http://localhost:3000";

/// The status of a GET, and what was said.
fn get(url: &str, header: (&str, &str)) -> anyhow::Result<(u16, String)> {
    let answer = http::get(url, &[header])?;
    Ok((answer.status, answer.text()))
}

#[test]
fn no_other_site_uses_a_running_stack() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--allowed-origin", ALLOWED])?;
    let (api, edge) = (&stack.endpoints.api, &stack.endpoints.edge);
    let health = format!("{edge}/healthz");
    for (url, header, status, words) in [
        (
            &health,
            ("host", "rebound.example:8080"),
            403,
            "names of this machine",
        ),
        (&health, ("host", "localhost"), 200, "ok"),
        (
            api,
            ("host", "rebound.example:9000"),
            403,
            "names of this machine",
        ),
        (api, ("origin", FOREIGN), 403, "--allowed-origin"),
        // These come in, and are not signed.
        (api, ("origin", ALLOWED), 403, "<Code>AccessDenied</Code>"),
        (api, ("origin", edge), 403, "<Code>AccessDenied</Code>"),
    ] {
        let (answered, text) = get(url, header)?;
        ensure!(
            answered == status && text.contains(words),
            "{url} {header:?}: {answered} {text}"
        );
    }
    let log = stack.log()?;
    ensure!(
        !log.contains(&stack.endpoints.secret_key),
        "the secret is in the log"
    );
    Ok(())
}

#[test]
fn the_printed_environment_is_all_that_the_aws_cli_needs() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let file = stack.scratch().join("notes.txt");
    std::fs::write(&file, "no film")?;
    let script =
        "eval \"$(\"$1\" --state \"$2\" env)\" && \"$3\" s3 cp --only-show-errors \"$4\" s3://vod/input/";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", script, "sh"])
        .arg(tools::built("vod")?)
        .arg(stack.state());
    shell.arg(tools::aws().get_program()).arg(&file);
    // Of another account, as people have them.
    shell
        .env("AWS_SESSION_TOKEN", "other")
        .env("AWS_ACCESS_KEY_ID", "AKIAOTHER");
    tools::run(&mut shell)?;
    ensure!(stack.keys("input/")? == ["input/notes.txt"]);
    Ok(())
}

/// Finding H4 of November 2026: sleepers took every file descriptor, and the whole stack stopped.
#[test]
fn sleepers_at_the_edge_stop_neither_viewers_nor_uploads() -> anyhow::Result<()> {
    let stack = LocalStack::start_with_open_files(256)?;
    let address = stack.endpoints.edge.strip_prefix("http://").context("no http")?;
    let mut sleepers = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /web/index.html HTTP/1.1\r\nhost: localhost\r\n")?;
        sleepers.push(stream);
    }
    let healthy = http::get(&format!("{}/healthz", stack.endpoints.edge), &[])?;
    ensure!(healthy.status == 200, "{healthy:?}");
    stack.put("input/x.txt", b"no film")?;
    let record = stack.wait_for_end("input/x.txt")?;
    ensure!(record["state"] == "ERROR", "{record:#}");
    drop(sleepers);
    Ok(())
}
