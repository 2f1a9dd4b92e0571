"""The only door to the network. Nothing else in the product opens a connection to another machine.

Addresses come from people and from LMSs, so each one may be a trap: the address is checked *after* its name was
resolved, and the connection is made to exactly the address that was checked. There are no redirects, no proxies and
no cookies; one deadline covers the whole exchange, however slowly the other side drips.
"""

from __future__ import annotations

import atexit
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

import httpcore2
import httpx2
from django.conf import settings
from httpcore2 import SOCKET_OPTION, NetworkBackend, NetworkStream, SyncBackend

from ltikit.http import Request, Response

MAX_CONNECTIONS = 256
KEEP_ALIVE_SECONDS = 15.0
CONNECT_SECONDS = 10.0

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


class OutboundError(Exception):
    """No answer could be had. `detail` is safe to show: it names the host, never a query, a header or an address.

    `may_have_arrived` is False when the request certainly never reached the other side.
    """

    def __init__(self, detail: str, *, may_have_arrived: bool = False) -> None:
        super().__init__(detail)
        self.detail = detail
        self.may_have_arrived = may_have_arrived


class AddressRefusedError(OutboundError):
    """The address is malformed, or leads to a place that requests of ours must not reach."""


class NoAnswerError(OutboundError):
    """No connection, no complete answer before the deadline, or an answer that is no HTTP."""


class AnswerTooLargeError(OutboundError):
    """The answer is larger than was allowed. It arrived, so the request did too."""


def send(request: Request, *, deadline_seconds: float = 30.0, max_bytes: int = 1_000_000) -> Response:
    """The answer to `request`, whatever its status. Raises an `OutboundError` when there is none.

    Safe to call from any number of threads; connections are kept and shared within the process.
    """
    url = _parse_address(request.url)
    host = url.host or ""
    own = {"User-Agent": _user_agent(), "Accept": "*/*"}
    headers: list[tuple[bytes | str, bytes | str]] = [
        *({**own, **request.headers, "Accept-Encoding": "identity"}).items()
    ]
    body = request.body if request.body or request.method not in ("GET", "HEAD", "DELETE") else None
    _exchange.deadline_at = time.monotonic() + deadline_seconds
    _exchange.is_plain = url.scheme == "http"
    _exchange.has_written = False
    limits = dict.fromkeys(("connect", "read", "write", "pool"), deadline_seconds)
    target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
    try:
        with _pool().stream(
            request.method, target, headers=headers, content=body, extensions={"timeout": limits}
        ) as answer:
            names = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in answer.headers}
            content = _read_body(answer.iter_stream(), names.get("content-encoding", ""), max_bytes, host)
            return Response(status=answer.status, headers=names, body=content)
    except OutboundError:
        raise
    except httpcore2.TimeoutException:
        detail = f"{host} gave no answer within {deadline_seconds:g} seconds"
        raise NoAnswerError(detail, may_have_arrived=_exchange.has_written) from None
    except (ssl.SSLError, httpcore2.ConnectError) as error:
        raise NoAnswerError(f"no connection to {host}: {_explain(error)}") from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, zlib.error) as error:
        detail = f"{host} broke off or did not speak HTTP ({type(error).__name__})"
        raise NoAnswerError(detail, may_have_arrived=_exchange.has_written) from None


def _parse_address(address: str) -> httpx2.URL:
    try:
        url = httpx2.URL(address)
        host = url.host
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        raise AddressRefusedError("this is not a usable address") from None
    if url.scheme not in ("https", "http") or not host:
        raise AddressRefusedError("an address must begin with https:// and name a host")
    if "%" in host or not 0 < (url.port or 443) < 65536:
        raise AddressRefusedError("this is not a usable address")
    if url.userinfo:
        raise AddressRefusedError("an address must not hold a user name or a password")
    return url


def _read_body(chunks: Iterable[bytes], encoding: str, max_bytes: int, host: str) -> bytes:
    """The body, unpacked if the server packed it although it was asked not to; at most `max_bytes` either way."""
    is_packed = encoding.strip().lower() in ("gzip", "x-gzip", "deflate")
    unpacker = zlib.decompressobj(wbits=47) if is_packed else None
    body = bytearray()
    for chunk in chunks:
        body += unpacker.decompress(chunk, max_bytes + 1 - len(body)) if unpacker else chunk
        if len(body) > max_bytes:
            detail = f"the answer of {host} is larger than {max_bytes} bytes"
            raise AnswerTooLargeError(detail, may_have_arrived=True)
    return bytes(body)


def _explain(error: Exception) -> str:
    """Why there was no connection, in words that tell nothing about the inside of our network."""
    text = str(error)
    certificate = re.search(r"certificate verify failed: ([\w\s,.'-]+)", text)
    if certificate:
        return f"its certificate was not accepted ({certificate.group(1).strip()})"
    if isinstance(error, ssl.SSLError) or "SSL" in text:
        return "no secure connection could be made"
    return "refused, or the host is not there"


# --- The guard -------------------------------------------------------------------------------------------------


class _Exchange(threading.local):
    """What the connection code must know of the request that its thread is sending."""

    deadline_at: float = 0.0
    is_plain: bool = False
    has_written: bool = False


_exchange = _Exchange()


def _remaining(timeout_error: type[Exception]) -> float:
    remaining = _exchange.deadline_at - time.monotonic()
    if remaining <= 0:
        raise timeout_error("the deadline has passed")
    return remaining


