"""Names and Role Provisioning 2.0: who is in a course, as far as the tool may know."""

import hashlib
import hmac
import sqlite3
from typing import Any

from practice_lms.courses import find_course
from practice_lms.groups import list_groups
from practice_lms.identity import encode_name
from practice_lms.installation import need_setting
from practice_lms.links import find_link
from practice_lms.people import Membership, list_changed, list_memberships, read_last_change
from practice_lms.profiles import Profile
from practice_lms.refusals import RefusedError
from practice_lms.roles import list_roles_11, list_roles_13
from practice_lms.tools import Tool, list_clones

ROSTER_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MESSAGE_TYPE = f"{CLAIM}message_type"


def list_members(
    db: sqlite3.Connection,
    tool: Tool,
    profile: Profile,
    course_id: str,
    *,
    role: str = "",
    link_id: str = "",
    with_groups: bool = False,
    since: str = "",
) -> list[dict[str, Any]]:
    """Everybody in a course, or those with a role; for a link, with what its launches say.

    `since` asks for whoever changed after that change; those who are gone are listed as deleted.
    """
    if find_course(db, course_id) is None:
        raise RefusedError("There is no such course.", 404)
    link = find_link(db, link_id) if link_id else None
    if link_id and (link is None or link.course_id != course_id or link.tool_id not in list_clones(db, tool)):
        raise RefusedError("rlid names no link of this tool in this course.", 404)
    memberships = list_memberships(db, course_id)
    if since:
        if not since.isdecimal() or int(since) > read_last_change(db):
            raise RefusedError("since is none of our differences.")
        changed = list_changed(db, course_id, after=int(since))
        memberships = [one for one in memberships if one.person.id in changed]
    members = [_show_member(one, tool, profile) for one in memberships]
    if since:
        there = {member["user_id"] for member in members}
        members += [{"user_id": one, "roles": [], "status": "Deleted"} for one in changed if one not in there]
    if with_groups:
        groups = list_groups(db, course_id)
        for member in members:
            own = [{"group_id": group.id} for group in groups if member["user_id"] in group.people]
            member["group_enrollments"] = own
    if link is not None:
        message = {MESSAGE_TYPE: "LtiResourceLinkRequest", f"{CLAIM}custom": dict(link.custom)}
        for member in members:
            # A Blackboard forgets that it is a list (B5).
            member["message"] = message if profile.has("B5") else [message]
    return [one for one in members if not role or any(_is_role(mine, role) for mine in one["roles"])]


def make_roster_id(secret: str, tool: Tool, course_id: str) -> str:
    """What the oldest service is asked by: the course, and a mark that only we can make for this tool."""
    mark = hmac.new(secret.encode(), f"roster:{tool.key}:{course_id}".encode(), hashlib.sha256).hexdigest()
    return f"{mark}:::{course_id}"


def read_roster_id(db: sqlite3.Connection, tool: Tool, roster_id: str) -> str:
    """The course of an id that we made for this tool and nobody changed."""
    course_id = roster_id.partition(":::")[2]
    if not hmac.compare_digest(make_roster_id(need_setting(db, "secret"), tool, course_id), roster_id):
        raise RefusedError("The id is none of ours, or of another tool.", 404)
    return course_id


def _show_member(membership: Membership, tool: Tool, profile: Profile) -> dict[str, Any]:
    person, options = membership.person, tool.options
    full = list_roles_13(profile, person, membership.role)
    short = [one for one in list_roles_11(profile, person, membership.role) if ":" not in one]
    member: dict[str, Any] = {
        "user_id": person.id,
        "roles": short if profile.name == "moodle" and short else full,
        "status": "Active" if membership.is_active else "Inactive",
    }
    if options.shows_names:
        member |= {
            "name": encode_name(profile, person.name),
            "given_name": encode_name(profile, person.given_name),
            "family_name": encode_name(profile, person.family_name),
        }
    if options.shows_email and person.email:
        member["email"] = person.email
    if profile.has("G3"):
        member |= dict.fromkeys(("name", "given_name", "family_name", "email"))
    if options.shows_accounts:
        member["lis_person_sourcedid"] = person.username
    if profile.name == "brightspace":
        member["ext_d2l_username"] = person.username
    if profile.has("G11"):
        member["lti11_legacy_user_id"] = person.id
    return member


def _is_role(mine: str, wanted: str) -> bool:
    return mine == wanted or mine.rpartition("#")[2] == wanted
