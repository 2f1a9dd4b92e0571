"""The cases of the LTI Advantage certification of tools, and negatives beyond it: what is sent, what must come of it.

Names are those of the certification guide. `expect` is the code of a refusal, or the role in which a launch lands.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.ltikit.v13.platform import INSTITUTION, KID, MEMBERSHIP, public_pem, rsa_jwk, rsa_key, sign
from tests.spec.certification.validator import CLIENT_ID, SHORT_KID, Message

NAMES = ("name", "given_name", "family_name", "middle_name")
TEACHER, STUDENT = MEMBERSHIP + "Instructor", MEMBERSHIP + "Learner"
UNKNOWN = "http://purl.imsglobal.org/vocab/lis/v2/"


@dataclass(frozen=True)
class Case:
    """One launch. `send` says what happens to the platform's answer on its way through the browser."""

    id: str
    name: str
    message: Message
    expect: str
    send: str = "once"  # once | twice | from another browser | without its cookie
    sub: str = ""


def refused(number: str, name: str, code: str, *without: str, **wish: Any) -> Case:
    """A launch that must be refused with this code."""
    send = wish.pop("send", "once")
    message = Message(without=without, changes=wish.pop("changes", {}), **wish)
    return Case(number, name, message, code, send=send)


def _header(**members: Any) -> dict[str, Any]:
    return {"alg": "RS256", "kid": KID, "typ": "JWT", **members}


def _only(claims: dict[str, Any]) -> bytes:
    return json.dumps({"name": "badltilaunch"}).encode()


def _twice(claims: dict[str, Any]) -> bytes:
    text = json.dumps(claims)
    return text.replace('"sub": ', '"sub": "somebody-else", "sub": ', 1).encode()


def _without_signature(token: str) -> str:
    return token.rpartition(".")[0]


def _of_somebody_else(token: str) -> str:
    header, payload, signature = token.split(".")
    other = sign({"iss": "x", "sub": "somebody-else", "nonce": payload[:8]}).split(".")[1]
    return f"{header}.{other}.{signature}"


ATTACKER = rsa_key("attacker")
NO_TIME = {"iat": 11111, "exp": 22222}

BAD_PAYLOADS = (
    refused("B1", "No KID Sent in JWT header", "missing_parameter", header={"badtestonly": "12345", "alg": "RS256"}),
    refused("B2", "Incorrect KID in JWT header", "unknown_key", header=_header(kid="imstester_66067")),
    refused("B3", "Wrong LTI Version", "unsupported_version", changes={"version": "11.3"}),
    refused("B4", "No LTI Version", "missing_parameter", "version"),
    refused("B5", "Invalid LTI message", "missing_parameter", payload=_only),
    refused("B6", "Missing LTI Claims", "missing_parameter", "aud", "iss", "sub", "deployment_id", "roles"),
    refused("B7", "Timestamps Incorrect", "expired", changes=NO_TIME),
    refused("B8", "message_type Claim Missing", "missing_parameter", "message_type"),
    refused("B9", "role Claim Missing", "missing_parameter", "roles"),
    refused("B10", "deployment_id Claim Missing", "missing_parameter", "deployment_id"),
    refused("B11", "resource_link_id Claim Missing", "missing_resource_link", "resource_link"),
    refused("B12", "user Claim Missing", "missing_parameter", "sub"),
)

BEYOND = (
    refused("x-01", "Audience is another tool", "wrong_audience", changes={"aud": "another-tool"}),
    refused("x-02", "Audience list without us", "wrong_audience", changes={"aud": ["a", "b"]}),
    refused(
        "x-03", "Audience list, foreign azp", "wrong_audience", changes={"aud": [CLIENT_ID, "other"], "azp": "other"}
    ),
    refused(
        "x-04",
        "alg none, no signature",
        "malformed_message",
        header=_header(alg="none"),
        bend=lambda token: token[: token.rfind(".") + 1],
    ),
    refused(
        "x-05",
        "HS256 with our public key",
        "unsupported_algorithm",
        header=_header(alg="HS256"),
        key=public_pem(rsa_key()),
    ),
    refused("x-06", "Token of two parts", "malformed_message", bend=_without_signature),
    refused("x-07", "Payload changed after signing", "bad_signature", bend=_of_somebody_else),
    refused("x-08", "The same token twice", "replayed", send="twice"),
    refused("x-09", "Nonce missing", "wrong_nonce", "nonce"),
    refused("x-10", "State cookie missing", "wrong_state", send="without its cookie"),
    refused("x-11", "State of another browser", "wrong_state", send="from another browser"),
    refused(
        "x-12", "iat in the future", "expired", changes={"iat": int(time.time()) + 7200, "exp": int(time.time()) + 9000}
    ),
    refused("x-13", "exp missing", "expired", "exp"),
    refused("x-14", "Key of another registration", "bad_signature", key=rsa_key("another platform")),
    refused("x-15", "Unknown deployment", "unknown_deployment", changes={"deployment_id": "elsewhere"}),
    refused("x-16", "Key by a jku header", "bad_signature", header=_header(jku="https://evil.example/k"), key=ATTACKER),
    refused(
        "x-17", "Key by an x5u header", "bad_signature", header=_header(x5u="https://evil.example/c"), key=ATTACKER
    ),
    refused("x-18", "Key by a jwk header", "bad_signature", header=_header(jwk=rsa_jwk(ATTACKER)), key=ATTACKER),
    refused("x-19", "Critical header", "unsupported_algorithm", header=_header(crit=["exp"], exp=1)),
    refused("x-20", "RSA key of 1024 bits", "unknown_key", header=_header(kid=SHORT_KID), key=rsa_key("short", 1024)),
    refused("x-21", "Unknown message type", "unsupported_message", changes={"message_type": "LtiEulaRequest"}),
    refused(
        "x-22",
        "Target of another host",
        "foreign_target",
        changes={"target_link_uri": "https://evil.example/lti/launch"},
    ),
    refused(
        "x-23",
        "Error response instead of a token",
        "platform_refused",
        form={"id_token": None, "error": "login_required", "error_description": "no session"},
    ),
    refused("x-24", "Duplicate JSON member", "malformed_message", payload=_twice),
    refused("x-25", "exp is text", "expired", changes={"exp": str(int(time.time()) + 300)}),
    refused("x-26", "iat is text", "expired", changes={"iat": "2026-01-01T00:00:00Z"}),
)


