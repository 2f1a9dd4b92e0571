"""Whatever launches, copies and settings come in whatever order: the promises of course detection hold."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis.strategies as st
import pytest
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from courseway.courses.copying import copy_course
from courseway.courses.models import Assignment, Course, Enrollment
from courseway.lms import platforms
from courseway.lms.connection_review import accept
from courseway.lms.models import CourseContext, CourseIdentity, Launch, LmsIdentity, ParentReplacement
from courseway.lms.parent_replacement import replace_parent
from courseway.lms.resolve import Candidate, CourseFacts, Facts, Identity, resolve_course, resolve_navigation
from ltikit.errors import LtiError
from tests.cast import make_cast
from tests.depth import either
from tests.visits import CLAIM, MEMBERSHIP, TOOL, make_lms11, make_lms13

pytestmark = [pytest.mark.slow, pytest.mark.deep]

CONTENTS = ("content-a", "content-b")


def make_course(pk: int, *, allows_copy: bool, is_connected: bool, contents: tuple[str, ...]) -> CourseFacts:
    candidates = {
        content: Candidate(pk * 10 + i, f"a{pk}{i}", content, pk, 1, True, True, True, None, None)
        for i, content in enumerate(contents)
    }
    return CourseFacts(pk, f"course-{pk}", 1, allows_copy, True, True, None, False, is_connected, candidates)


courses = st.builds(
    make_course,
    st.integers(1, 5),
    allows_copy=st.booleans(),
    is_connected=st.booleans(),
    contents=st.sampled_from([(), ("content-a",), CONTENTS]),
)
some_courses = st.lists(courses, max_size=2).map(tuple)
identities = st.lists(
    st.builds(Identity, st.sampled_from(["sis", "target", "course-1"]), st.booleans(), st.booleans()), max_size=3
).map(tuple)
facts = st.builds(
    Facts,
    content_id=st.sampled_from(["", *CONTENTS]),
    history=st.none() | courses.map(lambda course: next(iter(course.candidates.values()), None)),
    identities=identities,
    bound=st.dictionaries(st.sampled_from(["sis", "target"]), some_courses, max_size=2),
    targets=some_courses,
    connected=some_courses,
    copied=st.frozensets(st.integers(1, 5)),
    chosen=st.frozensets(st.integers(1, 5)),
    is_target_changed=st.booleans(),
    ancestors=some_courses,
    originals=some_courses,
    parent=st.none() | courses,
    is_parent_named=st.booleans(),
    context_identity=st.sampled_from(["", "context"]),
)


@settings(max_examples=500, deadline=None)
@given(facts)
def test_every_launch_has_exactly_one_outcome(known: Facts) -> None:
    """The rules name one assignment, one course or one copy, and the rule that chose it - or a teacher is asked."""
    for decide in (resolve_course, resolve_navigation):
        try:
            resolution = decide(known)
        except LtiError:
            continue
        if resolution is None:
            continue
        chosen = [resolution.candidate, resolution.course, resolution.copy_of]
        assert sum(one is not None for one in chosen) == 1
        assert resolution.rule
        if resolution.copy_of is not None:
            assert resolution.copy_of.allows_copy
            assert resolution.identity, "a child that nobody finds again would be made anew each time"
            assert not known.connected, "an LMS course that is connected already copies nothing"
            assert not any(known.bound.get(i.value) for i in known.identities if not i.is_target)


def as_claims(form: dict[str, Any], url: str) -> dict[str, Any]:
    """The same launch as an LMS says it by LTI 1.3."""
    custom = {name.removeprefix("custom_"): value for name, value in form.items() if name.startswith("custom_")}
    source = form["lis_course_offering_sourcedid"]
    return {
        "sub": form["user_id"],
        CLAIM + "context": {"id": form["context_id"]},
        CLAIM + "resource_link": {"id": form["resource_link_id"]},
        CLAIM + "roles": [MEMBERSHIP + form["roles"]],
        CLAIM + "target_link_uri": url,
        CLAIM + "custom": {name: value for name, value in custom.items() if value is not None},
        CLAIM + "lis": {"course_offering_sourcedid": source} if source else None,
    }


class Terms(RuleBasedStateMachine):
    """Two LMSs, one of each version, whose courses are opened, copied and renamed, while teachers change switches,
    delete and publish assignments, archive children, and an owner replaces the master by another."""

    @initialize()
    def begin(self) -> None:
        self.cast = make_cast()
        self.course = self.cast.course
        self.lms = make_lms11(self.cast.acme)
        self.lms13 = make_lms13(self.cast.acme)
        self.successor = copy_course(self.cast.course, title="Successor", now=self.cast.course.created_at)
        self.successor.constant_urls = self.successor.course_copy = True
        self.successor.save()
        self.client = Client()
        self.numbers = itertools.count(2)
        # LMS course -> (source id, link ids, ancestors)
        self.rooms: dict[str, tuple[str, list[str], list[str]]] = {"room-1": ("", ["link-1"], [])}
        self.students: set[str] = set()

    @rule(
        room=st.integers(0, 20),
        link=st.integers(0, 5),
        user=st.integers(1, 4),
        address=st.sampled_from(["constant", "plain", "foreign", "any"]),
        parent=st.sampled_from(["", "own", "foreign"]),
        named=st.sampled_from(["", "own", "$CourseSection.sourcedId", "Fall 2026, A"]),
        is_teacher=st.booleans(),
        is_v13=st.booleans(),
    )
    def launch(
        self, room: int, link: int, user: int, address: str, parent: str, named: str, is_teacher: bool, is_v13: bool
    ) -> None:
        name = list(self.rooms)[room % len(self.rooms)]
        source, links, ancestors = self.rooms[name]
        assignment = self.cast.loops if link % 2 else self.cast.operators
        paths = {
            "constant": f"/lti/c/{assignment.content_id}",
            "plain": f"/lti/a/{assignment.public_id}",
            "foreign": f"/lti/c/{self.cast.foreign_assignment.content_id}",
            "any": "/lti/launch",
        }
        ids = {"": None, "own": self.course.public_id, "foreign": self.cast.foreign_course.public_id}
        user_id = f"teacher-{user}" if is_teacher else f"student-{user}"
        if not is_teacher:
            self.students.add(user_id)
        form: dict[str, Any] = {
            "context_id": name,
            "resource_link_id": links[link % len(links)],
            "user_id": user_id,
            "roles": "Instructor" if is_teacher else "Learner",
            "lis_course_offering_sourcedid": source,
            "custom_parent_course_id": ids[parent],
            "custom_course_target_id": ids.get(named, named) or None,
            "custom_context_id_history": ",".join(ancestors) or None,
        }
        if is_v13:
            response = self.lms13.launch(self.client, **as_claims(form, TOOL + paths[address]))
        else:
            response = self.lms.launch(self.client, paths[address], **form)
        assert response.status_code in (200, 303, 403, 404, 410), response.content.decode()

    @rule(room=st.integers(0, 20), source=st.sampled_from(["new", "same", "blank"]))
    @precondition(lambda self: len(self.rooms) < 5)
    def copy_room(self, room: int, source: str) -> None:
        old = list(self.rooms)[room % len(self.rooms)]
        number = next(self.numbers)
        names = {"new": f"sis-{number}", "same": self.rooms[old][0], "blank": ""}
        links = [f"link-{number}-{i}" for i in range(2)]
        self.rooms[f"room-{number}"] = (names[source], links, [old, *self.rooms[old][2]])

    @rule(is_constant=st.booleans(), allows_copy=st.booleans())
    def switch(self, is_constant: bool, allows_copy: bool) -> None:
        self.course.constant_urls = is_constant
        self.course.course_copy = is_constant and allows_copy
        self.course.save()

    @rule(is_deleted=st.booleans(), is_published=st.booleans())
    def edit(self, is_deleted: bool, is_published: bool) -> None:
        deleted_at = self.course.created_at if is_deleted else None
        Assignment.objects.filter(pk=self.cast.loops.pk).update(deleted_at=deleted_at, published=is_published)

    @rule(is_archived=st.booleans())
    def archive(self, is_archived: bool) -> None:
        child = Course.objects.filter(parent=self.course).order_by("-pk").first()
        if child is not None and child.pk != self.successor.pk:
            child.archived_at = self.course.created_at if is_archived else None
            child.save()

    @rule(is_replaced=st.booleans())
    def replace(self, is_replaced: bool) -> None:
        if is_replaced:
            replace_parent(self.course, self.successor, now=self.course.created_at)
        else:
            ParentReplacement.objects.all().delete()

    @rule(index=st.integers(0, 20))
    def accept(self, index: int) -> None:
        connections = list(CourseContext.objects.order_by("pk"))
        if connections:
            accept(connections[index % len(connections)], now=self.course.created_at)

    @invariant()
    def one_child_for_each_identity(self) -> None:
        children = Course.objects.exclude(parent=None).exclude(pk=self.successor.pk)
        identities = CourseIdentity.objects.filter(rule="course_copy")
        assert identities.count() == children.count()
        assert set(identities.values_list("course", flat=True)) == set(children.values_list("pk", flat=True))
        assert set(children.values_list("parent", flat=True)) <= {self.course.pk, self.successor.pk}

    @invariant()
    def each_lms_course_has_one_child(self) -> None:
        made = CourseContext.objects.filter(rule="course_copy").values_list("context")
        assert made.count() == made.distinct().count()

    @invariant()
    def the_first_room_is_the_masters(self) -> None:
        for platform in (self.lms.platform, self.lms13.platform):
            launches = Launch.objects.filter(outcome="ok", platform=platform).order_by("pk")
            first = launches.first()
            if first is not None and (first.lms_context_id, first.course_id) == ("room-1", self.course.pk):
                opened = launches.filter(lms_context_id="room-1").values_list("course", flat=True)
                assert set(opened) == {self.course.pk}

    @invariant()
    def organizations_stay_apart(self) -> None:
        assert not Launch.objects.filter(outcome="ok").exclude(course__organization=self.cast.acme).exists()
        assert not Course.objects.filter(parent=self.cast.foreign_course).exists()
        assert not Enrollment.objects.filter(
            course__organization=self.cast.umbrella, person__organization=self.cast.acme
        ).exists()

    @invariant()
    def students_stay_students(self) -> None:
        people = LmsIdentity.objects.filter(lms_user_id__in=self.students).values("person")
        roles = Enrollment.objects.filter(person__in=people).values_list("role", "covers_whole_course")
        assert set(roles) <= {("student", False)}


class TermsInATransaction(Terms):
    """Each run begins with an empty database and leaves none of its rows."""

    def __init__(self) -> None:
        super().__init__()
        platforms.forget_all()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)
        platforms.forget_all()


@pytest.mark.django_db
def test_no_order_of_events_breaks_a_promise() -> None:
    """No sequence of launches, LMS copies and switches makes two children for one identity, copies a master into
    itself, crosses organizations or makes a student a teacher."""
    run_state_machine_as_test(
        TermsInATransaction,
        settings=settings(
            max_examples=either(6, deep=25),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
