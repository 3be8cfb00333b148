"""The smoke test of deploy.sh, for real: against `vod up`, which answers as the stack on AWS does."""

import os
import subprocess

from conftest import ROOT


def smoke(local, cli, *arguments, **changes):
    environment = {
        "PATH": f"{cli}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), "AWS_REGION": local["region"], "AWS_ENDPOINT_URL": local["api"],
        "AWS_ACCESS_KEY_ID": local["access_key"], "AWS_SECRET_ACCESS_KEY": local["secret_key"],
        "VOD_TOKEN": local["token"], "VOD_POLL_SECONDS": "1", "LC_ALL": "C.UTF-8", **changes,
    }
    command = [ROOT / "infra/smoke.sh", "--url", local["edge"], "--bucket", local["bucket"], *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL)


def test_it_passes_on_a_stack_that_works_and_fails_without_a_token(local, cli):
    done = smoke(local, cli, "--minutes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("the signed playlist: 200", "its first segment: 200", "the signed MP4: 200", "the MP4 without its signature: 403",
                 "a segment without its signature: 403", "smoke test passed"):
        assert line in done.stderr, done.stderr
    assert local["token"] not in done.stderr
    refused = smoke(local, cli, "--minutes", "1", VOD_TOKEN="not.a.token")
    assert refused.returncode == 1 and "refuses the token (401)" in refused.stderr
