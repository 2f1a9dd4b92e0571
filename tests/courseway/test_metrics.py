"""Figures for Prometheus: readable by those who may, exact, and without a word about anybody."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from courseway.grades.models import Delivery
from courseway.learning.scoring import set_grade
from courseway.lms.models import Launch
from courseway.orgs.models import Person
from courseway.wsgi import application
from tests.cast import Cast
from tests.visits import make_lms11, make_lms13

LINE = re.compile(r'(courseway_[a-z_]+)(\{(?:[a-z_]+="[a-z0-9_.]+",?)*\})? (-?[0-9.e+]+)')


def ask(path: str = "/metrics", **environ: str) -> tuple[str, str]:
    said: list[str] = []
    request: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "REMOTE_ADDR": "127.0.0.1", **environ}
    body = b"".join(application(request, lambda status, headers: said.append(status)))
    return said[0], body.decode()


def read() -> dict[str, float]:
    """The figures, each line checked against the format of Prometheus's text."""
    status, text = ask()
    assert status == "200 OK"
    figures, described = {}, set()
    for line in text.splitlines():
        if line.startswith("# "):
            described.add(line.split()[2])
            continue
        found = LINE.fullmatch(line)
        assert found, line
        assert found[1] in described
        figures[found[1] + (found[2] or "")] = float(found[3])
    return figures


def test_what_happens_is_counted(cast: Cast) -> None:
    """Launches by version and outcome, grades by state, and what waits to be sent, as it is in the database."""
    before = read()
    assert before['courseway_launches_recent{outcome="ok",version="1.1"}'] == 0
    lms, lms13 = make_lms11(cast.acme), make_lms13(cast.acme)
    assignment = f"/lti/a/{cast.operators.public_id}"
    assert lms.launch(Client(), assignment).status_code == 303
    assert lms.launch(Client(), assignment, signing={"secret": "wrong"}).status_code >= 400
    assert lms13.launch(Client(), cast.operators).status_code == 303
    assert Client().post("/lti/launch", secure=True, HTTP_HOST="tool.example").status_code >= 400
    sally = Person.objects.get(lms_identities__platform=lms.platform, lms_identities__lms_user_id="user-1")
    now = timezone.now()
    set_grade(assignment=cast.operators, person=sally, percent=Decimal(80), complete=True, release=True, now=now)
    Delivery.objects.update(next_try_at=now - timedelta(seconds=90))
    figures = read()
    assert figures['courseway_launches_recent{outcome="ok",version="1.1"}'] == 1
    assert figures['courseway_launches_recent{outcome="ok",version="1.3"}'] == 1
    assert figures['courseway_launches_recent{outcome="refused",version="1.1"}'] == 1
    assert figures['courseway_launches_recent{outcome="refused",version="unknown"}'] == 1
    assert figures['courseway_deliveries{state="waiting"}'] == 1
    assert figures['courseway_outbox_due{kind="grade"}'] == 1
    assert 90 <= figures['courseway_outbox_oldest_due_seconds{kind="grade"}'] < 150
    assert figures['courseway_events_recent{kind="submission.released"}'] == 1
    Launch.objects.update(at=now - timedelta(minutes=6))
    assert read()['courseway_launches_recent{outcome="ok",version="1.1"}'] == 0


def test_figures_name_nobody(cast: Cast) -> None:
    """No name, e-mail, organization, course, LMS or id stands in them."""
    lms = make_lms11(cast.acme)
    lms.launch(Client(), f"/lti/a/{cast.operators.public_id}")
    _status, text = ask()
    for secret in ("Sally", "@", "acme", "Acme", cast.course.title, cast.course.public_id, lms.key, "Moodle"):
        assert secret not in text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("token", "environ", "may"),
    [
        ("", {}, True),
        ("", {"REMOTE_ADDR": "::1"}, True),
        ("", {"REMOTE_ADDR": "192.0.2.7"}, False),
        ("", {"REMOTE_ADDR": ""}, False),
        ("", {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, False),
        ("", {"HTTP_FORWARDED": "for=192.0.2.7"}, False),
        ("", {"HTTP_AUTHORIZATION": "Bearer "}, True),
        ("s3cret", {}, False),
        ("s3cret", {"HTTP_AUTHORIZATION": "Bearer wrong"}, False),
        ("s3cret", {"HTTP_AUTHORIZATION": "Bearer s3cret", "REMOTE_ADDR": "192.0.2.7"}, True),
    ],
)
def test_who_reads_them(token: str, environ: dict[str, str], may: bool) -> None:
    """With a token set, whoever sends it; without one, the machine itself, and nobody through a proxy."""
    with override_settings(METRICS_TOKEN=token):
        status, text = ask(**environ)
    assert status == ("200 OK" if may else "401 Unauthorized")
    assert text.startswith("# HELP") is may


@pytest.mark.django_db
@override_settings(PUBLIC_PATH="/tool")
def test_metrics_below_the_public_path() -> None:
    """Where a proxy passes the full path they answer there too."""
    assert ask("/tool/metrics")[0] == "200 OK"
