"""The claims of an id_token: a good launch of a link or a placement, a deep linking request, a submission review."""

from typing import Any

from practice_lms.columns import LineItem
from practice_lms.deep_linking import build_selection_claims
from practice_lms.identity import encode_name, list_mentees, list_sourcedids
from practice_lms.installation import Addresses
from practice_lms.profiles import Profile
from practice_lms.roles import list_roles_13
from practice_lms.scene import LaunchScene
from practice_lms.tools import SCOPE_GROUPS, SCOPE_NOTICES
from practice_lms.upgrading import build_former_claim
from practice_lms.variables import name_custom_13, show_history

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
ROSTER = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GROUPS = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"


def build_claims(scene: LaunchScene, *, nonce: str, now: float) -> dict[str, Any]:
    """All claims of one launch."""
    claims = {
        **_build_envelope(scene, nonce, now),
        **_build_person(scene),
        **_build_place(scene),
        f"{CLAIM}custom": name_custom_13(scene),
    }
    if scene.former_tool is not None:
        claims[f"{CLAIM}lti1p1"] = build_former_claim(
            scene.former_tool,
            deployment_id=scene.deployment_id,
            issuer=scene.issuer,
            client_id=scene.tool.client_id,
            expires_at=claims["exp"],
            nonce=nonce,
        )
    endpoint = _build_endpoint(scene)
    if endpoint is not None:
        claims[ENDPOINT] = endpoint
    if scene.tool.options.shares_roster and scene.course is not None:
        claims[ROSTER] = {
            "context_memberships_url": make_roster_url(scene),
            "service_versions": ["2.0"],
        }
    if scene.tool.options.sends_notices:
        claims[f"{CLAIM}platformnotificationservice"] = {
            "service_versions": ["1.0"],
            "platform_notification_service_url": f"{scene.addresses.issuer}/lti/notices/{scene.tool.id}",
            "scope": [SCOPE_NOTICES],
            "notice_types_supported": ["LtiHelloWorldNotice", "LtiContextCopyNotice"],
        }
    if scene.tool.options.shares_groups and scene.course is not None:
        groups_url = f"{scene.addresses.issuer}/lti/groups/{scene.course.id}"
        claims[GROUPS] = {
            "scope": [SCOPE_GROUPS],
            "context_groups_url": groups_url,
            "context_group_sets_url": f"{groups_url}/sets",
            "service_versions": ["1.0"],
        }
    return claims


def make_line_items_url(scene: LaunchScene, course_id: str) -> str:
    """The list of columns of a tool in a course; a query is part of it, as in Moodle (M1)."""
    query = f"?type_id={scene.tool.id}" if scene.profile.has("M1") else ""
    return f"{scene.addresses.issuer}/lti/ags/{course_id}/lineitems{query}"


def make_line_item_url(addresses: Addresses, item: LineItem, profile: Profile) -> str:
    """One column; `/scores` and `/results` belong before the query."""
    query = f"?type_id={item.tool_id}" if profile.has("M1") else ""
    return f"{addresses.issuer}/lti/ags/{item.course_id}/lineitems/{item.id}/lineitem{query}"


def make_roster_url(scene: LaunchScene) -> str:
    """Where the roster is; in a Moodle its address names the link already (M9)."""
    course = scene.course.id if scene.course else ""
    query = f"?rlid={scene.link.id}" if scene.link is not None and scene.profile.has("M9") else ""
    return f"{scene.addresses.issuer}/lti/nrps/{course}/memberships{query}"


def _build_envelope(scene: LaunchScene, nonce: str, now: float) -> dict[str, Any]:
    tool = scene.tool
    platform = {
        "product_family_code": scene.profile.family_code,
        "version": scene.profile.version,
        "guid": scene.guid,
        "name": "Practice LMS",
        "description": "A small LMS for trying out tools",
    }
    if scene.profile.has("G6"):
        platform.pop("guid")
    return {
        "iss": scene.issuer,
        "aud": [tool.client_id] if scene.profile.has("G7") else tool.client_id,
        "iat": int(now),
        "exp": int(now) + tool.options.id_token_lifetime,
        "nonce": nonce,
        f"{CLAIM}deployment_id": scene.deployment_id,
        f"{CLAIM}target_link_uri": scene.target_url,
        f"{CLAIM}message_type": "LtiResourceLinkRequest",
        f"{CLAIM}version": "1.3.0",
        f"{CLAIM}launch_presentation": {
            "locale": "en",
            "document_target": scene.document_target,
            "return_url": scene.return_url,
        },
        f"{CLAIM}tool_platform": platform,
    }