class _GuardedStream(NetworkStream):
    """A connection of which every single read and write obeys the deadline of the whole exchange."""

    def __init__(self, stream: NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(httpcore2.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        remaining = _remaining(httpcore2.WriteTimeout)
        _exchange.has_written = True
        self._stream.write(buffer, remaining)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> NetworkStream:
        remaining = _remaining(httpcore2.ConnectTimeout)
        return _GuardedStream(self._stream.start_tls(ssl_context, server_hostname, remaining))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


class _GuardedBackend(NetworkBackend):
    """Connects to addresses that were checked, and to no others."""

    def __init__(self) -> None:
        self._backend = SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> NetworkStream:
        resolved = _resolve(host, port)
        addresses = [address for address in resolved if _is_allowed(address, is_plain=_exchange.is_plain)]
        if not addresses:
            raise AddressRefusedError(_why_refused(host, is_plain=_exchange.is_plain))
        for position, address in enumerate(addresses, start=1):
            seconds = min(CONNECT_SECONDS, _remaining(httpcore2.ConnectTimeout) / (len(addresses) + 1 - position))
            try:
                stream = self._backend.connect_tcp(str(address), port, seconds, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if position == len(addresses):
                    raise
            else:
                return _GuardedStream(stream)
        raise AssertionError("unreachable: the last address raises or returns")

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[SOCKET_OPTION] | None = None
    ) -> NetworkStream:
        raise AddressRefusedError("an address must begin with https:// and name a host")


def _why_refused(host: str, *, is_plain: bool) -> str:
    if is_plain:
        return (
            f"{host} was not asked: addresses must begin with https://. An operator can allow http:// for a private "
            "network by COURSEWAY_ALLOWED_PRIVATE_NETWORKS"
        )
    return (
        f"{host} was not asked: it leads to a private network. An operator can allow it by "
        "COURSEWAY_ALLOWED_PRIVATE_NETWORKS"
    )


def _resolve(host: str, port: int) -> list[_Address]:
    """Every address of a name, in the system's order. The resolver knows no time limit, so it gets a thread."""
    try:
        return [_parse_ip(host)]
    except ValueError:
        pass
    found: list[_Address] = []
    failure: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.extend(dict.fromkeys(_parse_ip(str(answer[4][0])) for answer in answers))
        except (OSError, UnicodeError) as error:
            failure.append(error)

    thread = threading.Thread(target=look_up, name="resolve", daemon=True)
    thread.start()
    thread.join(_remaining(httpcore2.ConnectTimeout))
    if thread.is_alive():
        raise httpcore2.ConnectTimeout("the name was not resolved in time")
    if failure or not found:
        raise NoAnswerError(f"no connection to {host}: this name is not known")
    return found


def _parse_ip(text: str) -> _Address:
    """The address; an IPv4 address in IPv6's clothes (`::ffff:127.0.0.1`) is taken for what it is."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_allowed(address: _Address, *, is_plain: bool) -> bool:
    if any(address in network for network in _allowed_networks() if network.version == address.version):
        return True
    carried = _carried_address(address)
    return not is_plain and _is_public(address) and (carried is None or _is_public(carried))


def _is_public(address: _Address) -> bool:
    return address.is_global and not (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_reserved
        or address.is_private
    )


def _carried_address(address: _Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address inside an IPv6 one (compatible, 6to4, Teredo, NAT64), to which a gateway may lead."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _IPV4_COMPATIBLE or any(address in network for network in _NAT64):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _allowed_networks() -> tuple[_Network, ...]:
    return _parse_networks(tuple(settings.ALLOWED_PRIVATE_NETWORKS))


@lru_cache(maxsize=16)
def _parse_networks(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    networks: list[_Network] = []
    for text in texts:
        try:
            networks.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError:
            continue  # `courseway check` names it; a wrong value must not open anything
    return tuple(networks)


# --- One pool for each process ---------------------------------------------------------------------------------

_pool_lock = threading.Lock()
_pool_of_process: tuple[int, httpcore2.ConnectionPool] | None = None


def _pool() -> httpcore2.ConnectionPool:
    """The pool of this process, made on first need: connections must not be shared across a fork."""
    global _pool_of_process
    current = _pool_of_process
    if current is not None and current[0] == os.getpid():
        return current[1]
    with _pool_lock:
        if _pool_of_process is None or _pool_of_process[0] != os.getpid():
            pool = httpcore2.ConnectionPool(
                ssl_context=httpx2.create_ssl_context(trust_env=False),
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS // 4,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
                network_backend=_GuardedBackend(),
            )
            _pool_of_process = (os.getpid(), pool)
        return _pool_of_process[1]


def _close_pool() -> None:
    if _pool_of_process is not None and _pool_of_process[0] == os.getpid():
        _pool_of_process[1].close()


atexit.register(_close_pool)

if hasattr(os, "register_at_fork"):  # a lock held by another thread at the fork would never be released in the child

    def _forget_pool() -> None:
        global _pool_lock, _pool_of_process
        _pool_lock = threading.Lock()
        _pool_of_process = None

    os.register_at_fork(after_in_child=_forget_pool)


@lru_cache(maxsize=4)
def _user_agent_for(public_url: str) -> str:
    try:
        number = version("courseway")
    except PackageNotFoundError:
        number = "0"
    return f"Courseway/{number} (+{public_url})"


def _user_agent() -> str:
    return _user_agent_for(settings.PUBLIC_URL)
