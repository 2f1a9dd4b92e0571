"""Notices of an LMS: taken at once, acted on in the background, each once, whoever sends it how often."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote

from django.db import transaction

from courseway import leases
from courseway.lms import keysets, platforms
from courseway.lms.arrivals import connect_context
from courseway.lms.copies import make_child
from courseway.lms.detection import read_facts
from courseway.lms.known import read_known
from courseway.lms.models import Deployment, NoticeSubscription, Platform, Registration
from courseway.lms.models import Notice as NoticeRow
from courseway.lms.platforms import KnownPlatform
from courseway.lms.resolve import COPY, Kind, Target, check_course_openable, resolve_navigation
from ltikit.errors import LtiError, UnknownDeploymentError, UnknownKeyError, UnknownPlatformError
from ltikit.launch import Context, Launch, Message, Person, Role
from ltikit.v13.jwt import peek_unverified_claims
from ltikit.v13.notices import CONTEXT_COPY, HELLO_WORLD, Notice, verify_notice

MAX_TRIES: Final = 5
RETRY_AFTER: Final = timedelta(minutes=1)
# Longer than a notice can be valid, so that forgetting an old one lets nobody send it again.
KEPT: Final = timedelta(days=30)

logger = logging.getLogger(__name__)


def take_notice(token: str, *, now: datetime) -> bool:
    """Verifies a notice and keeps it for the worker; False if it came before.

    Raises an LtiError for one that is not signed by a platform of ours, not for us, too old, or of a deployment that
    may not come.
    """
    platform = _find_platform(token)
    notice = _verify(token, platform, now=now)
    if platform.is_shared:
        share = platforms.find_share(platform, notice.deployment_id, is_fresh=True)
        if share is None or share.is_revoked:
            raise UnknownDeploymentError(f"deployment {notice.deployment_id!r} is no organization's")
        platform = share
    deployment = _find_deployment(platform, notice, now=now)
    context = notice.context
    made = NoticeRow.objects.bulk_create(
        [
            NoticeRow(
                platform_id=platform.pk,
                deployment=deployment,
                notice_id=notice.id,
                kind=notice.kind,
                context_id=context.id if context else "",
                context_title=(context.title or context.label)[:500] if context else "",
                origin_context_ids=list(notice.origin_context_ids),
                received_at=now,
                next_try_at=now,
            )
        ],
        ignore_conflicts=True,
    )
    return bool(made)


def act_on_due(*, now: datetime) -> int:
    """Acts on notices that wait; how many."""
    due = NoticeRow.objects.select_related("deployment").filter(platform__revoked_at=None)
    claimed = leases.claim(due, now=now, limit=20)
    for row in claimed:
        mine = NoticeRow.objects.filter(pk=row.pk, lease_token=row.lease_token)
        try:
            outcome = _act(row, now=now)
        except LtiError as error:
            outcome = error.code
        except Exception:
            logger.exception("A notice could not be acted on.")
            again = now + RETRY_AFTER if row.tries + 1 < MAX_TRIES else None
            mine.update(tries=row.tries + 1, next_try_at=again, lease_token="", outcome="" if again else "failed")
            continue
        mine.update(outcome=outcome[:40], next_try_at=None, lease_token="")
    return len(claimed)


def _act(row: NoticeRow, *, now: datetime) -> str:
    """What became of it, in a word."""
    if row.kind == HELLO_WORLD:
        NoticeSubscription.objects.filter(deployment=row.deployment).update(greeted_at=row.received_at)
        return "greeted"
    if row.kind == CONTEXT_COPY:
        return _prepare_child(row, now=now)
    return "not_used"


def _prepare_child(row: NoticeRow, *, now: datetime) -> str:
    """The child of the course that the copied LMS course opened, by the same rules as a launch from the copy would
    make it (E2): the launch then finds it, also when both come at once."""
    if not row.context_id or not row.origin_context_ids:
        return "nothing_copied"  # Canvas leaves the origin out at times (C43): the first launch finds it out
    platform = platforms.find_by_pk(row.platform_id, is_fresh=True)
    if platform is None or platform.is_revoked:
        return "platform_gone"
    launch, target = _as_launch(row, platform, now=now), Target(Kind.NAVIGATION)
    with transaction.atomic():
        # Launches that may make copies wait at the same row.
        Platform.objects.select_for_update(no_key=True).get(pk=platform.pk)
        known = read_known(launch, platform.pk, target)
        resolution = resolve_navigation(read_facts(launch, platform, target, link_target="", link_opened=None))
        if known is None or resolution is None:
            return "nothing_known"
        if resolution.copy_of is None:
            return "known_already" if resolution.rule != "context_history" else "copies_not_allowed"
        check_course_openable(resolution.copy_of, Role.TEACHER)
        child, _ = make_child(launch, platform.pk, resolution, resolution.copy_of, now=now)
        connect_context(launch, platform, known, [child.pk], rule=COPY, now=now)
    return "prepared"


def _as_launch(row: NoticeRow, platform: KnownPlatform, *, now: datetime) -> Launch:
    """What a launch from the copy would say of its course; it is nobody's, and opens nothing."""
    history = ",".join(quote(one, safe="") for one in row.origin_context_ids)
    return Launch(
        version="1.3",
        message=Message.RESOURCE_LINK,
        issuer=platform.issuer,
        client_id=platform.client_id,
        consumer_key="",
        deployment_id=row.deployment.deployment_id,
        person=Person(None),
        role=Role.TEACHER,
        roles=(),
        nonce="",
        issued_at=now,
        context=Context(id=row.context_id, title=row.context_title),
        custom={"context_id_history": history},
        custom_lists={"context_id_history": (history,)},
    )


def _find_platform(token: str) -> KnownPlatform:
    """Whose notice it claims to be; the signature then says whether that is true."""
    claims = peek_unverified_claims(token)
    issuer, audience = claims.get("iss"), claims.get("aud")
    for client_id in (audience if isinstance(audience, list) else [audience])[:5]:
        if isinstance(issuer, str) and isinstance(client_id, str) and client_id:
            found = platforms.find_by_issuer(issuer, client_id, is_fresh=True)
            if found is not None and not found.is_revoked:
                return found
    raise UnknownPlatformError("no registration of this issuer and client id")


def _verify(token: str, platform: KnownPlatform, *, now: datetime) -> Notice:
    keys = keysets.keyset_for(platform, now=now)
    try:
        return verify_notice(token, issuer=platform.issuer, client_id=platform.client_id, keys=keys, now=now)
    except UnknownKeyError:
        renewed = keysets.refetch_keyset(platform, now=now)
        if renewed is None:
            raise
        return verify_notice(token, issuer=platform.issuer, client_id=platform.client_id, keys=renewed, now=now)


def _find_deployment(platform: KnownPlatform, notice: Notice, *, now: datetime) -> Deployment:
    """A deployment that launches may come from; by the same rule a new one is listed (A3)."""
    is_approved = platform.deployment_policy != Registration.DeploymentPolicy.APPROVED
    deployment, _ = Deployment.objects.get_or_create(
        platform_id=platform.pk,
        deployment_id=notice.deployment_id,
        defaults={"approved": is_approved, "created_at": now},
    )
    if not deployment.approved:
        raise UnknownDeploymentError(f"deployment {notice.deployment_id!r} waits for approval")
    return deployment
