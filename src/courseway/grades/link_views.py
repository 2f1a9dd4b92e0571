"""A course's page for the LMS: what is linked where, which column its grades go into, and what is wrong, each with the
one click that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.access import CourseAccess, get_course_to_edit
from courseway.grades.column_checks import ask_for_columns
from courseway.grades.column_repairs import RepairError, forget_column, make_column, use_column
from courseway.grades.columns import Column, can_look, judge
from courseway.grades.models import ColumnCheck, SeenColumn
from courseway.grades.reasons import Reason, explain
from courseway.lms.models import Context, ContextRoster, Launch, ResourceLink
from courseway.lms.rosters import list_rosters, want_roster

PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Place:
    """An LMS course with its links on this page, and what became of looking at it."""

    context: Context
    columns: list[Column]
    check: ColumnCheck | None
    roster: ContextRoster | None
    can_look: bool
    spare: list[SeenColumn]  # columns that no link of the LMS course uses

    @property
    def is_pending(self) -> bool:
        return self.check is not None and self.check.asked_at is not None

    @property
    def reason(self) -> Reason | None:
        return explain(self.check.last_error_code) if self.check and self.check.last_error_code else None

    @property
    def roster_reason(self) -> Reason | None:
        return explain(self.roster.error_code) if self.roster and self.roster.error_code else None


@require_safe
def show_links(request: HttpRequest, course_id: str) -> HttpResponse:
    access = get_course_to_edit(request, course_id)
    return render(request, "grades/links.html", _describe(request, access))


@require_safe
def show_progress(request: HttpRequest, course_id: str) -> HttpResponse:
    """The list alone, for a page that looks again until all was read."""
    words = _describe(request, get_course_to_edit(request, course_id))
    response = render(request, "grades/links_list.html", words)
    if not words["is_pending"]:
        response["HX-Refresh"] = "true"  # the whole page knows more now
    return response


@require_POST
def check_now(request: HttpRequest, course_id: str) -> HttpResponse:
    """Look at the columns and read the rosters of all LMS courses; the page shows how far it is."""
    access, now = get_course_to_edit(request, course_id), timezone.now()
    links = _list_links(access)
    contexts = {link.context_id: link.context for link in links if can_look(link)}
    rosters = list(list_rosters(access.course.pk))
    ask_for_columns(list(contexts.values()), now=now)
    for context in rosters:
        want_roster(context.pk, at=now, now=now)
    if not contexts and not rosters:
        messages.warning(request, _("There is no LMS here whose columns or people could be looked at."))
    return _back(request, course_id)


@require_POST
def fix(request: HttpRequest, course_id: str, link: int) -> HttpResponse:
    """Use a column that was seen, make one, or forget one that is another link's."""
    access, now = get_course_to_edit(request, course_id), timezone.now()
    row = _list_links(access).filter(pk=link).first()
    if row is None:
        raise Http404(_("This course has no such link. Its LMS may have sent it elsewhere meanwhile."))
    action = request.POST.get("action", "")
    try:
        if action == "use":
            column = use_column(row, request.POST.get("column", ""), now=now)
            text = _("Grades of “%(link)s” go into the column “%(column)s”.") % {"link": row, "column": column}
        elif action == "make":
            make_column(row, now=now)
            text = _("The LMS has a column for “%(link)s” now.") % {"link": row}
        elif action == "forget":
            forget_column(row, now=now)
            text = _("The column is not used any more. Grades of “%(link)s” look for their own.") % {"link": row}
        else:
            raise BadRequest("unknown action")
    except RepairError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, text)
    return _back(request, course_id)


def _list_links(access: CourseAccess) -> QuerySet[ResourceLink]:
    """The placed links of the course's assignments; those of revoked platforms do nothing any more."""
    launches = Launch.objects.filter(
        context=OuterRef("context"), assignment=OuterRef("assignment"), outcome=Launch.Outcome.OK
    ).order_by("-pk")
    return (
        ResourceLink.objects.filter(assignment__course=access.course, deployment__platform__revoked_at=None)
        .select_related("context", "assignment", "deployment__platform")
        .annotate(launched_at=Subquery(launches.values("at")[:1]))
        .order_by("context__title", "context", F("assignment__module__position"), "assignment__position", "pk")
    )


def _describe(request: HttpRequest, access: CourseAccess) -> dict[str, Any]:
    page = Paginator(_list_links(access), PER_PAGE).get_page(request.GET.get("page"))
    places = _build_places(list(page))
    return {
        "access": access,
        "page_obj": page,
        "places": places,
        "problems": sum(column.finding.is_problem for place in places for column in place.columns),
        "is_pending": any(place.is_pending or _is_reading(place.roster) for place in places),
        "can_check": any(place.can_look or place.context.roster_url for place in places),
    }


def _is_reading(roster: ContextRoster | None) -> bool:
    return roster is not None and (roster.is_under_way or (roster.next_try_at or _NEVER) <= timezone.now())


_NEVER = datetime.max.replace(tzinfo=timezone.get_default_timezone())


def _build_places(links: list[ResourceLink]) -> list[Place]:
    contexts = list(dict.fromkeys(link.context for link in links))
    checks = {one.context_id: one for one in ColumnCheck.objects.filter(context__in=contexts)}
    rosters = {one.context_id: one for one in ContextRoster.objects.filter(context__in=contexts)}
    seen: dict[int, list[SeenColumn]] = {context.pk: [] for context in contexts}
    for column in SeenColumn.objects.filter(context__in=contexts).order_by("pk"):
        seen[column.context_id].append(column)
    places = []
    for context in contexts:
        check, here = checks.get(context.pk), [link for link in links if link.context_id == context.pk]
        listed = seen[context.pk] if check is not None and check.checked_at is not None else None
        columns = [judge(link, link.assignment, listed) for link in here if link.assignment is not None]
        looks = any(can_look(link) for link in here)
        spare = _list_spare(context, seen[context.pk])
        places.append(Place(context, columns, check, rosters.get(context.pk), looks, spare))
    return places


def _list_spare(context: Context, seen: list[SeenColumn]) -> list[SeenColumn]:
    """Columns of this tool in the LMS course that belong to no link that was ever opened."""
    links = list(ResourceLink.objects.filter(context=context).values_list("resource_link_id", "lineitem_url"))
    ids, urls = {link_id for link_id, _url in links}, {url for _id, url in links}
    return [one for one in seen if one.resource_link_id not in ids and one.url not in urls]


def _back(request: HttpRequest, course_id: str) -> HttpResponse:
    response = redirect("grades_course:links", course_id)
    page = request.POST.get("page", "")
    if page.isdecimal():
        response["Location"] += f"?page={page}"
    return response
