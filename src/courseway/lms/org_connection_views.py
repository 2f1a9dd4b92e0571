"""All LMS courses of an organization and how each was matched; and masters that take the place of others."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from courseway.courses.models import Course
from courseway.lms.connections import list_to_review, needs_review, with_last_launch
from courseway.lms.models import CourseContext, ParentReplacement
from courseway.lms.parent_replacement import Overlap, ReplacementError, compare, replace_parent, undo_replacement
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.models import Organization

PER_PAGE = 50
COURSES_OFFERED = 500


@sign_in_required
@require_safe
def show_connections(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    q, state = request.GET.get("q", "").replace("\x00", "").strip()[:200], request.GET.get("state", "")
    every = CourseContext.objects.filter(course__organization=organization)
    shown = _find(list_to_review(every) if state == "review" else every, q)
    page = Paginator(with_last_launch(shown).order_by("-pk"), PER_PAGE).get_page(request.GET.get("page"))
    replacements = ParentReplacement.objects.filter(organization=organization).select_related(
        "old_parent", "new_parent"
    )
    offered = Course.objects.filter(organization=organization).order_by("title", "pk")
    words = {
        "organization": organization,
        "q": q,
        "state": state,
        "to_review": list_to_review(every).count(),
        "page_obj": page,
        "rows": [(connection, needs_review(connection)) for connection in page],
        "replacements": replacements.order_by("old_parent__title", "pk"),
        "old_parents": list(
            offered.filter(Q(course_copy=True) | Q(children__isnull=False)).distinct()[:COURSES_OFFERED]
        ),
        "new_parents": list(offered.filter(course_copy=True, archived_at=None)[:COURSES_OFFERED]),
    }
    return render(request, "lms/org_connections.html", words)


@sign_in_required
@require_POST
def accept_shown(request: HttpRequest, slug: str) -> HttpResponse:
    """Accepts those that were ticked."""
    organization = get_organization_to_own(request, slug)
    chosen = [int(pk) for pk in request.POST.getlist("connection") if pk.isascii() and pk.isdecimal() and len(pk) < 18]
    matched = CourseContext.objects.filter(course__organization=organization, pk__in=chosen, accepted_at=None)
    number = matched.update(accepted_at=timezone.now())
    if number:
        text = ngettext("%(n)d match is accepted.", "%(n)d matches are accepted.", number)
        messages.success(request, text % {"n": number})
    else:
        messages.warning(request, _("Nothing was chosen."))
    return redirect("lms_org:connections", slug)


@sign_in_required
@require_POST
def replace(request: HttpRequest, slug: str) -> HttpResponse:
    """New launches that ask for a copy of the old parent get one of the new parent."""
    organization = get_organization_to_own(request, slug)
    old, new = (_get_course(organization, request.POST.get(name, "")) for name in ("old", "new"))
    if old is None or new is None:
        messages.error(request, _("Choose the old and the new parent."))
        return redirect("lms_org:connections", slug)
    try:
        replace_parent(old, new, now=timezone.now())
    except ReplacementError as error:
        messages.error(request, str(error))
        return redirect("lms_org:connections", slug)
    messages.success(
        request,
        _("Copies asked of “%(old)s” are made of “%(new)s” from now on.") % {"old": old.title, "new": new.title},
    )
    _warn(request, compare(old, new), new)
    return redirect("lms_org:connections", slug)


@sign_in_required
@require_POST
def undo(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    replacement = (
        ParentReplacement.objects.select_related("old_parent").filter(organization=organization, pk=pk).first()
    )
    if replacement is None:
        raise Http404(_("This replacement does not exist any more."))
    undo_replacement(replacement)
    text = _("Copies asked of “%(old)s” are made of it again.")
    messages.success(request, text % {"old": replacement.old_parent.title})
    return redirect("lms_org:connections", slug)


def _find(connections: QuerySet[CourseContext], text: str) -> QuerySet[CourseContext]:
    for word in text.split()[:8]:
        connections = connections.filter(
            Q(course__title__icontains=word)
            | Q(context__title__icontains=word)
            | Q(context__context_id__icontains=word)
            | Q(identity__icontains=word)
            | Q(context__deployment__platform__name__icontains=word)
        )
    return connections


def _get_course(organization: Organization, public_id: str) -> Course | None:
    return Course.objects.filter(organization=organization, public_id=public_id[:20]).first()


def _warn(request: HttpRequest, overlap: Overlap, new: Course) -> None:
    if overlap.is_whole:
        return
    text = _(
        "“%(new)s” has %(shared)d of its %(all)d assignments. Constant URLs of the others open nothing in a new "
        "copy: a new parent should itself be a copy of the old one."
    )
    messages.warning(request, text % {"new": new.title, "shared": overlap.shared, "all": overlap.all})
