"""What a teacher does about a link's column: use one that the LMS has, make one, or forget one that is another's."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from courseway import secrets_box
from courseway.grades.column_checks import ask_for_columns
from courseway.grades.delivery import token_of
from courseway.grades.errands import run_errand
from courseway.grades.exchange import DeliveryError, PostponedError, Steps
from courseway.grades.lineitems import allow_new_lineitem, lineitem_of, replace_lineitem
from courseway.grades.models import Delivery, LineItemSearch, SeenColumn
from courseway.grades.outbox import resend
from courseway.grades.reasons import explain
from courseway.grades.tokens import scopes_to_ask
from courseway.lms.models import ResourceLink
from courseway.outbound import OutboundError
from ltikit.errors import ServiceError

SECONDS = 25.0
# Grades that waited for a column.
_HELD_UP = ("line_item_gone", "no_line_item", "service_not_found")


class RepairError(Exception):
    """It could not be done; the text says why and is shown as it is."""


def use_column(link: ResourceLink, column_pk: str, *, now: datetime) -> SeenColumn:
    """The grades of the link go into this column of its LMS course, and wait no longer."""
    column = None
    if column_pk.isdecimal():
        column = SeenColumn.objects.filter(context=link.context_id, pk=int(column_pk)).first()
    if column is None:
        raise RepairError(_("This column is not in the LMS any more. Look again."))
    with transaction.atomic():
        before = link.lineitem_url
        ResourceLink.objects.filter(pk=link.pk).update(lineitem_url=column.url)
        LineItemSearch.objects.filter(resource_link=link).update(gone_at=None, may_create_at=None)
        _send_again(link, all_grades=bool(before) and before != column.url, now=now)
    return column


def forget_column(link: ResourceLink, *, now: datetime) -> None:
    """The link's grades look for their own column the next time."""
    with transaction.atomic():
        ResourceLink.objects.filter(pk=link.pk).update(lineitem_url="")
        LineItemSearch.objects.filter(resource_link=link).update(gone_at=None)
        _send_again(link, all_grades=True, now=now)


def make_column(link: ResourceLink, *, now: datetime) -> str:
    """A column for the link: one that is there all the same, else a new one. Raises RepairError."""
    allow_new_lineitem(link, now=now)
    try:
        url = run_errand(_find_or_make(link, now), seconds=SECONDS)
    except PostponedError:
        raise RepairError(_("Somebody else makes the column at this moment. Look again.")) from None
    except DeliveryError as error:
        raise RepairError(error.words) from None
    except ServiceError as error:
        raise RepairError(_say(error.code, error.detail)) from None
    except OutboundError as error:
        raise RepairError(_say("no_answer", error.detail)) from None
    except secrets_box.SecretUnreadableError as error:
        raise RepairError(_say("secret_unreadable", str(error))) from None
    _send_again(link, all_grades=True, now=now)
    ask_for_columns([link.context], now=now)
    return url


def _find_or_make(link: ResourceLink, now: datetime) -> Steps[str]:
    platform, scopes = link.deployment.platform, scopes_to_ask(link.ags_scopes)
    assert link.assignment is not None  # noqa: S101 - the page lists links of assignments
    token = yield from token_of(platform, scopes, now=now)
    if link.lineitem_url:
        return (yield from replace_lineitem(link, link.assignment, gone_url=link.lineitem_url, token=token, now=now))
    return (yield from lineitem_of(link, link.assignment, token=token, now=now))


def _say(code: str, words: str) -> str:
    reason = explain(code)
    said = [str(reason.title) + ".", str(reason.remedy)] if reason else []
    return " ".join([*said, *([_("The LMS said: %(words)s") % {"words": words}] if words else [])])


def _send_again(link: ResourceLink, *, all_grades: bool, now: datetime) -> None:
    """What waited for the column goes out; into another column than before go all grades of the link."""
    deliveries = Delivery.objects.filter(resource_link=link)
    if not all_grades:
        deliveries = deliveries.filter(last_error_code__in=_HELD_UP)
    resend(deliveries, now=now)
