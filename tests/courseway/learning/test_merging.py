"""Two people who are one: an owner joins them, and no grade, answer or right is lost (C7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase as HypothesisTestCase

from courseway.courses.models import Assignment, Course, Enrollment, Role
from courseway.grades import tokens
from courseway.grades.models import Delivery, DeliveryTry
from courseway.grades.report import drain
from courseway.learning.lateness import set_extension
from courseway.learning.merging import MergeError, merge_people
from courseway.learning.models import Attempt, Extension, Submission
from courseway.learning.scoring import (
    begin_next_attempt,
    release,
    reopen,
    save_answers,
    set_grade,
    start_work,
    submit_attempt,
)
from courseway.lms import platforms
from courseway.lms.mentors import set_mentor_list
from courseway.lms.models import Arrival, ContextMembership, Launch, LmsIdentity, MentorScope
from courseway.orgs.models import Organization, Person
from tests.cast import Cast, make_account, make_cast
from tests.courseway.grades.fake_lms import FakeLms, run_fake_lms
from tests.courseway.grades.links import place_v11, place_v13
from tests.depth import either
from tests.visits import Lms11, make_lms11, open_launch

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RIGHT = {"sum": "4", "quotient": "2.5", "maker": "guido"}
HALF = {"sum": "4", "quotient": "0", "maker": "nobody"}  # 40 %


def hand_in(assignment: Assignment, person: Person, answers: dict[str, str], at: datetime = NOW) -> Submission:
    submit_attempt(assignment=assignment, person=person, answers=answers, now=at)
    return Submission.objects.get(assignment=assignment, person=person)


def come(client: Client, lms: Lms11, cast: Cast, user: str, **changes: str) -> Person:
    changes = {"user_id": user, "lis_result_sourcedid": f"sourced-{user}", **changes}
    assert lms.launch(client, f"/lti/a/{cast.operators.public_id}", **changes).status_code == 303
    return LmsIdentity.objects.get(platform=lms.platform, lms_user_id=user).person


def test_the_better_grade_counts_and_the_other_stays_readable(cast: Cast) -> None:
    """Of two finished pieces of work the better one counts; all attempts of both are there, the counting one last."""
    cast.operators.attempts = 0
    cast.operators.save()
    hand_in(cast.operators, cast.sam, HALF)
    begin_next_attempt(assignment=cast.operators, person=cast.sam, now=LATER)
    hand_in(cast.operators, cast.sam, HALF | {"maker": "still nobody"}, LATER)
    hand_in(cast.operators, cast.sue, RIGHT)
    set_grade(assignment=cast.operators, person=cast.sam, percent=None, comment="Try again", now=LATER)
    merge_people(cast.sam, cast.sue, now=LATER)
    submission = Submission.objects.get(assignment=cast.operators)
    assert (submission.person, submission.final_percent()) == (cast.sam, 100)
    assert [attempt.answers["maker"] for attempt in submission.attempts.order_by("number")] == [
        "nobody",
        "still nobody",
        "guido",
    ]
    assert "Try again" in submission.comment
    assert not Person.objects.filter(pk=cast.sue.pk).exists()


def test_finished_work_counts_before_unfinished(cast: Cast) -> None:
    """A low grade is a grade; what was only begun becomes an earlier attempt, with its answers."""
    hand_in(cast.operators, cast.sam, {"sum": "3"})
    save_answers(assignment=cast.operators, person=cast.sue, answers=RIGHT, now=LATER)
    merge_people(cast.sue, cast.sam, now=LATER)
    submission = Submission.objects.get(assignment=cast.operators)
    assert (submission.person, submission.final_percent()) == (cast.sue, 0)
    assert submission.completed_at is not None
    first, last = submission.attempts.order_by("number")
    assert (first.answers, first.submitted_at, first.score) == (RIGHT, LATER, 10)
    assert last.answers == {"sum": "3"}


def test_of_two_begun_pieces_of_work_the_newer_goes_on(cast: Cast) -> None:
    """The one that was begun last stays open; one attempt at most is open afterwards."""
    save_answers(assignment=cast.operators, person=cast.sam, answers={"sum": "3"}, now=NOW)
    save_answers(assignment=cast.operators, person=cast.sue, answers={"sum": "4"}, now=LATER)
    merge_people(cast.sam, cast.sue, now=LATER)
    opened = Attempt.objects.get(submission__person=cast.sam, submitted_at=None)
    assert (opened.number, opened.answers) == (2, {"sum": "4"})
    hand_in(cast.operators, cast.sam, {"sum": "4"}, LATER)
    assert Submission.objects.get().final_percent() == 40


def test_an_untouched_attempt_leaves_nothing(cast: Cast) -> None:
    """A page that was only opened is no work."""
    start_work(assignment=cast.operators, person=cast.sam, now=LATER)
    hand_in(cast.operators, cast.sue, RIGHT)
    merge_people(cast.sam, cast.sue, now=LATER)
    assert [attempt.number for attempt in Attempt.objects.all()] == [1]


def test_a_released_grade_stays_released(cast: Cast) -> None:
    """What the student could see of one stays to be seen, with the grade that counts."""
    cast.course.release_grades_automatically = False
    cast.course.save()
    hand_in(cast.operators, cast.sam, HALF)
    release(cast.operators, [cast.sam], now=NOW)
    hand_in(cast.operators, cast.sue, RIGHT)
    merge_people(cast.sam, cast.sue, now=LATER)
    submission = Submission.objects.get()
    assert submission.is_grade_visible
    assert submission.final_percent() == 100


def test_roles_courses_lists_and_more_time_come_along(cast: Cast) -> None:
    """The stronger role, rights over a whole course, courses of either, mentor lists and the later due date stay."""
    other = Course.objects.create(organization=cast.acme, title="Other course")
    Enrollment.objects.create(course=other, person=cast.sue, role=Role.STUDENT)
    Enrollment.objects.filter(person=cast.sue, course=cast.course).update(role=Role.TEACHER, covers_whole_course=True)
    open_launch(Client(), cast.sam, cast.course, Role.STUDENT)
    open_launch(Client(), cast.sue, cast.course, Role.MENTOR)
    set_mentor_list(cast.course, cast.sam, ["a@x.example"], now=NOW)
    set_mentor_list(cast.course, cast.sue, ["b@x.example"], now=NOW)
    cast.operators.due_at = NOW
    cast.operators.save()
    set_extension(cast.operators, cast.sam, NOW + timedelta(days=1), now=NOW)
    set_extension(cast.operators, cast.sue, NOW + timedelta(days=2), now=NOW)
    Enrollment.objects.filter(person=cast.sue, course=cast.course).update(role=Role.TEACHER, covers_whole_course=True)
    merge_people(cast.sam, cast.sue, now=LATER)
    assert {(e.course.title, e.role, e.covers_whole_course) for e in cast.sam.enrollments.all()} == {
        ("Python basics", "teacher", True),
        ("Other course", "student", False),
    }
    assert ContextMembership.objects.get(person=cast.sam).role == "mentor"
    assert MentorScope.objects.get().learners == ["a@x.example", "b@x.example"]
    assert Extension.objects.get().due_at == NOW + timedelta(days=2)


def test_an_inactive_role_gives_nothing(cast: Cast) -> None:
    """Somebody whom the LMS removed as a teacher is not made one again by joining."""
    Enrollment.objects.filter(person=cast.sue).update(role=Role.TEACHER, covers_whole_course=True, active=False)
    merge_people(cast.sam, cast.sue, now=NOW)
    enrollment = Enrollment.objects.get(person=cast.sam)
    assert (enrollment.role, enrollment.active, enrollment.covers_whole_course) == ("student", True, False)


def test_account_name_and_log_come_along(client: Client, cast: Cast) -> None:
    """Whoever signed in as the other one signs in as the joined one; the launch log shows one person."""
    lms = make_lms11(cast.acme)
    anonymous = {"lis_person_name_full": "", "lis_person_contact_email_primary": ""}
    person = come(client, lms, cast, "u1", **anonymous)
    cast.sam.account = make_account("sam@acme.example", "Sam")
    cast.sam.save()
    merge_people(person, cast.sam, now=NOW)
    person.refresh_from_db()
    assert (person.account.email, person.name, person.email) == ("sam@acme.example", "Sam Student", "sam@acme.example")
    assert {launch.person for launch in Launch.objects.all()} == {person}
    signed_in = Client()
    signed_in.force_login(person.account)
    assert cast.course.title in signed_in.get("/learn/").content.decode()


def test_people_of_two_organizations_stay_apart(cast: Cast) -> None:
    """Organizations never mix, and nobody is joined with themselves."""
    foreign = Person.objects.create(organization=cast.umbrella, name="Fay")
    for other in (foreign, cast.sam):
        with pytest.raises(MergeError), transaction.atomic():
            merge_people(cast.sam, other, now=NOW)


def test_both_lms_users_launch_into_the_same_work(client: Client, cast: Cast) -> None:
    """After joining, a launch of either LMS user opens the one person's work, and both come the quick way again."""
    lms, other = make_lms11(cast.acme), make_lms11(cast.acme)
    first, second = come(client, lms, cast, "u1"), come(client, other, cast, "u1")
    hand_in(cast.operators, first, RIGHT)
    merge_people(second, first, now=LATER)
    for _ in range(2):
        assert come(client, lms, cast, "u1") == second
        assert come(client, other, cast, "u1") == second
    assert Submission.objects.get().person == second
    assert Arrival.objects.exclude(person=second).count() == 0


