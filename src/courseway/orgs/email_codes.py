"""Codes sent by mail: whoever types one reads the mail of that address. Nothing else proves an address here (C1).

A code is bound to what it was asked for: `purpose` (such as "join" or "picker") and `subject`, an own name of the one
thing that it opens (such as a person's or a launch's id). A code for one subject opens no other.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from courseway.orgs.ids import ALPHABET
from courseway.orgs.models import EmailCode
from courseway.orgs.organizations import clean_email

LIFETIME = timedelta(minutes=15)
TRIES = 5
# What one mailbox may get, whoever asks.
CODES_PER_ADDRESS = 6
CODES_PER_ADDRESS_WITHIN = timedelta(hours=1)
SECONDS_BETWEEN_CODES = 30
_LENGTH = 8

logger = logging.getLogger(__name__)


class EmailCodeError(Exception):
    """A code that was not sent, or one that does not count; the text says what to do."""


def send_code(email: str, *, purpose: str, subject: str, reason: str, now: datetime) -> str:
    """Sends a new code for the subject; earlier ones stop working. Returns the address as it is compared.

    `reason` is the half sentence of the mail that says what the code is for: "choose assignments of Acme". Raises
    EmailCodeError when too many codes were asked for or the mail did not leave, ValidationError for what is no address.
    """
    email = clean_email(email)
    EmailCode.objects.filter(sent_at__lt=now - CODES_PER_ADDRESS_WITHIN).delete()
    recent = list(EmailCode.objects.filter(email=email).order_by("-sent_at").values_list("sent_at", "subject"))
    if any(said == subject and (now - at).total_seconds() < SECONDS_BETWEEN_CODES for at, said in recent):
        raise EmailCodeError(_("A code was sent a moment ago. Look at your mail, or ask again in half a minute."))
    if len(recent) >= CODES_PER_ADDRESS:
        raise EmailCodeError(_("Too many codes were sent to this address. Try again in an hour."))
    row, code = _make(email, purpose=purpose, subject=subject, now=now)
    words = {"code": code, "reason": reason, "minutes": int(LIFETIME.total_seconds() // 60)}
    try:
        send_mail(
            _("Your code: %(code)s") % words,
            render_to_string("orgs/mail/code.txt", words),
            settings.DEFAULT_FROM_EMAIL,
            [email],
        )
    except (OSError, SMTPException) as error:
        logger.error("A code could not be sent: %s", type(error).__name__)
        row.delete()
        raise EmailCodeError(_("The mail could not be sent. Please try again in some minutes.")) from None
    return email


def make_code(email: str, *, purpose: str, subject: str, now: datetime) -> str:
    """A new code to be shown to somebody who is signed in with this address already. No mail leaves."""
    return _make(clean_email(email), purpose=purpose, subject=subject, now=now)[1]


def _make(email: str, *, purpose: str, subject: str, now: datetime) -> tuple[EmailCode, str]:
    code = "".join(secrets.choice(ALPHABET) for _i in range(_LENGTH))
    row = EmailCode.objects.create(
        purpose=purpose,
        subject=subject,
        email=email,
        code_hash=_hash(code, purpose, subject, email),
        sent_at=now,
        expires_at=now + LIFETIME,
    )
    return row, _show(code)


def use_code(typed: str, *, purpose: str, subject: str, now: datetime) -> str:
    """The address that the code proves; the code is used up. Raises EmailCodeError for every other text."""
    rows = EmailCode.objects.filter(purpose=purpose, subject=subject)
    row = rows.order_by("-sent_at", "-pk").first()
    if row is None or row.expires_at <= now:
        raise EmailCodeError(_("This code is over. Ask for a new one."))
    # Counted before it is compared, in the database: many guesses at once are still as many tries.
    if not rows.filter(pk=row.pk, tries__lt=TRIES).update(tries=F("tries") + 1):
        raise EmailCodeError(_("Too many wrong codes. Ask for a new one."))
    code = "".join(sign for sign in typed.lower() if sign in ALPHABET)
    if not hmac.compare_digest(row.code_hash, _hash(code, purpose, subject, row.email)):
        left = TRIES - row.tries - 1
        raise EmailCodeError(
            ngettext(
                "This is not the code that was sent. You have one more try.",
                "This is not the code that was sent. You have %(left)d more tries.",
                left,
            )
            % {"left": left}
            if left > 0
            else _("This is not the code that was sent. Ask for a new one.")
        )
    if not rows.filter(pk=row.pk).delete()[0]:
        raise EmailCodeError(_("This code was used already. Ask for a new one."))
    # Older ones stay for the count of mails to the address, but open nothing.
    rows.update(expires_at=now)
    return row.email


def find_address(*, purpose: str, subject: str, now: datetime) -> str:
    """Where the code that can be typed now was sent; "" if there is none."""
    row = EmailCode.objects.filter(purpose=purpose, subject=subject).order_by("-sent_at", "-pk").first()
    return row.email if row is not None and row.expires_at > now and row.tries < TRIES else ""


def _hash(code: str, purpose: str, subject: str, email: str) -> str:
    """Keyed by the installation's secret, since a short code would not withstand guessing by itself."""
    return salted_hmac(
        "courseway.orgs.email_codes", "\0".join((code, purpose, subject, email)), algorithm="sha256"
    ).hexdigest()


def _show(code: str) -> str:
    return f"{code[:4]}-{code[4:]}".upper()