def _build_person(scene: LaunchScene) -> dict[str, Any]:
    person, options = scene.person, scene.tool.options
    claims: dict[str, Any] = {
        "sub": person.id,
        f"{CLAIM}roles": list_roles_13(scene.profile, person, scene.role),
    }
    ext = {"lms": "practice-lms"}
    if options.shows_accounts and scene.profile.has("M8"):
        ext = {"user_username": person.username, **ext}
    claims[f"{CLAIM}ext"] = ext
    if options.shows_names:
        names = {"given_name": person.given_name, "family_name": person.family_name, "name": person.name}
        claims |= {name: encode_name(scene.profile, text) for name, text in names.items()}
    if options.shows_email and person.email:
        claims["email"] = person.email
    if scene.profile.has("G3"):
        claims |= dict.fromkeys(("given_name", "family_name", "name", "email"))
    mentees = list_mentees(scene)
    if mentees is not None:
        claims[f"{CLAIM}role_scope_mentor"] = list(mentees)
    if scene.profile.has("D3"):
        claims["http://www.brightspace.com"] = {
            **({"org_defined_id": person.username, "username": person.username} if options.shows_accounts else {}),
            "user_id": person.id,
            "Context.id.history": show_history(scene.course.history if scene.course else (), mark_cut=False),
            "ResourceLink.id.history": show_history(scene.link.history if scene.link else (), mark_cut=False),
        }
    return claims


def _build_place(scene: LaunchScene) -> dict[str, Any]:
    """Where the launch comes from: course, link, school; and for requests for links, what is asked for."""
    lis = {f"course_{place}_sourcedid": text for place, text in list_sourcedids(scene).items()}
    if scene.tool.options.shows_accounts:
        prefix = "cuid:" if scene.profile.has("B14") else ""
        lis["person_sourcedid"] = prefix + scene.person.username
    claims: dict[str, Any] = {f"{CLAIM}lis": lis} if lis else {}
    if scene.course is not None and not scene.profile.has("G5"):
        claims[f"{CLAIM}context"] = {
            "id": scene.course.id,
            "label": scene.course.label,
            "title": scene.course.title,
            "type": ["CourseSection"],
        }
    if scene.selection is not None:
        return {**claims, **build_selection_claims(scene, scene.selection)}
    if not scene.profile.has("G4"):
        claims[f"{CLAIM}resource_link"] = {
            "id": scene.resource_link_id,
            "title": scene.title,
            "description": scene.link.description if scene.link else "",
        }
    if scene.for_person is not None and scene.destination.placement == "review":
        other = scene.for_person
        claims[f"{CLAIM}message_type"] = "LtiSubmissionReviewRequest"
        claims[f"{CLAIM}for_user"] = {
            "user_id": other.id,
            **({"name": other.name} if scene.tool.options.shows_names else {}),
            **({"email": other.email} if scene.tool.options.shows_email and other.email else {}),
            "roles": list_roles_13(scene.profile, other, "learner"),
        }
    return claims


def _build_endpoint(scene: LaunchScene) -> dict[str, Any] | None:
    """Where scores go. Without a column of the link an LMS may still name the list of columns (M12)."""
    if scene.course is None or (scene.item is None and not scene.profile.offers_line_items):
        return None
    endpoint: dict[str, Any] = {
        "scope": list(scene.tool.scopes),
        "lineitems": make_line_items_url(scene, scene.course.id),
    }
    if scene.item is not None and scene.tool.options.sends_line_item and not scene.profile.has("G41"):
        endpoint["lineitem"] = make_line_item_url(scene.addresses, scene.item, scene.profile)
    return endpoint
