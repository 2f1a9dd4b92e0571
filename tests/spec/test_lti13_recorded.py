"""Messages as real LMSs sent them, read from outside the repository when they are there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ltikit import vocabulary
from ltikit.errors import (
    BadSignatureError,
    ExpiredError,
    LtiError,
    MissingResourceLinkError,
    PersonNotGradableError,
    ServiceConflictError,
    ServiceForbiddenError,
    ServiceUnauthorizedError,
)
from ltikit.http import Response
from ltikit.launch import Message, Role
from ltikit.links import next_url
from ltikit.v13.ags import (
    ActivityProgress,
    GradingProgress,
    Score,
    choose_lineitem,
    create_lineitem_request,
    lineitems_request,
    parse_lineitem,
    parse_lineitems,
    parse_results,
    parse_score_response,
    results_request,
    score_request,
)
from ltikit.v13.keys import parse_keyset
from ltikit.v13.launch import Registration, verify_launch
from ltikit.v13.login import build_authentication_url, parse_login
from ltikit.v13.registration import parse_platform_configuration, parse_registration_response
from ltikit.v13.token import parse_token_response
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


def exchanges(what: str) -> list[dict[str, Any]]:
    """What Moodle's services answered to requests of this kind."""
    recorded: Any = read(MOODLE / "services13.json")
    return [exchange for exchange in recorded if exchange["what"] == what]


def answered(exchange: dict[str, Any]) -> Response:
    body = exchange["body"]
    headers = {"content-type": exchange["content_type"]} | ({"link": exchange["link"]} if exchange["link"] else {})
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Response(exchange["status"], headers, content)


def test_moodle_token_answers() -> None:
    """Moodle's token answers, typed text/html, give tokens with the scopes granted, and its refusal an error."""
    full, refused, part = (answered(exchange) for exchange in exchanges("token"))
    now = datetime(2026, 11, 22, 8, tzinfo=UTC)
    wanted = [vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM]
    token = parse_token_response(full, requested=wanted, now=now)
    assert token.is_good_for(wanted)
    assert token.expires_at == now + timedelta(hours=1)
    assert not parse_token_response(part, requested=wanted, now=now).is_good_for(wanted)
    with pytest.raises(ServiceForbiddenError, match="invalid_scope"):
        parse_token_response(refused, requested=wanted, now=now)


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("score 8 of 10", None),
        ("score pending", None),
        ("score above the maximum", None),
        ("score on the new one", None),
        ("stale score", ServiceConflictError),
        ("score of an unknown user", PersonNotGradableError),
        ("score of the teacher", PersonNotGradableError),
    ],
)
def test_moodle_scores(what: str, error: type[LtiError] | None) -> None:
    """A score is sent to the very address that Moodle took it at, and its answer is understood."""
    (exchange,) = exchanges(what)
    sent = exchange["sent"]
    score = Score(
        user_id=sent["userId"],
        timestamp=datetime.fromisoformat(sent["timestamp"]),
        activity_progress=ActivityProgress(sent["activityProgress"]),
        grading_progress=GradingProgress(sent["gradingProgress"]),
        score_given=Decimal(sent["scoreGiven"]) if "scoreGiven" in sent else None,
        score_maximum=Decimal(sent["scoreMaximum"]) if "scoreMaximum" in sent else None,
        comment=sent.get("comment", ""),
    )
    request = score_request(exchange["url"].replace("/scores", ""), score, token="t")
    assert (request.method, request.url) == (exchange["method"], exchange["url"])
    body = json.loads(request.body)
    assert datetime.fromisoformat(body.pop("timestamp")) == score.timestamp
    assert body == {name: value for name, value in sent.items() if name != "timestamp"}
    if error is None:
        assert parse_score_response(answered(exchange)) == ""
    else:
        with pytest.raises(error):
            parse_score_response(answered(exchange))


def test_moodle_line_items() -> None:
    """Moodle's line items are listed, chosen by link, made, replaced and read."""
    (listed,) = exchanges("line items")
    items, following = parse_lineitems(answered(listed), url=listed["url"])
    assert ([item.label for item in items], following) == (
        ["Quiz by LTI 1.3", "Deep item one", "Deep item two"],
        None,
    )
    chosen = choose_lineitem(items, resource_link_id="3", resource_id="", tag="")
    assert chosen is not None
    assert (chosen.resource_id, chosen.tag, chosen.score_maximum) == ("res-1", "grade", Decimal(50))
    (one,) = exchanges("the coupled line item")
    assert parse_lineitem(answered(one), url=one["url"]) == items[0]
    (made,) = exchanges("new line item")
    item = parse_lineitem(answered(made), url=made["url"])
    request = create_lineitem_request(made["url"], replace(item, id=""), token="t")
    assert json.loads(request.body) == made["sent"]
    (put,) = exchanges("put line item")
    assert parse_lineitem(answered(put), url=put["url"]).label == "Second column renamed"
    (refused,) = exchanges("line items without a token")
    with pytest.raises(ServiceUnauthorizedError):
        parse_lineitems(answered(refused), url=refused["url"])


def test_moodle_paging() -> None:
    """Moodle's broken Link header of line items is read, and its right one of members too."""
    (page,) = exchanges("line items of the link, page of 1")
    asked = lineitems_request(
        "http://127.0.0.1:8081/mod/lti/services.php/2/lineitems?type_id=2", token="t", resource_link_id="2", limit=1
    )
    assert asked.url == page["url"]
    items, following = parse_lineitems(answered(page), url=page["url"])
    assert len(items) == 1
    assert following is not None
    assert following.endswith("/lineitems?resource_link_id=2&type_id=2&limit=1&from=1")
    (members,) = exchanges("members, page of 2")
    assert next_url(answered(members).headers, base_url=members["url"]) == members["url"] + "&from=2"


def test_moodle_results() -> None:
    """Moodle's results are asked for and read, of all and of one."""
    (all_of_them,) = exchanges("results")
    results, following = parse_results(answered(all_of_them), url=all_of_them["url"])
    assert following is None
    assert [(result.user_id, result.score, result.maximum) for result in results] == [("4", 80, 100), ("6", 100, 100)]
    (one,) = exchanges("results of one")
    lineitem = one["url"].replace("/results", "").replace("&user_id=4", "")
    assert results_request(lineitem, token="t", user_id="4").url == one["url"]


def test_moodles_registration_is_read() -> None:
    """What a Moodle 4.5 said of itself and answered to a registration is read, with client and deployment."""
    recorded = read(MOODLE / "lti13-dynamic-registration.json")
    body = json.dumps(recorded["openid_configuration"]).encode()
    url = recorded["query"]["openid_configuration"]
    found = parse_platform_configuration(Response(200, {}, body), configuration_url=url)
    assert (found.family, found.issuer) == ("moodle", recorded["openid_configuration"]["issuer"])
    assert found.messages[vocabulary.DEEP_LINKING_REQUEST] == ("ContentArea",)
    answer = Response(recorded["status"], {}, json.dumps(recorded["answer"]).encode())
    registered = parse_registration_response(answer, requested=())
    assert (registered.client_id, registered.deployment_id) == (recorded["answer"]["client_id"], "3")
    assert vocabulary.SCOPE_SCORE in registered.scopes
