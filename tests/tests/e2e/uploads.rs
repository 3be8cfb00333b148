//! Uploads in parts over HTTP, as an app does them.

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use vod_core::digest::sha256_hex;
use vod_tests::http::{self, Answer};
use vod_tests::{LocalStack, clips};

use super::app::{App, detail};

/// The size of a part in bytes, for files of up to 156 GiB.
const PART: usize = 16 << 20;

impl<'a> App<'a> {
    fn uploader(stack: &'a LocalStack, sub: &str) -> anyhow::Result<Self> {
        Self::new(stack, &["--scope", "upload", "--sub", sub])
    }

    fn create(&self, name: &str, size: usize) -> anyhow::Result<Session<'_>> {
        let new = json!({"filename": name, "type": "video/mp4", "size": size});
        let created = self.json(201, "POST", "/api/uploads", Some(&new))?;
        ensure!(created["partSize"] == PART, "{created}");
        let text = |name: &str| created[name].as_str().map(str::to_owned).context("no text");
        Ok(Session {
            app: self,
            key: text("key")?,
            id: text("uploadId")?,
        })
    }
}

/// What a page remembers of an upload.
struct Session<'a> {
    app: &'a App<'a>,
    key: String,
    id: String,
}

impl Session<'_> {
    fn path(&self, rest: &str) -> String {
        let key = form_urlencoded::Serializer::new(String::new())
            .append_pair("key", &self.key)
            .finish();
        format!("/api/uploads/{}{rest}?{key}", self.id)
    }

    fn sign(&self, part: usize) -> anyhow::Result<String> {
        let signed = self.app.json(200, "GET", &self.path(&format!("/{part}")), None)?;
        Ok(signed["url"].as_str().context("no url")?.to_owned())
    }

    /// Sends a part as a page does: without a token, and from its own origin.
    fn put(&self, part: usize, file: &[u8]) -> anyhow::Result<()> {
        let bytes = file.chunks(PART).nth(part - 1).context("no such part")?;
        let origin = &self.app.stack.endpoints.edge;
        let answer = http::send("PUT", &self.sign(part)?, &[("origin", origin)], bytes.to_vec())?;
        ensure!(answer.status == 200, "{answer:?}");
        ensure!(
            answer.header("access-control-allow-origin") == origin,
            "{answer:?}"
        );
        ensure!(
            answer.header("access-control-expose-headers").contains("ETag"),
            "{answer:?}"
        );
        Ok(())
    }

    fn parts(&self) -> anyhow::Result<Value> {
        self.app.json(200, "GET", &self.path(""), None)
    }

    fn complete(&self, parts: &Value) -> anyhow::Result<Answer> {
        self.app
            .send("POST", &self.path("/complete"), Some(&json!({ "parts": parts })))
    }

    fn completed(&self, parts: &Value) -> anyhow::Result<Value> {
        let answer = self.complete(parts)?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(serde_json::from_slice(&answer.body)?)
    }
}

/// An ordinary clip that has two parts: an MP4 file may end in a box of free space.
fn clip_of_two_parts() -> anyhow::Result<Vec<u8>> {
    let mut clip = std::fs::read(clips::ordinary("640x360", 1.0)?)?;
    let free = u32::try_from(PART)?;
    clip.extend(free.to_be_bytes());
    clip.extend(b"free");
    clip.resize(clip.len() + PART - 8, 7);
    Ok(clip)
}

