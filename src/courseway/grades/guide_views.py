"""Guides to the LMSs with this installation's values, and what is done already (K4).

Opened from an organization they are for its owners and teachers, from a course for whoever teaches it. Key and secret
are the owners' alone.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from courseway.courses.access import get_course_to_teach
from courseway.courses.markdown import render_markdown
from courseway.courses.models import Course
from courseway.grades.guide_progress import guess_platform, list_platforms, read_progress
from courseway.lms import addresses
from courseway.lms.assignment_urls import write_parameters
from courseway.lms.deployment_claims import list_shared_platforms
from courseway.lms.guide_parts import Given, Guide, Who
from courseway.lms.guide_terms import NEW_TERM, SWITCHES
from courseway.lms.lms_guides import LMS_GUIDES, find_guide
from courseway.lms.models import Platform
from courseway.orgs.access import get_membership, sign_in_required
from courseway.orgs.models import Member, Organization
from courseway.orgs.visitor import visitor_of
from ltikit import vocabulary


@sign_in_required
@require_safe
def show_guide(request: HttpRequest, slug: str, lms: str) -> HttpResponse:
    organization, is_owner = _enter(request, slug)
    guide = _get_guide(lms)
    platforms = list_platforms(organization, guide.version)
    return _page(request, guide, organization, platforms, _choose(request, guide, platforms), is_owner=is_owner)


@sign_in_required
@require_safe
def show_progress(request: HttpRequest, slug: str, lms: str) -> HttpResponse:
    """The checklist alone, for a page that looks again and again."""
    organization, is_owner = _enter(request, slug)
    guide = _get_guide(lms)
    platform = _choose(request, guide, list_platforms(organization, guide.version))
    words = _describe_progress(guide, organization, platform, None)
    return render(request, "grades/guide_progress.html", {**words, "is_owner": is_owner})


@require_safe
def show_course_guide(request: HttpRequest, course_id: str, lms: str) -> HttpResponse:
    course = get_course_to_teach(request, course_id).course
    guide = _get_guide(lms)
    platforms = list_platforms(course.organization, guide.version)
    is_owner = _is_owner(request, course.organization)
    return _page(
        request, guide, course.organization, platforms, _choose(request, guide, platforms), course, is_owner=is_owner
    )


@require_safe
def show_course_progress(request: HttpRequest, course_id: str, lms: str) -> HttpResponse:
    course = get_course_to_teach(request, course_id).course
    guide = _get_guide(lms)
    platform = _choose(request, guide, list_platforms(course.organization, guide.version))
    words = _describe_progress(guide, course.organization, platform, course)
    is_owner = _is_owner(request, course.organization)
    return render(request, "grades/guide_progress.html", {**words, "is_owner": is_owner})


def _enter(request: HttpRequest, slug: str) -> tuple[Organization, bool]:
    membership = get_membership(request, slug)
    if membership.role not in (Member.Role.OWNER, Member.Role.TEACHER):
        raise PermissionDenied(_("Only owners and teachers of the organization may open this page."))
    return membership.organization, membership.role == Member.Role.OWNER


def _is_owner(request: HttpRequest, organization: Organization) -> bool:
    """Of a signed-in account: a launch opens a course, never an organization (A1)."""
    account = visitor_of(request).account
    if account is None:
        return False
    return Member.objects.filter(organization=organization, account=account, role=Member.Role.OWNER).exists()


def _get_guide(lms: str) -> Guide:
    guide = find_guide(lms)
    if guide is None:
        raise Http404(_("There is no guide of this name."))
    return guide


def _choose(request: HttpRequest, guide: Guide, platforms: list[Platform]) -> Platform | None:
    """The key or registration that the guide is about: the one asked for, else one that seems to be of this LMS."""
    asked = request.GET.get("platform")
    if asked is None:
        return guess_platform(platforms, guide)
    return next((one for one in platforms if one.public_id == asked), None)


def _page(
    request: HttpRequest,
    guide: Guide,
    organization: Organization,
    platforms: list[Platform],
    platform: Platform | None,
    course: Course | None = None,
    *,
    is_owner: bool,
) -> HttpResponse:
    values = _read_values(platform if is_owner else None)
    steps: list[dict[str, Any]] = []
    for number, step in enumerate(guide.steps, start=1):
        shown = [
            (label, given, value, f"{given.value}-{number}", value.count("\n") + 1 if "\n" in value else 0)
            for given, label in step.values
            for value in [values.get(given, "")]
        ]
        steps.append({"step": step, "text": render_markdown(str(step.text)), "values": shown})
    words: dict[str, Any] = {
        **_describe_progress(guide, organization, platform, course),
        "guides": LMS_GUIDES,
        "steps": steps,
        "about": render_markdown(str(guide.about)),
        "new_term": [render_markdown(str(words)) for words in (SWITCHES, *NEW_TERM[guide.key])],
        "notes": [render_markdown(str(note)) for note in guide.notes],
        "platforms": platforms if is_owner else [],
        "shared_platforms": _list_shared(guide) if is_owner else [],
        "is_owner": is_owner,
        "owner_steps": Who.OWNER,
        "secret_value": Given.SECRET,
        "custom": addresses.custom_parameters(course) if course is not None and course.constant_urls else {},
    }
    return render(request, "grades/course_guide.html" if course is not None else "grades/guide.html", words)


def _describe_progress(
    guide: Guide, organization: Organization, platform: Platform | None, course: Course | None
) -> dict[str, Any]:
    return {
        "guide": guide,
        "organization": organization,
        "platform": platform,
        "course": course,
        "progress": read_progress(organization, guide.version, platform, course),
    }


def _list_shared(guide: Guide) -> list[Platform]:
    """The operator's registrations of this LMS: an owner then only enters a deployment ID."""
    issuer = guide.known.get("issuer")
    shared = list_shared_platforms().filter(registration__issuer=issuer) if issuer else Platform.objects.none()
    return list(shared.select_related("registration"))


def _read_values(platform: Platform | None) -> dict[Given, str]:
    """What to type into the LMS. Key and XML address only with a key that its owner looks at."""
    values = {
        Given.LAUNCH_URL: addresses.launch_url(),
        Given.LOGIN_URL: addresses.login_url(),
        Given.REDIRECT_URL: addresses.redirect_url(),
        Given.KEYSET_URL: addresses.keyset_url(),
        Given.SELECTION_URL: addresses.deep_linking_url(),
        Given.CANVAS_JSON_URL: addresses.canvas_json_url(),
        Given.DOMAIN: urlsplit(settings.PUBLIC_URL).hostname or "",
        Given.COURSE_VARIABLES: write_parameters(vocabulary.COURSE_VARIABLES),
    }
    if platform is not None and platform.version == Platform.Version.V11:
        values[Given.KEY] = platform.consumer_key.key
        values[Given.XML_URL] = addresses.xml_url(platform.consumer_key)
    return values
