"""What the server, the signature and the one statement cost without any framework: a WSGI callable on the same server.

The same three requests, checks and statement as Django's floor. Whoever wants to be faster needs another language.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

import psycopg

from benchmarks.floor import STORE, Arrival, read_environment, write_page

FLOOR = read_environment()
_SIGNING_KEY = FLOOR.secret_key.encode()
_MAX_AGE_SECONDS = 600
_kept = threading.local()


class _Answer:
    """Status, headers and body as WSGI takes them."""

    def __init__(self, status: str, body: str = "", **headers: str) -> None:
        self.status = status
        self.body = body.encode()
        self.headers = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(self.body)))]
        self.headers += [(name.replace("_", "-"), value) for name, value in headers.items()]


_REFUSED = _Answer("403 Forbidden")


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """One request."""
    path = environ["PATH_INFO"]
    if path == "/login":
        answer = _log_in(dict(parse_qsl(environ["QUERY_STRING"])))
    elif path == "/launch":
        answer = _launch(_read_form(environ), _read_cookies(environ))
    elif path == "/launch11":
        answer = _land(FLOOR.check_v11(_read_form(environ)))
    elif path.startswith("/at/"):
        answer = _show(path.removeprefix("/at/"), _read_cookies(environ))
    else:
        answer = _Answer("200 OK", "ok")
    start_response(answer.status, answer.headers)
    return [answer.body]


def _log_in(query: dict[str, str]) -> _Answer:
    nonce, browser = secrets.token_urlsafe(16), secrets.token_urlsafe(16)
    address = FLOOR.ask_platform(
        login_hint=query["login_hint"],
        message_hint=query["lti_message_hint"],
        nonce=nonce,
        state=_sign([nonce, browser, time.time()]),
    )
    return _Answer("302 Found", Location=address, Set_Cookie=_write_cookie("browser", browser))


def _launch(form: dict[str, str], cookies: dict[str, str]) -> _Answer:
    nonce, browser, at = _open(form["state"])
    if not hmac.compare_digest(browser, cookies["browser"]) or time.time() - at > _MAX_AGE_SECONDS:
        return _REFUSED
    return _land(FLOOR.check_v13(form["id_token"], nonce))


def _land(arrival: Arrival | None) -> _Answer:
    if arrival is None:
        return _REFUSED
    row = _connection().execute(STORE, [arrival.nonce, arrival.link, arrival.person], prepare=True).fetchone()
    if row is None:
        return _REFUSED
    session = _write_cookie("session", _sign([row[0], arrival.person, row[1]]))
    return _Answer("303 See Other", Location=f"/at/{row[0]}", Set_Cookie=session)


def _show(reference: str, cookies: dict[str, str]) -> _Answer:
    number, person, name = _open(cookies["session"])
    return _Answer("200 OK", write_page(person, name)) if str(number) == reference else _REFUSED


def _connection() -> psycopg.Connection:
    if not hasattr(_kept, "connection"):
        _kept.connection = psycopg.connect(FLOOR.database, autocommit=True)
    connection: psycopg.Connection = _kept.connection
    return connection


def _sign(value: object) -> str:
    text = base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    return f"{text}.{hmac.digest(_SIGNING_KEY, text.encode(), hashlib.sha256).hex()}"


def _open(signed: str) -> list[Any]:
    text, _, signature = signed.partition(".")
    if not hmac.compare_digest(hmac.digest(_SIGNING_KEY, text.encode(), hashlib.sha256).hex(), signature):
        raise ValueError("a signature of somebody else")
    value: list[Any] = json.loads(base64.urlsafe_b64decode(text))
    return value


def _read_form(environ: dict[str, Any]) -> dict[str, str]:
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _read_cookies(environ: dict[str, Any]) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in environ.get("HTTP_COOKIE", "").split("; "))
    return {name: value for name, _, value in pairs}


def _write_cookie(name: str, value: str) -> str:
    return f"{name}={value}; Path=/; Secure; HttpOnly; SameSite=None"
