"""The review of connections (E5): accept, change and undo a match; a parent that replaces another."""

from __future__ import annotations

from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms import platforms
from courseway.lms.connection_review import MoveError, move
from courseway.lms.models import CourseContext, CourseIdentity, Launch, ParentReplacement, ResourceLink
from courseway.lms.parent_replacement import ReplacementError, compare, replace_parent
from courseway.lms.resolve import CHOSEN, COPY
from tests.cast import Cast
from tests.visits import Lms11, make_lms11, make_lms13, open_launch

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms(cast: Cast) -> Lms11:
    """A platform, and a master that allows copies."""
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True)
    cast.course.refresh_from_db()
    return make_lms11(cast.acme)


def launch_copy(lms: Lms11, cast: Cast, sis: str, **changes: Any) -> Course:
    """A first launch of a copied LMS course; the course that it opened."""
    form = {
        "context_id": f"c-{sis}",
        "context_title": f"Python {sis}",
        "resource_link_id": f"l-{sis}",
        "lis_course_offering_sourcedid": sis,
        "custom_parent_course_id": cast.course.public_id,
        **changes,
    }
    response = lms.launch(Client(), f"/lti/c/{cast.operators.content_id}", **form)
    assert response.status_code == 303, response.content.decode()
    course = Launch.objects.latest("pk").course
    assert course is not None
    return course


def connection_of(course: Course) -> CourseContext:
    return CourseContext.objects.select_related("course", "context__deployment").get(course=course)


def url(name: str, *arguments: object) -> str:
    return reverse(f"lms_course:{name}", args=arguments)


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.content
    return unescape(response.content.decode())


@pytest.fixture
def owner(client: Client, cast: Cast) -> Client:
    client.force_login(cast.olive)
    return client


