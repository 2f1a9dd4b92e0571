"""'Add from tool': Deep Linking 2.0, Content-Item 1.0 and Canvas's older way; the answers are read strictly."""

import time
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from tests.practice_lms.conftest import Switch
from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.tool_side import (
    CLAIM,
    ENDPOINT,
    LINK_TYPE,
    LINKING,
    answer_content_items,
    answer_deep_linking,
    finish_login,
    launch,
    launch_11,
    launch_13,
)

SELECTION = {"link_selection": "https://tool.example/select"}
LOOPS = {
    "type": "ltiResourceLink",
    "url": "https://tool.example/a/1?x=1",
    "title": "Loops & <lists>",
    "text": "Five tasks",
    "custom": {"assignment_id": "a-1", "history": "$ResourceLink.id.history"},
    "lineItem": {"scoreMaximum": 40, "resourceId": "a-1", "tag": "grade", "label": "Loops"},
    "window": {"targetName": "_blank"},
    "iframe": {"width": 1000, "height": 800},
}
SETS = {"type": "ltiResourceLink", "title": "Sets"}


@pytest.fixture
def teacher(lms: PracticeLms, course: str) -> str:
    """A teacher of the course."""
    return lms.add_person(course, "teacher")


@pytest.fixture
def picker(lms: PracticeLms, keyset: KeysetServer) -> Tool13:
    """An LTI 1.3 tool from which links are chosen."""
    return Tool13(lms, keyset, placements=SELECTION)


def ask(lms: PracticeLms, tool: Tool13, course: str, teacher: str, **wish: Any) -> tuple[str, dict[str, Any]]:
    """Begin a selection; its id and the claims of the deep linking request."""
    begun = lms.post("selections", course=course, person=teacher, tool=tool.id, **wish)
    return begun["selection"], finish_login(lms, begun, teacher)


def ask_11(lms: PracticeLms, tool: Tool11, course: str, teacher: str, **wish: Any) -> tuple[str, dict[str, str]]:
    """The same by LTI 1.1: its id and the signed fields."""
    begun = lms.post("selections", course=course, person=teacher, tool=tool.id, **wish)
    assert begun["url"] == "https://tool.example/select"
    return begun["selection"], dict(begun["fields"])


