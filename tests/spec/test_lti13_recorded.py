"""Messages as real LMSs sent them, read from outside the repository when they are there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ltikit.errors import BadSignatureError, ExpiredError, LtiError, MissingResourceLinkError
from ltikit.launch import Message, Role
from ltikit.v13.keys import parse_keyset
from ltikit.v13.launch import Registration, verify_launch
from ltikit.v13.login import build_authentication_url, parse_login
from tests.ltikit.v13.platform import CLAIM, keyset, sign

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
MOODLE = VECTORS / "moodle-4.5"


def read(path: Path) -> dict[str, Any]:
    if not path.exists():
        pytest.skip(f"no recorded messages here: {path.name} is kept outside the repository")
    recorded: dict[str, Any] = json.loads(path.read_text())
    return recorded


def recorded_launches() -> list[Path]:
    """Every LTI 1.3 launch of the collection, a placeholder when there is none."""
    found = [path for path in sorted(VECTORS.glob("launches/*.json")) if json.loads(path.read_text())["lti"] == "1.3"]
    return found or [VECTORS / "launches" / "any.json"]


@pytest.mark.parametrize(
    ("name", "message", "role", "user_id"),
    [
        ("lti13-teacher.json", Message.RESOURCE_LINK, Role.TEACHER, "3"),
        ("lti13-student.json", Message.RESOURCE_LINK, Role.STUDENT, "4"),
        ("lti13-deeplinking-request.json", Message.DEEP_LINKING, Role.TEACHER, "3"),
    ],
)
def test_moodle_launch(name: str, message: Message, role: Role, user_id: str) -> None:
    """A launch that Moodle signed verifies with Moodle's keyset at its time, and not a few minutes later."""
    recorded = read(MOODLE / name)
    claims, keys = recorded["claims"], parse_keyset((MOODLE / "platform-jwks.json").read_bytes())
    registration = Registration(claims["iss"], claims["aud"], frozenset({"2"}))
    now = datetime.fromisoformat(recorded["time"])
    accepted = verify_launch(
        recorded["id_token"], registration=registration, keys=keys, expected_nonce=claims["nonce"], now=now
    )
    assert (accepted.message, accepted.role, accepted.person.user_id) == (message, role, user_id)
    assert dict(accepted.raw) == claims
    assert accepted.platform.family == "moodle"
    assert "due" not in accepted.custom
    later = datetime.fromtimestamp(claims["exp"] + 61, UTC)
    for options, error in (
        ({"keys": keys, "now": later}, ExpiredError),
        ({"keys": keyset(), "now": now}, BadSignatureError),
    ):
        with pytest.raises(error):
            verify_launch(recorded["id_token"], registration=registration, expected_nonce=claims["nonce"], **options)


@pytest.mark.parametrize("name", ["lti13-teacher.json", "lti13-student.json", "lti13-deeplinking-request.json"])
def test_moodle_login_request(name: str) -> None:
    """Moodle's login request is read, and its hint, a JSON text, goes back unaltered."""
    form = [(key, value) for key, value in read(MOODLE / name)["login_initiation"]["form"]]
    login = parse_login(form)
    assert (login.issuer, login.deployment_id) == ("http://127.0.0.1:8081", "2")
    assert login.lti_message_hint == dict(form)["lti_message_hint"]
    url = build_authentication_url(
        login, authentication_url="http://127.0.0.1:8081/auth", client_id="c", redirect_uri="r", state="s", nonce="n"
    )
    assert "lti_message_hint=%7B%22" in url


@pytest.mark.parametrize("path", recorded_launches(), ids=lambda path: path.stem)
def test_recorded_launch(path: Path) -> None:
    """A launch as another LMS sent it, signed anew, is accepted or refused as its file says."""
    recorded = read(path)
    claims = recorded["claims"]
    audience = claims["aud"] if isinstance(claims["aud"], str) else claims["aud"][0]
    registration = Registration(claims["iss"], audience, frozenset({claims[CLAIM + "deployment_id"]}))

    def verify() -> Any:
        return verify_launch(
            sign(claims),
            registration=registration,
            keys=keyset(),
            expected_nonce=claims["nonce"],
            now=datetime.fromtimestamp(claims["iat"] + 5, UTC),
        )

    if recorded["expect"].startswith("accept"):
        accepted = verify()
        assert accepted.person.user_id == claims["sub"]
        assert "$" not in "".join((accepted.person.sourcedid, *accepted.custom.values()))
    elif "resource_link missing" in recorded["expect"]:
        with pytest.raises(MissingResourceLinkError):
            verify()
    else:
        with pytest.raises(LtiError):
            verify()


def test_canvas_site_administrator_is_no_teacher() -> None:
    """Somebody with roles of the institution alone gets no rights in the course."""
    recorded = read(VECTORS / "launches" / "canvas-2024-course-navigation.json")
    claims = recorded["claims"]
    accepted = verify_launch(
        sign(claims),
        registration=Registration(claims["iss"], claims["aud"], None),
        keys=keyset(),
        expected_nonce=claims["nonce"],
        now=datetime.fromtimestamp(claims["iat"], UTC),
    )
    assert accepted.role is Role.STUDENT
    assert accepted.person.sourcedid == ""
    assert accepted.context is not None
    assert accepted.context.offering_sourcedid == ""
