"""What an owner believes an LMS: that e-mail addresses are its people's own, who it says opens a student's work, and
who teaches.

The first two are off until an owner says otherwise, since whoever runs or edits that LMS could claim anything.
"""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from courseway.lms.instructors import approve_those_who_teach, withdraw_approval
from courseway.lms.keys import raise_config_version
from courseway.lms.models import InstructorApproval, Platform
from courseway.lms.org_access import get_platform_to_own
from courseway.orgs.access import sign_in_required


@sign_in_required
@require_POST
def set_trust(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    owned = get_platform_to_own(request, slug, platform)
    change_trust(
        owned,
        trusts_emails="trusts_emails" in request.POST,
        accepts_actual_user="accepts_actual_user" in request.POST,
        asks_about_instructors="asks_about_instructors" in request.POST,
    )
    messages.success(request, _("Saved for %(name)s.") % {"name": owned})
    return _back_to(owned, slug)


@sign_in_required
@require_POST
def answer_instructor(request: HttpRequest, slug: str, platform: str, pk: int) -> HttpResponse:
    """`answer=approve` lets an instructor teach; anything else takes the request, or the yes, away."""
    owned = get_platform_to_own(request, slug, platform)
    approval = get_object_or_404(InstructorApproval, platform=owned, pk=pk)
    if request.POST.get("answer") == "approve":
        InstructorApproval.objects.filter(pk=pk).update(approved_at=timezone.now())
        messages.success(request, _("%(name)s may teach now: the next launch opens.") % {"name": approval})
    else:
        withdraw_approval(approval)
        messages.success(request, _("%(name)s does not teach here. Another launch asks again.") % {"name": approval})
    return _back_to(owned, slug)


def _back_to(platform: Platform, slug: str) -> HttpResponse:
    if platform.version == Platform.Version.V13:
        return redirect(reverse("lms_org:registration", args=[slug, platform.public_id]) + "#trust")
    return redirect(reverse("lms_org:integrations", args=[slug]) + f"#{platform.public_id}")


def change_trust(
    platform: Platform, *, trusts_emails: bool, accepts_actual_user: bool, asks_about_instructors: bool = False
) -> None:
    with transaction.atomic():
        if asks_about_instructors and not platform.asks_about_instructors:
            approve_those_who_teach(platform, timezone.now())
        platform.trusts_emails, platform.accepts_actual_user = trusts_emails, accepts_actual_user
        platform.asks_about_instructors = asks_about_instructors
        platform.save(update_fields=["trusts_emails", "accepts_actual_user", "asks_about_instructors"])
        raise_config_version(platform)
