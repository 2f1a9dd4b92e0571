from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from threading import Event

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from courseway.grades import dispatch, tokens
from courseway.grades.dispatch import Dispatcher, Limits, deliver_what_is_due
from courseway.grades.lineitems import allow_new_lineitem
from courseway.grades.models import AccessToken, Delivery, DeliveryTry, LineItemSearch
from courseway.grades.outbox import Grade, owe, owe_many, resend
from courseway.orgs.models import Person
from ltikit import vocabulary
from tests.cast import Cast
from tests.courseway.grades.fake_lms import FakeLms, Misbehaviour, outcome_answer, run_fake_lms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13

QUICK = Limits(at_once=8, lease_seconds=7.0, deadline_seconds=0.5, quiet_seconds=5.0)


class Clock:
    """Starts now and is put forward by the test."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return timezone.now() + self.ahead

    def put_forward(self, **amount: float) -> None:
        self.ahead += timedelta(**amount)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lms() -> Iterator[FakeLms]:
    tokens.forget_kept_tokens()
    with run_fake_lms() as running:
        yield running


@pytest.fixture
def deliver(clock: Clock) -> Callable[[], Delivery]:
    """Delivers what is due; returns the first delivery as it is then."""

    def run() -> Delivery:
        deliver_what_is_due(dispatcher=Dispatcher(QUICK, clock=clock))
        return Delivery.objects.order_by("pk").first()  # type: ignore[return-value]

    return run


def _owe(placed: PlacedLink, person: Person, score: str | None, clock: Clock, **fields: object) -> None:
    grade = Grade(
        None if score is None else Decimal(score),
        Decimal(10),
        is_completed=True,
        is_released=True,
        **fields,  # type: ignore[arg-type]
    )
    owe(person, placed.assignment, grade, now=clock())


def _fail_once(service: str, misbehaviour: Misbehaviour) -> Callable[[str, str], Misbehaviour | None]:
    left = [misbehaviour]
    return lambda asked, key: left.pop() if asked == service and left else None


@pytest.mark.quirk("C33", "G26")
def test_a_score_arrives_by_ags(cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]) -> None:
    """Real score and maximum, comment, progress and times are sent with one token, to the address before the query."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    started, submitted = clock() - timedelta(hours=1), clock() - timedelta(minutes=1)
    _owe(placed, cast.sam, "6.666667", clock, comment="Good", started_at=started, submitted_at=submitted)
    delivery = deliver()
    assert delivery.state == Delivery.State.SENT
    assert (delivery.sent_score, delivery.sent_version, delivery.next_try_at) == (Decimal("6.666667"), 1, None)
    (score,) = lms.scores
    assert (score["scoreGiven"], score["scoreMaximum"]) == (Decimal("6.6667"), 10)
    assert (score["activityProgress"], score["gradingProgress"]) == ("Completed", "FullyGraded")
    assert score["userId"] == f"user-{cast.sam.pk}"
    assert score["comment"] == "Good"
    assert set(score["submission"]) == {"startedAt", "submittedAt"}
    tried = DeliveryTry.objects.get()
    assert (tried.code, tried.platform_status, tried.version) == ("sent", 200, 1)


def test_an_outcome_arrives_by_lti_11(cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]) -> None:
    """A fraction of the full points arrives under the person's sourcedid; a grade taken back is deleted there."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam, sourcedid='{"data": "æ & <b>"}')
    _owe(placed, cast.sam, "8", clock)
    assert deliver().state == Delivery.State.SENT
    (key,) = lms.grades
    assert lms.grades[key] == "0.8"
    _owe(placed, cast.sam, None, clock)
    assert deliver().state == Delivery.State.SENT
    assert lms.grades[key] is None


@pytest.mark.quirk("C30")
def test_one_token_serves_a_whole_class(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """Forty grades at once ask for one token, and no platform is asked more than its number at once."""
    placed = place_v13(cast.operators, lms.url)
    for number in range(40):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        placed.let_in(person)
        _owe(placed, person, "8", clock)
    deliver()
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 40
    assert (lms.requests["token"], lms.requests["score"]) == (1, 40)
    assert lms.most_at_once <= QUICK.per_platform
    assert "token-1" not in AccessToken.objects.get().value_encrypted


@pytest.mark.quirk("G21", "C30")
def test_a_token_is_shared_with_other_processes_and_renewed_early(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """Another process finds the token in the database; a minute before its end a new one is asked for."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    deliver()
    tokens.forget_kept_tokens()
    _owe(placed, cast.sam, "8", clock)
    deliver()
    assert lms.requests["token"] == 1
    clock.put_forward(seconds=3545)
    _owe(placed, cast.sam, "9", clock)
    deliver()
    assert lms.requests["token"] == 2
    assert AccessToken.objects.count() == 1


