"""The smoke test of deploy.sh, for real: against `vod up`, which answers as the stack on AWS does."""

import http.server
import json
import os
import subprocess
import threading

import pytest

from conftest import ROOT, TARGET


def smoke(tmp_path, *arguments, **changes):
    environment = {name: os.environ[name] for name in ("PATH", "HOME")}
    environment |= {"VOD": str(TARGET / "vod"), "VOD_POLL_SECONDS": "1", "LC_ALL": "C.UTF-8", **changes}
    command = [ROOT / "infra/smoke.sh", "--state", tmp_path / ".vod", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180, check=False, stdin=subprocess.DEVNULL)


def test_it_passes_on_a_stack_that_works_and_fails_without_a_token(local, tmp_path):
    done = smoke(tmp_path, "--minutes", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    for line in ("the signed playlist plays", "the signed MP4 plays", "the MP4 without its signature: 403",
                 "a segment without its signature: 403", "smoke test passed"):
        assert line in done.stderr, done.stderr
    assert local["token"] not in done.stderr and "Signature=" not in done.stderr
    refused = smoke(tmp_path, "--minutes", "1", VOD_TOKEN="not.a.token")
    assert refused.returncode == 1 and "refuses the token" in refused.stderr and "HTTP 401" in refused.stderr


def in_smoke(script, **environment):
    """Runs a line with the functions of smoke.sh."""
    return subprocess.run(["bash", "-c", f'source "{ROOT}/infra/smoke.sh"; {script}'], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "VOD": str(TARGET / "vod"), **environment}, check=False)


class Statuses(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses of its server, the last one for ever; 0 is no answer at all."""

    def do_GET(self):
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.server.asked += 1
        if not status:
            return
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def answers():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Statuses)
    server.asked, server.statuses, server.url = 0, [200], f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def described(url):
    return json.dumps({"Parameters": [{"ParameterKey": "DomainName", "ParameterValue": "v.example.com"}], "Outputs": [
        {"OutputKey": "Url", "OutputValue": url}, {"OutputKey": "DistributionDomain", "OutputValue": "d111111abcdef8.cloudfront.net"}]})


def test_a_name_that_does_not_resolve_yet_is_not_waited_for(answers):
    done = in_smoke('use_stack "$DESCRIBED"; choose_url; echo "$VOD_URL"', DESCRIBED=described("https://video.invalid"))
    assert done.stdout.strip() == "https://d111111abcdef8.cloudfront.net", done.stderr
    assert "needs a CNAME (or ALIAS) to d111111abcdef8.cloudfront.net" in done.stderr
    answers.statuses = [403]
    done = in_smoke('use_stack "$DESCRIBED"; choose_url; echo "${VOD_URL:-its own}"', DESCRIBED=described(answers.url))
    assert (done.stdout.strip(), done.stderr) == ("its own", "")


def test_a_403_is_asked_again_for_a_minute_and_a_401_is_not(answers, tmp_path):
    endpoints = {"api": answers.url, "edge": answers.url, "bucket": "vod", "region": "us-east-1", "access_key": "a", "secret_key": "s", "token": "t"}
    (tmp_path / "endpoints.json").write_text(json.dumps(endpoints))
    script = f"CHOICE=(--state {tmp_path}) WORK={tmp_path} MINUTES=2; wait_for film-0123456789abcdef-01234567"
    answers.statuses = [403, 0, 403, 404, 503, 200]
    done = in_smoke(script, VOD_POLL_SECONDS="0")
    assert done.returncode == 0 and answers.asked >= 6 and answers.statuses == [200], done.stderr
    for statuses, patience in (([403], "0"), ([401], "60")):
        answers.statuses, answers.asked = statuses, 0
        done = in_smoke(script, VOD_POLL_SECONDS="0", VOD_REFUSAL_SECONDS=patience)
        assert done.returncode == 1 and f"refuses the token: no reason given (HTTP {statuses[0]})" in done.stderr and answers.asked == 1, done.stderr