#[test]
fn an_upload_in_parts_goes_on_after_a_reload_and_becomes_a_video() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let app = App::uploader(&stack, "anna")?;
    let file = clip_of_two_parts()?;
    // As older Macs write it; in form C it is one character.
    let session = app.create("cafe\u{301} & film.mp4", file.len())?;
    ensure!(session.key == "input/caf\u{e9} & film.mp4", "{}", session.key);
    ensure!(session.parts()? == json!([]), "there are parts");
    session.put(1, &file)?;

    // After a reload the page knows key and id alone.
    let again = Session {
        app: &app,
        key: session.key.clone(),
        id: session.id.clone(),
    };
    let there = again.parts()?;
    ensure!(
        there[0]["PartNumber"] == 1
            && there[0]["Size"] == PART
            && there.as_array().is_some_and(|all| all.len() == 1),
        "{there}"
    );
    let early = detail(&again.complete(&there)?, 400)?;
    ensure!(early.contains("part 2 is missing"), "{early}");
    again.put(2, &file)?;
    let parts = again.parts()?;
    let before = stack.keys("ops/uploads/")?;
    let open = stack.download("ops/uploads/")?;
    let done = again.completed(&parts)?;
    ensure!(done["key"] == session.key, "{done}");
    ensure!(again.completed(&parts)? == done, "another answer");

    // A function that died before it noted the end: the finished object tells.
    let name = before[0].trim_start_matches("ops/uploads/");
    stack.put_file(&before[0], &open.join(name))?;
    ensure!(again.completed(&parts)? == done, "another answer after a crash");
    ensure!(
        detail(&app.send("DELETE", &again.path(""), None)?, 409)?.contains("complete"),
        "aborted"
    );

    let record = stack.wait_for_complete(&session.key)?;
    ensure!(record["id"] == done["asset"], "{record:#}");
    ensure!(
        stack
            .download("input/")?
            .join("caf\u{e9} & film.mp4")
            .metadata()?
            .len()
            == file.len() as u64,
        "another size"
    );
    Ok(())
}

#[test]
fn an_aborted_session_leaves_nothing() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let app = App::uploader(&stack, "anna")?;
    let file = vec![1; PART + 1];
    let session = app.create("film.mp4", file.len())?;
    session.put(1, &file)?;
    let answer = app.send("DELETE", &session.path(""), None)?;
    ensure!(answer.status == 204, "{answer:?}");
    let uploads = stack.aws(&["s3api", "list-multipart-uploads", "--bucket", "vod"])?;
    ensure!(!uploads.contains("UploadId"), "{uploads}");
    ensure!(
        stack.keys("input/")?.is_empty() && stack.keys("ops/uploads/")?.is_empty(),
        "something is left"
    );
    for (method, rest) in [("GET", ""), ("GET", "/1"), ("DELETE", "")] {
        detail(&app.send(method, &session.path(rest), None)?, 404)?;
    }
    ensure!(
        app.create("film.mp4", 1)?.key == "input/film.mp4",
        "the name is still reserved"
    );
    Ok(())
}

#[test]
fn uploads_never_replace_each_other() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let (anna, bert) = (App::uploader(&stack, "anna")?, App::uploader(&stack, "bert")?);
    let first = anna.create("notes.txt", 5)?;
    let second = bert.create("notes.txt", 5)?;
    ensure!(
        (first.key.as_str(), second.key.as_str()) == ("input/notes.txt", "input/notes (2).txt"),
        "{} {}",
        first.key,
        second.key
    );
    for session in [&first, &second] {
        session.put(1, b"first")?;
    }
    // A file of that name comes by another way.
    stack.put(&first.key, b"other")?;
    let taken = detail(&first.complete(&first.parts()?)?, 409)?;
    ensure!(taken.contains("in the meantime"), "{taken}");
    ensure!(
        std::fs::read(stack.download("input/")?.join("notes.txt"))? == b"other",
        "replaced"
    );
    // Its parts are kept: once that file is gone, it can be completed.
    stack.aws(&[
        "s3",
        "rm",
        "--only-show-errors",
        &format!("s3://vod/{}", first.key),
    ])?;
    first.completed(&first.parts()?)?;
    second.completed(&second.parts()?)?;
    ensure!(
        anna.create("notes.txt", 5)?.key == "input/notes (3).txt",
        "another name"
    );
    Ok(())
}

