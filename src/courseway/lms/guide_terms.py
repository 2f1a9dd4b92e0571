"""What is to be done in each LMS when its course is copied for a new term. The first line is the same for all."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _

from courseway.lms.guide_parts import Words

SWITCHES: Final = _(
    "Before links are placed, switch **Enable LTI constant URLs** and **Enable LTI course copy** on in the course "
    "here, tab **LTI/LMS**, and open one link of the original once. Then the first launch from each copied LMS course, "
    "also from a copy of a copy, makes a course of its own, and no link has to be touched. Its teachers see on the "
    "same tab how it was matched."
)
_OWN_TARGET: Final = _(
    "Without SIS IDs nothing tells the copy from its original: put the tab's two parameters into the tool in the LMS "
    "course; in the copy replace the value of `course_target_id` by a text of its own, such as `fall-2027`, before "
    "anybody opens a link, and leave `parent_course_id` as it is."
)

NEW_TERM: Final[dict[str, tuple[Words, ...]]] = {
    "canvas": (
        _(
            "Copy the Canvas course (**Settings → Copy this Course**) or import it into the new one. Canvas says where "
            "the copy comes from; a **SIS ID** of its own makes it certain. The original needs none."
        ),
    ),
    "canvas-1.1": (
        _("With a **SIS ID** of its own the copied Canvas course is known by that: there is nothing else to do."),
        _OWN_TARGET,
    ),
    "moodle": (
        _(
            "**Course reuse → Copy course**, or backup and restore. Moodle says where the copy comes from, if the tool "
            "has the custom parameters of step 1; a tool that was registered by a link has them."
        ),
    ),
    "blackboard": (
        _(
            "Copy the Blackboard course with its content. Blackboard says which links were copied, if the placement "
            "has the custom parameters of step 3."
        ),
    ),
    "brightspace": (
        _("**Course Admin → Import / Export / Copy Components**. Brightspace says by itself what was copied."),
        _(
            "Links of LTI 1.1 become links of LTI 1.3 when Brightspace copies them: have both, the key and the "
            "registration, and give both courses codes of their own."
        ),
    ),
    "schoology": (
        _(
            "Copy the course into the section of the new term. The section needs a tool of its own: the same key and "
            "secret, `parent_course_id` as it was, and as `course_target_id` a text of its own, such as `fall-2027`."
        ),
        _("Choose links by their URL there. A link that was chosen in the picker names the old course itself."),
    ),
    "sakai": (
        _("**Site Info → Import from Site**. A new site that has a SIS (provider) id of its own is known by that."),
        _OWN_TARGET,
    ),
    "open-edx": (
        _("A re-run of the course keeps its blocks. Each run sends an id of its own and says nothing of its original."),
        _OWN_TARGET,
    ),
    "other": (
        _(
            "An LMS that sends SIS IDs, or says by `$Context.id.history` and `$ResourceLink.id.history` what was "
            "copied, needs nothing else; the custom parameters of step 1 ask for it."
        ),
        _OWN_TARGET,
    ),
}
