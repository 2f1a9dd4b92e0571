"""The owners' choice which field of a launch names a student in exports (A7)."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import F, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from courseway.lms.launch_details import EMAIL, SOURCEDID, USER_ID
from courseway.lms.models import Arrival, LmsIdentity, Platform
from courseway.orgs.access import get_organization_to_own, sign_in_required
from courseway.orgs.models import Organization

OTHER = "other"
_PARAMETER = re.compile(r"[A-Za-z0-9_.:/$\-]{1,100}")


class LtiIdForm(forms.Form):
    field = forms.ChoiceField(
        label=gettext_lazy("Field of the launch"),
        widget=forms.RadioSelect,
        choices=[
            (USER_ID, gettext_lazy("The LMS's own user id (user_id, sub)")),
            (SOURCEDID, gettext_lazy("The id of the student information system (lis_person_sourcedid)")),
            (EMAIL, gettext_lazy("The e-mail address")),
            (OTHER, gettext_lazy("Another parameter of the launch, named below")),
        ],
    )
    parameter = forms.CharField(
        label=gettext_lazy("Name of the parameter"),
        required=False,
        max_length=100,
        help_text=gettext_lazy(
            "For example canvas_user_login_id (after adding canvas_user_login_id=$Canvas.user.loginId to the tool's "
            "custom fields in Canvas), ext_user_username (Moodle), ext_d2l_orgdefinedid (Brightspace)."
        ),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("field") == OTHER and not _PARAMETER.fullmatch(cleaned.get("parameter", "")):
            self.add_error("parameter", _("Give the name of the parameter: letters, digits and _ . : / - only."))
        return cleaned

    @property
    def chosen(self) -> str:
        field: str = self.cleaned_data["field"]
        return str(self.cleaned_data["parameter"]) if field == OTHER else field


@sign_in_required
@require_http_methods(["GET", "POST"])
def choose_lti_id(request: HttpRequest, slug: str) -> HttpResponse:
    organization = get_organization_to_own(request, slug)
    current = organization.lti_id_field
    is_usual = current in (USER_ID, SOURCEDID, EMAIL)
    initial = {"field": current if is_usual else OTHER, "parameter": "" if is_usual else current}
    form = LtiIdForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        save_lti_id_field(organization, form.chosen)
        messages.success(request, _("Saved. What only a launch can tell stands there after the next one."))
        return redirect("lms_org:lti_id", slug)
    words = {"organization": organization, "form": form}
    return render(request, "lms/lti_id.html", words, status=400 if form.errors else 200)


@transaction.atomic
def save_lti_id_field(organization: Organization, field: str) -> None:
    """What is known already is there at once; values of the former field are not kept beside those of the new one."""
    locked = Organization.objects.select_for_update().get(pk=organization.pk)
    if locked.lti_id_field == field:
        return
    locked.lti_id_field = field
    locked.save(update_fields=["lti_id_field"])
    known = {USER_ID: F("lms_user_id"), EMAIL: F("email")}
    LmsIdentity.objects.filter(platform__organization=locked).update(lti_id=known.get(field, Value("")))
    # The next launch of each person goes the full way and stores it anew.
    Arrival.objects.filter(platform__organization=locked).update(fingerprint="")
    Platform.objects.filter(organization=locked).update(config_version=F("config_version") + 1)
