"""The `Link` header (RFC 8288): where the next page of a list is, as LMSs really write it.

Used as it stands: filters of the first request are never added again, since the platform put them in already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from ltikit.errors import ServiceRejectedError

MAX_HEADER = 16 * 1024

# A parameter's value ends at a semicolon, or at a comma; inside straight quotes both are text.
_PARAMETER = re.compile(r"""\s*;\s*([^\s=;,"<>]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^;,]*))?""")
_PORTS = {"http": 80, "https": 443}


def next_url(headers: Mapping[str, str], *, base_url: str) -> str | None:
    """The absolute address of the next page, None when this was the last one.

    `headers` have lower-case names, `base_url` is the address that was asked. Relative addresses are resolved, the
    case of letters is kept. The access token goes along with the next request, so an address on another host is
    refused, and so is one that leads back to `base_url`: a list cut short would look like people who left.
    Raises `ServiceRejectedError`.
    """
    target = linked_url(headers, "next", base_url=base_url)
    if target == base_url:
        raise ServiceRejectedError("the next page is the same page again")
    return target


def linked_url(headers: Mapping[str, str], relation: str, *, base_url: str) -> str | None:
    """The absolute address that the `Link` header names for a relation, None if it names none.

    Raises `ServiceRejectedError` for an address on another host than `base_url`.
    """
    for target, relations in _parse_links(headers.get("link", "")[:MAX_HEADER]):
        if relation in relations:
            # Moodle 4.5 escapes the address for HTML: `?type_id=2&amp;from=1`.
            return check_same_host(target.replace("&amp;", "&"), base_url)
    return None


def _parse_links(header: str) -> Iterator[tuple[str, set[str]]]:
    """Each link's address and its relations in lower case."""
    position = 0
    while (opening := header.find("<", position)) >= 0:
        closing = header.find(">", opening)
        if closing < 0:
            return
        position = closing + 1
        relations: set[str] | None = None
        while match := _PARAMETER.match(header, position):
            position = match.end()
            if match[1].lower() == "rel" and relations is None:
                relations = set(_read_words(match[2] or ""))
        yield header[opening + 1 : closing].strip(), relations or set()


def _read_words(value: str) -> Iterator[str]:
    # Moodle 4.5 writes typographic quotes around the relation, in bytes that arrive as several odd characters.
    for word in value.strip().strip('"').split():
        yield re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", word.lower())


def check_same_host(target: str, base_url: str) -> str:
    """The absolute address of `target`, which stands in the answer of `base_url`; the credentials go along with it.

    Raises `ServiceRejectedError` for another host, scheme or port.
    """
    base = urlsplit(base_url)
    try:
        absolute = urljoin(base_url, target)
        parts = urlsplit(absolute)
        # An LMS behind a proxy may write http: for itself; the token must not travel in the clear.
        if base.scheme == "https" and parts.scheme == "http" and parts.port in (None, 80):
            parts = parts._replace(scheme="https", netloc=parts.netloc.removesuffix(":80"))
            absolute = urlunsplit(parts)
        is_same = _place(parts) == _place(base) and parts.username is None and parts.password is None
    except ValueError:
        is_same = False
    if not is_same or not absolute.isprintable() or " " in absolute:
        raise ServiceRejectedError("the next page is on another host than the list")
    return absolute


def _place(parts: SplitResult) -> tuple[str, str, int | None]:
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower())
