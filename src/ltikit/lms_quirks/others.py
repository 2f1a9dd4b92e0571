"""Sakai, Schoology, Blackbaud, Coursera, Open edX, and the suite of the certification."""

from ltikit.lms_quirks.entry import Quirk

QUIRKS = (
    Quirk(
        "O1",
        "Sakai's return address only says that the tab may be closed.",
        "tsugi-php UI/Output.php",
        harmless="The way back is a link for people; nothing of ours happens behind it.",
    ),
    Quirk(
        "O2",
        "Sakai: the tool's cookie is missing when the launch arrives.",
        "pylti1.3#123",
        "The state comes back by the platform's storage, else a click opens a window of its own.",
    ),
    Quirk(
        "O3",
        "Schoology launches outside of courses, and refuses members of a score that it does not know.",
        "packbackbooks/lti-1-3-php-library; code.org",
        "A launch without a context is a good one, and scores hold nothing that is another LMS's own.",
    ),
    Quirk(
        "O4",
        "Blackbaud answers outcomes with malformed XML, and GET with 'Method Not Allowed'.",
        "hypothesis product-backlog#1262; rs#1364",
        "An answer that cannot be read means: try again; outcomes are only ever posted.",
    ),
    Quirk(
        "O5",
        "Coursera has hidden duplicates of columns and refuses a score above the maximum.",
        "PrairieLearn#15643",
        "The column is the launch's, and no score leaves that is above its maximum.",
    ),
    Quirk(
        "O6",
        "Open edX says Student, sends names encoded for an address, and ids such as course-v1:a+b.",
        "xblock-lti-consumer#176, #248",
        "Roles and names are read in these spellings, ids are opaque.",
    ),
    Quirk(
        "O7",
        "Open edX lists columns of other links beside a link's own.",
        "xblock-lti-consumer#605, #707",
        "The column that the launch names comes first, and of a list only the link's own is taken.",
    ),
    Quirk(
        "O8",
        "Some platforms put problems of theirs into the platform claim.",
        "atomic_lti open_id_middleware.rb",
        harmless="Unknown members are ignored, as the specification wants; nothing depends on them.",
    ),
    Quirk(
        "O9",
        "The certification asks for content without a target, and names no platform guid.",
        "atomic_lti; hypothesis/lms models/lti_params.py",
        "Neither is needed.",
    ),
)
