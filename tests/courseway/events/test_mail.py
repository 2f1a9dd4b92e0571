"""Mail leaves through leased rows: with the transaction that asked for it, and again when a server was down."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_string
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives, send_mail
from django.db import transaction
from django.test import Client

from courseway.events.mail import WAITS, send_due_mail
from courseway.events.models import Mail
from tests.cast import Cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)


@dataclass
class MailServer:
    """A real server on loopback that speaks as much SMTP as sending needs."""

    port: int = 0
    refuses: bool = False
    mails: list[str] = field(default_factory=list)


@contextmanager
def run_mail_server() -> Iterator[MailServer]:
    state = MailServer()

    class Talk(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 mail.example")
            while line := self.rfile.readline().decode().strip():
                verb = line.split()[0].upper()
                if verb == "DATA":
                    self.say("354 go on")
                    text = ""
                    while (one := self.rfile.readline().decode()) != ".\r\n":
                        text += one
                    state.mails.append(text)
                    self.say("250 taken")
                elif verb == "MAIL" and state.refuses:
                    self.say("451 later, please")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 good")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        state.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield state
        server.shutdown()


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with run_mail_server() as running:
        settings.EMAIL_BACKEND = "courseway.events.mail.RowBackend"
        settings.MAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", running.port, False
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        yield running


def write(subject: str = "Hello") -> None:
    send_mail(subject, "Your code: k2m4-x7pq", "courses@tool.example", ["sam@acme.example"])


def test_a_mail_is_written_down_and_sent_later(server: MailServer) -> None:
    """Asking for mail talks to no server; the worker's turn sends it whole, and nothing of it stays behind."""
    message = EmailMultiAlternatives(
        "Grüße", "Text", "courses@tool.example", ["sam@acme.example"], reply_to=["a@b.example"]
    )
    message.attach_alternative("<p>Text</p>", "text/html")
    assert message.send() == 1
    assert not server.mails
    assert send_due_mail(now=datetime.now(UTC)) == 1
    sent = message_from_string(server.mails[0])
    assert (sent["To"], sent["From"], sent["Reply-To"]) == ("sam@acme.example", "courses@tool.example", "a@b.example")
    assert [part.get_content_type() for part in sent.walk()][1:] == ["text/plain", "text/html"]
    assert not Mail.objects.exists()


def test_what_a_mail_says_is_not_kept_in_clear(server: MailServer) -> None:
    """A code that waits to be sent cannot be read in the database."""
    write()
    assert "k2m4" not in str(Mail.objects.values().get())


def test_mail_belongs_to_its_transaction(server: MailServer) -> None:
    """What is rolled back tells nobody."""

    def fail() -> None:
        with transaction.atomic():
            write()
            raise RuntimeError("the rest failed")

    with pytest.raises(RuntimeError, match="the rest failed"):
        fail()
    assert send_due_mail(now=datetime.now(UTC)) == 0
    assert not server.mails


def test_a_server_that_is_down_loses_no_mail(server: MailServer) -> None:
    """Refused, then unreachable, then well again: the mail arrives, once, and others are not held up by it."""
    write()
    server.refuses = True
    now = datetime.now(UTC)
    assert send_due_mail(now=now) == 0
    mail = Mail.objects.get()
    assert mail.next_try_at == now + timedelta(seconds=WAITS[0])
    assert mail.last_error == "SMTPSenderRefused"
    assert send_due_mail(now=now + timedelta(seconds=1)) == 0
    server.refuses = False
    assert send_due_mail(now=now + timedelta(seconds=WAITS[0])) == 1
    assert len(server.mails) == 1


def test_a_mail_that_cannot_be_sent_is_given_up_without_its_words(server: MailServer) -> None:
    """After about two days the content is deleted, and a row remains that says what went wrong."""
    write()
    server.refuses = True
    now = datetime.now(UTC)
    for wait in (0.0, *WAITS):
        now += timedelta(seconds=wait)
        send_due_mail(now=now)
    mail = Mail.objects.get()
    assert (mail.next_try_at, mail.content_encrypted, mail.last_error) == (None, "", "SMTPSenderRefused")


def test_two_workers_send_a_mail_once(server: MailServer) -> None:
    """A mail that one worker holds is not due for another; if that one died, it is due after the lease."""
    write()
    now = datetime.now(UTC)
    Mail.objects.update(next_try_at=now + timedelta(minutes=10), lease_token="of-somebody-else")
    assert send_due_mail(now=now + timedelta(minutes=9)) == 0
    assert send_due_mail(now=now + timedelta(minutes=10)) == 1


def test_mails_about_accounts_go_the_same_way(server: MailServer, cast: Cast) -> None:
    """Resetting a password answers without a mail server at hand; the mail follows."""
    server.refuses = True
    answer = Client().post(
        "/account/password/reset/", {"email": cast.olive.email}, secure=True, HTTP_HOST="tool.example"
    )
    assert answer.status_code == 302
    assert Mail.objects.count() == 1
    server.refuses = False
    assert send_due_mail(now=datetime.now(UTC)) == 1
    assert "https://tool.example/account/password/reset/key/" in server.mails[0].replace("=\r\n", "")
