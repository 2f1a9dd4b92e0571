"""LTI 1.1 messages recorded from real platforms, kept beside the repository: accepted or refused as they were."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ltikit.errors import BadSignatureError, ExpiredError, ServiceRejectedError
from ltikit.http import Response
from ltikit.launch import Launch, Role
from ltikit.v11.launch import verify_launch
from ltikit.v11.oauth1 import build_base_string
from ltikit.v11.outcomes import parse_outcome_response

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"

Message = dict[str, Any]


def find_launches() -> list[Message]:
    """All recorded 1.1 launches in one shape: name, address, secret, form, expectation."""
    found: list[Message] = []
    for path in sorted(VECTORS.glob("launches/*.json")):
        message = json.loads(path.read_text("utf-8"))
        if message.get("lti") == "1.1":
            secret = message["signature"]["resigned_with_consumer_secret"]
            found.append({**message, "name": path.stem, "secret": secret, "form": message["params"]})
    for path in sorted(VECTORS.glob("moodle-4.5/lti11-launch-*.json")):
        message = json.loads(path.read_text("utf-8"))
        expect = "accept" if message["signature_ok"] else "refuse"
        found.append({**message, "name": path.stem, "secret": message["consumer_secret"], "expect": expect})
    return found


LAUNCHES = find_launches()
every_launch = pytest.mark.parametrize("message", LAUNCHES, ids=[message["name"] for message in LAUNCHES])
if_present = pytest.mark.skipif(not LAUNCHES, reason=f"no recorded LTI 1.1 messages in {VECTORS}")


def verify(message: Message, *, secret: str = "", seconds: int = 0) -> Launch:
    """Verify a recorded launch some seconds after it was made."""
    form = [(name, value) for name, value in message["form"]]
    now = datetime.fromtimestamp(int(dict(form)["oauth_timestamp"]) + seconds, UTC)
    return verify_launch(form, url=message["launch_url"], secret=secret or message["secret"], now=now)


@if_present
@every_launch
def test_recorded_launches_are_accepted_or_refused_as_recorded(message: Message) -> None:
    """Each recorded launch verifies with its secret if its file says so, and else is refused."""
    if not message["expect"].startswith("accept"):
        with pytest.raises(BadSignatureError):
            verify(message)
        return
    found = verify(message, seconds=100)
    form = dict(message["form"])
    assert form["user_id"] == found.person.user_id
    assert found.context is not None
    assert form["context_id"] == found.context.id
    assert found.resource_link is not None
    assert form["resource_link_id"] == found.resource_link.id
    assert form["oauth_nonce"] == found.nonce
    assert ("Learner" not in form["roles"]) == (found.role is Role.TEACHER)
    assert form.get("lis_result_sourcedid", "") == (found.outcomes.sourcedid if found.outcomes else "")


@if_present
@every_launch
def test_recorded_launches_need_their_secret_and_their_time(message: Message) -> None:
    """Each recorded launch is refused with another secret, and 301 seconds after it was made."""
    with pytest.raises(BadSignatureError):
        verify(message, secret="another secret")
    with pytest.raises(ExpiredError):
        verify(message, seconds=301)


@if_present
@every_launch
def test_recorded_base_strings_are_ours(message: Message) -> None:
    """Where the base string was recorded, ours is the same, byte by byte."""
    recorded = message.get("signature", {}).get("base_string")
    if recorded is None:
        pytest.skip("no base string was recorded with this launch")
    assert recorded == build_base_string("POST", message["launch_url"], [(n, v) for n, v in message["form"]])


@if_present
def test_unexpanded_variables_of_moodle_are_absent() -> None:
    """Moodle 4.5 sends unknown variables literally; they are not parameters."""
    launches = {message["name"]: message for message in LAUNCHES}
    if "lti11-launch-student" not in launches:
        pytest.skip(f"no Moodle launch in {VECTORS}")
    message = launches["lti11-launch-student"]
    sent = {name.removeprefix("custom_") for name, value in message["form"] if name.startswith("custom_")}
    literal = {name.removeprefix("custom_") for name, value in message["form"] if value.startswith("$")}
    assert literal
    assert sent - literal == set(verify(message).custom)


ANSWERS_FILE = VECTORS / "moodle-4.5" / "outcomes11.json"


@pytest.mark.skipif(not ANSWERS_FILE.exists(), reason=f"no recorded Basic Outcomes answers at {ANSWERS_FILE}")
def test_recorded_outcome_answers_are_read() -> None:
    """What a Moodle 4.5 answered to replace, read and delete means what it meant there."""
    scores: list[Decimal | None] = []
    failures = 0
    for exchange in json.loads(ANSWERS_FILE.read_text("utf-8")):
        response = Response(exchange["status"], {}, exchange["body"].encode())
        if "<imsx_codeMajor>success<" not in exchange["body"]:
            with pytest.raises(ServiceRejectedError, match=r"Score not between 0\.0 and 1\.0"):
                parse_outcome_response(response)
            failures += 1
            continue
        found = parse_outcome_response(response)
        assert found.operation == exchange["op"]
        if exchange["op"] == "readResult":
            scores.append(found.score)
    assert failures == 1
    assert [Decimal("0.92"), Decimal(0), None] == scores
