"""The ticket of a launch's session, and the redirects that bring it."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.core import signing
from django.utils.crypto import salted_hmac
from hypothesis import given
from hypothesis import strategies as st

from courseway.lms import middleware, sessions
from courseway.lms.sessions import Redirect, Ticket

SALT = "courseway.lms.sessions"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(return_url=TEXTS, page=TEXTS, person=st.integers(0, 2**63), role=st.sampled_from(["student", "teacher"]))
def test_a_ticket_is_signed_as_django_signs(return_url: str, page: str, person: int, role: str) -> None:
    """Either reads what the other wrote: our signer only derives its key once."""
    ticket = Ticket("reference", 1, person, 2, 3, role, "assignment", return_url, page, 4)
    ours = sessions._signer(SALT).sign_object(ticket, serializer=sessions._Json)
    assert signing.loads(ours, salt=SALT) == list(ticket)
    theirs = signing.dumps(list(ticket), salt=SALT)
    assert sessions._unsign(theirs, Ticket, SALT) == ticket
    assert sessions._unsign(theirs, Ticket, SALT + ".review") is None
    assert sessions._unsign(theirs[:-1] + ("A" if theirs[-1] != "A" else "B"), Ticket, SALT) is None


def test_the_key_of_forms_is_derived_as_django_derives_it() -> None:
    """Forms that were open before an upgrade can be sent after it."""
    ours = middleware.hmac.digest(middleware._derive_csrf_key(settings.SECRET_KEY), b"reference:7", "sha1").hex()
    assert ours == salted_hmac("courseway.lms.sessions.csrf", "reference:7").hexdigest()


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/at/reference/learn/", "/at/reference/learn/"),
        ("https://lms.example/auth?hint=" + "h" * 20_000, "https://lms.example/auth?hint=" + "h" * 20_000),
        ("https://lms.example/Prüfung", "https://lms.example/Pr%C3%BCfung"),
    ],
)
def test_a_redirect_goes_where_it_is_sent(url: str, location: str) -> None:
    """An LMS's hints go back to it however long they are, and an address is written in ASCII."""
    response = Redirect(url)
    assert (response.status_code, response.url, response["Cache-Control"]) == (303, location, "no-store")


def test_a_redirect_has_one_line() -> None:
    """Nobody adds a header by a line break in an address."""
    with pytest.raises(ValueError, match="newline"):
        Redirect("https://lms.example/\r\nSet-Cookie: a=b")
