//! A killed process: leftovers are swept, and an object exists exactly if its message does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_s3::config::{Config, ResponseChecksumValidation};
use tokio::task::JoinSet;

use crate::server::{BUCKET, TestS3, client, noise, serve};

#[tokio::test]
async fn drafts_are_removed_orphans_set_aside_and_objects_stay() {
    let server = TestS3::local().await;
    let body = noise(100_000, 1);
    server.put("input/x", body.clone()).await;
    // What a process leaves that is killed while writing, and between writing and the commit.
    let objects = server.state.path().join("objects");
    std::fs::write(objects.join("tmp/halfwritten"), "x").unwrap();
    std::fs::create_dir_all(objects.join("zz")).unwrap();
    std::fs::write(objects.join("zz/zzorphan"), "x").unwrap();
    assert_eq!(server.files(), 3);

    let server = server.restart().await;
    assert_eq!(server.files(), 1);
    assert_eq!(server.orphans(), ["zzorphan"]);
    assert!(server.get("input/x").await == body);
    assert_eq!(server.queues.counts("uploads").await.unwrap().visible, 1);
}

/// The files that are the database, whatever state it is in.
fn database(state: &Path) -> Vec<std::path::PathBuf> {
    let names = ["vod.db", "vod.db-wal", "vod.db-shm"];
    let paths = names.iter().map(|name| state.join(name));
    paths.filter(|path| path.exists()).collect()
}

/// The index of a backup does not know what was uploaded since. Nothing is deleted, and the newer index finds all of it.
#[tokio::test]
async fn an_older_index_sets_newer_files_aside_and_the_newer_one_has_them_back() {
    let backups = tempfile::tempdir().unwrap();
    let (old, new) = (backups.path().join("old.db"), backups.path().join("new.db"));
    let server = TestS3::local().await;
    server.put("input/old", noise(100_000, 1)).await;
    let state = server.stop().await;
    std::fs::copy(state.path().join("vod.db"), &old).unwrap();

    let server = TestS3::in_folder(state).await;
    server.put("input/new", noise(100_000, 2)).await;
    let state = server.stop().await;
    std::fs::rename(state.path().join("vod.db"), &new).unwrap();
    std::fs::copy(&old, state.path().join("vod.db")).unwrap();

    let server = TestS3::in_folder(state).await;
    assert!(server.exists("input/old").await && !server.exists("input/new").await);
    assert_eq!((server.files(), server.orphans().len()), (1, 1));
    let state = server.stop().await;
    std::fs::copy(&new, state.path().join("vod.db")).unwrap();

    let server = TestS3::in_folder(state).await;
    assert_eq!((server.files(), server.orphans().len()), (2, 0));
    assert!(server.get("input/new").await == noise(100_000, 2));
}

