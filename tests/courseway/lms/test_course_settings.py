"""The settings of the tab LTI/LMS: each with its consequence, and a question before a change that would surprise."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from courseway.courses.models import Course
from courseway.grades.models import Delivery
from courseway.learning.scoring import set_grade
from courseway.lms.models import ResourceLink
from courseway.orgs.models import Person
from tests.cast import Cast
from tests.visits import Lms11, make_lms11, open_launch

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
SWITCHES = (
    *("constant_urls", "course_copy", "hide_not_started", "filter_learners_for_mentors", "enroll_only"),
    *("provide_feedback_link", "release_grades_automatically"),
)
PLAIN = {"lti_enabled": "on", "lms_url": "https://lms.example/c/1", "iframe_width": "1000", "iframe_height": "800"}


def tab(course: Course) -> str:
    return reverse("lms_course:lti", args=[course.public_id])


@pytest.fixture
def teacher(client: Client, cast: Cast) -> Client:
    client.force_login(cast.tom)
    return client


def show(client: Client, course: Course) -> str:
    response = client.get(tab(course))
    assert response.status_code == 200
    return unescape(response.content.decode())


def map_links(cast: Cast, number: int) -> Lms11:
    lms = make_lms11(cast.acme)
    for link in range(number):
        path = f"/lti/a/{cast.operators.public_id}"
        assert lms.launch(Client(), path, resource_link_id=f"l-{link}").status_code == 303
    return lms


def questions(content: str) -> list[str]:
    return re.findall(r'data-question="(\w+)"', content)


def confirmed(content: str) -> str:
    found = re.search(r'name="confirmed" value="([^"]*)"', content)
    return found.group(1) if found else ""


class TestWhatShows:
    def test_off(self, teacher: Client, cast: Cast) -> None:
        """While LTI is off only Enable LTI and Provide feedback link show and can be saved; the rest is kept."""
        kept = {"lms_url": "https://lms.example/c/1", "constant_urls": True, "hide_not_started": True}
        Course.objects.filter(pk=cast.course.pk).update(lti_enabled=False, provide_feedback_link=True, **kept)
        shown = show(teacher, cast.course)
        names = set(re.findall(r'<(?:input|select)[^>]* name="(\w+)"', shown)) & {*SWITCHES, *PLAIN}
        assert names == {"lti_enabled", "provide_feedback_link"}
        assert teacher.post(tab(cast.course), {"lti_enabled": "on"}).status_code == 302
        cast.course.refresh_from_db()
        assert cast.course.lti_enabled
        assert not cast.course.provide_feedback_link
        assert {name: getattr(cast.course, name) for name in kept} == kept

    def test_on(self, teacher: Client, cast: Cast) -> None:
        """With LTI on every setting shows, in the order in which the guide names them."""
        shown = show(teacher, cast.course)
        order = ["lti_enabled", "lms_url", "constant_urls", "course_copy", "hide_not_started"]
        order += ["filter_learners_for_mentors", "iframe_width", "iframe_height", "open_in_frame", "enroll_only"]
        places = [shown.index(f'name="{name}"') for name in [*order, "provide_feedback_link"]]
        assert places == sorted(places)

    def test_values_to_copy_stand_there_while_their_switch_is_on(self, teacher: Client, cast: Cast) -> None:
        """The parameters and the link to enroll are offered once, and only while, they work."""
        course = cast.course
        values = {
            "constant_urls": f'value="course_target_id={course.public_id}"',
            "course_copy": f'value="parent_course_id={course.public_id}"',
            "enroll_only": f'value="https://tool.example/lti/e/{course.public_id}"',
        }
        off = show(teacher, course)
        assert not [value for value in values.values() if value in off]
        Course.objects.filter(pk=course.pk).update(constant_urls=True, course_copy=True, enroll_only=True)
        on = show(teacher, course)
        assert [on.count(value) for value in values.values()] == [1, 1, 1]
        assert "No grade of this course goes to an LMS" in on

    def test_a_teacher_of_one_lms_course_reads_them(self, client: Client, cast: Cast) -> None:
        """Who may not edit sees how each setting stands, with the values to copy, and no form."""
        Course.objects.filter(pk=cast.course.pk).update(constant_urls=True)
        prefix = open_launch(client, cast.mia, cast.course, "teacher", cast.operators)
        shown = client.get(prefix + tab(cast.course)).content.decode()
        assert "Enable LTI constant URLs" in shown
        assert f"course_target_id={cast.course.public_id}" in shown
        assert "Save changes" not in shown


class TestSaving:
    def test_all_at_once(self, teacher: Client, cast: Cast) -> None:
        """Every switch of the form is saved, and nothing is live before."""
        switches = {name: "on" for name in SWITCHES if name not in ("enroll_only", "hide_not_started")}
        assert teacher.post(tab(cast.course), {**PLAIN, **switches}).status_code == 302
        cast.course.refresh_from_db()
        assert {name for name in SWITCHES if getattr(cast.course, name)} == set(switches)
        assert teacher.post(tab(cast.course), PLAIN).status_code == 302
        cast.course.refresh_from_db()
        assert not [name for name in SWITCHES if getattr(cast.course, name)]

    def test_copy_without_constant_urls(self, teacher: Client, cast: Cast) -> None:
        """Course copy alone is refused with the reason at its switch; both in one save are fine."""
        response = teacher.post(tab(cast.course), {**PLAIN, "course_copy": "on"})
        shown = response.content.decode()
        assert response.status_code == 400
        assert "Needs LTI constant URLs, since only an address without a course" in shown
        assert 'id="id_course_copy" checked' in shown
        cast.course.refresh_from_db()
        assert not cast.course.course_copy
        assert cast.course.lms_url == ""
        assert teacher.post(tab(cast.course), {**PLAIN, "course_copy": "on", "constant_urls": "on"}).status_code == 302
        cast.course.refresh_from_db()
        assert cast.course.course_copy

    def test_constant_urls_cannot_go_while_copies_are_made(self, teacher: Client, cast: Cast) -> None:
        """Switching constant URLs off under course copy is refused too."""
        Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True)
        assert teacher.post(tab(cast.course), {**PLAIN, "course_copy": "on"}).status_code == 400


class TestQuestions:
    def test_constant_urls_after_mapping(self, teacher: Client, cast: Cast) -> None:
        """Who switches them on late first reads that the links made before keep working, and how many there are."""
        map_links(cast, 3)
        values = {**PLAIN, "constant_urls": "on", "lms_url": "https://lms.example/typed"}
        response = teacher.post(tab(cast.course), values)
        shown = unescape(response.content.decode())
        assert response.status_code == 200
        assert questions(shown) == ["constant_urls"]
        assert "3 links were made before. They keep working" in shown
        assert "Save all the same" in shown
        assert 'value="https://lms.example/typed"' in shown
        assert 'id="id_constant_urls" checked' in shown
        cast.course.refresh_from_db()
        assert (cast.course.constant_urls, cast.course.lms_url) == (False, "")
        assert teacher.post(tab(cast.course), {**values, "confirmed": confirmed(shown)}).status_code == 302
        cast.course.refresh_from_db()
        assert (cast.course.constant_urls, cast.course.lms_url) == (True, "https://lms.example/typed")

    def test_the_old_links_do_keep_working(self, teacher: Client, cast: Cast) -> None:
        """What the question promises: a link with the course in its URL opens the same assignment afterwards."""
        lms = map_links(cast, 1)
        teacher.post(tab(cast.course), {**PLAIN, "constant_urls": "on", "confirmed": "constant_urls"})
        response = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", resource_link_id="l-0", user_id="u-2")
        assert response.status_code == 303
        assert cast.operators.public_id in response["Location"]

    def test_nothing_mapped_nothing_asked(self, teacher: Client, cast: Cast) -> None:
        """Before anything is mapped constant URLs surprise nobody."""
        assert teacher.post(tab(cast.course), {**PLAIN, "constant_urls": "on"}).status_code == 302

    def test_enroll_only_counts_grades(self, teacher: Client, cast: Cast) -> None:
        """Enroll only first says how many grades wait, how many stay in the LMS, and how many links are mapped."""
        map_links(cast, 2)
        sally = Person.objects.get(lms_identities__lms_user_id="user-1")
        set_grade(assignment=cast.operators, person=sally, percent=Decimal(70), complete=True, release=True, now=NOW)
        sent = Delivery.objects.order_by("pk").first()
        assert sent is not None
        Delivery.objects.filter(pk=sent.pk).update(state=Delivery.State.SENT, next_try_at=None)
        response = teacher.post(tab(cast.course), {**PLAIN, "enroll_only": "on"})
        shown = unescape(response.content.decode())
        assert questions(shown) == ["enroll_only"]
        assert "1 grade that is on its way now will wait." in shown
        assert "1 grade that is in the LMS will stay as it is." in shown
        assert "2 links to assignments are mapped" in shown
        cast.course.refresh_from_db()
        assert not cast.course.enroll_only

    def test_enroll_only_with_hide_not_started(self, teacher: Client, cast: Cast) -> None:
        """Both together leave new students with an empty course: asked, whichever of the two is the second."""
        both = {**PLAIN, "enroll_only": "on", "hide_not_started": "on"}
        assert questions(teacher.post(tab(cast.course), both).content.decode()) == ["enroll_only", "nothing_to_start"]
        Course.objects.filter(pk=cast.course.pk).update(enroll_only=True)
        assert questions(teacher.post(tab(cast.course), both).content.decode()) == ["nothing_to_start"]
        Course.objects.filter(pk=cast.course.pk).update(hide_not_started=True)
        assert teacher.post(tab(cast.course), both).status_code == 302
        assert "new students see an empty course" in show(teacher, cast.course)

    def test_a_yes_to_one_is_no_yes_to_another(self, teacher: Client, cast: Cast) -> None:
        """A form that was asked about one thing and comes back with another change is asked about that."""
        map_links(cast, 1)
        first = teacher.post(tab(cast.course), {**PLAIN, "constant_urls": "on"}).content.decode()
        assert confirmed(first) == "constant_urls"
        second = teacher.post(
            tab(cast.course), {**PLAIN, "constant_urls": "on", "enroll_only": "on", "confirmed": "constant_urls"}
        ).content.decode()
        assert questions(second) == ["enroll_only"]
        assert set(confirmed(second).split()) == {"constant_urls", "enroll_only"}

    def test_switching_lti_off(self, teacher: Client, cast: Cast) -> None:
        """Switching LTI off says how many links stop."""
        map_links(cast, 2)
        off = {name: value for name, value in PLAIN.items() if name != "lti_enabled"}
        shown = unescape(teacher.post(tab(cast.course), off).content.decode())
        assert questions(shown) == ["lti_disabled"]
        assert "2 links in an LMS open this course" in shown
        assert teacher.post(tab(cast.course), {**off, "confirmed": "lti_disabled"}).status_code == 302
        cast.course.refresh_from_db()
        assert not cast.course.lti_enabled

    def test_refused_values_are_not_asked_about(self, teacher: Client, cast: Cast) -> None:
        """A form that cannot be saved says so and asks nothing."""
        map_links(cast, 1)
        response = teacher.post(tab(cast.course), {**PLAIN, "constant_urls": "on", "lms_url": "ftp://x"})
        assert response.status_code == 400
        assert questions(response.content.decode()) == []


class TestEnrollOnlyAndGrades:
    def test_grades_wait_while_it_is_on_and_go_when_it_is_off_again(self, teacher: Client, cast: Cast) -> None:
        """No grade of the course leaves while the switch is on; switched off, the newest ones are owed (F4)."""
        map_links(cast, 1)
        sally = Person.objects.get(lms_identities__lms_user_id="user-1")
        course = Course.objects.get(pk=cast.course.pk)
        Course.objects.filter(pk=course.pk).update(enroll_only=True)
        cast.operators.refresh_from_db()
        cast.operators.course.refresh_from_db()
        set_grade(assignment=cast.operators, person=sally, percent=Decimal(70), complete=True, release=True, now=NOW)
        set_grade(assignment=cast.operators, person=sally, percent=Decimal(90), complete=True, release=True, now=NOW)
        assert not Delivery.objects.exists()
        response = teacher.post(tab(course), {**PLAIN, "release_grades_automatically": "on"}, follow=True)
        assert "1 grade goes to the LMS now." in response.content.decode()
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.wanted_percent) == ("waiting", Decimal(90))
        assert delivery.next_try_at is not None

    def test_the_proposed_links_stay_mapped(self, teacher: Client, cast: Cast) -> None:
        """Neither switching forgets a link."""
        map_links(cast, 2)
        for values in ({**PLAIN, "enroll_only": "on", "confirmed": "enroll_only"}, PLAIN):
            assert teacher.post(tab(cast.course), values).status_code == 302
        assert ResourceLink.objects.filter(assignment=cast.operators).count() == 2


class TestProposedAddress:
    """The Course LMS URL that launches suggest (E5): offered, put into the field when asked, saved by the teacher."""

    def propose(self, cast: Cast) -> str:
        url = "https://canvas.example/courses/12"
        lms, path = make_lms11(cast.acme), f"/lti/a/{cast.operators.public_id}"
        response = lms.launch(
            Client(), path, launch_presentation_return_url=f"{url}/external_content/success?sesskey=1"
        )
        assert response.status_code == 303
        return url

    def test_it_is_offered_and_not_set(self, teacher: Client, cast: Cast) -> None:
        """The tab names the address; taking it fills the field, and nothing is saved by that."""
        url = self.propose(cast)
        assert f"Launches come from {url}" in show(teacher, cast.course)
        taken = unescape(teacher.get(tab(cast.course), {"proposed": url}).content.decode())
        assert f'name="lms_url" value="{url}"' in taken
        cast.course.refresh_from_db()
        assert cast.course.lms_url == ""

    def test_only_what_launches_said(self, teacher: Client, cast: Cast) -> None:
        """An address that somebody put into a link to this page is not taken over."""
        self.propose(cast)
        shown = teacher.get(tab(cast.course), {"proposed": "https://evil.example/"}).content.decode()
        assert "evil.example" not in shown

    def test_not_over_a_teachers_own(self, teacher: Client, cast: Cast) -> None:
        """Once an address is set none is proposed."""
        url = self.propose(cast)
        Course.objects.filter(pk=cast.course.pk).update(lms_url="https://lms.example/mine")
        shown = unescape(teacher.get(tab(cast.course), {"proposed": url}).content.decode())
        assert url not in shown