#[test]
fn bad_uploads_are_refused_with_their_reason() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let app = App::uploader(&stack, "anna")?;
    for (new, words) in [
        (json!({"filename": "a/b.mp4", "size": 1}), "contains `/`"),
        (json!({"filename": "..", "size": 1}), "is `.` or `..`"),
        (
            json!({"filename": "x".repeat(1_000), "size": 1}),
            "255 characters",
        ),
        (json!({"filename": "a\u{0}b", "size": 1}), "control character"),
        (json!({"filename": "", "size": 1}), "empty"),
        (json!({"filename": "a", "size": 0}), "size is not between"),
        (
            json!({"filename": "a", "size": (5_u64 << 40) + 1}),
            "size is not between",
        ),
        (json!({"filename": "a", "size": -1}), "malformed"),
        (
            json!({"filename": "a", "size": 1, "type": "a\r\nb"}),
            "media type",
        ),
        (json!({"size": 1}), "missing field `filename`"),
        (json!([]), "malformed"),
    ] {
        let said = detail(&app.send("POST", "/api/uploads", Some(&new))?, 400)?;
        ensure!(said.contains(words), "{new}: {said}");
    }
    let file = vec![1; PART + 1];
    let session = app.create("film.mp4", file.len())?;
    for part in ["3", "10001", "0"] {
        let said = detail(&app.send("GET", &session.path(&format!("/{part}")), None)?, 400)?;
        ensure!(said.contains("2 parts"), "{part}: {said}");
    }
    detail(&app.send("GET", &session.path("/+1"), None)?, 404)?;
    detail(
        &app.send("GET", &format!("/api/uploads/{}", session.id), None)?,
        400,
    )?;

    // A URL is for one part of one key and for its very length.
    // Short, because who refuses a long body may end the connection before it is sent.
    let url = app.create("short.mp4", 1024)?.sign(1)?;
    for (url, bytes) in [
        (url.clone(), 1023),
        (url.replace("short.mp4", "evil.mp4"), 1024),
        (url.replace("/input/", "/jobs/"), 1024),
        (url.replace("partNumber=1", "partNumber=2"), 1024),
    ] {
        let answer = http::send("PUT", &url, &[], vec![1; bytes])?;
        ensure!(answer.status == 403, "{bytes}: {answer:?}");
    }
    for part in [1, 2] {
        session.put(part, &file)?;
    }
    let good = session.parts()?;
    let many: Vec<_> = (1..=10_001)
        .map(|number| json!({"PartNumber": number, "ETag": "x"}))
        .collect();
    for (parts, words) in [
        (json!([good[0]]), "part 2 is missing"),
        (
            json!([good[0], good[0], good[1]]),
            "part 2 is missing, or listed twice",
        ),
        (json!([{"PartNumber": 1, "ETag": "x"}, good[1]]), "another ETag"),
        (json!(many), "another ETag"),
        (json!([]), "part 1 is missing"),
        (json!("parts"), "malformed"),
    ] {
        let said = detail(&session.complete(&parts)?, 400)?;
        ensure!(said.contains(words), "{words}: {said}");
    }
    ensure!(stack.keys("input/")?.is_empty(), "something was made");
    Ok(())
}

