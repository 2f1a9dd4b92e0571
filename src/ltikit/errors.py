"""One error per refusal, each with a stable code, an HTTP status and a hint for the person who can mend it."""

from __future__ import annotations


class LtiError(Exception):
    """A message or an answer was refused.

    `code` is stable: logs, pages and other programs count on it.
    `hint` tells a teacher or an LMS administrator what to do; it names no secret and echoes no claim.
    `student_hint` is what a student needs to know instead, "" where the cause says nothing to them.
    `status` is the HTTP status that a tool should answer with.
    `detail` is for the launch log: which value was found, which was expected. Never a secret.
    `return_url` is the way back to the LMS, set only when the message was correctly signed.
    """

    code = "lti_error"
    status = 400
    hint = "The LMS sent a message that could not be used."
    student_hint = ""

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.hint)
        self.detail = detail
        self.return_url = ""


class MalformedMessageError(LtiError):
    """The message cannot be read: broken encoding, wrong types, a name twice with different values."""

    code = "malformed_message"
    hint = "The LMS sent a message that could not be read. Open the link again from the LMS."


class MissingParameterError(LtiError):
    """A required parameter or claim is absent; `detail` names it."""

    code = "missing_parameter"
    hint = (
        "The LMS left out something that every launch needs. "
        "An administrator should compare the tool's settings with the guide."
    )


class MissingResourceLinkError(MissingParameterError):
    """A launch of a link does not say which one (LTI 1.1 §3, LTI core 1.3 §5.3.5)."""

    code = "missing_resource_link"
    hint = "The LMS did not say which link was clicked. Open the link from the course, not from a preview."


class UnsupportedVersionError(LtiError):
    """`lti_version` or the version claim is none that is spoken here (LTI core 1.3 §5.3.2)."""

    code = "unsupported_version"
    hint = "The LMS speaks a version of LTI that is not known here. Choose LTI 1.1 or LTI 1.3 in the tool's settings."


class UnsupportedMessageError(LtiError):
    """A message type that is not known, or not asked for at this place (LTI core 1.3 §5.3.1)."""

    code = "unsupported_message"
    hint = "The LMS asked for something that this tool does not offer. Check the placement of the link."


class UnknownPlatformError(LtiError):
    """Nobody registered this consumer key, or this issuer and client id."""

    code = "unknown_platform"
    status = 403
    hint = (
        "This LMS is not connected here, or was connected with another key. "
        "An owner finds the right values under LTI integrations."
    )


class UnknownDeploymentError(LtiError):
    """The deployment is not among those that the registration accepts (LTI core 1.3 §5.3.3)."""

    code = "unknown_deployment"
    status = 403
    hint = "This deployment of the tool waits for an owner's approval under LTI integrations."


class BadSignatureError(LtiError):
    """The signature does not fit the message (RFC 5849 §3.2, Security Framework 1.0 §5.1.3)."""

    code = "bad_signature"
    status = 401
    hint = (
        "The signature does not fit. The secret or the keys in the LMS differ from those shown under LTI integrations."
    )


class UnsupportedAlgorithmError(BadSignatureError):
    """A signature method that is not accepted, `none` and symmetric ones among them."""

    code = "unsupported_algorithm"
    hint = (
        "The LMS signed with a method that is not accepted. Choose HMAC-SHA1 or HMAC-SHA256 (LTI 1.1), RS256 (LTI 1.3)."
    )


class UnknownKeyError(BadSignatureError):
    """The key named by the token's `kid` is not in the platform's keyset."""

    code = "unknown_key"
    hint = "The LMS signed with a key that its keyset does not hold. Check the keyset URL under LTI integrations."


class ExpiredError(LtiError):
    """Too old, too new, or without a usable time."""

    code = "expired"
    status = 401
    hint = (
        "The launch is too old or the clock of the LMS is wrong. "
        "Open the link again; if it happens again, check the clock of the LMS."
    )


class WrongAudienceError(LtiError):
    """`aud` or `azp` names another tool (Security Framework 1.0 §5.1.3)."""

    code = "wrong_audience"
    status = 401
    hint = (
        "The launch was meant for another tool. Compare the client id in the LMS with the one under LTI integrations."
    )


class WrongIssuerError(LtiError):
    """`iss` is not the issuer of the registration that the sign-in began with."""

    code = "wrong_issuer"
    status = 401
    hint = (
        "The launch came from another LMS than the one the sign-in began with. "
        "Compare the issuer under LTI integrations."
    )


class WrongNonceError(LtiError):
    """The nonce is missing or not the one that was asked for."""

    code = "wrong_nonce"
    status = 401
    hint = "The launch does not belong to this sign-in. Open the link again from the LMS."


