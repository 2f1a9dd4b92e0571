"""People, and who is in which course as what."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from practice_lms.database import take_number
from practice_lms.refusals import RefusedError

ROLES = {
    "teacher": "Teacher",
    "assistant": "Teaching assistant",
    "learner": "Student",
    "observer": "Observer",
}

GIVEN_NAMES = ("Noor", "Liam", "Sofía", "Kwame", "Mei", "Jonas", "Aisha", "Paul", "Yuki", "Olga", "Rafael", "Ingrid")
FAMILY_NAMES = (
    "Haddad",
    "Byrne",
    "García",
    "Mensah",
    "Chen",
    "Weiß",
    "Khan",
    "Novák",
    "Sato",
    "Petrova",
    "Lima",
    "Dahl",
)


@dataclass(frozen=True)
class Person:
    """Somebody with an account in the LMS; `id` is what tools get as user id."""

    id: str
    given_name: str
    family_name: str
    email: str
    username: str
    is_admin: bool = False
    """An administrator of the school opens tools everywhere, also where they are in no course."""
    is_test: bool = False
    """The student that a teacher turns into to look at the course; real to tools, but never graded by some LMSs."""

    @property
    def name(self) -> str:
        """The full name."""
        return f"{self.given_name} {self.family_name}".strip() or self.username

    @property
    def initials(self) -> str:
        """Two letters for the round badge."""
        return (self.given_name[:1] + self.family_name[:1]).upper() or "?"


@dataclass(frozen=True)
class Membership:
    """A person in a course."""

    course_id: str
    person: Person
    role: str
    mentor_for: tuple[str, ...]
    is_active: bool
    sections: tuple[str, ...] = ()

    @property
    def role_name(self) -> str:
        """The role as people say it."""
        return ROLES[self.role]

    @property
    def is_staff(self) -> bool:
        """Whether this person sees everybody's grades."""
        return self.role in ("teacher", "assistant")

    @property
    def is_learner(self) -> bool:
        """Whether this person can get grades."""
        return self.role == "learner" and self.is_active


def add_person(
    db: sqlite3.Connection,
    *,
    given_name: str,
    family_name: str = "",
    email: str = "",
    username: str = "",
    person_id: str = "",
    is_test: bool = False,
    is_admin: bool = False,
) -> Person:
    """Make a person; without an id of their own they get the next number."""
    number = take_number(db)
    person = Person(
        person_id or str(number), given_name, family_name, email, username or f"user{number}", is_admin, is_test
    )
    if find_person(db, person.id) is not None:
        raise RefusedError(f"There is already a person with the id {person.id!r}.", 409)
    db.execute(
        "INSERT INTO person (id, given_name, family_name, email, username, position, is_test, is_admin)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            person.id,
            person.given_name,
            person.family_name,
            person.email,
            person.username,
            number,
            int(is_test),
            int(is_admin),
        ),
    )
    return person


def find_person(db: sqlite3.Connection, person_id: str) -> Person | None:
    """The person with this id, if there is one."""
    row = db.execute("SELECT * FROM person WHERE id = ?", (person_id,)).fetchone()
    return None if row is None else _read_person(row)


def get_person(db: sqlite3.Connection, person_id: str) -> Person:
    """The person with this id, or a refusal that says so."""
    person = find_person(db, person_id)
    if person is None:
        raise RefusedError(f"There is no person with the id {person_id!r}.", 404)
    return person


def list_people(db: sqlite3.Connection) -> list[Person]:
    """Everybody, oldest first."""
    return [_read_person(row) for row in db.execute("SELECT * FROM person ORDER BY position")]


def enroll(
    db: sqlite3.Connection,
    course_id: str,
    person_id: str,
    role: str,
    mentor_for: Iterable[str] = (),
    is_active: bool = True,
    sections: Iterable[str] | None = None,
) -> None:
    """Put a person into a course, or change what they are there; sections left out stay."""
    if role not in ROLES:
        raise RefusedError(f"The role {role!r} is unknown: use one of {', '.join(ROLES)}.")
    get_person(db, person_id)
    if db.execute("SELECT 1 FROM course WHERE id = ?", (course_id,)).fetchone() is None:
        raise RefusedError(f"There is no course with the id {course_id!r}.", 404)
    db.execute(
        "INSERT INTO membership (course_id, person_id, role, mentor_for, is_active) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (course_id, person_id) DO UPDATE SET"
        " role = excluded.role, mentor_for = excluded.mentor_for, is_active = excluded.is_active",
        (course_id, person_id, role, json.dumps(list(mentor_for)), int(is_active)),
    )
    if sections is not None:
        db.execute(
            "UPDATE membership SET sections = ? WHERE course_id = ? AND person_id = ?",
            (json.dumps(list(sections)), course_id, person_id),
        )
    _note_change(db, course_id, person_id)


