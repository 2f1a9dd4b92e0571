"""OAuth 1.0a signatures as LTI 1.x uses them: two-legged, HMAC-SHA1 or HMAC-SHA256 (RFC 5849 §3).

oauthlib says what of an address is signed (§3.4.1.2). The rest of the base string is made here, since every launch
pays for it, and tested against oauthlib's. Nothing here tells a computed signature to anybody: the
errors say only that it did not fit.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias
from urllib.parse import parse_qsl, urlsplit

from oauthlib.oauth1.rfc5849.signature import base_string_uri

from ltikit.errors import BadSignatureError, MalformedMessageError, MissingParameterError, UnsupportedAlgorithmError
from ltikit.parameters import percent_encode

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Decoded names and values in the order received; names may repeat and values may be empty."""

SIGNATURE_METHODS = MappingProxyType({"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256})
"""What is accepted. PLAINTEXT would send the secret itself, RSA-SHA1 has no place in LTI."""


def verify_form_signature(form: Pairs, *, url: str, secret: str) -> None:
    """Return if the form was signed with `secret` and posted to `url`, else refuse (RFC 5849 §3.2).

    `form` is the whole decoded body, `url` the absolute public address that it was posted to, with its
    query. The query belongs to the signature (§3.4.1.3.1). Canvas copies the query into the body, leaves it
    in the URL and signs it once; so, and only if every pair of the query is in the body too, a signature
    over the body alone is accepted as well.

    Raises `UnsupportedAlgorithmError`, `MissingParameterError`, `MalformedMessageError`, `BadSignatureError`.
    """
    _require_secret(secret)
    query = read_query(url)
    method = _read_oauth_parameter(form, query, "oauth_signature_method")
    if method not in SIGNATURE_METHODS:
        raise UnsupportedAlgorithmError(f"oauth_signature_method is {method!r}" if method else "no signature method")
    signature = _read_oauth_parameter(form, query, "oauth_signature")
    if not signature:
        raise MissingParameterError("oauth_signature is missing")
    signed = [pair for pair in form if pair[0] != "oauth_signature"]
    if _fits(signature, [*query, *signed], url=url, secret=secret, method=method):
        return
    is_copied = bool(query) and not Counter(query) - Counter(signed)
    if is_copied and _fits(signature, signed, url=url, secret=secret, method=method):
        return
    raise BadSignatureError(f"{method} over {len(signed)} fields and {len(query)} query parameters does not fit")


def sign_form(
    form: Iterable[tuple[str, str]],
    *,
    url: str,
    consumer_key: str,
    secret: str,
    nonce: str,
    now: datetime,
    signature_method: str = "HMAC-SHA1",
) -> list[tuple[str, str]]:
    """`form` with the OAuth parameters and the signature added, to be posted to `url` (LTI 1.1 §4.3).

    `now` is aware; `nonce` must be new for each message. The query of `url` is signed, not added.
    """
    fields = [*form, ("oauth_callback", "about:blank")]
    fields += _oauth_parameters(consumer_key=consumer_key, nonce=nonce, now=now, signature_method=signature_method)
    base_string = build_base_string("POST", url, [*read_query(url), *fields])
    return [*fields, ("oauth_signature", compute_signature(base_string, secret=secret, method=signature_method))]


def authorization_header(
    method: str,
    url: str,
    body: bytes,
    *,
    consumer_key: str,
    secret: str,
    nonce: str,
    now: datetime,
    signature_method: str = "HMAC-SHA1",
) -> str:
    """The value of an `Authorization` header for a request whose body is not a form (RFC 5849 §3.5.1).

    The exact bytes of `body` are covered by `oauth_body_hash`, which is SHA-1 whatever the signature method:
    that is what platforms compare with (OAuth Request Body Hash, draft 4, §3.2). Without a body there is none.
    """
    oauth = _oauth_parameters(consumer_key=consumer_key, nonce=nonce, now=now, signature_method=signature_method)
    if body:
        digest = hashlib.sha1(body, usedforsecurity=False).digest()
        oauth.append(("oauth_body_hash", base64.b64encode(digest).decode("ascii")))
    base_string = build_base_string(method, url, [*read_query(url), *oauth])
    oauth.append(("oauth_signature", compute_signature(base_string, secret=secret, method=signature_method)))
    return "OAuth " + ", ".join(f'{percent_encode(name)}="{percent_encode(value)}"' for name, value in oauth)


def build_base_string(method: str, url: str, parameters: Pairs) -> str:
    """The signature base string (RFC 5849 §3.4.1).

    `parameters` are all decoded pairs of query, body and header (without its realm); `oauth_signature` is left out.

    Raises `MalformedMessageError` if `url` has no scheme or host, or a port out of range.
    """
    try:
        base_uri = base_string_uri(url)
    except ValueError as error:
        raise MalformedMessageError(f"the address cannot be signed: {error}") from error
    pairs = sorted(
        [(percent_encode(name), percent_encode(value)) for name, value in parameters if name != "oauth_signature"]
    )
    # What is encoded already holds no other characters that have to be encoded once more (§3.4.1.1).
    normalized = "&".join([f"{name}={value}" for name, value in pairs])
    twice = normalized.replace("%", "%25").replace("=", "%3D").replace("&", "%26")
    return f"{method.upper()}&{percent_encode(base_uri)}&{twice}"


def compute_signature(base_string: str, *, secret: str, method: str) -> str:
    """The base64 HMAC of a base string with a consumer secret and an empty token (RFC 5849 §3.4.2).

    Raises `UnsupportedAlgorithmError` for a method that is not in `SIGNATURE_METHODS`.
    """
    _require_secret(secret)
    if method not in SIGNATURE_METHODS:
        raise UnsupportedAlgorithmError(f"oauth_signature_method is {method!r}")
    key = f"{percent_encode(secret)}&".encode("ascii")
    digest = hmac.new(key, base_string.encode("utf-8"), SIGNATURE_METHODS[method]).digest()
    return base64.b64encode(digest).decode("ascii")


def read_query(url: str) -> list[tuple[str, str]]:
    """The decoded query of a URL; empty values and repeated names are kept.

    Raises `MalformedMessageError` if the URL cannot be taken apart or its query is not UTF-8 or holds NUL.
    """
    try:
        query = parse_qsl(urlsplit(url).query, keep_blank_values=True, errors="strict", max_num_fields=256)
    except ValueError as error:
        raise MalformedMessageError("the query of the launch address cannot be read") from error
    if any("\0" in name or "\0" in value for name, value in query):
        raise MalformedMessageError("the query of the launch address holds a NUL character")
    return query


def _fits(signature: str, parameters: Pairs, *, url: str, secret: str, method: str) -> bool:
    expected = compute_signature(build_base_string("POST", url, parameters), secret=secret, method=method)
    return hmac.compare_digest(expected.encode("ascii"), signature.encode("utf-8"))


def _oauth_parameters(*, consumer_key: str, nonce: str, now: datetime, signature_method: str) -> list[tuple[str, str]]:
    if now.tzinfo is None:
        raise ValueError("now must be an aware datetime")
    return [
        ("oauth_consumer_key", consumer_key),
        ("oauth_signature_method", signature_method),
        ("oauth_timestamp", str(int(now.timestamp()))),
        ("oauth_nonce", nonce),
        ("oauth_version", "1.0"),
    ]


def _read_oauth_parameter(form: Pairs, query: Pairs, name: str) -> str:
    """One protocol parameter of the form; "" if absent. Twice, or in the query, is refused (RFC 5849 §3.1)."""
    values = [value for key, value in form if key == name]
    if len(values) > 1 or any(key == name for key, _ in query):
        raise MalformedMessageError(f"{name} was sent twice or in the address")
    return values[0] if values else ""


def _require_secret(secret: str) -> None:
    # An empty secret would accept what anybody can sign.
    if not secret:
        raise ValueError("the consumer secret must not be empty")
