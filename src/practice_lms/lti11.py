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

from practice_lms.refusals import RefusedError
from practice_lms.scene import LaunchScene
from practice_lms.variables import expand_custom, mangle_name

ROLES = {
    "teacher": "Instructor",
    "assistant": "urn:lti:role:ims/lis/TeachingAssistant",
    "learner": "Learner",
    "observer": "urn:lti:role:ims/lis/Mentor",
}


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
    person, course, link = scene.membership.person, scene.course, scene.link
    parameters = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": link.id,
        "resource_link_title": link.title,
        "resource_link_description": link.description,
        "user_id": person.id,
        "roles": ROLES[scene.membership.role],
        "context_id": course.id,
        "context_type": "CourseSection",
        "context_title": course.title,
        "context_label": course.label,
        "lis_person_sourcedid": person.username,
        "lis_course_offering_sourcedid": course.sourcedid,
        "lis_course_section_sourcedid": course.section_sourcedid,
        "launch_presentation_locale": "en",
        "launch_presentation_document_target": scene.document_target,
        "launch_presentation_return_url": scene.return_url,
        "tool_consumer_info_product_family_code": "practice_lms",
        "tool_consumer_info_version": "1.0",
        "tool_consumer_instance_guid": scene.guid,
        "tool_consumer_instance_name": "Practice LMS",
        "tool_consumer_instance_description": "A small LMS for trying out tools",
        "tool_consumer_instance_url": scene.addresses.issuer,
        "tool_consumer_instance_contact_email": "admin@practice.example",
        "ext_lms": "practice-lms",
        "ext_user_username": person.username,
    }
    if scene.tool.options.sends_names:
        parameters |= {
            "lis_person_name_given": person.given_name,
            "lis_person_name_family": person.family_name,
            "lis_person_name_full": person.name,
        }
    if scene.tool.options.sends_email:
        parameters["lis_person_contact_email_primary"] = person.email
    if scene.membership.role == "observer":
        parameters["role_scope_mentor"] = ",".join(scene.membership.mentor_for)
    if scene.membership.is_learner and scene.item is not None:
        # Only who can get a grade gets the address for one, as in Moodle and Canvas.
        parameters["lis_outcome_service_url"] = scene.addresses.outcomes_url
        parameters["lis_result_sourcedid"] = make_sourcedid(scene.secret, link.id, person.id)
    for name, value in expand_custom(link.custom, course, link, scene.membership).items():
        parameters[f"custom_{mangle_name(name)}"] = value
    return list(parameters.items())


def sign_launch(scene: LaunchScene, overrides: Overrides11 | None = None) -> tuple[str, Fields]:
    """The URL to post to and the signed fields; query parameters of the URL are signed but not repeated in the form."""
    wish = overrides or Overrides11()
    url = wish.url or scene.link.url
    parameters = change_fields(build_parameters(scene), wish.set, wish.remove)
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
    _, _, body = client.sign(url, "POST", body=urlencode(parameters), headers=form_type)
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
