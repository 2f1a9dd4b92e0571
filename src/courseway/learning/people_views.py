"""The owners' pages of people: who is known here, from which LMS, and two who are one (C7)."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from courseway.learning.merging import MergeError, merge_people, preview_merge
from courseway.learning.people import PEOPLE_ON_PAGE, find_namesakes, find_people
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.models import Organization, Person


@sign_in_required
@require_safe
def list_people(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    search = request.GET.get("q", "")[:200]
    page = Paginator(find_people(organization, search), PEOPLE_ON_PAGE).get_page(request.GET.get("page"))
    words = {"organization": organization, "page_obj": page, "search": search}
    return render(request, "learning/people.html", words)


@sign_in_required
@require_safe
def show_person(request: HttpRequest, slug: str, person_id: str) -> HttpResponse:
    """One person: identities and courses, and the search for somebody who is the same."""
    organization = get_organization_to_own(request, slug)
    person = _get_person(organization, person_id)
    search = request.GET.get("q", "")[:200]
    namesakes = find_namesakes(person)
    others = find_people(organization, search).exclude(pk=person.pk) if search.strip() else namesakes
    words = {
        "organization": organization,
        "person": person,
        "identities": person.lms_identities.select_related("platform").order_by("platform__name", "pk"),
        "enrollments": person.enrollments.select_related("course").order_by("course__title"),
        "search": search,
        "others": others[:20],
        "has_more": len(others[:21]) > 20,
    }
    return render(request, "learning/person.html", words)


@sign_in_required
@require_http_methods(["GET", "POST"])
def merge(request: HttpRequest, slug: str, person_id: str, person: str) -> HttpResponse:
    """What joining the two would mean, and then doing it: `person_id` stays, `person` becomes part of it."""
    organization = get_organization_to_own(request, slug)
    kept, absorbed = _get_person(organization, person_id), _get_person(organization, person)
    try:
        preview = preview_merge(kept, absorbed)
        if request.method == "POST":
            name = absorbed.shown_name
            merge_people(kept, absorbed, now=timezone.now())
            messages.success(request, _("%(name)s and this person are one now.") % {"name": name})
            return redirect("learning_org:person", slug, person_id)
    except MergeError as error:
        messages.error(request, str(error))
        return redirect("learning_org:person", slug, person_id)
    words = {"organization": organization, "kept": kept, "absorbed": absorbed, "preview": preview}
    return render(request, "learning/merge.html", words)


def _get_person(organization: Organization, public_id: str) -> Person:
    people = Person.objects.select_related("account").filter(organization=organization)
    found = people.filter(public_id=public_id).first()
    if found is None:
        raise PermissionDenied(_("This person does not exist, or belongs to another organization."))
    return found
