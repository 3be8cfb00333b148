"""The documents: their commands run as they stand there, their figures follow from the prices."""

import os
import pty
import re
import shlex
import shutil
import subprocess

import pytest

import cloudformation
import costs
from conftest import ROOT, TARGET

README = (ROOT / "infra/README.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()


def commands(text):
    """The lines of the sh blocks, joined where a backslash says so, without comments."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        for line in block.replace("\\\n", " ").splitlines():
            line = re.sub(r"(^|\s+)#.*", "", line).strip()
            if line:
                found.append(line)
    return found


# ------------------------------------------------------------------------------- infra/README.md, operations.md

# Commands that install or build for minutes: compared with what the tests install and what the release builds.
INSTALL = [
    "python3 -m venv ~/.vod-tools && ~/.vod-tools/bin/pip install cargo-lambda==1.9.2",
    'export PATH="$HOME/.vod-tools/bin:$PATH"',
]


def prepare(aws):
    """The buckets that the documents take for granted."""
    s3 = aws.client("s3")
    for name in ("my-bucket", "vod-replica-111122223333"):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.parametrize("text", [README, OPERATIONS], ids=["README", "operations"])
def test_the_commands_for_aws_run(aws, deployed, text):
    """Scripts with --plan, because what they do is tested in test_scripts.py; the AWS CLI as it stands."""
    prepare(aws)
    aws.requests.clear()
    ran = set()
    for command in commands(text):
        if command in INSTALL or command.startswith("cargo lambda build"):
            continue
        program, *arguments = shlex.split(command)
        if program == "aws":
            done = subprocess.run([program, *arguments], env=deployed.environment(AWS_DEFAULT_REGION="us-east-1"), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            ran.add(" ".join(arguments[:2]))
            continue
        name = re.fullmatch(r"infra/([a-z-]+)\.sh", program).group(1)
        ran.add(name)
        if name == "smoke":
            continue  # makes a film; test_smoke.py runs it
        if name == "deploy":
            arguments += ["--packages", str(deployed.packages), "--no-smoke"]
        deployed.run(name, *arguments, "--plan")
    assert "cloudformation deploy" in ran and "deploy" in ran
    if text is README:
        assert {"deploy", "destroy", "keys", "lifecycle", "origin-access", "smoke"} <= ran
    # Only the commands of the AWS CLI have changed anything.
    assert {o.split(":")[0] for o in aws.operations(changing_only=True)} == {"cloudformation"}


def test_the_install_is_the_one_that_is_tested():
    assert [c for c in commands(README) if "lambda" not in c.split()[:2]][1:3] == INSTALL
    version = re.search(r"cargo-lambda==(\S+)", INSTALL[0]).group(0)
    assert version in (ROOT / "tests/requirements.txt").read_text().split()
    for workflow in ("release", "deploy"):
        assert version in (ROOT / f".github/workflows/{workflow}.yml").read_text(), workflow


def test_the_build_is_the_one_of_the_release():
    (documented,) = [shlex.split(c) for c in commands(README) if c.startswith("cargo lambda build")]
    release = (ROOT / ".github/workflows/release.yml").read_text().replace("\\\n", " ")
    built = shlex.split(re.search(r"cargo lambda build [^\n]*", release).group(0))
    assert documented == built
    deploy = (ROOT / "infra/deploy.sh").read_text()
    assert "cargo lambda build --release --arm64 --locked --output-format" in deploy and 'build zip "${FUNCTIONS[@]}"' in deploy


def test_the_sizes_in_the_table_are_below_the_limit():
    limit = int(re.search(r'test "\$size" -lt (\d+)', (ROOT / ".github/workflows/release.yml").read_text()).group(1))
    assert limit == 10_000_000 and "a zip reaches 10 MB" in README
    sizes = dict(re.findall(r"^\| (submit|complete|signer|reconcile) \| [\d.]+ \| ([\d.]+) \|$", README, re.M))
    assert len(sizes) == 4 and all(float(size) * 1e6 < limit for size in sizes.values())


@pytest.mark.parametrize("text", [README, OPERATIONS], ids=["README", "operations"])
def test_every_option_that_is_named_exists(text):
    template = (ROOT / "infra/template.yaml").read_text()
    for script, rest in re.findall(r"(?<!tests/)infra/([a-z-]+)\.sh((?: (?:--?[\w-]+|[\w=-]+|…))*)", text):
        source = (ROOT / f"infra/{script}.sh").read_text() + (ROOT / "infra/lib.sh").read_text()
        for option in re.findall(r"--[a-z-]+", rest):
            assert re.search(rf"(?<![\w-]){option}(?:[=+@:)]| \|)", source), (script, option)
    for name in re.findall(r"--set (\w+)=", text):
        assert re.search(rf"^  {name}:", template, re.M), name
    alarms = re.findall(r"^\| ([A-Z]\w+) \|", OPERATIONS, re.M)
    for alarm in alarms:
        assert f"  {alarm}:\n    Type: AWS::CloudWatch::Alarm" in template, alarm


def test_every_kind_of_resource_is_explained():
    """The README's tables name each service that the templates use."""
    words = {"S3": "bucket", "SQS": "SQS queue", "Lambda": "Lambda ", "CodeDeploy": "CodeDeploy", "MediaConvert": "MediaConvert queue", "Events": "EventBridge",
             "CloudFront": "CloudFront distribution", "Logs": "log groups", "CloudWatch": "alarms", "SNS": "SNS topic", "IAM": "role",
             "CertificateManager": "certificate", "Route53": "Route 53"}
    template = cloudformation.load(ROOT / "infra/template.yaml")
    for service in {resource["Type"].split("::")[1] for resource in template["Resources"].values()}:
        assert words[service] in README, service
    for path in (ROOT / "infra").glob("*.yaml"):
        assert path.stem == "template" or f"({path.name})" in README, path.name


# ------------------------------------------------------------------------------------------------------ README.md


def test_the_commands_of_the_projects_readme_run(local, tmp_path, cli):
    """All of them, in their order, in one shell, against a stack that `vod up` makes; only its port is another one."""
    listed = commands((ROOT / "README.md").read_text())
    assert listed.pop(0) == "make up"
    recipe = subprocess.run(["make", "--dry-run", "up"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "scripts/setup.sh run" in recipe and "vod -- up" in recipe
    here = [command for command in listed if "--stack" not in command]
    for command in set(listed) - set(here):
        # Those need AWS; they have tests of their own.
        name = shlex.split(command)[1]
        helped = subprocess.run([TARGET / "vod", name, "--help"], capture_output=True, text=True, check=True).stdout
        assert "--stack" in helped, command
    assert len(here) >= 12 and any(c.startswith("aws ") for c in here)
    film = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30:duration=2", "-f", "lavfi", "-i", "sine=duration=2"]
    subprocess.run(["ffmpeg", "-nostdin", "-loglevel", "error", *film, "-shortest", "-pix_fmt", "yuv420p", tmp_path / "film.mp4"], check=True)
    shutil.copy(ROOT / "job-templates/default.json", tmp_path / "my-template.json")
    # The first path names the built command; what follows has it on the PATH.
    (tmp_path / "target/debug").mkdir(parents=True)
    (tmp_path / "target/debug/vod").symlink_to(TARGET / "vod")
    script = "\n".join(["set -euo pipefail", *(c.replace("http://127.0.0.1:9000", local["api"]) for c in here)])
    environment = {"PATH": f"{TARGET}:{cli}:{os.environ['PATH']}", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    # `vod rm` asks, as it does at a terminal.
    terminal, stdin = pty.openpty()
    os.write(terminal, b"y\n")
    try:
        done = subprocess.run(["bash", "-x", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180,
                              stdin=stdin, check=False)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[y/N]" in done.stderr
    for expected in ("/play/", "Policy=", "film-"):
        assert expected in done.stdout, done.stdout


# ------------------------------------------------------------------------------------------------------- language

# Words that make texts hard to read, with what to write instead.
PLAIN = {
    r"nobody|whoever|somebody|anybody": "the viewer, no client, anyone",
    r"told|tells?": "print, report, say",
    r"mend(s|ed|ing)?": "fix, repair",
    # MediaConvert says of rectangles that they lie outside.
    r"stands?|lies?(?! outside)": "is",
    r"begun|by and by|in vain|for ever|anew": "started, automatically, without effect, forever, again",
    r"strikes?|robbed": "occurs, missing",
    r"catalogues?|honour(s|ed)?|behaviours?|colours?|licences?|cancelled": "American spelling",
}


def hard_words(name, text):
    return [f"{name}:{number}: {match.group()!r}: write {instead}"
            for number, line in enumerate(text.splitlines(), 1) for words, instead in PLAIN.items()
            for match in re.finditer(rf"\b({words})\b", line, re.IGNORECASE)]


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.splitlines() if (ROOT / name).is_file()]


def test_the_documents_are_in_plain_english():
    """The pages that people read first. Decision records stay as they were written."""
    pages = tracked("*.md", ":!CHANGELOG.md", ":!docs/adr")
    assert len(pages) >= 12
    found = [line for page in pages for line in hard_words(page, (ROOT / page).read_text())]
    assert not found, "\n".join(found)


def test_the_page_and_the_scripts_are_in_plain_english():
    """Whole files, with their comments."""
    names = tracked("web/*.js", "web/*.html", "web/*.css", "infra/*.sh", "infra/*.yaml", "infra/grafana", "scripts", "Makefile",
                    "functions/signer/openapi.json")
    assert {"web/app.js", "infra/deploy.sh", "scripts/setup.sh"} <= set(names)
    found = [line for name in names for line in hard_words(name, (ROOT / name).read_text())]
    assert not found, "\n".join(found)


def helps(*command):
    """The help of a command and of each of its own commands."""
    text = subprocess.run([TARGET / "vod", *command, "--help"], capture_output=True, text=True, check=True).stdout
    yield " ".join(("vod", *command)), text
    listed = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    for name in re.findall(r"^  ([a-z][a-z-]*)", listed, re.M):
        if name != "help":
            yield from helps(*command, name)


def test_the_help_is_in_plain_english():
    pages = dict(helps())
    assert {"vod up", "vod dead-letters redrive", "vod keys rotate"} <= set(pages)
    found = [line for name, text in pages.items() for line in hard_words(f"{name} --help", text)]
    assert not found, "\n".join(found)


# A comment, a raw string, a string or a character of Rust.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|\br(#*)".*?"\1|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', re.DOTALL)
TESTS = re.compile(r"(^|/)(tests|testing|red_team|\w+_tests)(\.rs|/)")


def messages(source):
    """The strings of a Rust file that have several words, but those of its tests; names in braces are no words."""
    for match in TOKEN.finditer(source.split("#[cfg(test)]\nmod tests {")[0]):
        text = match.group()
        if text.lstrip("r#").startswith('"') and " " in text:
            yield source.count("\n", 0, match.start()) + 1, re.sub(r"\{[^{}]*\}", "", text)


def test_the_messages_are_in_plain_english():
    names = [name for name in tracked("cli/src/*.rs", "crates/*/src/*.rs", "functions/*/src/*.rs") if not TESTS.search(name)]
    assert len(names) > 150
    found = []
    for name in names:
        for line, text in messages((ROOT / name).read_text()):
            found += hard_words(f"{name}:{line}", text)
    assert not found, "\n".join(found)


def test_a_hard_word_is_found():
    source = """// nobody
        fn f() { say("nobody knows {nobody}"); it("nobody", '"'); r#"is "told" here"#; }\n#[cfg(test)]\nmod tests { "told this" }"""
    assert [hard_words(line, text) for line, text in messages(source)] == [
        ["2:1: 'nobody': write the viewer, no client, anyone"], ["2:1: 'told': write print, report, say"]]


# ---------------------------------------------------------------------------------------------------------- costs


def test_the_costs_are_what_the_prices_make_of_them():
    """`python3 tests/infra/costs.py` prints the table."""
    assert costs.table() in README
    assert f"cost {costs.cold_storage(1):.2f} an hour and month to keep instead of {costs.storage(1):.2f}" in README
    plain = re.sub(r"\s+", " ", README)
    for figure in (
        f"costs {costs.moving(1):.3f} per hour of film once ({costs.moving(1000):.0f} for 1,000 hours)",
        f"each of the {3600 / costs.SEGMENT_SECONDS * len(costs.HLS):,.0f} segments",
        f"{costs.PRICES['S3 Standard-IA, GB read']} a GB read from STANDARD_IA and {costs.PRICES['S3 Glacier Instant Retrieval, GB read']} from GLACIER_IR",
        f"NAT gateway is {costs.nat_gateway():.2f} a month", f"the NAT instance {costs.nat_instance():.2f}",
        f"storage is {costs.SEOUL['S3 Standard, GB and month']} a GB", f"CloudFront {costs.SEOUL['CloudFront, GB (first 10 TB)']} a GB",
        f"{costs.in_seoul(costs.storage, 1000):.0f} for storage and {costs.in_seoul(costs.delivery, 1000):,.0f} for delivery",
    ):
        assert figure in plain, figure
    network = (ROOT / "infra/network.yaml").read_text()
    assert f"about {round(costs.nat_instance(), 1):.2f} dollars a month" in network and f"{costs.nat_gateway():.2f} dollars a month" in network
    rest, ten, thousand = (costs.total(hours) for hours in costs.HOURS)
    for figure in (f"about {rest:.0f} dollars a month", f"{round(ten, -1):.0f} with 10 hours", f"{round(thousand, -3):,.0f} with 1,000"):
        assert figure in re.sub(r"\s+", " ", OPERATIONS), figure
    delivered = costs.VIEW_GB * costs.PRICES["CloudFront, GB (first 10 TB)"]
    assert f"costs about {delivered * 100:.0f} cents" in re.sub(r"\s+", " ", OPERATIONS)
    assert f"some {costs.encoding(1) / delivered:.0f} viewers' hours" in OPERATIONS
    assert f"({costs.encoding(1):.2f} an hour of film)" in OPERATIONS


def test_a_price_that_changes_changes_the_table(monkeypatch):
    before = costs.table()
    monkeypatch.setitem(costs.PRICES, "MediaConvert Basic, normalized minute", 0.008)
    assert costs.table() != before
