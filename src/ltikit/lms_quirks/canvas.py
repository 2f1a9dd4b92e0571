"""Canvas by Instructure."""

from ltikit.lms_quirks.entry import Quirk

QUIRKS = (
    Quirk(
        "C1",
        "SpeedGrader opens a submission with the id of the course in the place of the resource link's.",
        "canvas-lms#1952; hypothesis/lms#3228",
        "The address of an assignment names it whatever link id comes along; a link that names other work is resolved "
        "anew, and a teacher's launch is owed no grade.",
    ),
    Quirk(
        "C2",
        "SpeedGrader encodes the query of a submission's address twice.",
        "canvas-lms#1486",
        "Values in the query of a launch that look like an encoded address are decoded once more.",
    ),
    Quirk(
        "C3",
        "Ids in custom parameters are numbers in LTI 1.3 and text in LTI 1.1.",
        "hypothesis/lms models/lti_params.py",
        "Values of any JSON type become text.",
    ),
    Quirk(
        "C4",
        "A variable that has no value arrives as its own name, such as $Canvas.course.sisSourceId.",
        "hypothesis/lms; RunestoneInteractive/rs",
        "An unexpanded variable counts as absent, everywhere a parameter is read.",
    ),
    Quirk(
        "C5",
        "Choosing a placed link again sends a request without its resource link id; which link is meant stands only in "
        "a custom parameter (1.3) or in ext_lti_assignment_id (1.1).",
        "hypothesis/lms services/assignment.py",
        "A selection needs no link and stores none: the answer replaces what was there, and the next launch tells.",
    ),
    Quirk(
        "C6",
        "ext_lti_assignment_id is empty when an assignment is opened from Modules.",
        "canvas-lms#1973",
        harmless="It is never read: a link is known by its resource link id, work by the address or our own parameter.",
    ),
    Quirk(
        "C7",
        "Every score by AGS makes a new submission, which uses up allowed attempts.",
        "hypothesis/lms services/lti_grading/_v13.py",
        "Scores to Canvas carry its submission extension with new_submission false.",
    ),
    Quirk(
        "C8",
        "The submission extension is for Canvas alone: others refuse a score with members they do not know.",
        "packbackbooks/lti-1-3-php-library LtiGrade.php",
        "What is Canvas's own goes to the family canvas only, in scores as in registrations.",
    ),
    Quirk(
        "C9",
        "A score after the last allowed attempt is refused with 422 and words about the maximum of attempts.",
        "hypothesis/lms views/api/grading.py",
        "It is told apart by its words: this person cannot be graded there, and a teacher reads why.",
    ),
    Quirk(
        "C10",
        "A score after the end of the course is refused: 'has concluded' (1.3), 'not available for student' (1.1).",
        "hypothesis/lms views/api/grading.py",
        "It is told apart by its words, and a teacher reads why.",
    ),
    Quirk(
        "C11",
        "Requests without a User-Agent are refused.",
        "celtic-project/LTI-PHP#99; ltijs Utils/Http.js",
        "Every outgoing request names us; there is one door for all of them.",
    ),
    Quirk(
        "C12",
        "Hosted schools share the issuer https://canvas.instructure.com, and self-hosted ones keep it.",
        "ltijs#44, #115, #133; canvas-lms#1935",
        "A registration is found by issuer and client id together; its configuration may come from a host of its own.",
    ),
    Quirk(
        "C13",
        "The login request may leave out the client id.",
        "django-lti LtiRegistration; hypothesis/lms views/lti/oidc.py",
        "Where one registration has the issuer it is that one; where several have it, the launch is refused with words "
        "that say what is missing, and nobody is guessed.",
    ),
    Quirk(
        "C14",
        "Each course or account has a deployment of its own; a copied course comes with a new one, and first launches "
        "come at the same time.",
        "pylti1.3#2; Unicon#28",
        "Deployments are recorded as they come, once each, or wait for an owner's yes; a copy is recognised over them.",
    ),
    Quirk(
        "C15",
        "The audience of a token request is the token URL, though some tools send the issuer.",
        "PrairieLearn ee/lib/lti13.ts",
        "The audience is the token URL unless the registration says otherwise.",
    ),
    Quirk(
        "C16",
        "The test student cannot be graded, nor can people whose identity is kept private: 422.",
        "canvas-lms#1659; PrairieLearn lti13.ts",
        "Test users are known as such and nothing is owed for them; a refusal about a person is told in its own words.",
    ),
    Quirk(
        "C17",
        "Scores are refused while the course or the assignment is unpublished, which no launch tells.",
        "canvas-lms#1964; PrairieLearn#11292",
        "The grade waits, is tried again by itself, and a teacher reads that the assignment has to be published.",
    ),
    Quirk(
        "C18",
        "The line item of a chosen link may be ignored, and a 1.1 content item's maximum is.",
        "canvas-lms#1749; webwork2#2425",
        "What was asked for is not relied on: the column is the one that the launch names, else one found or made.",
    ),
    Quirk(
        "C19",
        "Custom parameters of a 1.1 content item are dropped.",
        "canvas-lms#1025",
        "The address carries them too, for Canvas.",
    ),
    Quirk(
        "C20",
        "Query parameters of a launch address are lost behind some proxies.",
        "hypothesis/lms#5807",
        "Parameters are read from the message and from the address; an assignment's own address needs neither.",
    ),
    Quirk(
        "C21",
        "launch_presentation says iframe also in a window of its own.",
        "tsugi-php UI/Output.php",
        harmless="Nothing is decided by it: pages are the same in a frame and in a window, and find out by themselves.",
    ),
    Quirk(
        "C22",
        "An empty value in a query breaks its redirect URI.",
        "celtic-project/LTI-PHP Tool.php",
        "Empty parameters are left out of addresses, and the redirect URI is one fixed address without a query.",
    ),
    Quirk(
        "C23",
        "A 1.1 launch is signed as if the query parameters, which are in the address and in the form, were there once.",
        "hypothesis/lms services/launch_verifier.py",
        "The signature is tried by the rule first, then with the copies counted once; a query that the form does not "
        "hold is never ignored.",
    ),
    Quirk(
        "C24",
        "Importing a cartridge adds a second, unconfigured tool unless an installed one has the same URL.",
        "canvas-lms#1087, #297",
        "A cartridge's links have the addresses of the tool as it was set up, and the export page says what to do.",
    ),
    Quirk(
        "C25",
        "A link in a cartridge that the organization does not mention is discarded.",
        "tsugi-php Util/CC.php",
        "Every link stands in its module.",
    ),
    Quirk(
        "C26",
        "Dynamic registration offers the scope openid and refuses whoever asks for it, as 422 with a list of errors.",
        "canvas-lms#2398, #2396; ltijs#239",
        "Only services' scopes are asked for, and a refusal is shown in the platform's words.",
    ),
    Quirk(
        "C27",
        "The registration page runs in a frame.",
        "code.org#58336",
        "The link opens in a frame and leads to a tab, where an owner signs in; the frame is told when it is over.",
    ),
    Quirk(
        "C28",
        "Privacy and placements are registered under names of Canvas's own.",
        "RunestoneInteractive/rs; ltiauthenticator",
        "They are sent to Canvas, and to nobody else.",
    ),
    Quirk(
        "C29",
        "Outcome requests with a nonce that was seen before are refused.",
        "canvas-lms#1635; webwork2#1464",
        "Every request has a nonce of its own, repeated tries too.",
    ),
    Quirk(
        "C30",
        "Requests are limited, those for tokens too: 403 with words about a rate limit, or 429.",
        "numbas#345; canvasapi#704",
        "One token serves all workers until it ends; a limit slows the platform's deliveries, and Retry-After is kept.",
    ),
    Quirk(
        "C31",
        "A roster asked for a link may fail with words about an unexpected tool.",
        "hypothesis/lms services/roster.py",
        "A roster that fails changes nobody: what was known stays.",
    ),
    Quirk(
        "C32",
        "The student is mailed on each score, also on the same one again.",
        "webwork2#1028, #1177",
        "A grade that the LMS holds already is not sent again.",
    ),
    Quirk(
        "C33",
        "A rounded fraction is shown as 0.99 of 3.",
        "webwork2#2422, #2785",
        "By AGS real points and maximum are sent, from exact decimals.",
    ),
    Quirk(
        "C34",
        "A total of 0 that is never sent shows as not attempted.",
        "numbas#197",
        "A grade of nothing is a grade: 0 is sent like any other.",
    ),
    Quirk(
        "C35",
        "An assistant comes as Instructor and with a sub-role; students may be Instructors in the institution.",
        "PrairieLearn lti13.ts; Obojobo#289",
        "Only roles in the course count, and of a sub-role the part before it.",
    ),
    Quirk(
        "C36",
        "Nothing shows that a link is a copy but Context.id.history, which the tool has to ask for.",
        "hypothesis/lms#5352",
        "Our configurations and registrations ask for the histories.",
    ),
    Quirk(
        "C37",
        "An assignment that was copied keeps the old address.",
        "PrairieLearn#15648",
        "The LMS course decides: an address of the parent's assignment opens the copy's in the copied course.",
    ),
    Quirk(
        "C38",
        "SpeedGrader opens some submissions of 1.3 assignments by a 1.1 launch.",
        "canvas-lms#2192",
        harmless="Canvas is handed no launch address as a submission; with a key, both versions open every address.",
    ),
    Quirk(
        "C39",
        "The sign-in may be refused with login_required when Canvas's own cookie is blocked.",
        "canvas-lms#1900",
        "The page says to sign in to the LMS and open the link again, with a code and a reference.",
    ),
    Quirk(
        "C40",
        "login_hint looks like a user id and is none.",
        "webwork2 LTIAdvantage.pm",
        harmless="It is echoed and forgotten; a person is whom the verified token names.",
    ),
    Quirk(
        "C41",
        "lti_storage_target may name a sibling frame, post_message_forwarding, or _parent.",
        "oxctl#24, #45",
        "The named frame is asked, and the parent where there is none.",
    ),
    Quirk(
        "C42",
        "scoringUserId is ignored.",
        "pylti1.3#154",
        harmless="It is never sent.",
    ),
    Quirk(
        "C43",
        "A notice comes once and is not repeated; it may lack the origin of a copy, and has no person.",
        "Canvas's documentation of platform notifications",
        "Notices are hints: taken once by their id, answered at once, and nothing depends on their coming.",
    ),
    Quirk(
        "C44",
        "The scope for notices is often missing from a school's key.",
        "Terracotta",
        "Subscribing is tried beside launches, never in them; a refusal is a matter of the log.",
    ),
    Quirk(
        "C45",
        "A deployment id is <tool>:<hash of the context>.",
        "Terracotta",
        harmless="It is opaque text here, compared as a whole.",
    ),
    Quirk(
        "C46",
        "Schools enter a domain where an address is wanted.",
        "webwork2#2535",
        "The form says that an address begins with https:// and keeps what was typed.",
    ),
    Quirk(
        "C47",
        "In Student View there is no line item: making one fails with 404.",
        "ltijs#71",
        "Nothing is owed for a test user, so no column is looked for.",
    ),
    Quirk(
        "C48",
        "Observers come as Mentor, often without the name of whom they observe.",
        "hypothesis/lms models/lti_role.py shows the trap",
        "A mentor reads only, and where learners are filtered and nobody is named, sees nobody.",
    ),
)
