"""Mail leaves through leased rows: a request never waits for a mail server, and none is lost when that is down.

Whatever asks Django to send mail (our own code, allauth) meets `RowBackend`, which writes a row in the transaction at
hand. The worker sends it through `settings.MAIL_BACKEND`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F

from courseway import secrets_box
from courseway.events.models import Mail
from courseway.leases import claim

logger = logging.getLogger(__name__)

AT_ONCE = 20
# Longer than a mail server may take for one batch.
LEASE_SECONDS = 600.0
# Seconds to the next try: about two days in all.
WAITS = (10.0, 60.0, 300.0, 900.0, 3600.0, 10800.0, 21600.0, 43200.0, 86400.0)


class RowBackend(BaseEmailBackend):
    """Django's way to send mail, by writing it down."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        rows = []
        for message in email_messages:
            if message.recipients():
                row = Mail()
                row.content_encrypted = secrets_box.lock(json.dumps(_pack(message)), place=_place(row))
                rows.append(row)
        Mail.objects.bulk_create(rows)
        return len(rows)


def send_due_mail(*, now: datetime) -> int:
    """Send what is due; returns how many mails left. One that cannot be sent is tried again, for two days."""
    mails = claim(Mail.objects.all(), now=now, lease_seconds=LEASE_SECONDS, limit=AT_ONCE, also_set=_ONE_TRY_MORE)
    if not mails:
        return 0
    sent = 0
    connection = get_connection(settings.MAIL_BACKEND)
    try:
        for mail in mails:
            sent += _send(mail, connection, now)
    finally:
        connection.close()
    return sent


_ONE_TRY_MORE = {"tries": F("tries") + 1}


def _send(mail: Mail, connection: Any, now: datetime) -> bool:
    held = Mail.objects.filter(pk=mail.pk, lease_token=mail.lease_token)
    try:
        message = _unpack(json.loads(secrets_box.unlock(mail.content_encrypted, place=_place(mail))))
        message.connection = connection
        message.send()
    except Exception as error:
        # Whatever a mail server, a library or an address may do wrong: the others go out all the same.
        logger.warning("A mail could not be sent: %s", type(error).__name__)
        if mail.tries > len(WAITS):
            held.update(next_try_at=None, content_encrypted="", lease_token="", last_error=type(error).__name__)
        else:
            next_try_at = now + timedelta(seconds=WAITS[mail.tries - 1])
            held.update(next_try_at=next_try_at, lease_token="", last_error=type(error).__name__)
        return False
    held.delete()
    return True


def _pack(message: EmailMessage) -> dict[str, Any]:
    if message.attachments:
        raise ValueError("mails with attachments are not foreseen")
    alternatives = message.alternatives if isinstance(message, EmailMultiAlternatives) else []
    return {
        "subject": str(message.subject),
        "body": str(message.body),
        "from_email": message.from_email,
        "to": list(message.to),
        "cc": list(message.cc),
        "bcc": list(message.bcc),
        "reply_to": list(message.reply_to),
        "headers": {name: str(value) for name, value in message.extra_headers.items()},
        "alternatives": [[str(content), str(kind)] for content, kind in alternatives],
    }


def _unpack(content: dict[str, Any]) -> EmailMultiAlternatives:
    message = EmailMultiAlternatives(
        subject=content["subject"],
        body=content["body"],
        from_email=content["from_email"],
        to=content["to"],
        cc=content["cc"],
        bcc=content["bcc"],
        reply_to=content["reply_to"],
        headers=content["headers"],
    )
    for text, kind in content["alternatives"]:
        message.attach_alternative(text, kind)
    return message


def _place(mail: Mail) -> str:
    return f"mail:{mail.public_id}"