# Grades in the LMS


@pytest.fixture
def fake() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


def test_every_lms_is_told_the_grade_that_counts(cast: Cast, fake: FakeLms) -> None:
    """Sam came from one LMS with 40 %, Sue from another with 100 %: joined, both LMSs hold 100 %."""
    one, two = place_v11(cast.operators, fake.url), place_v13(cast.operators, fake.url)
    one.let_in(cast.sam)
    two.let_in(cast.sue)
    hand_in(cast.operators, cast.sam, HALF)
    hand_in(cast.operators, cast.sue, RIGHT)
    assert drain(until_empty=True, timeout=20)["failed"] == 0
    merge_people(cast.sue, cast.sam, now=datetime.now(UTC))
    assert drain(until_empty=True, timeout=20)["failed"] == 0
    assert fake.grades[f"sourced-{cast.sam.pk}-{one.link.pk}"] == "1.0"
    assert fake.grades[f"user-{cast.sue.pk}@1"] == (Decimal(10), Decimal(10))
    held = (Delivery.State.SENT, Delivery.State.UNCHANGED)
    assert Delivery.objects.filter(person=cast.sue, state__in=held).count() == 2


def test_two_accounts_of_one_lms_at_one_link(cast: Cast, fake: FakeLms) -> None:
    """Where both came through the same link, the LMS account that came last gets the grade that counts; every try of
    both stays in the history."""
    placed = place_v13(cast.operators, fake.url)
    placed.let_in(cast.sam)
    hand_in(cast.operators, cast.sam, RIGHT)
    drain(until_empty=True, timeout=20)
    newer = placed.let_in(cast.sue)
    Arrival.objects.filter(pk=newer.pk).update(arrived_at=datetime.now(UTC) + timedelta(seconds=1))
    hand_in(cast.operators, cast.sue, HALF)
    drain(until_empty=True, timeout=20)
    assert fake.grades[f"user-{cast.sue.pk}@1"] == (Decimal(4), Decimal(10))
    before = DeliveryTry.objects.count()
    merge_people(cast.sam, cast.sue, now=datetime.now(UTC))
    drain(until_empty=True, timeout=20)
    assert fake.grades[f"user-{cast.sue.pk}@1"] == (Decimal(10), Decimal(10))
    assert Delivery.objects.count() == 1
    assert DeliveryTry.objects.count() == before + 1


