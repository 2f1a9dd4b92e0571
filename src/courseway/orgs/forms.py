"""Forms of accounts and organizations."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from courseway.orgs.models import Account, Member, Organization


class AccountForm(forms.ModelForm[Account]):
    class Meta:
        model = Account
        fields = ["name"]
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "name"})}
        help_texts = {"name": _("As other members of your organizations see it.")}


class OrganizationForm(forms.ModelForm[Organization]):
    class Meta:
        model = Organization
        fields = ["name", "releases_grades_automatically"]
        help_texts = {
            "name": _("Shown to members and in mails. The address of the organization stays as it is."),
            "releases_grades_automatically": _(
                "New courses begin so; each course can differ. Courses that are there already stay as they are."
            ),
        }


class InvitationForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), choices=Member.Role.choices, initial=Member.Role.TEACHER)

    def __init__(self, *args: object, organization: Organization, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.organization = organization

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"]).strip().lower()
        if Member.objects.filter(organization=self.organization, account__email__iexact=email).exists():
            raise forms.ValidationError(_("This person is a member already."))
        return email


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Member.Role.choices)
