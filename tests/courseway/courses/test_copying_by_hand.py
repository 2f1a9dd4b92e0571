"""A course copied by hand: from its settings page, or by the command; the new parent of a new term."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms import platforms
from courseway.orgs.models import Account, Member
from tests.cast import Cast, make_account
from tests.visits import make_lms11, open_launch


def copy(client: Client, course: Course, title: str = "Python basics 2027") -> Any:
    return client.post(reverse("courses:copy", args=[course.public_id]), {"title": title})


def test_a_copy_is_taught_by_who_made_it(client: Client, cast: Cast) -> None:
    """The copy has the same assignments by the same constant URLs, a title of its own, and one teacher."""
    client.force_login(cast.tom)
    page = client.get(reverse("courses:settings", args=[cast.course.public_id])).content.decode()
    assert 'value="Python basics (copy)"' in page
    response = copy(client, cast.course)
    child = Course.objects.get(parent=cast.course)
    assert response["Location"] == reverse("courses:overview", args=[child.public_id])
    assert (child.title, child.course_copy, child.lms_url) == ("Python basics 2027", False, "")
    contents = [
        set(Assignment.objects.filter(course=course).values_list("content_id", flat=True))
        for course in (cast.course, child)
    ]
    assert contents[0] == contents[1]
    (enrollment,) = Enrollment.objects.filter(course=child)
    assert (enrollment.person, enrollment.role, enrollment.covers_whole_course) == (cast.tom_person, "teacher", True)
    assert "This is the copy" in client.get(response["Location"]).content.decode()


def test_a_blank_title_keeps_the_name(client: Client, cast: Cast) -> None:
    """Without a title the copy is called like its parent."""
    client.force_login(cast.olive)
    assert copy(client, cast.course, " ").status_code == 302
    assert Course.objects.get(parent=cast.course).title == "Python basics"


@pytest.mark.parametrize("who", ["nobody", "outsider", "member"])
def test_who_may_not_copy(client: Client, cast: Cast, who: str) -> None:
    """Nobody, an outsider, and a member who may make no courses copy nothing."""
    accounts: dict[str, Account | None] = {"nobody": None, "outsider": cast.oscar}
    if who == "member":
        accounts["member"] = make_account("max@acme.example", "Max Member")
        Member.objects.create(organization=cast.acme, account=accounts["member"], role=Member.Role.MEMBER)
    if account := accounts[who]:
        client.force_login(account)
    assert copy(client, cast.course).status_code == 403
    assert not Course.objects.filter(parent=cast.course).exists()


def test_a_launch_makes_no_course(client: Client, cast: Cast) -> None:
    """Inside an LMS's frame even the course's own teacher is not offered to copy it, and cannot."""
    prefix = open_launch(client, cast.tom_person, cast.course, "teacher", covers_whole_course=True)
    page = client.get(f"{prefix}/courses/{cast.course.public_id}/settings/").content.decode()
    assert "Copy this course" not in page
    assert client.post(f"{prefix}/courses/{cast.course.public_id}/copy/").status_code == 403
    assert not Course.objects.filter(parent=cast.course).exists()


def test_a_copy_becomes_the_new_parent(client: Client, cast: Cast) -> None:
    """The whole way of a new term: copy the master, let it be copied, replace the old one; old links copy the new."""
    platforms.forget_all()
    lms = make_lms11(cast.acme)
    switches = {"constant_urls": True, "course_copy": True}
    Course.objects.filter(pk=cast.course.pk).update(**switches)
    client.force_login(cast.olive)
    copy(client, cast.course)
    new = Course.objects.get(parent=cast.course)
    Course.objects.filter(pk=new.pk).update(**switches)
    ids = {"old": cast.course.public_id, "new": new.public_id}
    page = client.post(reverse("lms_org:replace_parent", args=["acme"]), ids, follow=True).content.decode()
    assert "are made of “Python basics 2027” from now on" in page
    assert "open nothing in a new copy" not in page
    launch = lms.launch(
        Client(),
        f"/lti/c/{cast.loops.content_id}",
        lis_course_offering_sourcedid="2027",
        custom_parent_course_id=cast.course.public_id,
    )
    assert launch.status_code == 303
    assert Course.objects.get(parent=new).title == "Introduction to programming"


def test_a_course_is_archived_and_opened_again(client: Client, cast: Cast) -> None:
    """From its settings: archived, a launch is told so; open again, it lands."""
    platforms.forget_all()
    lms = make_lms11(cast.acme)
    client.force_login(cast.tom)
    archive = reverse("lms_course:archive", args=[cast.course.public_id]) + "?next=settings"
    settings_page = reverse("courses:settings", args=[cast.course.public_id])
    for archived, status in (("true", 403), ("false", 303)):
        assert client.post(archive, {"archived": archived})["Location"] == settings_page
        assert "Open it again" in client.get(settings_page).content.decode() or archived == "false"
        assert lms.launch(Client(), f"/lti/a/{cast.loops.public_id}").status_code == status


def describe(assignment: Assignment) -> list[object]:
    """All that is taught in it."""
    return [
        [page.key, page.title, page.text, [(q.key, q.kind, q.text, q.body, q.points) for q in page.questions.all()]]
        for page in assignment.pages.all()
    ]


def test_an_assignment_is_copied_from_its_menu(client: Client, cast: Cast) -> None:
    """The copy stands behind its original with everything in it, under ids of its own, and is not published."""
    client.force_login(cast.tom)
    address = reverse("courses:copy_assignment", args=[cast.course.public_id, cast.operators.public_id])
    overview = client.get(reverse("courses:overview", args=[cast.course.public_id])).content.decode()
    assert f'action="{address}"' in overview
    for _number in range(2):
        assert client.post(address).status_code == 302
    listed = list(Assignment.objects.filter(course=cast.course))
    assert [one.title for one in listed] == ["Operators", "Operators (copy)", "Operators (copy)", "Loops"]
    original, *copies = listed[:3]
    assert {one.key for one in copies} == {"operators-2", "operators-3"}
    for one in copies:
        assert describe(one) == describe(original)
        assert (one.published, one.points, one.due_at) == (False, original.points, original.due_at)
    assert len({one.content_id for one in listed}) == len({one.public_id for one in listed}) == 4


@pytest.mark.parametrize("who", ["nobody", "outsider", "student"])
def test_who_may_not_copy_an_assignment(client: Client, cast: Cast, who: str) -> None:
    """Only who edits the course, and only its own assignments."""
    address, prefix = reverse("courses:copy_assignment", args=[cast.course.public_id, cast.operators.public_id]), ""
    if who == "outsider":
        client.force_login(cast.oscar)
    elif who == "student":
        prefix = open_launch(client, cast.sam, cast.course, "student", cast.operators)
    assert client.post(prefix + address).status_code == 403
    client.force_login(cast.tom)
    foreign = reverse("courses:copy_assignment", args=[cast.course.public_id, cast.foreign_assignment.public_id])
    assert client.post(foreign).status_code == 403
    assert Assignment.objects.count() == 3
