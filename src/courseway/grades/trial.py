"""A test score: shows that a platform takes grades, without touching anybody's grade.

It goes into a column of its own, known by its resource id, which is removed again unless it is to be looked at.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from courseway import outbound
from courseway.grades.exchange import DeliveryError
from courseway.lms.models import Platform, ResourceLink
from courseway.lms.tool_keys import signing_key
from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER
from ltikit.errors import ServiceError
from ltikit.services import raise_for_status
from ltikit.v13.ags import (
    ActivityProgress,
    GradingProgress,
    LineItem,
    Result,
    Score,
    create_lineitem_request,
    delete_lineitem_request,
    lineitems_request,
    parse_lineitem,
    parse_lineitems,
    parse_results,
    parse_score_response,
    results_request,
    score_request,
)
from ltikit.v13.token import parse_token_response, token_request

RESOURCE_ID = "courseway-test-score"
TAG = "test"
MAXIMUM = Decimal(100)
NEEDED_SCOPES = (vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_SCORE)


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen. `result` is what the LMS says that it holds, None where it does not say."""

    lineitem_url: str
    was_made: bool
    score: Decimal
    result: Result | None
    was_removed: bool


def send_test_score(
    platform: Platform, *, user_id: str, context_id: str | None, percent: Decimal, keep: bool, now: datetime
) -> Trial:
    """Makes the column or finds it, posts a score for the person, and reads the result.

    Without a context, that of the newest link with a grade service. Raises DeliveryError when there is none, and
    ServiceError or OutboundError with the LMS's own words when a step fails.
    """
    link = _find_link(platform, context_id)
    scopes = [scope for scope in (*NEEDED_SCOPES, vocabulary.SCOPE_RESULT_READONLY) if scope in link.ags_scopes.split()]
    token = _ask_for_token(platform, scopes, now=now)
    item, was_made = _find_or_make_column(link, token)
    score = Score(
        user_id,
        now,
        ActivityProgress.COMPLETED,
        GradingProgress.FULLY_GRADED,
        score_given=percent,
        score_maximum=MAXIMUM,
    )
    parse_score_response(outbound.send(score_request(item.id, score, token=token)))
    result = None
    if vocabulary.SCOPE_RESULT_READONLY in scopes:
        request = results_request(item.id, token=token, user_id=user_id)
        results, _next = parse_results(outbound.send(request, max_bytes=MAX_ANSWER), url=request.url)
        result = next((one for one in results if one.user_id == user_id), None)
    was_removed = was_made and not keep and _remove_column(item, token)
    return Trial(item.id, was_made, percent, result, was_removed=was_removed)


def _find_link(platform: Platform, context_id: str | None) -> ResourceLink:
    if platform.version != Platform.Version.V13:
        raise DeliveryError("no_grade_service", _("LTI 1.1 has no columns of its own to try: send a real grade."))
    links = ResourceLink.objects.filter(deployment__platform=platform).exclude(lineitems_url="")
    if context_id is not None:
        links = links.filter(context__context_id=context_id)
    # The newest link whose launch offered what is needed.
    for link in links.order_by("-pk")[:100]:
        if set(NEEDED_SCOPES) <= set(link.ags_scopes.split()):
            return link
    raise DeliveryError(
        "no_grade_service",
        _("No link of this LMS came with a grade service that lets us make a column. Open a link there first."),
    )


def _ask_for_token(platform: Platform, scopes: list[str], *, now: datetime) -> str:
    registration = platform.registered_as
    request = token_request(
        token_url=registration.token_url,
        audience=registration.audience or registration.token_url,
        client_id=registration.client_id,
        scopes=scopes,
        key=signing_key(),
        now=now,
        jti=secrets.token_hex(16),
    )
    return parse_token_response(outbound.send(request), requested=scopes, now=now).value


def _remove_column(item: LineItem, token: str) -> bool:
    """False when the LMS refuses: Open edX grants no tool the right to delete. The next test then uses the column."""
    try:
        raise_for_status(outbound.send(delete_lineitem_request(item.id, token=token)))
    except ServiceError:
        return False
    return True


def _find_or_make_column(link: ResourceLink, token: str) -> tuple[LineItem, bool]:
    request = lineitems_request(link.lineitems_url, token=token, resource_id=RESOURCE_ID, tag=TAG)
    items, _next = parse_lineitems(outbound.send(request, max_bytes=MAX_ANSWER), url=request.url)
    for item in items:
        if (item.resource_id, item.tag) == (RESOURCE_ID, TAG):
            return item, False
    item = LineItem("", label=_("Courseway test score"), score_maximum=MAXIMUM, resource_id=RESOURCE_ID, tag=TAG)
    request = create_lineitem_request(link.lineitems_url, item, token=token)
    return parse_lineitem(outbound.send(request), url=request.url), True
