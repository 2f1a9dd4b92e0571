"""Who somebody from an LMS is: by trusted addresses, by codes, and the way to the own work without the LMS (C1, C2,
C8)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from courseway.courses.models import Course, Enrollment, Role
from courseway.learning.models import Submission
from courseway.learning.scoring import submit_attempt
from courseway.lms.models import LmsIdentity, Platform
from courseway.lms.platform_trust_views import change_trust
from courseway.orgs.models import Account, Member, Person
from tests.cast import Cast, make_account
from tests.visits import Lms11, make_lms11

HOST: dict[str, Any] = {"secure": True, "HTTP_HOST": "tool.example"}


def come(lms: Lms11, cast: Cast, user: str, email: str | None, client: Client | None = None, **changes: Any) -> Person:
    response = lms.launch(
        client or Client(),
        f"/lti/a/{cast.operators.public_id}",
        user_id=user,
        lis_person_contact_email_primary=email,
        **changes,
    )
    assert response.status_code == 303, response.content.decode()
    return LmsIdentity.objects.get(platform=lms.platform, lms_user_id=user).person


def trust(*lmss: Lms11) -> None:
    for lms in lmss:
        change_trust(lms.platform, trusts_emails=True, accepts_actual_user=False)


def test_equal_addresses_are_two_people_by_default(cast: Cast) -> None:
    """What an LMS says about an address joins nobody."""
    one, two = make_lms11(cast.acme), make_lms11(cast.acme)
    assert come(one, cast, "u1", "sally@x.example") != come(two, cast, "u9", "sally@x.example")


def test_trusted_addresses_join_without_case(cast: Cast) -> None:
    """Between two LMSs whose addresses an owner trusts, the first contact is the person who is there already."""
    one, two = make_lms11(cast.acme), make_lms11(cast.acme)
    trust(one, two)
    first = come(one, cast, "u1", "Sally@X.example")
    assert come(two, cast, "u9", "sALLY@x.EXAMPLE") == first
    assert come(two, cast, "u10", "other@x.example") != first
    assert come(two, cast, "u11", None) != first


def test_an_address_that_an_untrusted_lms_claimed_joins_nobody(cast: Cast) -> None:
    """Whoever invents an address in an LMS without trust does not share the work of the one who comes later."""
    untrusted, trusted = make_lms11(cast.acme), make_lms11(cast.acme)
    trust(trusted)
    impostor = come(untrusted, cast, "u1", "sally@x.example")
    assert come(trusted, cast, "u9", "sally@x.example") != impostor


def test_trust_joins_no_account_and_nobody_elsewhere(cast: Cast) -> None:
    """Accounts are joined by a code alone, test users and other organizations' people never."""
    lms, foreign = make_lms11(cast.acme), make_lms11(cast.umbrella)
    trust(lms, foreign)
    assert come(lms, cast, "u1", cast.tom.email) != cast.tom_person
    Person.objects.create(organization=cast.umbrella, name="Fay", email="fay@x.example")
    person = come(lms, cast, "u2", "fay@x.example")
    assert person.organization == cast.acme


def test_two_people_with_the_address_stay_as_they_are(cast: Cast) -> None:
    """Where it is not clear who is meant, a new person is made."""
    one, two, three = (make_lms11(cast.acme) for _ in range(3))
    people = [come(one, cast, "u1", "sally@x.example"), come(two, cast, "u1", "sally@x.example")]
    trust(one, two, three)
    assert come(three, cast, "u1", "sally@x.example") not in people


def test_an_owner_switches_trust_for_one_platform(cast: Cast) -> None:
    """On the page LTI integrations, off by default, and the launch path notices at once."""
    lms = make_lms11(cast.acme)
    come(lms, cast, "u1", "x@x.example")
    owner = Client()
    owner.force_login(cast.olive)
    assert "Trust this platform" in owner.get(f"/o/{cast.acme.slug}/lti").content.decode()
    address = f"/o/{cast.acme.slug}/lti/platforms/{lms.platform.public_id}/trust"
    assert owner.post(address, {"trusts_emails": "on"}).status_code == 302
    after = Platform.objects.get(pk=lms.platform.pk)
    assert (after.trusts_emails, after.accepts_actual_user) == (True, False)
    assert after.config_version > lms.platform.config_version
    come(lms, cast, "u1", "x@x.example")
    teacher = Client()
    teacher.force_login(cast.tom)
    assert teacher.post(address, {"accepts_actual_user": "on"}).status_code == 403


# Without the LMS


def enter(lms: Lms11, cast: Cast, user: str, email: str | None) -> tuple[Client, str, Person]:
    """A launch, its session's prefix, and its person."""
    client = Client()
    response = lms.launch(
        client, f"/lti/a/{cast.operators.public_id}", user_id=user, lis_person_contact_email_primary=email
    )
    assert response.status_code == 303
    person = LmsIdentity.objects.get(platform=lms.platform, lms_user_id=user).person
    return client, response["Location"].partition("/learn/")[0] + "/learn/account/", person


