"""A platform as strict as the certification suite: it launches, and serves token, grades and roster over real HTTP.

It signs with RSA itself and verifies with joserfc, so nothing of the library under test judges the library under
test. Whatever breaks a MUST of a specification is answered with a 4xx and kept in `violations`.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from urllib.request import ProxyHandler, build_opener

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.courseway.http_servers import Handler, Server, serve_http
from tests.ltikit.v13.platform import CLAIM, make_claims, rsa_jwk, rsa_key, sign

CLIENT_ID = "validator-client"
DEPLOYMENT = "testdeploy"
SHORT_KID = "key-of-1024-bits"
LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"
AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
ROSTER_SCOPE = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
LINE_ITEM = "application/vnd.ims.lis.v2.lineitem+json"
LINE_ITEMS = "application/vnd.ims.lis.v2.lineitemcontainer+json"
RESULTS = "application/vnd.ims.lis.v2.resultcontainer+json"
SCORE = "application/vnd.ims.lis.v1.score+json"
MEMBERSHIPS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
SUB_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)")
ACTIVITY = {"Initialized", "Started", "InProgress", "Submitted", "Completed"}
GRADING = {"FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"}


@dataclass
class Message:
    """What the platform answers to one authentication request: the claims of a good launch, bent by a case."""

    without: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    payload: Any = None  # callable (claims) -> bytes: the exact text that is signed
    header: Mapping[str, Any] | None = None
    key: Any = None
    bend: Any = None  # callable (token) -> token: changed after signing
    form: Mapping[str, str | None] = field(default_factory=dict)  # fields of the form beside or instead


@dataclass
class Validator:
    """One platform with one registered tool. `calls` are the service requests seen, `violations` what was wrong."""

    server: Server
    keyset_url: str = ""  # of the tool
    redirect_uri: str = ""
    messages: dict[str, Message] = field(default_factory=dict)
    keyset_reads: int = 0
    violations: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    granted: dict[str, set[str]] = field(default_factory=dict)
    seen_ids: set[str] = field(default_factory=set)
    line_items: dict[str, dict[str, Any]] = field(default_factory=dict)
    scores: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    returned: list[dict[str, str]] = field(default_factory=list)  # what came to the deep linking return address
    members: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 2

    @property
    def url(self) -> str:
        return self.server.url

    def make_token(self, message: Message, nonce: str) -> str:
        """An id_token for this authentication request."""
        now = int(time.time())
        told = {"iss": self.url, "aud": CLIENT_ID, "iat": now - 2, "exp": now + 300, "nonce": nonce}
        told["launch_presentation"] = {"return_url": f"{self.url}/back?course=7"}
        claims = make_claims(**{**told, "deployment_id": DEPLOYMENT, **message.changes})
        for name in message.without:
            claims.pop(name, claims.pop(CLAIM + name, None))
        payload = message.payload(claims) if message.payload else claims
        token = sign(payload, header=message.header, key=message.key)
        return str(message.bend(token)) if message.bend else token

    def read_tool_keys(self) -> KeySet:
        """The tool's public keys, as it serves them."""
        with build_opener(ProxyHandler({})).open(self.keyset_url, timeout=10) as answer:
            return KeySet.import_key_set(json.load(answer))

    def blame(self, why: str) -> str:
        self.violations.append(why)
        return why


@contextmanager
def run_validator() -> Iterator[Validator]:
    """A validator on a port of its own."""

    class Bound(_Site):
        pass

    with serve_http(Bound) as server:
        Bound.validator = validator = Validator(server)
        yield validator


