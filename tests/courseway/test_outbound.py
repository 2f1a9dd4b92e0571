from __future__ import annotations

import datetime as dt
import gzip
import http.client
import os
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st
from pytest_django import Settings

from courseway import outbound
from courseway.outbound import connections
from courseway.outbound.connections import door
from ltikit.http import Request
from tests.courseway.http_servers import Handler, Server, serve_http


class _Pages(Handler):
    asked: list[tuple[str, str, bytes, dict[str, str]]] = []

    def do_POST(self) -> None:
        body = self.read_body()
        self.asked.append((self.command, self.path, body, dict(self.headers)))
        self.answer(201, b"made " + body, X_Kind="Score")

    def do_GET(self) -> None:
        self.asked.append((self.command, self.path, b"", dict(self.headers)))
        if self.path == "/redirect":
            self.answer(302, b"elsewhere", Location="/secret")
        elif self.path == "/cookie":
            self.answer(200, b"ok", Set_Cookie="who=me; Path=/")
        elif self.path == "/gzip":
            self.answer(200, gzip.compress(b"packed words"), Content_Encoding="gzip")
        elif self.path == "/bomb":
            self.answer(200, gzip.compress(b"0" * 20_000_000), Content_Encoding="gzip")
        elif self.path == "/huge":
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x" * 65536)
            except OSError:
                self.close_connection = True
        elif self.path in ("/drip", "/drip-headers"):
            self.drip()
        else:
            self.answer(200, self.headers.get("Cookie", "no cookie").encode())

    def drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            if self.path == "/drip":
                self.wfile.write(b"Content-Length: 1000\r\n\r\n")
            for number in range(1000):
                self.wfile.write(b"x" if self.path == "/drip" else f"X-{number}: y\r\n".encode())
                time.sleep(0.05)
        except OSError:
            pass
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    _Pages.asked = []
    with serve_http(_Pages) as running:
        yield running


def _get(url: str, **limits: float) -> str:
    return outbound.send(Request("GET", url), **limits).body.decode()  # type: ignore[arg-type]


@pytest.mark.quirk("C11", "M5")
def test_a_request_arrives_byte_for_byte(server: Server) -> None:
    """Method, query, body and headers arrive as given, with our name; the answer comes back whole."""
    headers = {"Content-Type": "application/xml", "Authorization": "Bearer t"}
    answer = outbound.send(Request("POST", server.url + "/scores?type_id=2&a=b%20c", headers, b"<x/>\xff"))
    assert (answer.status, answer.body, answer.headers["x-kind"]) == (201, b"made <x/>\xff", "Score")
    method, path, body, seen = _Pages.asked[0]
    assert (method, path, body) == ("POST", "/scores?type_id=2&a=b%20c", b"<x/>\xff")
    assert seen["Content-Type"] == "application/xml"
    assert seen["Authorization"] == "Bearer t"
    assert seen["User-Agent"].startswith("Courseway/")
    assert "(+https://tool.example)" in seen["User-Agent"]


def test_a_redirect_is_an_answer_and_is_not_followed(server: Server) -> None:
    """A 302 comes back as 302; the place it names is never asked."""
    answer = outbound.send(Request("GET", server.url + "/redirect"))
    assert answer.status == 302
    assert [path for _, path, _, _ in _Pages.asked] == ["/redirect"]


def test_cookies_are_not_kept(server: Server) -> None:
    """A cookie that one answer sets is not sent with the next request."""
    _get(server.url + "/cookie")
    assert _get(server.url + "/") == "no cookie"