/// A new index beside files of another one is refused, and so is the index of another folder.
#[tokio::test]
async fn a_lost_or_foreign_index_is_refused_and_no_file_goes() {
    let server = TestS3::local().await;
    server.put("input/x", noise(100_000, 1)).await;
    let state = server.stop().await;
    let other = TestS3::local().await;
    other.put("input/y", noise(100_000, 2)).await;
    let other = other.stop().await;
    let kept = state.path().join("kept.db");
    std::fs::rename(state.path().join("vod.db"), &kept).unwrap();

    for foreign in [false, true] {
        if foreign {
            std::fs::copy(other.path().join("vod.db"), state.path().join("vod.db")).unwrap();
        }
        let opened = crate::server::try_open(state.path(), local_base::clock::system()).await;
        let error = std::error::Error::source(&opened.err().unwrap())
            .unwrap()
            .to_string();
        let says = if foreign {
            "belongs to other content files"
        } else {
            "is missing or empty"
        };
        assert!(
            error.contains(says) && error.contains("nothing was deleted"),
            "{error}"
        );
        assert_eq!(crate::server::count_files(&state.path().join("objects")), 1);
        for path in database(state.path()) {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::rename(kept, state.path().join("vod.db")).unwrap();
    let server = TestS3::in_folder(state).await;
    assert!(server.get("input/x").await == noise(100_000, 1));
}

#[tokio::test]
async fn an_upload_goes_on_after_a_restart() {
    use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
    let server = TestS3::local().await;
    let created = server
        .client
        .create_multipart_upload()
        .bucket(BUCKET)
        .key("input/x")
        .send()
        .await
        .unwrap();
    let id = created.upload_id.unwrap();
    let part = server
        .client
        .upload_part()
        .bucket(BUCKET)
        .key("input/x")
        .upload_id(&id)
        .part_number(1);
    let part = part.body(noise(100_000, 1).into()).send().await.unwrap();

    let server = server.restart().await;
    let part = CompletedPart::builder()
        .part_number(1)
        .set_e_tag(part.e_tag)
        .build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = server
        .client
        .complete_multipart_upload()
        .bucket(BUCKET)
        .key("input/x")
        .upload_id(id);
    complete.multipart_upload(parts).send().await.unwrap();
    assert!(server.get("input/x").await == noise(100_000, 1));
}

/// The one content file of a server.
fn content_file(state: &Path) -> std::path::PathBuf {
    let folders = std::fs::read_dir(state.join("objects")).unwrap();
    let folders = folders.map(|folder| folder.unwrap());
    let folder = folders
        .filter(|folder| folder.file_name().len() == 2)
        .last()
        .unwrap();
    std::fs::read_dir(folder.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
}

/// Whatever has happened to a content file, a client never has a whole body that is wrong.
#[tokio::test]
async fn a_content_file_that_is_changed_cut_or_gone_is_an_error_and_never_other_bytes() {
    let server = TestS3::local().await;
    let body = noise(1_200_000, 1);
    server.put("input/x", body.clone()).await;
    let file = content_file(server.state.path());
    let get = async |range: Option<&str>| {
        // Most clients compare no checksum of their own.
        let unchecked =
            Config::builder().response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let get = server.client.get_object().bucket(BUCKET).key("input/x");
        let get = get.set_range(range.map(str::to_owned)).customize();
        let output = get.config_override(unchecked).send().await.ok()?;
        Some(output.body.collect().await.ok()?.to_vec())
    };
    assert!(get(None).await.as_ref() == Some(&body));
    assert!(get(Some("bytes=5-9")).await.as_deref() == Some(&body[5..10]));
    let mut changed = body.clone();
    changed[700_000] ^= 1;
    std::fs::write(&file, &changed).unwrap();
    assert!(get(None).await.is_none(), "changed");
    std::fs::write(&file, &body[..1_199_999]).unwrap();
    assert!(get(None).await.is_none(), "cut");
    let head = server
        .client
        .get_object()
        .bucket(BUCKET)
        .key("input/x")
        .send()
        .await;
    assert_eq!(
        crate::server::code(head),
        "InternalError",
        "cut is said before the first byte"
    );
    std::fs::remove_file(&file).unwrap();
    assert!(get(None).await.is_none(), "gone");
}

/// A database of a version without checksums.
#[tokio::test]
async fn content_files_of_an_older_version_are_served_without_a_check() {
    let server = TestS3::local().await;
    server.put("input/x", noise(100_000, 1)).await;
    let state = server.stop().await;
    let connection = rusqlite::Connection::open(state.path().join("vod.db")).unwrap();
    connection
        .execute_batch("ALTER TABLE s3_blob DROP COLUMN crc64")
        .unwrap();
    drop(connection);
    let server = TestS3::in_folder(state).await;
    assert!(server.get("input/x").await == noise(100_000, 1));
    server.put("input/y", noise(100_000, 2)).await;
    assert!(server.get("input/y").await == noise(100_000, 2));
}

/// As the lifecycle rule of the bucket has it on AWS.
#[tokio::test]
async fn an_upload_that_nobody_completes_goes_after_seven_days() {
    let server = TestS3::local().await;
    let create = server.client.create_multipart_upload().bucket(BUCKET);
    let id = create.key("input/x").send().await.unwrap().upload_id.unwrap();
    let part = server
        .client
        .upload_part()
        .bucket(BUCKET)
        .key("input/x")
        .upload_id(id);
    part.part_number(1)
        .body(noise(100_000, 1).into())
        .send()
        .await
        .unwrap();
    let mut state = server.stop().await;
    for (hours, left) in [(7 * 24 - 1, 1), (7 * 24 + 1, 0)] {
        let later = crate::server::ticking_clock_after(hours * 3600);
        let (service, _) = crate::server::open(state.path(), later).await;
        service.tidy_up().await.unwrap();
        drop(service);
        let server = TestS3::in_folder(state).await;
        let listed = server
            .client
            .list_multipart_uploads()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap();
        assert_eq!((listed.uploads().len(), server.files()), (left, left), "{hours}");
        state = server.stop().await;
    }
}

#[tokio::test]
async fn old_objects_under_a_prefix_go_and_others_stay() {
    let server = TestS3::local().await;
    // More than one transaction takes.
    let keys = (0..150).map(|number| format!("short/{number}"));
    for key in keys.chain(["shorts".to_owned(), "long/x".to_owned()]) {
        // Small ones are in the index itself.
        let length = if key == "short/0" { 100_000 } else { 10 };
        let put = server.client.put_object().bucket(BUCKET).key(key);
        put.body(noise(length, 1).into()).send().await.unwrap();
    }
    let mut state = server.stop().await;
    for (hours, left) in [(23, (152, 1)), (25, (2, 0))] {
        let later = crate::server::ticking_clock_after(hours * 3600);
        let (service, _) = crate::server::open(state.path(), later).await;
        service.tidy_up().await.unwrap();
        drop(service);
        let server = TestS3::in_folder(state).await;
        let listed = server
            .client
            .list_objects_v2()
            .bucket(BUCKET)
            .send()
            .await
            .unwrap();
        assert_eq!((listed.contents().len(), server.files()), left, "{hours}");
        state = server.stop().await;
    }
}

/// Tells [`server_to_kill`] that it is one, and where its state is.
const STATE: &str = "VOD_TEST_STATE";

/// Not a test of its own: the server that the test below runs as a process, to kill it.
#[tokio::test(flavor = "multi_thread")]
async fn server_to_kill() {
    let Ok(state) = std::env::var(STATE) else { return };
    let (endpoint, _, server) = serve(state.as_ref(), local_base::clock::system()).await;
    writeln!(std::io::stdout(), "\nlistening {endpoint}").unwrap();
    server.await.unwrap().unwrap();
}

/// Starts the server as a process of its own and waits until it listens.
fn start(state: &Path) -> (Child, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["crash::server_to_kill", "--exact", "--nocapture"])
        .env(STATE, state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut output = lines
        .map_while(Result::ok)
        .filter_map(|line| Some(line.strip_prefix("listening ")?.to_owned()));
    let endpoint = output.next().expect("the server should start");
    (child, endpoint)
}

/// kill -9 at random instants, again and again, while clients write.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_there_exactly_when_its_object_is() {
    let state = tempfile::tempdir().unwrap();
    let body = |writer: u64| noise(if writer.is_multiple_of(2) { 100 } else { 200_000 }, writer + 1);
    let mut acknowledged = Vec::new();
    for round in 0..8_u64 {
        let (mut child, endpoint) = start(state.path());
        let config = client(&endpoint, "vod-local-secret").config().to_builder();
        let once = aws_sdk_s3::config::retry::RetryConfig::disabled();
        let client = aws_sdk_s3::Client::from_conf(config.retry_config(once).build());
        let mut writers = JoinSet::new();
        for writer in 0..16 {
            let key = format!("input/{round}-{writer}");
            let put = client
                .put_object()
                .bucket(BUCKET)
                .key(&key)
                .body(body(writer).into());
            writers.spawn(async move { put.send().await.is_ok().then_some((key, writer)) });
        }
        // As many answers as the round's number, then the server goes.
        for _ in 0..=round {
            acknowledged.extend(writers.join_next().await.unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(result) = writers.join_next().await {
            acknowledged.extend(result.unwrap());
        }
    }
    let server = TestS3::in_folder(state).await;
    let page = server
        .client
        .list_objects_v2()
        .bucket(BUCKET)
        .prefix("input/")
        .send()
        .await
        .unwrap();
    let counts = server.queues.counts("uploads").await.unwrap();
    assert_eq!(
        page.contents().len(),
        (counts.visible + counts.in_flight) as usize
    );
    assert!(page.contents().len() >= acknowledged.len() && acknowledged.len() >= 8);
    for (key, writer) in acknowledged {
        assert!(server.get(&key).await == body(writer), "{key}");
    }
    let in_files = page
        .contents()
        .iter()
        .filter(|entry| entry.size().unwrap() > 16_384)
        .count();
    assert_eq!(server.files(), in_files);
}
