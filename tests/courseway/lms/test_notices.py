"""Notices of an LMS: subscribed to in the background, believed when signed, acted on once; nothing depends on them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from joserfc.jwk import RSAKey

from courseway.courses.models import Course
from courseway.lms import platforms
from courseway.lms.clearing import clear_notices
from courseway.lms.models import CourseContext, CourseIdentity, Deployment, NoticeSubscription, Registration
from courseway.lms.models import Notice as NoticeRow
from courseway.lms.notice_subscriptions import COOL_DOWN, subscribe_due
from courseway.lms.notices import KEPT, act_on_due
from ltikit import vocabulary
from ltikit.v13.notices import CONTEXT_COPY, HELLO_WORLD
from tests.cast import Cast, make_cast
from tests.courseway.http_servers import Handler, Server, serve_http
from tests.visits import CLAIM, MEMBERSHIP, Lms13, make_key, make_lms13

TOOL = "https://tool.example"


@pytest.fixture
def lms(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


@pytest.fixture
def master(cast: Cast, lms: Lms13) -> Course:
    """A course that may be copied and that the LMS course `course-1` has opened."""
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True)
    response = lms.launch(Client(), cast.operators, sub="teacher-1", **{CLAIM + "roles": [MEMBERSHIP + "Instructor"]})
    assert response.status_code == 303
    cast.course.refresh_from_db()
    return cast.course


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def make_notice(lms: Lms13, number: str = "n-1", *, key: RSAKey | None = None, **changes: Any) -> str:
    now = int(time.time())
    members = {
        "iss": lms.issuer,
        "aud": lms.client_id,
        "iat": now,
        "exp": now + 3600,
        "nonce": number,
        CLAIM + "version": "1.3.0",
        CLAIM + "deployment_id": "1",
        CLAIM + "notice": {"id": number, "timestamp": "2026-01-01T00:00:00Z", "type": CONTEXT_COPY},
        CLAIM + "context": {"id": "course-2", "title": "Programming, autumn"},
        CLAIM + "origin_contexts": ["course-1"],
        **changes,
    }
    return lms.token({name: value for name, value in members.items() if value is not None}, key=key)


def send(*tokens: str) -> Any:
    body = json.dumps({"notices": [{"jwt": token} for token in tokens]})
    return Client().post("/lti/notices", body, content_type="application/json", secure=True)


def launch_copy(lms: Lms13, master: Course, **changes: Any) -> Any:
    """A student's first launch from the copied LMS course, by the link that was copied with it."""
    content = master.assignments.get(key="operators").content_id
    claims = {
        CLAIM + "context": {"id": "course-2", "title": "Programming, autumn"},
        CLAIM + "resource_link": {"id": "link-2", "title": "Operators"},
        CLAIM + "target_link_uri": f"{TOOL}/lti/c/{content}",
        CLAIM + "custom": {"context_id_history": "course-1"},
    }
    return lms.launch(Client(), None, **{**claims, **changes})


def test_a_copied_course_is_prepared(cast: Cast, lms: Lms13, master: Course) -> None:
    """The notice is answered at once; the worker makes one child, named as the LMS course, connected, and as a launch
    would make it: copy flag off, parent recorded, nobody in it. The first launch opens that child and makes none."""
    assert send(make_notice(lms)).status_code == 200
    assert Course.objects.filter(parent=master).count() == 0
    assert act_on_due(now=soon()) == 1
    child = Course.objects.get(parent=master)
    assert (child.title, child.course_copy, child.enrollments.count()) == ("Programming, autumn", False, 0)
    assert CourseContext.objects.get(course=child).context.context_id == "course-2"
    assert NoticeRow.objects.get().outcome == "prepared"
    source = {CLAIM + "lis": {"course_offering_sourcedid": "AUTUMN-1"}}
    for changes in ({}, source, {"sub": "user-2", **source}):
        assert launch_copy(lms, master, **changes).status_code == 303
    assert Course.objects.filter(parent=master).count() == 1
    assert child.enrollments.count() == 2


def test_a_notice_after_the_launch_changes_nothing(cast: Cast, lms: Lms13, master: Course) -> None:
    """When the first launch was quicker, its child is the one, and the notice makes none."""
    assert launch_copy(lms, master).status_code == 303
    child = Course.objects.get(parent=master)
    send(make_notice(lms))
    act_on_due(now=soon())
    assert list(Course.objects.filter(parent=master)) == [child]
    assert NoticeRow.objects.get().outcome == "known_already"


@pytest.mark.quirk("C43")
def test_without_a_notice_the_launch_does_it_all(cast: Cast, lms: Lms13, master: Course) -> None:
    """Nothing depends on a notice: the first launch makes the child as ever."""
    assert launch_copy(lms, master).status_code == 303
    assert Course.objects.filter(parent=master).count() == 1