# Whatever happened before

_ACTIONS = st.sampled_from(["begin", "half", "right", "retry", "reopen", "grade", "release", "comment"])
_STORIES = st.lists(st.tuples(st.booleans(), st.booleans(), _ACTIONS), max_size=14)


def act(assignment: Assignment, person: Person, action: str, now: datetime) -> None:
    """One thing that happens to somebody's work; what cannot happen at that moment does not."""
    from courseway.learning.attempts import WorkError

    try:
        match action:
            case "begin":
                save_answers(assignment=assignment, person=person, answers={"sum": "3"}, now=now)
            case "half" | "right":
                hand_in(assignment, person, HALF if action == "half" else RIGHT, now)
            case "retry":
                begin_next_attempt(assignment=assignment, person=person, now=now)
            case "reopen":
                reopen(assignment, [person], now=now)
            case "grade":
                percent = Decimal(55 + now.minute % 40)
                set_grade(assignment=assignment, person=person, percent=percent, complete=True, now=now)
            case "release":
                release(assignment, [person], now=now)
            case "comment":
                words = f"Words at {now.minute}"
                set_grade(assignment=assignment, person=person, percent=None, comment=words, now=now)
    except WorkError:
        pass


@pytest.mark.slow
@pytest.mark.deep
class NothingIsLost(HypothesisTestCase):
    """Any two people, after anything that teachers and students do."""

    @settings(max_examples=either(10, deep=60))
    @given(story=_STORIES, automatic=st.booleans(), backward=st.booleans())
    def test_nothing_is_lost(self, story: list[tuple[bool, bool, str]], automatic: bool, backward: bool) -> None:
        """The best finished grade of each assignment counts, what was visible stays visible, every attempt with
        answers and every comment is still there, and each LMS is owed what counts."""
        platforms.forget_all()
        cast = make_cast()
        Course.objects.filter(pk=cast.course.pk).update(release_grades_automatically=automatic)
        for assignment in (cast.operators, cast.loops):
            assignment.attempts = 0
            assignment.save()
        both = [Assignment.objects.select_related("course").get(pk=a.pk) for a in (cast.operators, cast.loops)]
        people = [cast.sam, cast.sue]
        for person in people:
            for assignment in both:
                place_v11(assignment).let_in(person)
        for minute, (second, other_assignment, action) in enumerate(story):
            act(both[other_assignment], people[second], action, NOW + timedelta(minutes=minute))
        before: dict[int, list[Submission]] = {}
        for submission in Submission.objects.all():
            before.setdefault(submission.assignment_id, []).append(submission)
        answers = sorted(str(a.answers) for a in Attempt.objects.exclude(answers={}))
        kept, absorbed = reversed(people) if backward else people
        merge_people(kept, absorbed, now=NOW + timedelta(hours=1))
        assert Person.objects.filter(pk__in=[p.pk for p in people]).count() == 1
        assert sorted(str(a.answers) for a in Attempt.objects.exclude(answers={})) == answers
        for assignment_pk, works in before.items():
            after = Submission.objects.get(assignment=assignment_pk, person=kept)
            finished = [w.final_percent() for w in works if w.completed_at or w.reopened_at]
            grades = [percent for percent in finished if percent is not None]
            if grades:
                assert after.final_percent() == max(grades)
            assert after.is_grade_visible >= any(w.is_grade_visible for w in works)
            assert all(word in after.comment for w in works for word in filter(None, [w.comment]))
            numbers = list(after.attempts.order_by("number").values_list("number", flat=True))
            assert numbers == sorted(set(numbers))
            if after.completed_at and after.is_grade_visible:
                owed = {delivery.wanted_percent for delivery in Delivery.objects.filter(assignment=assignment_pk)}
                assert owed == {after.final_percent()}
                assert Delivery.objects.filter(assignment=assignment_pk).count() == 2


