"""Placed links with people who came through them, for the tests of deliveries."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from courseway import secrets_box
from courseway.courses.models import Assignment, Role
from courseway.lms.arrivals import sourcedid_place
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import Arrival, Context, Deployment, LmsIdentity, Platform, Registration, ResourceLink
from courseway.orgs.models import Person
from ltikit import vocabulary
from tests.visits import find_or_create

NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ALL_SCOPES = " ".join((vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_RESULT_READONLY))


@dataclass
class PlacedLink:
    """A link of an assignment in an LMS; `let_in` is a launch's outcome without the launch."""

    assignment: Assignment
    platform: Platform
    context: Context
    link: ResourceLink
    outcome_url: str = ""
    people: list[Person] = field(default_factory=list)

    def let_in(
        self, person: Person, *, role: str = Role.STUDENT, is_test_user: bool = False, sourcedid: str | None = None
    ) -> Arrival:
        names = {"platform": self.platform, "lms_user_id": f"user-{person.pk}"}
        identity = LmsIdentity.objects.filter(**names).first()
        if identity is None:
            identity = LmsIdentity.objects.create(**names, person=person, is_test_user=is_test_user)
        key = f"{self.platform.pk}/{person.pk}/{self.link.pk}"
        if sourcedid is None:
            sourcedid = f"sourced-{person.pk}-{self.link.pk}" if self.outcome_url else ""
        self.people.append(person)
        return Arrival.objects.create(
            key=key,
            fingerprint="same",
            platform=self.platform,
            identity=identity,
            person=person,
            resource_link=self.link,
            context=self.context,
            course=self.assignment.course,
            assignment=self.assignment,
            role=role,
            rule="test",
            outcome_url=self.outcome_url,
            result_sourcedid_encrypted=secrets_box.lock(sourcedid, place=sourcedid_place(key)) if sourcedid else "",
        )


def place_v11(assignment: Assignment, lms_url: str = "https://lms.example", **fields: object) -> PlacedLink:
    """A link of an LMS that speaks LTI 1.1 and takes grades at `/outcomes`."""
    number = Platform.objects.count() + 1
    consumer_key, _ = create_consumer_key(
        assignment.course.organization, name=f"LMS {number}", key=f"key-{number}", secret="the secret"
    )
    platform = consumer_key.platform
    return _place(assignment, platform, "", outcome_url=f"{lms_url}/outcomes", **fields)


def place_v13(
    assignment: Assignment,
    lms_url: str = "https://lms.example",
    *,
    scopes: str = ALL_SCOPES,
    lineitem: str = "/lineitems/1/lineitem?type_id=2",
    lineitems: str = "/lineitems?type_id=2",
    **fields: object,
) -> PlacedLink:
    """A link of an LMS that speaks LTI 1.3 and has its grade service below `lms_url`."""
    number = Platform.objects.count() + 1
    platform = Platform.objects.create(
        organization=assignment.course.organization, version=Platform.Version.V13, name=f"LMS {number}"
    )
    Registration.objects.create(
        platform=platform,
        issuer=f"{lms_url}/{number}",
        client_id=f"client-{number}",
        authentication_url=f"{lms_url}/auth",
        token_url=f"{lms_url}/token",
        keyset_url=f"{lms_url}/keys",
    )
    placed = _place(assignment, platform, "deployment", **fields)
    placed.link.ags_scopes = scopes
    placed.link.lineitems_url = lms_url + lineitems if lineitems else ""
    placed.link.lineitem_url = lms_url + lineitem if lineitem else ""
    placed.link.save()
    return placed


def _place(
    assignment: Assignment, platform: Platform, deployment_id: str, *, outcome_url: str = "", **fields: object
) -> PlacedLink:
    deployment = find_or_create(Deployment, {"platform": platform, "deployment_id": deployment_id})
    context = Context.objects.create(deployment=deployment, context_id="course-1", title="Python in the LMS")
    link = ResourceLink.objects.create(
        context=context,
        deployment=deployment,
        resource_link_id=f"link-{assignment.pk}",
        title=assignment.title,
        assignment=assignment,
        **fields,  # type: ignore[arg-type]
    )
    return PlacedLink(assignment, platform, context, link, outcome_url)
