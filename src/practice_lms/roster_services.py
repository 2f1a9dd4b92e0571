"""The services that tell tools who is in a course: NRPS and groups for LTI 1.3, three kinds of memberships for 1.1."""

import sqlite3
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from django.http import HttpRequest, HttpResponse

from practice_lms.courses import get_course
from practice_lms.database import database
from practice_lms.groups import GROUPS_TYPE, SETS_TYPE, list_groups, show_groups, show_sets
from practice_lms.line_items import find_course_profile
from practice_lms.oauth_requests import SignedRequest, verify_signed_form, verify_signed_request
from practice_lms.people import list_memberships, read_last_change
from practice_lms.refusals import RefusedError
from practice_lms.roles import list_roles_11
from practice_lms.roster import ROSTER_TYPE, list_members, read_roster_id
from practice_lms.service_calls import (
    addresses,
    answer_json,
    authorize,
    cut_page,
    require_accept,
    require_method,
    require_user_agent,
    service,
)
from practice_lms.tokens import require_scope
from practice_lms.tools import SCOPE_GROUPS, SCOPE_ROSTER, Tool

LIS_TYPE = "application/vnd.ims.lis.v2.membershipcontainer+json"
FORM_TYPE = "application/x-www-form-urlencoded"


@service("roster")
def serve_roster(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The people of a course, by Names and Role Provisioning 2.0."""
    require_method(request, "GET")
    token = authorize(request, now)
    require_scope(token, SCOPE_ROSTER)
    require_accept(request, ROSTER_TYPE)
    return _answer_container(request, token.tool, course_id)


@service("roster")
def serve_memberships(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The people of a course for an LTI 1.1 tool: the container of NRPS, or JSON-LD, by what it accepts."""
    require_method(request, "GET")
    tool = _verify(request, now)
    if LIS_TYPE not in request.META.get("HTTP_ACCEPT", ""):
        require_accept(request, ROSTER_TYPE)
        return _answer_container(request, tool, course_id)
    with database().transaction() as db:
        profile = find_course_profile(db, tool, course_id)
        members = list_members(db, tool, profile, course_id, role=request.GET.get("role", ""))
        short = {one.person.id: list_roles_11(profile, one.person, one.role) for one in list_memberships(db, course_id)}
    shown, link = cut_page(request, members)
    memberships = [
        {
            "status": f"liss:{member['status']}",
            "role": [role if ":" in role else f"lism:{role}" for role in short[member["user_id"]]],
            "member": _show_lis_person(member),
        }
        for member in shown
    ]
    subject = {"@type": "Context", "contextId": course_id, "membership": memberships}
    here = f"{addresses().issuer}{request.get_full_path()}"
    document = {
        "@context": "http://purl.imsglobal.org/ctx/lis/v2/MembershipContainer",
        "@type": "Page",
        "@id": here,
        "nextPage": link[1:].partition(">")[0] if link else None,
        "pageOf": {"@type": "LISMembershipContainer", "membershipSubject": subject},
    }
    return answer_json(document, LIS_TYPE)


@service("roster")
def serve_older_memberships(request: HttpRequest, *, now: float) -> HttpResponse:
    """The oldest of them: a posted form in, XML out. Its failures are XML with status 200, too."""
    require_method(request, "POST")
    root = Element("message_response")
    SubElement(root, "lti_message_type").text = request.POST.get("lti_message_type", "")
    status = SubElement(root, "statusinfo")
    url = f"{addresses().issuer}{request.get_full_path()}"
    try:
        with database().transaction() as db:
            form = request.POST.dict()
            tool = verify_signed_form(db, url=url, body=request.body, form=form, now=now)
            if form.get("lti_message_type") != "basic-lis-readmembershipsforcontext":
                raise RefusedError("lti_message_type must be basic-lis-readmembershipsforcontext.")
            course_id = read_roster_id(db, tool, form.get("id", ""))
            _add_members(db, SubElement(root, "memberships"), tool, course_id)
        words = {"codemajor": "Success", "severity": "Status", "codeminor": "fullsuccess"}
    except RefusedError as refusal:
        words = {"codemajor": "Failure", "severity": "Error", "description": refusal.message}
    for name, text in words.items():
        SubElement(status, name).text = text
    return HttpResponse(tostring(root, encoding="utf-8", xml_declaration=True), content_type="application/xml")


@service("groups")
def serve_groups(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The groups of a course."""
    require_method(request, "GET")
    require_scope(authorize(request, now), SCOPE_GROUPS)
    require_accept(request, GROUPS_TYPE)
    with database().transaction() as db:
        groups = list_groups(db, get_course(db, course_id).id)
    return _answer_list(request, "groups", show_groups(groups, person_id=request.GET.get("user_id", "")), GROUPS_TYPE)


@service("groups")
def serve_group_sets(request: HttpRequest, course_id: str, *, now: float) -> HttpResponse:
    """The sets of groups of a course."""
    require_method(request, "GET")
    require_scope(authorize(request, now), SCOPE_GROUPS)
    require_accept(request, SETS_TYPE)
    with database().transaction() as db:
        groups = list_groups(db, get_course(db, course_id).id)
    return _answer_list(request, "sets", show_sets(groups), SETS_TYPE)


def _answer_container(request: HttpRequest, tool: Tool, course_id: str) -> HttpResponse:
    query = {name: request.GET.get(name, "") for name in ("role", "rlid", "since")}
    with database().transaction() as db:
        profile = find_course_profile(db, tool, course_id)
        members = list_members(
            db,
            tool,
            profile,
            course_id,
            role=query["role"],
            link_id=query["rlid"],
            since=query["since"],
            with_groups=request.GET.get("groups") == "true",
        )
        course, last_change = get_course(db, course_id), read_last_change(db)
    here = addresses().issuer
    context = {"id": course.id, "label": course.label, "title": course.title}
    shown, link = cut_page(request, members)
    container = {"id": f"{here}{request.get_full_path()}", "context": context, "members": shown}
    response = answer_json(container, ROSTER_TYPE)
    if link:
        response["Link"] = link
    elif profile.lists_differences:
        differences = f"{here}{request.path}?since={last_change}"
        response["Link"] = f'<{differences}>; rel="differences"'
    return response


def _answer_list(request: HttpRequest, name: str, rows: list[dict[str, Any]], media_type: str) -> HttpResponse:
    shown, link = cut_page(request, rows)
    response = answer_json({"id": f"{addresses().issuer}{request.get_full_path()}", name: shown}, media_type)
    if link:
        response["Link"] = link
    return response


def _verify(request: HttpRequest, now: float) -> Tool:
    url = f"{addresses().issuer}{request.get_full_path()}"
    signed = SignedRequest(url, "GET", request.META.get("HTTP_AUTHORIZATION", ""), "", b"")
    with database().transaction() as db:
        tool = verify_signed_request(db, signed, now=now)
        profile = find_course_profile(db, tool, "")
    require_user_agent(request, profile, "C11")
    if not tool.options.shares_roster:
        raise RefusedError("This tool may not read memberships.", 403)
    return tool


def _show_lis_person(member: dict[str, Any]) -> dict[str, Any]:
    names = {
        "user_id": "userId",
        "name": "name",
        "given_name": "givenName",
        "family_name": "familyName",
        "email": "email",
        "lis_person_sourcedid": "sourcedId",
    }
    return {"@type": "LISPerson", **{new: member[old] for old, new in names.items() if old in member}}


def _add_members(db: sqlite3.Connection, parent: Element, tool: Tool, course_id: str) -> None:
    profile = find_course_profile(db, tool, course_id)
    roles = {one.person.id: list_roles_11(profile, one.person, one.role) for one in list_memberships(db, course_id)}
    groups = list_groups(db, course_id)
    for member in list_members(db, tool, profile, course_id):
        if member["status"] != "Active":
            continue  # it has no word for somebody who is inactive
        element = SubElement(parent, "member")
        SubElement(element, "user_id").text = member["user_id"]
        SubElement(element, "roles").text = ",".join(roles[member["user_id"]])
        for name, source in (
            ("person_name_full", "name"),
            ("person_name_given", "given_name"),
            ("person_name_family", "family_name"),
            ("person_contact_email_primary", "email"),
            ("person_sourcedid", "lis_person_sourcedid"),
        ):
            if member.get(source):
                SubElement(element, name).text = member[source]
        own = [group for group in groups if member["user_id"] in group.people]
        if own:
            listed = SubElement(element, "groups")
            for group in own:
                entry = SubElement(listed, "group")
                SubElement(entry, "id").text = group.id
                SubElement(entry, "title").text = group.name
