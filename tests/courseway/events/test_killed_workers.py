"""Workers that die in the middle of their webhooks and mails lose none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings as Settings
from django.core.mail import send_mail
from django.utils import timezone

from courseway.courses.models import Enrollment
from courseway.events.kinds import Kind
from courseway.events.models import Event, Mail, WebhookDelivery
from courseway.events.recording import Happening, record_all
from tests.cast import Cast, make_cast
from tests.courseway.events.receiver import Receiver, run_receiver
from tests.courseway.grades.nursery import Nursery, own_database
from tests.depth import either

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120), pytest.mark.slow]
EVENTS = either(150, deep=300)


@dataclass
class Stage:
    cast: Cast
    receiver: Receiver
    nursery: Nursery

    def numbers(self) -> list[int]:
        return [event["data"]["number"] for event in self.receiver.verified() if event["type"] == Kind.GRADED]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with run_receiver() as receiver, own_database() as url:
        cast = make_cast()
        nursery = Nursery(url)
        try:
            yield Stage(cast, receiver, nursery)
        finally:
            nursery.close()


def wait_for(is_true: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not is_true():
        time.sleep(0.05)
    return is_true()


def test_a_worker_delivers_webhooks_by_itself(stage: Stage) -> None:
    """What is recorded arrives within seconds, and people who came into a course are announced, each once."""
    stage.receiver.endpoint(stage.cast.acme, timezone.now())
    stage.nursery.start_worker()
    assert wait_for(lambda: not Enrollment.objects.filter(announced_at=None).exists(), 20)
    people = set(Enrollment.objects.filter(course=stage.cast.course).values_list("person__public_id", flat=True))
    assert wait_for(lambda: len(stage.receiver.verified()) >= len(people), 20)
    enrolled = [event for event in stage.receiver.verified() if event["type"] == "person.enrolled"]
    assert len(enrolled) == len(people)
    assert {event["data"]["person"]["id"] for event in enrolled} == people
    course = {"id": stage.cast.course.public_id, "title": "Python basics"}
    assert all(event["data"]["course"] == course for event in enrolled)
    assert stage.nursery.stop_all(15) == []


@pytest.mark.deep
def test_no_event_is_lost_when_workers_are_killed(stage: Stage) -> None:
    """Workers die in the middle of their requests; in the end every event arrived, almost all of them once."""
    stage.receiver.endpoint(stage.cast.acme, timezone.now())
    person = stage.cast.sam.pk
    happenings = [Happening(Kind.GRADED, {"number": number}, person) for number in range(EVENTS)]
    record_all(stage.cast.acme.pk, happenings, now=timezone.now())
    for _ in range(2):
        stage.nursery.start_worker()
    for _ in range(4):
        seen = len(stage.receiver.received)
        wait_for(lambda seen=seen: len(stage.receiver.received) >= seen + 20, 10)  # type: ignore[misc]
        stage.nursery.kill_oldest()
        stage.nursery.start_worker()
    assert wait_for(lambda: len(set(stage.numbers())) == EVENTS, 60)
    assert wait_for(lambda: not WebhookDelivery.objects.exclude(state=WebhookDelivery.State.SENT).exists(), 20)
    assert len(stage.numbers()) <= EVENTS + 4 * 20
    assert stage.nursery.stop_all(15) == []


def test_old_events_are_forgotten(stage: Stage) -> None:
    """The worker deletes what happened more than ninety days ago, with its deliveries, and nothing newer."""
    now = timezone.now()
    for days in (91, 89):
        record_all(stage.cast.acme.pk, [Happening(Kind.GRADED, {})], now=now - timedelta(days=days))
    stage.nursery.start_worker()
    assert wait_for(lambda: Event.objects.filter(kind=Kind.GRADED).count() == 1, 20)
    assert Event.objects.get(kind=Kind.GRADED).at > now - timedelta(days=90)


def test_a_worker_sends_mail_by_itself(stage: Stage, settings: Settings) -> None:
    """What a request wrote down is in the mail folder seconds later, although the process that wrote it is another."""
    folder = Path(settings.DATA_DIR) / "mail"
    settings.EMAIL_BACKEND = "courseway.events.mail.RowBackend"
    send_mail("Come in", "The door is open.", "courses@tool.example", ["sam@acme.example"])
    stage.nursery.start_worker()
    assert wait_for(lambda: not Mail.objects.exists(), 20)
    assert any("The door is open." in path.read_text() for path in folder.iterdir())
    assert stage.nursery.stop_all(15) == []
