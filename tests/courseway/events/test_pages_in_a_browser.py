"""Webhooks and guides in a real browser: accessible on every width, and a guide that ticks itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from courseway.events.kinds import Kind
from courseway.events.models import WebhookDelivery
from courseway.events.posting import post_what_is_due
from courseway.events.recording import Happening, record_all
from tests.cast import Cast, make_cast
from tests.courseway.events.receiver import Receiver
from tests.looks import each_look, find_faults, open_page
from tests.visits import Lms11, make_lms11

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
# Set to a folder to look at the pages with one's own eyes.
PICTURES = os.environ.get("PICTURES", "")


@dataclass
class Scene:
    cast: Cast
    lms: Lms11
    url: str
    cookies: list[dict[str, Any]]
    pages: list[str]


@pytest.fixture
def scene(live_server: LiveServer, settings: Any, receiver: Receiver) -> Scene:
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    cast, now = make_cast(), datetime.now(UTC)
    lms = make_lms11(cast.acme)
    endpoint = receiver.endpoint(cast.acme, now)
    refusing = receiver.endpoint(cast.acme, now, path="/refusing/with/a/rather/long/path/of/a/system/that/is/picky")
    receiver.answer = lambda one: (204, b"", {}) if one.path == "/hook" else (422, b'{"error": "unknown course"}', {})
    data = {"course": {"id": cast.course.public_id, "title": cast.course.title}, "percent": 80.0}
    record_all(cast.acme.pk, [Happening(kind, data, cast.sam.pk) for kind in Kind], now=now)
    post_what_is_due()
    event = WebhookDelivery.objects.filter(endpoint=refusing, event__kind=Kind.GRADED).get().event
    owner = Client()
    owner.force_login(cast.olive)
    cookies = [
        {"name": name, "value": morsel.value, "domain": "localhost", "path": "/"}
        for name, morsel in owner.cookies.items()
    ]
    pages = [
        "/o/acme/webhooks",
        "/o/acme/webhooks/new",
        f"/o/acme/webhooks/{endpoint.public_id}",
        f"/o/acme/webhooks/{refusing.public_id}",
        f"/o/acme/webhooks/{refusing.public_id}/events/{event.public_id}",
        "/o/umbrella/webhooks",
        "/o/acme/lti",
        "/o/acme/lti/guides/canvas-1.1",
        "/o/acme/lti/guides/canvas",
        f"/courses/{cast.course.public_id}/lti/guides/schoology",
        f"/courses/{cast.course.public_id}/lti/",
    ]
    return Scene(cast, lms, live_server.url.replace("127.0.0.1", "localhost"), cookies, pages)


@contextmanager
def browse(chromium: Browser, scene: Scene) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1200, "height": 800}) as context:
        context.add_cookies(scene.cookies)  # type: ignore[arg-type]
        yield open_page(context)


def test_pages_are_accessible(chromium: Browser, scene: Scene) -> None:
    """No page breaks a rule of axe, scrolls sideways, runs into the content policy, or throws in its script."""
    found: list[str] = []
    with browse(chromium, scene) as page:
        page.on("pageerror", lambda error: found.append(f"script: {error}"))
        page.on("console", lambda line: found.append(line.text) if "Content Security Policy" in line.text else None)
        for number, path in enumerate(scene.pages):
            response = page.goto(scene.url + path)
            if response is None or response.status >= 500:
                found.append(f"{path} does not answer")
            for look in each_look(page):
                found += find_faults(page, f"{path} {look}")
                if PICTURES:
                    page.screenshot(path=Path(PICTURES) / f"events-{number}-{look}.png", full_page=True)
    assert not found, "\n".join(found)


def test_a_guide_ticks_itself(chromium: Browser, scene: Scene) -> None:
    """The first launch turns 'waiting' into 'connected' on the guide and on LTI integrations, with nobody reloading."""

    def launch() -> int:
        try:
            return scene.lms.launch(Client(), f"/lti/a/{scene.cast.operators.public_id}").status_code
        finally:
            connection.close()

    with browse(chromium, scene) as page:
        overview = page.context.new_page()
        overview.goto(f"{scene.url}/o/acme/lti")
        page.goto(f"{scene.url}/o/acme/lti/guides/canvas-1.1?platform={scene.lms.platform.public_id}")
        expect(page.get_by_text("Waiting for the first launch…")).to_be_visible()
        expect(overview.get_by_text("waiting for the first launch…")).to_be_visible()
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(launch).result() == 303
        expect(page.get_by_text("Connected: the first launch arrived")).to_be_visible(timeout=15_000)
        expect(overview.get_by_text("waiting for the first launch…")).to_have_count(0, timeout=15_000)
        expect(page.get_by_text("The first grade reached the LMS")).to_be_visible()
