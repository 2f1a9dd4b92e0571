"""An LMS that moved from LTI 1.1 to 1.3, or back: its people and links stay the same people and links (B7).

Two platforms are the same LMS by a signed `lti1p1` claim, or by an owner's word; nothing else joins them, least of all
ids that happen to be equal. From then on each id of one version leads to what the other version knew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from courseway.courses.models import Assignment
from courseway.lms.detection import candidate_of
from courseway.lms.keys import raise_config_version, reveal_secret
from courseway.lms.models import Arrival, ConsumerKey, LmsIdentity, Platform, PlatformJoin, ResourceLink
from courseway.lms.platforms import KnownPlatform
from courseway.lms.resolve import Candidate
from ltikit.launch import Launch
from ltikit.v13.migration import FormerIds, is_signed, read_former_ids

NOT_SIGNED = "lti1p1: the key is not known here, or is not signed with its secret; nothing was carried over"


@dataclass(frozen=True, slots=True)
class Former:
    """What a launch's person, course and link were under the other version, and what is known of them.

    `problem` says why nothing was carried over, for the log; then all else is empty. `is_proven` is true for a claim
    that was signed: it joins the platforms.
    """

    platform_pk: int = 0
    user_id: str = ""
    context_id: str = ""
    person_pk: int | None = None
    link_pk: int | None = None
    candidate: Candidate | None = None
    is_proven: bool = False
    problem: str = ""


def find_former(launch: Launch, platform: KnownPlatform) -> Former | None:
    """What the launch was under the other version; None if the LMS has none, or nobody proved which."""
    ids = read_former_ids(launch) if launch.version == "1.3" else None
    if ids is not None and ids.consumer_key:
        return _find_proven(launch, platform, ids)
    joins = PlatformJoin.objects.filter(_joins_of(launch, platform))
    other = joins.values_list("former" if launch.version == "1.3" else "platform", flat=True).first()
    if other is None:
        return None
    return _read(other, ids or _ids_of(launch))


def remember_former(launch: Launch, platform: KnownPlatform, former: Former, person_pk: int, now: datetime) -> None:
    """Joins the platforms after a signed claim, and keeps who the person was, for the way back.

    To be called in the transaction of the arrival.
    """
    if former.is_proven:
        join_platforms(platform.pk, former.platform_pk, deployment_id=launch.deployment_id, now=now)
    LmsIdentity.objects.bulk_create(
        [
            LmsIdentity(
                platform_id=former.platform_pk,
                lms_user_id=former.user_id,
                person_id=person_pk,
                name=launch.person.name[:255],
                email=launch.person.email[:255],
                folded_email=launch.person.email[:255].casefold(),
                is_test_user=launch.person.is_test_user,
                created_at=now,
            )
        ],
        ignore_conflicts=True,
    )


def find_former_people(platform: Platform, deployment_id: str, ids: Mapping[str, str]) -> dict[str, int]:
    """People of a roster whom the LMS's other version of LTI knew. `ids` are their ids there, by their ids of today."""
    if not platform.is_joined or not ids:
        return {}
    if platform.version == Platform.Version.V13:
        joins = PlatformJoin.objects.filter(platform=platform, deployment_id__in=("", deployment_id))
        others = set(joins.values_list("former", flat=True))
    else:
        others = set(PlatformJoin.objects.filter(former=platform).values_list("platform", flat=True))
    rows = LmsIdentity.objects.filter(platform__in=others, lms_user_id__in=set(ids.values())).order_by("-pk")
    known = dict(rows.values_list("lms_user_id", "person"))
    return {today: known[then] for today, then in ids.items() if then in known}


def join_platforms(platform_pk: int, former_pk: int, *, deployment_id: str, now: datetime) -> None:
    """From now on both are one LMS. An empty deployment id means every deployment: an owner said so."""
    row = PlatformJoin(platform_id=platform_pk, former_id=former_pk, deployment_id=deployment_id, created_at=now)
    PlatformJoin.objects.bulk_create([row], ignore_conflicts=True)
    for platform in Platform.objects.filter(pk__in=(platform_pk, former_pk), is_joined=False):
        Platform.objects.filter(pk=platform.pk).update(is_joined=True)
        raise_config_version(platform)


def supersede_older(person_pk: int, link_pk: int, former: Former | None) -> None:
    """The newest launch decides which grade service counts: the one of this link, not that of its other version."""
    if former is not None and former.link_pk not in (None, link_pk):
        ResourceLink.objects.filter(pk=link_pk, twin=None).exclude(twins=former.link_pk).update(twin=former.link_pk)
    twins = ResourceLink.objects.filter(Q(twin=link_pk) | Q(twins=link_pk)).exclude(pk=link_pk)
    others = Arrival.objects.filter(person=person_pk, resource_link__in=twins.values("pk"), superseded_by=None)
    others.update(superseded_by=link_pk)


def _find_proven(launch: Launch, platform: KnownPlatform, ids: FormerIds) -> Former:
    """A key that is named has to be signed: platforms fill the claim in also where they cannot sign it (G10)."""
    keys = ConsumerKey.objects.filter(platform__organization=platform.organization_id, platform__revoked_at=None)
    row = keys.filter(key=ids.consumer_key).first()
    if row is None or not is_signed(ids, launch, secret=reveal_secret(row)):
        return Former(problem=NOT_SIGNED)
    return _read(row.platform_id, ids, is_proven=True)


def _joins_of(launch: Launch, platform: KnownPlatform) -> Q:
    if launch.version == "1.3":
        return Q(platform=platform.pk, deployment_id__in=("", launch.deployment_id))
    return Q(former=platform.pk)


def _ids_of(launch: Launch) -> FormerIds:
    return FormerIds(
        user_id=launch.person.user_id or "",
        context_id=launch.context.id if launch.context else "",
        resource_link_id=launch.resource_link.id if launch.resource_link else "",
    )


def _read(platform_pk: int, ids: FormerIds, **known: Any) -> Former:
    person = LmsIdentity.objects.filter(platform=platform_pk, lms_user_id=ids.user_id).values_list("person", flat=True)
    link = (
        ResourceLink.objects.select_related("assignment__course")
        .filter(
            deployment__platform=platform_pk,
            context__context_id=ids.context_id,
            resource_link_id=ids.resource_link_id,
        )
        .first()
    )
    assignment: Assignment | None = link.assignment if link else None
    return Former(
        platform_pk=platform_pk,
        user_id=ids.user_id,
        context_id=ids.context_id,
        person_pk=person.first(),
        link_pk=link.pk if link else None,
        candidate=candidate_of(assignment, assignment.course) if assignment else None,
        **known,
    )
