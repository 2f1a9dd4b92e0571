"""The ways in which real LMSs differ from what a tool's author expects, each with the number it has in our notes.

A quirk belongs to profiles (`practice_lms.profiles`), is on there from the start or has to be switched on, and is
named by its number where the code acts on it: `profile.has("C3")`. What every LMS may do (`G…`, `O6`) is offered to
all profiles.
"""

from dataclasses import dataclass

PROFILES = ("practice", "canvas", "moodle", "blackboard", "brightspace", "schoology", "sakai")
EVERY = PROFILES


@dataclass(frozen=True)
class Quirk:
    """One peculiarity: what this LMS does then, where it is offered and where it is on unless switched off."""

    number: str
    sentence: str
    offered_in: tuple[str, ...]
    on_in: tuple[str, ...]
    area: str
    is_fixed: bool = False
    """Whether it is there in every profile it belongs to and cannot be switched off."""


def _always(area: str, number: str, profile: str, sentence: str) -> Quirk:
    return Quirk(number, sentence, (profile,), (profile,), area)


def _offered(area: str, number: str, profiles: tuple[str, ...], sentence: str) -> Quirk:
    return Quirk(number, sentence, profiles, (), area)


def _fixed(area: str, number: str, profiles: tuple[str, ...], sentence: str) -> Quirk:
    return Quirk(number, sentence, profiles, profiles, area, is_fixed=True)


LAUNCH, COPY, LINKING, GRADING, PEOPLE, REGISTRATION = AREAS = (
    "Launches",
    "Course copy",
    "Deep linking",
    "Grades",
    "People",
    "Registration",
)

