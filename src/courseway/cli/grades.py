"""grade set, grade try, deliveries, drain."""

from __future__ import annotations

from argparse import Namespace

from django.db.models import Q
from django.utils import timezone

from courseway.cli.answers import Answer, RefusedError, draw_table, show_percent
from courseway.cli.organizations import get_organization
from courseway.courses.announcing import announce_enrollments
from courseway.courses.models import Assignment
from courseway.events.mail import send_due_mail
from courseway.events.posting import post_what_is_due
from courseway.grades import trial as trials
from courseway.grades.exchange import DeliveryError
from courseway.grades.models import Delivery
from courseway.grades.report import delivery_as_json, list_deliveries
from courseway.grades.report import drain as drain_deliveries
from courseway.learning.attempts import WorkError
from courseway.learning.due import settle
from courseway.learning.scoring import set_grade
from courseway.lms.models import Platform
from courseway.orgs.models import Person
from courseway.outbound import OutboundError
from ltikit.errors import ServiceError


def set_one(wish: Namespace) -> Answer:
    assignment = _get_assignment(wish.assignment)
    person = _find_person(assignment, wish.person)
    try:
        submission = set_grade(
            assignment=assignment,
            person=person,
            percent=wish.percent,
            complete=wish.complete,
            release=wish.release,
            now=timezone.now(),
        )
    except WorkError as error:
        raise RefusedError(str(error)) from None
    deliveries = list_deliveries(assignment=assignment, person=person)
    document = {
        "percent": submission.override_percent,
        "completed": submission.completed_at is not None,
        "released": submission.released_at is not None,
        "deliveries": [delivery_as_json(delivery) for delivery in deliveries],
    }
    words = ["completed" if document["completed"] else "not completed", "released" if document["released"] else "held"]
    line = f"{person}: {show_percent(wish.percent)} in {assignment}, {', '.join(words)}"
    return Answer(document, f"{line}\n\n{_draw(deliveries, empty='Nothing is owed to an LMS for it yet.')}")


def send_test_score(wish: Namespace) -> Answer:
    platform = Platform.objects.select_related("registration").filter(public_id=wish.platform).first()
    if platform is None:
        raise RefusedError(f"There is no platform {wish.platform!r}. Its id is on its page under LTI integrations.")
    try:
        trial = trials.send_test_score(
            platform,
            user_id=wish.person,
            context_id=wish.context,
            percent=wish.percent,
            keep=wish.keep,
            now=timezone.now(),
        )
    except DeliveryError as error:
        raise RefusedError(error.words) from None
    except (ServiceError, OutboundError) as error:
        raise RefusedError(
            f"{error.hint} ({error.detail})" if isinstance(error, ServiceError) else error.detail
        ) from None
    result = trial.result
    document = {
        "line_item": trial.lineitem_url,
        "made": trial.was_made,
        "removed": trial.was_removed,
        "score": trial.score,
        "maximum": trials.MAXIMUM,
        "result": {"score": result.score, "maximum": result.maximum} if result else None,
    }
    read = f"it holds {result.score} of {result.maximum}" if result else "it does not say what it holds"
    column = "removed again" if trial.was_removed else trial.lineitem_url
    return Answer(document, f"The LMS took {trial.score} of {trials.MAXIMUM}; {read}. Column: {column}")


def list_owed(wish: Namespace) -> Answer:
    if wish.state and wish.state not in Delivery.State.values:
        raise RefusedError(f"There is no state {wish.state!r}. There are: {', '.join(Delivery.State.values)}.")
    organization = get_organization(wish.org) if wish.org else None
    deliveries = list_deliveries(organization=organization, state=wish.state)
    return Answer([delivery_as_json(one) for one in deliveries], _draw(deliveries, empty="No grade is owed."))


def drain(wish: Namespace) -> Answer:
    settle(now=timezone.now())
    drained = drain_deliveries(until_empty=wish.until_empty, timeout=wish.timeout)
    announce_enrollments(now=timezone.now())
    post_what_is_due()
    send_due_mail(now=timezone.now())
    words = ", ".join(f"{count} {name}" for name, count in drained.items())
    return Answer(dict(drained), words)


def _draw(deliveries: list[Delivery], *, empty: str) -> str:
    heads = ("person", "assignment", "LMS", "state", "wanted", "sent", "tries", "next try", "last error")
    rows = [
        (
            one.person,
            one.assignment,
            one.platform,
            one.state,
            show_percent(one.wanted_percent),
            show_percent(one.sent_percent),
            one.tries,
            timezone.localtime(one.next_try_at).strftime("%Y-%m-%d %H:%M:%S") if one.next_try_at else "",
            one.last_error,
        )
        for one in deliveries
    ]
    return draw_table(heads, rows, empty=empty)


def _get_assignment(public_id: str) -> Assignment:
    assignment = (
        Assignment.objects.select_related("course__organization").filter(public_id=public_id, deleted_at=None).first()
    )
    if assignment is None:
        raise RefusedError(f"There is no assignment with the id {public_id!r}.")
    return assignment


def _find_person(assignment: Assignment, name: str) -> Person:
    """The one person of the assignment's organization with this e-mail or LMS user id.

    Several may share one of them: an unproven e-mail makes a second person (C1), and two LMSs may number their users
    alike. People of the course come before others; if that does not decide, the command says who it could be.
    """
    organization = assignment.course.organization
    named = Q(email__iexact=name) | Q(account__email__iexact=name) | Q(lms_identities__email__iexact=name)
    named |= Q(lms_identities__lms_user_id=name)
    found = list(Person.objects.filter(named, organization=organization).distinct().order_by("pk"))
    if not found:
        raise RefusedError(f"Nobody in {organization} has the e-mail or LMS user id {name!r}.")
    enrolled = [person for person in found if person.enrollments.filter(course=assignment.course_id).exists()]
    if len(enrolled or found) > 1:
        could_be = "; ".join(_describe_person(person) for person in enrolled or found)
        raise RefusedError(f"{name!r} is ambiguous. It could be: {could_be}. Give an LMS user id that only one has.")
    return (enrolled or found)[0]


def _describe_person(person: Person) -> str:
    ids = ", ".join(
        f"{identity.lms_user_id} on {identity.platform}"
        for identity in person.lms_identities.select_related("platform")
    )
    return f"{person} <{person.email or 'no e-mail'}> with {f'LMS user id {ids}' if ids else 'no LMS user id'}"
