"""infra/first-day.sh and its table in infra/README.md: the same rows, each of which runs, and a report without secrets."""

import json
import re

from conftest import ROOT
from test_stack_doctor import aws, stack  # noqa: F401  (fixtures)

README = (ROOT / "infra/README.md").read_text()
SECTION = README.split("### Assumptions that need an account")[1]
ROWS = re.findall(r"^\| `([a-z0-9-]+)` \|", SECTION, re.M)


def rows_of(said):
    return re.findall(r"^([a-z0-9-]+): ", said, re.M)


def test_table_and_script_have_the_same_rows(aws, stack, tmp_path):  # noqa: F811
    said = stack.run("first-day", "--plan", "--report", str(tmp_path / "report")).said
    assert len(ROWS) > 20 and rows_of(said) == ROWS
    assert not (tmp_path / "report").exists() and aws.operations(changing_only=True) == []


def test_every_row_runs_and_is_in_the_report(aws, stack, tmp_path):  # noqa: F811
    """A row for which the stub has no answer fails, and the next one is checked nevertheless."""
    report = tmp_path / "report.md"
    done = stack.run("first-day", "--report", str(report), ok=False)
    text = report.read_text()
    assert re.findall(r"^## (.+)$", text, re.M) == ROWS, done.said
    verdicts = dict(re.findall(r"^## (.+)\n\n(.+)$", text, re.M))
    left_out = {row for row, verdict in verdicts.items() if verdict.startswith("skipped")}
    assert left_out == {"cors-preflight", "gzip-to-the-viewer", "upload-to-playback", "replication-status", "replication-metric"}
    for row in ("function-url-by-oac", "unsigned-is-refused", "queue-for-jobs", "notification", "concurrency", "secret-versions",
                "keys-settled", "doctor", "distribution-deployed"):
        assert verdicts[row] == "as expected", text
    numbers = re.search(r"(\d+) as expected, (\d+) not, (\d+) skipped", text)
    assert sum(map(int, numbers.groups())) == len(ROWS) and int(numbers[2]) > 0
    # It only looks, but that CloudFormation is asked to compare.
    assert set(aws.operations(changing_only=True)) <= {"cloudformation:DetectStackDrift", "cloudtrail:LookupEvents"}
    secrets = aws.client("secretsmanager")
    for name in ("vod/signing", "vod/jwt"):
        value = secrets.get_secret_value(SecretId=name)["SecretString"]
        for part in [value] if name == "vod/jwt" else json.loads(value)["keys"][0]["private_pem"].splitlines()[1:-1]:
            assert part not in text + done.said


def test_one_row_decides_the_exit_code(aws, stack, tmp_path):  # noqa: F811
    report = str(tmp_path / "report.md")
    stack.run("first-day", "--only", "unsigned-is-refused", "--report", report)
    aws.edge["unsigned"] = 200
    said = stack.run("first-day", "--only", "unsigned-is-refused", "--report", report, ok=False).said
    assert "unsigned-is-refused: NOT as expected" in said and "0 as expected, 1 not" in said
    assert "there is no row 'nonsense'" in stack.run("first-day", "--only", "nonsense", "--report", report, ok=False).said


def test_what_looks_like_a_secret_does_not_reach_the_report(aws, stack, tmp_path):  # noqa: F811
    leak = "https://e.net/a?Signature=SECRETSIG&x=1 eyJhbGciOi.eyJzdWIi.c2ln AKIAABCDEFGHIJKLMNOP"
    (tmp_path / "bin").mkdir()
    curl = tmp_path / "bin/curl"
    curl.write_text(f"#!/bin/sh\necho '{leak}'\n")
    curl.chmod(0o755)
    report = tmp_path / "report.md"
    stack.run("first-day", "--only", "viewers-place", "--report", str(report), ok=False,
              PATH=f"{tmp_path / 'bin'}:{stack.environment()['PATH']}")
    text = report.read_text()
    assert "Signature=***" in text and not re.search("SECRETSIG|eyJ|AKIAABC", text), text
