"""Resource selection by LTI 1.1 (D6): Content-Item 1.0, and Canvas's older `ext_content_return_url`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.test import Client

from courseway.courses.models import Assignment, Course
from courseway.lms.models import CourseContext, Launch, PendingSelection
from tests.cast import Cast
from tests.courseway.lms.selections import (
    AS_TEACHER,
    DATA,
    HOST,
    ask_by_content_item,
    context_of,
    know_teacher,
    open_picker,
    press,
    read_content_items,
)
from tests.visits import TOOL, Lms11, make_lms11

EXT_RETURN = "https://canvas.example/courses/1/external_content/success/external_tool_dialog?modal=true"


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


def add(client: Client, path: str, *assignments: Assignment, **fields: Any) -> Any:
    ids = [assignment.public_id for assignment in assignments]
    return press(client, path, "add", shown=ids, mark=ids, options="1", makes_columns="on", **fields)


def launch_link(client: Client, lms: Lms11, url: str, custom: dict[str, str] | None = None, **changes: Any) -> str:
    """A student's launch of a link that the LMS made: posted to its address, signed with its query."""
    path = url.removeprefix(TOOL)
    own = {f"custom_{name}": value for name, value in (custom or {}).items()}
    response = lms.launch(client, path, user_id="student-1", resource_link_id=f"made of {path[:200]}", **own, **changes)
    assert response.status_code == 303, response.content.decode()
    return str(client.get(response["Location"], **HOST).content.decode())


def ask_by_ext_content(client: Client, lms: Lms11, path: str = "/lti/resource_selection", **changes: Any) -> Any:
    """What Canvas sent before it knew Content-Item: an ordinary launch with a few parameters more."""
    form = {
        "ext_content_return_types": "oembed,lti_launch_url,url,image_url,iframe",
        "ext_content_return_url": EXT_RETURN,
        "ext_content_intended_use": "navigation",
        "selection_directive": "select_link",
        "tool_consumer_info_product_family_code": "canvas",
        "resource_link_id": "course-1",
        "lis_result_sourcedid": None,
        **AS_TEACHER,
    }
    return lms.launch(client, path, **{**form, **changes})