# Pages


def test_an_owner_finds_and_joins_two_people(client: Client, cast: Cast) -> None:
    """Search by name, address or LMS id; the question names both and what counts; then there is one."""
    lms = make_lms11(cast.acme)
    sally = come(client, lms, cast, "moodle-77", lis_person_contact_email_primary="Sam@acme.example")
    hand_in(cast.operators, cast.sam, HALF)
    hand_in(cast.operators, sally, RIGHT)
    owner = Client()
    owner.force_login(cast.olive)
    base = f"/o/{cast.acme.slug}/people/"
    for search in ("Sam", "sam@acme", "moodle-77"):
        page = owner.get(base, {"q": search}).content.decode()
        assert ("Sally Learner" in page) == (search != "Sam" or "Sam@" in page)
        assert "Sue Student" not in page
    page = owner.get(f"{base}{cast.sam.public_id}/").content.decode()
    assert "With the same e-mail" in page
    address = f"{base}{cast.sam.public_id}/merge/{sally.public_id}/"
    assert address in page
    question = owner.get(address).content.decode()
    for words in ("Sam Student", "Sally Learner", "moodle-77", "Operators", "100", "40"):
        assert words in question
    assert Person.objects.filter(pk=sally.pk).exists(), "asking changes nothing"
    done = owner.post(address, follow=True)
    assert done.status_code == 200
    assert "moodle-77" in done.content.decode()
    assert Submission.objects.get().final_percent() == 100
    assert not Person.objects.filter(pk=sally.pk).exists()
    assert owner.get(address).status_code == 403


@pytest.mark.parametrize("who", ["tom", "oscar"])
def test_only_owners_open_people(cast: Cast, who: str) -> None:
    """Teachers and other organizations' owners get 403, at the list, the person and the joining."""
    client = Client()
    client.force_login(getattr(cast, who))
    base = f"/o/{cast.acme.slug}/people/"
    for address in (base, f"{base}{cast.sam.public_id}/", f"{base}{cast.sam.public_id}/merge/{cast.sue.public_id}/"):
        assert client.get(address).status_code == 403
    assert client.post(f"{base}{cast.sam.public_id}/merge/{cast.sue.public_id}/").status_code == 403
    own = f"/o/{cast.umbrella.slug}/people/{cast.sam.public_id}/"
    assert client.get(own).status_code == 403
    assert Person.objects.filter(pk__in=[cast.sam.pk, cast.sue.pk]).count() == 2


def test_the_page_of_people_costs_the_same_for_many(cast: Cast, django_assert_max_num_queries: Any) -> None:
    """Fifty people on a page cost no more statements than three."""
    acme = Organization.objects.get(pk=cast.acme.pk)
    lms = make_lms11(acme)
    for number in range(60):
        person = Person.objects.create(organization=acme, name=f"Person {number:02}", email=f"p{number}@x.example")
        LmsIdentity.objects.create(platform=lms.platform, lms_user_id=str(number), person=person)
    client = Client()
    client.force_login(cast.olive)
    with django_assert_max_num_queries(10):
        page = client.get(f"/o/{acme.slug}/people/?q=Person").content.decode()
    assert page.count("Person ") >= 50
