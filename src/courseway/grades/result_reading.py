"""Reading what the LMS holds: by AGS a whole column at once, by Basic Outcomes 1.1 person by person."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from courseway.grades.delivery import open_outcomes, token_of
from courseway.grades.exchange import DeliveryError, Steps, ask
from courseway.grades.tokens import drop_token
from courseway.lms.models import Arrival, LmsIdentity, Platform, ResourceLink
from ltikit import vocabulary
from ltikit.answers import MAX_ANSWER
from ltikit.errors import PersonNotGradableError, ServiceUnauthorizedError
from ltikit.v11.outcomes import parse_outcome_response, read_result_request
from ltikit.v13.ags import parse_results, results_page_request, results_request

MAX_PAGES = 100
RESULTS_ON_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Held:
    """A grade in the LMS, of somebody's or of nobody's (`score` None)."""

    score: Decimal | None
    maximum: Decimal

    @property
    def fraction(self) -> Decimal | None:
        return None if self.score is None else self.score / self.maximum


@dataclass(slots=True)
class Reading:
    """What was read, by the primary keys of persons. Only of a complete one it is known who has no grade."""

    held: dict[int, Held] = field(default_factory=dict)
    is_complete: bool = True

    @property
    def shows_grades(self) -> bool:
        """False for an LMS that lists nobody's grade: it may keep them to itself until a teacher posts them."""
        return any(one.score is not None for one in self.held.values())


def can_read(link: ResourceLink) -> bool:
    """Whether the LMS lets this link's grades be read; LTI 1.1 shows it only when asked."""
    if link.deployment.platform.version == Platform.Version.V11:
        return True
    return vocabulary.SCOPE_RESULT_READONLY in link.ags_scopes.split()


def read_column(link: ResourceLink, *, now: datetime) -> Steps[Reading]:
    """Everybody's result of the link's line item (AGS 2.0 §3.3)."""
    platform = link.deployment.platform
    if not can_read(link):
        raise DeliveryError("no_grade_service", _("This LMS does not let tools read grades."))
    if not link.lineitem_url:
        raise DeliveryError("no_line_item", _("The LMS has no column for this link."))
    try:
        results, is_complete = yield from _read_pages(link, now=now)
    except ServiceUnauthorizedError:  # once more with a fresh token, which the refused one made room for
        results, is_complete = yield from _read_pages(link, now=now)
    identities = LmsIdentity.objects.filter(platform=platform, lms_user_id__in=results)
    people = identities.values_list("lms_user_id", "person_id")
    return Reading({person: results[user_id] for user_id, person in people}, is_complete)


def _read_pages(link: ResourceLink, *, now: datetime) -> Steps[tuple[dict[str, Held], bool]]:
    platform = link.deployment.platform
    token = yield from token_of(platform, vocabulary.SCOPE_RESULT_READONLY, now=now)
    request = results_request(link.lineitem_url, token=token, limit=RESULTS_ON_PAGE)
    asked, found = {request.url}, {}
    for _page in range(MAX_PAGES):
        response = yield from ask(request, max_bytes=MAX_ANSWER)
        try:
            results, following = parse_results(response, url=request.url)
        except ServiceUnauthorizedError:
            drop_token(platform, vocabulary.SCOPE_RESULT_READONLY, token)
            raise
        found.update({one.user_id: Held(one.score, one.maximum) for one in results})
        if following is None or following in asked:
            # A full page without a next one: some platforms (Moodle) name it in a way that cannot be read.
            return found, len(results) < RESULTS_ON_PAGE
        request = results_page_request(following, token=token)
        asked.add(request.url)
    return found, False


def read_one_by_one(arrivals: Iterable[Arrival], *, now: datetime) -> Iterator[tuple[int, Steps[Held | None]]]:
    """For each arrival of LTI 1.1 its person and the steps that read the grade; None where the LMS keeps none."""
    for arrival in arrivals:
        yield arrival.person_id, _read_outcome(arrival, now=now)


def _read_outcome(arrival: Arrival, *, now: datetime) -> Steps[Held | None]:
    consumer_key = arrival.platform.consumer_key
    outcomes, secret = open_outcomes(arrival, consumer_key)
    message_id = secrets.token_hex(16)
    request = read_result_request(
        outcomes,
        consumer_key=consumer_key.key,
        secret=secret,
        message_id=message_id,
        nonce=secrets.token_hex(16),
        now=now,
    )
    response = yield from ask(request)
    try:
        answer = parse_outcome_response(response, message_id=message_id, sourcedid=outcomes.sourcedid)
    except PersonNotGradableError:
        return None
    if answer.score is None and answer.score_text:
        return None  # a word instead of a number: nothing to compare with
    return Held(answer.score, Decimal(1))
