"""The LMS of the measurements: a thousand people in ten courses, its key, and launches signed by both versions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT_ID, DEPLOYMENT, KEY_ID = "client-of-the-benchmark", "1", "key-1"
COURSES, LINKS = 10, 20
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
_AGS = "https://purl.imsglobal.org/spec/lti-ags/"
_VOCABULARY = "http://purl.imsglobal.org/vocab/lis/v2/"


@dataclass(frozen=True)
class Visit:
    """One person at one link, always the same for the same number."""

    number: int

    @property
    def user(self) -> str:
        return f"person-{self.number:05d}"

    @property
    def course(self) -> str:
        return f"course-{self.number % COURSES}"

    @property
    def link_number(self) -> int:
        return self.number // COURSES % LINKS

    @property
    def link(self) -> str:
        return f"{self.course}-link-{self.link_number}"


class Platform:
    """Signs, and answers at the address of its keyset."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        keyset = json.dumps({"keys": [self._public_jwk()]}).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(keyset)))
                self.end_headers()
                self.wfile.write(keyset)

            def log_message(self, *words: object) -> None:
                """Nothing: a line for each launch would be measured too."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def about(self) -> dict[str, str]:
        """What a tool has to know."""
        return {
            "issuer": self.issuer,
            "client_id": CLIENT_ID,
            "auth_url": f"{self.issuer}/auth",
            "token_url": f"{self.issuer}/token",
            "keyset_url": f"{self.issuer}/keys",
        }

    def public_pem(self) -> str:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()

    def sign_v13(self, visit: Visit, *, target: str, nonce: str) -> str:
        """The id_token of a launch, about as long as those of common LMSs."""
        header = {"alg": "RS256", "kid": KEY_ID, "typ": "JWT"}
        signed = f"{_encode(header)}.{_encode(self._claims(visit, target, nonce))}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def _claims(self, visit: Visit, target: str, nonce: str) -> dict[str, Any]:
        now = int(time.time())
        columns = f"{self.issuer}/columns/{visit.course}"
        return {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": visit.user,
            "nonce": nonce,
            "iat": now,
            "exp": now + 3600,
            "given_name": "Maria",
            "family_name": f"Number {visit.number}",
            "name": f"Maria Number {visit.number}",
            "email": f"{visit.user}@school.example",
            "locale": "en",
            _CLAIM + "message_type": "LtiResourceLinkRequest",
            _CLAIM + "version": "1.3.0",
            _CLAIM + "deployment_id": DEPLOYMENT,
            _CLAIM + "target_link_uri": target,
            _CLAIM + "roles": [
                f"{_VOCABULARY}institution/person#Student",
                f"{_VOCABULARY}membership#Learner",
            ],
            _CLAIM + "context": {
                "id": visit.course,
                "label": visit.course.upper(),
                "title": f"The course {visit.course}",
                "type": [f"{_VOCABULARY}course#CourseOffering"],
            },
            _CLAIM + "resource_link": {"id": visit.link, "title": f"Exercise {visit.link_number}"},
            _CLAIM + "tool_platform": {"guid": "school.example", "name": "School", "product_family_code": "benchmark"},
            _CLAIM + "launch_presentation": {"document_target": "iframe", "return_url": f"{self.issuer}/return"},
            _CLAIM + "custom": {"term": "autumn"},
            _AGS + "claim/endpoint": {
                "scope": [_AGS + "scope/lineitem", _AGS + "scope/result.readonly", _AGS + "scope/score"],
                "lineitems": columns,
                "lineitem": f"{columns}/{visit.link_number}",
            },
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": f"{self.issuer}/people/{visit.course}",
                "service_versions": ["2.0"],
            },
        }

    def _public_jwk(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        modulus = numbers.n.to_bytes(256, "big")
        return {
            "kty": "RSA",
            "alg": "RS256",
            "use": "sig",
            "kid": KEY_ID,
            "n": _base64(modulus),
            "e": _base64(numbers.e.to_bytes(3, "big")),
        }


def sign_v11(visit: Visit, *, url: str, key: str, secret: str) -> dict[str, str]:
    """The form of an LTI 1.1 launch."""
    form = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": visit.link,
        "resource_link_title": f"Exercise {visit.link_number}",
        "context_id": visit.course,
        "context_label": visit.course.upper(),
        "context_title": f"The course {visit.course}",
        "user_id": visit.user,
        "roles": "Learner",
        "lis_person_name_given": "Maria",
        "lis_person_name_family": f"Number {visit.number}",
        "lis_person_name_full": f"Maria Number {visit.number}",
        "lis_person_contact_email_primary": f"{visit.user}@school.example",
        "lis_outcome_service_url": "https://school.example/outcomes",
        "lis_result_sourcedid": f"{visit.link}:{visit.user}",
        "tool_consumer_instance_guid": "school.example",
        "tool_consumer_info_product_family_code": "benchmark",
        "launch_presentation_document_target": "iframe",
        "launch_presentation_return_url": "https://school.example/return",
        "custom_term": "autumn",
        "oauth_callback": "about:blank",
        "oauth_consumer_key": key,
        "oauth_nonce": secrets.token_hex(16),
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_timestamp": str(int(time.time())),
        "oauth_version": "1.0",
    }
    form["oauth_signature"] = oauth_signature(form, url=url, secret=secret)
    return form


def oauth_signature(form: dict[str, str], *, url: str, secret: str) -> str:
    """HMAC-SHA1 over the base string (RFC 5849 §3.4) of a POST to an address without a query."""
    pairs = sorted((_percent(name), _percent(value)) for name, value in form.items() if name != "oauth_signature")
    parameters = "&".join(f"{name}={value}" for name, value in pairs)
    base = f"POST&{_percent(url)}&{_percent(parameters)}"
    return base64.b64encode(hmac.digest(f"{_percent(secret)}&".encode(), base.encode(), hashlib.sha1)).decode()


def _percent(text: str) -> str:
    return quote(text, safe="-._~")


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _encode(value: object) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())
