"""Whose courses stand in the picker, and how somebody without any proves who they are (C1, D6)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from courseway.courses.models import Assignment, Course, Enrollment, Module
from courseway.lms.models import ContextMembership, LmsIdentity
from courseway.orgs.models import EmailCode, Member, Person
from tests.cast import Cast, make_account, make_assignment
from tests.courseway.lms.selections import (
    AS_TEACHER,
    HOST,
    ask_by_deep_linking,
    know_teacher,
    open_picker,
    press,
    read_deep_links,
)
from tests.visits import CLAIM, MEMBERSHIP, Lms13, make_lms11, make_lms13

INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


def make_course(cast: Cast, title: str, **fields: Any) -> Course:
    course = Course.objects.create(organization=cast.acme, title=title, **{"lti_enabled": True, **fields})
    make_assignment(Module.objects.create(course=course, title="Module"), f"Work of {title}", "work")
    return course


def teach(course: Course, person: Person, **fields: Any) -> None:
    values = {"role": "teacher", "covers_whole_course": True, **fields}
    Enrollment.objects.create(course=course, person=person, **values)


def ask(client: Client, lms: Lms13, **changes: Any) -> tuple[str, str]:
    return open_picker(client, ask_by_deep_linking(client, lms, **changes))


def prove(client: Client, path: str, email: str) -> Any:
    """Asks for a code, reads it in the mail that came, and types it."""
    mail.outbox.clear()
    response = client.post(path + "code", {"email": email}, **HOST)
    assert response.status_code == 302, response.content.decode()
    code = re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", mail.outbox[0].body)
    assert code is not None
    return client.post(path + "prove", {"code": code[0]}, **HOST)


def test_only_courses_taught_as_a_whole(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Shown are published courses with LTI enabled that the person teaches as a whole; no others, and not by search."""
    know_teacher(cast, lms13)
    for title, fields in {
        "Off": {"lti_enabled": False},
        "Archived": {"archived_at": timezone.now()},
        "Unpublished": {"published": False},
    }.items():
        teach(make_course(cast, title, **fields), cast.tom_person)
    teach(make_course(cast, "One context"), cast.tom_person, covers_whole_course=False)
    teach(make_course(cast, "As student"), cast.tom_person, role="student", covers_whole_course=False)
    teach(make_course(cast, "Ended"), cast.tom_person, active=False)
    make_course(cast, "Not mine")
    teach(make_course(cast, "Second own"), cast.tom_person)
    path, page = ask(client, lms13)
    found = client.get(f"{path}?q=work", **HOST).content.decode()
    for title in ("Off", "Archived", "Unpublished", "One context", "As student", "Ended", "Not mine"):
        assert title not in page
        assert f"Work of {title}" not in found
        work = Assignment.objects.get(title=f"Work of {title}")
        assert press(client, path, "add", shown=[work.public_id], mark=[work.public_id]).status_code == 403
    assert "Second own" in page
    assert "Python basics" in page
    assert "Work of Second own" in found


