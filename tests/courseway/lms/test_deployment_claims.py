"""The short form: the operator registers an LMS once, organizations claim deployments, an administrator confirms."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from courseway.courses.models import Assignment, Course
from courseway.lms import platforms
from courseway.lms.deployment_claims import claim_deployment, list_pending_claims, withdraw_claim
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.keys import reinstate_platform, revoke_platform
from courseway.lms.models import Deployment, DeploymentClaim, Launch, LmsIdentity, Platform
from courseway.lms.models import Notice as NoticeRow
from courseway.lms.registrations import create_registration, share_registration
from courseway.orgs.models import Organization, Person
from tests.cast import Cast, make_cast
from tests.courseway.lms.selections import LINKING, ask_by_deep_linking, open_picker, press, read_deep_links
from tests.courseway.lms.test_launch import count, land
from tests.courseway.lms.test_notices import make_notice, send
from tests.visits import CLAIM, MEMBERSHIP, TOOL, Lms13, make_key, make_lms13, post_form

INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
ADMINISTRATOR = [INSTITUTION + "Administrator", MEMBERSHIP + "Instructor"]
TEACHER = [INSTITUTION + "Faculty", MEMBERSHIP + "Instructor"]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    platforms.forget_all()
    yield
    platforms.forget_all()


@pytest.fixture
def lms(cast: Cast) -> Lms13:
    return make_shared_lms()


def make_shared_lms() -> Lms13:
    """The operator's registration of an LMS, of which deployment 1 launches."""
    made = make_lms13(None, client_id="client-of-the-operator")
    made.platform.deployments.all().delete()
    return made


def claim(organization: Organization, lms: Lms13, deployment_id: str = "1") -> DeploymentClaim:
    return claim_deployment(organization, lms.platform, deployment_id, claimed_by=None, now=datetime.now(UTC))


def come(lms: Lms13, assignment: Assignment | None, roles: list[str], **changes: Any) -> Any:
    return lms.launch(Client(), assignment, **{"sub": f"user of {roles[0]}", CLAIM + "roles": roles, **changes})


def code_of(response: Any) -> str:
    text = response.content.decode()
    return str(text.partition('data-code="')[2].partition('"')[0])


def test_a_claim_counts_after_an_administrators_launch(client: Client, cast: Cast, lms: Lms13) -> None:
    """An owner's claim alone opens nothing; once an administrator has opened the organization's assignment from the
    deployment, everybody's launches from there are the organization's."""
    claim(cast.acme, lms)
    student = [MEMBERSHIP + "Learner"]
    assert code_of(come(lms, cast.operators, student)) == "deployment_not_confirmed"
    assert come(lms, cast.operators, ADMINISTRATOR).status_code == 303
    response = lms.launch(client, cast.operators, sub="student-1")
    assert land(client, response).status_code == 200
    identity = LmsIdentity.objects.get(lms_user_id="student-1")
    assert identity.person.organization == cast.acme
    assert (identity.platform.organization, identity.platform.shared) == (cast.acme, lms.platform)
    launch = Launch.objects.latest("pk")
    assert (launch.organization, launch.platform) == (cast.acme, identity.platform)
    assert not lms.platform.deployments.exists()


@pytest.mark.parametrize(
    "roles",
    [
        TEACHER,
        [MEMBERSHIP + "Learner"],
        [MEMBERSHIP + "Administrator"],
        [INSTITUTION + "Staff", MEMBERSHIP + "Instructor"],
        ["http://purl.imsglobal.org/vocab/lis/v2/institution/person/Administrator#Support"],
        ["Administrator"],
        [],
    ],
)
def test_nobody_else_confirms_a_claim(cast: Cast, lms: Lms13, roles: list[str]) -> None:
    """A teacher, a student, the administrator of one course, support staff and people without a role confirm nothing:
    they are refused, told what has to be done, and nothing of them is stored."""
    claim(cast.acme, lms)
    people = Person.objects.count()
    response = lms.launch(Client(), cast.operators, **{CLAIM + "roles": roles})
    assert (response.status_code, code_of(response)) == (403, "deployment_not_confirmed")
    assert "administrator" in response.content.decode()
    assert not DeploymentClaim.objects.filter(approved_at__isnull=False).exists()
    assert (Person.objects.count(), Platform.objects.filter(organization=cast.acme).count()) == (people, 0)


