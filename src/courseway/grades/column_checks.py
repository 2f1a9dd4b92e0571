"""Looking at the columns that an LMS course has for us, because a teacher asked: a leased row for each LMS course."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from courseway import secrets_box
from courseway.grades.columns import can_look
from courseway.grades.delivery import token_of
from courseway.grades.errands import run_errand
from courseway.grades.exchange import DeliveryError, Steps
from courseway.grades.lineitems import list_columns
from courseway.grades.models import ColumnCheck, SeenColumn
from courseway.grades.tokens import drop_token, scopes_to_ask
from courseway.leases import claim
from courseway.lms.due_dates import store_line_item_date
from courseway.lms.models import Context, ResourceLink
from courseway.outbound import OutboundError
from ltikit.dates import parse_date
from ltikit.errors import ServiceError, ServiceUnauthorizedError
from ltikit.v13.ags import LineItem

LEASE_SECONDS = 300.0
TURN_SECONDS = 120.0
MAX_POINTS = Decimal(10) ** 7  # what the column of the table holds
ADDRESSES = 200  # lists of columns in one LMS course: one in most, one for each link in Open edX


def ask_for_columns(contexts: Collection[Context], *, now: datetime) -> int:
    """Somebody wants to know now. Returns how many LMS courses are looked at."""
    rows = [ColumnCheck(context=context, asked_at=now, next_try_at=now) for context in contexts]
    ColumnCheck.objects.bulk_create(rows, update_conflicts=True, unique_fields=["context"], update_fields=["asked_at"])
    ColumnCheck.objects.filter(context__in=contexts, lease_token="").update(next_try_at=now, columns_read=0)
    return len(rows)


def check_due_columns(*, now: datetime) -> bool:
    """Look at one LMS course that is due. False if there is none."""
    due = ColumnCheck.objects.select_related("context")
    claimed = claim(due, now=now, lease_seconds=LEASE_SECONDS, limit=1)
    for check in claimed:
        _check(check, now)
    return bool(claimed)


def _check(check: ColumnCheck, now: datetime) -> None:
    held = ColumnCheck.objects.filter(pk=check.pk, lease_token=check.lease_token)
    code, words = "", ""
    try:
        items = _read(check, now)
        with transaction.atomic():
            SeenColumn.objects.filter(context=check.context_id).delete()
            SeenColumn.objects.bulk_create(_see(check.context, item) for item in items.values())
            _take_dates(check, items, now)
    except ServiceError as error:
        code, words = error.code, error.detail or error.hint
    except DeliveryError as error:
        code, words = error.code, error.words
    except OutboundError as error:
        code, words = "no_answer", error.detail
    except secrets_box.SecretUnreadableError as error:
        code, words = "secret_unreadable", str(error)
    is_done = {} if code else {"checked_at": now}
    held.update(
        lease_token="",
        next_try_at=None,
        asked_at=None,
        last_error_code=code[:40],
        last_error=words.replace("\0", "")[:1000],
        **is_done,
    )


def _read(check: ColumnCheck, now: datetime) -> dict[str, LineItem]:
    """The columns by address, from every list that the links of the LMS course name."""
    links = ResourceLink.objects.filter(
        context=check.context_id, assignment__isnull=False, deployment__platform__revoked_at=None
    ).select_related("deployment__platform__registration")
    lists = {link.lineitems_url: link for link in links.order_by("pk") if can_look(link)}
    found: dict[str, LineItem] = {}
    for link in list(lists.values())[:ADDRESSES]:
        items = run_errand(_list(link, now), seconds=TURN_SECONDS)
        found |= {item.id: item for item in items}
        ColumnCheck.objects.filter(pk=check.pk, lease_token=check.lease_token).update(columns_read=len(found))
    return found


def _list(link: ResourceLink, now: datetime) -> Steps[list[LineItem]]:
    platform, scopes = link.deployment.platform, scopes_to_ask(link.ags_scopes)
    token = yield from token_of(platform, scopes, now=now)
    try:
        return (yield from list_columns(link.lineitems_url, token=token))
    except ServiceUnauthorizedError:  # once more with a fresh token
        drop_token(platform, scopes, token)
        token = yield from token_of(platform, scopes, now=now)
        return (yield from list_columns(link.lineitems_url, token=token))


def _take_dates(check: ColumnCheck, items: dict[str, LineItem], now: datetime) -> None:
    """A line item may end at a time: then the work of its link is due (AGS 2.0 §3.2)."""
    for link in ResourceLink.objects.filter(context=check.context_id, lineitem_url__in=items):
        store_line_item_date(link.pk, parse_date(items[link.lineitem_url].end_at), now=now)


def _see(context: Context, item: LineItem) -> SeenColumn:
    return SeenColumn(
        context=context,
        url=item.id[:2000],
        label=item.label[:255],
        score_maximum=min(item.score_maximum, MAX_POINTS),
        resource_link_id=item.resource_link_id[:255],
        resource_id=item.resource_id[:255],
        tag=item.tag[:255],
    )
