"""Which field of a launch identifies a student in exports (A7), and the LMS course's address that launches suggest."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from courseway.lms import platforms
from courseway.lms.exported_ids import read_lti_ids
from courseway.lms.launch_details import EMAIL, SOURCEDID, USER_ID, guess_course_url, read_lti_id
from courseway.lms.lti_id_views import save_lti_id_field
from courseway.lms.models import LmsIdentity, Platform
from ltikit.launch import Context, Launch, Message, Person, Role
from tests.cast import Cast
from tests.visits import make_lms11, make_lms13

ADDRESS = "/o/acme/lti/lti-id"


def make_launch(**changes: Any) -> Launch:
    fields: dict[str, Any] = {
        "version": "1.3",
        "message": Message.RESOURCE_LINK,
        "issuer": "https://lms.example",
        "client_id": "c",
        "consumer_key": "",
        "deployment_id": "1",
        "person": Person("u-1", name="Sally", email="sally@lms.example", sourcedid="SIS-7"),
        "role": Role.STUDENT,
        "roles": (),
        "nonce": "n",
        "issued_at": datetime(2026, 9, 1, tzinfo=UTC),
        "context": Context("c-1"),
    }
    return Launch(**{**fields, **changes})


@pytest.mark.quirk("D12", "M8")
@pytest.mark.parametrize(
    ("field", "value"),
    [
        (USER_ID, "u-1"),
        ("sub", "u-1"),
        (SOURCEDID, "SIS-7"),
        (EMAIL, "sally@lms.example"),
        ("canvas_user_login_id", "sally7"),
        ("custom_canvas_user_login_id", "sally7"),
        ("ext_user_username", "sally.m"),
        ("ext_d2l_orgdefinedid", "D2L-1"),
        ("ext_d2l_username", "sally.d2l"),
        ("org_defined_id", "D2L-2"),
        ("never_sent", ""),
        ("", ""),
    ],
)
def test_fields(field: str, value: str) -> None:
    """Standard fields, custom parameters in any spelling, and what platforms send beside them are found."""
    launch = make_launch(
        custom={"canvas_user_login_id": "sally7"},
        raw={
            "ext_d2l_orgdefinedid": "D2L-1",
            "ext_d2l_username": "sally.d2l",
            "https://purl.imsglobal.org/spec/lti/claim/ext": {"user_username": "sally.m"},
            "http://www.brightspace.com": {"org_defined_id": "D2L-2"},
        },
    )
    assert read_lti_id(launch, field) == value


@pytest.mark.parametrize("value", ["$Person.sourcedId", True, ["a"], {"a": 1}, None, "x" * 300, 1.5])
def test_values_that_are_no_ids(value: object) -> None:
    """Unexpanded variables, things that are no text, and whole stories give no id."""
    assert read_lti_id(make_launch(raw={"ext_id": value}), "ext_id") == ""


def test_numbers_are_ids() -> None:
    """A number is as good an id as a text, and control characters are not part of it."""
    assert read_lti_id(make_launch(raw={"ext_id": 12345}), "ext_id") == "12345"
    assert read_lti_id(make_launch(raw={"ext_id": "a\x00b\n"}), "ext_id") == "ab"


class TestStored:
    def launch(self, lms: Any, cast: Cast, **changes: Any) -> LmsIdentity:
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", **changes).status_code == 303
        return LmsIdentity.objects.get(lms_user_id=changes.get("user_id", "user-1"))

    def test_a_launch_stores_the_chosen_field(self, cast: Cast) -> None:
        """Each launch keeps the value of the organization's field with the person."""
        platforms.forget_all()
        lms = make_lms11(cast.acme)
        assert self.launch(lms, cast).lti_id == "user-1"
        save_lti_id_field(cast.acme, SOURCEDID)
        assert LmsIdentity.objects.get().lti_id == ""
        assert self.launch(lms, cast, lis_person_sourcedid="SIS-9").lti_id == "SIS-9"
        assert self.launch(lms, cast, lis_person_sourcedid="SIS-10").lti_id == "SIS-10"

    def test_the_same_by_lti_13(self, cast: Cast) -> None:
        """Both versions of LTI store the same."""
        platforms.forget_all()
        save_lti_id_field(cast.acme, "canvas_user_login_id")
        lms = make_lms13(cast.acme)
        custom = {"https://purl.imsglobal.org/spec/lti/claim/custom": {"canvas_user_login_id": "sally7"}}
        assert lms.launch(Client(), cast.operators, **custom).status_code == 303
        assert LmsIdentity.objects.get().lti_id == "sally7"

    def test_what_is_known_is_there_at_once(self, cast: Cast) -> None:
        """A choice that needs no launch fills in what is stored; every platform's copy in memory becomes stale."""
        platforms.forget_all()
        lms = make_lms11(cast.acme)
        identity = self.launch(lms, cast)
        version = Platform.objects.get(pk=lms.platform.pk).config_version
        save_lti_id_field(cast.acme, EMAIL)
        identity.refresh_from_db()
        assert identity.lti_id == "sally@lms.example"
        assert Platform.objects.get(pk=lms.platform.pk).config_version == version + 1
        save_lti_id_field(cast.acme, EMAIL)
        assert Platform.objects.get(pk=lms.platform.pk).config_version == version + 1, "nothing changed"

    def test_several_lmss(self, cast: Cast) -> None:
        """Somebody known by two LMSs with different values has both, once each."""
        for number, value in enumerate(("a", "b", "a", "")):
            platform = Platform.objects.create(organization=cast.acme, version="1.1")
            LmsIdentity.objects.create(platform=platform, lms_user_id=str(number), person=cast.sam, lti_id=value)
        assert read_lti_ids([cast.sam.pk, cast.sue.pk]) == {cast.sam.pk: "a, b"}


