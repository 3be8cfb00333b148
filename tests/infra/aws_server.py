"""The real AWS CLI, started once: a script makes dozens of calls, and each would spend a second on imports.

`Server(folder)` puts an `aws` (aws.c) into folder which hands its open files to this process; that forks, and the fork is the CLI.
`aws_server.py FOLDER` does the same for the Rust tests, until it is ended.
It runs awscli's own main, unchanged. The fork is in another session than its caller, so `aws` passes on to it the signals that
a terminal would send to both.
"""

import contextlib
import functools
import gc
import io
import os
import pathlib
import signal
import socket
import subprocess
import sys


def _become(link):
    """In the fork: the files of the caller under their numbers, its arguments, environment and folder, and the CLI."""
    import fcntl

    # It lives for one call, and to look for garbage would copy the pages it shares with the server.
    gc.disable()
    # The shell that runs the tests may ignore it for what it starts in the background; `aws` has judged already.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    text, fds, _, _ = socket.recv_fds(link, 4096, 256)
    caller, *numbers = map(int, text.split())
    arguments = pathlib.Path(f"/proc/{caller}/cmdline").read_bytes().split(b"\0")[1:-1]
    variables = pathlib.Path(f"/proc/{caller}/environ").read_bytes().split(b"\0")[:-1]
    os.chdir(f"/proc/{caller}/cwd")
    # Out of the way first: a received number may be one that another has to take.
    fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 300) for fd in fds]
    link = fcntl.fcntl(link.fileno(), fcntl.F_DUPFD, 300)
    os.closerange(3, 300)
    for number, fd in zip(numbers, fds):
        os.dup2(fd, number)
        os.close(fd)
    # awscli says here, on import, where its models are.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update((os.fsdecode(variable).split("=", 1) for variable in variables), AWS_DATA_PATH=data)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = ["aws", *map(os.fsdecode, arguments)]
    from awscli.clidriver import main

    os.write(link, os.getpid().to_bytes(4, "big"))
    try:
        code = main()
    except SystemExit as error:
        code = error.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(link, int(code).to_bytes(4, "big"))
    os._exit(0)


def _warm():
    """Does once what each fork would do again: imports, and megabytes of models in JSON, below thousands of folders."""
    import awscli.clidriver
    import awscli.customizations.s3.subcommands  # noqa: F401
    import botocore.httpsession
    import botocore.session
    import s3transfer.manager  # noqa: F401

    # OpenSSL takes milliseconds for each of its contexts, which no call over plain HTTP uses.
    botocore.httpsession.create_urllib3_context = functools.cache(botocore.httpsession.create_urllib3_context)
    driver = awscli.clidriver.create_clidriver()
    loader = driver.session.get_component("data_loader")
    botocore.session.create_loader = lambda _: loader
    for command, operation in (("cloudformation", "describe-stacks"), ("lambda", "get-account-settings"), ("mediaconvert", "list-queues"),
                               ("s3api", "head-object"), ("secretsmanager", "get-secret-value"), ("sqs", "list-queues"), ("sts", "get-caller-identity")):
        service = command.removesuffix("api")
        driver.session.create_client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        with contextlib.redirect_stdout(io.StringIO()):
            driver.main([command, operation, "--generate-cli-skeleton"])
    # Half of a run is to set up the driver, which depends on nothing but the files of configuration: each run reads its own.
    driver = awscli.clidriver.create_clidriver()
    driver.session._config = None
    awscli.clidriver.create_clidriver = lambda *_: driver


def serve(folder):
    path, source = str(folder / "aws.socket"), pathlib.Path(__file__).with_name("aws.c")
    subprocess.run(["cc", "-O1", "-Wall", f'-DSOCKET="{path}"', "-o", folder / "aws", source], check=True)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _warm()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    print("ready", flush=True)
    while True:
        link, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _become(link)
        link.close()


class Server:
    def __init__(self, folder):
        self.process = subprocess.Popen([sys.executable, __file__, folder], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout.readline() == b"ready\n", "the AWS CLI did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    serve(pathlib.Path(sys.argv[1]))
