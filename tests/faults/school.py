"""Many platforms, LTI 1.1 and 1.3 in turn, with one link each that the same people came through; and their grades."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from datetime import datetime
from decimal import Decimal

from django.db import InterfaceError, OperationalError, connection, transaction

from courseway import secrets_box
from courseway.courses.models import Course, Module, Role
from courseway.grades.models import Delivery
from courseway.grades.outbox import Grade, owe_many
from courseway.grades.reasons import explain
from courseway.lms.arrivals import sourcedid_place
from courseway.lms.models import Arrival, LmsIdentity
from courseway.orgs.models import Organization, Person
from tests.cast import make_assignment
from tests.courseway.grades.fake_lms import FakeLms
from tests.courseway.grades.links import PlacedLink, place_v11, place_v13
from tests.faults.judge import Place, Shown

MOVED = 1000  # what is added to the number of a column that moves
POINTS = Decimal(10)


class School:
    """`wanted` holds all values of each grade that were stored, oldest first: what the run is judged against."""

    def __init__(self, lms: FakeLms, *, platforms: int, people: int, seed: int) -> None:
        self.lms = lms
        self.wanted: dict[Place, list[Decimal]] = defaultdict(list)
        self.changes = 0
        self._chance = random.Random(seed)
        organization = Organization.objects.create(slug="acme", name="Acme University")
        course = Course.objects.create(organization=organization, title="Python basics", lti_enabled=True)
        module = Module.objects.create(course=course, title="Week 1")
        self.people = Person.objects.bulk_create(
            [Person(organization=organization, name=f"Person {number}") for number in range(people)]
        )
        self._numbers = {person.pk: number for number, person in enumerate(self.people)}
        self.links: list[PlacedLink] = []
        for number in range(platforms):
            assignment = make_assignment(module, f"Assignment {number}", f"key-{number}")
            if number % 2:
                placed = place_v11(assignment, lms.url)
            else:
                placed = place_v13(assignment, lms.url, lineitem=f"/lineitems/{number}/lineitem?type_id=2")
                lms.add_lineitem(number, resourceLinkId=placed.link.resource_link_id)
            self._let_all_in(placed)
            self.links.append(placed)
        self._link_numbers = {placed.link.pk: number for number, placed in enumerate(self.links)}

    def _let_all_in(self, placed: PlacedLink) -> None:
        identities = LmsIdentity.objects.bulk_create(
            LmsIdentity(platform=placed.platform, lms_user_id=f"user-{person.pk}", person=person)
            for person in self.people
        )
        Arrival.objects.bulk_create([_arrival(placed, identity) for identity in identities], batch_size=200)

    @property
    def grades(self) -> int:
        return len(self.links) * len(self.people)

    def change(self, number: int, *, share: float, now: datetime) -> None:
        """New grades of `share` of the people at the platform `number`, each one never wanted before."""
        wanted: dict[int, Decimal] = {}
        for person in self.people:
            if self._chance.random() < share:
                before = self.wanted[number, self._numbers[person.pk]]
                while (value := Decimal(self._chance.randrange(1, 10_000)) / 1000) in before:
                    pass
                wanted[person.pk] = value
        grades = {pk: Grade(value, POINTS, is_completed=True, is_released=True) for pk, value in wanted.items()}
        _insist(lambda: owe_many(self.links[number].assignment, grades, now=now))
        for pk, value in wanted.items():
            self.wanted[number, self._numbers[pk]].append(value)
        self.changes += len(wanted)

    def move_column(self, number: int) -> None:
        """The LMS gives a column another address, with all that it holds; at the old one there is nothing now."""
        lms, link = self.lms, self.links[number].link
        with lms.lock:
            lms.gone.add(next(item["id"] for item in lms.lineitems if item["resourceLinkId"] == link.resource_link_id))
            lms.add_lineitem(number + MOVED, resourceLinkId=link.resource_link_id)
            for key in [key for key in lms.history if key.endswith(f"@{number}")]:
                moved = f"{key.partition('@')[0]}@{number + MOVED}"
                lms.history[moved] = lms.history.pop(key)
                lms.grades[moved] = lms.grades.pop(key)

    def read_taken(self) -> dict[Place, list[Decimal]]:
        """What the LMS kept, in its order, in points."""
        taken: dict[Place, list[Decimal]] = defaultdict(list)
        with self.lms.lock:
            for key, history in self.lms.history.items():
                place = self.find_place(key)
                if key.startswith("sourced-"):
                    taken[place] += [Decimal(value) * POINTS for value in history]
                else:
                    taken[place] += [Decimal(score["scoreGiven"]) for score in history if score["taken"]]
        return taken

    def find_place(self, key: str) -> Place:
        """Which grade a request is about, by its key in the LMS."""
        if key.startswith("sourced-"):
            person, link = map(int, key.removeprefix("sourced-").split("-"))
            return self._link_numbers[link], self._numbers[person]
        person, line = map(int, key.removeprefix("user-").split("@"))
        return line % MOVED, self._numbers[person]

    def read_shown(self) -> dict[Place, Shown]:
        """What a teacher reads of each grade."""
        arrived = (Delivery.State.SENT, Delivery.State.UNCHANGED)
        stuck = (Delivery.State.FAILED, Delivery.State.NEEDS_TEACHER)
        return {
            (self._link_numbers[one.resource_link_id], self._numbers[one.person_id]): Shown(
                one.state in arrived,
                f"{explain(one.last_error_code).title}: {one.last_error}"
                if one.state in stuck and one.last_error_code and one.last_error
                else "",
            )
            for one in Delivery.objects.all()
        }


def _arrival(placed: PlacedLink, identity: LmsIdentity) -> Arrival:
    key = f"{placed.platform.pk}/{identity.person_id}/{placed.link.pk}"
    sourcedid = f"sourced-{identity.person_id}-{placed.link.pk}"
    return Arrival(
        key=key,
        fingerprint="same",
        platform=placed.platform,
        identity=identity,
        person_id=identity.person_id,
        resource_link=placed.link,
        context=placed.context,
        course=placed.assignment.course,
        assignment=placed.assignment,
        role=Role.STUDENT,
        rule="test",
        outcome_url=placed.outcome_url,
        result_sourcedid_encrypted=secrets_box.lock(sourcedid, place=sourcedid_place(key))
        if placed.outcome_url
        else "",
    )


def _insist(work: object, *, seconds: float = 60) -> None:
    """Do it in a transaction, again and again while the database is away: as a person would press the button."""
    until = time.monotonic() + seconds
    while True:
        try:
            with transaction.atomic():
                work()  # type: ignore[operator]
            return
        except (OperationalError, InterfaceError):
            connection.close()
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
