"""One delivery: from the row to the requests that make the LMS hold the grade, and what their answers mean."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from django.utils.translation import gettext as _

from courseway import secrets_box
from courseway.grades.exchange import DeliveryError, Release, Steps, Turn, ask
from courseway.grades.lineitems import lineitem_of, replace_lineitem
from courseway.grades.models import Delivery
from courseway.grades.tokens import drop_token, find_token, keep_token, scopes_to_ask
from courseway.lms.arrivals import sourcedid_place
from courseway.lms.keys import reveal_secret
from courseway.lms.models import Arrival, ConsumerKey, Platform
from courseway.lms.tool_keys import signing_key
from ltikit import vocabulary
from ltikit.errors import ServiceNotFoundError, ServiceUnauthorizedError
from ltikit.launch import Outcomes
from ltikit.parameters import is_web_url
from ltikit.quirks import find_profile
from ltikit.v11.outcomes import delete_result_request, parse_outcome_response, replace_result_request
from ltikit.v13.ags import ActivityProgress, GradingProgress, Score, parse_score_response, score_request
from ltikit.v13.token import parse_token_response, token_request

_FOUR_DECIMALS = Decimal("0.0001")
_ACTIVITY = {
    "completed": ActivityProgress.COMPLETED,
    "submitted": ActivityProgress.SUBMITTED,
    "started": ActivityProgress.IN_PROGRESS,
}


@dataclass(eq=False, slots=True)
class Job:
    """A claimed delivery. `arrival` is the newest one of this person at this link, None if there is none.

    `listed_as` is then the LMS user id of somebody whom the LMS lists as a student and who has not come yet.
    """

    delivery: Delivery
    arrival: Arrival | None
    now: datetime
    lease_token: str
    listed_as: str = ""
    claimed_at: float = field(default_factory=time.monotonic)  # of the monotonic clock
    requests: int = 0
    milliseconds: int = 0


@dataclass(frozen=True, slots=True)
class Taken:
    """The LMS took the grade. `is_later`: it said that it will work on it later, so a newer value has to wait."""

    platform_status: int
    words: str = ""
    is_later: bool = False


def deliver(job: Job) -> Steps[Taken]:
    """Make the LMS hold what is wanted. Raises ServiceError, OutboundError, DeliveryError or PostponedError."""
    platform = job.delivery.platform
    if platform.revoked_at is not None:
        raise DeliveryError("platform_revoked", _("The connection to this LMS was revoked."))
    user_id = job.arrival.identity.lms_user_id if job.arrival else job.listed_as
    if platform.version == Platform.Version.V13 and user_id:
        return (yield from _deliver_by_score(job, user_id))
    if job.arrival is None:
        raise DeliveryError("never_arrived", _("This person has not come through this link any more."))
    return (yield from _deliver_by_outcomes(job, job.arrival))


def _deliver_by_outcomes(job: Job, arrival: Arrival) -> Steps[Taken]:
    """Basic Outcomes 1.1: a fraction of the full points, or nothing."""
    delivery, consumer_key = job.delivery, job.delivery.platform.consumer_key
    outcomes, secret = open_outcomes(arrival, consumer_key)
    message_id, nonce = secrets.token_hex(16), secrets.token_hex(16)
    if delivery.tried_score is None or not delivery.tried_maximum:
        request = delete_result_request(
            outcomes, consumer_key=consumer_key.key, secret=secret, message_id=message_id, nonce=nonce, now=job.now
        )
    else:
        request = replace_result_request(
            outcomes,
            score=delivery.tried_score / delivery.tried_maximum,
            consumer_key=consumer_key.key,
            secret=secret,
            message_id=message_id,
            nonce=nonce,
            now=job.now,
            # Canvas shows one of them beside the grade; what it did not offer to take is left out (ltikit).
            result_url=_find_feedback_url(delivery.tried_comment),
            result_text=delivery.tried_comment,
            submitted_at=delivery.wanted_submitted_at,
        )
    response = yield from ask(request)
    answer = parse_outcome_response(response, message_id=message_id, sourcedid=outcomes.sourcedid)
    return Taken(response.status, answer.description, is_later=answer.is_accepted_only)


def _find_feedback_url(comment: str) -> str:
    """The address that stands last in what goes to the LMS with a grade, below the teacher's words (H6)."""
    last = comment.rpartition("\n\n")[2]
    return last if is_web_url(last) else ""


