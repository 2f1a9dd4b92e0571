"""A small threaded HTTP server for the WSGI application: one thread per connection, connections are kept open.

It is our own, because some faults need what no polite server offers: to close the connection without an answer.
"""

import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from practice_lms.refusals import RefusedError

LARGEST_BODY = 4 * 1024 * 1024
IDLE_SECONDS = 75

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class PracticeServer(ThreadingHTTPServer):
    """The listening socket; takes a WSGI application."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = True

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        super().__init__((find_loopback(host, port), port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking the name service who we are, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self.socket.bind(self.server_address)
        except OSError as error:
            message = f"The port {self.server_address[1]} cannot be used: {error.strerror}. Choose another with --port."
            raise RefusedError(message) from None
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def find_loopback(host: str, port: int) -> str:
    """The loopback address of a host name. Anybody may be anybody in here, so no other network may reach it."""
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError:
        raise RefusedError(f"The host {host!r} is unknown: use localhost or 127.0.0.1.") from None
    address = str(found[0][4][0])
    if not address.startswith("127."):
        raise RefusedError(
            f"Practice LMS has no passwords and serves this machine alone: {host} is {address}, use localhost instead."
        )
    return address


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: PracticeServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        """Read one request, let the application answer, write the answer."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if not self.parse_request():
            return
        body = self._read_body()
        if body is None:
            return
        environ = self._build_environ(body)
        answer = _Answer()
        parts = self.server.application(environ, answer.start)
        try:
            content = b"".join(parts)
        finally:
            getattr(parts, "close", lambda: None)()
        if environ.get("practice_lms.close"):
            self._drop()
        else:
            self._write(answer, content)

    def log_message(self, format: str, *args: Any) -> None:
        """The admin page shows what came; the terminal stays quiet."""

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(411, "Content-Length is required")
            self.close_connection = True
            return None
        if int(length) > LARGEST_BODY:
            self.send_error(413)
            self.close_connection = True
            return None
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.flush()
        return self.rfile.read(int(length))

    def _build_environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name in set(self.headers):
            key = name.upper().replace("-", "_")
            if "_" not in name and key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[f"HTTP_{key}"] = ", ".join(self.headers.get_all(name) or ())
        return environ

    def _write(self, answer: "_Answer", content: bytes) -> None:
        code, _, reason = answer.status.partition(" ")
        self.send_response_only(int(code), reason)
        names = set()
        for name, value in answer.headers:
            names.add(name.lower())
            self.send_header(name, value)
        if "content-length" not in names and int(code) not in (204, 304):
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
        self.wfile.flush()

    def _drop(self) -> None:
        """Close at once, with a reset: the client learns nothing but that we are gone."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Answer:
    """What the application says about its answer before it gives the body."""

    def __init__(self) -> None:
        self.status = "500 Internal Server Error"
        self.headers: list[tuple[str, str]] = []

    def start(self, status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
        """WSGI's `start_response`."""
        self.status, self.headers = status, headers
        return lambda data: None


def serve_until_stopped(server: PracticeServer) -> None:
    """Serve in a thread of its own, so that a signal handler may stop it."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.5)
    finally:
        server.shutdown()
        server.server_close()
