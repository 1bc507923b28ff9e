"""A real S3 server on this machine, and a proxy in front of it that spoils answers on demand."""

import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

RCLONE = Path(sys.executable).with_name("rclone")
KEY_ID = "AKIAEQUIPOISETESTS00"
SECRET = "equipoise-tests-equipoise-tests-equipoise"  # noqa: S105 (of a server that lives as long as a test)
Fault = Literal["unavailable", "reset", "truncated", "flipped"]


@dataclass(frozen=True)
class Server:
    """A running server; each folder in `folder` is a bucket, each file below it an object."""

    folder: Path
    url: str

    @property
    def env(self) -> dict[str, str]:
        """What a process needs to use this server, and nothing else of this machine or its owner."""
        return environment(self.url)

    def put(self, address: str, content: bytes = b"content") -> None:
        """Write the object `bucket/key`."""
        path = self.folder / address
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def environment(url: str) -> dict[str, str]:
    """The variables that send every AWS tool to the server at `url`."""
    return {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def serving(folder: Path, *, put_into: bool = False) -> Iterator[Server]:
    """`rclone serve s3` over a folder of buckets, until the block ends.

    Args:
        put_into: clients write to it. Else it sees at once what is put into the folder behind its back: with folders
            read anew for each request, two PUTs into a new folder can lose it, and the client then waits forever.
    """
    command = [RCLONE, "serve", "s3", "--config=", "--addr=127.0.0.1:0", f"--auth-key={KEY_ID},{SECRET}"]
    fresh = [] if put_into else ["--dir-cache-time=1ms", "--poll-interval=0"]
    with tempfile.TemporaryDirectory() as home, Path(home, "log").open("w+b") as log:
        process = subprocess.Popen(
            [*command, *fresh, folder], env={"HOME": home}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        try:
            yield Server(folder, _address(process, Path(log.name)))
        finally:
            process.kill()  # it holds nothing that an orderly end would save
            process.wait()


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + 30
    while not (said := re.search(r"on \[(http://127\.0\.0\.1:\d+)/\]", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    return said[1]


class Proxy(ThreadingHTTPServer):
    """Hands requests on to a server, notes each of them, and spoils as many GETs as it is told to."""

    def __init__(self, server: Server) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.upstream = urlsplit(server.url).netloc
        self.requests: list[tuple[str, str]] = []  # method, path with query
        self.claims: dict[str, str] = {}  # headers in place of those that the server gives objects
        self.most_at_once = 0  # requests
        self._under_way = 0
        self._fault: Fault | None = None
        self._skip, self._left, self._objects = 0, 0.0, True
        self._lock = threading.Lock()

    def spoil(self, fault: Fault, times: float, *, listings_after: int | None = None) -> None:
        """Answer the next `times` GETs of objects (`math.inf`: all) in the way that `fault` names.

        Args:
            listings_after: GETs of listings instead, after so many whole ones.
        """
        self._fault, self._left = fault, times
        self._skip, self._objects = listings_after or 0, listings_after is None

    def asked(self, method: str) -> list[str]:
        """Paths of the objects that were asked for with `method`."""
        return [path for verb, path in self.requests if verb == method and _is_object(path)]

    @contextmanager
    def noted(self, method: str, path: str) -> Iterator[Fault | None]:
        """Remember a request for as long as it is answered; gives what is to be wrong with the answer."""
        with self._lock:
            self.requests.append((method, path))
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
            fault = self._next_fault(method, path)
        try:
            yield fault
        finally:
            with self._lock:
                self._under_way -= 1

    def _next_fault(self, method: str, path: str) -> Fault | None:
        if method != "GET" or _is_object(path) != self._objects or self._left < 1:
            return None
        if self._skip:
            self._skip -= 1
            return None
        self._left -= 1
        return self._fault

    def handle_error(self, *_: object) -> None:
        """A client that goes away is not this server's error."""


@contextmanager
def spoiling(server: Server) -> Iterator[Proxy]:
    """A proxy in front of a server, until the block ends."""
    with Proxy(server) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        with self.server.noted(self.command, self.path) as fault:
            if fault == "unavailable":
                self._say(503, {}, b"")
            else:
                self._hand_on(fault)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815

    def _hand_on(self, fault: Fault | None) -> None:
        upstream = HTTPConnection(self.server.upstream, timeout=30)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():  # with the client's Host, which it signed
                upstream.putheader(name, value)
            upstream.endheaders(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            response = upstream.getresponse()
            body = response.read()
        finally:
            upstream.close()
        headers = {name.title(): value for name, value in response.headers.items()}
        if _is_object(self.path):
            headers |= self.server.claims
        if self.headers.get("If-Match") not in (None, headers.get("Etag")):  # rclone does not look at it; S3 does
            self._say(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
        else:
            self._say(response.status, headers, body, fault)

    def _say(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None) -> None:
        self.send_response_only(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            if name not in ("Connection", "Transfer-Encoding"):  # each of one connection only
                self.send_header(name, value)
        self.end_headers()
        middle = len(body) // 2
        if fault == "flipped":
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        if fault in ("reset", "truncated"):
            body, self.close_connection = body[:middle], True
        self.wfile.write(body)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())  # with nothing lingering: RST in place of FIN

    def log_message(self, *_: object) -> None:
        """Requests are noted, not printed."""


def _is_object(path: str) -> bool:
    return "/" in urlsplit(path).path.strip("/")