@pytest.mark.quirk("G20")
def test_a_refused_token_is_dropped_and_asked_for_once(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """A 401 before the token's end gets one fresh token and one more go, within the same try; then it has failed."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    deliver()
    lms.valid_tokens.clear()
    _owe(placed, cast.sam, "8", clock)
    assert deliver().state == Delivery.State.SENT
    assert (lms.requests["token"], DeliveryTry.objects.count()) == (2, 2)
    lms.fault = lambda service, key: Misbehaviour(401, body=b"who are you?") if service == "score" else None
    _owe(placed, cast.sam, "9", clock)
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.FAILED, "service_unauthorized")
    assert "who are you?" in delivery.last_error
    assert delivery.next_try_at is not None


@pytest.mark.quirk("M3")
def test_scopes_are_those_that_the_launch_offered(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """No scope is asked for that the LMS did not offer: it would refuse the token."""
    placed = place_v13(cast.operators, lms.url, scopes=vocabulary.SCOPE_SCORE)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    assert deliver().state == Delivery.State.SENT
    assert AccessToken.objects.get().scopes == vocabulary.SCOPE_SCORE


def test_a_passing_failure_is_tried_again(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """After a 500 the grade waits, tells why, and arrives with the next try, under a later timestamp."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = _fail_once("score", Misbehaviour(500, body=b"<h1>oh no</h1>"))
    delivery = deliver()
    assert (delivery.state, delivery.tries) == (Delivery.State.WAITING, 1)
    assert delivery.last_error == "HTTP 500: oh no"
    assert delivery.next_try_at is not None
    assert delivery.next_try_at > clock() + timedelta(seconds=2)
    first_timestamp = delivery.last_timestamp_at
    assert first_timestamp is not None
    deliver()
    assert lms.requests["score"] == 1
    clock.put_forward(seconds=20)
    delivery = deliver()
    assert (delivery.state, delivery.tries, delivery.last_error) == (Delivery.State.SENT, 2, "")
    assert delivery.last_timestamp_at is not None
    assert delivery.last_timestamp_at > first_timestamp
    assert [one.code for one in DeliveryTry.objects.order_by("pk")] == ["service_unavailable", "sent"]


@pytest.mark.quirk("C30")
def test_retry_after_holds_up_newer_values_and_the_whole_platform(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """An LMS that asks to wait is left alone by this grade, by a newer one, and by all others of its platform."""
    placed = place_v13(cast.operators, lms.url)
    others = [Person.objects.create(organization=cast.acme, name=f"Person {number}") for number in range(20)]
    for person in (cast.sam, *others):
        placed.let_in(person)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = lambda service, key: Misbehaviour(429, (("Retry-After", "120"),)) if service == "score" else None
    dispatcher = Dispatcher(Limits(per_platform=3), clock=clock)
    deliver_what_is_due(dispatcher=dispatcher)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.WAITING, "service_rate_limited")
    assert delivery.next_try_at is not None
    assert delivery.next_try_at >= clock() + timedelta(seconds=118)
    _owe(placed, cast.sam, "9", clock)
    for person in others:
        _owe(placed, person, "7", clock)
    deliver_what_is_due(dispatcher=dispatcher)
    assert lms.requests["score"] <= 1 + 3 + 2  # what was under way when it became clear
    assert not lms.grades
    lms.fault = lambda service, key: None
    clock.put_forward(seconds=200)
    deliver()
    assert lms.grades[f"user-{cast.sam.pk}@1"] == (9, 10)
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 21


@pytest.mark.parametrize(
    ("status", "body", "code", "state"),
    [
        (403, b"scope missing", "service_forbidden", Delivery.State.FAILED),
        (403, b"Rate Limit Exceeded", "service_rate_limited", Delivery.State.WAITING),
        (400, b"Incorrect score", "person_not_gradable", Delivery.State.NEEDS_TEACHER),
        (422, b"User not found in course or is not a student", "person_not_gradable", Delivery.State.NEEDS_TEACHER),
        (422, b"This assignment is still unpublished", "not_published", Delivery.State.NEEDS_TEACHER),
        (422, b"scoreGiven is odd", "service_rejected", Delivery.State.NEEDS_TEACHER),
        (503, b"maintenance", "service_unavailable", Delivery.State.WAITING),
        (302, b"elsewhere", "service_unavailable", Delivery.State.WAITING),
    ],
)
def test_each_kind_of_failure_shows_its_state_and_the_words_of_the_lms(
    cast: Cast,
    lms: FakeLms,
    clock: Clock,
    deliver: Callable[[], Delivery],
    status: int,
    body: bytes,
    code: str,
    state: str,
) -> None:
    """What the LMS says is kept for the teacher, and decides who has to do something."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = lambda service, key: Misbehaviour(status, body=body) if service == "score" else None
    delivery = deliver()
    assert (delivery.last_error_code, delivery.state) == (code, state)
    assert body.decode() in delivery.last_error
    tried = DeliveryTry.objects.get()
    assert (tried.code, tried.platform_status) == (code, status)
    assert body.decode() in tried.words


@pytest.mark.quirk("B12")
@pytest.mark.parametrize(
    ("description", "code"),
    [
        ("Incorrect sourcedId: abc", "person_not_gradable"),
        ("Course not available for student", "person_not_gradable"),
        ("Invalid signature", "service_unauthorized"),
        ("LTI outcome request failed", "service_unavailable"),
    ],
)
def test_an_outcome_can_fail_with_200(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery], description: str, code: str
) -> None:
    """The answer's own word decides, not the HTTP status (B12)."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = lambda service, key: Misbehaviour(200, body=outcome_answer("failure", description))
    assert deliver().last_error_code == code


@pytest.mark.parametrize(("place", "service"), [(place_v11, "outcome"), (place_v13, "score")])
def test_a_web_page_in_place_of_the_lms_delivers_nothing(
    cast: Cast,
    lms: FakeLms,
    clock: Clock,
    deliver: Callable[[], Delivery],
    place: Callable[..., PlacedLink],
    service: str,
) -> None:
    """A sign-in page that answers 200 in front of the LMS took no grade: it is tried again, and arrives later."""
    placed = place(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = _fail_once(service, Misbehaviour(200, body=b"<!DOCTYPE html><title>Sign in</title>"))
    failed = deliver()
    assert (failed.state, failed.last_error_code) == (Delivery.State.WAITING, "service_unavailable")
    clock.put_forward(seconds=60)
    assert deliver().state == Delivery.State.SENT
    assert len(lms.grades) == 1


@pytest.mark.quirk("M2")
def test_timestamps_suit_an_lms_that_counts_whole_seconds(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """Moodle refuses a second score of the same second: each carries a time of another one, so none is refused (M2)."""
    lms.conflicts_within_a_second = True
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    clock.ahead = timedelta(microseconds=-timezone.now().microsecond)
    for number, ahead in enumerate([0, 0, -3600, -7200, 0, 0]):
        clock.ahead = timedelta(seconds=ahead)
        Delivery.objects.update(quiet_until=None)
        _owe(placed, cast.sam, str(number), clock)
        assert deliver().state == Delivery.State.SENT
    stamps = [datetime.fromisoformat(score["timestamp"]) for score in lms.scores]
    assert len(stamps) == 6
    assert all(later.replace(microsecond=0) > earlier.replace(microsecond=0) for earlier, later in pairwise(stamps))
    assert lms.grades[f"user-{cast.sam.pk}@1"] == (5, 10)


@pytest.mark.quirk("M2")
def test_a_score_that_is_refused_as_too_old_goes_again_with_a_later_time(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """An LMS whose clock is ahead answers 409: the grade goes again with a later time, and arrives."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    lms.fault = _fail_once("score", Misbehaviour(409, body=b"a later score is there"))
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.WAITING, "service_conflict")
    first_timestamp = delivery.last_timestamp_at
    assert first_timestamp is not None
    clock.put_forward(seconds=4)
    delivery = deliver()
    assert delivery.state == Delivery.State.SENT
    assert delivery.last_timestamp_at is not None
    assert delivery.last_timestamp_at >= first_timestamp + timedelta(seconds=1)


def test_a_late_outcome_cannot_overwrite_a_newer_one(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """After a time-out the LMS may still be working on the old value: the newer one waits until that is over."""
    placed = place_v11(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    lms.fault = _fail_once("outcome", Misbehaviour(silent_seconds=1.0))
    delivery = deliver()
    assert (delivery.last_error_code, delivery.state) == ("no_answer", Delivery.State.WAITING)
    _owe(placed, cast.sam, "8", clock)
    delivery = Delivery.objects.get()
    assert delivery.quiet_until is not None
    assert delivery.next_try_at == delivery.quiet_until > clock() + timedelta(seconds=3)
    deliver()
    assert lms.requests["outcome"] == 1
    clock.put_forward(seconds=6)
    time.sleep(0.7)  # the old request is worked on only now
    assert deliver().state == Delivery.State.SENT
    (history,) = lms.history.values()
    assert history == ["0.7", "0.8"]


def test_a_request_that_never_arrived_holds_up_nothing(
    cast: Cast, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """When no connection was made, no old value can come late, so a newer one need not wait."""
    placed = place_v11(cast.operators, "http://127.0.0.1:9")
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    delivery = deliver()
    assert (delivery.last_error_code, delivery.quiet_until) == ("no_answer", None)
    assert "127.0.0.1" in delivery.last_error


@pytest.mark.quirk("C18", "O7", "G41")
def test_a_line_item_is_found_by_its_link(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """Without one from the launch it is looked for, chosen by the link even from an unfiltered list, and kept."""
    lms.ignores_filters = True
    placed = place_v13(cast.operators, lms.url, lineitem="")
    lms.add_lineitem(5, resourceLinkId="another")
    url = lms.add_lineitem(6, resourceLinkId=placed.link.resource_link_id)
    for person in (cast.sam, cast.sue):
        placed.let_in(person)
        _owe(placed, person, "8", clock)
    deliver()
    placed.link.refresh_from_db()
    assert placed.link.lineitem_url == url
    assert (lms.requests["lineitems"], lms.requests["create"]) == (1, 0)
    assert set(lms.grades) == {f"user-{cast.sam.pk}@6", f"user-{cast.sue.pk}@6"}


def test_a_line_item_of_a_copied_course_is_found_by_our_id(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """A course copy keeps our resource id and tag: the column is taken, no second one is made."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    lms.add_lineitem(7, resourceId=cast.operators.content_id, tag="grade")
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    assert deliver().state == Delivery.State.SENT
    assert lms.requests["create"] == 0


@pytest.mark.quirk("D7", "M12")
def test_a_line_item_is_made_once(cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]) -> None:
    """Where there is none and the LMS allows it, one column is made for a class, with title, points and our id."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    for number in range(12):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        placed.let_in(person)
        _owe(placed, person, "8", clock)
    deliver()
    (item,) = lms.lineitems
    assert (item["label"], item["scoreMaximum"]) == ("Operators", 10)
    assert item["resourceLinkId"] == placed.link.resource_link_id
    assert item["resourceId"] == cast.operators.content_id
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 12


def test_another_process_that_looks_for_the_line_item_is_waited_for(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """While another worker looks for the column, this one makes none; it uses what the other one found."""
    placed = place_v13(cast.operators, lms.url, lineitem="")
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    LineItemSearch.objects.create(
        resource_link=placed.link, lease_token="another", leased_until=clock() + timedelta(seconds=60)
    )
    delivery = deliver()
    assert (delivery.state, delivery.tries, DeliveryTry.objects.count()) == (Delivery.State.WAITING, 0, 0)
    assert (lms.requests["lineitems"], lms.requests["create"]) == (0, 0)
    placed.link.lineitem_url = lms.add_lineitem(8)
    placed.link.save()
    clock.put_forward(seconds=5)
    assert deliver().state == Delivery.State.SENT
    assert lms.requests["create"] == 0


def test_without_a_column_and_without_leave_to_make_one_a_teacher_is_needed(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """The scope to make line items was not offered: the teacher reads what to do."""
    scopes = f"{vocabulary.SCOPE_SCORE} {vocabulary.SCOPE_LINEITEM_READONLY}"
    placed = place_v13(cast.operators, lms.url, lineitem="", scopes=scopes)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.NEEDS_TEACHER, "no_line_item")
    assert lms.requests["create"] == 0


@pytest.mark.quirk("M13")
def test_a_column_that_moved_is_found_again(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """A 404 makes us look once more: another column of the link is taken, within the same try."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    lms.gone.add(placed.link.lineitem_url)
    lms.add_lineitem(9, resourceLinkId=placed.link.resource_link_id)
    _owe(placed, cast.sam, "8", clock)
    assert deliver().state == Delivery.State.SENT
    assert set(lms.grades) == {f"user-{cast.sam.pk}@9"}
    assert DeliveryTry.objects.count() == 1


@pytest.mark.quirk("M13")
def test_a_deleted_column_is_made_anew_only_after_a_teachers_yes(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """A vanished column is not replaced by itself: it needs a teacher, whose yes makes exactly one new one."""
    placed = place_v13(cast.operators, lms.url)
    lms.gone.add(placed.link.lineitem_url)
    for person in (cast.sam, cast.sue):
        placed.let_in(person)
        _owe(placed, person, "8", clock)
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.NEEDS_TEACHER, "line_item_gone")
    clock.put_forward(hours=2)
    assert deliver().state == Delivery.State.NEEDS_TEACHER
    assert lms.requests["create"] == 0
    allow_new_lineitem(placed.link, now=clock())
    resend(Delivery.objects.all(), now=clock())
    deliver()
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 2
    assert lms.requests["create"] == 1
    assert not LineItemSearch.objects.exclude(gone_at=None).exists()


def test_a_newer_grade_during_the_request_is_sent_too(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """A value that changes while the older one is under way does not count as sent: it follows at once."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    dispatcher = Dispatcher(QUICK, clock=clock)
    dispatcher.turn(wait_seconds=0)  # claimed, and its first request is on the way
    _owe(placed, cast.sam, "8", clock)
    deliver_what_is_due(dispatcher=dispatcher)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.sent_version, delivery.sent_score) == (Delivery.State.SENT, 2, 8)
    assert [score["scoreGiven"] for score in lms.scores] == [7, 8]


def test_results_are_stored_only_under_the_lease(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """A worker that comes back after its lease ran out, and was given to another, changes nothing."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "7", clock)
    is_taken = Event()

    def answer_late(service: str, key: str) -> None:
        is_taken.wait(5)

    lms.fault = answer_late
    dispatcher = Dispatcher(QUICK, clock=clock)
    dispatcher.turn(wait_seconds=0)
    lease_end = clock() + timedelta(seconds=60)
    Delivery.objects.update(lease_token="another worker", next_try_at=lease_end)
    is_taken.set()
    while not dispatcher.is_idle:
        dispatcher.turn(wait_seconds=0.2, may_claim=False)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.sent_version) == (Delivery.State.WAITING, 0)
    assert (delivery.lease_token, delivery.next_try_at) == ("another worker", lease_end)


@pytest.mark.quirk("G27")
def test_one_bad_row_does_not_stop_the_others(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """A delivery whose secret cannot be read fails with its reason; its neighbours arrive (G27)."""
    placed = place_v11(cast.operators, lms.url)
    bad = placed.let_in(cast.sam)
    placed.let_in(cast.sue)
    bad.result_sourcedid_encrypted = "v1.broken"
    bad.save()
    for person in (cast.sam, cast.sue):
        _owe(placed, person, "8", clock)
    delivery = deliver()
    assert (delivery.person, delivery.state) == (cast.sam, Delivery.State.FAILED)
    assert delivery.last_error_code == "secret_unreadable"
    assert Delivery.objects.get(person=cast.sue).state == Delivery.State.SENT


def test_a_revoked_platform_gets_nothing(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """What was owed before the connection was revoked is not sent, and says why."""
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    placed.platform.revoked_at = clock()
    placed.platform.save()
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.FAILED, "platform_revoked")
    assert delivery.next_try_at is None
    assert not lms.requests


def test_a_token_endpoint_that_refuses_is_told_to_the_owner(
    cast: Cast, lms: FakeLms, clock: Clock, deliver: Callable[[], Delivery]
) -> None:
    """`invalid_client` fails the deliveries with the LMS's words; one request was made for all that waited."""
    body = json.dumps({"error": "invalid_client", "error_description": "unknown client"}).encode()
    lms.fault = lambda service, key: Misbehaviour(400, body=body) if service == "token" else None
    placed = place_v13(cast.operators, lms.url)
    placed.let_in(cast.sam)
    _owe(placed, cast.sam, "8", clock)
    delivery = deliver()
    assert (delivery.state, delivery.last_error_code) == (Delivery.State.FAILED, "service_unauthorized")
    assert "unknown client" in delivery.last_error


def test_a_slow_lms_does_not_hold_up_another(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """While one LMS answers nothing, the grades of another arrive: each platform has its own lane."""
    slow, quick = place_v11(cast.operators, lms.url), place_v13(cast.loops, lms.url)
    lms.fault = lambda service, key: Misbehaviour(silent_seconds=0.4) if service == "outcome" else None
    for number in range(60):
        person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
        slow.let_in(person)
        _owe(slow, person, "8", clock)
    quick.let_in(cast.sam)
    clock.put_forward(seconds=1)
    _owe(quick, cast.sam, "8", clock)
    dispatcher = Dispatcher(Limits(at_once=16, claimed=32, per_platform=4), clock=clock)
    delivery = Delivery.objects.get(person=cast.sam)
    turns = 0
    while delivery.state != Delivery.State.SENT:
        turns += 1
        assert turns < 200
        dispatcher.turn(wait_seconds=0.05)
        delivery.refresh_from_db()
    assert Delivery.objects.filter(platform=slow.platform, state=Delivery.State.SENT).count() < 60
    dispatcher.close()


@pytest.mark.parametrize("pause_seconds", [pytest.param(0.0, id="one by one"), pytest.param(0.01, id="in pairs")])
def test_busy_lmss_take_turns(cast: Cast, lms: FakeLms, clock: Clock, pause_seconds: float) -> None:
    """Where less may be under way than all LMSs would take, each gets its share: none waits until another is done."""
    places = [
        place_v13(assignment, lms.url, lineitem=f"/lineitems/{number}/lineitem")
        for number, assignment in enumerate((cast.operators, cast.loops) * 2, start=1)
    ]
    for placed in places:
        for number in range(12):
            person = Person.objects.create(organization=cast.acme, name=f"Person {number}")
            placed.let_in(person)
            _owe(placed, person, "8", clock)
    dispatcher = Dispatcher(Limits(at_once=2, claimed=100, per_platform=2), clock=clock)
    dispatcher.turn(wait_seconds=0)
    while not dispatcher.is_idle:
        time.sleep(pause_seconds)
        dispatcher.turn(wait_seconds=0 if pause_seconds else 0.5)
    lines = [score["line"] for score in lms.scores]
    assert len(lines) == 48
    first_done = min(47 - lines[::-1].index(line) for line in "1234")
    # A turn is one grade or two, as many as may begin just then.
    assert all(lines[:first_done].count(line) >= 4 for line in "1234"), "".join(lines)


def test_a_delivery_costs_a_fraction_of_a_statement(cast: Cast, lms: FakeLms, clock: Clock) -> None:
    """Claims and results are made in batches: two hundred grades take far fewer statements than grades."""
    placed = place_v13(cast.operators, lms.url)
    people = [Person(organization=cast.acme, name=f"Person {number}") for number in range(200)]
    for person in Person.objects.bulk_create(people):
        placed.let_in(person)
    grade = Grade(Decimal(8), Decimal(10), is_completed=True, is_released=True)
    owe_many(cast.operators, {person.pk: grade for person in people}, now=clock())
    with CaptureQueriesContext(connection) as captured:
        deliver_what_is_due(dispatcher=Dispatcher(clock=clock))
    statements = [query["sql"] for query in captured if "SAVEPOINT" not in query["sql"]]
    assert Delivery.objects.filter(state=Delivery.State.SENT).count() == 200
    assert len(statements) < 100, f"{len(statements)} statements for 200 grades"


@pytest.mark.postgresql
def test_an_idle_look_reads_the_index_among_many(cast: Cast) -> None:
    """Whether something is due is asked each second: never by reading all that was ever sent, whatever the plan."""
    placed = place_v13(cast.operators)
    placed.let_in(cast.sam)
    owe(
        cast.sam,
        cast.operators,
        Grade(Decimal(7), Decimal(10), is_completed=True, is_released=True),
        now=timezone.now(),
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO grades_delivery SELECT (jsonb_populate_record(one, jsonb_build_object("
            "'id', one.id + number, 'person_id', one.person_id + number, 'next_try_at', NULL))).*"
            " FROM grades_delivery one, generate_series(1000000, 1020000) number"
        )
        cursor.execute("ANALYZE grades_delivery")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE look (timestamptz) AS {dispatch._FIND_DUE.replace('%s', '$1')}")
        cursor.execute("EXPLAIN EXECUTE look (now())")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE look")
        cursor.execute("DELETE FROM grades_delivery WHERE id > 1000000")  # people that do not exist
    assert "using delivery_due" in plan, plan
