"""The form of a webhook. Addresses are tried where they are stored (endpoints.py)."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from courseway.events.kinds import Kind
from courseway.events.letters import is_secret

_typed = {"autocomplete": "off", "spellcheck": "false"}


class EndpointForm(forms.Form):
    # Not a URLField: hosts of a network of one's own need no dot. What is wrong with an address, the test event says.
    url = forms.CharField(
        label=_("Address"),
        max_length=2000,
        widget=forms.TextInput(attrs={**_typed, "inputmode": "url", "placeholder": "https://"}),
        help_text=_("Where your program listens. It gets each event by POST, as JSON, and answers 2xx."),
    )
    kinds = forms.MultipleChoiceField(
        label=_("Events"),
        choices=[(kind.value, kind.label) for kind in Kind],
        initial=Kind.values,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one event.")},
    )
    shares_people = forms.BooleanField(
        label=_("Send names and e-mail addresses of people"),
        required=False,
        help_text=_("Otherwise an event names a person by our id alone."),
    )


class NewEndpointForm(EndpointForm):
    """Also the secret: the receiver has to know it before the test event comes."""

    secret = forms.CharField(
        label=_("Signing secret"),
        max_length=200,
        widget=forms.TextInput(attrs=_typed),
        help_text=_("Give it to your program before you go on: the test event is signed with it already."),
    )

    field_order = ["url", "secret", "kinds", "shares_people"]

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"]).strip()
        if not is_secret(secret):
            raise forms.ValidationError(_("A secret begins with whsec_, followed by 24 to 64 bytes in Base64."))
        return secret