def prove(client: Client, address: str) -> Any:
    assert client.post(address, **HOST).status_code == 200
    found = re.search(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", mail.outbox[-1].body)
    assert found
    return client.post(address, {"code": found.group(1)}, **HOST)


def test_a_student_signs_in_without_the_lms(cast: Cast) -> None:
    """A code to the address that the LMS sent makes the account; signed in by its link, and again by a code after
    signing out, the student sees the same rows, the own dashboard and nothing else."""
    lms = make_lms11(cast.acme)
    client, address, person = enter(lms, cast, "u1", "Sally@x.example")
    submit_attempt(assignment=cast.operators, person=person, answers={"maker": "guido"}, now=person.created_at)
    assert "Send me a code" in client.get(address, **HOST).content.decode()
    page = prove(client, address).content.decode()
    account = Account.objects.get(email="sally@x.example")
    assert Person.objects.get(pk=person.pk).account == account
    assert not Member.objects.filter(account=account).exists()
    found = re.search(r"/account/link/[\w-]+", page)
    assert found
    browser = Client()
    assert browser.post(found.group(0), **HOST).status_code == 302
    rows = browser.get("/learn/", **HOST).content.decode().partition("<main")[2]
    assert "Operators" in rows
    assert "30" in rows
    browser.post("/account/logout/", **HOST)
    assert browser.get("/learn/", **HOST).status_code == 302
    browser.post("/account/login/code/", {"email": "sally@x.example"}, **HOST)
    code = re.search(r"^\s*([A-Z0-9-]{6,12})\s*$", mail.outbox[-1].body, re.MULTILINE)
    assert code, mail.outbox[-1].body
    browser.post("/account/login/code/confirm/", {"code": code.group(1)}, **HOST)
    again = browser.get("/learn/", **HOST).content.decode().partition("<main")[2]
    assert "Operators" in again
    assert browser.get("/", **HOST)["Location"] == "/learn/"
    for forbidden in (f"/o/{cast.acme.slug}/people/", f"/courses/{cast.course.public_id}/gradebook/"):
        assert browser.get(forbidden, **HOST).status_code == 403


def test_a_wrong_code_joins_nothing(cast: Cast) -> None:
    """Without the code no account is made and nobody is joined, whatever address the LMS claims."""
    lms = make_lms11(cast.acme)
    client, address, person = enter(lms, cast, "u1", cast.tom.email)
    client.post(address, **HOST)
    assert mail.outbox[-1].to == [cast.tom.email]
    response = client.post(address, {"code": "bbbb-bbbb"}, **HOST)
    assert response.status_code == 400
    assert "not the code" in response.content.decode()
    assert Person.objects.get(pk=person.pk).account is None


def test_anonymous_people_come_by_launch_only(cast: Cast) -> None:
    """Without an address there is nothing to prove, and the page says so."""
    client, address, _person = enter(make_lms11(cast.acme), cast, "u1", None)
    assert "from the LMS only" in client.get(address, **HOST).content.decode()
    assert client.post(address, **HOST).status_code == 403
    assert mail.outbox == []


def test_a_known_account_is_joined_by_its_code(cast: Cast) -> None:
    """The account of another organization's owner joins by the code, and becomes no member by it (C2)."""
    client, address, person = enter(make_lms11(cast.acme), cast, "u1", cast.oscar.email)
    prove(client, address)
    assert Person.objects.get(pk=person.pk).account == cast.oscar
    assert not Member.objects.filter(account=cast.oscar, organization=cast.acme).exists()


def test_two_lmss_of_one_human_become_one_person_by_codes(cast: Cast) -> None:
    """Proving the same address from a second LMS joins the two people: the grade of the first is there too."""
    one, two = make_lms11(cast.acme), make_lms11(cast.acme)
    client, address, first = enter(one, cast, "u1", "sally@x.example")
    submit_attempt(assignment=cast.operators, person=first, answers={"maker": "guido"}, now=first.created_at)
    prove(client, address)
    client, address, second = enter(two, cast, "u9", "sally@x.example")
    from courseway.orgs.models import EmailCode

    EmailCode.objects.all().delete()  # half a minute later
    prove(client, address)
    assert Submission.objects.get().person == second
    assert set(LmsIdentity.objects.values_list("person", flat=True)) == {second.pk}
    assert client.get(address, **HOST).status_code == 200, "the session of the launch goes on"


def test_another_role_in_the_same_course_is_not_joined_by_a_code(cast: Cast) -> None:
    """A student's launch with the teacher's address does not become the teacher, nor the teacher a student."""
    client, address, person = enter(make_lms11(cast.acme), cast, "u1", cast.tom.email)
    response = prove(client, address)
    assert response.status_code == 400
    assert Person.objects.get(pk=person.pk).account is None
    assert Enrollment.objects.get(person=cast.tom_person).role == Role.TEACHER


def test_new_courses_begin_as_the_organization_says(cast: Cast) -> None:
    """Automatic release is an owner's choice for new courses; those that are there stay (H2)."""
    from courseway.courses.importing import import_course
    from courseway.courses.text_format import parse_course

    owner = Client()
    owner.force_login(cast.olive)
    form = {"name": cast.acme.name, "releases_grades_automatically": "on"}
    assert owner.post(f"/o/{cast.acme.slug}/settings", form).status_code == 302
    cast.acme.refresh_from_db()
    before = Course.objects.create(organization=cast.acme, title="Old")
    new = import_course(parse_course("title: New"), organization=cast.acme, teacher=None, now=cast.course.created_at)
    assert new.release_grades_automatically
    assert not before.release_grades_automatically


@pytest.mark.parametrize("who", ["owner", "nobody"])
def test_the_page_belongs_to_launches(cast: Cast, who: str) -> None:
    """Outside a launch there is no LMS whose address could be proven."""
    client = Client()
    if who == "owner":
        client.force_login(make_account("x@x.example", "X"))
    assert client.get("/learn/account/").status_code == 403