def test_request_is_complete(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """A deep linking request says where and what may come back, to the tool's selection URL, and names no link."""
    _, claims = ask(lms, picker, course, teacher, accept_multiple=False, title="Week 1")
    assert claims[f"{CLAIM}message_type"] == "LtiDeepLinkingRequest"
    assert claims[f"{CLAIM}target_link_uri"] == "https://tool.example/select"
    assert f"{CLAIM}resource_link" not in claims
    assert claims[f"{CLAIM}context"]["id"] == course
    settings = claims[f"{LINKING}deep_linking_settings"]
    assert settings["accept_types"] == ["ltiResourceLink"]
    assert settings["accept_multiple"] is False
    assert settings["accept_lineitem"] is True
    assert {"iframe", "window"} <= set(settings["accept_presentation_document_targets"])
    assert settings["deep_link_return_url"].endswith("?modal=true")
    assert set('"&<é') <= set(settings["data"])


def test_many_links_come_back(lms: PracticeLms, course: str, teacher: str, picker: Tool13, student: str) -> None:
    """Each item becomes a link with its address, custom values, hints and line item; without one it is not graded."""
    module = lms.post("modules", course=course, title="Week 1")["id"]
    selection, request = ask(lms, picker, course, teacher, module=module)
    answer = answer_deep_linking(picker, request, teacher, [LOOPS, SETS], claims={f"{LINKING}msg": "Two chosen"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == lms.get("selections", id=selection)["state"] == "answered"
    assert answer.json()["message"] == "Two chosen"
    loops, sets = lms.get("links", course=course)
    assert [loops["id"], sets["id"]] == answer.json()["links"]
    assert (loops["url"], loops["title"], loops["description"]) == (LOOPS["url"], LOOPS["title"], "Five tasks")
    assert loops["custom"] == LOOPS["custom"]
    assert loops["hints"] == {"window": LOOPS["window"], "iframe": LOOPS["iframe"]}
    item = loops["line_item"]
    assert (item["score_maximum"], item["resource_id"], item["tag"], item["label"]) == ("40", "a-1", "grade", "Loops")
    assert {loops["module_id"], sets["module_id"]} == {module}
    assert (sets["title"], sets["url"], sets["line_item"]) == ("Sets", picker.record["launch_url"], None)
    claims = launch_13(lms, student, link=loops["id"])
    assert claims[f"{CLAIM}target_link_uri"] == LOOPS["url"]
    assert claims[f"{CLAIM}custom"] == {"assignment_id": "a-1", "history": ""}
    assert claims[ENDPOINT]["lineitem"] == item["url"]


def test_custom_values_survive_a_course_copy(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """What a tool put into a link comes back from the copy of the course, with the history that it asked for."""
    _, request = ask(lms, picker, course, teacher)
    (link,) = answer_deep_linking(picker, request, teacher, [LOOPS]).json()["links"]
    copied = lms.post("courses/copy", course=course)
    said = launch(lms, picker, lms.add_person(copied["course"]["id"]), link=copied["links"][link])
    assert said == {"assignment_id": "a-1", "history": link}


def test_nothing_may_come_back(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """An empty list, or none at all, is a selection that was called off, with the tool's message."""
    for items in ([], None):
        selection, request = ask(lms, picker, course, teacher)
        answer = answer_deep_linking(
            picker, request, teacher, items, claims={f"{LINKING}errormsg": "No course <b>here</b>"}
        )
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
        assert lms.get("selections", id=selection)["error"] == "No course <b>here</b>"
    assert lms.get("links", course=course) == []


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "somebody"},
        {"aud": "https://other.example"},
        {"aud": None},
        {"azp": "somebody"},
        {"exp": -60},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 600},
        {"exp": 90_000},
        {"nonce": None},
        {f"{CLAIM}message_type": "LtiResourceLinkRequest"},
        {f"{CLAIM}version": "1.3"},
        {f"{CLAIM}deployment_id": "other"},
        {f"{CLAIM}deployment_id": None},
        {f"{LINKING}data": None},
        {f"{LINKING}data": "other"},
        {f"{LINKING}msg": 1},
    ],
    ids=" and ".join,
)
def test_wrong_answer_makes_no_link(
    lms: PracticeLms, course: str, teacher: str, picker: Tool13, claims: dict[str, Any]
) -> None:
    """An answer with a claim that is wrong or missing is refused with a reason, and nothing is made."""
    selection, request = ask(lms, picker, course, teacher)
    # Times are given in seconds from now, which is long after the tests were collected.
    now = int(time.time())
    claims = {
        name: now + value if isinstance(value, int) and name in ("exp", "iat") else value
        for name, value in claims.items()
    }
    answer = answer_deep_linking(picker, request, teacher, [LOOPS], claims=claims)
    assert answer.status_code in (400, 401)
    assert answer.json()["error_description"]
    assert lms.get("links", course=course) == []
    assert lms.get("selections", id=selection)["state"] == "waiting"


def test_forged_answer_makes_no_link(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """A foreign key, an unknown or missing kid, further fields, a lost query and another person are refused."""
    _, request = ask(lms, picker, course, teacher)
    foreign = RSAKey.generate_key(2048)
    other = lms.add_person(course, "teacher")
    url = request[f"{LINKING}deep_linking_settings"]["deep_link_return_url"]
    for wish in (
        {"key": foreign},
        {"header": {"kid": "unknown"}},
        {"header": {"kid": None}},
        {"form": {"id_token": "x"}},
        {"url": url.partition("?")[0]},
        {"by": other},
        {"by": ""},
    ):
        answer = answer_deep_linking(picker, request, teacher, [LOOPS], **wish)
        assert answer.status_code in (400, 401, 403), wish
    assert lms.get("links", course=course) == []


def test_answer_counts_once(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """A selection is answered once, and a nonce is good for one answer even to another selection."""
    _, first = ask(lms, picker, course, teacher)
    _, second = ask(lms, picker, course, teacher)
    assert answer_deep_linking(picker, first, teacher, [SETS], claims={"nonce": "n1"}).status_code == 200
    assert answer_deep_linking(picker, first, teacher, [SETS]).status_code == 409
    assert answer_deep_linking(picker, second, teacher, [SETS], claims={"nonce": "n1"}).status_code == 401
    assert len(lms.get("links", course=course)) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"type": "link", "url": "https://tool.example/"},
        {"type": None},
        "text",
        {**LOOPS, "url": "https://other.example/a"},
        {**LOOPS, "url": "not an address"},
        {**LOOPS, "custom": {"a": 1}},
        {**LOOPS, "custom": ["a"]},
        {**LOOPS, "lineItem": {"scoreMaximum": 0}},
        {**LOOPS, "lineItem": {"scoreMaximum": "40"}},
        {**LOOPS, "lineItem": {"label": "no maximum"}},
        {**LOOPS, "window": "new"},
        {**LOOPS, "title": 5},
        {**LOOPS, "icon": "https://tool.example/i.png"},
    ],
    ids=str,
)
def test_wrong_item_refuses_all(lms: PracticeLms, course: str, teacher: str, picker: Tool13, item: Any) -> None:
    """One item that was not asked for, or that lacks what it must have, refuses the whole answer."""
    _, request = ask(lms, picker, course, teacher)
    assert answer_deep_linking(picker, request, teacher, [SETS, item]).status_code == 400
    assert lms.get("links", course=course) == []


