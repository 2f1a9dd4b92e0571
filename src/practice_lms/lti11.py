"""LTI 1.1 launches: the form that the browser carries to the tool, signed by oauthlib."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from oauthlib.oauth1 import Client

from practice_lms.content_items import build_selection_parameters
from practice_lms.identity import encode_name, list_mentees, list_sourcedids
from practice_lms.refusals import RefusedError
from practice_lms.roles import list_extended_roles, list_roles_11
from practice_lms.roster import make_roster_id
from practice_lms.scene import LaunchScene
from practice_lms.variables import name_custom_11, show_history


@dataclass(frozen=True)
class Overrides11:
    """How a test wants a launch to differ from a good one. See the API's docstring."""

    set: Mapping[str, Any] = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    url: str = ""
    key: str | None = None
    secret: str | None = None
    signature_method: str | None = None
    timestamp: int | None = None
    nonce: str | None = None
    set_after_signing: Mapping[str, Any] = field(default_factory=dict)
    remove_after_signing: tuple[str, ...] = ()


Fields = list[tuple[str, str]]


def make_sourcedid(secret: str, link_id: str, person_id: str) -> str:
    """A capability for one person's grade in one link: JSON as Moodle makes it, with characters that need escaping."""
    data = {
        "instanceid": link_id,
        "userid": person_id,
        "typeid": None,
        "launchid": secrets.randbelow(10**9),
        "note": '<R&D> "it\'s" Ü',
    }
    return json.dumps({"data": data, "hash": _hash_sourcedid(secret, data)}, ensure_ascii=False)


def read_sourcedid(secret: str, sourcedid: str) -> tuple[str, str]:
    """The link id and person id of a sourcedid that we made and nobody changed."""
    try:
        document = json.loads(sourcedid)
        data, digest = document["data"], document["hash"]
        link_id, person_id = str(data["instanceid"]), str(data["userid"])
    except (ValueError, KeyError, TypeError):
        raise RefusedError("Incorrect sourcedId: it is not one of ours.", 404) from None
    if not hmac.compare_digest(_hash_sourcedid(secret, data), str(digest)):
        raise RefusedError("Incorrect sourcedId: it was changed on the way.", 404)
    return link_id, person_id


def build_parameters(scene: LaunchScene) -> Fields:
    """The unsigned parameters of a good launch."""
    parameters = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "launch_presentation_locale": "en",
        "launch_presentation_document_target": scene.document_target,
        "launch_presentation_return_url": scene.return_url,
        "tool_consumer_info_product_family_code": scene.profile.family_code,
        "tool_consumer_info_version": scene.profile.version,
        "tool_consumer_instance_name": "Practice LMS",
        "tool_consumer_instance_description": "A small LMS for trying out tools",
        "tool_consumer_instance_url": scene.addresses.issuer,
        "tool_consumer_instance_contact_email": "admin@practice.example",
        "ext_lms": "practice-lms",
        **_list_person(scene),
        **_list_course(scene),
        **_list_memberships(scene),
    }
    if not scene.profile.has("G6"):
        parameters["tool_consumer_instance_guid"] = scene.guid
    if scene.gets_grade and scene.link is not None:
        # Only who can get a grade gets the address for one, as in Moodle and Canvas.
        parameters["lis_outcome_service_url"] = scene.addresses.outcomes_url
        parameters["lis_result_sourcedid"] = make_sourcedid(scene.secret, scene.link.id, scene.person.id)
    if scene.profile.name == "canvas":
        parameters |= _list_canvas(scene)
    if scene.selection is not None:
        parameters |= build_selection_parameters(scene, scene.selection)
    elif scene.for_person is not None:
        parameters["ext_for_user_id"] = scene.for_person.id
    return list({**parameters, **name_custom_11(scene)}.items())


def _list_person(scene: LaunchScene) -> dict[str, str]:
    person, options = scene.person, scene.tool.options
    roles = list_roles_11(scene.profile, person, scene.role)
    parameters = {"user_id": person.id, "roles": ",".join(roles)}
    if options.shows_accounts:
        prefix = "cuid:" if scene.profile.has("B14") else ""
        parameters["lis_person_sourcedid"] = prefix + person.username
        if scene.profile.has("M8"):
            parameters["ext_user_username"] = person.username
        if scene.profile.name == "brightspace":
            parameters |= {"ext_d2l_username": person.username, "ext_d2l_orgdefinedid": person.username}
    if options.shows_names:
        parameters |= {
            "lis_person_name_given": encode_name(scene.profile, person.given_name),
            "lis_person_name_family": encode_name(scene.profile, person.family_name),
            "lis_person_name_full": encode_name(scene.profile, person.name),
        }
    if options.shows_email and person.email:
        parameters["lis_person_contact_email_primary"] = person.email
    if scene.profile.has("G3"):
        for name in ("name_given", "name_family", "name_full", "contact_email_primary"):
            parameters[f"lis_person_{name}"] = ""
    mentees = list_mentees(scene)
    if mentees is not None:
        parameters["role_scope_mentor"] = ",".join(mentees)
    return parameters


