"""What an owner believes an LMS: that e-mail addresses are its people's own, and who it says opens a student's work.

Both are off until an owner says otherwise, since whoever runs or edits that LMS could claim anything.
"""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from courseway.lms.keys import raise_config_version
from courseway.lms.models import Platform
from courseway.lms.org_access import get_platform_to_own
from courseway.orgs.access import sign_in_required


@sign_in_required
@require_POST
def set_trust(request: HttpRequest, slug: str, platform: str) -> HttpResponse:
    owned = get_platform_to_own(request, slug, platform)
    change_trust(
        owned, trusts_emails="trusts_emails" in request.POST, accepts_actual_user="accepts_actual_user" in request.POST
    )
    messages.success(request, _("Saved for %(name)s.") % {"name": owned})
    if owned.version == Platform.Version.V13:
        return redirect(reverse("lms_org:registration", args=[slug, platform]) + "#trust")
    return redirect(reverse("lms_org:integrations", args=[slug]) + f"#{platform}")


def change_trust(platform: Platform, *, trusts_emails: bool, accepts_actual_user: bool) -> None:
    with transaction.atomic():
        platform.trusts_emails, platform.accepts_actual_user = trusts_emails, accepts_actual_user
        platform.save(update_fields=["trusts_emails", "accepts_actual_user"])
        raise_config_version(platform)
