"""The gradebook column of a link: the one that the launch named, else one that is found, else one that is made once.

A column that vanished is looked for once more. A new one in its place is made only after a teacher said yes: deleting
it may have been meant, and two columns for one piece of work are worse than none.
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from django.db.models import Q
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from courseway.courses.models import Assignment
from courseway.grades.exchange import DeliveryError, PostponedError, Release, Steps, Turn, ask
from courseway.grades.models import LineItemSearch
from courseway.lms.models import ResourceLink
from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER
from ltikit.errors import ServiceNotFoundError, ServiceRejectedError
from ltikit.v13.ags import (
    LineItem,
    choose_lineitem,
    create_lineitem_request,
    lineitems_request,
    parse_lineitem,
    parse_lineitems,
)

TAG = "grade"
MAX_LABEL = 100  # characters that every platform takes: Open edX refuses more
MAX_PAGES = 50
REVIEWING = (
    "canvas",
    "moodle",
)  # families known to open work from their gradebook; others refuse what they do not know
LEASE = timedelta(seconds=150)
ANOTHER_LOOKS_SECONDS = 3.0


def lineitem_of(link: ResourceLink, assignment: Assignment, *, token: str, now: datetime) -> Steps[str]:
    """The address of the link's line item. Asks the LMS only when it is not known yet."""
    if link.lineitem_url:
        return link.lineitem_url
    return (yield from _find_alone(link, assignment, token=token, gone_url="", now=now))


def replace_lineitem(
    link: ResourceLink, assignment: Assignment, *, gone_url: str, token: str, now: datetime
) -> Steps[str]:
    """Another line item of the link after the LMS said that `gone_url` does not exist."""
    return (yield from _find_alone(link, assignment, token=token, gone_url=gone_url, now=now))


def allow_new_lineitem(link: ResourceLink, *, now: datetime) -> None:
    """A teacher said yes: if there is no line item of the link, make one."""
    LineItemSearch.objects.update_or_create(resource_link=link, defaults={"may_create_at": now})


def _find_alone(link: ResourceLink, assignment: Assignment, *, token: str, gone_url: str, now: datetime) -> Steps[str]:
    """One search at a time for a link, in this process and in all others."""
    turn = ("lineitem", link.pk, "")
    yield Turn(turn)
    url = yield from _find_leased(link, assignment, token=token, gone_url=gone_url, now=now)
    yield Release(turn)
    return url


def _find_leased(link: ResourceLink, assignment: Assignment, *, token: str, gone_url: str, now: datetime) -> Steps[str]:
    LineItemSearch.objects.bulk_create([LineItemSearch(resource_link=link)], ignore_conflicts=True)
    lease_token = secrets.token_hex(16)
    free = Q(lease_token="") | Q(leased_until__lt=now)
    taken = LineItemSearch.objects.filter(free, resource_link=link).update(
        lease_token=lease_token, leased_until=now + LEASE
    )
    if not taken:
        raise PostponedError(ANOTHER_LOOKS_SECONDS)
    try:
        # Somebody may have found it while we waited, or a launch may have named another one.
        known = ResourceLink.objects.values_list("lineitem_url", flat=True).get(pk=link.pk)
        if known and known != gone_url:
            url = known
        else:
            search = LineItemSearch.objects.get(resource_link=link)
            url = yield from _find_or_make(link, assignment, search, token=token, gone_url=gone_url, now=now)
            # The gone one may be forgotten by now; one that a launch named meanwhile stays.
            ResourceLink.objects.filter(pk=link.pk, lineitem_url__in=(gone_url, "")).update(lineitem_url=url)
            LineItemSearch.objects.filter(pk=search.pk).update(gone_at=None, may_create_at=None)
        link.lineitem_url = url
        return url
    finally:
        LineItemSearch.objects.filter(resource_link=link, lease_token=lease_token).update(
            lease_token="", leased_until=None
        )


def _find_or_make(
    link: ResourceLink, assignment: Assignment, search: LineItemSearch, *, token: str, gone_url: str, now: datetime
) -> Steps[str]:
    scopes = link.ags_scopes.split()
    can_read = vocabulary.SCOPE_LINEITEM in scopes or vocabulary.SCOPE_LINEITEM_READONLY in scopes
    if link.lineitems_url and can_read:
        found = yield from _find(link, assignment, token=token, gone_url=gone_url)
        if found is not None:
            return found.id
    if gone_url and search.gone_at is None:
        LineItemSearch.objects.filter(pk=search.pk).update(gone_at=now)
        ResourceLink.objects.filter(pk=link.pk, lineitem_url=gone_url).update(lineitem_url="")
    if (gone_url or search.gone_at is not None) and search.may_create_at is None:
        raise DeliveryError("line_item_gone", _("The column was deleted in the LMS. Should a new one be made?"))
    if not link.lineitems_url or vocabulary.SCOPE_LINEITEM not in scopes:
        raise DeliveryError(
            "no_line_item",
            _("The LMS has no column for this link and does not allow making one. Give the link points in the LMS."),
        )
    item = LineItem(
        id="",
        label=Truncator(assignment.title or link.title or "–").chars(MAX_LABEL),
        score_maximum=assignment.points if assignment.points > 0 else Decimal(100),
        resource_link_id=link.resource_link_id,
        resource_id=assignment.content_id,
        tag=TAG,
        is_reviewable=link.context.family.lower() in REVIEWING,
    )
    try:
        return (yield from _make(link, item, token=token))
    except ServiceRejectedError:
        whole = item.score_maximum.to_integral_value(ROUND_CEILING)
        if whole == item.score_maximum:
            raise
        # Open edX has columns of whole points only. Each score carries its own maximum, so no grade is rounded.
        return (yield from _make(link, replace(item, score_maximum=whole), token=token))


def _make(link: ResourceLink, item: LineItem, *, token: str) -> Steps[str]:
    request = create_lineitem_request(link.lineitems_url, item, token=token)
    response = yield from ask(request)
    return parse_lineitem(response, url=request.url).id


def list_columns(lineitems_url: str, *, token: str) -> Steps[list[LineItem]]:
    """Every column that this tool has in the LMS course."""
    return (yield from _list(lineitems_url, {}, token=token))


def _find(link: ResourceLink, assignment: Assignment, *, token: str, gone_url: str) -> Steps[LineItem | None]:
    """First what the LMS ties to the link; then what a copied course brought along, known by our own id."""
    for filters in ({"resource_link_id": link.resource_link_id}, {"resource_id": assignment.content_id, "tag": TAG}):
        items = yield from _list(link.lineitems_url, filters, token=token)
        chosen = choose_lineitem(
            [item for item in items if item.id != gone_url],
            resource_link_id=link.resource_link_id,
            resource_id=assignment.content_id,
            tag=TAG,
        )
        if chosen is not None:
            return chosen
    return None


def _list(lineitems_url: str, filters: dict[str, str], *, token: str) -> Steps[list[LineItem]]:
    items: list[LineItem] = []
    request = lineitems_request(lineitems_url, token=token, **filters)  # type: ignore[arg-type]
    asked = {request.url}
    for _page in range(MAX_PAGES):
        response = yield from ask(request, max_bytes=MAX_ANSWER)
        try:
            found, following = parse_lineitems(response, url=request.url)
        except ServiceNotFoundError:
            break  # some platforms answer an unmatched filter so
        items += found
        if following is None or following in asked:
            break
        request = lineitems_request(following, token=token)
        asked.add(request.url)
    return items