class TestAccess:
    ACTIONS = ("accept", "forget", "move", "save_url")

    def test_the_course_page(self, client: Client, cast: Cast, lms: Lms11) -> None:
        """Who edits the course reviews it; students, mentors, teachers of one LMS course and others do not."""
        child = launch_copy(lms, cast, "A1")
        one = connection_of(child)
        address = url("connections", child.public_id)
        assert client.get(address).status_code == 403
        client.force_login(cast.olive)
        assert client.get(address).status_code == 200
        client.force_login(cast.oscar)
        assert client.get(address).status_code == 403
        for action in self.ACTIONS:
            assert client.post(url(action, child.public_id, one.pk)).status_code == 403
        assert client.post(url("archive", child.public_id), {"archived": "true"}).status_code == 403
        for role in ("student", "mentor", "teacher"):
            prefix = open_launch(Client(), cast.sam, child, role)
            visitor = Client()
            prefix = open_launch(visitor, cast.sam, child, role)
            assert visitor.get(prefix + address).status_code == 403
            assert visitor.post(prefix + url("forget", child.public_id, one.pk)).status_code == 403
        editor = Client()
        prefix = open_launch(editor, cast.sue, child, "teacher", covers_whole_course=True)
        assert editor.get(prefix + address).status_code == 200
        assert CourseContext.objects.filter(pk=one.pk, accepted_at=None).exists()

    def test_a_connection_of_another_course(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """An address that mixes a course with a connection of another finds nothing."""
        one = connection_of(launch_copy(lms, cast, "A1"))
        for action in self.ACTIONS:
            assert owner.post(url(action, cast.course.public_id, one.pk)).status_code == 404

    def test_the_organization_page(self, client: Client, cast: Cast, lms: Lms11) -> None:
        """All connections of the organization are its owners' alone."""
        launch_copy(lms, cast, "A1")
        address = reverse("lms_org:connections", args=["acme"])
        for account, status in ((cast.olive, 200), (cast.tom, 403), (cast.oscar, 403)):
            client.force_login(account)
            assert client.get(address).status_code == status
        assert client.post(reverse("lms_org:accept_connections", args=["acme"])).status_code == 403
        assert client.post(reverse("lms_org:replace_parent", args=["acme"])).status_code == 403


class TestWhatIsShown:
    def test_a_copy_says_where_it_comes_from(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A child made by a launch names its parent and the LMS course, on its overview, its tab and the review."""
        child = launch_copy(lms, cast, "A1")
        for address in (
            reverse("courses:overview", args=[child.public_id]),
            reverse("lms_course:lti", args=[child.public_id]),
            url("connections", child.public_id),
        ):
            shown = page(owner, address)
            assert "A copy of “Python basics”, made by a launch from “Python A1” (Moodle)." in shown
        assert "A copy of" not in page(owner, url("connections", cast.course.public_id))

    def test_rule_identity_and_state(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Each match shows the rule that fired and the identity; only what was matched by itself asks for a look."""
        child = launch_copy(lms, cast, "A1")
        shown = page(owner, url("connections", child.public_id))
        assert "The first launch of a new LMS course made this copy" in shown
        assert "<code>A1</code>" in shown
        assert "Please look at it" in shown
        assert "Review 1 match" in page(owner, reverse("lms_course:lti", args=[child.public_id]))
        certain = f"/lti/a/{cast.operators.public_id}"
        assert lms.launch(Client(), certain, context_id="own", resource_link_id="own").status_code == 303
        assert "Please look at it" not in page(owner, url("connections", cast.course.public_id))

    def test_an_lms_course_that_is_its_own_identity(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A copy that only its LMS's history tells is known by itself, and the pages say so in words."""
        link = f"/lti/c/{cast.operators.content_id}"
        lms.launch(Client(), link, context_id="old", custom_course_target_id=cast.course.public_id)
        history = {"custom_context_id_history": "old", "resource_link_id": "copied"}
        assert lms.launch(Client(), link, context_id="new", **history).status_code == 303
        child = Course.objects.get(parent=cast.course)
        for address in (url("connections", child.public_id), reverse("lms_course:lti", args=[child.public_id])):
            assert "this LMS course itself" in page(owner, address)
        assert "this LMS course itself" in page(owner, reverse("lms_org:connections", args=["acme"]))

    def test_statements(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Both pages ask the database as often for eight LMS courses as for one."""
        child = launch_copy(lms, cast, "A1")
        addresses = (url("connections", child.public_id), reverse("lms_org:connections", args=["acme"]))

        def count() -> list[int]:
            numbers = []
            for address in addresses:
                page(owner, address)
                with CaptureQueriesContext(database) as queries:
                    page(owner, address)
                numbers.append(len(queries))
            return numbers

        few = count()
        for number in range(7):
            launch_copy(lms, cast, "A1", context_id=f"s-{number}", resource_link_id=f"s-{number}")
        assert CourseContext.objects.filter(course=child).count() == 8
        assert count() == few
        assert max(few) <= 14


def test_accepting(owner: Client, cast: Cast, lms: Lms11) -> None:
    """An accepted match asks for no look any more, and stays as it is."""
    child = launch_copy(lms, cast, "A1")
    one = connection_of(child)
    owner.post(url("accept", child.public_id, one.pk))
    shown = page(owner, url("connections", child.public_id))
    assert "Accepted" in shown
    assert "Please look at it" not in shown
    assert launch_copy(lms, cast, "A1", user_id="user-2") == child


class TestUndo:
    def test_the_next_launch_is_resolved_anew(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """After undoing, the very same launch of the same person goes the whole way again - here to another copy."""
        child = launch_copy(lms, cast, "A1")
        assert launch_copy(lms, cast, "A1") == child
        owner.post(url("forget", child.public_id, connection_of(child).pk))
        assert not CourseContext.objects.filter(course=child).exists()
        assert not CourseIdentity.objects.filter(course=child).exists()
        assert not ResourceLink.objects.filter(assignment__course=child).exists()
        again = launch_copy(lms, cast, "A1")
        assert again not in (child, cast.course)
        assert connection_of(again).rule == COPY

    def test_without_a_parent_the_teacher_is_asked(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Once the parent allows no copies, an undone connection makes nothing by itself."""
        child = launch_copy(lms, cast, "A1")
        Course.objects.filter(pk=cast.course.pk).update(course_copy=False)
        owner.post(url("forget", child.public_id, connection_of(child).pk))
        before = Course.objects.count()
        path = f"/lti/c/{cast.operators.content_id}"
        lms.launch(Client(), path, context_id="c-A1", resource_link_id="l-A1", roles="Instructor")
        assert Launch.objects.latest("pk").outcome == "waiting"
        assert Course.objects.count() == before

    def test_sections_of_one_identity_go_together(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Else a sister section would lead the next launch straight back; the page says how many go along."""
        child = launch_copy(lms, cast, "A1")
        launch_copy(lms, cast, "A1", context_id="section-2", resource_link_id="l-2")
        assert "1 other LMS course of the same identity goes with it." in page(
            owner, url("connections", child.public_id)
        )
        first = CourseContext.objects.filter(course=child).order_by("pk")[0]
        owner.post(url("forget", child.public_id, first.pk))
        assert not CourseContext.objects.filter(course=child).exists()

    def test_people_and_rights_that_came_with_it_go(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """The wrong LMS course's instructors lose the course, whoever was there before stays."""
        wrong = launch_copy(lms, cast, "A1", roles="Instructor", user_id="teacher")
        launch_copy(lms, cast, "A1", user_id="student")
        teacher = Enrollment.objects.get(course=wrong, role="teacher")
        assert teacher.covers_whole_course
        kept = Enrollment.objects.create(course=wrong, person=cast.tom_person, role="teacher", covers_whole_course=True)
        Enrollment.objects.filter(pk=kept.pk).update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
        response = owner.post(url("forget", wrong.public_id, connection_of(wrong).pk), follow=True)
        assert "2 people who came only from there are inactive here" in response.content.decode()
        rows = Enrollment.objects.filter(course=wrong).values_list("person", "active", "covers_whole_course")
        assert {row[0]: row[1:] for row in rows}[cast.tom_person.pk] == (True, True)
        assert not Enrollment.objects.filter(course=wrong, active=True).exclude(pk=kept.pk).exists()

    def test_who_also_comes_from_elsewhere_stays(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A student of two LMS courses of the course stays in it when one is undone."""
        child = launch_copy(lms, cast, "A1")
        path = f"/lti/a/{Assignment.objects.get(course=child, key='operators').public_id}"
        assert lms.launch(Client(), path, context_id="other", resource_link_id="other").status_code == 303
        first = CourseContext.objects.filter(course=child).order_by("pk")[0]
        owner.post(url("forget", child.public_id, first.pk))
        assert Enrollment.objects.get(course=child).active
        assert CourseContext.objects.get(course=child).is_first, "the one that is left is the first now"

    def test_links_by_their_own_url_are_beyond_it(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A link that names the assignment opens it for ever; the page says how many there are."""
        path = f"/lti/a/{cast.operators.public_id}"
        assert lms.launch(Client(), path, context_id="c", resource_link_id="l").status_code == 303
        one = connection_of(cast.course)
        assert "1 link names an assignment of this course by its own URL" in page(
            owner, url("connections", cast.course.public_id)
        )
        owner.post(url("forget", cast.course.public_id, one.pk))
        response = lms.launch(Client(), path, context_id="c", resource_link_id="l")
        assert cast.operators.public_id in response["Location"]


class TestChange:
    def test_its_links_open_the_same_content_there(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """The LMS course opens the chosen course from the next launch on, of old and new links and people."""
        wrong = launch_copy(lms, cast, "A1")
        right = copy_course(cast.course, title="The right one", now=NOW)
        one = connection_of(wrong)
        response = owner.post(url("move", wrong.public_id, one.pk), {"course": right.public_id}, follow=True)
        assert "“Python A1” opens “The right one” from now on." in unescape(response.content.decode())
        assert connection_of(right).rule == CHOSEN
        assert connection_of(right).accepted_at is not None
        assert not CourseContext.objects.filter(course=wrong).exists()
        assert CourseIdentity.objects.get(identity="A1").course == right
        assert launch_copy(lms, cast, "A1") == right
        assert launch_copy(lms, cast, "A1", user_id="user-2", resource_link_id="l-new") == right
        landed = Launch.objects.latest("pk").assignment
        assert landed is not None
        assert landed.content_id == cast.operators.content_id

    def test_only_courses_that_one_may_edit(self, client: Client, cast: Cast, lms: Lms11) -> None:
        """Neither another organization's course nor one of somebody else can be chosen; the same course is none."""
        client.force_login(cast.tom)
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", resource_link_id="l").status_code == 303
        one = connection_of(cast.course)
        others = Course.objects.create(organization=cast.acme, title="Somebody else's")
        for target in (cast.foreign_course, others, cast.course):
            response = client.post(
                url("move", cast.course.public_id, one.pk), {"course": target.public_id}, follow=True
            )
            assert "Choose the course" in response.content.decode()
        one.refresh_from_db()
        assert one.course == cast.course
        for target, reason in ((cast.course, "same course"), (cast.foreign_course, "another organization")):
            with pytest.raises(MoveError, match=reason):
                move(one, target, by=None, now=NOW)

    def test_content_that_is_not_there_is_asked_for(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A link whose assignment the new course does not have is free to be resolved anew."""
        wrong = launch_copy(lms, cast, "A1")
        empty = Course.objects.create(organization=cast.acme, title="Empty", lti_enabled=True)
        owner.post(url("move", wrong.public_id, connection_of(wrong).pk), {"course": empty.public_id})
        link = ResourceLink.objects.get(resource_link_id="l-A1")
        assert (link.assignment, link.rule, link.target) == (None, "", "")


class TestLmsUrl:
    def test_each_lms_course_may_have_its_own(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """The address is saved for one LMS course; a wrong one is refused with what was typed."""
        child = launch_copy(lms, cast, "A1")
        one = connection_of(child)
        address = url("save_url", child.public_id, one.pk)
        refused = owner.post(address, {"lms_url": "javascript:alert(1)"})
        assert refused.status_code == 400
        assert 'value="javascript:alert(1)"' in refused.content.decode()
        assert owner.post(address, {"lms_url": " https://lms.example/courses/7 "}).status_code == 302
        one.refresh_from_db()
        assert one.lms_url == "https://lms.example/courses/7"

    def test_students_are_led_to_their_own(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A student of one LMS course is led to its address, everybody else to the course's."""
        child = launch_copy(lms, cast, "A1")
        Course.objects.filter(pk=child.pk).update(lms_url="https://lms.example/default")
        one = connection_of(child)
        owner.post(url("save_url", child.public_id, one.pk), {"lms_url": "https://lms.example/courses/7"})
        student = Client()
        session = lms.launch(
            student,
            f"/lti/c/{cast.operators.content_id}",
            context_id="c-A1",
            resource_link_id="l-A1",
            lis_course_offering_sourcedid="A1",
        )
        prefix = "/".join(session["Location"].split("/")[:3])
        shown = student.get(f"{prefix}/learn/courses/{child.public_id}/", secure=True, HTTP_HOST="tool.example")
        assert "https://lms.example/courses/7" in shown.content.decode()
        assert "https://lms.example/default" not in shown.content.decode()
        other = Client()
        prefix = open_launch(other, cast.sue, child, "student")
        shown = other.get(f"{prefix}/learn/courses/{child.public_id}/")
        assert "https://lms.example/default" in shown.content.decode()

    def test_the_way_back_when_the_launch_names_none(self, cast: Cast, lms: Lms11) -> None:
        """Back to the LMS leads where the launch said, else to the Course LMS URL, else nowhere (D2)."""

        def way_back(**changes: Any) -> bool:
            student = Client()
            opened = lms.launch(student, f"/lti/a/{cast.operators.public_id}", **changes)
            shown = student.get(opened["Location"], secure=True, HTTP_HOST="tool.example").content.decode()
            assert "https://lms.example/course/1?tab=2" not in shown or "launch_presentation_return_url" not in changes
            return 'href="https://lms.example/home"' in shown

        assert not way_back(launch_presentation_return_url=None)
        Course.objects.filter(pk=cast.course.pk).update(lms_url="https://lms.example/home")
        assert way_back(launch_presentation_return_url=None)
        assert not way_back()

    def test_an_address_is_proposed_and_never_set(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """What launches suggest stands there to be taken; until then nothing is set."""
        child = launch_copy(lms, cast, "A1")
        one = connection_of(child)
        one.context.guessed_url = "https://lms.example/courses/12"
        one.context.save()
        assert "Its launches come from https://lms.example/courses/12" in page(
            owner, url("connections", child.public_id)
        )
        assert connection_of(child).lms_url == ""
        assert child.lms_url == ""


def test_archiving_a_wrong_child(owner: Client, cast: Cast, lms: Lms11) -> None:
    """An archived copy opens no more, keeps its rows, and can be opened again."""
    child = launch_copy(lms, cast, "A1")
    owner.post(url("archive", child.public_id), {"archived": "true"})
    response = lms.launch(
        Client(),
        f"/lti/c/{cast.operators.content_id}",
        context_id="c-A1",
        resource_link_id="l-A1",
        lis_course_offering_sourcedid="A1",
        custom_parent_course_id=cast.course.public_id,
    )
    assert 'data-code="course_archived"' in response.content.decode()
    assert "This course is archived" in page(owner, url("connections", child.public_id))
    owner.post(url("archive", child.public_id), {"archived": "false"})
    assert launch_copy(lms, cast, "A1") == child


class TestOrganizationPage:
    address = "/o/acme/connections"

    def test_search_and_what_is_to_look_at(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Every connection is found by course, LMS course or identity; the filter leaves what needs a look."""
        launch_copy(lms, cast, "A1")
        launch_copy(lms, cast, "B2")
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", context_title="Mapped").status_code == 303
        shown = page(owner, self.address)
        assert all(title in shown for title in ("Python A1", "Python B2", "Mapped"))
        assert "Python B2" not in page(owner, self.address + "?q=A1")
        assert "Mapped" not in page(owner, self.address + "?state=review")
        assert "Nothing matches" in page(owner, self.address + "?q=nowhere%00")

    def test_accepting_several(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Those that were ticked are accepted, and none of another organization."""
        rows = [connection_of(launch_copy(lms, cast, sis)) for sis in ("A1", "B2", "C3")]
        foreign = make_lms13(cast.umbrella, client_id="client-2")
        assert foreign.launch(Client(), cast.foreign_assignment).status_code == 303
        strange = CourseContext.objects.get(course=cast.foreign_course)
        chosen = [str(one.pk) for one in (*rows[:2], strange)]
        response = owner.post(
            reverse("lms_org:accept_connections", args=["acme"]), {"connection": [*chosen, "x", "9" * 40]}, follow=True
        )
        assert "2 matches are accepted." in response.content.decode()
        accepted = CourseContext.objects.filter(accepted_at__isnull=False)
        assert set(accepted) == set(rows[:2])


class TestNewParent:
    def new_parent(self, cast: Cast, title: str) -> Course:
        course = copy_course(cast.course, title=title, now=NOW)
        Course.objects.filter(pk=course.pk).update(course_copy=True)
        return Course.objects.get(pk=course.pk)

    def test_copies_are_made_of_the_new_one(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """Links go on naming the old parent, and the next new LMS course gets a child of the new one."""
        old_child = launch_copy(lms, cast, "Fall")
        new = self.new_parent(cast, "Master 2027")
        response = owner.post(
            reverse("lms_org:replace_parent", args=["acme"]),
            {"old": cast.course.public_id, "new": new.public_id},
            follow=True,
        )
        shown = unescape(response.content.decode())
        assert "Copies asked of “Python basics” are made of “Master 2027” from now on." in shown
        assert launch_copy(lms, cast, "Spring").parent == new
        assert launch_copy(lms, cast, "Fall", user_id="user-2") == old_child
        owner.post(reverse("lms_org:undo_replacement", args=["acme", ParentReplacement.objects.get().pk]))
        assert launch_copy(lms, cast, "Autumn").parent == cast.course

    def test_chains_are_kept_short(self, cast: Cast, lms: Lms11) -> None:
        """Whoever was replaced by the old one is replaced by the new one too, so that one step always suffices."""
        second, third = self.new_parent(cast, "Second"), self.new_parent(cast, "Third")
        replace_parent(cast.course, second, now=NOW)
        replace_parent(second, third, now=NOW)
        assert {r.old_parent: r.new_parent for r in ParentReplacement.objects.all()} == {
            cast.course: third,
            second: third,
        }
        with pytest.raises(ReplacementError, match="itself replaced by “Third”"):
            replace_parent(third, cast.course, now=NOW)

    def test_what_cannot_be(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """The same course, another organization's and one that allows no copies are refused with the reason."""
        closed = copy_course(cast.course, title="Closed", now=NOW)
        for new, reason in (
            (cast.course, "replace itself"),
            (cast.foreign_course, "same organization"),
            (closed, "does not allow copies"),
        ):
            with pytest.raises(ReplacementError, match=reason):
                replace_parent(cast.course, new, now=NOW)
        response = owner.post(
            reverse("lms_org:replace_parent", args=["acme"]),
            {"old": cast.course.public_id, "new": cast.foreign_course.public_id},
            follow=True,
        )
        assert "Choose the old and the new parent." in response.content.decode()
        assert not ParentReplacement.objects.exists()

    def test_content_that_differs_is_said(self, owner: Client, cast: Cast, lms: Lms11) -> None:
        """A new parent that is no copy of the old one is taken, with a warning about what will not open."""
        new = self.new_parent(cast, "Half")
        Assignment.objects.filter(course=new, key="loops").delete()
        overlap = compare(cast.course, new)
        assert (overlap.shared, overlap.all, overlap.is_whole) == (1, 2, False)
        response = owner.post(
            reverse("lms_org:replace_parent", args=["acme"]),
            {"old": cast.course.public_id, "new": new.public_id},
            follow=True,
        )
        assert "has 1 of its 2 assignments" in response.content.decode()