def test_environment_proxies_are_ignored(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy named by the environment is not used: it would connect to unchecked addresses for us."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert _get(server.url + "/") == "no cookie"


@pytest.mark.parametrize("path", ["/drip", "/drip-headers"])
def test_the_deadline_covers_the_whole_exchange(server: Server, path: str) -> None:
    """A server that sends a byte now and then is given up at the deadline, not kept alive by each byte."""
    begun = time.monotonic()
    with pytest.raises(outbound.NoAnswerError, match=r"within 0.5 seconds") as caught:
        _get(server.url + path, deadline_seconds=0.5)
    assert time.monotonic() - begun < 2
    assert caught.value.may_have_arrived


def test_a_silent_server_is_given_up(server: Server) -> None:
    """A server that accepts the connection and never answers costs the deadline and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(outbound.NoAnswerError, match="within"):
            _get(url, deadline_seconds=0.3)


def test_a_huge_answer_is_cut_off(server: Server) -> None:
    """An endless body ends at the limit, as its own kind of error."""
    with pytest.raises(outbound.AnswerTooLargeError, match="larger than 100000 bytes"):
        _get(server.url + "/huge", max_bytes=100_000)


def test_a_packed_answer_is_unpacked_within_the_limit(server: Server) -> None:
    """A server that packs although asked not to is understood; a bomb is cut off at the limit."""
    assert _get(server.url + "/gzip") == "packed words"
    with pytest.raises(outbound.AnswerTooLargeError):
        _get(server.url + "/bomb", max_bytes=1_000_000)


def test_a_closed_port_says_so_and_that_nothing_arrived() -> None:
    """A refused connection is told apart from a lost answer: the request certainly did not arrive."""
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with pytest.raises(outbound.NoAnswerError, match="no connection") as caught:
        _get(f"http://127.0.0.1:{port}/")
    assert not caught.value.may_have_arrived


def test_an_unknown_name_says_so() -> None:
    """A name that does not exist is an error that names it."""
    with pytest.raises(outbound.NoAnswerError, match=r"no connection to nowhere\.invalid"):
        _get("https://nowhere.invalid/")


REFUSED = [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0/",
    "https://0.0.0.0/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[::127.0.0.1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[2002:7f00:1::]/",
    "https://[fe80::1]/",
    "https://[fd00::1]/",
    "https://[ff02::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "http://8.8.8.8/",
]


@pytest.mark.parametrize("url", REFUSED)
def test_addresses_of_private_places_are_refused(settings: Settings, url: str) -> None:
    """Loopback, private, link-local, metadata and multicast addresses are refused, however they are spelled."""
    settings.ALLOWED_PRIVATE_NETWORKS = []
    with pytest.raises(outbound.AddressRefusedError) as caught:
        _get(url, deadline_seconds=2)
    assert not caught.value.may_have_arrived
    assert "COURSEWAY_ALLOWED_PRIVATE_NETWORKS" in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        "ftp://lms.example/",
        "file:///etc/passwd",
        "//lms.example/",
        "https://",
        "",
        "https://a:b@lms.example/",
        "https://[::1",
        "https://lms.example:99999/",
        "javascript:alert(1)",
        "https://0177.0.0.1/",
        "https://exa mple.com/",
    ],
)
def test_malformed_addresses_are_refused(url: str) -> None:
    """What is no http(s) address with a host, or carries credentials, is refused before anything is resolved."""
    with pytest.raises(outbound.AddressRefusedError):
        _get(url)


def test_a_name_that_resolves_to_a_private_address_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public-looking name whose record points to loopback is refused; all of its addresses are looked at."""
    settings.ALLOWED_PRIVATE_NETWORKS = []
    _resolve_to(monkeypatch, "127.0.0.1", "::1", "10.1.2.3")
    with pytest.raises(outbound.AddressRefusedError):
        _get("https://lms.example/")


def test_only_the_checked_address_is_connected_to(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was checked: the name is resolved once, and forbidden ones are passed."""
    lookups = _resolve_to(monkeypatch, "10.1.2.3", "127.0.0.1")
    port = server.server_address[1]
    assert _get(f"http://lms.example:{port}/", deadline_seconds=5) == "no cookie"
    assert lookups == ["lms.example"]
    assert _Pages.asked[0][3]["Host"] == f"lms.example:{port}"


def test_a_slow_resolver_obeys_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving a name counts towards the deadline."""
    stop = threading.Event()

    def wait(*_: object, **__: object) -> list[object]:
        stop.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    begun = time.monotonic()
    with pytest.raises(outbound.NoAnswerError, match="within"):
        _get("https://slow.example/", deadline_seconds=0.3)
    stop.set()
    assert time.monotonic() - begun < 2


def test_plain_http_reaches_allowed_private_networks_only(server: Server, settings: Settings) -> None:
    """http: works inside an allowed network and nowhere else; a wrong network opens nothing."""
    settings.ALLOWED_PRIVATE_NETWORKS = ["nonsense", "127.0.0.0/8"]
    assert _get(server.url + "/") == "no cookie"
    settings.ALLOWED_PRIVATE_NETWORKS = ["nonsense", "10.0.0.0/8"]
    with serve_http(_Pages) as other, pytest.raises(outbound.AddressRefusedError, match="https://"):
        _get(other.url + "/")


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    lookups: list[str] = []

    real = socket.getaddrinfo

    def answer(host: str, port: int, *rest: Any, **named: Any) -> list[Any]:
        if host.replace(".", "").isdigit():
            return real(host, port, *rest, **named)
        lookups.append(host)
        return [
            (
                socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port),
            )
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return lookups


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    """TLS is verified: a self-signed certificate is refused, and the error says that it was the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_self_signed(tmp_path))
    with serve_http(_Pages) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        with pytest.raises(outbound.NoAnswerError, match="certificate was not accepted") as caught:
            _get(f"https://127.0.0.1:{server.server_address[1]}/", deadline_seconds=5)
    assert not caught.value.may_have_arrived


def _self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_many_threads_share_the_door(server: Server) -> None:
    """Requests of many threads at once neither mix up their answers nor their deadlines."""

    def post(number: int) -> bytes:
        return outbound.send(Request("POST", server.url + "/", body=str(number).encode())).body

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(post, range(200)))
    assert answers == [b"made " + str(number).encode() for number in range(200)]


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_child_process_opens_connections_of_its_own(server: Server) -> None:
    """After a fork the child uses no connection of its parent, and the parent's still work."""
    _get(server.url + "/")
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if _get(server.url + "/child") == "no cookie" else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _get(server.url + "/again") == "no cookie"


def test_connections_are_kept(server: Server) -> None:
    """Requests one after the other to the same host use one connection."""
    before = _connections(server)
    for _ in range(5):
        _get(server.url + "/")
    assert _connections(server) - before == 1


def _connections(server: Server) -> int:
    """How many connections of this process are open to the server."""
    return door().count_lines(int(server.server_address[1]))


def test_the_servers_of_these_tests_do_speak_http(server: Server) -> None:
    """The page of the test server is reachable by another client too, so that a refusal above means something."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.server_address[1]), timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"no cookie"
    connection.close()


class _Raw(socketserver.StreamRequestHandler):
    """Answers each request with the same bytes, whatever they are; then closes, or waits for the next request."""

    answer = b""
    closes = False
    connections = 0

    def handle(self) -> None:
        type(self).connections += 1
        while line := self.rfile.readline():
            length = 0
            while line.strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = self.rfile.readline()
            self.rfile.read(length)
            try:
                self.wfile.write(self.answer)
            except OSError:
                return
            if self.closes:
                return


@contextmanager
def _raw_server(answer: bytes, *, closes: bool = False) -> Iterator[tuple[str, type[_Raw]]]:
    handler = type("_RawOfOneTest", (_Raw,), {"answer": answer, "closes": closes, "connections": 0})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/", handler
        server.shutdown()


GOOD = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", False),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1 \r\nk\r\n0\r\n\r\n", False),
    (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
    (b"HTTP/1.1 200 OK\r\n\r\nok", True),
    (b"HTTP/1.0 200 OK\r\n\r\nok", True),
]


@pytest.mark.parametrize(("answer", "closes"), GOOD)
def test_answers_of_all_kinds_are_read(answer: bytes, closes: bool) -> None:
    """A length, chunks, the end of the connection, an earlier "continue": the same answer, however it is framed."""
    with _raw_server(answer, closes=closes) as (url, _):
        assert [_get(url, deadline_seconds=5), _get(url, deadline_seconds=5)] == ["ok", "ok"]


BROKEN = [
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: upgrade\r\n\r\n",
    b"",
]


@pytest.mark.parametrize("answer", BROKEN)
def test_what_is_no_whole_answer_is_refused(answer: bytes) -> None:
    """Garbage, an answer that is cut short or framed in two ways, another protocol: none is taken for an answer."""
    with _raw_server(answer, closes=True) as (url, _):
        with pytest.raises(outbound.NoAnswerError, match="broke off or did not speak HTTP") as caught:
            _get(url, deadline_seconds=5)
        assert caught.value.may_have_arrived


@given(st.binary(max_size=300))
@settings_of_hypothesis(max_examples=60, deadline=None)
def test_wild_bytes_are_an_error_of_ours(wild: bytes) -> None:
    """Whatever bytes come, there is an answer or an OutboundError, at once; the door still works afterwards."""
    with _raw_server(b"HTTP/1.1 200 OK\r\n" + wild, closes=True) as (url, _), suppress(outbound.OutboundError):
        outbound.send(Request("GET", url), deadline_seconds=5)


def test_an_endless_head_is_cut_off() -> None:
    """A server that sends headers without an end is given up long before the memory is full."""
    endless = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000
    with _raw_server(endless) as (url, _), pytest.raises(outbound.NoAnswerError, match="endless header"):
        _get(url, deadline_seconds=5)


def test_surplus_bytes_are_no_answer_to_the_next_request() -> None:
    """What an LMS sends beyond its answer is thrown away with the connection, never read as the next answer."""
    surplus = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    with _raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + surplus) as (url, handler):
        assert [_get(url, deadline_seconds=5) for _ in range(3)] == ["ok", "ok", "ok"]
        assert handler.connections == 3


def test_a_header_cannot_be_smuggled_into_a_request(server: Server) -> None:
    """A line break in the value of a header is refused, and nothing is sent."""
    for headers in ({"Authorization": "Bearer t\r\nX-Evil: 1"}, {"X: 1\r\nY": "2"}, {"X": "\u2603"}):
        with pytest.raises(outbound.AddressRefusedError, match="header"):
            outbound.send(Request("GET", server.url + "/", headers))
    assert not _Pages.asked


def test_more_requests_than_connections_wait_their_turn(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """With all connections in use a request waits for one, and gets its own answer."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", len(door()._lines) + 3)
    with serve_http(_Pages) as other, ThreadPoolExecutor(24) as pool:
        urls = [(server.url, other.url)[number % 2] for number in range(120)]

        def post(number: int) -> bytes:
            return outbound.send(Request("POST", urls[number] + "/", body=str(number).encode())).body

        assert list(pool.map(post, range(120))) == [b"made " + str(number).encode() for number in range(120)]
