"""The way back to the LMS (D2): the launch's own return URL, else the address of the LMS course, else none."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from lxml import etree

from courseway.courses.models import Course
from courseway.lms import platforms
from courseway.lms.models import CourseContext
from tests.cast import Cast
from tests.courseway.lms.selections import HOST
from tests.visits import Lms11, make_lms11

OF_COURSE, OWN = "https://lms.example/courses/all", "https://lms.example/courses/mine"


@pytest.fixture
def lms(cast: Cast) -> Lms11:
    platforms.forget_all()
    return make_lms11(cast.acme)


def list_ways_back(client: Client, address: str) -> set[str]:
    """Where 'Back to the LMS' leads, on this page."""
    html = etree.HTML(client.get(address, **HOST).content.decode())
    return {str(link.get("href")) for link in html.iter("a") if "Back to the LMS" in "".join(link.itertext())}


def come(cast: Cast, lms: Lms11, **changes: Any) -> tuple[Client, str]:
    """Somebody who launched, and the address where they landed."""
    client = Client()
    response = lms.launch(client, f"/lti/a/{cast.operators.public_id}", **changes)
    assert response.status_code == 303
    page = client.get(response["Location"], **HOST)
    return client, page["Location"] if page.status_code in (302, 303) else response["Location"]


@pytest.mark.parametrize("roles", ["Learner", "Instructor"])
def test_the_return_url_counts_first(cast: Cast, lms: Lms11, roles: str) -> None:
    """Where the launch names its own way back, that is the way, whatever the course says."""
    Course.objects.filter(pk=cast.course.pk).update(lms_url=OF_COURSE)
    assert list_ways_back(*come(cast, lms, roles=roles)) == {"https://lms.example/course/1?tab=2"}


@pytest.mark.parametrize("roles", ["Learner", "Instructor"])
def test_without_one_the_course_lms_url(cast: Cast, lms: Lms11, roles: str) -> None:
    """A launch without a return URL leads back to the Course LMS URL, on the first page and on the next."""
    Course.objects.filter(pk=cast.course.pk).update(lms_url=OF_COURSE)
    client, address = come(cast, lms, roles=roles, launch_presentation_return_url=None)
    assert list_ways_back(client, address) == {OF_COURSE}
    prefix = address[: address.index("/at/")] + "/".join(address[address.index("/at/") :].split("/")[:3])
    if roles == "Learner":
        assert list_ways_back(client, f"{prefix}/learn/courses/{cast.course.public_id}/") == {OF_COURSE}
        assert list_ways_back(client, f"{prefix}/learn/") == {OF_COURSE}


@pytest.mark.parametrize("roles", ["Learner", "Instructor"])
def test_an_lms_course_may_have_its_own(cast: Cast, lms: Lms11, roles: str) -> None:
    """Who came from an LMS course with an address of its own is led back to that one."""
    Course.objects.filter(pk=cast.course.pk).update(lms_url=OF_COURSE)
    come(cast, lms, user_id="first")
    CourseContext.objects.update(lms_url=OWN)
    assert list_ways_back(*come(cast, lms, roles=roles, launch_presentation_return_url=None)) == {OWN}


def test_nobody_said_where(cast: Cast, lms: Lms11) -> None:
    """With neither there is no way back to offer, and no dead link."""
    assert list_ways_back(*come(cast, lms, launch_presentation_return_url=None)) == set()
