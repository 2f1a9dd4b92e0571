"""LTI Advantage certification 6.2: a request without a link and without a target, the answer, and a launch of it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import pytest
from joserfc import jwt

from tests.end_to_end.picking import list_mails, read_code
from tests.end_to_end.servers import OWNER
from tests.ltikit.v13.platform import CLAIM
from tests.spec.certification.cases import STUDENT, TEACHER
from tests.spec.certification.conftest import Answer, Browser, Stand
from tests.spec.certification.validator import CLIENT_ID, DEPLOYMENT, LINKING, Message

DATA = '909708 é "&<+%20>'


@dataclass
class Returned:
    """What came back: the fields of the form, header and verified claims of its token."""

    form: dict[str, str]
    header: dict[str, Any]
    claims: dict[str, Any]
    received_at: float


def submit(browser: Browser, answer: Answer, ending: str, **values: str) -> Answer:
    """Fills in and sends the form whose address ends so."""
    form = next(one for one in answer.document.forms if (one.action or "").endswith(ending))
    fields = [(name, value) for name, value in form.form_values() if name not in values]
    return browser.send("POST", urljoin(answer.url, form.action), [*fields, *values.items()])


@pytest.fixture(scope="module")
def returned(stand: Stand) -> Returned:
    """A teacher proves the address, chooses two assignments, and the browser carries the answer to the platform."""
    wanted = {
        "deep_link_return_url": f"{stand.validator.url}/links?modal=true",
        "accept_types": ["link", "file", "html", "ltiResourceLink"],
        "accept_presentation_document_targets": ["iframe", "window"],
        "accept_multiple": True,
        "auto_create": True,
        "data": DATA,
    }
    changes = {
        "message_type": "LtiDeepLinkingRequest",
        "roles": [TEACHER],
        "sub": "teacher-who-links",
        "email": OWNER,
        LINKING + "deep_linking_settings": wanted,
    }
    message = Message(without=("resource_link", "target_link_uri"), changes=changes)
    before = len(list_mails(stand, OWNER))
    with Browser() as browser:
        page = stand.launch(browser, message, target=stand.platform["deep_linking_url"])
        assert (page.status, page.marks.get("launch")) == (200, "waiting"), page.text
        page = submit(browser, page, "/choose/code", email=OWNER)
        page = submit(browser, page, "/choose/prove", code=read_code(stand, OWNER, after=before))
        for one in stand.course["assignments"][:2]:
            page = submit(browser, page, "/choose/", go=f"take:{one['id']}")
        page = submit(browser, page, "/choose/", go="add")
        (form,) = page.document.xpath("//form[@data-auto-submit]")
        done = browser.send("POST", form.action, form.form_values())
        assert done.status == 200, done.text
    (sent,) = stand.validator.returned
    token = sent["JWT"]
    header = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))
    claims = jwt.decode(token, stand.validator.read_tool_keys(), algorithms=["RS256"]).claims
    return Returned(sent, header, claims, time.time())


def test_response_received(returned: Returned, row: Any) -> None:
    """The answer came by POST, in one field, at exactly the address that was given."""
    row("DL1", "Response received", "one field JWT", ", ".join(returned.form))
    assert list(returned.form) == ["JWT"]


def test_is_a_deep_linking_response(returned: Returned, row: Any) -> None:
    """It says that it is a response, of this version."""
    kind, version = returned.claims[CLAIM + "message_type"], returned.claims[CLAIM + "version"]
    row("DL2", "Is a Deep Linking response", "LtiDeepLinkingResponse 1.3.0", f"{kind} {version}")
    assert (kind, version) == ("LtiDeepLinkingResponse", "1.3.0")


def test_timestamps_valid(returned: Returned, row: Any) -> None:
    """It was made now and is good for minutes, in numbers."""
    iat, exp = returned.claims["iat"], returned.claims["exp"]
    row("DL3", "Timestamps valid", "now, at most an hour", f"good for {exp - iat} s")
    assert (type(iat), type(exp)) == (int, int)
    assert iat - 5 <= returned.received_at < exp <= iat + 3600


def test_signature_valid(returned: Returned, row: Any) -> None:
    """It is signed by RS256 with a key of the tool's keyset, named by its kid."""
    row("DL4", "Signature valid", "RS256 by a published key", f"{returned.header['alg']}, kid given")
    assert returned.header["alg"] == "RS256"
    assert returned.header["kid"]


def test_required_claims(stand: Stand, returned: Returned, row: Any) -> None:
    """We are its issuer, the platform its audience, for the deployment that asked; it has a nonce."""
    claims = returned.claims
    row("DL5", "Required claims", "iss, aud, nonce, deployment_id", "all there" if claims.get("nonce") else "no nonce")
    assert (claims["iss"], claims["aud"]) == (CLIENT_ID, stand.validator.url)
    assert claims[CLAIM + "deployment_id"] == DEPLOYMENT
    assert claims["nonce"]
    assert claims.get("azp", stand.validator.url) == stand.validator.url


def test_data_echoed(returned: Returned, row: Any) -> None:
    """What the platform gave along comes back as it was."""
    echoed = returned.claims[LINKING + "data"]
    row("DL6", "data echoed", "the same text", "the same text" if echoed == DATA else repr(echoed))
    assert echoed == DATA


def test_values(stand: Stand, returned: Returned, row: Any) -> None:
    """The items are the assignments that were chosen, of a type that is accepted, each with its line item."""
    items = returned.claims[LINKING + "content_items"]
    row("DL7", "Values", "two ltiResourceLink", ", ".join(item["type"] for item in items))
    chosen = stand.course["assignments"][:2]
    assert [item["title"] for item in items] == [one["title"] for one in chosen]
    assert {item["type"] for item in items} == {"ltiResourceLink"}
    assert [item["lineItem"]["scoreMaximum"] for item in items] == [float(one["points"]) for one in chosen]
    assert all(set(map(type, item.get("custom", {}).values())) <= {str} for item in items)


def test_core_launch_of_the_returned_link(stand: Stand, returned: Returned, row: Any) -> None:
    """The link that the platform makes of it opens the assignment for a student."""
    item = returned.claims[LINKING + "content_items"][1]
    changes = {
        "roles": [STUDENT],
        "sub": "student-of-the-link",
        "resource_link": {"id": "made-of-the-answer", "title": item["title"]},
        "custom": item.get("custom", {}),
    }
    with Browser() as browser:
        answer = stand.launch(browser, Message(changes=changes), target=item["url"])
    opened = stand.course["assignments"][1]
    row(
        "DL8",
        "Core launch of the returned link",
        "lands on that work",
        f"HTTP {answer.status}, {answer.marks['launch']}",
    )
    assert (answer.marks["launch"], answer.marks["assignment"]) == ("ok", opened["id"])
