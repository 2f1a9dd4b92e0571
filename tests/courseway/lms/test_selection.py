"""Deep Linking 2.0 (D6): what a teacher chooses comes back signed, and launches into that assignment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from courseway.courses.models import Assignment, Course, Enrollment, Module
from courseway.grades.lineitems import TAG
from courseway.lms.chosen_links import COLUMN_TAG
from courseway.lms.clearing import clear_selections
from courseway.lms.keys import revoke_platform
from courseway.lms.launch_text import read_launch, write_launch
from courseway.lms.models import (
    Context,
    ContextMembership,
    CourseContext,
    Deployment,
    Launch,
    LmsIdentity,
    PendingSelection,
    ResourceLink,
)
from courseway.lms.selection import open_selection
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.courseway.lms.selections import (
    DATA,
    HOST,
    LINKING,
    ask_by_deep_linking,
    context_of,
    know_teacher,
    open_picker,
    press,
    read_deep_links,
    read_form,
)
from tests.visits import CLAIM, MEMBERSHIP, TOOL, Lms13, make_lms13, post_form


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


@pytest.fixture
def picker(client: Client, cast: Cast, lms13: Lms13) -> str:
    """The address of a picker that Tom, who is known behind his LMS user, has opened."""
    know_teacher(cast, lms13)
    return open_picker(client, ask_by_deep_linking(client, lms13))[0]


def add(client: Client, picker: str, *assignments: Assignment, column: bool = True, **fields: Any) -> Any:
    ids = [assignment.public_id for assignment in assignments]
    options = {"options": "1", **({"makes_columns": "on"} if column else {})}
    return press(client, picker, "add", shown=ids, mark=ids, **options, **fields)


def items_of(client: Client, lms: Lms13, response: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = read_deep_links(client, lms, response)[LINKING + "content_items"]
    return items


def launch_item(client: Client, lms: Lms13, item: dict[str, Any], **changes: Any) -> str:
    """The page on which a student lands who clicks the link that the LMS made of the item."""
    claims = {
        CLAIM + "target_link_uri": item["url"],
        CLAIM + "custom": item.get("custom", {}),
        CLAIM + "resource_link": {"id": f"made of {item['url']}"},
        "sub": "student-1",
    }
    response = lms.launch(client, None, **{**claims, **changes})
    assert response.status_code == 303, response.content.decode()
    page = client.get(response["Location"], **HOST)
    assert page.status_code == 200
    return str(page.content.decode())


def code_of(response: Any) -> str:
    html = response.content.decode()
    assert 'data-launch="refused"' in html, html
    return str(html.partition('data-code="')[2].partition('"')[0])


@pytest.mark.quirk("B11", "M14")
def test_two_assignments_come_back_and_launch(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Two chosen assignments come back as two links with columns, and each launches into its assignment."""
    page = client.get(picker, **HOST).content.decode()
    assert 'data-launch="waiting"' in page
    assert "data-assignment" not in page
    claims = read_deep_links(client, lms13, add(client, picker, cast.loops, cast.operators))
    assert claims[LINKING + "data"] == DATA
    items = claims[LINKING + "content_items"]
    assert [item["title"] for item in items] == ["Operators", "Loops"]
    first = items[0]
    assert first["type"] == "ltiResourceLink"
    assert first["url"] == f"{TOOL}/lti/a/{cast.operators.public_id}"
    assert first["custom"] == {"assignment_id": cast.operators.public_id}
    assert first["lineItem"] == {
        "label": "Operators",
        "scoreMaximum": 10,
        "resourceId": cast.operators.content_id,
        "tag": TAG,
        "submissionReview": {"reviewableStatus": ["InProgress", "Submitted", "Completed"]},
    }
    assert (first["iframe"], first["window"]) == ({"width": 1000, "height": 800}, {"targetName": "_blank"})
    for item, assignment in zip(items, (cast.operators, cast.loops), strict=True):
        assert f'data-assignment="{assignment.public_id}"' in launch_item(client, lms13, item)