def _arrives(number: str, name: str, role: str, roles: list[str], *without: str) -> Case:
    sub = f"person-of-{number}"
    changes = {"roles": roles, "sub": sub, "email": f"{number.lower()}@school.example"}
    kept = {name: value for name, value in changes.items() if name not in without}
    return Case(number, name, Message(without=without, changes=kept), role, sub=sub)


VALID = (
    _arrives("T1", "Valid Teacher Launch", "teacher", [TEACHER]),
    _arrives(
        "T2",
        "Valid Teacher Launch with Multiple Roles",
        "teacher",
        [TEACHER, INSTITUTION + "Staff", INSTITUTION + "Other"],
    ),
    _arrives("T3", "Valid Teacher Launch with Short Role", "teacher", ["Instructor"]),
    _arrives("T4", "Valid Teacher Launch with Unknown Role", "student", [UNKNOWN + "unknown/unknown#Helper"]),
    _arrives("T5", "Valid Teacher Launch with No Role", "student", [""]),
    _arrives("T6", "Valid Teacher Launch Email Only", "teacher", [TEACHER], *NAMES),
    _arrives("T7", "Valid Teacher Launch Names Only", "teacher", [TEACHER], "email"),
    _arrives("T8", "Valid Teacher No PII", "teacher", [TEACHER], *NAMES, "email"),
    _arrives("T9", "Valid Teacher Email Without Context", "teacher", [TEACHER], *NAMES, "context"),
    _arrives("S1", "Valid Student Launch", "student", [STUDENT]),
    _arrives(
        "S2",
        "Valid Student Launch with Multiple Roles",
        "student",
        [STUDENT, INSTITUTION + "Student", INSTITUTION + "Mentor"],
    ),
    _arrives("S3", "Valid Student Launch with Short Role", "student", ["Learner"]),
    _arrives(
        "S4", "Valid Student Launch with Unknown Role", "student", [STUDENT, UNKNOWN + "uknownrole/unknown#Unknown"]
    ),
    _arrives("S5", "Valid Student Launch with No Role", "student", [""]),
    _arrives("S6", "Valid Student Launch Email Only", "student", [STUDENT], *NAMES),
    _arrives("S7", "Valid Student Launch Names Only", "student", [STUDENT], "email"),
    _arrives("S8", "Valid Student No PII", "student", [STUDENT], *NAMES, "email"),
    _arrives("S9", "Valid Student Email Without Context", "student", [STUDENT], *NAMES, "context"),
)

SECTIONS = {
    "5.1": "Third-party initiated login",
    "6.1.1": "Core, known bad payloads",
    "6.1.2": "Core, valid teacher launches",
    "6.1.3": "Core, valid student launches",
    "6.2": "Deep Linking",
    "6.3": "Names and Role Provisioning Services",
    "6.4": "Assignment and Grade Services",
    "x": "Negatives beyond the list",
    "1.1": "LTI 1.1",
}
REQUIRED = (
    *(f"LI{number}" for number in range(1, 11)),
    *(f"B{number}" for number in range(1, 13)),
    *(f"{letter}{number}" for letter in "TS" for number in range(1, 10)),
    *(f"DL{number}" for number in range(1, 9)),
    *(f"NR{number}" for number in range(1, 6)),
    *(f"AG{number}" for number in range(1, 8)),
    *(f"x-{number:02}" for number in range(1, 27)),
    *("1.1", "1.2", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9", "4.1", "4.2", "4.3", "4.4", "4.5", "4.6"),
)
"""What a table without holes holds."""


def section_of(number: str) -> str:
    """The section of the guide that a case belongs to."""
    letters = {"L": "5.1", "B": "6.1.1", "T": "6.1.2", "S": "6.1.3", "D": "6.2", "N": "6.3", "A": "6.4", "x": "x"}
    return letters.get(number[0], "1.1")