def _list_memberships(scene: LaunchScene) -> dict[str, str]:
    """Where the members of the course are listed, by the services that this LMS has."""
    if scene.course is None or not scene.tool.options.shares_roster:
        return {}
    url = f"{scene.addresses.issuer}/lti/memberships/{scene.course.id}"
    named = {
        "nrps": {"custom_context_memberships_v2_url": url},
        "lis": {"custom_context_memberships_url": url},
        "pox": {
            "ext_ims_lis_memberships_url": f"{scene.addresses.issuer}/lti/memberships",
            "ext_ims_lis_memberships_id": make_roster_id(scene.secret, scene.tool, scene.course.id),
        },
    }
    return {name: value for kind in scene.profile.memberships_11 for name, value in named[kind].items()}


def _list_course(scene: LaunchScene) -> dict[str, str]:
    course, link, profile = scene.course, scene.link, scene.profile
    parameters: dict[str, str] = {}
    # Canvas's older way of asking is an ordinary launch, which has to name a link.
    is_launch = scene.selection is None or scene.selection.method == "ext_content_return_url"
    if is_launch and not profile.has("G4"):
        parameters["resource_link_id"] = scene.resource_link_id
        parameters["resource_link_title"] = scene.title
        if link is not None:
            parameters["resource_link_description"] = link.description
    if course is None or profile.has("G5"):
        return parameters
    parameters |= {
        "context_id": course.id,
        "context_type": "CourseSection",
        "context_title": course.title,
        "context_label": course.label,
        **{f"lis_course_{place}_sourcedid": text for place, text in list_sourcedids(scene).items()},
    }
    if link is not None and link.history and profile.has("B4"):
        parameters["resource_link_id_history"] = show_history(link.history, mark_cut=False)
    if profile.has("D3"):
        parameters["ext_d2l_context_id_history"] = show_history(course.history, mark_cut=False)
        parameters["ext_d2l_resource_link_id_history"] = show_history(link.history if link else (), mark_cut=False)
    return parameters


def _list_canvas(scene: LaunchScene) -> dict[str, str]:
    """What a Canvas sends without being asked."""
    parameters = {
        "ext_roles": ",".join(list_extended_roles(scene.person, scene.role)),
        "custom_canvas_api_domain": scene.addresses.issuer.partition("://")[2],
    }
    if scene.tool.options.shows_accounts:
        parameters["custom_canvas_user_id"] = scene.person.id
        parameters["custom_canvas_user_login_id"] = scene.person.username
    if scene.course is not None:
        parameters["custom_canvas_course_id"] = scene.course.id
        states = {"published": "available", "unpublished": "claimed", "concluded": "completed"}
        parameters["custom_canvas_workflow_state"] = states[scene.course.state]
        parameters["custom_canvas_enrollment_state"] = "active"
    if scene.link is not None and scene.item is not None:
        from_module = scene.destination.placement == "module" and scene.profile.has("C6")
        parameters["ext_lti_assignment_id"] = "" if from_module else scene.link.id
        parameters["custom_canvas_assignment_id"] = scene.link.id
        parameters["custom_canvas_assignment_title"] = scene.link.title
        parameters["custom_canvas_assignment_points_possible"] = str(scene.item.score_maximum)
    if scene.gets_grade:
        parameters["ext_outcome_data_values_accepted"] = "url,text,ltiLaunchUrl"
        parameters["ext_outcome_result_total_score_accepted"] = "true"
        parameters["ext_outcome_submission_submitted_at_accepted"] = "true"
    return parameters


def sign_launch(scene: LaunchScene, overrides: Overrides11 | None = None) -> tuple[str, Fields]:
    """The URL to post to and the signed fields; query parameters of the URL are signed but not repeated in the form.

    A Canvas repeats them (C23), and then counts them once: the signature is that of the form without the query.
    """
    wish = overrides or Overrides11()
    url = wish.url or scene.target_url
    parameters = change_fields(build_parameters(scene), wish.set, wish.remove)
    signed_url, _, query = url.partition("?")
    if scene.profile.has("C23") and query and not scene.tool.options.oauth_compliant:
        parameters = [*parse_qsl(query, keep_blank_values=True), *parameters]
    else:
        signed_url = url
    client = Client(
        scene.tool.key if wish.key is None else wish.key,
        client_secret=scene.tool.secret if wish.secret is None else wish.secret,
        callback_uri="about:blank",
        signature_method=wish.signature_method or scene.tool.signature_method,
        signature_type="BODY",
        timestamp=None if wish.timestamp is None else str(wish.timestamp),
        nonce=wish.nonce,
    )
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    # As text, since oauthlib makes a dictionary of a list and so loses repeated parameters.
    _, _, body = client.sign(signed_url, "POST", body=urlencode(parameters), headers=form_type)
    fields = parse_qsl(str(body), keep_blank_values=True, strict_parsing=True)
    return url, change_fields(fields, wish.set_after_signing, wish.remove_after_signing)


def change_fields(fields: Fields, changes: Mapping[str, Any], removed: tuple[str, ...]) -> Fields:
    """The fields with some replaced or added (a list of values means a repeated field) and some left out."""
    kept = [(name, value) for name, value in fields if name not in changes and name not in removed]
    for name, value in changes.items():
        values = value if isinstance(value, list) else [value]
        kept.extend((name, str(one)) for one in values)
    return kept


def _hash_sourcedid(secret: str, data: Any) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(f"{secret}:{text}".encode()).hexdigest()