@pytest.mark.parametrize("role", [INSTITUTION + "Administrator", SYSTEM + "SysAdmin", SYSTEM + "Administrator"])
def test_whoever_administers_the_lms_confirms(cast: Cast, lms: Lms13, role: str) -> None:
    """Administrators of the institution and of the system count, whatever they are in the course."""
    claim(cast.acme, lms)
    come(lms, cast.operators, [role, MEMBERSHIP + "Learner"])
    assert DeploymentClaim.objects.get().approved_at is not None


def test_a_deployment_that_nobody_claimed_is_refused(cast: Cast, lms: Lms13) -> None:
    """Not even an administrator opens anything from a deployment that no organization entered; nothing is listed."""
    response = come(lms, cast.operators, ADMINISTRATOR)
    assert (response.status_code, code_of(response)) == (403, "deployment_not_claimed")
    claim(cast.acme, lms, "2")
    assert code_of(come(lms, cast.operators, ADMINISTRATOR)) == "deployment_not_claimed"
    assert not Deployment.objects.exists()


def test_the_target_says_whose_the_deployment_is(cast: Cast, lms: Lms13) -> None:
    """Of two organizations that claim a deployment the one wins whose assignment an administrator opens; the other one
    can neither take it then nor ever get a launch from it."""
    umbrella, acme = claim(cast.umbrella, lms), claim(cast.acme, lms)
    assert come(lms, cast.operators, ADMINISTRATOR).status_code == 303
    acme.refresh_from_db()
    assert acme.approved_at is not None
    response = come(lms, cast.foreign_assignment, ADMINISTRATOR)
    assert code_of(response) == "unknown_target"
    umbrella.refresh_from_db()
    assert umbrella.approved_at is None
    assert [one.is_lost for one in list_pending_claims(cast.umbrella)] == [True]
    withdraw_claim(umbrella)
    with pytest.raises(IntegrationError, match="belongs to another organization"):
        claim(cast.umbrella, lms)
    assert not Launch.objects.filter(organization=cast.umbrella).exists()


def test_an_administrators_launch_of_nothing_named_confirms_nothing(cast: Cast, lms: Lms13) -> None:
    """A launch that names no organization - the picker, the bare launch address, a course that is nobody's - cannot say
    whose the deployment is, not even where only one claims it: the claim may be a stranger's."""
    claim(cast.umbrella, lms)
    for target in ("/lti/launch", "/lti/resource_selection", "/lti/course_navigation", "/lti/e/" + "x" * 20):
        response = come(lms, None, ADMINISTRATOR, **{CLAIM + "target_link_uri": TOOL + target})
        assert code_of(response) == "deployment_not_confirmed", target
    assert code_of(come(lms, cast.operators, ADMINISTRATOR)) == "deployment_not_confirmed"
    assert DeploymentClaim.objects.get().approved_at is None


def targets_of(course: Course, assignment: Assignment) -> list[dict[str, Any]]:
    """All ways in which a launch can name an organization."""
    link, custom = CLAIM + "target_link_uri", CLAIM + "custom"
    return [
        {link: f"{TOOL}/lti/a/{assignment.public_id}"},
        {link: f"{TOOL}/lti/launch", custom: {"assignment_id": assignment.public_id}},
        {link: f"{TOOL}/lti/c/{assignment.content_id}"},
        {link: f"{TOOL}/lti/launch", custom: {"content_id": assignment.content_id}},
        {link: f"{TOOL}/lti/e/{course.public_id}"},
        {link: f"{TOOL}/lti/course_navigation", custom: {"course_target_id": course.public_id}},
    ]


@pytest.mark.parametrize("way", range(6))
def test_every_way_to_name_an_organization_counts(cast: Cast, lms: Lms13, way: int) -> None:
    """Address of an assignment, of content, of a course to enroll in, or a parameter: each says whose it is."""
    claim(cast.umbrella, lms)
    mine = claim(cast.acme, lms)
    come(lms, None, ADMINISTRATOR, **targets_of(cast.course, cast.operators)[way])
    mine.refresh_from_db()
    assert mine.approved_at is not None