@pytest.mark.quirk("G40", "C43")
def test_a_replayed_notice_counts_once(cast: Cast, lms: Lms13, master: Course) -> None:
    """The same notice in one message, in ten, and signed anew with the same id: one row, one child."""
    token = make_notice(lms)
    assert send(token, token).json() == {"taken": 2}
    for _ in range(5):
        assert send(token, make_notice(lms, nonce="other")).status_code == 200
        act_on_due(now=soon())
    assert NoticeRow.objects.count() == 1
    assert Course.objects.filter(parent=master).count() == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"aud": "another"}, 403, "unknown_platform"),
        ({"iss": "https://other.example"}, 403, "unknown_platform"),
        ({"exp": 1}, 401, "expired"),
        ({CLAIM + "notice": {"type": CONTEXT_COPY}}, 400, "missing_parameter"),
        ({CLAIM + "deployment_id": None}, 400, "missing_parameter"),
    ],
)
def test_notices_that_do_not_hold_are_refused(
    cast: Cast, lms: Lms13, master: Course, changes: dict[str, Any], status: int, code: str
) -> None:
    """For another tool, of an unknown LMS, too old, without id or deployment: 4xx with a code, and no row."""
    response = send(make_notice(lms, **changes))
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert not NoticeRow.objects.exists()


def test_a_notice_that_somebody_else_signed_is_refused(cast: Cast, lms: Lms13, master: Course) -> None:
    """Nobody but the LMS makes a copy; a good notice in the same message counts all the same."""
    stranger = RSAKey.import_key(make_key("stranger").as_dict(private=True), {"kid": lms.key.kid})
    forged = make_notice(lms, "forged", key=stranger)
    assert send(forged).status_code == 401
    assert send(forged, make_notice(lms)).json() == {"taken": 1}
    assert list(NoticeRow.objects.values_list("notice_id", flat=True)) == ["n-1"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"notices": [{}]}', b"\xff", b'{"jwt": "x"}'])
def test_what_is_no_message_of_notices_is_refused(db: None, body: bytes) -> None:
    """Anything but the envelope is refused with 400; a GET with 405."""
    assert Client().post("/lti/notices", body, content_type="application/json", secure=True).status_code == 400
    assert Client().get("/lti/notices", secure=True).status_code == 405


def test_a_deployment_that_waits_is_not_believed(cast: Cast, lms: Lms13, master: Course) -> None:
    """Notices of a deployment that no owner approved are refused as its launches are, and it is listed (A3)."""
    Registration.objects.update(deployment_policy="approved")
    assert send(make_notice(lms, **{CLAIM + "deployment_id": "new"})).status_code == 403
    assert not Deployment.objects.get(deployment_id="new").approved
    assert not NoticeRow.objects.exists()


@pytest.mark.parametrize("flag", ["course_copy", "lti_enabled"])
def test_a_course_that_may_not_be_copied_is_not(cast: Cast, lms: Lms13, master: Course, flag: str) -> None:
    """With course copy off, or LTI off, a notice makes nothing and is not tried again."""
    Course.objects.filter(pk=master.pk).update(**{flag: False})
    send(make_notice(lms))
    act_on_due(now=soon())
    assert not Course.objects.filter(parent=master).exists()
    assert NoticeRow.objects.get().next_try_at is None
    assert not CourseIdentity.objects.exists()


def test_another_platforms_course_is_not_copied(cast: Cast, lms: Lms13, master: Course) -> None:
    """An LMS names only its own courses as origins: the same id on another LMS, here or elsewhere, is another."""
    for organization in (cast.acme, cast.umbrella):
        other = make_lms13(organization, client_id=f"client-of-{organization.slug}")
        assert send(make_notice(other, organization.slug)).status_code == 200
    act_on_due(now=soon())
    assert not Course.objects.filter(parent=master).exists()
    assert set(NoticeRow.objects.values_list("outcome", flat=True)) == {"nothing_known"}


@pytest.mark.quirk("C43")
def test_notices_of_other_kinds_and_without_origin_are_put_aside(cast: Cast, lms: Lms13, master: Course) -> None:
    """What nobody here uses, and a copy of unknown origin (C43), are taken and change nothing."""
    send(make_notice(lms, "a", **{CLAIM + "notice": {"id": "a", "type": "LtiAssetProcessorSubmissionNotice"}}))
    send(make_notice(lms, "b", **{CLAIM + "origin_contexts": None}))
    assert act_on_due(now=soon()) == 2
    assert set(NoticeRow.objects.values_list("outcome", flat=True)) == {"not_used", "nothing_copied"}


def test_old_notices_are_forgotten_when_they_could_not_come_again(cast: Cast, lms: Lms13) -> None:
    """A notice is kept longer than it is valid."""
    send(make_notice(lms))
    act_on_due(now=soon())
    clear_notices(now=soon() + KEPT - timedelta(hours=1))
    assert NoticeRow.objects.exists()
    clear_notices(now=soon() + KEPT + timedelta(hours=1))
    assert not NoticeRow.objects.exists()


# --- Subscribing -----------------------------------------------------------------------------------------------------