def open_outcomes(arrival: Arrival, consumer_key: ConsumerKey) -> tuple[Outcomes, str]:
    """Where and under which name the LMS takes the grade of this person, and the secret to sign with."""
    if not (arrival.outcome_url and arrival.result_sourcedid_encrypted):
        raise DeliveryError("no_grade_service", _("The LMS asked for no grade when this link was opened."))
    try:
        sourcedid = secrets_box.unlock(arrival.result_sourcedid_encrypted, place=sourcedid_place(arrival.key))
        accepts = frozenset(arrival.outcome_accepts.split())
        return Outcomes(arrival.outcome_url, sourcedid, accepts), reveal_secret(consumer_key)
    except secrets_box.SecretUnreadableError as error:
        raise DeliveryError("secret_unreadable", str(error)) from None


def _deliver_by_score(job: Job, user_id: str) -> Steps[Taken]:
    """AGS 2.0: real score and maximum. One more go each for a token that was refused and for a column that is gone."""
    delivery, link = job.delivery, job.delivery.resource_link
    offered = link.ags_scopes.split()
    if vocabulary.SCOPE_SCORE not in offered:
        raise DeliveryError("no_grade_service", _("The LMS did not offer its grade service when the link was opened."))
    scopes = scopes_to_ask(link.ags_scopes)
    score = build_score(delivery, user_id)
    has_replaced = has_renewed = False
    gone_url = ""
    while True:
        token = yield from token_of(delivery.platform, scopes, now=job.now)
        try:
            if gone_url:
                url = yield from replace_lineitem(
                    link, delivery.assignment, gone_url=gone_url, token=token, now=job.now
                )
                gone_url = ""
            else:
                url = yield from lineitem_of(link, delivery.assignment, token=token, now=job.now)
            response = yield from ask(score_request(url, score, token=token))
            parse_score_response(response)
        except ServiceUnauthorizedError:
            drop_token(delivery.platform, scopes, token)
            if has_renewed:
                raise
            has_renewed = True
        except ServiceNotFoundError:
            if has_replaced or not link.lineitem_url:
                raise
            has_replaced, gone_url = True, link.lineitem_url
        else:
            return Taken(response.status)


def build_score(delivery: Delivery, user_id: str) -> Score:
    """The score as AGS takes it. Without a grade it clears an earlier one (AGS 2.0 §4.5), or says that work which was
    handed in waits for a person."""
    timestamp = delivery.last_timestamp_at
    assert timestamp is not None  # noqa: S101 - the claim wrote it
    if delivery.tried_score is None or not delivery.tried_maximum:
        if delivery.sent_score is not None or delivery.wanted_submitted_at is None:
            return Score(user_id, timestamp, ActivityProgress.INITIALIZED, GradingProgress.NOT_READY)
        return Score(
            user_id,
            timestamp,
            _ACTIVITY.get(delivery.wanted_progress, ActivityProgress.COMPLETED),
            GradingProgress.PENDING_MANUAL,
            started_at=delivery.wanted_started_at,
            submitted_at=delivery.wanted_submitted_at,
        )
    profile = find_profile(delivery.resource_link.context.family)
    return Score(
        user_id,
        timestamp,
        _ACTIVITY.get(delivery.wanted_progress, ActivityProgress.COMPLETED),
        # Always final: Moodle clears the grade of a score that is not (facts of AGS §3.4.8 in practice).
        GradingProgress.FULLY_GRADED,
        score_given=delivery.tried_score.quantize(_FOUR_DECIMALS, rounding=ROUND_HALF_EVEN),
        score_maximum=delivery.tried_maximum,
        comment=delivery.tried_comment.replace("\n", "<br/>") if profile.has("B2") else delivery.tried_comment,
        started_at=delivery.wanted_started_at,
        submitted_at=delivery.wanted_submitted_at,
        # A grade that changes uses up none of the student's attempts.
        extensions={vocabulary.CANVAS_SUBMISSION: {"new_submission": False}} if profile.has("C7") else {},
    )


def token_of(platform: Platform, scopes: str, *, now: datetime) -> Steps[str]:
    """The platform's access token; one delivery asks for a new one while the others wait for it."""
    token = find_token(platform, scopes, now=now)
    if token is not None:
        return token
    turn = ("token", platform.pk, scopes)
    yield Turn(turn)
    token = find_token(platform, scopes, now=now)
    if token is None:
        token = yield from _ask_for_token(platform, scopes, now=now)
    yield Release(turn)
    return token


def _ask_for_token(platform: Platform, scopes: str, *, now: datetime) -> Steps[str]:
    registration = platform.registered_as
    try:
        key = signing_key()
    except secrets_box.SecretUnreadableError as error:
        raise DeliveryError("secret_unreadable", str(error)) from None
    request = token_request(
        token_url=registration.token_url,
        audience=registration.audience or registration.token_url,
        client_id=registration.client_id,
        scopes=scopes.split(),
        key=key,
        now=now,
        jti=secrets.token_hex(16),
    )
    response = yield from ask(request)
    granted = parse_token_response(response, requested=scopes.split(), now=now)
    keep_token(platform, scopes, granted)
    return granted.value
