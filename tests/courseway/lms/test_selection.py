"""Resource selection (D6, D7): what a teacher chooses comes back signed, and launches into that assignment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from courseway.courses.models import Assignment, Course, Enrollment, Module
from courseway.grades.lineitems import TAG
from courseway.lms.chosen_links import COLUMN_TAG
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
from courseway.orgs.models import Person
from tests.cast import Cast, make_assignment
from tests.courseway.lms.selections import (
    AS_TEACHER,
    DATA,
    HOST,
    LINKING,
    ask_by_content_item,
    ask_by_deep_linking,
    context_of,
    know_teacher,
    open_picker,
    press,
    read_content_items,
    read_deep_links,
)
from tests.visits import CLAIM, MEMBERSHIP, TOOL, Lms11, Lms13, make_lms11, make_lms13


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


def opened(client: Client, response: Any) -> str:
    """The page on which a launch landed."""
    assert response.status_code == 303, response.content.decode()
    page = client.get(response["Location"], **HOST)
    assert page.status_code == 200
    return str(page.content.decode())


def test_two_assignments_by_deep_linking(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Two chosen assignments come back as two links with columns, and each launches into its assignment."""
    know_teacher(cast, lms13)
    path, page = open_picker(client, ask_by_deep_linking(client, lms13))
    assert 'data-launch="waiting"' in page
    assert "data-assignment" not in page
    both = [cast.operators.public_id, cast.loops.public_id]
    answer = press(client, path, "add", shown=both, mark=both, options="1", makes_columns="on")
    # The marks are kept, and sent when the next press adds them.
    claims = read_deep_links(client, lms13, answer)
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
    }
    assert (first["iframe"], first["window"]) == ({"width": 1000, "height": 800}, {"targetName": "_blank"})
    for item, assignment in zip(items, (cast.operators, cast.loops), strict=True):
        changes = {CLAIM + "target_link_uri": item["url"], CLAIM + "custom": item["custom"], "sub": "student-1"}
        html = opened(client, lms13.launch(client, None, **changes, **{CLAIM + "resource_link": {"id": item["url"]}}))
        assert f'data-assignment="{assignment.public_id}"' in html


def test_columns_are_found_again_by_their_tag() -> None:
    """The tag of chosen links is the one by which columns of a copied LMS course are recognised."""
    assert COLUMN_TAG == TAG
