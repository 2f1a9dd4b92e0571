"""Moodle."""

from ltikit.lms_quirks.entry import Quirk

QUIRKS = (
    Quirk(
        "M1",
        "The address of a line item has a query (?type_id=…).",
        "packbackbooks/lti-1-3-php-library; pylti1.3",
        "/scores and /results go before it.",
    ),
    Quirk(
        "M2",
        "A second score in the same second is refused with 409.",
        "a-plus lti_tool/utils.py; webwork2",
        "Times rise with every score, and a conflict is tried again with a later one.",
    ),
    Quirk(
        "M3",
        "Reading columns needs lineitem.readonly besides lineitem; asking for what is not offered fails.",
        "hypothesis/lms services/lti_grading/_v13.py; ltijs#268",
        "Scopes are those wanted and offered.",
    ),
    Quirk(
        "M4",
        "JSON comes as text/html.",
        "RunestoneInteractive/rs",
        "Answers are read by their content.",
    ),
    Quirk(
        "M5",
        "The keyset is refused to whoever names no User-Agent.",
        "hypothesis/lms services/jwt.py",
        "Every outgoing request names us.",
    ),
    Quirk(
        "M6",
        "Scores for teachers and for people who are not enrolled are refused with 400, at times without words.",
        "ltijs#65; a-plus lti_tool/utils.py",
        "Nothing is owed for teachers; such a refusal means that this person cannot be graded there.",
    ),
    Quirk(
        "M7",
        "ResourceLink.id.history is never filled in; choosing other content keeps the link's id.",
        "hypothesis/lms#5061",
        "Our own id in the link tells: a link that names other work is resolved anew.",
    ),
    Quirk(
        "M8",
        "The user name stands only in an extension (user_username).",
        "ltiauthenticator#14, #30",
        "It can be chosen as the LTI ID, and is not needed for anything else.",
    ),
    Quirk(
        "M9",
        "rlid stands in the roster's address already.",
        "hypothesis/lms services/lti_names_roles.py",
        "It is not added twice.",
    ),
    Quirk(
        "M10",
        "After a tool was linked, a launch may be posted without the login before it.",
        "RunestoneInteractive/rs",
        "It is refused on a page that says to open the link again.",
    ),
    Quirk(
        "M11",
        "Dynamic registration fails with 401 when the token was used, or a proxy dropped the header.",
        "ltijs#163",
        "The platform's words are shown, and the owner may try again with a new link.",
    ),
    Quirk(
        "M12",
        "A tool that shall have no grades is offered the grade service all the same.",
        "a-plus#1252",
        "A column is made only when a grade is owed, and once; a course that enrolls only makes none.",
    ),
    Quirk(
        "M13",
        "A deleted column answers 404.",
        "a-plus#1516",
        "It is looked for again, and made anew only after a teacher's yes.",
    ),
    Quirk(
        "M14",
        "A chosen link gets a column only if it names one.",
        "ltijs#89",
        "Every assignment with points comes with its line item.",
    ),
    Quirk(
        "M15",
        "In a frame, cookies of the tool are blocked by browsers.",
        "a-plus#1297; numbas documentation",
        "Chosen links ask for a window of their own unless the course prefers the frame.",
    ),
    Quirk(
        "M16",
        "After dynamic registration an administrator has to activate the tool.",
        "numbas documentation",
        "The page at the end says so.",
    ),
    Quirk(
        "M17",
        "A course that is reset keeps its id: other people come to the same links.",
        "hypothesis/lms#5061",
        "People who are no longer in the roster are shown as inactive, and never deleted.",
    ),
)