def leave(db: sqlite3.Connection, course_id: str, person_id: str) -> None:
    """Take a person out of a course, as if they had never been in it."""
    get_person(db, person_id)
    db.execute("DELETE FROM membership WHERE course_id = ? AND person_id = ?", (course_id, person_id))
    _note_change(db, course_id, person_id)


def list_changed(db: sqlite3.Connection, course_id: str, *, after: int) -> list[str]:
    """The ids of people whose membership changed after that change."""
    rows = db.execute(
        "SELECT DISTINCT person_id FROM membership_change WHERE course_id = ? AND id > ?", (course_id, after)
    )
    return [row["person_id"] for row in rows]


def read_last_change(db: sqlite3.Connection) -> int:
    """The number of the newest change of anybody's membership."""
    return int(db.execute("SELECT COALESCE(MAX(id), 0) AS n FROM membership_change").fetchone()["n"])


def _note_change(db: sqlite3.Connection, course_id: str, person_id: str) -> None:
    db.execute("INSERT INTO membership_change (course_id, person_id) VALUES (?, ?)", (course_id, person_id))


def find_membership(db: sqlite3.Connection, course_id: str, person_id: str) -> Membership | None:
    """What a person is in a course, if anything."""
    rows = _select_memberships(db, "m.course_id = ? AND m.person_id = ?", (course_id, person_id))
    return rows[0] if rows else None


def list_memberships(db: sqlite3.Connection, course_id: str) -> list[Membership]:
    """Everybody in a course, oldest first."""
    return _select_memberships(db, "m.course_id = ?", (course_id,))


def list_roles_of_everybody(db: sqlite3.Connection) -> dict[str, set[str]]:
    """The roles of each person, over all courses."""
    roles: dict[str, set[str]] = {}
    for row in db.execute("SELECT person_id, role FROM membership"):
        roles.setdefault(row["person_id"], set()).add(row["role"])
    return roles


def make_more_people(db: sqlite3.Connection, course_id: str, count: int) -> list[Person]:
    """Enroll `count` new students with names of their own."""
    if not 1 <= count <= 20_000:
        raise RefusedError("Ask for 1 to 20000 people at a time.")
    people = []
    for _ in range(count):
        number = int(db.execute("SELECT COUNT(*) AS n FROM person").fetchone()["n"])
        given = GIVEN_NAMES[number % len(GIVEN_NAMES)]
        family = FAMILY_NAMES[(number // len(GIVEN_NAMES)) % len(FAMILY_NAMES)]
        person = add_person(
            db,
            given_name=given,
            family_name=f"{family} {number}",
            email=f"student{number}@practice.example",
            username=f"student{number}",
        )
        enroll(db, course_id, person.id, "learner")
        people.append(person)
    return people


def _read_person(row: sqlite3.Row) -> Person:
    return Person(
        id=row["id"],
        given_name=row["given_name"],
        family_name=row["family_name"],
        email=row["email"],
        username=row["username"],
        is_admin=bool(row["is_admin"]),
        is_test=bool(row["is_test"]),
    )


def _select_memberships(db: sqlite3.Connection, condition: str, values: tuple[str, ...]) -> list[Membership]:
    query = (
        "SELECT m.course_id, m.role, m.mentor_for, m.is_active, m.sections, p.* FROM membership m"  # noqa: S608 - own text only
        f" JOIN person p ON p.id = m.person_id WHERE {condition} ORDER BY p.position"
    )
    return [
        Membership(
            row["course_id"],
            _read_person(row),
            row["role"],
            tuple(json.loads(row["mentor_for"])),
            bool(row["is_active"]),
            tuple(json.loads(row["sections"])),
        )
        for row in db.execute(query, values)
    ]
