"""What one launch is made of, whichever version carries it."""

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from practice_lms.columns import LineItem, find_line_item_of_link
from practice_lms.courses import Course, get_course
from practice_lms.gradebook import find_grade
from practice_lms.installation import Addresses, list_addresses, need_setting
from practice_lms.links import Link, get_link
from practice_lms.people import Membership, Person, find_membership, get_person
from practice_lms.profiles import Profile, choose_profile
from practice_lms.refusals import RefusedError
from practice_lms.selections import Selection, find_selection
from practice_lms.tools import Tool, get_tool
from practice_lms.upgrading import find_former_tool

DOCUMENT_TARGETS = {"window": "This window", "tab": "A new tab", "frame": "A frame"}
CANVAS_ISSUER = "https://canvas.instructure.com"
BLACKBOARD_ISSUER = "https://blackboard.com"


@dataclass(frozen=True)
class Destination:
    """What somebody wants to open: a link, or a placement of a tool with or without a course.

    `placement` is one of the tool's, `module` for a link opened from its module, `speedgrader` for the work of
    `for_person_id` in a link, `review` for LTI's submission review; a selection asks the tool for links.
    """

    link_id: str = ""
    course_id: str = ""
    tool_id: str = ""
    placement: str = ""
    selection_id: str = ""
    for_person_id: str = ""

    def as_json(self) -> dict[str, str]:
        """What is said about it, nothing else."""
        return {name: value for name, value in asdict(self).items() if value}


def read_destination(values: Mapping[str, Any]) -> Destination:
    """A destination from loose values."""
    return Destination(**{str(name): str(value) for name, value in values.items()})


@dataclass(frozen=True)
class LaunchScene:
    """Everything that a launch is made of: who, where, which link, and where to come back."""

    person: Person
    membership: Membership | None
    course: Course | None
    link: Link | None
    tool: Tool
    profile: Profile
    addresses: Addresses
    guid: str
    secret: str
    document_target: str
    item: LineItem | None
    destination: Destination
    target_url: str
    selection: Selection | None = None
    for_person: Person | None = None
    former_tool: Tool | None = None

    @property
    def title(self) -> str:
        """What people call what they open."""
        return self.link.title if self.link else self.tool.title

    @property
    def role(self) -> str:
        """The role in the course; nothing outside of one."""
        return self.membership.role if self.membership else ""

    @property
    def gets_grade(self) -> bool:
        """Whether this launch is of somebody who can get a grade for it."""
        return self.membership is not None and self.membership.is_learner and self.item is not None

    @property
    def resource_link_id(self) -> str:
        """The id that the tool gets; a placement without a link has one too."""
        if self.link is not None and not (self.destination.placement == "speedgrader" and self.profile.has("C1")):
            return self.link.id
        if self.course is None:
            return f"account-{self.tool.id}"
        return self.course.id if self.profile.name == "canvas" else f"{self.course.id}-{self.tool.id}"

    @property
    def issuer(self) -> str:
        """What LTI 1.3 calls this platform."""
        return find_issuer(self.profile, self.addresses.issuer)

    @property
    def deployment_id(self) -> str:
        """The deployment; a course's own tool has one of its own in a Canvas (C14), with a hash of the course (C45)."""
        return find_deployment_id(self.tool, self.profile)

    @property
    def login_hint(self) -> str:
        """What stands for the person during the login; not the user id in a Canvas (C40)."""
        if not self.profile.has("C40"):
            return self.person.id
        return hashlib.sha256(f"{self.secret}:hint:{self.person.id}".encode()).hexdigest()[:40]

    @property
    def return_url(self) -> str:
        """Where the tool sends the person back to."""
        query = "?in=frame" if self.document_target == "iframe" else ""
        if self.course is None:
            return f"{self.addresses.issuer}/courses{query}"
        if self.link is None:
            return f"{self.addresses.issuer}/courses/{self.course.id}/return{query}"
        return f"{self.addresses.issuer}/courses/{self.course.id}/links/{self.link.id}/return{query}"


def find_issuer(profile: Profile, own: str) -> str:
    """The issuer of id_tokens: our own address, or that of all hosted Canvases (C12) or Blackboards (B8)."""
    if profile.has("C12"):
        return CANVAS_ISSUER
    return BLACKBOARD_ISSUER if profile.has("B8") else own


