"""Run beside Courseway, on its database: makes LMSs, people and links as launches would, and owes everybody a grade.

python -m benchmarks.owed_grades '{"make": {"version": "1.3", "people": 4000, "urls": […]}}'
python -m benchmarks.owed_grades '{"owe": {"version": "1.3", "people": 4000, "round": 2}}'
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal

import django
from django.utils import timezone

os.environ["DJANGO_SETTINGS_MODULE"] = "courseway.settings"
django.setup()

from benchmarks.gradebook import COLUMNS, KEY, MAXIMUM, SECRET, OwedGrade  # noqa: E402
from courseway import secrets_box  # noqa: E402 - models need the settings
from courseway.courses.models import Assignment, Role  # noqa: E402
from courseway.grades.outbox import Grade, owe_many  # noqa: E402
from courseway.lms.arrivals import sourcedid_place  # noqa: E402
from courseway.lms.keys import create_consumer_key  # noqa: E402
from courseway.lms.models import (  # noqa: E402
    Arrival,
    Context,
    Deployment,
    LmsIdentity,
    Platform,
    Registration,
    ResourceLink,
)
from courseway.orgs.models import Organization, Person  # noqa: E402
from ltikit import vocabulary  # noqa: E402

_SCOPES = (vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_RESULT_READONLY)


def make(version: str, people: int, urls: list[str]) -> None:
    """A platform for each address, a context with four links on each, and one arrival of everybody."""
    organization = Organization.objects.get()
    assignments = _assignments(version)
    places = [_make_platform(organization, version, number, url, assignments) for number, url in enumerate(urls)]
    owed = [OwedGrade(number, 0) for number in range(people)]
    persons = Person.objects.bulk_create([Person(organization=organization, name=one.user) for one in owed])
    identities = LmsIdentity.objects.bulk_create(
        LmsIdentity(platform=places[one.platform][0].deployment.platform, lms_user_id=one.user, person=person)
        for one, person in zip(owed, persons, strict=True)
    )
    Arrival.objects.bulk_create(
        _make_arrival(one, places[one.platform][one.column], identity, f"{urls[one.platform]}/outcomes")
        for one, identity in zip(owed, identities, strict=True)
    )


def _assignments(version: str) -> list[Assignment]:
    found = list(Assignment.objects.select_related("course").order_by("pk"))
    return found[:COLUMNS] if version == "1.3" else found[COLUMNS : 2 * COLUMNS]


def _make_platform(
    organization: Organization, version: str, number: int, url: str, assignments: list[Assignment]
) -> list[ResourceLink]:
    if version == "1.3":
        platform = Platform.objects.create(
            organization=organization, version=Platform.Version.V13, name=f"LMS {number}"
        )
        Registration.objects.create(
            platform=platform,
            issuer=url,
            client_id=f"client-{number}",
            authentication_url=f"{url}/auth",
            token_url=f"{url}/token",
            keyset_url=f"{url}/keys",
        )
    else:
        name, key = f"Old LMS {number}", f"{KEY}-{number}"
        platform = create_consumer_key(organization, name=name, key=key, secret=SECRET)[0].platform
    deployment, _ = Deployment.objects.get_or_create(platform=platform, deployment_id="1" if version == "1.3" else "")
    context = Context.objects.create(deployment=deployment, context_id=f"course-{number}", title="Sums")
    return [
        ResourceLink.objects.create(
            context=context,
            deployment=deployment,
            resource_link_id=f"link-{column}",
            assignment=assignment,
            ags_scopes=" ".join(_SCOPES) if version == "1.3" else "",
            lineitems_url=f"{url}/columns" if version == "1.3" else "",
            lineitem_url=f"{url}/columns/{column}" if version == "1.3" else "",
        )
        for column, assignment in enumerate(assignments)
    ]


def _make_arrival(one: OwedGrade, link: ResourceLink, identity: LmsIdentity, outcome_url: str) -> Arrival:
    assert link.assignment is not None
    key = f"{link.pk}/{one.user}"
    arrival = Arrival(
        key=key,
        fingerprint="same",
        platform=identity.platform,
        identity=identity,
        person=identity.person,
        resource_link=link,
        context=link.context,
        course=link.assignment.course,
        assignment=link.assignment,
        role=Role.STUDENT,
        rule="benchmark",
    )
    if identity.platform.version == Platform.Version.V11:
        arrival.outcome_url = outcome_url
        arrival.result_sourcedid_encrypted = secrets_box.lock(one.user, place=sourcedid_place(key))
    return arrival


def owe(version: str, people: int, round: int) -> None:
    """Everybody's grade of this round, as scoring owes it."""
    now = timezone.now()
    for assignment in _assignments(version):
        arrivals = Arrival.objects.filter(assignment=assignment).values_list("person_id", "person__name")
        numbers = {person: int(name.rpartition("-")[2]) for person, name in arrivals}
        grades = {
            person: Grade(OwedGrade(number, round).score, Decimal(MAXIMUM), True, True, submitted_at=now)
            for person, number in numbers.items()
            if number < people
        }
        owe_many(assignment, grades, now=now)


def main() -> None:
    for task, told in json.loads(sys.argv[1]).items():
        {"make": make, "owe": owe}[task](**told)


if __name__ == "__main__":
    main()