class _WrongError(Exception):
    """The request is refused."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def _need(is_so: object, why: str, status: int = 400) -> None:
    if not is_so:
        raise _WrongError(status, why)


class _Site(Handler):
    validator: Validator

    def do_GET(self) -> None:
        self._serve({"/jwks": self._keys, "/auth": self._authorize, "/lineitems": self._list, "/roster": self._roster})

    def do_POST(self) -> None:
        self._serve({"/token": self._token, "/lineitems": self._create, "/links": self._take_links})

    def do_DELETE(self) -> None:
        self._serve({})

    def _serve(self, places: Mapping[str, Any]) -> None:
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query, keep_blank_values=True)
        self.body = self.read_body()
        item = re.fullmatch(r"/lineitems/(\w+)(/scores|/results)?", parts.path)
        kept = dict(self.headers.items())
        self.validator.calls.append({"method": self.command, "path": parts.path, "query": self.query, "headers": kept})
        try:
            if item:
                return self._column(*item.groups())
            _need(parts.path in places, f"{self.command} {parts.path} is not offered", 404)
            places[parts.path]()
        except _WrongError as error:
            self.validator.blame(f"{self.command} {self.path}: {error}")
            self._json(error.status, {"error": "invalid_request", "error_description": str(error)})

    def _json(self, status: int, value: object, media_type: str = "application/json", **headers: str) -> None:
        self.answer(status, json.dumps(value).encode(), Content_Type=media_type, **headers)

    # Launches

    def _keys(self) -> None:
        self.validator.keyset_reads += 1
        short = rsa_jwk(rsa_key("short", 1024), kid=SHORT_KID, alg="RS256", use="sig")
        self._json(200, {"keys": [rsa_jwk(alg="RS256", use="sig"), short]})

    def _authorize(self) -> None:
        """Security Framework 5.1.1.2: every parameter is checked, the redirect address as a string."""
        sent = {name: values[0] for name, values in self.query.items()}
        _need(all(len(values) == 1 for values in self.query.values()), "a parameter is there twice")
        wanted = {"scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none"}
        wanted |= {"client_id": CLIENT_ID, "redirect_uri": self.validator.redirect_uri}
        for name, value in wanted.items():
            _need(sent.get(name) == value, f"{name} is {sent.get(name)!r}, not {value!r}")
        hint = sent.get("login_hint", "")
        _need(hint in self.validator.messages, "login_hint is not the one of the login request")
        _need(sent.get("lti_message_hint") == f"message of {hint}", "lti_message_hint is not echoed unaltered")
        for name in ("state", "nonce"):
            _need(len(sent.get(name, "")) >= 22, f"{name} is missing or can be guessed")
        _need(f"nonce {sent['nonce']}" not in self.validator.seen_ids, "the nonce was used before")
        self.validator.seen_ids.add(f"nonce {sent['nonce']}")
        message = self.validator.messages[hint]
        form = {"id_token": self.validator.make_token(message, sent["nonce"]), "state": sent["state"], **message.form}
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in form.items()
            if value is not None
        )
        page = f'<!doctype html><form method="post" action="{escape(self.validator.redirect_uri)}">{fields}</form>'
        self.answer(200, page.encode(), Content_Type="text/html; charset=utf-8")

    def _take_links(self) -> None:
        """Deep Linking 2.0 §4: one field by POST, at exactly the address that was given."""
        _need(self.query.get("modal") == ["true"], "the query of the return address was lost")
        pairs = parse_qsl(self.body.decode(), keep_blank_values=True)
        self.validator.returned.append(dict(pairs))
        _need([name for name, _ in pairs] == ["JWT"], f"the form holds {[name for name, _ in pairs]}, not JWT alone")
        self.answer(200, b"<!doctype html><title>Thank you</title>", Content_Type="text/html; charset=utf-8")

    # Services

    def _token(self) -> None:
        """Client credentials with a signed assertion (Security Framework 4.1.1)."""
        media_type = self.headers.get("Content-Type")
        _need(media_type == "application/x-www-form-urlencoded", f"the token request is {media_type}")
        form = dict(parse_qsl(self.body.decode(), strict_parsing=True))
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        _need(form.get("grant_type") == "client_credentials", "grant_type is wrong")
        _need(form.get("client_assertion_type") == kind, "client_assertion_type is wrong")
        assertion = form["client_assertion"]
        header = json.loads(base64.urlsafe_b64decode(assertion.split(".")[0] + "=="))
        _need(header.get("kid"), "the assertion's header has no kid")
        token = jwt.decode(assertion, self.validator.read_tool_keys(), algorithms=["RS256"])
        claims = token.claims
        for name, value in {"iss": CLIENT_ID, "sub": CLIENT_ID, "aud": f"{self.validator.url}/token"}.items():
            _need(claims.get(name) in (value, [value]), f"{name} is {claims.get(name)!r}, not {value!r}")
        _need(type(claims.get("iat")) is int and type(claims.get("exp")) is int, "iat and exp must be numbers")
        _need(claims["iat"] <= time.time() + 5 < claims["exp"] <= claims["iat"] + 3600, "iat and exp do not fit")
        _need(f"jti {claims.get('jti')}" not in self.validator.seen_ids, "jti was used before")
        self.validator.seen_ids.add(f"jti {claims.get('jti')}")
        scopes = set(form.get("scope", "").split(" "))
        offered = {AGS + one for one in ("lineitem", "lineitem.readonly", "result.readonly", "score")}
        _need(scopes <= offered | {ROSTER_SCOPE}, f"scopes that were not offered: {scopes}")
        value = secrets.token_urlsafe(24)
        self.validator.granted[value] = scopes
        answer = {"access_token": value, "token_type": "Bearer", "expires_in": 3600, "scope": " ".join(scopes)}
        self._json(200, answer)

    def _allow(self, *scopes: str) -> None:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        _need(kind == "Bearer" and value in self.validator.granted, "there is no access token of ours", 401)
        _need(self.validator.granted[value] & set(scopes), f"the token is not for {scopes}", 403)

    def _accept(self, media_type: str) -> None:
        accepted = self.headers.get("Accept", "")
        _need(accepted == media_type, f"Accept is {accepted!r}, not {media_type!r}", 406)

    def _read(self, media_type: str) -> dict[str, Any]:
        sent = self.headers.get("Content-Type")
        _need(sent == media_type, f"Content-Type is {sent!r}, not {media_type!r}", 415)
        return dict(json.loads(self.body, parse_float=Decimal))

    def _list(self) -> None:
        self._allow(AGS + "lineitem", AGS + "lineitem.readonly")
        self._accept(LINE_ITEMS)
        filters = {"resource_link_id": "resourceLinkId", "resource_id": "resourceId", "tag": "tag"}
        found = [
            item
            for item in self.validator.line_items.values()
            if all(self.query[name] == [item.get(member)] for name, member in filters.items() if name in self.query)
        ]
        self._json(200, found, LINE_ITEMS)

    def _create(self) -> None:
        self._allow(AGS + "lineitem")
        item = self._read(LINE_ITEM)
        _need(str(item.get("label", "")).strip(), "label is blank")
        _need(
            isinstance(item.get("scoreMaximum"), int | Decimal) and item["scoreMaximum"] > 0, "scoreMaximum is not > 0"
        )
        _need("id" not in item, "the id is the platform's to give")
        name = secrets.token_hex(4)
        made = {**item, "scoreMaximum": float(item["scoreMaximum"]), "id": f"{self.validator.url}/lineitems/{name}?v=1"}
        self.validator.line_items[name] = made
        self._json(201, made, LINE_ITEM)

    def _column(self, name: str, part: str | None) -> None:
        item = self.validator.line_items.get(name)
        _need(item is not None, "there is no such line item", 404)
        _need(self.query.get("v") == ["1"], "the query of the line item's address was lost", 404)
        assert item is not None
        if self.command == "DELETE" and part is None:
            self._allow(AGS + "lineitem")
            del self.validator.line_items[name]
            return self.answer(204)
        if self.command == "POST" and part == "/scores":
            return self._score(name)
        _need(self.command == "GET", "no such operation", 405)
        if part == "/results":
            return self._results(name, item)
        self._allow(AGS + "lineitem", AGS + "lineitem.readonly")
        self._accept(LINE_ITEM)
        return self._json(200, item, LINE_ITEM)

    def _score(self, name: str) -> None:
        """AGS 2.0 §3.4: every member that MUST be there, and times that rise."""
        self._allow(AGS + "score")
        score = self._read(SCORE)
        _need(score.get("userId"), "userId is missing")
        _need(score.get("activityProgress") in ACTIVITY, "activityProgress is not of the vocabulary")
        _need(score.get("gradingProgress") in GRADING, "gradingProgress is not of the vocabulary")
        _need(SUB_SECOND.fullmatch(str(score.get("timestamp"))), "timestamp lacks parts of a second or a zone")
        _need("scoreGiven" not in score or score["scoreGiven"] >= 0, "scoreGiven is below 0")
        _need("scoreGiven" not in score or score.get("scoreMaximum", 0) > 0, "scoreMaximum is not > 0")
        earlier = self.validator.scores.setdefault(name, [])
        last = [one["timestamp"] for one in earlier if one["userId"] == score["userId"]]
        moment = datetime.fromisoformat(score["timestamp"])
        _need(all(datetime.fromisoformat(one) < moment for one in last), "timestamp does not rise", 409)
        earlier.append(score)
        self.answer(204)

    def _results(self, name: str, item: Mapping[str, Any]) -> None:
        self._allow(AGS + "result.readonly")
        self._accept(RESULTS)
        newest = {score["userId"]: score for score in self.validator.scores.get(name, []) if "scoreGiven" in score}
        results = [
            {
                "id": f"{self.validator.url}/results/{user_id}",
                "scoreOf": item["id"],
                "userId": user_id,
                "resultScore": float(
                    Decimal(score["scoreGiven"]) / score["scoreMaximum"] * Decimal(item["scoreMaximum"])
                ),
                "resultMaximum": item["scoreMaximum"],
            }
            for user_id, score in newest.items()
            if self.query.get("user_id", [user_id]) == [user_id]
        ]
        self._json(200, results, RESULTS)

    def _roster(self) -> None:
        """NRPS 2.0 §2.4, in pages."""
        self._allow(ROSTER_SCOPE)
        self._accept(MEMBERSHIPS)
        _need(self.query.get("course") == ["1"], "the query of the roster's address was lost", 404)
        start = int(self.query.get("from", ["0"])[0])
        end = start + self.validator.page_size
        page = {
            "id": f"{self.validator.url}/roster?course=1",
            "context": {"id": "course-1", "label": "PY", "title": "Python"},
            "members": self.validator.members[start:end],
        }
        more = {"Link": f'<{self.validator.url}/roster?course=1&from={end}>; rel="next"'}
        self._json(200, page, MEMBERSHIPS, **(more if end < len(self.validator.members) else {}))
