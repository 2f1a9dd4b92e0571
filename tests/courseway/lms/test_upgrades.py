"""An LMS moves from LTI 1.1 to 1.3, and back: nobody is doubled, nothing is lost, grades follow (B7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from courseway.grades.models import Delivery
from courseway.grades.moving import move_superseded
from courseway.learning.models import Submission
from courseway.learning.scoring import set_grade
from courseway.lms import platforms
from courseway.lms.models import Arrival, Context, CourseContext, Launch, LmsIdentity, PlatformJoin, ResourceLink
from courseway.lms.roster_changes import apply_roster
from courseway.lms.upgrades import join_platforms
from courseway.orgs.models import Person
from ltikit.members import Member
from ltikit.v13.migration import sign_consumer_key
from tests.cast import Cast
from tests.courseway.lms.test_launch import land
from tests.visits import CLAIM, TOOL, Lms11, Lms13, make_lms11, make_lms13, post_form

NOW = datetime(2026, 11, 22, tzinfo=UTC)
FORMER = {"user_id": "old-user", "context_id": "old-course", "resource_link_id": "old-link"}


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    platforms.forget_all()
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


def launch11(lms11: Lms11, cast: Cast, *, path: str = "", **changes: Any) -> Any:
    ids = {"user_id": "old-user", "context_id": "old-course", "resource_link_id": "old-link", **changes}
    return lms11.launch(Client(), path or f"/lti/a/{cast.operators.public_id}", **ids)


def launch13(
    client: Client, lms13: Lms13, signer: Lms11 | None, *, claim: dict[str, Any] | None = None, **changes: Any
) -> Any:
    """The same link by LTI 1.3, at the general address; the claim is signed with the key of `signer`."""
    asked = lms13.begin(client)
    claims = lms13.claims(None, asked["nonce"], **{CLAIM + "target_link_uri": TOOL + "/lti/launch", **changes})
    said = dict(FORMER if claim is None else claim)
    if signer is not None:
        said["oauth_consumer_key"] = signer.key
        said["oauth_consumer_key_sign"] = sign_consumer_key(
            signer.key,
            secret=signer.secret,
            deployment_id="1",
            issuer=lms13.issuer,
            client_id=lms13.client_id,
            expires_at=claims["exp"],
            nonce=asked["nonce"],
        )
    if said:
        claims[CLAIM + "lti1p1"] = said
    return post_form(client, "/lti/launch", [("id_token", lms13.token(claims)), ("state", asked["state"])])


def person_of(lms: Lms11 | Lms13, user_id: str) -> Person:
    return LmsIdentity.objects.get(platform=lms.platform, lms_user_id=user_id).person


def test_a_signed_claim_carries_person_link_and_course_over(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """The same person opens the same assignment by the same link; the LMS course is connected, and the log says why."""
    assert launch11(lms11, cast).status_code == 303
    sally = person_of(lms11, "old-user")
    set_grade(assignment=cast.operators, person=sally, percent=Decimal(40), complete=False, release=False, now=NOW)
    people = Person.objects.count()
    client = Client()
    page = land(client, launch13(client, lms13, lms11))
    assert f'data-assignment="{cast.operators.public_id}"' in page.content.decode()
    assert person_of(lms13, "user-1") == sally
    assert Person.objects.count() == people
    assert Submission.objects.get(person=sally).assignment == cast.operators
    row = Launch.objects.latest("pk")
    assert (row.rule, row.person, row.detail) == ("moved_link", sally, "")
    new = ResourceLink.objects.get(resource_link_id="link-1")
    assert new.twin == ResourceLink.objects.get(resource_link_id="old-link")
    assert CourseContext.objects.filter(context=new.context, course=cast.course).exists()
    assert PlatformJoin.objects.get().former == lms11.platform
    # The next launch, whose claim has another signature, is the same launch.
    assert launch13(Client(), lms13, lms11).status_code == 303
    assert LmsIdentity.objects.filter(person=sally).count() == 2


@pytest.mark.quirk("G10")
@pytest.mark.parametrize("how", ["no signature", "wrong signature", "unknown key", "another organization's key"])
def test_a_key_without_a_good_signature_carries_nothing(cast: Cast, lms11: Lms11, lms13: Lms13, how: str) -> None:
    """The launch opens all the same, as somebody new, and the log tells the owner why; also where ids were joined."""
    assert launch11(lms11, cast).status_code == 303
    join_platforms(lms13.platform.pk, lms11.platform.pk, deployment_id="", now=NOW)
    platforms.forget_all()
    signer, claim = None, {**FORMER, "oauth_consumer_key": lms11.key}
    if how == "wrong signature":
        claim["oauth_consumer_key_sign"] = "AAAA"
    if how == "unknown key":
        signer = Lms11("nobody", "secret", lms11.platform)
    if how == "another organization's key":
        signer = make_lms11(cast.umbrella)
    target = {CLAIM + "target_link_uri": f"{TOOL}/lti/a/{cast.operators.public_id}"}
    assert launch13(Client(), lms13, signer, claim=claim, **target).status_code == 303
    assert person_of(lms13, "user-1") != person_of(lms11, "old-user")
    assert "lti1p1" in Launch.objects.latest("pk").detail


def test_unsigned_ids_count_where_the_platforms_are_joined(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """Before an owner's word, or a signed claim of the deployment, they make somebody new; then they carry over."""
    launch11(lms11, cast)
    launch11(lms11, cast, user_id="second", lis_person_name_full="Bo")
    target = {CLAIM + "target_link_uri": f"{TOOL}/lti/a/{cast.operators.public_id}"}
    launch13(Client(), lms13, None, sub="early", claim={"user_id": "old-user"}, **target)
    assert person_of(lms13, "early") != person_of(lms11, "old-user")
    assert launch13(Client(), lms13, lms11).status_code == 303
    assert launch13(Client(), lms13, None, sub="new-2", claim={**FORMER, "user_id": "second"}).status_code == 303
    assert person_of(lms13, "new-2") == person_of(lms11, "second")
    launch11(lms11, cast, user_id="third")
    legacy = {CLAIM + "lti11_legacy_user_id": "third", **target}
    assert launch13(Client(), lms13, None, sub="new-3", claim={}, **legacy).status_code == 303
    assert person_of(lms13, "new-3") == person_of(lms11, "third")


