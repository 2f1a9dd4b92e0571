"""Forms and custom parameters as they arrive, read the same way for both versions of LTI.

Links made for other tools, typed by hand in an LMS or passed through its forms spell the same name
in many ways: `custom_codio_page`, `CUSTOM_CODIO_SEND_GRADE`, `codio_custom_mentor_for`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from ltikit.errors import MalformedMessageError

MAX_BODY = 64 * 1024
"""Bytes of a form that are read."""

MAX_FIELDS = 256
"""Fields of a form that are read."""

ALIASES = {"class_target_id": "course_target_id", "parent_class_id": "parent_course_id"}
"""Older names that are still in use, and the names that took their place."""

_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’"}
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_ENCODED_ADDRESS = re.compile(r"[a-z][a-z0-9+.\-]*%3a", re.IGNORECASE)
_VARIABLE = re.compile(r"\$[A-Za-z][A-Za-z0-9_.\-]*(?:<[^<>]*>)?")


_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The decoded fields of a form body (application/x-www-form-urlencoded, UTF-8), in order, duplicates kept.

    Raises `MalformedMessageError` for more than 64 KiB or 256 fields, broken percent-encoding, text that is
    not UTF-8 or holds NUL, and a field without a name.
    """
    if len(body) > MAX_BODY:
        raise MalformedMessageError(f"the form has {len(body)} bytes, more than {MAX_BODY}")
    if _BAD_ESCAPE.search(body):
        raise MalformedMessageError("the form is not properly percent-encoded")
    try:
        form = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:  # UnicodeDecodeError is one
        raise MalformedMessageError(f"the form is not UTF-8 or has more than {MAX_FIELDS} fields") from error
    if any(not name or "\0" in name or "\0" in value for name, value in form):
        raise MalformedMessageError("the form has a field without a name or with a NUL character")
    return form


def is_web_url(url: str) -> bool:
    """True for an absolute http or https URL that a browser may be sent to: a host, no blanks or control characters."""
    if any(character <= " " or character in '\x7f\\"<>' for character in url):
        return False
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return has_host and parts.scheme in ("http", "https")


def normalise_name(name: str) -> str:
    """The canonical name: lower case, any number of leading `custom_` and one `codio_` taken off in any order.

    "" if nothing is left.
    """
    rest, may_strip_vendor = name.strip().lower(), True
    while True:
        if rest.startswith("custom_"):
            rest = rest.removeprefix("custom_")
        elif may_strip_vendor and rest.startswith("codio_"):
            rest, may_strip_vendor = rest.removeprefix("codio_"), False
        else:
            return ALIASES.get(rest, rest)


def is_unexpanded(value: str) -> bool:
    """True for a substitution variable that the platform left as it was, like `$Person.sourcedId` (LTI 1.3 core C)."""
    return _VARIABLE.fullmatch(value.strip()) is not None


def clean_value(value: str) -> str:
    """The value without blanks and quotes around it; "" for an unexpanded `$Variable`.

    A list of quoted entries (`"a","b"`) keeps its quotes: `split_list` takes them off one by one.
    """
    text = value.strip()
    while len(text) >= 2 and _QUOTES.get(text[0]) == text[-1] and not _is_quoted_list(text):
        text = text[1:-1].strip()
    return "" if is_unexpanded(text) else text


def normalise_parameters(pairs: Iterable[tuple[str, object]]) -> dict[str, tuple[str, ...]]:
    """All values of each parameter by canonical name, in the order received, equal ones once.

    A value may be text, a number, a bool (`true`/`false`) or a list of these; line breaks separate several
    values. Blank values, None and unexpanded `$Variables` are left out, and so is a name without a value.
    """
    found: dict[str, dict[str, None]] = {}
    for name, value in pairs:
        canonical = normalise_name(name)
        if canonical:
            for text in _to_texts(value):
                found.setdefault(canonical, {})[text] = None
    return {name: tuple(values) for name, values in found.items()}


def is_custom(name: str) -> bool:
    """True for the name of a custom parameter among others, in a form or in an address."""
    return name.lower().startswith(("custom_", "codio_"))


def read_url_parameters(url: str) -> list[tuple[str, str]]:
    """The custom parameters in the query of a launch address, for `normalise_parameters`; [] if it cannot be read.

    Links carry them there because some importers and Canvas's Content-Item drop others (canvas-lms#1025); its
    SpeedGrader encodes the query once too often (canvas-lms#1486), which shows where a value is an address.
    """
    try:
        query = parse_qsl(urlsplit(url).query, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        return []
    pairs = [(name, unquote(value) if _ENCODED_ADDRESS.match(value) else value) for name, value in query]
    return [(name, value) for name, value in pairs if is_custom(name) and "\0" not in value]


def add_custom_parameters(url: str, custom: Mapping[str, str]) -> str:
    """`url` with custom parameters in its query, as `custom_<name>`, which both versions of a launch read as such.

    What the query holds already stays, and is not added twice. Empty values are left out: Canvas breaks on them.
    """
    names = {normalise_name(name) for name, _ in read_url_parameters(url)}
    added = {f"custom_{name}": value for name, value in custom.items() if value and normalise_name(name) not in names}
    parts = urlsplit(url)
    query = "&".join(filter(None, (parts.query.rstrip("&"), urlencode(added, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def single(lists: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """The first value of each parameter, from what `normalise_parameters` returned."""
    return {name: values[0] for name, values in lists.items() if values}


def split_list(values: Iterable[str]) -> tuple[str, ...]:
    """The entries of comma-separated values, quotes and blanks taken off each; for e-mails and ids."""
    entries = (clean_value(part) for value in values for part in clean_value(value).split(","))
    return tuple(dict.fromkeys(entry for entry in entries if entry))


def _to_texts(value: object) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _to_texts(entry)
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, str):
        yield from filter(None, map(clean_value, _LINE_BREAK.split(value)))
    elif isinstance(value, int | float):
        yield str(value)


def _is_quoted_list(text: str) -> bool:
    opening, closing = re.escape(text[0]), re.escape(text[-1])
    return re.search(rf"{closing}\s*,\s*{opening}", text[1:-1]) is not None
