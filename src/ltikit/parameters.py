"""Forms and custom parameters as they arrive, read the same way for both versions of LTI.

Links made for other tools, typed by hand in an LMS or passed through its forms spell the same name
in many ways: `custom_codio_page`, `CUSTOM_CODIO_SEND_GRADE`, `codio_custom_mentor_for`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
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
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]*")
_NOT_IN_URL = re.compile(r'[\x00-\x20\x7f\\"<>]')
# What nearly every address of a launch looks like, and needs no closer look.
_PLAIN_URL = re.compile(
    r"https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,3}|:[1-5][0-9]{4})?(?:[/?#][!#-;=?-\[\]-~]*)?"
)


def parse_form(body: bytes) -> list[tuple[str, str]]:
    """The decoded fields of a form body (application/x-www-form-urlencoded, UTF-8), in order, duplicates kept.

    Raises `MalformedMessageError` for more than 64 KiB or 256 fields, broken percent-encoding, text that is
    not UTF-8 or holds NUL, and a field without a name.
    """
    if len(body) > MAX_BODY:
        raise MalformedMessageError(f"the form has {len(body)} bytes, more than {MAX_BODY}")
    if _BAD_ESCAPE.search(body):
        raise MalformedMessageError("the form is not properly percent-encoded")
    if b"\0" in body or b"%00" in body:
        raise MalformedMessageError("the form has a field with a NUL character")
    try:
        fields = [field.partition("=") for field in body.decode("utf-8").replace("+", " ").split("&") if field]
        form = [(_decode(name), _decode(value)) for name, _, value in fields]
    except ValueError as error:  # UnicodeDecodeError is one
        raise MalformedMessageError("the form is not UTF-8") from error
    if len(form) > MAX_FIELDS:
        raise MalformedMessageError(f"the form has more than {MAX_FIELDS} fields")
    if "" in dict(form):
        raise MalformedMessageError("the form has a field without a name")
    return form


def _decode(text: str) -> str:
    return unquote(text, errors="strict") if "%" in text else text


def percent_encode(value: str) -> str:
    """Everything encoded but letters, digits and `-._~` (RFC 3986 §2.3, RFC 5849 §3.6)."""
    return value if _UNRESERVED.fullmatch(value) else quote(value, safe="")


def is_web_url(url: str) -> bool:
    """True for an absolute http or https URL that a browser may be sent to: a host, no blanks or control characters."""
    if _PLAIN_URL.fullmatch(url):
        return True
    if _NOT_IN_URL.search(url):
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


# A message as it may stand in a log: names and shape of everything, values only of what is about no person. What is
# shown is listed; whatever a platform invents is masked. A mask tells that something was sent, and how long it was:
# enough to see an empty or cut-off value, too little to know it.

MASK = "••••"
MAX_TEXT = 500
MAX_MEMBERS = 200
MAX_DEPTH = 6
MAX_JSON = 20_000

_CLAIMS = (
    "https://purl.imsglobal.org/spec/lti/claim/",
    "https://purl.imsglobal.org/spec/lti-ags/claim/",
    "https://purl.imsglobal.org/spec/lti-nrps/claim/",
    "https://purl.imsglobal.org/spec/lti-gs/claim/",
    "https://purl.imsglobal.org/spec/lti-dl/claim/",
    "https://purl.imsglobal.org/spec/lti/claim",
)
# Names, without the URI that stands before those of LTI 1.3. A member of a shown object is shown too.
_SHOWN = frozenset(
    {
        *("iss", "aud", "azp", "iat", "exp", "nbf", "version", "message_type", "deployment_id", "target_link_uri"),
        *("roles", "ext_roles", "context", "resource_link", "tool_platform", "launch_presentation", "lis", "endpoint"),
        *("namesroleservice", "deep_linking_settings", "lti1p1", "locale", "custom", "submission", "for_user"),
        *("lti_message_type", "lti_version", "oauth_consumer_key", "oauth_signature_method", "oauth_timestamp"),
        *("oauth_version", "oauth_callback", "resource_link_id", "resource_link_title", "resource_link_description"),
        *("context_id", "context_label", "context_title", "context_type", "lis_outcome_service_url"),
        *("lis_course_offering_sourcedid", "lis_course_section_sourcedid", "content_item_return_url"),
        *("ext_content_return_url", "ext_outcome_data_values_accepted", "lti_deployment_id"),
        *("ext_ims_lis_memberships_url", "ext_ims_lis_basic_outcome_url", "groupsservice"),
    }
)
_SHOWN_BEGINNINGS = ("launch_presentation_", "tool_consumer_", "accept_", "ext_content_")
# Our own parameters, by their canonical names, but those that name people.
_SHOWN_PARAMETERS = frozenset(
    {
        *("course_target_id", "parent_course_id", "course_offering_sourcedid", "assignment_id", "page", "send_grade"),
        *("resource_link_submission_end_date_time", "canvas_assignment_due_at"),
    }
)
# About people or secret, wherever they stand.
_MASKED = frozenset(
    {
        *("person_sourcedid", "user_id", "sub", "name", "email", "given_name", "family_name", "middle_name", "picture"),
        *("data", "nonce", "jti", "oauth_consumer_key_sign", "role_scope_mentor", "mentor_for", "text", "html"),
    }
)


def mask_message(message: Mapping[str, Any]) -> dict[str, Any]:
    """The form of LTI 1.1 or the claims of LTI 1.3, ready for JSON. Never raises, whatever the message holds."""
    return {_cut_off(name): _show(name, value, is_shown=False, depth=0) for name, value in _first_members(message)}


def write_masked(message: Mapping[str, Any]) -> str:
    """The masked message as JSON; "" for an empty one, and for one of more than MAX_JSON characters."""
    text = json.dumps(mask_message(message), ensure_ascii=False) if message else ""
    return text if len(text) <= MAX_JSON else ""


def _first_members(members: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(str(name), value) for name, value in list(members.items())[:MAX_MEMBERS]]


def _show(name: str, value: Any, *, is_shown: bool, depth: int) -> Any:
    short = _claim_name(name)
    is_shown = short not in _MASKED and (is_shown or _is_listed(name, short))
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return MASK
        # Parameters are the platform's own words: each of them is judged by its name alone.
        inside = is_shown and short != "custom"
        return {_cut_off(one): _show_member(short, one, held, inside, depth) for one, held in _first_members(value)}
    if isinstance(value, list | tuple):
        return [_show(name, one, is_shown=is_shown, depth=depth + 1) for one in value[:MAX_MEMBERS]]
    if value is None or isinstance(value, bool):
        return value
    return _show_text(str(value), is_shown=is_shown) if not isinstance(value, int) or not is_shown else value


def _show_member(parent: str, name: str, value: Any, is_shown: bool, depth: int) -> Any:
    if parent == "custom":
        is_shown = normalise_name(name) in _SHOWN_PARAMETERS
        return _show_text(str(value), is_shown=is_shown) if isinstance(value, str | int | float) else MASK
    return _show(name, value, is_shown=is_shown, depth=depth + 1)


def _is_listed(name: str, short: str) -> bool:
    if is_custom(name):
        return normalise_name(name) in _SHOWN_PARAMETERS
    return short in _SHOWN or short.startswith(_SHOWN_BEGINNINGS)


def _claim_name(name: str) -> str:
    beginning = next((one for one in _CLAIMS if name.startswith(one)), "")
    return name.removeprefix(beginning)


def _show_text(text: str, *, is_shown: bool) -> str:
    # An unexpanded variable is what a teacher has to see, and nobody's value.
    if not text or is_unexpanded(text):
        return _cut_off(text)
    if not is_shown:
        return f"{MASK} ({len(text)})"
    if is_web_url(text) and (query := urlsplit(text).query):
        return _cut_off(text.replace(query, MASK))  # queries carry session keys and ids of people
    return _cut_off(text)


def _cut_off(text: str) -> str:
    shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in text[:MAX_TEXT])
    return shown + ("…" if len(text) > MAX_TEXT else "")