def test_another_deployment_is_not_joined_by_a_claim(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """A signed claim speaks for its deployment alone: the next school of the same registration proves its own."""
    launch11(lms11, cast)
    launch13(Client(), lms13, lms11)
    other = {CLAIM + "deployment_id": "2", CLAIM + "target_link_uri": f"{TOOL}/lti/a/{cast.operators.public_id}"}
    assert launch13(Client(), lms13, None, sub="stranger", claim={"user_id": "old-user"}, **other).status_code == 303
    assert person_of(lms13, "stranger") != person_of(lms11, "old-user")


def test_grades_follow_the_newest_launch_and_back(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """What is owed goes to the service of the newest launch: by 1.3 after the upgrade, by 1.1 after the way back."""
    launch11(lms11, cast)
    sally = person_of(lms11, "old-user")

    def grade(percent: int, minutes: int) -> list[str]:
        now = datetime.now(UTC) + timedelta(minutes=minutes)
        owed = {"assignment": cast.operators, "person": sally, "percent": Decimal(percent), "now": now}
        set_grade(complete=True, release=True, **owed)
        waiting = Delivery.objects.filter(wanted_score=Decimal(percent) / 10).order_by("resource_link_id")
        return [one.platform.version for one in waiting]

    assert grade(40, 1) == ["1.1"]
    launch13(Client(), lms13, lms11)
    old = Delivery.objects.get()
    old.lease_token = "held"
    old.save()
    new_link = Arrival.objects.get(resource_link__resource_link_id="old-link").superseded_by_id
    assert new_link is not None
    move_superseded([(old, new_link)], now=NOW)
    moved = Delivery.objects.get(platform=lms13.platform)
    assert (moved.wanted_score, moved.state, moved.next_try_at) == (Decimal(4), "waiting", NOW)
    old.refresh_from_db()
    assert (old.next_try_at, old.state) == (None, "unchanged")
    assert grade(60, 2) == ["1.3"]
    assert launch11(lms11, cast).status_code == 303
    assert grade(80, 3) == ["1.1"]
    launch13(Client(), lms13, lms11)
    assert grade(90, 4) == ["1.3"]


def test_who_came_by_13_first_is_the_same_by_11(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """After the way back a person who began under LTI 1.3 is found by the id of the claim, or an equal one."""
    launch11(lms11, cast, user_id="first")
    launch13(Client(), lms13, lms11, claim={**FORMER, "user_id": "first"}, sub="sub-1")
    launch13(Client(), lms13, lms11, claim={**FORMER, "user_id": "told"}, sub="sub-2")
    launch13(Client(), lms13, lms11, claim={k: v for k, v in FORMER.items() if k != "user_id"}, sub="equal")
    people = Person.objects.count()
    for user_id, sub in (("told", "sub-2"), ("equal", "equal")):
        assert launch11(lms11, cast, user_id=user_id).status_code == 303
        assert person_of(lms11, user_id) == person_of(lms13, sub)
    assert Person.objects.count() == people


@pytest.mark.quirk("B9")
def test_an_owner_joins_by_hand(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """On the registration's page an owner says that a key is the same LMS: equal ids carry over, until taken back."""
    client = Client()
    client.force_login(cast.olive)
    host = {"secure": True, "HTTP_HOST": "tool.example"}
    page = f"/o/acme/lti/registrations/{lms13.platform.public_id}"
    foreign = make_lms11(cast.umbrella)
    assert client.post(f"{page}/join", {"key": foreign.platform.public_id}, **host).status_code == 404
    assert not PlatformJoin.objects.exists()
    assert client.post(f"{page}/join", {"key": lms11.platform.public_id}, **host).status_code == 302
    assert "Take back" in client.get(page, **host).content.decode()
    launch11(lms11, cast)
    ids = {"claim": {}, "sub": "old-user", CLAIM + "context": {"id": "old-course"}}
    assert launch13(Client(), lms13, None, **ids, **{CLAIM + "resource_link": {"id": "old-link"}}).status_code == 303
    assert person_of(lms13, "old-user") == person_of(lms11, "old-user")
    assert client.post(f"{page}/part/{PlatformJoin.objects.get().pk}", **host).status_code == 302
    launch11(lms11, cast, user_id="later")
    target = {CLAIM + "target_link_uri": f"{TOOL}/lti/a/{cast.operators.public_id}"}
    launch13(Client(), lms13, None, claim={}, sub="later", **target)
    assert person_of(lms13, "later") != person_of(lms11, "later")


@pytest.mark.quirk("G11")
def test_a_roster_knows_who_people_were(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """A list that arrives before a student's first launch by LTI 1.3 doubles nobody: old ids, or equal ones, count."""
    launch11(lms11, cast)
    launch11(lms11, cast, user_id="same-id", lis_person_name_full="Bo")
    launch11(lms11, cast, user_id="teacher", lis_person_name_full="Tina")
    launch13(Client(), lms13, lms11, claim={**FORMER, "user_id": "teacher"}, sub="sub-t")
    people = Person.objects.count()
    context = Context.objects.select_related("deployment__platform__organization").get(
        deployment__platform=lms13.platform
    )
    members = [
        Member("sub-1", ("Learner",), legacy_user_id="old-user", name="Sally"),
        Member("same-id", ("Learner",), name="Bo"),
        Member("sub-t", ("Instructor",), name="Tina"),
    ]
    apply_roster(context, members, is_whole=True, began_at=NOW, now=NOW)
    assert Person.objects.count() == people
    assert person_of(lms13, "sub-1") == person_of(lms11, "old-user")
    assert person_of(lms13, "same-id") == person_of(lms11, "same-id")


def test_both_versions_side_by_side_cost_what_they_did(cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """A person who opens the same link by one version again and again is landed by one statement, as ever."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from tests.courseway.lms.test_launch import count

    launch11(lms11, cast)
    for _ in range(3):
        launch13(Client(), lms13, lms11)
    with CaptureQueriesContext(connection) as statements:
        assert launch13(Client(), lms13, lms11).status_code == 303
    assert count(statements) == 1
