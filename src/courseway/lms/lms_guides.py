"""Connecting each LMS in a few steps. The names in quotation marks are those on the LMS's own pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class LmsGuide:
    """`known` are values that are the same for every installation of the LMS; the form begins with them."""

    key: str
    name: str
    version: str  # the one to choose: "1.1" or "1.3"
    steps: tuple[str | Promise, ...]
    known: Mapping[str, str] = field(default_factory=dict)


_ADD_REGISTRATION = _("Add a registration here with the values that the LMS shows, then use 'Test connection'.")
_ADD_KEY = _("Add a key here, under LTI 1.0/1.1: one for each LMS.")

LMS_GUIDES: Final = (
    LmsGuide(
        "canvas",
        "Canvas",
        "1.3",
        (
            _("In Canvas: Admin → Developer Keys → + Developer Key → LTI Key, method 'Manual Entry'."),
            _(
                "Enter our values from below: redirect URL, launch URL as 'Target Link URI', login URL as 'OpenID "
                "Connect Initiation Url', keyset URL as 'Public JWK URL'. Under 'LTI Advantage Services' allow all of "
                "grades; set the privacy level to 'Public'. Save, switch the key on, copy its number (the client ID)."
            ),
            _("Settings → Apps → + App → 'By Client ID'. The gear of the new app shows the deployment ID."),
            _ADD_REGISTRATION,
        ),
        {
            "issuer": "https://canvas.instructure.com",
            "authentication_url": "https://sso.canvaslms.com/api/lti/authorize_redirect",
            "token_url": "https://sso.canvaslms.com/login/oauth2/token",
            "keyset_url": "https://sso.canvaslms.com/api/lti/security/jwks",
        },
    ),
    LmsGuide(
        "moodle",
        "Moodle",
        "1.3",
        (
            _(
                "In Moodle: Site administration → Plugins → Activity modules → External tool → Manage tools → "
                "'configure a tool manually'."
            ),
            _(
                "Tool URL: our launch URL. LTI version: LTI 1.3. Public key type: Keyset URL. Enter our keyset URL, "
                "login URL ('Initiate login URL') and redirect URL. Under Services allow grade sync, under Privacy "
                "share name and e-mail. Save."
            ),
            _("The magnifier of the new tool shows platform ID, client ID, deployment ID and the three addresses."),
            _ADD_REGISTRATION,
        ),
    ),
    LmsGuide(
        "brightspace",
        "Brightspace",
        "1.3",
        (
            _("In Brightspace: Admin Tools → Manage Extensibility → LTI Advantage → Register Tool, 'Standard'."),
            _(
                "Enter our launch URL, redirect URL, login URL and keyset URL; switch on Assignment and Grade "
                "Services. The page then shows client ID, issuer, keyset, token and authentication addresses, and "
                "the token audience, which has to be entered here too."
            ),
            _("View Deployments → New Deployment: allow name, e-mail and roles, choose the org units."),
            _ADD_REGISTRATION,
        ),
    ),
    LmsGuide(
        "blackboard",
        "Blackboard",
        "1.3",
        (
            _("At Anthology's developer portal, register an application with our login, redirect and keyset URLs."),
            _(
                "In Blackboard: Administrator Panel → LTI Tool Providers → 'Register LTI 1.3/Advantage Tool' with the "
                "application's ID. Approve it, allow grades, send role, name and e-mail. The page shows the "
                "deployment ID."
            ),
            _("In the keyset URL below, put the application's ID in the place of APPLICATION-ID."),
            _ADD_REGISTRATION,
        ),
        {
            "issuer": "https://blackboard.com",
            "authentication_url": "https://developer.blackboard.com/api/v1/gateway/oidcauth",
            "token_url": "https://developer.blackboard.com/api/v1/gateway/oauth2/jwttoken",
            "keyset_url": "https://developer.blackboard.com/api/v1/management/applications/APPLICATION-ID/jwks.json",
        },
    ),
    LmsGuide(
        "open-edx",
        "Open edX",
        "1.3",
        (
            _("In Studio: Settings → Advanced Settings, add \"lti_consumer\" to 'Advanced Module List'."),
            _(
                "In a unit, add Advanced → LTI Consumer. 'LTI Version': LTI 1.3; 'Launch URL': the LTI integration URL "
                "of an assignment; 'Registered Redirect URIs': our redirect URL; 'Tool Initiate Login URL (OIDC)': our "
                "login URL; 'Tool Public Key Mode': Keyset URL, with our keyset URL. Switch on 'This activity is "
                "graded', 'Share Full name' and 'Share Email'."
            ),
            _("In the unit's preview the block shows client ID, deployment ID and the addresses of the LMS."),
            _ADD_REGISTRATION,
            _("For a further assignment copy the block and change its 'Launch URL': a copy keeps the client ID."),
        ),
    ),
    LmsGuide(
        "schoology",
        "Schoology",
        "1.1",
        (
            _ADD_KEY,
            _(
                "In Schoology: School Management → Integration → External Tools → Add. Enter the LTI Consumer, the LTI "
                "Secret and, as 'Domain/URL', the LTI URL; privacy: send name and e-mail."
            ),
            _("In a course add the tool with the LTI integration URL of an assignment, then open it once."),
        ),
    ),
    LmsGuide(
        "other",
        _("Another LMS"),  # type: ignore[arg-type]
        "1.3",
        (
            _(
                "If the LMS speaks LTI 1.3, enter our login, redirect, launch and keyset URLs there, and add a "
                "registration here with what it shows."
            ),
            _(
                "If it speaks only LTI 1.1, add a key here and enter LTI Consumer, LTI Secret and LTI URL there; or "
                "give it the XML Configuration URL, which fills in most of it."
            ),
            _("Let it send names, e-mail addresses and roles, and open a link once as a teacher."),
        ),
    ),
)


def find_guide(key: str) -> LmsGuide | None:
    return next((guide for guide in LMS_GUIDES if guide.key == key), None)
