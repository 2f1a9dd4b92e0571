"""Connecting LMSs by LTI 1.1: with a key and a secret."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from courseway.lms.guide_parts import Given, Guide, Step, Who

_ADMINISTRATOR, _OWNER, _TEACHER = Who.ADMINISTRATOR, Who.OWNER, Who.TEACHER

_ADD_KEY: Final = Step(_OWNER, _("Add a key: one for each LMS, so that each can be revoked alone."), adds=True)
_ENABLE_COURSE: Final = Step(
    _TEACHER,
    _("In the course here, tab **LTI/LMS**: switch **Enable LTI** on and enter the **Course LMS URL**. Save changes."),
)

CANVAS_V11: Final = Guide(
    "canvas-1.1",
    _("Canvas, LTI 1.1"),
    "1.1",
    ("canvas",),
    (
        _ADD_KEY,
        Step(
            _ADMINISTRATOR,
            _(
                "Begin with a **test course** in Canvas: what is installed there touches nobody else. For all "
                "courses do the same later in the settings of the account."
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "In the course: **Settings → Apps → View App Configurations → + App**, **Configuration Type** *By "
                "URL*. Our LTI Consumer is their **Consumer Key**, our LTI Secret their **Shared Secret**. "
                "**Submit**."
            ),
            (
                (Given.KEY, "Consumer Key"),
                (Given.SECRET, "Shared Secret"),
                (Given.XML_URL, "Config URL"),
            ),
        ),
        Step(
            _TEACHER,
            _(
                "In the course here, tab **LTI/LMS**: switch **Enable LTI** on. As **Course LMS URL** enter the "
                "address that the browser shows on the home page of the Canvas course. Save changes."
            ),
        ),
        Step(
            _TEACHER,
            _(
                "In Canvas a new **assignment**: its name, its **points**, **Submission Type** *External Tool*. Use "
                "**Find**, choose the app and then the assignment; or paste the **LTI integration URL** of the "
                "assignment, from its ⋮ menu here. Tick **Load This Tool In A New Tab**. **Save & Publish**."
            ),
        ),
        Step(
            _TEACHER,
            _("**Publish** the Canvas course, then open the assignment once yourself and once as a student."),
        ),
    ),
    about=_("A key and a secret, entered in five minutes, without a developer key."),
    notes=(
        _("The app sends names and e-mail addresses because its privacy is *Public*, as the configuration asks for."),
        _("The **Test Student** of Canvas can look around; Canvas takes no grades for it."),
    ),
)

SCHOOLOGY: Final = Guide(
    "schoology",
    "Schoology",
    "1.1",
    ("schoology",),
    (
        _ADD_KEY,
        Step(
            _TEACHER,
            _(
                "In the course here, tab **LTI/LMS**: switch **Enable LTI** and **Enable LTI constant URLs** on, and "
                "copy the line `course_target_id=…` that the switch shows. Enter the **Course LMS URL**. Save "
                "changes."
            ),
        ),
        Step(
            _ADMINISTRATOR,
            _(
                "**School Management → Integration → External Tools → Add External Tool Provider**. **Privacy** "
                "*Send Name and Email/Username of user who launches the tool*; **Configuration Type** *Manual*; "
                "**Match By** *Domain*. Into **Custom Parameters** go the lines of all courses, one below the other."
            ),
            (
                (Given.KEY, "Consumer Key"),
                (Given.SECRET, "Shared Secret"),
                (Given.DOMAIN, "Domain/URL"),
            ),
        ),
        Step(
            _TEACHER,
            _(
                "In the Schoology course: **Add Materials → Add File/Link/External Tool → External Tool**. Paste the "
                "**LTI integration URL** of the assignment, from its ⋮ menu here. **Enable Grading**, with its "
                "points."
            ),
        ),
        Step(_TEACHER, _("Open it once yourself, then as a student.")),
    ),
    about=_("LTI 1.1, one provider for the whole school."),
    notes=(_("Of several `course_target_id` lines the course that holds the assignment is chosen."),),
)

SAKAI: Final = Guide(
    "sakai",
    "Sakai",
    "1.1",
    ("sakai",),
    (
        _ADD_KEY,
        Step(
            _ADMINISTRATOR,
            _(
                "**Administration Workspace → External Tools → Install LTI 1.x Tool**. Send **names and e-mail "
                "addresses**, allow the tool to **return grades** and to be **opened in a new window**, and let the "
                "**launch URL be changed** in each site."
            ),
            (
                (Given.LAUNCH_URL, "Launch URL"),
                (Given.KEY, "Launch Key"),
                (Given.SECRET, "Launch Secret"),
            ),
        ),
        _ENABLE_COURSE,
        Step(
            _TEACHER,
            _(
                "In **Lessons**: **Add Content → Add External Tool**, with the **LTI integration URL** of the "
                "assignment as launch URL. For a grade choose or make a column in the gradebook."
            ),
        ),
        Step(_TEACHER, _("Open it once yourself, then as a student.")),
    ),
    about=_("LTI 1.1."),
)