def test_content_items_come_back_and_launch(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Two chosen assignments come back in a form signed with the key's secret, and each launches (Content-Item)."""
    know_teacher(cast, lms11)
    path, _page = open_picker(client, ask_by_content_item(client, lms11))
    fields, items = read_content_items(lms11, add(client, path, cast.operators, cast.loops))
    assert fields["data"] == DATA
    assert [item["title"] for item in items] == ["Operators", "Loops"]
    assert items[0]["url"] == f"{TOOL}/lti/a/{cast.operators.public_id}"
    assert items[0]["placementAdvice"] == {
        "presentationDocumentTarget": "window",
        "windowTarget": "_blank",
        "displayWidth": 1000,
        "displayHeight": 800,
    }
    column = items[0]["lineItem"]
    assert column["scoreConstraints"]["normalMaximum"] == 10
    assert column["assignedActivity"] == {"activityId": cast.operators.content_id}
    page = launch_link(client, lms11, items[1]["url"], items[1]["custom"])
    assert f'data-assignment="{cast.loops.public_id}"' in page
    assert CourseContext.objects.get(context=context_of(lms11)).rule == "chosen"


@pytest.mark.parametrize("path", ["/lti/resource_selection", "/lti/editor_button", "/lti/launch"])
def test_content_items_at_each_address(client: Client, cast: Cast, lms11: Lms11, path: str) -> None:
    """The message decides, not the address it was posted to."""
    know_teacher(cast, lms11)
    picker, _page = open_picker(client, ask_by_content_item(client, lms11, path))
    assert len(read_content_items(lms11, add(client, picker, cast.loops))[1]) == 1


def test_cancelled_content_items(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Cancel sends a signed form without content_items, with the data."""
    know_teacher(cast, lms11)
    path, _page = open_picker(client, ask_by_content_item(client, lms11))
    fields, items = read_content_items(lms11, client.post(path + "cancel", **HOST))
    assert (items, fields["data"], "content_items" in fields) == ([], DATA, False)


@pytest.mark.quirk("C19")
def test_content_items_of_canvas_carry_parameters_in_their_address(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Canvas drops custom parameters of content items: with constant URLs the address carries them (C19)."""
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True)
    know_teacher(cast, lms11)
    asked = ask_by_content_item(client, lms11, tool_consumer_info_product_family_code="canvas")
    _fields, (item,) = read_content_items(lms11, add(client, open_picker(client, asked)[0], cast.loops))
    query = parse_qs(urlsplit(item["url"]).query)
    assert query["custom_course_target_id"] == [cast.course.public_id]
    page = launch_link(client, lms11, item["url"], context_id="another-course")
    assert f'data-assignment="{cast.loops.public_id}"' in page


@pytest.mark.parametrize("path", ["/lti/resource_selection", "/lti/launch"])
def test_the_older_way_of_canvas(client: Client, cast: Cast, lms11: Lms11, path: str) -> None:
    """One link goes back in the address of a redirect, and launches; the LMS course is bound here too."""
    know_teacher(cast, lms11)
    picker, page = open_picker(client, ask_by_ext_content(client, lms11, path))
    assert 'name="mark"' not in page
    response = press(client, picker, f"take:{cast.loops.public_id}", options="1")
    assert response.status_code == 303
    assert response["Location"].startswith(EXT_RETURN + "&return_type=lti_launch_url&url=")
    returned = dict(parse_qsl(urlsplit(response["Location"]).query))
    assert (returned["title"], returned["modal"]) == ("Loops", "true")
    page = launch_link(client, lms11, returned["url"])
    assert f'data-assignment="{cast.loops.public_id}"' in page
    assert CourseContext.objects.get(context=context_of(lms11)).course == cast.course


def test_the_older_way_without_a_link_id(client: Client, cast: Cast, lms11: Lms11) -> None:
    """There is no link yet, so none need be named; a message that asks for nothing must name one all the same."""
    know_teacher(cast, lms11)
    open_picker(client, ask_by_ext_content(client, lms11, resource_link_id=None))
    nothing = ask_by_ext_content(
        client, lms11, "/lti/link", resource_link_id=None, ext_content_return_types="nonsense", selection_directive=None
    )
    assert 'data-code="missing_resource_link"' in nothing.content.decode()


def test_the_older_way_cancelled(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Cancel goes back to the address as it was given."""
    know_teacher(cast, lms11)
    picker, _page = open_picker(client, ask_by_ext_content(client, lms11))
    response = client.post(picker + "cancel", **HOST)
    assert (response.status_code, response["Location"]) == (303, EXT_RETURN)


def test_the_older_way_for_files(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A student's homework dialog wants a file: no picker of assignments for links opens, also for a teacher."""
    know_teacher(cast, lms11)
    asked = ask_by_ext_content(
        client, lms11, ext_content_return_types="file", selection_directive=None, ext_content_intended_use="homework"
    )
    _path, page = open_picker(client, asked)
    assert "takes no links" in page


@pytest.mark.parametrize("ask", [ask_by_content_item, ask_by_ext_content])
@pytest.mark.parametrize("roles", ["Learner", "Mentor", "urn:lti:role:ims/lis/Learner"])
def test_students_and_mentors_get_a_notice(client: Client, cast: Cast, lms11: Lms11, ask: Any, roles: str) -> None:
    """Whoever does not teach the LMS course is told so; nothing waits, and the log says that somebody asked."""
    response = ask(client, lms11, roles=roles)
    page = response.content.decode()
    assert response.status_code == 200
    assert 'data-launch="waiting"' in page
    assert "data-assignment" not in page
    assert not PendingSelection.objects.exists()
    assert Launch.objects.get().outcome == "waiting"


def test_an_ordinary_launch_with_canvas_marks_still_opens(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Parameters of the older way that ask for nothing do not stop a link from opening its assignment."""
    changes = {"ext_content_return_types": "", "selection_directive": ""}
    assert lms11.launch(client, f"/lti/a/{cast.loops.public_id}", **changes).status_code == 303
    assert Launch.objects.get().outcome == "ok"