def find_deployment_id(tool: Tool, profile: Profile) -> str:
    """The deployment id that launches of a tool carry under a profile."""
    if not tool.course_id or not profile.has("C14"):
        return tool.deployment_id
    digest = hashlib.sha1(tool.course_id.encode(), usedforsecurity=False).hexdigest()
    return f"{tool.id}:{digest}" if profile.has("C45") else f"{tool.deployment_id}-{tool.course_id}"


def prepare_scene(
    db: sqlite3.Connection, *, person_id: str, destination: Destination, document_target: str
) -> LaunchScene:
    """Collect what a launch needs, or refuse: only people of a course, and administrators, open what is in it."""
    link = get_link(db, destination.link_id) if destination.link_id else None
    course_id = link.course_id if link else destination.course_id
    course = get_course(db, course_id) if course_id else None
    tool = get_tool(db, link.tool_id if link else destination.tool_id)
    person = get_person(db, person_id)
    membership = find_membership(db, course.id, person_id) if course else None
    if course is not None and not person.is_admin and (membership is None or not membership.is_active):
        raise RefusedError("This person is not in the course of this link.", 403)
    if course is not None and tool.course_id not in ("", course.id):
        raise RefusedError("That tool belongs to another course alone.", 403)
    if tool.state != "active":
        raise RefusedError("An administrator has to activate this tool first.", 403)
    profile = choose_profile(db, tool.profile, course.profile if course else "")
    framed = document_target == "frame" or (profile.has("C21") and document_target == "tab")
    scene = LaunchScene(
        person=person,
        membership=membership,
        course=course,
        link=link,
        tool=tool,
        profile=profile,
        addresses=list_addresses(need_setting(db, "public_url")),
        guid=need_setting(db, "guid"),
        secret=need_setting(db, "secret"),
        document_target="iframe" if framed else "window",
        item=find_line_item_of_link(db, link.id) if link else None,
        destination=destination,
        target_url=link.url if link else "",
        former_tool=find_former_tool(db, course.id, tool) if course else None,
    )
    if destination.for_person_id:
        return _add_submission(db, scene)
    if destination.selection_id:
        selection = find_selection(db, destination.selection_id)
        if selection is None or selection.person_id != person_id or course is None:
            raise RefusedError("That selection is not yours, or is over.", 403)
        return replace(scene, selection=selection, target_url=tool.find_address(selection.placement))
    if link is None:
        return _add_placement(scene)
    if link.state == "unpublished" and scene.role == "learner":
        raise RefusedError("This activity is not published yet.", 403)
    return scene


def _add_placement(scene: LaunchScene) -> LaunchScene:
    placement = scene.destination.placement
    if placement not in ("course_navigation", "account_navigation"):
        raise RefusedError("Only course_navigation and account_navigation open without a link.")
    if (scene.course is None) != (placement == "account_navigation"):
        raise RefusedError("course_navigation needs a course, account_navigation has none.")
    return replace(scene, target_url=scene.tool.find_address(placement))


def _add_submission(db: sqlite3.Connection, scene: LaunchScene) -> LaunchScene:
    """A launch into one person's work in a link, by staff or by that person."""
    person = get_person(db, scene.destination.for_person_id)
    if scene.role not in ("teacher", "assistant") and scene.person.id != person.id:
        raise RefusedError("This work is not yours to see.", 403)
    if scene.link is None or scene.item is None or scene.destination.placement not in ("speedgrader", "review"):
        raise RefusedError("Work is opened from a graded link, as speedgrader or as review.")
    if scene.destination.placement == "review":
        wish = scene.item.extra.get("submissionReview")
        url = str(wish.get("url") or "") if isinstance(wish, dict) else ""
        return replace(scene, for_person=person, target_url=url or scene.target_url)
    grade = find_grade(db, scene.item.id, person.id)
    if grade is None or not grade.submission_url:
        raise RefusedError("The tool sent no address of this work.", 404)
    url, mark, query = grade.submission_url.partition("?")
    if scene.profile.has("C2"):
        query = query.replace("%", "%25")
    return replace(scene, for_person=person, target_url=f"{url}{mark}{query}")