class Service(Handler):
    """Token endpoint and notice service of an LMS."""

    asked: list[dict[str, Any]]
    status: int

    def do_POST(self) -> None:
        self.read_body()
        answer = {"access_token": "token", "token_type": "Bearer", "scope": vocabulary.SCOPE_NOTICE_HANDLERS}
        self.answer(200, json.dumps(answer).encode())

    def do_PUT(self) -> None:
        assert self.headers["Authorization"] == "Bearer token"
        self.asked.append(json.loads(self.read_body()))
        self.answer(type(self).status, b"{}")


@pytest.fixture
def service() -> Iterator[tuple[Server, type[Service]]]:
    handler = type("ThisService", (Service,), {"asked": [], "status": 200})
    with serve_http(handler) as server:
        yield server, handler


def offer(server: Server) -> dict[str, Any]:
    return {
        CLAIM + "platformnotificationservice": {
            "platform_notification_service_url": f"{server.url}/notices",
            "service_versions": ["1.0"],
            "scope": [vocabulary.SCOPE_NOTICE_HANDLERS],
            "notice_types_supported": [HELLO_WORLD, CONTEXT_COPY, "LtiAssetProcessorSubmissionNotice"],
        }
    }


def test_a_launch_that_offers_notices_makes_us_subscribe(
    cast: Cast, lms: Lms13, service: tuple[Server, type[Service]]
) -> None:
    """The launch itself asks nothing; the worker registers our address once for each kind that we use, and later
    launches change nothing. The test notice that comes then is noted."""
    server, handler = service
    Registration.objects.update(token_url=f"{server.url}/token")
    for user in ("ann", "bob", "ann"):
        assert lms.launch(Client(), cast.operators, sub=user, **offer(server)).status_code == 303
    assert handler.asked == []
    assert subscribe_due(now=datetime.now(UTC)) == 1
    assert subscribe_due(now=datetime.now(UTC)) == 0
    expected = [{"notice_type": kind, "handler": f"{TOOL}/lti/notices"} for kind in (HELLO_WORLD, CONTEXT_COPY)]
    assert handler.asked == expected
    hello = make_notice(lms, "hello", **{CLAIM + "notice": {"id": "hello", "type": HELLO_WORLD}})
    assert send(hello).status_code == 200
    act_on_due(now=datetime.now(UTC))
    subscription = NoticeSubscription.objects.get()
    assert subscription.subscribed_at is not None
    owner = Client()
    owner.force_login(cast.olive)
    assert "subscribed" in owner.get(f"/o/acme/lti/registrations/{lms.platform.public_id}").content.decode()
    assert subscription.greeted_at is not None


@pytest.mark.quirk("C44")
def test_a_refused_subscription_waits_a_day(cast: Cast, lms: Lms13, service: tuple[Server, type[Service]]) -> None:
    """The scope is often missing in the school's key (C44): the launch goes on, the reason is kept, and we ask again
    after a day, not before."""
    server, handler = service
    handler.status = 403
    Registration.objects.update(token_url=f"{server.url}/token")
    assert lms.launch(Client(), cast.operators, **offer(server)).status_code == 303
    now = datetime.now(UTC)
    assert subscribe_due(now=now) == 1
    assert "403" in NoticeSubscription.objects.get().detail
    owner = Client()
    owner.force_login(cast.olive)
    assert "HTTP 403" in owner.get(f"/o/acme/lti/registrations/{lms.platform.public_id}").content.decode()
    assert subscribe_due(now=now + COOL_DOWN - timedelta(minutes=1)) == 0
    handler.status = 200
    assert subscribe_due(now=now + COOL_DOWN) == 1
    assert NoticeSubscription.objects.get().detail == ""


@pytest.mark.django_db(transaction=True)
def test_a_notice_and_many_first_launches_at_once_make_one_child() -> None:
    """A notice that is acted on while ten people open the copied course for the first time: one child, and everybody
    lands in it."""
    platforms.forget_all()
    cast = make_cast()
    lms = make_lms13(cast.acme)
    Course.objects.filter(pk=cast.course.pk).update(constant_urls=True, course_copy=True)
    cast.course.refresh_from_db()
    assert lms.launch(Client(), cast.operators).status_code == 303
    assert send(make_notice(lms)).status_code == 200
    source = {CLAIM + "lis": {"course_offering_sourcedid": "AUTUMN-1"}}
    barrier = Barrier(11)

    def open_copy(number: int) -> int:
        barrier.wait()
        try:
            return int(launch_copy(lms, cast.course, sub=f"user-{number}", **source).status_code)
        finally:
            connection.close()

    def act() -> int:
        barrier.wait()
        try:
            return act_on_due(now=soon())
        finally:
            connection.close()

    with ThreadPoolExecutor(11) as pool:
        acting = pool.submit(act)
        statuses = list(pool.map(open_copy, range(10)))
    assert acting.result() == 1
    assert statuses == [303] * 10
    child = Course.objects.get(parent=cast.course)
    assert child.enrollments.count() == 10
