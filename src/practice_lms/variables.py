"""Custom parameters of tools and links, with the variables that this LMS knows put in.

A variable that is unknown stays as it was written (`$ResourceLink.submission.endDateTime`), as it does in real ones.
Which ones are known depends on the profile.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from practice_lms.scene import LaunchScene

LONGEST_HISTORY = 1000
Value = str | int
"""Canvas sends numbers in LTI 1.3 (C3), against the specification."""


def expand_custom(scene: LaunchScene) -> dict[str, Value]:
    """The custom parameters as one launch sends them: those of the tool, over them those of the link."""
    known = _list_values(scene)
    written = {**scene.tool.custom, **(scene.link.custom if scene.link else {})}
    return {name: known.get(value.strip(), value) for name, value in written.items()}


def name_custom_11(scene: LaunchScene) -> dict[str, str]:
    """The custom parameters under the names that LTI 1.1 gives them, all as text."""
    named: dict[str, str] = {}
    for name, value in expand_custom(scene).items():
        stem = name.removeprefix("custom_") if scene.profile.name == "canvas" else name
        if scene.profile.names_11 == "both":
            named[f"custom_{stem}"] = str(value)
        named[f"custom_{mangle_name(stem)}"] = str(value)
    return named


def name_custom_13(scene: LaunchScene) -> dict[str, Value]:
    """The custom parameters as LTI 1.3 names them: as written and, in some LMSs, once more under their 1.1 names."""
    written = expand_custom(scene)
    values = {name: value if scene.profile.has("C3") else str(value) for name, value in written.items()}
    if scene.profile.names_13 == "both":
        return {**{mangle_name(name): value for name, value in values.items()}, **values}
    return values


def show_history(history: tuple[str, ...], *, mark_cut: bool) -> str:
    """Ids of ancestors, newest first, each encoded for a URL; nothing means never copied."""
    shown = [quote(one, safe="") for one in history[:LONGEST_HISTORY]]
    return ",".join(shown + (["truncated"] if mark_cut and len(history) > LONGEST_HISTORY else []))


def mangle_name(name: str) -> str:
    """A custom parameter's name as LTI 1.1 sends it: lower case, everything outside a-z and 0-9 becomes `_`."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def parse_custom(text: str) -> dict[str, str]:
    """`name=value` lines, as people type them."""
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def show_custom(custom: Mapping[str, str]) -> str:
    """The same lines, to be edited."""
    return "\n".join(f"{name}={value}" for name, value in custom.items())


def _list_values(scene: LaunchScene) -> dict[str, Value]:
    """Every variable that this LMS replaces, with its value now."""
    values: dict[str, Value] = {
        **_list_person(scene),
        **_list_course(scene),
        **_list_link(scene),
        "$ToolPlatform.productFamilyCode": scene.profile.family_code,
        "$ToolPlatform.version": scene.profile.version,
        "$ToolPlatformInstance.guid": scene.guid,
        "$ToolPlatformInstance.url": scene.addresses.issuer,
        "$Message.returnUrl": scene.return_url,
        "$Message.documentTarget": scene.document_target,
    }
    if scene.profile.knows_canvas_variables:
        values |= _list_canvas(scene)
    unknown = scene.profile.unknown_variables
    if scene.profile.has("C36") or scene.profile.has("M7"):
        unknown = (*unknown, "$ResourceLink.id.history")
    known = {name: value for name, value in values.items() if not (unknown and name.startswith(unknown))}
    if scene.profile.has("C4"):
        known = {name: value for name, value in known.items() if value != "" or name.endswith("history")}
    return known


def _list_person(scene: LaunchScene) -> dict[str, Value]:
    person, options = scene.person, scene.tool.options
    values: dict[str, Value] = {"$User.id": person.id}
    if options.shows_names:
        values |= {
            "$Person.name.full": person.name,
            "$Person.name.given": person.given_name,
            "$Person.name.family": person.family_name,
        }
    if options.shows_email:
        values["$Person.email.primary"] = person.email
    if options.shows_accounts:
        values |= {"$User.username": person.username, "$Person.sourcedId": person.username}
    if scene.membership is not None:
        values["$Membership.role"] = scene.membership.role
        values["$Membership.role.scope.mentor"] = values["$User.scope.mentor"] = ",".join(scene.membership.mentor_for)
    return values