def test_columns_are_found_again_by_their_tag() -> None:
    """The tag of chosen links is the one by which columns of a copied LMS course are recognised."""
    assert COLUMN_TAG == TAG


def test_constant_links_survive_a_course_copy(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """With constant URLs and course copy, a chosen link opens the child once its LMS course is copied - and also where
    the LMS keeps the parameters and forgets the address."""
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True)
    (item,) = items_of(client, lms13, add(client, picker, cast.loops))
    assert item["url"] == f"{TOOL}/lti/c/{cast.loops.content_id}"
    assert item["custom"] == {
        "content_id": cast.loops.content_id,
        "course_target_id": cast.course.public_id,
        "parent_course_id": cast.course.public_id,
    }
    # The master's LMS course is known before anybody launched from it: it opens the master.
    assert f'data-assignment="{cast.loops.public_id}"' in launch_item(client, lms13, item)
    copied = {
        CLAIM + "context": {"id": "course-2", "title": "Next term"},
        CLAIM + "lis": {"course_offering_sourcedid": "2027-spring"},
        CLAIM + "resource_link": {"id": "copied"},
    }
    page = launch_item(client, lms13, item, **copied)
    child = Assignment.objects.get(course__parent=cast.course, content_id=cast.loops.content_id)
    assert f'data-assignment="{child.public_id}"' in page
    forgetful = {**copied, CLAIM + "target_link_uri": f"{TOOL}/lti/launch", CLAIM + "resource_link": {"id": "other"}}
    assert f'data-assignment="{child.public_id}"' in launch_item(client, lms13, item, **forgetful)


