//! Signer and owner do what their `OpenAPI` document says: schemathesis finds nothing.

use std::path::Path;
use std::process::Command;

use vod_tests::{LocalStack, film, tools};

#[test]
fn schemathesis_finds_nothing() -> anyhow::Result<()> {
    let stack = LocalStack::start()?;
    // The document's examples are about this film.
    film::put(&stack, "input/film.mp4")?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(tests.join(".tools/venv/bin/schemathesis"));
    command
        .arg("--config-file")
        .arg(tests.join("schemathesis.toml"))
        .args(["run", "--no-color", "--seed", "1", "--max-examples", "60"])
        .args([
            "--header",
            &format!("Authorization: Bearer {}", stack.endpoints.token),
        ])
        .arg(format!("{}/api/openapi.json", stack.endpoints.edge))
        .env("SCHEMATHESIS_HOOKS", "schemathesis_hooks")
        .env("PYTHONPATH", tests)
        .current_dir(stack.scratch());
    let report = tools::run(&mut command)?;
    // It ends with an error when it finds anything; this is against having looked at nothing.
    anyhow::ensure!(report.contains("17 selected / 17 total"), "{report}");
    Ok(())
}