class TestPage:
    def test_owners_alone(self, client: Client, cast: Cast) -> None:
        """Owners choose; teachers and other organizations' owners may not even look."""
        for account, status in ((cast.olive, 200), (cast.tom, 403), (cast.oscar, 403)):
            client.force_login(account)
            assert client.get(ADDRESS).status_code == status
        assert client.post(ADDRESS, {"field": EMAIL}).status_code == 403
        cast.acme.refresh_from_db()
        assert cast.acme.lti_id_field == USER_ID

    def test_choosing(self, client: Client, cast: Cast) -> None:
        """A usual field or any parameter is chosen; the page shows it again, and the settings name it."""
        client.force_login(cast.olive)
        assert client.post(ADDRESS, {"field": SOURCEDID}).status_code == 302
        cast.acme.refresh_from_db()
        assert cast.acme.lti_id_field == SOURCEDID
        assert client.post(ADDRESS, {"field": "other", "parameter": "ext_user_username"}).status_code == 302
        assert 'value="ext_user_username"' in client.get(ADDRESS).content.decode()
        settings = client.get(reverse("orgs:settings", args=["acme"])).content.decode()
        assert "ext_user_username" in settings
        assert ADDRESS in settings

    @pytest.mark.parametrize("parameter", ["", "two words", "<b>", "x" * 101])
    def test_names_that_are_none(self, client: Client, cast: Cast, parameter: str) -> None:
        """A parameter that cannot be one is refused, and what was typed is kept."""
        client.force_login(cast.olive)
        response = client.post(ADDRESS, {"field": "other", "parameter": parameter})
        assert response.status_code == 400
        cast.acme.refresh_from_db()
        assert cast.acme.lti_id_field == USER_ID


@pytest.mark.parametrize(
    ("return_url", "course_url"),
    [
        (
            "https://canvas.example/courses/12/external_content/success/external_tool_redirect",
            "https://canvas.example/courses/12",
        ),
        ("https://canvas.example/courses/12/assignments?x=1", "https://canvas.example/courses/12"),
        (
            "https://moodle.example/sub/mod/lti/return.php?course=3&launch_container=4&instanceid=7&sesskey=Secret1",
            "https://moodle.example/sub/course/view.php?id=3",
        ),
        (
            "https://bb.example/webapps/blackboard/execute/blti/launchReturn?course_id=_12_1&content_id=_3_1",
            "https://bb.example/webapps/blackboard/execute/courseMain?course_id=_12_1",
        ),
        ("https://d2l.example/d2l/le/content/6606/viewContent/1/View", "https://d2l.example/d2l/home/6606"),
        ("https://d2l.example/d2l/lms/remoteplugins/lti/return.d2l?ou=6606", "https://d2l.example/d2l/home/6606"),
        ("https://app.schoology.com/course/123/materials", "https://app.schoology.com/course/123/materials"),
        ("https://sakai.example/portal/site/a-b-c/tool/1", "https://sakai.example/portal/site/a-b-c"),
        ("http://localhost:8001/courses/python?tab=2", "http://localhost:8001/courses/python"),
        ("https://lms.example/somewhere?course=3", ""),
        ("https://user:pw@canvas.example/courses/12", ""),
        ("javascript:alert(1)//courses/12", ""),
        ("https://canvas.example/courses/" + "9" * 3000, ""),
        ("", ""),
    ],
)
def test_the_address_of_an_lms_course(return_url: str, course_url: str) -> None:
    """It is read off the return URL where an LMS's form is known, without session keys and other rests."""
    assert guess_course_url(make_launch(return_url=return_url)) == course_url


def test_no_address_outside_a_course() -> None:
    """A launch outside any LMS course suggests nothing."""
    assert guess_course_url(make_launch(context=None, return_url="https://canvas.example/courses/12")) == ""
