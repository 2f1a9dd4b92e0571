"""What both floors share: the tables, the one statement, and the checks that the specifications ask for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from benchmarks.platform import oauth_signature

# People who were here before, and a log whose nonce is the guard against replay.
SCHEMA = """
CREATE TABLE person (key text PRIMARY KEY, name text NOT NULL);
CREATE TABLE launch (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(),
                     nonce text NOT NULL UNIQUE, person text NOT NULL REFERENCES person, link text NOT NULL);
INSERT INTO person SELECT 'person-' || lpad(n::text, 5, '0'), 'Maria Number ' || n FROM generate_series(0, 99999) n;
"""
STORE = """
INSERT INTO launch (nonce, person, link) SELECT %s, key, %s FROM person WHERE key = %s
ON CONFLICT (nonce) DO NOTHING RETURNING id, (SELECT name FROM person WHERE key = launch.person)
"""
_MAX_AGE_SECONDS = 300


@dataclass(frozen=True)
class Arrival:
    """Who comes where, by a launch that holds."""

    nonce: str
    link: str
    person: str


@dataclass(frozen=True)
class Floor:
    """One platform by LTI 1.3, one key by LTI 1.1."""

    base: str
    database: str
    secret_key: str
    platform: dict[str, str]
    public_key: rsa.RSAPublicKey
    key: str
    secret: str

    def ask_platform(self, *, login_hint: str, message_hint: str, nonce: str, state: str) -> str:
        """The address to which the login redirects."""
        query = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": self.platform["client_id"],
            "redirect_uri": f"{self.base}/launch",
            "nonce": nonce,
            "login_hint": login_hint,
            "lti_message_hint": message_hint,
            "state": state,
        }
        return f"{self.platform['auth_url']}?{urlencode(query)}"

    def check_v13(self, token: str, nonce: str) -> Arrival | None:
        """An id_token. A wrong signature raises; other wrongs give None."""
        signed, _, signature = token.rpartition(".")
        self.public_key.verify(_decode(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        claims: dict[str, Any] = json.loads(_decode(signed.partition(".")[2]))
        expected = (self.platform["issuer"], self.platform["client_id"], nonce)
        if (claims["iss"], claims["aud"], claims["nonce"]) != expected or claims["exp"] < time.time():
            return None
        link = claims["https://purl.imsglobal.org/spec/lti/claim/resource_link"]["id"]
        return Arrival(nonce, link, claims["sub"])

    def check_v11(self, form: dict[str, str]) -> Arrival | None:
        """A form of LTI 1.1."""
        expected = oauth_signature(form, url=f"{self.base}/launch11", secret=self.secret)
        is_right = hmac.compare_digest(expected, form["oauth_signature"]) and form["oauth_consumer_key"] == self.key
        if not is_right or abs(time.time() - int(form["oauth_timestamp"])) > _MAX_AGE_SECONDS:
            return None
        nonce = hashlib.sha256(form["oauth_nonce"].encode()).hexdigest()
        return Arrival(nonce, form["resource_link_id"], form["user_id"])


def read_environment() -> Floor:
    """What the floor was told at its start."""
    told = json.loads(os.environ["FLOOR"])
    key = serialization.load_pem_public_key(told.pop("pem").encode())
    assert isinstance(key, rsa.RSAPublicKey)
    return Floor(public_key=key, **told)


def write_page(person: str, name: str) -> str:
    """The page on which a launch lands."""
    return f"<!doctype html><title>Exercise</title><h1>Welcome, {name}</h1><p>{person}</p>"


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
