"""Connecting each LMS. Shown in the product with real values, and written to docs/guides by scripts/write_guides.py."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from courseway.lms.guide_parts import Given, Guide, Step, Who
from courseway.lms.lms_guides_v11 import CANVAS_V11, SAKAI, SCHOOLOGY

_ADMINISTRATOR, _OWNER, _TEACHER = Who.ADMINISTRATOR, Who.OWNER, Who.TEACHER

_ADD_REGISTRATION: Final = Step(
    _OWNER,
    _("Add a registration with the values that the LMS shows, then use **Test connection**."),
    adds=True,
)
_ENABLE_COURSE: Final = Step(
    _TEACHER,
    _("In the course here, tab **LTI/LMS**: switch **Enable LTI** on and enter the **Course LMS URL**. Save changes."),
)
_OPEN_ONCE: Final = Step(
    _TEACHER,
    _("Open the new link once yourself, then as a student. The checklist notices the first launch by itself."),
)

CANVAS: Final = Guide(
    "canvas",
    "Canvas",
    "1.3",
    ("canvas",),
    (
        Step(
            _ADMINISTRATOR,
            _(
                "**Admin → Developer Keys → + Developer Key → + LTI Key**. Enter a **Key Name**, an **Owner Email** "
                "and the redirect URI; choose the **Method** *Enter URL* and paste the JSON URL: placements, scopes, "
                "privacy and variables come with it. **Save**."
            ),
            ((Given.REDIRECT_URL, "Redirect URIs"), (Given.CANVAS_JSON_URL, "JSON URL")),
        ),
        Step(
            _ADMINISTRATOR,
            _("Switch the new key's **State** to **On** and copy its number from **Details**: that is the client ID."),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "**Settings → Apps → View App Configurations → + App**, **Configuration Type** *By Client ID*: paste "
                "the client ID, **Submit**, **Install**. A single course has the same page for a trial."
            ),
        ),
        Step(
            _OWNER,
            _(
                "Add a registration: only the client ID is yours, the rest is the same for every Canvas of "
                "Instructure. A Canvas that you host yourselves has its own addresses. The deployment ID may stay "
                "empty."
            ),
            adds=True,
        ),
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _(
                "New assignment: enter the **points**, **Submission Type** *External Tool*, **Find**, choose the "
                "tool and then the assignment. Tick **Load This Tool In A New Tab**. **Save & Publish**."
            ),
        ),
        _OPEN_ONCE,
    ),
    about=_("LTI 1.3. Grades, deep linking and rosters; recommended unless your Canvas is set up for LTI 1.1 already."),
    notes=(
        _(
            "Quicker: **Make a registration link** on the page LTI integrations and give it to Canvas under **Admin → "
            "Apps → Manage → Install a New App**, *LTI 1.3*, *Dynamic Registration*. It stands for steps 1 to 4; "
            "switch the new key on in Canvas."
        ),
        _(
            "Choose assignments by **Find**. An integration URL pasted into the field beside it makes a link that "
            "Canvas cannot tell from others."
        ),
        _("Canvas takes grades only for published assignments in published courses."),
    ),
    known={
        "issuer": "https://canvas.instructure.com",
        "authentication_url": "https://sso.canvaslms.com/api/lti/authorize_redirect",
        "token_url": "https://sso.canvaslms.com/login/oauth2/token",
        "keyset_url": "https://sso.canvaslms.com/api/lti/security/jwks",
    },
)

MOODLE: Final = Guide(
    "moodle",
    "Moodle",
    "1.3",
    ("moodle",),
    (
        Step(
            _ADMINISTRATOR,
            _(
                "**Site administration → Plugins → Activity modules → External tool → Manage tools → configure a "
                "tool manually**. **LTI version** *LTI 1.3*, **Public key type** *Keyset URL*, **Tool configuration "
                "usage** *Show in activity chooser and as a preconfigured tool*, **Default launch container** *New "
                "window*; tick **Supports Deep Linking**."
            ),
            (
                (Given.LAUNCH_URL, "Tool URL"),
                (Given.KEYSET_URL, "Public keyset"),
                (Given.LOGIN_URL, "Initiate login URL"),
                (Given.REDIRECT_URL, "Redirection URI(s)"),
                (Given.SELECTION_URL, "Content Selection URL"),
                (Given.COURSE_VARIABLES, "Custom parameters"),
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "Under **Services**: *Use this service for grade sync and column management*, and let it retrieve "
                "members. Under **Privacy**: share name and e-mail, accept grades from the tool. **Save changes**."
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _("The magnifier of the new tool shows platform ID, client ID, deployment ID and three addresses."),
        ),
        _ADD_REGISTRATION,
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _(
                "In the Moodle course: **More → LTI External tools**, switch **Show in activity chooser** on. Then "
                "add the activity, **Select content**, choose one assignment or several."
            ),
        ),
        _OPEN_ONCE,
    ),
    about=_("LTI 1.3, from Moodle 4 on. Also for a course tool, without an administrator, in *LTI External tools*."),
    notes=(
        _(
            "Quicker: **Make a registration link** on the page LTI integrations, paste it as **Tool URL** under "
            "**Manage tools**, choose **Add LTI Advantage** and **Activate** the tool. That stands for steps 1 to 4."
        ),
        _(
            "Moodle imports Common Cartridge 1.0 and 1.1 only, and forgets custom parameters of the links: on the "
            "tab LTI/LMS choose version 1.1, whose links carry everything in their address."
        ),
    ),
)

BLACKBOARD: Final = Guide(
    "blackboard",
    "Blackboard",
    "1.3",
    ("blackboard",),
    (
        Step(
            _OWNER,
            _(
                "At **developer.anthology.com** register an application, with LTI 1.3 supported; it gives you an "
                "**Application ID**, which is the client ID."
            ),
            (
                (Given.DOMAIN, "Domain(s)"),
                (Given.LOGIN_URL, "Login Initiation URL"),
                (Given.REDIRECT_URL, "Tool Redirect URL(s)"),
                (Given.KEYSET_URL, "Tool JWKS URL"),
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "**Administrator Panel → Integrations → LTI Tool Providers → Register LTI 1.3/Advantage Tool**: "
                "enter the application ID. **Tool Status** *Approved*; send **role, name and e-mail**; allow **grade "
                "service** and **membership service** access. Copy the **deployment ID** that the page shows."
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "In the menu of the tool: **Manage Placements → Create Placement**, **Type** *Deep Linking content "
                "tool*, for selecting assignments. **Launch in new window** is best."
            ),
            ((Given.SELECTION_URL, "Tool Provider URL"), (Given.COURSE_VARIABLES, "Tool Provider Custom Parameters")),
        ),
        Step(
            _OWNER,
            _(
                "Add a registration. In the keyset URL put the application ID in the place of APPLICATION-ID; enter "
                "the deployment ID. Then use **Test connection**."
            ),
            adds=True,
        ),
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _(
                "In the Blackboard course: **Content Market** (or **+ → Content Market**), the placement, choose an "
                "assignment. A column in the gradebook comes with it."
            ),
        ),
        _OPEN_ONCE,
    ),
    about=_(
        "LTI 1.3. If the tool was there with LTI 1.1 before, Blackboard asks whether to take its links over: say yes."
    ),
    notes=(
        _(
            "Where whoever runs this installation has registered Blackboard for everybody, the page LTI integrations "
            "says so and shows the client ID. Then skip steps 1 and 4: enter only the **deployment ID** of step 2 "
            "there, place one link by an assignment's **LTI integration URL**, and let an administrator open it, "
            "signed in to Blackboard as such. Everybody else, and the placement of step 3, is refused until then."
        ),
        _(
            "Quicker: **Make a registration link** on the page LTI integrations and give it to **LTI Dynamic "
            "Registration** in the developer portal. That stands for step 1 and most of step 4: enter the deployment "
            "ID at the registration that it made."
        ),
        _("A link without points has no column, so no grade can go there: choose assignments, not plain links."),
    ),
    known={
        "issuer": "https://blackboard.com",
        "authentication_url": "https://developer.blackboard.com/api/v1/gateway/oidcauth",
        "token_url": "https://developer.blackboard.com/api/v1/gateway/oauth2/jwttoken",
        "keyset_url": "https://developer.blackboard.com/api/v1/management/applications/APPLICATION-ID/jwks.json",
    },
)

BRIGHTSPACE: Final = Guide(
    "brightspace",
    "Brightspace",
    "1.3",
    ("desire2learn", "d2l", "brightspace"),
    (
        Step(
            _ADMINISTRATOR,
            _(
                "**Admin Tools → Manage Extensibility → LTI Advantage → Register Tool**, *Standard*. Under "
                "**Extensions** tick *Assignment and Grade Services*, *Deep Linking* and *Names and Role "
                "Provisioning Services*. **Register**."
            ),
            (
                (Given.DOMAIN, "Domain"),
                (Given.REDIRECT_URL, "Redirect URLs"),
                (Given.LOGIN_URL, "OpenID Connect Login URL"),
                (Given.LAUNCH_URL, "Target Link URI"),
                (Given.KEYSET_URL, "Keyset URL"),
            ),
        ),
        Step(
            _OWNER,
            _(
                "Add a registration with what that page shows: client ID, keyset URL, access token URL, "
                "authentication endpoint, issuer, and the **Brightspace OAuth2 Audience** as our token audience. "
                "Then use **Test connection**."
            ),
            adds=True,
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "**View Deployments → New Deployment**: choose the tool and its extensions; under **Security "
                "Settings** at least **Name** and **Email**; add the **org units**. Tick *Open as External Resource* "
                "for new tabs."
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _("In the new deployment: **View Links → New Link**, **Type** *Deep Linking Quicklink*."),
            ((Given.SELECTION_URL, "URL"),),
        ),
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _("In **Content**: **Existing Activities**, the link of the tool, choose an assignment."),
        ),
        _OPEN_ONCE,
    ),
    about=_("LTI 1.3, which gives each assignment a grade item of its own."),
    notes=(
        _(
            "Quicker: **Make a registration link** on the page LTI integrations and give it to **Register Tool**, "
            "*Dynamic*; choose the three extensions there. That stands for steps 1 and 2."
        ),
    ),
    known={"audience": "https://api.brightspace.com/auth/token"},
)

OPEN_EDX: Final = Guide(
    "open-edx",
    "Open edX",
    "1.3",
    ("edx",),
    (
        Step(
            _TEACHER,
            _('In Studio: **Settings → Advanced Settings**, add `"lti_consumer"` to **Advanced Module List**.'),
        ),
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _(
                "In a unit: **Advanced → LTI Consumer**, **Edit**. **LTI Version** *LTI 1.3*; **LTI 1.3 Tool Launch "
                "URL** is the LTI integration URL of an assignment; **LTI 1.3 Tool Public Key Mode** *Keyset URL*. "
                "Switch on **Scored**, **Request user's username** and **Request user's email**."
            ),
            (
                (Given.REDIRECT_URL, "Registered Redirect URIs"),
                (Given.LOGIN_URL, "LTI 1.3 OIDC URL"),
                (Given.KEYSET_URL, "LTI 1.3 Tool Keyset URL"),
            ),
        ),
        Step(
            _TEACHER, _("The block in the unit's preview shows client ID, deployment ID and the addresses of the LMS.")
        ),
        _ADD_REGISTRATION,
        Step(
            _TEACHER,
            _("For a further assignment copy the block and change its launch URL: a copy keeps the client ID."),
        ),
        _OPEN_ONCE,
    ),
    about=_("LTI 1.3, block by block."),
)

OTHER: Final = Guide(
    "other",
    _("Another LMS"),
    "1.3",
    (),
    (
        Step(
            _ADMINISTRATOR,
            _(
                "Register a tool of LTI 1.3 (LTI Advantage) with our addresses. Let it send names, e-mail addresses "
                "and roles, and allow the services for grades, deep linking and rosters. If the LMS speaks only LTI "
                "1.1, add a key under LTI 1.0/1.1 instead, and enter LTI Consumer, LTI Secret and LTI URL there."
            ),
            (
                (Given.LOGIN_URL, "Login (OIDC initiation) URL"),
                (Given.REDIRECT_URL, "Redirect URL"),
                (Given.LAUNCH_URL, "Launch URL (target link URI)"),
                (Given.KEYSET_URL, "Keyset (JWKS) URL"),
                (Given.SELECTION_URL, "Deep linking URL"),
                (Given.COURSE_VARIABLES, "Custom parameters"),
            ),
        ),
        _ADD_REGISTRATION,
        _ENABLE_COURSE,
        Step(_TEACHER, _("Place an assignment by deep linking, or by its **LTI integration URL** from the ⋮ menu.")),
        _OPEN_ONCE,
    ),
)

LMS_GUIDES: Final = (CANVAS, CANVAS_V11, MOODLE, BLACKBOARD, BRIGHTSPACE, SCHOOLOGY, SAKAI, OPEN_EDX, OTHER)


def find_guide(key: str) -> Guide | None:
    return next((guide for guide in LMS_GUIDES if guide.key == key), None)
