"""Codes by mail: what proves an address, and what does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.exceptions import ValidationError

from courseway.orgs import email_codes
from courseway.orgs.email_codes import EmailCodeError, find_address, send_code, use_code
from courseway.orgs.models import EmailCode

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
JOIN = {"purpose": "join", "subject": "person:1"}

pytestmark = pytest.mark.django_db


def ask(email: str = "Sally@LMS.example", *, now: datetime = NOW, **changes: str) -> str:
    """Asks for a code and reads it in the mail."""
    send_code(email, **{**JOIN, "reason": "join Acme", **changes}, now=now)
    found = re.search(r"\b([A-Z0-9]{4}-[A-Z0-9]{4})\b", mail.outbox[-1].body)
    assert found, mail.outbox[-1].body
    return found.group(1)


def test_a_code_proves_the_address_it_was_sent_to_once() -> None:
    """The code of the mail gives the address back, in small letters, and cannot be used again."""
    code = ask()
    assert mail.outbox[-1].to == ["sally@lms.example"]
    assert "join Acme" in mail.outbox[-1].body
    assert find_address(**JOIN, now=NOW) == "sally@lms.example"
    assert use_code(code, **JOIN, now=NOW) == "sally@lms.example"
    with pytest.raises(EmailCodeError, match="over"):
        use_code(code, **JOIN, now=NOW)
    assert find_address(**JOIN, now=NOW) == ""


@pytest.mark.parametrize("spell", [str.lower, lambda c: c.replace("-", ""), lambda c: f"  {c[:4]} {c[5:]} "])
def test_a_code_may_be_typed_in_any_way(spell: object) -> None:
    """Case, blanks and the hyphen do not matter."""
    code = ask()
    assert use_code(spell(code), **JOIN, now=NOW) == "sally@lms.example"  # type: ignore[operator]


def test_a_code_opens_only_what_it_was_asked_for() -> None:
    """Another purpose or another subject is not opened by it, and the code stays good for its own."""
    code = ask()
    for other in ({"purpose": "picker"}, {"subject": "person:2"}):
        with pytest.raises(EmailCodeError):
            use_code(code, **{**JOIN, **other}, now=NOW)
    ask(now=NOW + timedelta(minutes=1), subject="person:2")
    with pytest.raises(EmailCodeError):
        use_code(code, purpose="join", subject="person:2", now=NOW + timedelta(minutes=1))
    assert use_code(code, **JOIN, now=NOW) == "sally@lms.example"


def test_a_code_lasts_a_quarter_of_an_hour() -> None:
    """After its time the right code is refused with the reason."""
    code = ask()
    with pytest.raises(EmailCodeError, match="over"):
        use_code(code, **JOIN, now=NOW + email_codes.LIFETIME)


def test_guessing_ends_after_five_tries() -> None:
    """Five wrong codes use it up: then the right one is refused too."""
    code = ask()
    for _ in range(email_codes.TRIES):
        with pytest.raises(EmailCodeError):
            use_code("bbbb-bbbb", **JOIN, now=NOW)
    with pytest.raises(EmailCodeError, match="Too many"):
        use_code(code, **JOIN, now=NOW)


def test_a_newer_code_ends_the_older_one() -> None:
    """Only the last mail counts."""
    first = ask()
    later = NOW + timedelta(minutes=1)
    second = ask(now=later)
    with pytest.raises(EmailCodeError):
        use_code(first, **JOIN, now=later)
    assert use_code(second, **JOIN, now=later) == "sally@lms.example"
    with pytest.raises(EmailCodeError):
        use_code(first, **JOIN, now=later)


def test_a_mailbox_is_not_flooded() -> None:
    """No second mail within half a minute, and six an hour at most, whatever they are asked for."""
    ask()
    with pytest.raises(EmailCodeError, match="moment ago"):
        ask(now=NOW + timedelta(seconds=10))
    for number in range(1, email_codes.CODES_PER_ADDRESS):
        ask(subject=f"person:{number + 10}")
    with pytest.raises(EmailCodeError, match="Too many"):
        ask(subject="person:99", now=NOW + timedelta(minutes=5))
    ask(subject="person:99", now=NOW + timedelta(minutes=61))
    assert len(mail.outbox) == email_codes.CODES_PER_ADDRESS + 1


def test_the_database_does_not_hold_the_code() -> None:
    """Whoever reads the table learns neither the code nor anything to try codes against without the server's key."""
    code = ask()
    row = EmailCode.objects.get()
    assert code not in row.code_hash
    assert len(row.code_hash) == 64


def test_what_is_no_address_gets_no_mail() -> None:
    """A text without an address is refused with the reason."""
    with pytest.raises(ValidationError, match="not an e-mail address"):
        ask("nobody")
    assert mail.outbox == []
