"""What LMSs do differently when they launch, where no other test tells it: each by its number in docs/quirks.md."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from courseway import secrets_box
from courseway.grades.models import Delivery
from courseway.lms.arrivals import sourcedid_place
from courseway.lms.models import Arrival, Context, Launch, ResourceLink
from ltikit.quirks import list_quirks
from tests.cast import Cast
from tests.visits import CLAIM, MEMBERSHIP, Lms11, make_lms11, make_lms13, post_form

pytestmark = pytest.mark.django_db


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


@pytest.mark.quirk("C1")
def test_a_submission_opened_with_the_id_of_the_course(client: Client, cast: Cast) -> None:
    """A teacher who opens submissions of two assignments, both under the course's id, gets each; no grade is owed."""
    lms = make_lms13(cast.acme)
    as_teacher = {CLAIM + "roles": [MEMBERSHIP + "Instructor"], "sub": "teacher-1"}
    for assignment in (cast.operators, cast.loops, cast.operators):
        response = lms.launch(client, assignment, **as_teacher, **{CLAIM + "resource_link": {"id": "course-1"}})
        assert response.status_code == 303
        assert assignment.public_id in response["Location"]
    assert not Delivery.objects.exists()


@pytest.mark.quirk("C13", "C12")
def test_a_login_without_a_client_id(client: Client, cast: Cast) -> None:
    """With one registration of the issuer it begins; with two, of two schools, it is refused and nobody is guessed."""
    lms = make_lms13(cast.acme)
    assert lms.begin(client, client_id="")["client_id"] == "client-1"
    make_lms13(cast.umbrella, client_id="client-2")
    form = {"iss": lms.issuer, "login_hint": "hint", "target_link_uri": "https://tool.example/lti/launch"}
    response = client.get("/lti/login", form, secure=True, HTTP_HOST="tool.example")
    assert response.status_code == 403
    assert b'data-code="unknown_platform"' in response.content


@pytest.mark.quirk("G28")
def test_titles_follow_the_lms_and_are_not_lost(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A new title replaces the old one; a launch without any leaves what is known."""
    path = f"/lti/a/{cast.operators.public_id}"
    for told, kept in (("Old", "Old"), ("New", "New"), (None, "New"), ("", "New")):
        changes: dict[str, Any] = {"resource_link_title": told, "context_title": told}
        assert lms11.launch(client, path, **changes).status_code == 303
        assert (ResourceLink.objects.get().title, Context.objects.get().title) == (kept, kept)


@pytest.mark.quirk("B13")
def test_the_newest_sourcedid_counts(client: Client, cast: Cast, lms11: Lms11) -> None:
    """Another sourcedid replaces the known one; a launch without one leaves it."""
    path = f"/lti/a/{cast.operators.public_id}"
    for told, kept in (("first", "first"), ("second", "second"), (None, "second"), ("", "second")):
        assert lms11.launch(client, path, lis_result_sourcedid=told).status_code == 303
        arrival = Arrival.objects.get()
        stored = secrets_box.unlock(arrival.result_sourcedid_encrypted, place=sourcedid_place(arrival.key))
        assert stored == kept


@pytest.mark.quirk("M10")
def test_a_launch_without_its_login(client: Client, cast: Cast) -> None:
    """An id_token that is posted without a sign-in before it is refused with what to do, and logged."""
    lms = make_lms13(cast.acme)
    token = lms.token(lms.claims(cast.operators, "a nonce of nobody"))
    for pairs in ([("id_token", token)], [("id_token", token), ("state", "of-nobody")]):
        response = post_form(client, "/lti/launch", pairs)
        assert response.status_code == 401
        assert b"Open the link again" in response.content
    assert set(Launch.objects.values_list("code", flat=True)) == {"wrong_state"}


@pytest.mark.quirk("C3")
def test_numbers_in_custom_parameters(client: Client, cast: Cast) -> None:
    """Ids that Canvas sends as numbers by LTI 1.3 mean the same as its texts by LTI 1.1."""
    lms = make_lms13(cast.acme)
    custom = {"assignment_id": cast.loops.public_id, "canvas_course_id": 4711, "canvas_user_id": 17, "flag": True}
    response = lms.launch(client, None, **{CLAIM + "custom": custom})
    assert response.status_code == 303
    assert cast.loops.public_id in response["Location"]


def test_numbers_are_those_of_the_list() -> None:
    """There are 145 quirks, each once: 48 of Canvas, 15, 12, 17 and 9 of others, 44 of any LMS."""
    numbers = [quirk.number for quirk in list_quirks()]
    counts = {"C": 48, "B": 15, "D": 12, "M": 17, "O": 9, "G": 44}
    assert numbers == [f"{letter}{one}" for letter, count in counts.items() for one in range(1, count + 1)]
