"""Names that 1EdTech's specifications fix: claims, scopes, message types and media types of LTI 1.3.

Nothing here is our choice; each group names the document it comes from.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

LTI_VERSION_13: Final = "1.3.0"
"""The only value of the version claim (LTI core 1.3 §5.3.2)."""

# LTI core 1.3 §5.3 and §5.4: claims of a message.
_CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MESSAGE_TYPE: Final = _CLAIM + "message_type"
VERSION: Final = _CLAIM + "version"
DEPLOYMENT_ID: Final = _CLAIM + "deployment_id"
TARGET_LINK_URI: Final = _CLAIM + "target_link_uri"
RESOURCE_LINK: Final = _CLAIM + "resource_link"
ROLES: Final = _CLAIM + "roles"
CONTEXT: Final = _CLAIM + "context"
TOOL_PLATFORM: Final = _CLAIM + "tool_platform"
ROLE_SCOPE_MENTOR: Final = _CLAIM + "role_scope_mentor"
LAUNCH_PRESENTATION: Final = _CLAIM + "launch_presentation"
LIS: Final = _CLAIM + "lis"
CUSTOM: Final = _CLAIM + "custom"
FOR_USER: Final = _CLAIM + "for_user"
"""Whose work is to be reviewed (Submission Review 1.0 §3)."""
NOTICE_SERVICE: Final = _CLAIM + "platformnotificationservice"
NOTICE: Final = _CLAIM + "notice"
ORIGIN_CONTEXTS: Final = _CLAIM + "origin_contexts"
"""Platform Notification Service 1.0: the service in a launch; a notice, and what the copied course was copied from."""
LTI11_MIGRATION: Final = _CLAIM + "lti1p1"
"""Ids of the same person, link and course under LTI 1.1 (LTI 1.3 migration guide §2)."""
LTI11_LEGACY_USER_ID: Final = _CLAIM + "lti11_legacy_user_id"
"""Canvas's older claim: the user id of LTI 1.1 alone."""

BASIC_OUTCOME: Final = "https://purl.imsglobal.org/spec/lti-bo/claim/basicoutcome"
"""Basic Outcomes inside LTI 1.3 (LTI 1.1 Basic Outcomes with 1.3, §3)."""
AGS_ENDPOINT: Final = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
"""Assignment and Grade Services 2.0 §3.1."""
NRPS_SERVICE: Final = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
"""Names and Role Provisioning Services 2.0 §3.6.1.1."""
GROUPS_SERVICE: Final = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"
"""Course Groups Service 1.0 §3.1."""

# Deep Linking 2.0 §4.4: claims of the request and of the answer.
_DEEP_LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"
DEEP_LINKING_SETTINGS: Final = _DEEP_LINKING + "deep_linking_settings"
DEEP_LINKING_DATA: Final = _DEEP_LINKING + "data"
DEEP_LINKING_MESSAGE: Final = _DEEP_LINKING + "msg"
DEEP_LINKING_ERROR: Final = _DEEP_LINKING + "errormsg"
CONTENT_ITEMS: Final = _DEEP_LINKING + "content_items"

# Message types.
RESOURCE_LINK_REQUEST: Final = "LtiResourceLinkRequest"
DEEP_LINKING_REQUEST: Final = "LtiDeepLinkingRequest"
DEEP_LINKING_RESPONSE: Final = "LtiDeepLinkingResponse"
SUBMISSION_REVIEW_REQUEST: Final = "LtiSubmissionReviewRequest"

# Scopes of access tokens (AGS 2.0 §3.5 to §3.7, NRPS 2.0 §3.3).
_AGS_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPE_LINEITEM: Final = _AGS_SCOPE + "lineitem"
SCOPE_LINEITEM_READONLY: Final = _AGS_SCOPE + "lineitem.readonly"
SCOPE_RESULT_READONLY: Final = _AGS_SCOPE + "result.readonly"
SCOPE_SCORE: Final = _AGS_SCOPE + "score"
SCOPE_MEMBERSHIP_READONLY: Final = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPE_NOTICE_HANDLERS: Final = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
"""Platform Notification Service 1.0: saying where notices go."""
SCOPE_GROUPS_READONLY: Final = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"

# Media types of the services.
MEDIA_LINEITEM: Final = "application/vnd.ims.lis.v2.lineitem+json"
MEDIA_LINEITEMS: Final = "application/vnd.ims.lis.v2.lineitemcontainer+json"
MEDIA_SCORE: Final = "application/vnd.ims.lis.v1.score+json"
MEDIA_RESULTS: Final = "application/vnd.ims.lis.v2.resultcontainer+json"
MEDIA_MEMBERSHIPS: Final = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
MEDIA_MEMBERSHIPS_11: Final = "application/vnd.ims.lis.v2.membershipcontainer+json"
MEDIA_GROUPS: Final = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
MEDIA_GROUP_SETS: Final = "application/vnd.ims.lti-gs.v1.contextgroupsetcontainer+json"

# Substitution variables (LTI core 1.3 C), which platforms put values in place of.
COURSE_VARIABLES: Final = MappingProxyType(
    {
        "course_offering_sourcedid": "$CourseOffering.sourcedId",
        "course_section_sourcedid": "$CourseSection.sourcedId",
        "context_id_history": "$Context.id.history",
        "resource_link_id_history": "$ResourceLink.id.history",
        "resource_link_submission_end_date_time": "$ResourceLink.submission.endDateTime",
    }
)
"""Custom parameters by which a course, and a copy of one, is recognised (`ltikit.history`), and that say when work is
due (`ltikit.dates`)."""
CANVAS_VARIABLES: Final = MappingProxyType(
    {
        **COURSE_VARIABLES,
        "canvas_assignment_due_at": "$Canvas.assignment.dueAt.iso8601",
        "canvas_section_names": "$com.instructure.User.sectionNames",
    }
)
"""The same in a Canvas, which also has an own name for due dates and knows its sections (`ltikit.sections`)."""

# Dynamic Registration 1.0 §3.4 and §3.5: members of the platform's configuration and of the tool's.
PLATFORM_CONFIGURATION: Final = "https://purl.imsglobal.org/spec/lti-platform-configuration"
TOOL_CONFIGURATION: Final = "https://purl.imsglobal.org/spec/lti-tool-configuration"
REGISTRATION_CLOSE: Final = "org.imsglobal.lti.close"
"""The subject of the message by which a tool says that its part of the registration is over."""

# OAuth 2.0 client credentials with a signed assertion (Security Framework 1.0 §4.1.1).
CLIENT_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

CANVAS_SUBMISSION: Final = "https://canvas.instructure.com/lti/submission"
"""Canvas's extension of a score: whether it makes a new submission, and what that holds."""
