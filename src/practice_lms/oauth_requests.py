"""Checking an OAuth 1.0a signed request with a body that is no form, as LTI 1.1's services send it."""

import base64
import hashlib
import hmac
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from oauthlib.oauth1.rfc5849.signature import collect_parameters

from practice_lms.refusals import RefusedError
from practice_lms.tools import SIGNATURE_METHODS, Tool, find_tool

TIMESTAMP_WINDOW = 300
"""Seconds that a request's clock may differ from ours, in either direction."""

BODY_HASHES = {"HMAC-SHA1": (hashlib.sha1,), "HMAC-SHA256": (hashlib.sha256, hashlib.sha1)}
"""What `oauth_body_hash` may be made with. Libraries differ for HMAC-SHA256, the extension only speaks of SHA-1."""


class SecretsOfOneTool(RequestValidator):
    """What oauthlib asks about the one tool that a request names."""

    def __init__(self, tool: Tool | None) -> None:
        super().__init__()
        self._tool = tool

    enforce_ssl = False  # the practice LMS lives on the loopback interface
    timestamp_lifetime = TIMESTAMP_WINDOW
    allowed_signature_methods = SIGNATURE_METHODS
    dummy_client = "no-such-key"

    def check_client_key(self, client_key: str) -> bool:
        """Keys are opaque."""
        return 0 < len(client_key) <= 255

    def check_nonce(self, nonce: str) -> bool:
        """Nonces are opaque."""
        return 0 < len(nonce) <= 255

    def validate_timestamp_and_nonce(self, *_: Any, **__: Any) -> bool:
        """The nonce is used up only after the signature was found good, see `verify_signed_request`."""
        return True

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        """Whether the key belongs to a tool."""
        return self._tool is not None

    def get_client_secret(self, client_key: str, request: Any) -> str:
        """The tool's secret, or one that fits nobody."""
        return self._tool.secret if self._tool else "no-such-secret"


@dataclass(frozen=True)
class SignedRequest:
    """What reached the service; `url` is the public address, not what the Host header says."""

    url: str
    method: str
    authorization: str
    content_type: str
    body: bytes


def verify_signed_request(db: sqlite3.Connection, request: SignedRequest, *, now: float) -> Tool:
    """The tool that signed this request: signature, clock, body hash, and a nonce that was never used before."""
    parameters = read_authorization(request.authorization)
    key = parameters.get("oauth_consumer_key", "")
    tool = find_tool(db, "consumer_key", key)
    check_timestamp(parameters.get("oauth_timestamp", ""), now)
    endpoint = SignatureOnlyEndpoint(SecretsOfOneTool(tool))
    headers = {"Authorization": request.authorization, "Content-Type": request.content_type}
    is_valid, _ = endpoint.validate_request(request.url, request.method, "", headers)
    if not is_valid or tool is None:
        method = parameters.get("oauth_signature_method", "")
        if method not in SIGNATURE_METHODS:
            raise RefusedError(f"The signature method {method!r} is not allowed.", 401)
        raise RefusedError("Message signature not valid.", 401)
    if request.method != "GET":
        _check_body_hash(parameters.get("oauth_body_hash", ""), parameters["oauth_signature_method"], request.body)
    use_oauth_nonce(db, tool, parameters["oauth_nonce"], int(parameters["oauth_timestamp"]), now)
    return tool


def verify_signed_form(db: sqlite3.Connection, *, url: str, body: bytes, form: Mapping[str, str], now: float) -> Tool:
    """The tool that signed this posted form: signature, clock, and a nonce that was never used before."""
    for name in ("oauth_consumer_key", "oauth_signature", "oauth_timestamp", "oauth_nonce"):
        if not form.get(name):
            raise RefusedError(f"The form is not signed: {name} is missing.", 401)
    tool = find_tool(db, "consumer_key", form["oauth_consumer_key"])
    check_timestamp(form["oauth_timestamp"], now)
    endpoint = SignatureOnlyEndpoint(SecretsOfOneTool(tool))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    is_valid, _ = endpoint.validate_request(url, "POST", body.decode("utf-8", "replace"), headers)
    if not is_valid or tool is None:
        raise RefusedError("Message signature not valid.", 401)
    use_oauth_nonce(db, tool, form["oauth_nonce"], int(form["oauth_timestamp"]), now)
    return tool


def read_authorization(header: str) -> dict[str, str]:
    """The oauth parameters of an Authorization header."""
    if header[:6].lower() != "oauth ":
        raise RefusedError("The request is not signed: the Authorization header must begin with OAuth.", 401)
    try:
        pairs = collect_parameters(headers={"Authorization": header}, exclude_oauth_signature=False)
    except ValueError:
        raise RefusedError("The Authorization header cannot be read.", 401) from None
    parameters = dict(pairs)
    for name in ("oauth_consumer_key", "oauth_signature", "oauth_signature_method", "oauth_timestamp", "oauth_nonce"):
        if not parameters.get(name):
            raise RefusedError(f"The Authorization header lacks {name}.", 401)
    return parameters


def check_timestamp(text: str, now: float) -> None:
    """Refuse a clock that differs too much from ours."""
    if not text.isascii() or not text.isdigit():
        raise RefusedError("oauth_timestamp must be a whole number of seconds.", 401)
    difference = int(text) - int(now)
    if abs(difference) > TIMESTAMP_WINDOW:
        raise RefusedError(f"Expired timestamp: the clocks are {abs(difference)} seconds apart.", 401)


def _check_body_hash(sent: str, method: str, body: bytes) -> None:
    if not sent:
        raise RefusedError("The Authorization header lacks oauth_body_hash.", 401)
    computed = [base64.b64encode(make(body).digest()).decode("ascii") for make in BODY_HASHES[method]]
    if not any(hmac.compare_digest(sent, one) for one in computed):
        raise RefusedError("oauth_body_hash does not fit the body.", 401)


def use_oauth_nonce(db: sqlite3.Connection, tool: Tool, nonce: str, timestamp: int, now: float) -> None:
    """Use up a nonce of a request whose signature was found good."""
    db.execute("DELETE FROM oauth_nonce WHERE timestamp < ?", (int(now) - 2 * TIMESTAMP_WINDOW,))
    cursor = db.execute("INSERT OR IGNORE INTO oauth_nonce VALUES (?, ?, ?)", (tool.key, nonce, timestamp))
    if cursor.rowcount == 0:
        raise RefusedError("Duplicate nonce: this request was seen before.", 401)
