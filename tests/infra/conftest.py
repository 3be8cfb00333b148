"""One AWS for each test, and the scripts of infra/ run against it."""

import os
import json
import pathlib
import signal
import subprocess
import time

import pytest

import aws_server
import aws_stub
import cloudformation

ROOT = pathlib.Path(__file__).resolve().parents[2]
FUNCTIONS = ["submit", "complete", "signer", "owner", "reconcile"]
TARGET = pathlib.Path(os.environ.get("VOD_TARGET", ROOT / "target")) / "debug"


class Scripts:
    def __init__(self, aws, folder, cli):
        self.aws = aws
        self.cli = cli
        self.folder = folder
        self.packages = folder / "packages"
        self.packages.mkdir()
        for name in FUNCTIONS:
            self.package(name, f"#!/bin/sh\n# {name}\n")

    def package(self, name, content):
        (self.packages / f"{name}.zip").write_bytes(aws_stub.package(content))

    def environment(self, **more):
        keep = {name: os.environ[name] for name in ("PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME") if name in os.environ}
        keep["PATH"] = f"{self.cli}:{keep['PATH']}"
        return {
            **keep, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.aws.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": str(self.folder / "none"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none"), "VOD_SPREAD_SECONDS": "0", "AWS_MAX_ATTEMPTS": "1",
            "LC_ALL": "C.UTF-8", "VOD": str(TARGET / "vod"), **more,
        }

    def start(self, script, *arguments, **environment):
        """In a process group of its own, as a terminal would start it; Ctrl-C works even if it is ignored here."""
        return subprocess.Popen(
            [str(ROOT / "infra" / f"{script}.sh"), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=self.environment(**environment), stdin=subprocess.DEVNULL, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, script, *arguments, ok=True, **environment):
        done = subprocess.run(
            [str(ROOT / "infra" / f"{script}.sh"), *arguments], capture_output=True, text=True, timeout=200,
            env=self.environment(**environment), stdin=subprocess.DEVNULL, check=False,
        )
        done.said = done.stdout + done.stderr
        if ok is not None:
            assert (done.returncode == 0) == ok, done.said
        return done

    def deploy(self, *arguments, ok=True, **environment):
        return self.run("deploy", "--packages", str(self.packages), "--no-smoke", *arguments, ok=ok, **environment)


@pytest.fixture
def aws():
    with aws_stub.Stub() as stub:
        yield stub


@pytest.fixture(scope="session")
def cli(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    server = aws_server.Server(folder)
    yield folder
    server.stop()


@pytest.fixture(scope="session")
def binaries(tmp_path_factory):
    """Puts programs where cargo lambda looks for them, in <folder>/<function>/bootstrap. It reads their architecture and packs them; none is run."""
    folder = tmp_path_factory.mktemp("lambda")
    for name in FUNCTIONS:
        (folder / name).mkdir()
        source = f"const char name[] = \"{name}\"; int main(void) {{ return name[0]; }}"
        subprocess.run(["cc", "-x", "c", "-o", str(folder / name / "bootstrap"), "-"], input=source, text=True, check=True)
    return folder


@pytest.fixture
def local(tmp_path):
    """`vod up` on free ports, with its state where `vod` looks for it: in .vod of the folder."""
    vod, state = TARGET / "vod", tmp_path / ".vod"
    assert vod.is_file(), f"{vod} is missing: tests/infra/run.sh builds it"
    command = [vod, "--state", state, "up", "--api", "127.0.0.1:0", "--edge", "127.0.0.1:0"]
    with open(tmp_path / "log", "wb") as log, subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not (state / "endpoints.json").exists():
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
            yield json.loads((state / "endpoints.json").read_text())
        finally:
            process.terminate()


@pytest.fixture
def scripts(aws, tmp_path, cli):
    return Scripts(aws, tmp_path, cli)


def new_ring(name=None):
    """A keyring with one new key, under CloudFront's id of it or another name."""
    def openssl(*arguments, text=None):
        return subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True, check=True).stdout

    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    public = openssl("pkey", "-pubout", text=private)
    key = {"id": name or aws_stub.key_id(public), "algorithm": "ES256", "private_pem": private, "public_pem": public}
    return {"active": key["id"], "keys": [key]}


@pytest.fixture
def deployed(aws, scripts):
    """Makes the stack that a deploy leaves, without one: for tests of later steps."""
    ring = new_ring()
    public = ring["keys"][0]["public_pem"]
    secrets, s3 = aws.client("secretsmanager"), aws.client("s3")
    arns = [secrets.create_secret(Name=name, SecretString=value)["ARN"]
            for name, value in (("vod/signing", json.dumps(ring)), ("vod/jwt", "ab" * 32))]
    code = f"vod-code-{aws_stub.ACCOUNT}-us-east-1"
    codes = {f"{name.capitalize()}Code": f"functions/{name}/0.zip" for name in FUNCTIONS}
    s3.create_bucket(Bucket=code)
    for key in codes.values():
        s3.put_object(Bucket=code, Key=key, Body=b"0")
    parameters = {"BucketName": f"vod-{aws_stub.ACCOUNT}-us-east-1", "CodeBucket": code, "Release": "0" * 12, **codes,
                  "PublicKeyOne": public.strip(), "SigningSecretArn": arns[0], "JwtSecretArn": arns[1]}
    template = cloudformation.load(ROOT / "infra/template.yaml")
    aws._become("vod", template, parameters, aws_stub._build(template, parameters, "vod"))
    aws.requests.clear()
    return scripts
