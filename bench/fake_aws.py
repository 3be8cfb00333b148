"""S3 and MediaConvert as far as `submit` needs them, over TLS on loopback. It checks nothing and remembers nothing:
both contestants talk to it, and what it costs is on neither's account."""

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EMPTY_LIST = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>vod</Name><Prefix>jobs/</Prefix>\
<KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"""
NO_SUCH_KEY = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"""
VIDEO = {
    "trackType": "video", "index": 1, "codec": "AVC", "duration": 7.0,
    "videoProperties": {"width": 1280, "height": 720, "frameRate": {"numerator": 30, "denominator": 1}},
}  # fmt: skip
AUDIO = {"trackType": "audio", "index": 2, "codec": "AAC", "duration": 7.0, "audioProperties": {"channels": 2}}
PROBE = {"probeResults": [{"container": {"format": "mp4", "duration": 7.0, "tracks": [VIDEO, AUDIO]}}]}
JOB = {"job": {"id": "1625859001514-vvqfwj", "status": "SUBMITTED", "role": "r", "settings": {}}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it, each small answer waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self, status: int, body: bytes, content_type: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def json(self, status: int, value) -> None:
        self.answer(status, json.dumps(value).encode(), "application/json")

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def do_HEAD(self) -> None:
        when = "Sat, 21 Nov 2026 10:00:00 GMT"
        self.answer(200, b" " * 1_048_576, "video/mp4", etag='"d41d8cd98f00b204e9800998ecf8427e"', last_modified=when)

    def do_GET(self) -> None:
        if self.path.startswith("/2017-08-29/"):
            self.json(200, {"jobs": []})
        elif "list-type=2" in self.path:
            self.answer(200, EMPTY_LIST, "application/xml")
        else:
            self.answer(404, NO_SUCH_KEY, "application/xml")

    def do_PUT(self) -> None:
        self.read()
        self.answer(200, b"", "application/xml", etag='"0123456789abcdef0123456789abcdef"')

    def do_POST(self) -> None:
        self.read()
        if "/probe" in self.path:
            self.json(200, PROBE)
        else:
            self.json(201, JOB)

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
            pass  # The contestant was killed, as planned.

    def log_message(self, *_) -> None:
        pass


def certificate(folder: Path) -> tuple[Path, Path]:
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        + ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    return key, cert


def start(folder: Path) -> tuple[str, Path]:
    """The server's URL, and a file of certificates to trust: this machine's own and the server's."""
    key, cert = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    trusted = folder / "trusted.pem"
    # As many roots as a real machine has: parsing them is part of a cold start.
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    trusted.write_bytes((system.read_bytes() if system.is_file() else b"") + cert.read_bytes())
    return f"https://localhost:{server.server_address[1]}", trusted