def test_names_of_two_organizations_name_none(cast: Cast, lms: Lms13) -> None:
    """A launch that names courses of two organizations confirms neither's claim."""
    claim(cast.umbrella, lms)
    claim(cast.acme, lms)
    both = f"{cast.course.public_id}\n{cast.foreign_course.public_id}"
    changes = {CLAIM + "target_link_uri": f"{TOOL}/lti/course_navigation", CLAIM + "custom": {"course_target_id": both}}
    assert code_of(come(lms, None, ADMINISTRATOR, **changes)) == "deployment_not_confirmed"
    assert not DeploymentClaim.objects.filter(approved_at__isnull=False).exists()


def test_a_forged_administrator_confirms_nothing(cast: Cast, lms: Lms13) -> None:
    """A launch that is not signed by the LMS confirms no claim, and stands in no organization's log."""
    claim(cast.acme, lms)
    client = Client()
    asked = lms.begin(client)
    claims = lms.claims(cast.operators, asked["nonce"], **{CLAIM + "roles": ADMINISTRATOR})
    token = lms.token(claims, key=make_key("stranger"), kid=lms.key.kid)
    response = post_form(client, f"/lti/a/{cast.operators.public_id}", [("id_token", token), ("state", asked["state"])])
    assert code_of(response) == "bad_signature"
    assert DeploymentClaim.objects.get().approved_at is None
    assert Launch.objects.get().organization is None


def test_a_refusal_stands_in_the_log_of_whom_the_launch_names(cast: Cast, lms: Lms13) -> None:
    """The owner sees that somebody came and what is missing; an organization that only claims sees nothing of it."""
    claim(cast.umbrella, lms)
    claim(cast.acme, lms)
    come(lms, cast.operators, TEACHER)
    launch = Launch.objects.get()
    assert (launch.organization, launch.code, launch.step) == (cast.acme, "deployment_not_confirmed", "deployment")
    owner = Client()
    owner.force_login(cast.olive)
    page = owner.get(f"/o/acme/launches/{launch.reference}").content.decode()
    assert "an administrator of the LMS has to confirm it" in page
    assert "Sally" not in page
    come(lms, None, ADMINISTRATOR)
    assert Launch.objects.latest("pk").organization is None


def test_a_returning_person_costs_one_statement(client: Client, cast: Cast, lms: Lms13) -> None:
    """From a claimed deployment too: no statement for the login, one for the launch."""
    claim(cast.acme, lms)
    come(lms, cast.operators, ADMINISTRATOR)
    lms.launch(client, cast.operators)
    with CaptureQueriesContext(connection) as statements:
        lms.begin(client)
    assert count(statements) == 0
    with CaptureQueriesContext(connection) as statements:
        assert lms.launch(client, cast.operators).status_code == 303
    assert count(statements) == 1, [query["sql"] for query in statements]


def test_revoking_stops_launches_at_once(client: Client, cast: Cast, lms: Lms13) -> None:
    """An owner who revokes stops the own deployment, the operator all of them, whatever other processes remember."""
    claim(cast.acme, lms)
    come(lms, cast.operators, ADMINISTRATOR)
    lms.launch(client, cast.operators)
    share = Platform.objects.get(organization=cast.acme)
    for platform in (share, lms.platform):
        # As another process does it: what is in memory here stays.
        asked = lms.begin(client)
        revoke_platform(Platform.objects.get(pk=platform.pk))
        token = lms.token(lms.claims(cast.operators, asked["nonce"]))
        response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
        assert code_of(response) == "unknown_platform", platform
        reinstate_platform(Platform.objects.get(pk=platform.pk))
        assert lms.launch(client, cast.operators).status_code == 303