#[test]
fn a_token_uploads_within_its_limits_only() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    let anna = App::uploader(&stack, "anna")?;
    let session = anna.create("film.mp4", 5)?;
    let new = json!({"filename": "a.mp4", "size": 5});
    let parts = json!({"parts": []});
    let requests = [
        ("POST", "/api/uploads".to_owned(), Some(&new)),
        ("GET", session.path(""), None),
        ("GET", session.path("/1"), None),
        ("POST", session.path("/complete"), Some(&parts)),
        ("DELETE", session.path(""), None),
    ];
    let viewer = App::new(&stack, &["--scope", "library,playback", "--sub", "anna"])?;
    let stranger = App {
        stack: &stack,
        bearer: "Bearer x".to_owned(),
    };
    let bert = App::uploader(&stack, "bert")?;
    for (number, (method, path, body)) in requests.iter().enumerate() {
        let said = detail(&viewer.send(method, path, *body)?, 403)?;
        ensure!(
            said.contains("lacks the scope `upload`"),
            "{method} {path}: {said}"
        );
        detail(&stranger.send(method, path, *body)?, 401)?;
        if number > 0 {
            let said = detail(&bert.send(method, path, *body)?, 403)?;
            ensure!(
                said.contains("belongs to another token"),
                "{method} {path}: {said}"
            );
        }
    }

    let limits = [
        "--scope",
        "upload",
        "--upload-prefix",
        "users/7/",
        "--max-bytes",
        "100",
    ];
    let limited = App::new(&stack, &limits)?;
    ensure!(
        limited.create("film.mp4", 100)?.key == "input/users/7/film.mp4",
        "another folder"
    );
    let large = json!({"filename": "a.mp4", "size": 101});
    let said = detail(&limited.send("POST", "/api/uploads", Some(&large))?, 403)?;
    ensure!(said.contains("allows 100 bytes"), "{said}");
    let outside = App::new(&stack, &["--scope", "upload", "--upload-prefix", "../jobs/"])?;
    let said = detail(&outside.send("POST", "/api/uploads", Some(&new))?, 403)?;
    ensure!(said.contains("upload_prefix"), "{said}");

    // The limit counts again at the end.
    session.put(1, b"12345")?;
    let narrow = App::new(
        &stack,
        &["--scope", "upload", "--sub", "anna", "--max-bytes", "4"],
    )?;
    let end = json!({"parts": session.parts()?});
    let said = detail(&narrow.send("POST", &session.path("/complete"), Some(&end))?, 403)?;
    ensure!(said.contains("allows 4 bytes"), "{said}");
    Ok(())
}

#[test]
fn the_edge_sends_bodies_on_as_cloudfront_does() -> anyhow::Result<()> {
    let stack = LocalStack::start_with(&["--allowed-origin", "http://app.example"])?;
    let app = App::uploader(&stack, "anna")?;
    let url = format!("{}/api/uploads", stack.endpoints.edge);
    let body = br#"{"filename":"a.mp4","size":5}"#.to_vec();
    let (right, wrong) = (sha256_hex(&body), sha256_hex(b"other"));
    for (hash, status) in [(Some(right), 201), (Some(wrong), 403), (None, 403)] {
        let mut headers = vec![("authorization", app.bearer.as_str())];
        headers.extend(hash.as_ref().map(|hash| ("x-amz-content-sha256", hash.as_str())));
        let answer = http::send("POST", &url, &headers, body.clone())?;
        ensure!(answer.status == status, "{hash:?}: {answer:?}");
    }
    let asked = [
        ("origin", "http://app.example"),
        ("access-control-request-method", "POST"),
    ];
    let leave = http::send("OPTIONS", &url, &asked, Vec::new())?;
    ensure!(leave.status == 204, "{leave:?}");
    ensure!(
        leave.header("access-control-allow-methods").contains("POST"),
        "{leave:?}"
    );
    ensure!(
        leave
            .header("access-control-allow-headers")
            .contains("X-Amz-Content-Sha256"),
        "{leave:?}"
    );
    // The page may send parts to the bucket, and to no other place.
    let page = http::get(&stack.endpoints.edge, &[])?;
    let connect = format!("connect-src 'self' {}", stack.endpoints.api);
    ensure!(
        page.header("content-security-policy").ends_with(&connect),
        "{page:?}"
    );
    // The signer's paths have no other methods than before.
    let url = format!("{}/api/assets", stack.endpoints.edge);
    ensure!(http::send("POST", &url, &[], Vec::new())?.status == 403, "POST");
    Ok(())
}