@pytest.mark.quirk("C5")
def test_choosing_binds_the_lms_course_and_nothing_else(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Before the choice only the waiting message is stored; the choice stores the LMS course, and no person or link."""
    know_teacher(cast, lms13)
    models = (Context, CourseContext, ResourceLink, ContextMembership, LmsIdentity, Person, Enrollment, Deployment)
    before = [model.objects.count() for model in models]
    path, _page = open_picker(client, ask_by_deep_linking(client, lms13))
    row = Launch.objects.get()
    assert (row.outcome, row.code) == ("waiting", "links_wanted")
    assert [model.objects.count() for model in models] == before
    add(client, path, cast.loops)
    bound = CourseContext.objects.get(context=context_of(lms13))
    assert (bound.course, bound.rule, bound.is_first) == (cast.course, "chosen", True)
    assert [model.objects.count() for model in models[2:]] == before[2:]
    row.refresh_from_db()
    assert (row.outcome, row.rule, row.course, row.assignment) == ("ok", "chosen", cast.course, cast.loops)


@pytest.mark.quirk("D11")
def test_a_link_without_a_column(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Unticked, the links bring no line item: then no column may appear (D11 of the quirks)."""
    (item,) = items_of(client, lms13, add(client, picker, cast.loops, column=False))
    assert "lineItem" not in item


@pytest.mark.quirk("D11", "M12")
def test_enroll_only_courses_offer_no_column(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Where grades never go out no column is asked for (F4)."""
    Course.objects.filter(pk=cast.course.pk).update(enroll_only=True)
    (item,) = items_of(client, lms13, add(client, picker, cast.loops))
    assert "lineItem" not in item


@pytest.mark.quirk("C18")
def test_a_platform_that_ignores_line_items(client: Client, cast: Cast, lms13: Lms13) -> None:
    """accept_lineitem false: none is sent, and the picker does not ask about columns."""
    know_teacher(cast, lms13)
    path, page = open_picker(client, ask_by_deep_linking(client, lms13, settings={"accept_lineitem": False}))
    assert 'type="checkbox" name="makes_columns"' not in page
    (item,) = items_of(client, lms13, add(client, path, cast.loops))
    assert "lineItem" not in item


@pytest.mark.quirk("M15")
def test_the_frame_can_be_chosen(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Links ask for a new tab unless the frame is chosen; the course's own size goes along."""
    Course.objects.filter(pk=cast.course.pk).update(iframe_width=900, iframe_height=700)
    (item,) = items_of(client, lms13, add(client, picker, cast.loops, opens_in_frame="on"))
    assert item["iframe"] == {"width": 900, "height": 700}
    assert "window" not in item


def test_a_course_can_choose_the_frame(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Where the course's own setting says so, its links ask for the frame without anybody ticking anything."""
    Course.objects.filter(pk=cast.course.pk).update(open_in_frame=True)
    (item,) = items_of(client, lms13, add(client, picker, cast.loops))
    assert (item["iframe"], "window" in item) == ({"width": 1000, "height": 800}, False)


def test_the_editor_of_canvas_gets_links_not_frames(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Canvas's editor makes a frame of every link that names a size: for a new tab none is named there."""
    know_teacher(cast, lms13)
    changes = {
        CLAIM + "target_link_uri": f"{TOOL}/lti/editor_button",
        CLAIM + "tool_platform": {"guid": "g", "product_family_code": "canvas"},
    }
    path, _page = open_picker(client, ask_by_deep_linking(client, lms13, **changes))
    (item,) = items_of(client, lms13, add(client, path, cast.loops))
    assert "iframe" not in item
    assert item["window"] == {"targetName": "_blank"}


@pytest.mark.quirk("O9")
def test_without_data_and_target(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The certification's request has no target_link_uri; one without data gets an answer without data."""
    know_teacher(cast, lms13)
    asked = ask_by_deep_linking(client, lms13, settings={"data": None}, **{CLAIM + "target_link_uri": None})
    claims = read_deep_links(client, lms13, add(client, open_picker(client, asked)[0], cast.loops))
    assert LINKING + "data" not in claims


def test_one_link_where_the_platform_takes_one(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Each row has a button that chooses at once, and a second assignment is never sent."""
    know_teacher(cast, lms13)
    path, page = open_picker(client, ask_by_deep_linking(client, lms13, settings={"accept_multiple": None}))
    assert f'value="take:{cast.loops.public_id}"' in page
    assert 'type="checkbox" name="mark"' not in page
    many = add(client, path, cast.loops, cast.operators)
    assert many.status_code == 302  # nothing is marked there: back to the picker
    (item,) = items_of(client, lms13, press(client, path, f"take:{cast.loops.public_id}"))
    assert item["title"] == "Loops"


def test_cancel_answers_with_nothing(client: Client, lms13: Lms13, picker: str) -> None:
    """Cancel sends the platform an empty list with its data, and the selection is over."""
    claims = read_deep_links(client, lms13, client.post(picker + "cancel", **HOST))
    assert claims[LINKING + "content_items"] == []
    assert claims[LINKING + "data"] == DATA
    assert code_of(client.get(picker, **HOST)) == "selection_over"
    assert Launch.objects.get().code == "nothing_chosen"


def test_a_place_that_takes_no_links(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Where only files are taken the page says so, and the way back carries the reason."""
    know_teacher(cast, lms13)
    path, page = open_picker(client, ask_by_deep_linking(client, lms13, settings={"accept_types": ["file"]}))
    assert "takes no links" in page
    assert add(client, path, cast.loops).status_code == 400
    claims = read_deep_links(client, lms13, client.post(path + "cancel", **HOST))
    assert claims[LINKING + "content_items"] == []
    assert "cannot be added" in claims[LINKING + "errormsg"]


def test_a_selection_is_answered_once(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """A second press signs nothing more, and the message is gone from the database."""
    assert add(client, picker, cast.loops).status_code == 200
    again = add(client, picker, cast.loops)
    assert (again.status_code, code_of(again)) == (410, "selection_over")
    row = PendingSelection.objects.get()
    assert (row.launch_encrypted, row.chosen) == ("", [])


def test_a_selection_ends_by_itself(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """After its hour nothing can be chosen any more."""
    PendingSelection.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert code_of(client.get(picker, **HOST)) == "selection_over"
    assert code_of(add(client, picker, cast.loops)) == "selection_over"
    assert not CourseContext.objects.exists()


def test_a_replayed_request(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The same signed message opens one picker; the second time it is refused."""

    know_teacher(cast, lms13)
    asked = lms13.begin(client)
    claims = lms13.claims(None, asked["nonce"])
    claims |= {
        CLAIM + "message_type": "LtiDeepLinkingRequest",
        CLAIM + "roles": [MEMBERSHIP + "Instructor"],
        LINKING + "deep_linking_settings": {
            "deep_link_return_url": "https://lms.example/back",
            "accept_types": ["ltiResourceLink"],
            "accept_presentation_document_targets": ["window"],
        },
    }
    form = [("id_token", lms13.token(claims)), ("state", asked["state"])]
    assert post_form(client, "/lti/launch", form).status_code == 303
    assert code_of(post_form(client, "/lti/launch", form)) == "replayed"
    assert PendingSelection.objects.count() == 1


def test_a_request_without_a_return_address(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Nowhere to answer to: refused with the reason, before anybody chooses in vain."""
    response = ask_by_deep_linking(client, lms13, settings={"deep_link_return_url": None})
    assert (response.status_code, code_of(response)) == (400, "missing_parameter")
    assert not PendingSelection.objects.exists()


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//lms.example/back"])
def test_a_return_address_that_is_none(client: Client, cast: Cast, lms13: Lms13, url: str) -> None:
    """A browser is only ever sent to http or https."""
    response = ask_by_deep_linking(client, lms13, settings={"deep_link_return_url": url})
    assert code_of(response) == "malformed_message"


def test_a_deployment_that_waits_for_approval(client: Client, cast: Cast) -> None:
    """Where an owner has to approve deployments, an unknown one gets no picker and is listed."""
    lms = make_lms13(cast.acme, policy="approved")
    know_teacher(cast, lms)
    response = ask_by_deep_linking(client, lms, **{CLAIM + "deployment_id": "new"})
    assert code_of(response) == "unknown_deployment"
    assert Deployment.objects.filter(deployment_id="new", approved=False).exists()


def test_a_platform_revoked_meanwhile(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Once an owner revoked the platform, its open pickers answer nothing."""
    revoke_platform(lms13.platform)
    response = add(client, picker, cast.loops)
    assert response.status_code == 403
    assert "JWT" not in response.content.decode()


def test_titles_cannot_break_out(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Markup in titles is text: on the picker, in the preview, and in the form that carries the answer."""
    evil = "<script>alert(1)</script>\"'><img src=x>"
    Assignment.objects.filter(pk=cast.loops.pk).update(title=evil)
    Module.objects.update(title=evil)
    for html in (
        client.get(picker, **HOST).content.decode(),
        client.get(f"{picker}preview/{cast.loops.public_id}", **HOST).content.decode(),
    ):
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "&lt;script&gt;" in html
    answer = add(client, picker, cast.loops)
    assert "<script>alert" not in answer.content.decode()
    (item,) = items_of(client, lms13, answer)
    assert item["title"] == evil


def test_a_preview_shows_module_pages_and_points(client: Client, cast: Cast, picker: str) -> None:
    """Before it is chosen an assignment shows where it is, what it is worth and what it holds."""
    response = press(client, picker, f"preview:{cast.loops.public_id}", course=cast.course.public_id)
    page = client.get(response["Location"], **HOST).content.decode()
    for text in ("Python basics", "Week 1", "Warm-up", "Finish", "2 questions", "<dd>10</dd>"):
        assert text in page
    back = press(client, picker, f"take:{cast.loops.public_id}", course=cast.course.public_id)
    assert back.status_code == 302
    assert PendingSelection.objects.get().chosen == [cast.loops.public_id]


def test_marks_stay_over_searches_and_pages(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """What is marked stays marked when one searches on, can be taken back, and goes out together."""
    shown = [cast.operators.public_id, cast.loops.public_id]
    response = press(client, picker, "search", q="loops", shown=shown, mark=[cast.operators.public_id])
    assert response["Location"].endswith("?q=loops")
    page = client.get(response["Location"], **HOST).content.decode()
    assert "Do not add Operators" in page
    assert f'value="{cast.operators.public_id}"><span' not in page
    press(client, picker, f"drop:{cast.operators.public_id}", shown=shown[1:], mark=shown[1:])
    press(client, picker, "search", q="oper", shown=shown[1:], mark=shown[1:])
    items = items_of(client, lms13, press(client, picker, "add", shown=shown[:1], mark=shown[:1]))
    assert {item["title"] for item in items} == {"Operators", "Loops"}


def test_a_whole_module_is_chosen_by_one_button(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """All published assignments of a module, whatever page they stand on; another organization's module adds none."""
    module = cast.loops.module
    more = [Assignment(course=cast.course, module=module, title=f"Task {n}", key=f"t{n}") for n in range(60)]
    Assignment.objects.bulk_create(more)
    Assignment.objects.filter(pk=cast.operators.pk).update(published=False)
    page = client.get(f"{picker}?course={cast.course.public_id}", **HOST).content.decode()
    assert 'aria-label="Choose all of Week 1"' in page
    foreign = cast.foreign_assignment.module.pk
    for number in (foreign, "9" * 30, "x"):
        assert press(client, picker, f"module:{number}").status_code == 302
        assert PendingSelection.objects.get().chosen == []
    response = press(client, picker, f"module:{module.pk}", course=cast.course.public_id)
    assert response["Location"].endswith(f"?course={cast.course.public_id}")
    items = items_of(client, lms13, press(client, picker, "add"))
    assert {item["title"] for item in items} == {"Loops", *(one.title for one in more)}


def test_too_many_are_refused_and_nothing_is_lost(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """Beyond 200 the picker says so, keeps the first 200 and stays where it is; they can be added."""
    more = [
        Assignment(course=cast.course, module=cast.loops.module, title=f"Task {n:03}", key=f"t{n}") for n in range(250)
    ]
    Assignment.objects.bulk_create(more)
    response = press(client, picker, f"module:{cast.loops.module.pk}", course=cast.course.public_id, page="2")
    page = response.content.decode()
    assert response.status_code == 400
    assert "At most 200 assignments can be chosen at once" in page
    assert "51–100 of 252" in page
    assert len(items_of(client, lms13, press(client, picker, "add"))) == 200


def test_own_titles_are_found_first(client: Client, cast: Cast, picker: str) -> None:
    """A search shows assignments with the words in their own title before those whose module has them."""
    Module.objects.update(title="All about loops")
    page = client.get(f"{picker}?q=LOOPS", **HOST).content.decode()
    rows = [cast.loops.public_id, cast.operators.public_id]
    places = [page.index(f'name="mark" value="{public_id}"') for public_id in rows]
    assert places == sorted(places)
    assert "Nothing found for" in client.get(f"{picker}?q=loops+nowhere", **HOST).content.decode()


def test_what_was_unpublished_meanwhile_is_left_out(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """A marked assignment that is no longer published is not linked; the others are."""
    both = [cast.operators.public_id, cast.loops.public_id]
    press(client, picker, "search", shown=both, mark=both)
    Assignment.objects.filter(pk=cast.loops.pk).update(published=False)
    (item,) = items_of(client, lms13, press(client, picker, "add"))
    assert item["title"] == "Operators"


def test_five_thousand_assignments_cost_no_more_statements(
    client: Client, cast: Cast, lms13: Lms13, picker: str
) -> None:
    """List, search and a page far back of 5,000 assignments take as many statements as those of two."""

    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as statements:
            response = client.get(path, **HOST)
        assert response.status_code == 200
        return sum("SELECT" in query["sql"] for query in statements.captured_queries)

    query = f"{picker}?course={cast.course.public_id}"
    before = [count(picker), count(query), count(f"{picker}?q=loops")]
    modules = Module.objects.bulk_create(
        Module(course=cast.course, title=f"Module {n}", position=n + 1) for n in range(50)
    )
    Assignment.objects.bulk_create(
        Assignment(course=cast.course, module=module, title=f"Task {n} of {module.title}", key=f"{module.pk}-{n}")
        for module in modules
        for n in range(100)
    )
    assert [count(picker), count(query), count(f"{picker}?q=task")] == before
    assert max(before) <= 8
    far = client.get(f"{query}&page=100", **HOST).content.decode()
    assert "4951–5000 of 5002" in far
    found = client.get(f"{picker}?q=task+77+module+49", **HOST).content.decode()
    assert "Task 77 of Module 49" in found
    assert "Task 78 of Module 49" not in found


def test_a_waiting_message_is_kept_whole_and_unreadable(client: Client, cast: Cast, lms13: Lms13, picker: str) -> None:
    """What waits in the database shows no name and no address, and reads back as the message that was verified."""
    row = PendingSelection.objects.get()
    assert "tom@acme.example" not in row.launch_encrypted
    launch, target = open_selection(row, now=timezone.now())
    assert (launch.person.user_id, launch.person.email, target.kind) == ("teacher-1", "tom@acme.example", "selection")
    assert launch.context is not None
    assert read_launch(write_launch(launch)) == launch


def test_the_ticket_opens_the_picker_alone(client: Client, cast: Cast, picker: str) -> None:
    """A selection's session opens no course, no sign-in page and no owner's page."""
    prefix = picker.removesuffix("/choose/")
    for path in (
        f"/courses/{cast.course.public_id}/",
        f"/learn/assignments/{cast.loops.public_id}/",
        "/o/acme/",
        "/account/login/",
        "/",
    ):
        response = client.get(prefix + path, **HOST)
        assert response.status_code == 403, path
        assert "sessionid" not in response.cookies
    assert client.get("/choose/", **HOST).status_code == 403
    assert Client().get(picker, **HOST).status_code == 401


@pytest.mark.quirk("G32")
def test_the_picker_may_be_framed(client: Client, picker: str) -> None:
    """Any LMS may show the picker in a frame, and no proxy keeps it."""
    response = client.get(picker, **HOST)
    assert "frame-ancestors *" in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]


@pytest.mark.quirk("G32")
def test_forms_of_others_do_not_count(cast: Cast, lms13: Lms13) -> None:
    """A form that another site posts into an open picker is refused (CSRF)."""
    client = Client(enforce_csrf_checks=True)
    know_teacher(cast, lms13)
    path, page = open_picker(client, ask_by_deep_linking(client, lms13))
    assert "csrfmiddlewaretoken" in page
    assert add(client, path, cast.loops).status_code == 403
    token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
    headers = {"HTTP_ORIGIN": "https://tool.example", "HTTP_REFERER": f"https://tool.example{path}"}
    ids = [cast.loops.public_id]
    fields = {"go": "add", "shown": ids, "mark": ids, "csrfmiddlewaretoken": token}
    assert read_form(client.post(path, fields, **HOST, **headers))[1]


def test_unused_rows_are_cleaned_up(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A message that nobody answered is forgotten in the next night."""
    know_teacher(cast, lms13)
    open_picker(client, ask_by_deep_linking(client, lms13))
    PendingSelection.objects.update(expires_at=timezone.now() - timedelta(days=2))
    open_picker(client, ask_by_deep_linking(client, lms13))
    assert clear_selections(now=timezone.now()) == 1
    assert PendingSelection.objects.get().expires_at > timezone.now()
