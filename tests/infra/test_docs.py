"""The documents of infra/: their commands run, their figures follow from the prices."""

import re
import shlex

import pytest

from conftest import ROOT

README = (ROOT / "infra/README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
COMMANDS = [line.split("#")[0].strip() for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]


def test_the_commands_of_the_readme_run(aws, deployed):
    """Each as it stands, but with --plan: what they do is tested in test_scripts.py."""
    assert len(COMMANDS) >= 10
    for command in COMMANDS:
        script, *arguments = shlex.split(command)
        name = re.fullmatch(r"infra/([a-z-]+)\.sh", script).group(1)
        if name == "smoke":
            continue  # makes a film; test_smoke.py runs it
        if "my-bucket" in arguments:
            aws.client("s3").create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        if name == "deploy":
            arguments += ["--packages", str(deployed.packages), "--no-smoke"]
        deployed.run(name, *arguments, "--plan")
    assert aws.operations(changing_only=True) == []


@pytest.mark.parametrize("text", [README, OPERATIONS], ids=["README", "operations"])
def test_every_option_that_is_named_exists(text):
    template = (ROOT / "infra/template.yaml").read_text()
    for script, rest in re.findall(r"(?<!tests/)infra/([a-z-]+)\.sh((?: (?:--?[\w-]+|[\w=-]+|…))*)", text):
        source = (ROOT / f"infra/{script}.sh").read_text() + (ROOT / "infra/lib.sh").read_text()
        for option in re.findall(r"--[a-z-]+", rest):
            assert f"{option})" in source or f"{option} |" in source, (script, option)
    for name in re.findall(r"--set (\w+)=", text):
        assert re.search(rf"^  {name}:", template, re.M), name
    alarms = re.findall(r"^\| ([A-Z]\w+) \|", OPERATIONS, re.M)
    for alarm in alarms:
        assert f"  {alarm}:\n    Type: AWS::CloudWatch::Alarm" in template, alarm


def test_the_costs_follow_from_the_prices():
    """us-east-1, aws-facts of November 2026."""
    encoding = 60 * (1 + 1 + 2 + 2) * 0.0075  # 360 and 540 lines are SD, 720 twice HD; normalized minutes
    gigabytes = (0.8 + 1.8 + 3.0 + 3 * 0.128 + 3.128 + 8) * 3600 / 8 / 1000
    storage = gigabytes * 0.023
    writing = (3 * 600 + 720) * 0.005 / 1000
    viewed = 1000 * 10 * 3.128 * 3600 / 8 / 1000  # GB
    delivery = (viewed - 1000) * 0.085

    def row(start):
        line = next(line for line in README.splitlines() if line.startswith(f"| {start}"))
        return [float(cell.replace(",", "")) for cell in line.split("|")[3:5]]

    for start, hour in (("encoding", encoding), ("storage", storage), ("writing", writing)):
        ten, thousand = row(start)
        assert ten == pytest.approx(10 * hour, rel=0.05) and thousand == pytest.approx(1000 * hour, rel=0.05), (start, hour)
    assert row("delivery")[1] == pytest.approx(delivery, rel=0.05)
    total = 1000 * (encoding + storage + writing) + delivery
    assert total == pytest.approx(4000, rel=0.02)