def test_new_keys_of_the_lms_count_at_once(client: Client, cast: Cast, lms: Lms13) -> None:
    """When the operator changes the registration, nobody gets in by the old keys, whatever this process remembers."""
    claim(cast.acme, lms)
    come(lms, cast.operators, ADMINISTRATOR)
    lms.launch(client, cast.operators)
    asked = lms.begin(client)
    registration = lms.platform.registration
    share_registration(
        issuer=registration.issuer,
        client_id=registration.client_id,
        authentication_url=registration.authentication_url,
        token_url=registration.token_url,
        keyset_url="https://127.0.0.1:9/keys",
    )
    token = lms.token(lms.claims(cast.operators, asked["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
    assert code_of(response) == "service_unavailable"


def test_notices_of_a_claimed_deployment_are_the_organizations(cast: Cast, lms: Lms13) -> None:
    """A notice is taken from a confirmed deployment alone, and belongs to the organization's platform."""
    claim(cast.acme, lms)
    assert send(make_notice(lms)).status_code >= 400
    assert not NoticeRow.objects.exists()
    come(lms, cast.operators, ADMINISTRATOR)
    assert send(make_notice(lms)).status_code < 300
    assert NoticeRow.objects.get().platform.organization == cast.acme
    assert not Deployment.objects.filter(platform=lms.platform).exists()


def test_people_of_two_deployments_are_two(cast: Cast, lms: Lms13) -> None:
    """The same user id from two deployments is two people: each deployment is an LMS of its own."""
    claim(cast.acme, lms, "1")
    claim(cast.umbrella, lms, "2")
    come(lms, cast.operators, ADMINISTRATOR, sub="7")
    come(lms, cast.foreign_assignment, ADMINISTRATOR, sub="7", **{CLAIM + "deployment_id": "2"})
    found = LmsIdentity.objects.filter(lms_user_id="7").values_list("person__organization__slug", flat=True)
    assert sorted(found) == ["acme", "umbrella"]
    assert code_of(come(lms, cast.foreign_assignment, TEACHER)) == "unknown_target"


@pytest.mark.parametrize("text", ["", "   ", "x" * 256, "a\x00b", "a\nb"])
def test_what_cannot_be_a_deployment_id_is_refused(cast: Cast, lms: Lms13, text: str) -> None:
    """Nothing is stored of it, and the message says what an id looks like."""
    with pytest.raises(IntegrationError, match="between 1 and 255"):
        claim(cast.acme, lms, text)
    assert not DeploymentClaim.objects.exists()


def test_a_claim_is_entered_once(cast: Cast, lms: Lms13) -> None:
    """The same id with blanks around it is the same claim; ids that differ in case are two."""
    claim(cast.acme, lms, "Ab")
    with pytest.raises(IntegrationError, match="already"):
        claim(cast.acme, lms, " Ab ")
    claim(cast.acme, lms, "aB")


def test_a_confirmed_claim_is_not_withdrawn(cast: Cast, lms: Lms13) -> None:
    """What an administrator confirmed stays the organization's, so that nobody else can take its people over."""
    mine = claim(cast.acme, lms)
    come(lms, cast.operators, ADMINISTRATOR)
    assert not withdraw_claim(mine)
    assert DeploymentClaim.objects.filter(pk=mine.pk).exists()


def test_the_database_holds_one_confirmed_claim(cast: Cast, lms: Lms13) -> None:
    """Two confirmed claims of a deployment cannot be stored, by whatever way."""
    now = datetime.now(UTC)
    claim(cast.acme, lms)
    claim(cast.umbrella, lms)
    with pytest.raises(IntegrityError), transaction.atomic():
        DeploymentClaim.objects.update(approved_at=now)


def test_a_shared_registration_is_unique(cast: Cast, lms: Lms13) -> None:
    """Its issuer and client id cannot be an organization's own too; the message leads to the short form."""
    registration = lms.platform.registration
    values = {
        name: getattr(registration, name)
        for name in ("issuer", "client_id", "authentication_url", "token_url", "keyset_url")
    }
    with pytest.raises(IntegrationError, match="Enter only the deployment ID"):
        create_registration(cast.acme, **values)
    own = create_registration(cast.acme, **{**values, "client_id": "own"})
    with pytest.raises(IntegrationError, match="registered here already"):
        share_registration(**{**values, "client_id": own.client_id})


@pytest.mark.django_db(transaction=True)
def test_two_administrators_at_once() -> None:
    """Launches of two organizations' assignments at the same moment confirm one claim; the other is refused."""
    cast = make_cast()
    lms = make_shared_lms()
    claim(cast.acme, lms)
    claim(cast.umbrella, lms)
    gate = Barrier(6)

    def launch(number: int) -> int:
        try:
            gate.wait(timeout=20)
            assignment = cast.operators if number % 2 else cast.foreign_assignment
            return int(come(lms, assignment, ADMINISTRATOR, sub=f"admin-{number}").status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(launch, range(6)))
    assert sorted(answers) == [303, 303, 303, 404, 404, 404]
    won = DeploymentClaim.objects.get(approved_at__isnull=False)
    assert list(Platform.objects.filter(shared=lms.platform)) == [won.platform]
    assert set(Person.objects.filter(lms_identities__isnull=False).values_list("organization", flat=True)) == {
        won.organization_id
    }


_ACTS = st.lists(
    st.tuples(
        st.sampled_from(["claim", "withdraw", "launch"]),
        st.sampled_from(["acme", "umbrella"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from([ADMINISTRATOR, TEACHER, [MEMBERSHIP + "Learner"]]),
    ),
    max_size=10,
)


@pytest.mark.django_db(transaction=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_no_order_of_events_gives_a_deployment_to_two(acts: list[tuple[str, str, str, list[str]]]) -> None:
    """Whatever is claimed, withdrawn and launched in whatever order: a deployment belongs to the first organization
    that claimed it when an administrator opened that organization's assignment, and people came to nobody else."""
    with transaction.atomic():
        platforms.forget_all()
        cast = make_cast()
        lms = make_shared_lms()
        organizations = {"acme": (cast.acme, cast.operators), "umbrella": (cast.umbrella, cast.foreign_assignment)}
        claimed: set[tuple[str, str]] = set()
        owner: dict[str, str] = {}
        for act, slug, deployment, roles in acts:
            organization, assignment = organizations[slug]
            if act == "claim":
                try:
                    claim(organization, lms, deployment)
                except IntegrationError:
                    assert (slug, deployment) in claimed or owner[deployment] != slug
                else:
                    assert owner.get(deployment, slug) == slug
                    claimed.add((slug, deployment))
            elif act == "withdraw":
                for one in DeploymentClaim.objects.filter(organization=organization, deployment_id=deployment):
                    if withdraw_claim(one):
                        assert owner.get(deployment) != slug
                        claimed.discard((slug, deployment))
            else:
                if deployment not in owner and (slug, deployment) in claimed and roles is ADMINISTRATOR:
                    owner[deployment] = slug
                response = come(lms, assignment, roles, **{CLAIM + "deployment_id": deployment})
                assert (response.status_code == 303) == (owner.get(deployment) == slug), response.content
        approved = DeploymentClaim.objects.filter(approved_at__isnull=False)
        assert dict(approved.values_list("deployment_id", "organization__slug")) == owner
        transaction.set_rollback(True)


def test_links_are_chosen_from_a_claimed_deployment(client: Client, cast: Cast, lms: Lms13) -> None:
    """Once confirmed, the picker of the LMS shows the organization's courses, and its answer is signed for the
    operator's client id and the deployment."""
    claim(cast.acme, lms)
    assert code_of(ask_by_deep_linking(client, lms)) == "deployment_not_confirmed"
    assert come(lms, cast.operators, ADMINISTRATOR).status_code == 303
    share = Platform.objects.get(organization=cast.acme)
    LmsIdentity.objects.create(platform=share, lms_user_id="teacher-1", person=cast.tom_person)
    picker, page = open_picker(client, ask_by_deep_linking(client, lms))
    assert cast.course.title in page
    assert cast.foreign_course.title not in page
    chosen = [cast.operators.public_id]
    answer = press(client, picker, "add", shown=chosen, mark=chosen, options="1", makes_columns="on")
    (item,) = read_deep_links(client, lms, answer)[LINKING + "content_items"]
    assert item["url"].endswith(cast.operators.public_id)