def test_deleted_and_unpublished_assignments_are_not_there(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Only published assignments can be chosen (D3)."""
    know_teacher(cast, lms13)
    Assignment.objects.filter(pk=cast.loops.pk).update(published=False)
    Assignment.objects.filter(pk=cast.operators.pk).update(deleted_at=timezone.now())
    path, page = ask(client, lms13)
    assert "No published assignments here" in page
    ids = [cast.loops.public_id, cast.operators.public_id]
    assert press(client, path, "add", shown=ids, mark=ids).status_code == 403


def test_the_joined_account_counts(client: Client, cast: Cast, lms13: Lms13) -> None:
    """An owner whose account is joined to the LMS person may choose from all courses of the organization."""
    person = Person.objects.create(organization=cast.acme, account=cast.olive, name="Olive Owner")
    LmsIdentity.objects.create(platform=lms13.platform, lms_user_id="teacher-1", person=person)
    make_course(cast, "Taught by nobody")
    page = ask(client, lms13)[1]
    assert "Taught by nobody" in page
    assert "Secrets of Umbrella" not in page


def test_an_equal_email_shows_nothing(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The LMS says Tom's e-mail: that alone shows none of his courses, and names the e-mail that was sent."""
    page = ask(client, lms13, email=cast.tom.email)[1]
    assert "tom@acme.example" in page
    assert cast.course.title not in page
    assert "Send me a code" in page


def test_a_code_shows_the_courses_and_joins(client: Client, cast: Cast, lms13: Lms13) -> None:
    """With the code the same selection goes on, and the next one knows the teacher without asking."""
    path, _page = ask(client, lms13)
    response = prove(client, path, "tom@acme.example")
    assert response.status_code == 302
    assert cast.operators.title in client.get(path, **HOST).content.decode()
    ids = [cast.loops.public_id]
    claims = read_deep_links(client, lms13, press(client, path, "add", shown=ids, mark=ids))
    assert len(claims["https://purl.imsglobal.org/spec/lti-dl/claim/content_items"]) == 1
    identity = LmsIdentity.objects.get(platform=lms13.platform, lms_user_id="teacher-1")
    assert identity.person == cast.tom_person
    assert cast.operators.title in ask(client, lms13)[1]


def test_a_person_from_before_takes_the_account(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A teacher whom the LMS brought earlier, and whose account has no person here, is one person afterwards."""
    person = Person.objects.create(organization=cast.acme, name="Olive of the LMS")
    LmsIdentity.objects.create(platform=lms13.platform, lms_user_id="teacher-1", person=person)
    path, _page = ask(client, lms13)
    prove(client, path, "Olive@Acme.example")
    person.refresh_from_db()
    assert person.account == cast.olive


def test_a_teacher_with_two_persons_becomes_one(client: Client, cast: Cast) -> None:
    """Whoever taught by launches before and the account's person become one, with the roles of both."""
    lms = make_lms11(cast.acme)
    other = make_course(cast, "By launch")
    work = Assignment.objects.get(course=other)
    lms.launch(client, f"/lti/a/{work.public_id}", **AS_TEACHER)
    lms.launch(client, f"/lti/a/{cast.loops.public_id}", **AS_TEACHER, resource_link_id="l2")
    path, _page = open_picker(client, lms.launch(client, "/lti/link", **AS_TEACHER, resource_link_id="l3"))
    prove(client, path, "tom@acme.example")
    identity = LmsIdentity.objects.get(platform=lms.platform, lms_user_id="teacher-1")
    tom = Person.objects.get(organization=cast.acme, account=cast.tom)
    assert identity.person == tom
    assert Enrollment.objects.get(course=other, person=tom).role == "teacher"
    assert Enrollment.objects.get(course=cast.course, person=tom).covers_whole_course
    assert ContextMembership.objects.filter(person=tom, role="teacher").count() == 1
    assert lms.launch(client, f"/lti/a/{work.public_id}", **AS_TEACHER).status_code == 303
    assert LmsIdentity.objects.get(pk=identity.pk).person == tom


def test_a_student_does_not_become_the_teacher(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A student of a course is not made the account's teacher of it: an owner decides; the selection goes on."""
    LmsIdentity.objects.create(platform=lms13.platform, lms_user_id="teacher-1", person=cast.sam)
    path, _page = ask(client, lms13)
    prove(client, path, "tom@acme.example")
    assert LmsIdentity.objects.get(platform=lms13.platform).person == cast.sam
    assert cast.operators.title in client.get(path, **HOST).content.decode()


def test_a_proven_address_without_an_account(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The code was right and nobody here has the address: the page says whom to ask, and joins nothing."""
    path, _page = ask(client, lms13)
    response = prove(client, path, "stranger@acme.example")
    assert response.status_code == 400
    assert "No account here has the address stranger@acme.example" in response.content.decode()
    assert not LmsIdentity.objects.filter(platform=lms13.platform).exists()


def test_a_locked_account_proves_nothing(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Codes do not open an account that was switched off."""
    cast.tom.is_active = False
    cast.tom.save()
    path, _page = ask(client, lms13)
    assert prove(client, path, "tom@acme.example").status_code == 400


def test_asking_for_a_code_tells_nothing(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The page after asking is the same for an address with an account and one without."""
    pages = []
    for email in ("tom@acme.example", "who@acme.example"):
        path, _page = ask(client, lms13, email=None)
        client.post(path + "code", {"email": email}, **HOST)
        page = client.get(path, **HOST).content.decode().replace(path.split("/")[2], "")
        pages.append(re.sub(r'value="[^"]{40,}"|data-reference="\w+"', "", page.replace(email, "X").replace(path, "")))
    assert pages[0] == pages[1]


def test_a_code_from_a_tab_where_one_signed_in(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Signed in in another tab, the teacher is told who asks, gets a code on a press, and types it in the LMS."""
    path, page = ask(client, lms13, name="Tom of the LMS", email=None)
    found = re.search(r'href="(https://tool\.example/choose/sign-in/[^"]+)"', page)
    assert found is not None
    address = found[1].removeprefix("https://tool.example")
    tab = Client()
    assert "/account/login/" in tab.get(address, **HOST)["Location"]
    tab.force_login(cast.tom)
    asked = tab.get(address, **HOST).content.decode()
    assert "Tom of the LMS" in asked
    assert not EmailCode.objects.exists()
    code = re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", tab.post(address, **HOST).content.decode())
    assert code is not None
    assert client.post(path + "prove", {"code": code[0].lower()}, **HOST).status_code == 302
    assert cast.operators.title in client.get(path, **HOST).content.decode()
    assert not mail.outbox
    assert LmsIdentity.objects.get(platform=lms13.platform).person == cast.tom_person


def test_the_tab_is_outside_of_the_selection(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Inside the frame's session the sign-in tab does not open, and a selection that is over gets no code."""
    path, _page = ask(client, lms13)
    reference = path.split("/")[2]
    assert client.get(f"{path}sign-in/{reference}", **HOST).status_code == 403
    tab = Client()
    tab.force_login(cast.tom)
    assert tab.get("/choose/sign-in/" + "x" * 20, **HOST).status_code == 403
    client.post(path + "cancel", **HOST)
    assert tab.post(f"/choose/sign-in/{reference}", **HOST).status_code == 410
    assert not EmailCode.objects.exists()


def test_a_code_of_another_selection(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A code opens the selection that it was asked for, and no other."""
    first, _page = ask(client, lms13)
    second, _page = ask(client, lms13)
    client.post(first + "code", {"email": "tom@acme.example"}, **HOST)
    code = re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", mail.outbox[-1].body)
    assert code is not None
    response = client.post(second + "prove", {"code": code[0]}, **HOST)
    assert response.status_code == 400
    assert cast.course.title not in client.get(second, **HOST).content.decode()


def test_wrong_and_old_codes(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A wrong code says how many tries are left; after five, or a quarter of an hour, the right one is too late."""
    path, _page = ask(client, lms13)
    client.post(path + "code", {"email": "tom@acme.example"}, **HOST)
    wrong = client.post(path + "prove", {"code": "bbbb-bbbb"}, **HOST)
    assert (wrong.status_code, "4 more tries" in wrong.content.decode()) == (400, True)
    EmailCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    code = re.search(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", mail.outbox[-1].body)
    assert code is not None
    assert client.post(path + "prove", {"code": code[0]}, **HOST).status_code == 400
    assert cast.course.title not in client.get(path, **HOST).content.decode()


@pytest.mark.parametrize("email", ["", "no address", "a@b@c"])
def test_what_is_no_address(client: Client, lms13: Lms13, cast: Cast, email: str) -> None:
    """A text that is no address is refused with what was typed still there."""
    path, _page = ask(client, lms13)
    response = client.post(path + "code", {"email": email}, **HOST)
    assert response.status_code == 400
    assert not mail.outbox


def test_an_account_of_another_organization(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A proven account shows the courses it teaches in this platform's organization, and none of its own."""
    path, _page = ask(client, lms13)
    prove(client, path, "oscar@umbrella.example")
    page = client.get(path, **HOST).content.decode()
    assert "you teach no published course of Acme University" in page
    assert "Secrets of Umbrella" not in page


def test_a_member_without_courses(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Being a teacher of the organization alone shows no course: the page says what would."""
    account = make_account("tina@acme.example", "Tina Teacher")
    Member.objects.create(organization=cast.acme, account=account, role=Member.Role.TEACHER)
    path, _page = ask(client, lms13)
    prove(client, path, "tina@acme.example")
    assert "you teach no published course" in client.get(path, **HOST).content.decode()


@pytest.mark.parametrize(
    ("roles", "opens"),
    [
        ([MEMBERSHIP + "Instructor"], True),
        ([MEMBERSHIP + "ContentDeveloper"], True),
        ([INSTITUTION + "Administrator"], True),  # an administrator of the LMS has no role in the course
        ([], True),  # roles are optional in a deep linking request
        (None, True),
        ([MEMBERSHIP + "Learner"], False),
        ([MEMBERSHIP + "Learner", INSTITUTION + "Instructor"], False),
        ([MEMBERSHIP + "Mentor"], False),
        ([MEMBERSHIP + "Learner#NonCreditLearner", INSTITUTION + "Observer"], False),
    ],
)
def test_who_gets_a_picker(client: Client, cast: Cast, lms13: Lms13, roles: list[str] | None, opens: bool) -> None:
    """Students and mentors of the LMS course get a notice; what others can choose depends on their rights here."""
    response = ask_by_deep_linking(client, lms13, **{CLAIM + "roles": roles})
    assert (response.status_code == 303) is opens
    if not opens:
        assert 'data-launch="waiting"' in response.content.decode()
