"""The review of a course's LMS courses: how each was matched; accept, change or undo it, and its own address."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.access import CourseAccess, get_course_to_edit, list_courses_to_edit
from courseway.courses.models import Course
from courseway.courses.settings_change import clean_lms_url
from courseway.lms.connection_review import Change, accept, forget, move
from courseway.lms.connections import describe_origin, list_connections, needs_review
from courseway.lms.models import CourseContext, ResourceLink
from courseway.lms.resolve import NAMES_ASSIGNMENT

PER_PAGE = 20
COURSES_OFFERED = 500


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One connection with what a teacher has to know before changing it."""

    connection: CourseContext
    needs_review: bool
    own_url_count: int  # links that name an assignment by its own URL
    section_count: int  # other LMS courses of the same identity
    refused_url: str = ""
    url_problem: str = ""

    @property
    def proposed_url(self) -> str:
        guessed = self.connection.context.guessed_url
        return guessed if guessed != self.connection.lms_url else ""


@require_safe
def show_connections(request: HttpRequest, course_id: str) -> HttpResponse:
    return _show(request, get_course_to_edit(request, course_id))


@require_POST
def accept_one(request: HttpRequest, course_id: str, pk: int) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    connection = get_connection(access, pk)
    accept(connection, now=timezone.now())
    messages.success(request, _("“%(context)s” is matched as it should be.") % {"context": connection.context})
    return _back(course_id, pk)


@require_POST
def forget_one(request: HttpRequest, course_id: str, pk: int) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    connection = get_connection(access, pk)
    change = forget(connection, by=access.person)
    text = _("“%(context)s” is not connected any more. The next launch from it is resolved anew.")
    messages.success(request, " ".join([text % {"context": connection.context}, *_say_people(change)]))
    return _back(course_id)


@require_POST
def move_one(request: HttpRequest, course_id: str, pk: int) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    connection = get_connection(access, pk)
    target = list_targets(request, access).filter(public_id=request.POST.get("course", "")).first()
    if target is None:
        messages.error(request, _("Choose the course that this LMS course shall open."))
        return _back(course_id, pk)
    change = move(connection, target, by=access.person, now=timezone.now())
    text = _("“%(context)s” opens “%(course)s” from now on.") % {"context": connection.context, "course": target.title}
    messages.success(request, " ".join([text, *_say_people(change)]))
    return _back(course_id)


@require_POST
def save_url(request: HttpRequest, course_id: str, pk: int) -> HttpResponse:
    """The address of one LMS course; empty takes the course's own."""
    access = get_course_to_edit(request, course_id)
    connection = get_connection(access, pk)
    given = request.POST.get("lms_url", "")
    try:
        connection.lms_url = clean_lms_url(given)
    except ValueError as error:
        return _show(request, access, refused=(pk, given[:2100], capfirst(str(error)) + "."))
    connection.save(update_fields=["lms_url"])
    messages.success(request, _("Saved."))
    return _back(course_id, pk)


@require_POST
def archive(request: HttpRequest, course_id: str) -> HttpResponse:
    """Closes a course whose term is over, or that a launch made by mistake, or takes it back (`archived=false`)."""
    access = get_course_to_edit(request, course_id)
    is_wanted = request.POST.get("archived") == "true"
    Course.objects.filter(pk=access.course.pk).update(archived_at=timezone.now() if is_wanted else None)
    if is_wanted:
        messages.success(request, _("The course is archived: no launch opens it. Work and grades are kept."))
    else:
        messages.success(request, _("The course is open again."))
    return redirect("courses:settings", course_id) if request.GET.get("next") == "settings" else _back(course_id)


def get_connection(access: CourseAccess, pk: int) -> CourseContext:
    """A connection of a course that was already fetched with permission."""
    connections = CourseContext.objects.select_related("course", "context__deployment__platform")
    connection = connections.filter(course=access.course, pk=pk).first()
    if connection is None:
        raise Http404(_("This course has no such connection. Somebody may have undone it meanwhile."))
    return connection


def list_targets(request: HttpRequest, access: CourseAccess) -> QuerySet[Course]:
    """The other courses of the organization that the visitor may edit; parent, children and siblings first."""
    course = access.course
    relatives = Q(parent=course) | Q(pk=course.parent_id) | Q(parent=course.parent_id, parent__isnull=False)
    courses = list_courses_to_edit(request).filter(organization=course.organization_id, archived_at=None)
    is_stranger = Case(When(relatives, then=Value(0)), default=Value(1))
    return courses.exclude(pk=course.pk).order_by(is_stranger, "title", "pk")


def _show(request: HttpRequest, access: CourseAccess, *, refused: tuple[int, str, str] | None = None) -> HttpResponse:
    page = Paginator(list_connections(access.course), PER_PAGE).get_page(request.GET.get("page"))
    own_urls, sections = _count_own_urls(access.course, list(page)), _count_sections(list(page))
    words = {
        "access": access,
        "origin": describe_origin(access.course),
        "page_obj": page,
        "rows": [
            ReviewRow(
                connection,
                needs_review(connection),
                own_urls.get(connection.context_id, 0),
                sections[connection.pk],
                *(refused[1:] if refused and refused[0] == connection.pk else ()),
            )
            for connection in page
        ],
        "targets": list(list_targets(request, access)[:COURSES_OFFERED]),
    }
    return render(request, "lms/connections.html", words, status=400 if refused else 200)


def _count_own_urls(course: Course, connections: list[CourseContext]) -> dict[int, int]:
    """Links that name an assignment by its own URL, by LMS course."""
    links = ResourceLink.objects.filter(
        context__in=[one.context_id for one in connections],
        assignment__course=course,
        target__startswith=NAMES_ASSIGNMENT,
    )
    rows = links.order_by().values("context").annotate(n=Count("pk"))
    return {int(row["context"]): row["n"] for row in rows}


def _count_sections(connections: list[CourseContext]) -> dict[int, int]:
    """How many others go with each when it is changed, in one statement."""
    named = [one.identity for one in connections if one.identity]
    found = CourseContext.objects.filter(
        course__in={one.course_id for one in connections}, identity__in=named
    ).values_list("course", "identity", "context__deployment__platform")
    places = list(found)
    return {
        one.pk: max(places.count((one.course_id, one.identity, one.context.deployment.platform_id)) - 1, 0)
        for one in connections
    }


def _say_people(change: Change) -> list[str]:
    if not change.people:
        return []
    text = ngettext(
        "%(n)d person who came only from there is inactive here; work and grades are kept.",
        "%(n)d people who came only from there are inactive here; their work and grades are kept.",
        change.people,
    )
    return [text % {"n": change.people}]


def _back(course_id: str, pk: int | None = None) -> HttpResponse:
    address = reverse("lms_course:connections", args=[course_id])
    return redirect(f"{address}#connection-{pk}" if pk else address)