QUIRKS = (
    _always(GRADING, "C1", "canvas", "SpeedGrader opens a submission with the course's id as resource link id."),
    _always(GRADING, "C2", "canvas", "SpeedGrader encodes the query of the submission's URL twice."),
    _always(LAUNCH, "C3", "canvas", "Canvas ids in custom parameters are numbers in LTI 1.3 and text in LTI 1.1."),
    _always(LAUNCH, "C4", "canvas", "A variable without a value arrives as its own name, $CourseOffering.sourcedId."),
    _always(LAUNCH, "C6", "canvas", "ext_lti_assignment_id is empty when a link is opened from a module."),
    _always(
        GRADING, "C7", "canvas", "Each score makes a new submission unless the extension says new_submission false."
    ),
    _always(GRADING, "C9", "canvas", "A score after the last allowed attempt is refused with 422."),
    _always(GRADING, "C10", "canvas", "A score after the course has concluded is refused."),
    _always(GRADING, "C11", "canvas", "A request to a service without a User-Agent is refused with 403."),
    _offered(LAUNCH, "C12", ("canvas",), "The issuer is https://canvas.instructure.com, as for all hosted schools."),
    _offered(LAUNCH, "C13", ("canvas",), "The login does not name the client id."),
    _always(COPY, "C14", "canvas", "A course's own LTI 1.3 tool has another deployment id in each course."),
    _always(GRADING, "C16", "canvas", "The test student, and anybody kept anonymous, cannot be graded: 422."),
    _always(GRADING, "C17", "canvas", "Scores are refused while the course or the assignment is unpublished."),
    _offered(LINKING, "C18", ("canvas",), "The line item of a chosen link is ignored."),
    _always(LINKING, "C19", "canvas", "Custom parameters of an LTI 1.1 content item are dropped."),
    _always(LAUNCH, "C21", "canvas", "launch_presentation_document_target says iframe, also in a new tab."),
    _always(LAUNCH, "C23", "canvas", "LTI 1.1 puts the URL's query into the form and signs it once only."),
    _always(LINKING, "C25", "canvas", "A cartridge's link that no module mentions is dropped."),
    _always(GRADING, "C32", "canvas", "The student is mailed on each score, also on the same one again."),
    _always(
        PEOPLE, "C35", "canvas", "An assistant is Instructor with a sub-role; students may carry institution roles."
    ),
    _always(COPY, "C36", "canvas", "Nothing says that a link is a copy, except $Context.id.history where a tool asks."),
    _always(LAUNCH, "C40", "canvas", "login_hint is not the user id."),
    _always(LAUNCH, "C41", "canvas", "Tools keep data by way of a frame named post_message_forwarding."),
    _always(LAUNCH, "C45", "canvas", "The deployment id of a course's own tool ends in a hash of the course."),
    _always(
        PEOPLE, "C48", "canvas", "An observer is a Mentor and a NonCreditLearner; who is observed is not always said."
    ),
    _always(GRADING, "B1", "blackboard", "Results asked for one user come without the comment."),
    _always(GRADING, "B2", "blackboard", "New lines in comments vanish."),
    _always(GRADING, "B3", "blackboard", "A score for somebody who is not enrolled: 400, User could not be found."),
    _always(COPY, "B4", "blackboard", "LTI 1.1 sends resource_link_id_history; LTI 1.3 knows the variable."),
    _always(PEOPLE, "B5", "blackboard", "The roster of a link has an object as message, not a list."),
    _always(LAUNCH, "B6", "blackboard", "The login of LTI 1.3 comes by GET."),
    _offered(LAUNCH, "B8", ("blackboard",), "The issuer is https://blackboard.com."),
    _fixed(LAUNCH, "B10", ("blackboard",), "What its page can keep for tools is asked of the parent, not of a frame."),
    _always(LINKING, "B11", "blackboard", "A link chosen without a line item can never be graded."),
    _offered(GRADING, "B12", ("blackboard",), "Every first try of an outcome fails with HTTP 200."),
    _always(PEOPLE, "B14", "blackboard", "User names begin with cuid:."),
    _always(GRADING, "D1", "brightspace", "The audience for tokens is https://api.brightspace.com/auth/token."),
    _always(GRADING, "D2", "brightspace", "Not enrolled: 403; no such user: 404."),
    _always(COPY, "D3", "brightspace", "Histories come in a claim and in ext_d2l parameters; the variables are empty."),
    _fixed(LINKING, "D4", EVERY, "An answer without nonce, kid or the exact data is refused."),
    _always(LINKING, "D5", "brightspace", "The URL of a chosen link may have no query."),
    _always(LINKING, "D6", "brightspace", "@context of a Content-Item answer must be one text."),
    _always(GRADING, "D7", "brightspace", "A link of LTI 1.3 has no grade column until the tool makes one."),
    _always(GRADING, "D9", "brightspace", "A score is answered with 200, nothing, and no content type."),
    _always(COPY, "D10", "brightspace", "A course copy turns LTI 1.1 links into LTI 1.3 links of the same tool."),
    _fixed(LINKING, "D11", ("brightspace",), "Each chosen link that has a line item makes a column."),
    Quirk("M1", "Addresses of line items carry a query.", EVERY, ("practice", "moodle"), GRADING),
    _always(GRADING, "M2", "moodle", "A second score in the same second is refused with 409."),
    _always(GRADING, "M3", "moodle", "Reading line items needs the scope lineitem.readonly."),
    _always(GRADING, "M4", "moodle", "JSON of the token service is labelled text/html."),
    _always(GRADING, "M5", "moodle", "Keys are not given to a request without a User-Agent: 403."),
    _fixed(GRADING, "M6", ("practice", "moodle"), "A score for staff is refused with 400, Incorrect score received."),
    _always(COPY, "M7", "moodle", "No $ResourceLink.id.history; choosing again for a link keeps its id."),
    Quirk("M8", "The user name is in the ext claim only.", ("practice", "moodle"), ("practice", "moodle"), PEOPLE),
    _always(PEOPLE, "M9", "moodle", "The roster's address holds rlid already."),
    _always(GRADING, "M12", "moodle", "A link without grades still gets the address of the line items."),
    _fixed(GRADING, "M13", EVERY, "Scores for a deleted column are refused with 404."),
    _always(LINKING, "M14", "moodle", "A chosen link gets a column only when it has a line item."),
    _always(LAUNCH, "O1", "sakai", "The return address only says to close the tab."),
    Quirk("O3", "Unknown members of a score or line item are refused (C8).", ("schoology",), ("schoology",), GRADING),
    _offered(PEOPLE, "O6", EVERY, "Roles without a URN (Student), names encoded for a URL with + for a blank."),
    _offered(PEOPLE, "G1", EVERY, "Roles in mixed spelling, with odd blanks and case."),
    _offered(PEOPLE, "G3", EVERY, "Names and e-mail are there, and null or empty."),
    _offered(LAUNCH, "G4", EVERY, "resource_link_id is missing."),
    _offered(LAUNCH, "G5", EVERY, "The context is missing."),
    _offered(LAUNCH, "G6", EVERY, "tool_consumer_instance_guid is missing."),
    _always(
        REGISTRATION, "C26", "canvas", "The scope openid is offered, and a registration that asks for it gets 422."
    ),
    _fixed(REGISTRATION, "C28", ("canvas",), "Placements and privacy have names of Canvas's own, which others ignore."),
    _always(REGISTRATION, "D8", "brightspace", "A registration comes without a token."),
    _fixed(REGISTRATION, "M11", EVERY, "A registration token is good for one tool: the second try gets 401."),
    Quirk(
        "M16",
        "A tool that registered itself cannot be opened before an administrator activates it.",
        EVERY,
        ("canvas", "moodle", "blackboard", "brightspace"),
        REGISTRATION,
    ),
    Quirk(
        "B7",
        "The answer to a registration names no deployment: there are many of one client.",
        EVERY,
        ("blackboard", "brightspace"),
        REGISTRATION,
    ),
    Quirk("G7", "aud is a list.", EVERY, ("schoology",), LAUNCH),
    Quirk("G8", "Published keys do not name their algorithm.", EVERY, ("brightspace",), LAUNCH),
    Quirk("G11", "The roster holds lti11_legacy_user_id.", EVERY, ("canvas",), PEOPLE),
    _offered(LAUNCH, "G18", EVERY, "Messages to its page have the old names, org.imsglobal.lti.*."),
    Quirk("G41", "A launch names the list of line items, not the link's own.", EVERY, ("brightspace",), GRADING),
)

BY_NUMBER = {quirk.number: quirk for quirk in QUIRKS}
