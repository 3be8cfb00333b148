"""The real AWS CLI, started once: a script makes dozens of calls, and each would spend a second on imports.

`Server(folder)` puts an `aws` into folder which hands its arguments, environment and open files to this process;
that forks, and the fork is the CLI. What runs is awscli's own main, unchanged.
"""

import array
import contextlib
import functools
import gc
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys

CLIENT = """#!{python} -SE
import array, json, os, socket, sys

files = []
for number in map(int, os.listdir("/proc/self/fd")):
    try:
        os.fstat(number)
        files.append(number)
    except OSError:
        pass  # the listing's own
link = socket.socket(socket.AF_UNIX)
link.connect({path!r})
text = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), files]).encode()
rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
link.sendmsg([len(text).to_bytes(4, "big")], [rights])
link.sendall(text)
code = link.recv(4)
sys.exit(int.from_bytes(code, "big") if code else 255)
"""


def _receive(link):
    head, control, _, _ = link.recvmsg(4, socket.CMSG_LEN(256 * 4))
    fds = array.array("i")
    for _, _, data in control:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    size, text = int.from_bytes(head, "big"), b""
    while len(text) < size:
        text += link.recv(size - len(text))
    return (*json.loads(text), list(fds))


def _become(arguments, environment, folder, numbers, fds, keep):
    """In the fork: the files under the caller's numbers, its environment, and the CLI."""
    import fcntl

    # Out of the way first: a received number may be one that another has to take.
    fds = [fcntl.fcntl(fd, fcntl.F_DUPFD, 300) for fd in fds]
    link = fcntl.fcntl(keep, fcntl.F_DUPFD, 300)
    os.closerange(3, 300)
    for number, fd in zip(numbers, fds):
        os.dup2(fd, number)
        os.close(fd)
    # awscli says here, on import, where its models are.
    data = os.environ["AWS_DATA_PATH"]
    os.environ.clear()
    os.environ.update(environment, AWS_DATA_PATH=data)
    os.chdir(folder)
    sys.stdin, sys.stdout, sys.stderr = os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
    sys.argv = ["aws", *arguments]
    from awscli.clidriver import main

    try:
        code = main()
    except SystemExit as error:
        code = error.code or 0
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(link, int(code).to_bytes(4, "big"))
    os._exit(0)


def serve(path):
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    import awscli.clidriver
    import awscli.customizations.s3.subcommands  # noqa: F401
    import botocore.loaders
    import s3transfer.manager  # noqa: F401

    # The models are megabytes of JSON: read once, and shared by all forks.
    botocore.loaders.JSONFileLoader.load_file = functools.cache(botocore.loaders.JSONFileLoader.load_file)
    botocore.loaders.JSONFileLoader.__hash__ = lambda _: 0
    botocore.loaders.JSONFileLoader.__eq__ = lambda *_: True
    session = awscli.clidriver.create_clidriver().session
    for service in ("cloudformation", "lambda", "mediaconvert", "s3", "secretsmanager", "sts"):
        session.create_client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        for kind in ("paginators-1", "waiters-2"):
            with contextlib.suppress(Exception):
                session.get_component("data_loader").load_service_model(service, kind)
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    print("ready", flush=True)
    while True:
        link, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _become(*_receive(link), link.fileno())
        link.close()


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        path = str(self.folder / "aws.socket")
        client = self.folder / "aws"
        client.write_text(CLIENT.format(python=sys.executable, path=path))
        client.chmod(0o755)
        self.process = subprocess.Popen([sys.executable, __file__, path], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout.readline() == b"ready\n", "the AWS CLI did not start"

    def stop(self):
        self.process.terminate()
        self.process.wait()


if __name__ == "__main__":
    serve(sys.argv[1])