class ReplayError(LtiError):
    """The nonce was used before. Raised by the caller, who keeps the nonces."""

    code = "replayed"
    status = 401
    hint = "This launch was used already. Open the link again from the LMS."


class StateError(LtiError):
    """The state is missing, expired, forged, or of another browser."""

    code = "wrong_state"
    status = 401
    hint = "This launch did not begin in this browser, or its cookies are blocked. Open the link again, in a new tab."


class PlatformRefusedError(LtiError):
    """The platform answered the sign-in with an error instead of a launch; `detail` has its words."""

    code = "platform_refused"
    hint = "The LMS refused to sign in. Sign in to the LMS again, then open the link once more."


class ItemTypeNotAcceptedError(LtiError):
    """The platform asked for content, but not for a link to this tool (Deep Linking 2.0, accept_types)."""

    code = "item_type_not_accepted"
    hint = "The LMS does not take a link to an assignment at this place. Add the assignment from another place there."


class TooManyItemsError(LtiError):
    """The platform takes one item (Deep Linking 2.0, accept_multiple)."""

    code = "too_many_items"
    hint = "The LMS takes one link at a time at this place. Choose one assignment."


class ActualUserRefusedError(LtiError):
    """The `actual_user_*` parameters do not name somebody who may open another person's work."""

    code = "actual_user_refused"
    status = 403
    hint = (
        "Only teachers open the work of a student. The LMS must send actual_user_id and a teacher's actual_user_role."
    )


class ServiceError(LtiError):
    """A service of the platform (token, grades, roster, keyset) gave an answer that means failure.

    `detail` has the platform's own words, shortened.
    `platform_status` is the HTTP status of that answer, 0 if there was none.
    `retry_after` is the number of seconds the platform asked to wait, None if it did not.
    """

    code = "service_failed"
    status = 502
    hint = "The LMS could not be reached or refused the request."

    def __init__(self, detail: str = "", *, platform_status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.platform_status = platform_status
        self.retry_after = retry_after


class ServiceUnavailableError(ServiceError):
    """No answer, a 5xx, or an answer that could not be read: trying again later may help."""

    code = "service_unavailable"
    hint = "The LMS did not answer or had a fault of its own. It is tried again by itself."


class NotPublishedError(ServiceUnavailableError):
    """The assignment or the course is not published yet (Canvas): the same request works once it is."""

    code = "not_published"
    hint = "The LMS takes no grades before the assignment is published there. It is tried again by itself."


class ServiceUnauthorizedError(ServiceError):
    """401: the access token or the signature was not accepted."""

    code = "service_unauthorized"
    hint = "The LMS did not accept the credentials. Check the keys and the client id under LTI integrations."


class ServiceForbiddenError(ServiceError):
    """403: the credentials are known but do not allow this."""

    code = "service_forbidden"
    hint = "The LMS does not allow this tool to write grades. An LMS administrator can switch the grade service on."


class ServiceRateLimitedError(ServiceError):
    """429, or 403 with words about a rate limit (Canvas)."""

    code = "service_rate_limited"
    hint = "The LMS asked to slow down. It is tried again by itself."


class ServiceNotFoundError(ServiceError):
    """404: the line item or the service address is gone."""

    code = "service_not_found"
    hint = "The column in the LMS's gradebook is gone."


class ServiceConflictError(ServiceError):
    """409: the platform holds a later score (AGS 2.0 §3.4.6) or one of the same second (Moodle)."""

    code = "service_conflict"
    hint = "The LMS holds a newer grade for this person."


class PersonNotGradableError(ServiceError):
    """The platform does not know the person in this course, or does not grade them."""

    code = "person_not_gradable"
    hint = "The LMS says that this person cannot be graded there. Is the person still enrolled as a student?"


class ServiceRejectedError(ServiceError):
    """Any other 4xx: the same request will be refused again."""

    code = "service_rejected"
    hint = "The LMS refused the grade. Its own words say why."


class UnsupportedOperationError(ServiceError):
    """The platform says that it does not offer this operation."""

    code = "unsupported_operation"
    hint = "The LMS does not take grades for this link."


class PlatformConfigurationError(LtiError):
    """The platform's OpenID configuration cannot be used for a registration; `detail` says why."""

    code = "platform_configuration"
    status = 502
    hint = "The configuration that the LMS offers cannot be used. Register by hand instead, or ask its administrator."


class ForeignIssuerError(PlatformConfigurationError):
    """The configuration speaks for an issuer of another host than the one it was read from."""

    code = "foreign_issuer"
    hint = (
        "The configuration names another LMS than the one it came from, so nothing was registered. "
        "Begin the registration from the LMS itself."
    )


class RegistrationRefusedError(LtiError):
    """The platform did not register the tool; `detail` has its own words."""

    code = "registration_refused"
    status = 502
    hint = "The LMS did not accept the registration. Begin it again there: what it sent may have expired."
