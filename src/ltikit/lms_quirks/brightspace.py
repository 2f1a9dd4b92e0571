"""Brightspace by D2L."""

from ltikit.lms_quirks.entry import Quirk

QUIRKS = (
    Quirk(
        "D1",
        "Token requests must name https://api.brightspace.com/auth/token as audience, not the token URL.",
        "hypothesis/lms product/d2l; ltijs d0737ec",
        "The audience is a field of the registration.",
    ),
    Quirk(
        "D2",
        "Scores for people who left are refused with 403 'not enrolled in the org unit' or 404 'User in requested "
        "score does not exist'.",
        "hypothesis/lms services/lti_grading/_v13.py",
        "They are told apart by their words from a missing right and a missing column.",
    ),
    Quirk(
        "D3",
        "The history of a link is ext_d2l_resource_link_id_history, or stands in a claim of its own.",
        "hypothesis/lms services/assignment.py",
        "Both are read.",
    ),
    Quirk(
        "D4",
        "A deep linking answer needs a nonce, and data byte for byte.",
        "tsugi-php Util/DeepLinkResponse.php; celtic-project/LTI-PHP#75",
        "Both are always there.",
    ),
    Quirk(
        "D5",
        "A chosen link's address may have no query.",
        "hypothesis/lms#5543",
        "Links of Deep Linking carry their parameters as custom ones, and their address has no query.",
    ),
    Quirk(
        "D6",
        "@context of a content item must be text, not a list.",
        "tsugi-php Util/ContentItem.php",
        "It is text.",
    ),
    Quirk(
        "D7",
        "By LTI 1.3 points alone make no column.",
        "hypothesis product-backlog#1388; lms#4726, #7224",
        "A column is looked for and made once; its address is kept.",
    ),
    Quirk(
        "D8",
        "Dynamic registration comes without a registration_token.",
        "webwork2#2993",
        "It is used when it comes; our own link is what proves whose registration it is.",
    ),
    Quirk(
        "D9",
        "A good score is answered with nothing, not even a content type.",
        "RunestoneInteractive/rs",
        "Nothing is asked of the body, but that it is no web page.",
    ),
    Quirk(
        "D10",
        "A course copy turns 1.1 links into 1.3 ones.",
        "hypothesis product-backlog#1403",
        "Courses and work are recognised over both versions of one organization.",
    ),
    Quirk(
        "D11",
        "Each chosen link gets a column if it names one, also one that nobody wants.",
        "webwork2#2559",
        "Work without points, and courses that keep their grades, come without a line item.",
    ),
    Quirk(
        "D12",
        "The user name stands in ext_d2l_username.",
        "celtic-project/LTI-PHP Service/Membership.php",
        "It can be chosen as the LTI ID, and is not needed for anything else.",
    ),
)
