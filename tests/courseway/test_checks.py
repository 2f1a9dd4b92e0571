"""Wrong settings, one by one: each is found for what it is, and right ones are left alone."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from courseway.checks import find_problems


@pytest.fixture(autouse=True)
def sqlite(settings: Settings) -> None:
    """The same settings whichever database the tests run on."""
    settings.USES_SQLITE = True


def find(**environ: str) -> set[str]:
    return {str(problem.id).removeprefix("courseway.") for problem in find_problems(environ)} - {"I001"}


def test_the_settings_of_the_tests_are_right() -> None:
    """A https address, a long key and networks written as networks have nothing wrong with them."""
    assert find() == set()


def test_mail_that_is_not_sent_is_worth_a_word(settings: Settings) -> None:
    """Without a mail server `check` says where mail is kept; with one it is silent."""
    assert "courseway.I001" in {problem.id for problem in find_problems({})}
    settings.EMAIL_URL = "submission://mail.example.edu:587"
    settings.MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    assert "courseway.I001" not in {problem.id for problem in find_problems({})}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PUBLIC_URL", "", {"E001"}),
        ("PUBLIC_URL", "courses.example.edu", {"E001"}),
        ("PUBLIC_URL", "ftp://courses.example.edu", {"E001"}),
        ("PUBLIC_URL", "https://", {"E001"}),
        ("PUBLIC_URL", "https://[::1", {"E001"}),
        ("PUBLIC_URL", "https://courses.example.edu:port", {"E001"}),
        ("PUBLIC_URL", "https://courses.example.edu/?a=b", {"E002"}),
        ("PUBLIC_URL", "https://courses.example.edu/#top", {"E002"}),
        ("PUBLIC_URL", "https://me:secret@courses.example.edu", {"E002"}),
        ("PUBLIC_URL", "http://courses.example.edu", {"W001"}),
        ("PUBLIC_URL", "http://10.1.2.3:8000", {"W001"}),
        ("PUBLIC_URL", "http://127.0.0.1:8000", set()),
        ("PUBLIC_URL", "http://[::1]:8000", set()),
        ("PUBLIC_URL", "http://localhost:8000", set()),
        ("PUBLIC_URL", "https://example.edu/courses", set()),
        ("ALLOWED_PRIVATE_NETWORKS", ["10.0.0.0/8", "fd00::/8", " 192.168.1.7"], set()),
        ("ALLOWED_PRIVATE_NETWORKS", ["10.0.0.0/8", "intranet"], {"E006"}),
        ("ALLOWED_PRIVATE_NETWORKS", ["10.0.0.0/40"], {"E006"}),
        ("TASKS_URL", "kafka://localhost", {"E007"}),
        ("TASKS_URL", "postgresql://localhost/tasks", set()),
        ("DEFAULT_FROM_EMAIL", "nobody", {"E009"}),
        ("DEFAULT_FROM_EMAIL", "Courses <courses@example.edu>", set()),
        ("UNREADABLE", {"COURSEWAY_TIME_ZONE": "no such zone"}, {"E010"}),
        ("UNREADABLE", {"COURSEWAY_LOG_LEVEL": "no level"}, {"E011"}),
        ("UNREADABLE", {"COURSEWAY_STORAGE_URL": "no folder"}, {"E013"}),
        ("UNREADABLE", {"COURSEWAY_DATABASE_URL": "no address"}, {"E003"}),
        ("UNREADABLE", {"COURSEWAY_DATABASE_POOLER": "session"}, {"E014"}),
    ],
)
def test_a_wrong_setting_is_found_for_what_it_is(settings: Settings, name: str, value: Any, expected: set[str]) -> None:
    """Each value is judged alone; what is right causes no other complaint."""
    setattr(settings, name, value)
    assert find() == expected


def test_a_database_on_a_server_needs_a_key_of_its_own(settings: Settings) -> None:
    """On PostgreSQL every process needs the same key, so it has to be given; a file counts as given."""
    settings.USES_SQLITE = False
    assert find() == {"E005"}
    assert find(COURSEWAY_SECRET_KEY_FILE="/run/secrets/key") == set()


def test_short_keys_are_warned_about(settings: Settings) -> None:
    """The shortest key of the list counts, since each of them opens what it once closed."""
    settings.SECRET_KEYS = ["k" * 48, "short"]
    assert find(COURSEWAY_SECRET_KEY="…") == {"W002"}


def test_misspelled_variables_are_named_with_the_right_name() -> None:
    """A variable that nobody reads is named, with the name that was probably meant; others' variables are not."""
    problems = list(find_problems({"COURSEWAY_PUBLC_URL": "x", "PATH": "/bin"}))
    named = [problem for problem in problems if problem.id == "courseway.W003"]
    assert [problem.hint for problem in named] == ["Did you mean COURSEWAY_PUBLIC_URL?"]
    assert find(COURSEWAY_SECRET_KEY_FILE="/run/secrets/key", COURSEWAY_TEST_DATABASE="postgres") == set()
