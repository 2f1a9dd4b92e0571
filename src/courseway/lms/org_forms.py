"""The forms of the LTI integrations page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from courseway.lms.deployment_claims import LONGEST_ID, claim_deployment
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.keys import create_consumer_key
from courseway.lms.models import ConsumerKey, DeploymentClaim, Platform, Registration
from courseway.lms.registrations import create_registration, update_registration
from courseway.orgs.models import Account, Organization


class KeyForm(forms.Form):
    """A new LTI 1.1 key."""

    name = forms.CharField(
        label=_("Name"), max_length=200, help_text=_("Which LMS will use it, for example “Canvas of the law school”.")
    )
    key = forms.CharField(
        label=_("LTI Consumer"),
        required=False,
        max_length=255,
        help_text=_("Only if the LMS has one from another tool already. Empty: we make one."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label=_("LTI Secret"),
        required=False,
        max_length=255,
        help_text=_("Empty: we make one that nobody can guess."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}, render_value=True),
    )

    def save(self, organization: Organization) -> ConsumerKey | None:
        """The new key; None, with the error at its field, if it cannot be stored."""
        try:
            consumer_key, _secret = create_consumer_key(organization, **self.cleaned_data)
        except IntegrationError as error:
            self.add_error(error.field if error.field in self.fields else None, error.message)
            return None
        return consumer_key


class NameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=200)


_address = {"autocomplete": "off", "spellcheck": "false", "inputmode": "url"}


class RegistrationForm(forms.Form):
    """What an LTI 1.3 platform shows about itself. Addresses are checked where they are stored (registrations.py)."""

    name = forms.CharField(label=_("Name"), max_length=200, help_text=_("How you call this LMS."))
    issuer = forms.CharField(
        label=_("Issuer (platform ID)"),
        max_length=500,
        help_text=_("Exactly as the LMS shows it, with or without the slash at the end."),
        widget=forms.TextInput(attrs=_address),
    )
    client_id = forms.CharField(
        label=_("Client ID"),
        max_length=255,
        help_text=_("The number or word by which the LMS knows this tool."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    authentication_url = forms.CharField(
        label=_("Authentication request URL"),
        max_length=2000,
        help_text=_("Also called OIDC authorization URL. Browsers are sent there at each launch."),
        widget=forms.TextInput(attrs=_address),
    )
    token_url = forms.CharField(
        label=_("Access token URL"),
        max_length=2000,
        help_text=_("Also called OAuth2 token URL. Grades need it."),
        widget=forms.TextInput(attrs=_address),
    )
    keyset_url = forms.CharField(
        label=_("Public keyset URL"),
        max_length=2000,
        help_text=_("Also called JWKS URL. We read there the keys with which the LMS signs."),
        widget=forms.TextInput(attrs=_address),
    )
    audience = forms.CharField(
        label=_("Token audience"),
        max_length=2000,
        required=False,
        help_text=_("Only if the LMS names one, as Brightspace does. Empty: the access token URL."),
        widget=forms.TextInput(attrs=_address),
    )
    deployment_ids = forms.CharField(
        label=_("Deployment IDs"),
        required=False,
        help_text=_("One on each line, if the LMS has told them already. They are approved at once."),
        widget=forms.Textarea(attrs={"rows": 2, "autocomplete": "off", "spellcheck": "false"}),
    )
    deployment_policy = forms.ChoiceField(
        label=_("A deployment that is not listed"),
        choices=[
            (Registration.DeploymentPolicy.ANY, _("is accepted at its first launch, and listed")),
            (Registration.DeploymentPolicy.APPROVED, _("waits until an owner approves it")),
        ],
        initial=Registration.DeploymentPolicy.ANY,
        help_text=_("In an LMS that many institutions share (Canvas, Blackboard), let new ones wait."),
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, registration: Registration | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.registration = registration
        if registration is not None:
            del self.fields["deployment_ids"]
            self.initial = {name: getattr(registration, name, "") for name in self.fields}
            self.initial["name"] = registration.platform.name

    def save(self, organization: Organization) -> Registration | None:
        """The registration, new or changed; None, with the error at its field, if it cannot be stored."""
        values = dict(self.cleaned_data)
        try:
            if self.registration is None:
                deployment_ids = values.pop("deployment_ids").splitlines()
                return create_registration(organization, **values, deployment_ids=deployment_ids)
            update_registration(self.registration, **values)
        except IntegrationError as error:
            self.add_error(error.field if error.field in self.fields else None, error.message)
            return None
        return self.registration


class ClaimForm(forms.Form):
    """The short form: the operator has registered the LMS, an organization enters which deployment is its own."""

    shared = forms.ChoiceField(label=_("LMS"))
    deployment_id = forms.CharField(
        label=_("Deployment ID"),
        max_length=LONGEST_ID,
        help_text=_("Exactly as the LMS shows it when the tool is added there."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, shared: Sequence[Platform], data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data)
        self.platforms = {platform.public_id: platform for platform in shared}
        if len(shared) == 1:
            del self.fields["shared"]
        else:
            field = self.fields["shared"]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101 - as declared above
            field.choices = [(public_id, str(platform)) for public_id, platform in self.platforms.items()]

    def save(self, organization: Organization, account: Account | None, *, now: datetime) -> DeploymentClaim | None:
        """The claim; None, with the error at its field, if it cannot be made."""
        chosen = self.cleaned_data.get("shared") or next(iter(self.platforms))
        try:
            return claim_deployment(
                organization,
                self.platforms[chosen],
                self.cleaned_data["deployment_id"],
                claimed_by=account,
                now=now,
            )
        except IntegrationError as error:
            self.add_error("deployment_id", error.message)
            return None


class DeploymentForm(forms.Form):
    deployment_id = forms.CharField(
        label=_("Deployment ID"), max_length=255, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
