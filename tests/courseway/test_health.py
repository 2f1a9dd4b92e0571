"""Health addresses answer whatever the Host, before anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from courseway.wsgi import application


def ask(path: str) -> tuple[str, dict[str, Any]]:
    said: list[str] = []
    environ = {"PATH_INFO": path, "REQUEST_METHOD": "GET", "HTTP_HOST": "10.0.0.7:8000", "wsgi.url_scheme": "http"}
    body = b"".join(application(environ, lambda status, headers: said.append(status)))
    return said[0], json.loads(body)


def test_healthz_answers_any_host() -> None:
    """A probe that knows only the address of the container gets an answer, without the database."""
    assert ask("/healthz") == ("200 OK", {"ok": True})


@pytest.mark.django_db
def test_readyz_asks_the_database() -> None:
    """Ready means: the database answers and is migrated."""
    assert ask("/readyz") == ("200 OK", {"ok": True})


@pytest.mark.django_db
def test_readyz_of_an_unmigrated_database() -> None:
    """A database without the newest migrations is not ready, and the answer says what to do."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'grades'")
    status, answer = ask("/readyz")
    assert status.startswith("503")
    assert "courseway migrate" in answer["problem"]


@override_settings(PUBLIC_PATH="/tool")
def test_health_below_the_public_path() -> None:
    """A proxy passes the full path; the health addresses answer there too."""
    assert ask("/tool/healthz")[0] == "200 OK"


@pytest.mark.parametrize("length", [str(28 * 1024 * 1024 + 1), "9" * 40, "-1", "many"])
def test_a_body_beyond_all_measure_is_not_read(length: str) -> None:
    """What is larger than any file that is taken is refused before a byte of it is kept."""
    said: list[str] = []
    environ = {"PATH_INFO": "/learn/", "REQUEST_METHOD": "POST", "CONTENT_LENGTH": length, "wsgi.url_scheme": "http"}
    body = b"".join(application(environ, lambda status, headers: said.append(status)))
    assert said == ["413 Content Too Large"]
    assert b"28 MB" in body
