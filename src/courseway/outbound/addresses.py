"""Where a request may go: addresses as people and LMSs wrote them, and the places that their names lead to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from dataclasses import dataclass
from functools import lru_cache

import httpx2
from django.conf import settings

from courseway.outbound.errors import AddressRefusedError, NoAnswerError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAT64 = tuple(ipaddress.IPv6Network(network) for network in ("64:ff9b::/96", "64:ff9b:1::/48"))
_IPV4_COMPATIBLE = ipaddress.IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart. `host` is as it is resolved and shown, the other texts as they go on the wire."""

    is_plain: bool
    host: str
    port: int
    host_header: str
    path: str

    @property
    def place(self) -> tuple[bool, str, int]:
        """What requests over one kept connection have in common."""
        return self.is_plain, self.host, self.port


@lru_cache(maxsize=2048)
def parse_address(address: str) -> Target:
    """Raises AddressRefusedError. Line items are asked again and again, so their addresses are kept."""
    try:
        url = httpx2.URL(address)
        host, wire_host = url.host, url.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError, UnicodeError):
        raise AddressRefusedError("this is not a usable address") from None
    if url.scheme not in ("https", "http") or not host:
        raise AddressRefusedError("an address must begin with https:// and name a host")
    if "%" in host or not 0 < (url.port or 443) < 65536:
        raise AddressRefusedError("this is not a usable address")
    if url.userinfo:
        raise AddressRefusedError("an address must not hold a user name or a password")
    bracketed = f"[{wire_host}]" if ":" in wire_host else wire_host
    return Target(
        is_plain=url.scheme == "http",
        host=wire_host,
        port=url.port or (80 if url.scheme == "http" else 443),
        host_header=bracketed if url.port is None else f"{bracketed}:{url.port}",
        path=url.raw_path.decode("ascii"),
    )


async def find_allowed(target: Target) -> list[Address]:
    """The addresses of the target's host that may be reached. Raises AddressRefusedError when there is none."""
    resolved = await _resolve(target.host, target.port)
    allowed = [address for address in resolved if _is_allowed(address, is_plain=target.is_plain)]
    if not allowed:
        raise AddressRefusedError(_why_refused(target.host, is_plain=target.is_plain))
    return allowed


async def _resolve(host: str, port: int) -> list[Address]:
    """Every address of a name, in the system's order. The resolver knows no time limit, so it gets a thread."""
    try:
        return [_parse_ip(host)]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def tell(addresses: list[Address]) -> None:
        if not found.done():  # else nobody waits any more
            found.set_result(addresses)

    def look_up() -> None:
        addresses: list[Address] = []
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(_parse_ip(str(answer[4][0])) for answer in answers))
        except (OSError, UnicodeError, ValueError):
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, addresses)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    addresses = await found
    if not addresses:
        raise NoAnswerError(f"no connection to {host}: this name is not known")
    return addresses


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


def _parse_ip(text: str) -> Address:
    """The address; an IPv4 address in IPv6's clothes (`::ffff:127.0.0.1`) is taken for what it is."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_allowed(address: Address, *, is_plain: bool) -> bool:
    if any(address in network for network in _allowed_networks() if network.version == address.version):
        return True
    carried = _carried_address(address)
    return not is_plain and _is_public(address) and (carried is None or _is_public(carried))


def _is_public(address: Address) -> bool:
    return address.is_global and not (
        address.is_multicast
        or address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_reserved
        or address.is_private
    )


def _carried_address(address: Address) -> ipaddress.IPv4Address | None:
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