def test_one_means_one(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """Two items where one was asked for are refused; one is taken."""
    _, request = ask(lms, picker, course, teacher, accept_multiple=False)
    assert answer_deep_linking(picker, request, teacher, [LOOPS, SETS]).status_code == 400
    assert answer_deep_linking(picker, request, teacher, [LOOPS]).status_code == 200


def test_line_item_may_be_unwanted(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """With accept_lineitem false no column is made, whatever the item says; not said at all, it is."""
    for accept, expected in ((False, False), (None, True)):
        _, request = ask(lms, picker, course, teacher, accept_lineitem=accept)
        settings = request[f"{LINKING}deep_linking_settings"]
        assert settings.get("accept_lineitem") is accept
        (link,) = answer_deep_linking(picker, request, teacher, [LOOPS]).json()["links"]
        made = next(one for one in lms.get("links", course=course) if one["id"] == link)
        assert (made["line_item"] is not None) == expected


def test_choosing_again_keeps_the_link(lms: PracticeLms, course: str, teacher: str, picker: Tool13) -> None:
    """A link that is chosen anew keeps its id and column, and has the new address and custom values (M7)."""
    _, request = ask(lms, picker, course, teacher)
    (link,) = answer_deep_linking(picker, request, teacher, [LOOPS]).json()["links"]
    before = lms.get("links", course=course)[0]
    _, request = ask(lms, picker, course, teacher, link=link)
    other = {**LOOPS, "url": "https://tool.example/a/2", "custom": {"assignment_id": "a-2"}}
    assert answer_deep_linking(picker, request, teacher, [other]).json()["links"] == [link]
    (after,) = lms.get("links", course=course)
    assert (after["url"], after["custom"]) == ("https://tool.example/a/2", {"assignment_id": "a-2"})
    assert after["line_item"]["id"] == before["line_item"]["id"]


def test_tool_without_placement_offers_nothing(lms: PracticeLms, course: str, teacher: str, tool13: Tool13) -> None:
    """A tool that has no selection placement cannot be asked for links."""
    answer = lms.http.post("/api/selections", json={"course": course, "person": teacher, "tool": tool13.id})
    assert answer.status_code == 404


CONTENT_ITEM = {
    "@type": "LtiLinkItem",
    "mediaType": LINK_TYPE,
    "url": "https://tool.example/a/1",
    "title": "Loops",
    "text": "Five tasks",
    "custom": {"assignment_id": "a-1"},
    "placementAdvice": {"presentationDocumentTarget": "window", "windowTarget": "_blank", "displayWidth": 800},
    "lineItem": {
        "@type": "LineItem",
        "label": "Loops",
        "reportingMethod": "http://purl.imsglobal.org/ctx/lis/v2p1/Result#normalScore",
        "assignedActivity": {"activityId": "a-1"},
        "scoreConstraints": {"@type": "NumericLimits", "normalMaximum": 40},
    },
}


@pytest.fixture
def picker11(lms: PracticeLms) -> Tool11:
    """An LTI 1.1 tool from which links are chosen."""
    return Tool11(lms, placements=SELECTION)


def test_content_items_become_links(
    lms: PracticeLms, course: str, teacher: str, picker11: Tool11, student: str
) -> None:
    """A signed Content-Item answer makes a link with custom values, points and the wished window."""
    selection, request = ask_11(lms, picker11, course, teacher)
    assert request["lti_message_type"] == "ContentItemSelectionRequest"
    assert "resource_link_id" not in request
    assert request["accept_media_types"] == LINK_TYPE
    assert request["accept_multiple"] == "true"
    second = {**CONTENT_ITEM, "title": "Sets", "lineItem": None}
    answer = answer_content_items(picker11, request, teacher, [CONTENT_ITEM, second])
    assert answer.status_code == 200, answer.text
    loops, sets = lms.get("links", course=course)
    assert loops["custom"] == {"assignment_id": "a-1"}
    assert loops["hints"] == {"window": {"targetName": "_blank", "width": 800}}
    assert (loops["line_item"]["score_maximum"], loops["line_item"]["resource_id"]) == ("40", "a-1")
    assert sets["line_item"] is None
    assert lms.get("selections", id=selection)["links"] == [loops["id"], sets["id"]]
    assert launch_11(lms, student, link=loops["id"])["custom_assignment_id"] == "a-1"


@pytest.mark.parametrize(
    "wish",
    [
        {"secret": "wrong"},
        {"after": {"data": "changed"}},
        {"after": {"oauth_signature": ""}},
        {"timestamp": str(int(time.time()) - 4000)},
        {"set": {"data": "other"}},
        {"set": {"lti_message_type": "basic-lti-launch-request"}},
        {"set": {"lti_version": "LTI-2p0"}},
        {"set": {"content_items": "{"}},
        {"set": {"content_items": "{}"}},
        {"context": "http://other.example/"},
        {"by": ""},
    ],
    ids=" and ".join,
)
def test_wrong_content_items_make_no_link(
    lms: PracticeLms, course: str, teacher: str, picker11: Tool11, wish: dict[str, Any]
) -> None:
    """An answer that is unsigned, forged, old or misshapen is refused, and nothing is made."""
    _, request = ask_11(lms, picker11, course, teacher)
    assert answer_content_items(picker11, request, teacher, [CONTENT_ITEM], **wish).status_code in (400, 401, 403)
    assert lms.get("links", course=course) == []


def test_content_item_nonce_counts_once(lms: PracticeLms, course: str, teacher: str, picker11: Tool11) -> None:
    """The same OAuth nonce does not answer two selections; calling off leaves content_items out."""
    _, first = ask_11(lms, picker11, course, teacher)
    _, second = ask_11(lms, picker11, course, teacher)
    assert answer_content_items(picker11, first, teacher, None, nonce="n-1").json()["state"] == "cancelled"
    assert answer_content_items(picker11, second, teacher, None, nonce="n-1").status_code == 401


def test_canvas_older_selection(lms: PracticeLms, course: str, teacher: str) -> None:
    """Canvas's older way launches with ext_content_return_url and takes one link from an address, of this tool only."""
    options = {"selection_method": "ext_content_return_url"}
    tool = Tool11(lms, placements=SELECTION, options=options, profile="canvas")
    selection, request = ask_11(lms, tool, course, teacher, points=30)
    assert request["lti_message_type"] == "basic-lti-launch-request"
    assert request["selection_directive"] == "select_link"
    # A launch needs a link id, and a Canvas gives the course's where there is no link.
    assert request["resource_link_id"] == request["context_id"] == course
    assert request["ext_content_return_types"] == "lti_launch_url"
    url = request["ext_content_return_url"]
    headers = {"X-Practice-Person": teacher, "Accept": "application/json"}
    chosen = {"return_type": "lti_launch_url", "url": "https://tool.example/a/1?x=1&y=2", "title": "Loops & more"}
    wrong = {**chosen, "url": "https://other.example/a"}
    assert lms.http.get(url, params={"modal": "true", **wrong}, headers=headers).status_code == 400
    assert (
        lms.http.get(url, params={"modal": "true", **chosen, "return_type": "file"}, headers=headers).status_code == 400
    )
    answer = lms.http.get(url, params={"modal": "true", **chosen}, headers=headers)
    assert answer.status_code == 200, answer.text
    (link,) = lms.get("links", course=course)
    assert (link["url"], link["title"]) == (chosen["url"], "Loops & more")
    assert link["line_item"]["score_maximum"] == "30"
    assert lms.get("selections", id=selection)["links"] == [link["id"]]


@pytest.mark.parametrize(
    ("profile", "item", "status"),
    [
        ("brightspace", LOOPS, 400),
        ("brightspace", {**LOOPS, "url": "https://tool.example/a/1"}, 200),
        ("canvas", LOOPS, 200),
    ],
)
def test_query_in_a_chosen_url(
    lms: PracticeLms, course: str, teacher: str, keyset: KeysetServer, profile: str, item: Any, status: int
) -> None:
    """A Brightspace takes no link whose URL has a query (D5)."""
    tool = Tool13(lms, keyset, placements=SELECTION, profile=profile)
    _, request = ask(lms, tool, course, teacher)
    assert answer_deep_linking(tool, request, teacher, [item]).status_code == status


@pytest.mark.parametrize(("profile", "points"), [("practice", "12"), ("blackboard", None), ("moodle", None)])
def test_points_of_an_item_without_line_item(
    lms: PracticeLms, course: str, teacher: str, keyset: KeysetServer, profile: str, points: str | None
) -> None:
    """A teacher's points count where no line item came, but not in a Blackboard or a Moodle (B11, M14)."""
    tool = Tool13(lms, keyset, placements=SELECTION, profile=profile)
    _, request = ask(lms, tool, course, teacher, points=12)
    answer_deep_linking(tool, request, teacher, [SETS])
    (link,) = lms.get("links", course=course)
    assert (link["line_item"] or {}).get("score_maximum") == points


def test_canvas_drops_custom_of_content_items(lms: PracticeLms, course: str, teacher: str) -> None:
    """A Canvas keeps no custom parameters of an LTI 1.1 item (C19); a Brightspace wants @context as one text (D6)."""
    canvas = Tool11(lms, placements=SELECTION, profile="canvas")
    _, request = ask_11(lms, canvas, course, teacher)
    answer_content_items(canvas, request, teacher, [CONTENT_ITEM])
    (link,) = lms.get("links", course=course)
    assert link["custom"] == {}
    brightspace = Tool11(lms, placements=SELECTION, profile="brightspace")
    context = ["http://purl.imsglobal.org/ctx/lti/v1/ContentItem", {"x": "y"}]
    _, request = ask_11(lms, brightspace, course, teacher)
    assert answer_content_items(brightspace, request, teacher, [CONTENT_ITEM], context=context).status_code == 400
    plain = Tool11(lms, placements=SELECTION)
    _, request = ask_11(lms, plain, course, teacher)
    assert answer_content_items(plain, request, teacher, [CONTENT_ITEM], context=context).status_code == 200


def test_canvas_may_ignore_line_items(
    lms: PracticeLms, course: str, teacher: str, keyset: KeysetServer, quirks: Switch
) -> None:
    """With C18 the line item of a chosen link is ignored, and the teacher's points count."""
    tool = Tool13(lms, keyset, placements=SELECTION, profile="canvas")
    quirks("canvas", C18=True)
    _, request = ask(lms, tool, course, teacher, points=12)
    answer_deep_linking(tool, request, teacher, [LOOPS])
    (link,) = lms.get("links", course=course)
    assert (link["line_item"]["score_maximum"], link["line_item"]["resource_id"]) == ("12", "")