def _list_course(scene: LaunchScene) -> dict[str, Value]:
    if scene.course is None:
        return {}
    history = show_history(scene.course.history, mark_cut=scene.profile.name == "canvas")
    section = scene.course.section_sourcedid
    if scene.profile.sourcedid_places == ("section",):
        section = section or scene.course.sourcedid
    return {
        "$Context.id": scene.course.id,
        "$Context.title": scene.course.title,
        "$Context.label": scene.course.label,
        "$Context.type": "CourseSection",
        "$Context.sourcedId": scene.course.sourcedid,
        "$Context.id.history": "" if scene.profile.has("D3") else history,
        "$CourseOffering.sourcedId": scene.course.sourcedid,
        "$CourseOffering.title": scene.course.title,
        "$CourseOffering.label": scene.course.label,
        "$CourseSection.sourcedId": section,
        "$CourseSection.title": scene.course.title,
        "$CourseSection.label": scene.course.label,
        "$ToolProxyBinding.memberships.url": f"{scene.addresses.issuer}/lti/memberships/{scene.course.id}",
    }


def _list_link(scene: LaunchScene) -> dict[str, Value]:
    if scene.link is None:
        return {}
    return {
        "$ResourceLink.id": scene.link.id,
        "$ResourceLink.title": scene.link.title,
        "$ResourceLink.description": scene.link.description,
        # No date is the empty text (LTI core 1.3 C).
        "$ResourceLink.submission.endDateTime": scene.link.due_at,
        "$ResourceLink.submission.startDateTime": "",
        "$ResourceLink.available.endDateTime": "",
        "$ResourceLink.available.startDateTime": "",
        "$ResourceLink.id.history": "" if scene.profile.has("D3") else show_history(scene.link.history, mark_cut=False),
    }


def _list_canvas(scene: LaunchScene) -> dict[str, Value]:
    """Canvas's own, those that a launch of a course's link can need."""
    host = scene.addresses.issuer.partition("://")[2]
    values: dict[str, Value] = {
        "$Canvas.api.domain": host,
        "$Canvas.api.baseUrl": scene.addresses.issuer,
        "$Canvas.account.id": 1,
        "$Canvas.rootAccount.id": 1,
        "$Canvas.root_account.id": 1,
        "$Canvas.user.id": _as_number(scene.person.id),
        "$Canvas.environment.test": "false",
        "$com.instructure.User.student_view": str(scene.person.is_test).lower(),
    }
    if scene.tool.options.shows_accounts:
        values["$Canvas.user.loginId"] = values["$Canvas.user.sisSourceId"] = scene.person.username
    if scene.membership is not None:
        values["$Canvas.enrollment.enrollmentState"] = "active"
        values["$Canvas.membership.roles"] = CANVAS_ROLES[scene.membership.role]
        if scene.membership.sections:
            values["$com.instructure.User.sectionNames"] = json.dumps(scene.membership.sections)
        values["$com.instructure.User.observees"] = ",".join(scene.membership.mentor_for)
    course = scene.course
    if course is not None:
        previous = show_history(course.history[:1], mark_cut=False)
        values |= {
            "$Canvas.course.id": _as_number(course.id),
            "$Canvas.course.name": course.title,
            "$Canvas.course.sisSourceId": course.sourcedid,
            "$Canvas.course.workflowState": {"published": "available", "unpublished": "claimed"}.get(
                course.state, "completed"
            ),
            "$Canvas.course.previousCourseIds": previous,
            "$Canvas.course.previousContextIds": previous,
            "$Canvas.course.previousContextIds.recursive": show_history(course.history, mark_cut=True),
            "$com.instructure.contextLabel": course.label,
        }
    if scene.link is not None and scene.item is not None:
        values |= {
            "$Canvas.assignment.id": _as_number(scene.link.id),
            "$Canvas.assignment.title": scene.link.title,
            "$Canvas.assignment.pointsPossible": str(scene.item.score_maximum),
            **_list_canvas_dates(scene.link.due_at),
            "$Canvas.assignment.published": str(scene.link.state == "published").lower(),
            "$com.instructure.Assignment.lti.id": scene.link.id,
        }
    if scene.link is not None and scene.link.module_id:
        values["$Canvas.module.id"] = _as_number(scene.link.module_id)
    return values


def _list_canvas_dates(due_at: str) -> dict[str, Value]:
    """Canvas writes a date in two ways; without one both variables stay as they are (C4)."""
    if not due_at:
        return {}
    moment = datetime.fromisoformat(due_at).astimezone(UTC)
    return {
        "$Canvas.assignment.dueAt": f"{moment:%Y-%m-%d %H:%M:%S} UTC",
        "$Canvas.assignment.dueAt.iso8601": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }


CANVAS_ROLES = {
    "teacher": "TeacherEnrollment",
    "assistant": "TaEnrollment",
    "learner": "StudentEnrollment",
    "observer": "ObserverEnrollment",
}


def _as_number(text: str) -> Value:
    return int(text) if text.isascii() and text.isdigit() else text
