"""Blackboard Learn by Anthology."""

from ltikit.lms_quirks.entry import Quirk

QUIRKS = (
    Quirk(
        "B1",
        "A result asked for one person comes without its comment.",
        "hypothesis/lms services/lti_grading/_v13.py",
        harmless="Comments of the LMS are never read back; only scores are compared.",
    ),
    Quirk(
        "B2",
        "Line breaks vanish from comments.",
        "hypothesis/lms product/blackboard",
        "Comments to Blackboard have <br/> for a line break.",
    ),
    Quirk(
        "B3",
        "A score for somebody who left is refused with 400, 'User could not be found'.",
        "hypothesis/lms services/lti_grading/_v13.py",
        "It is told apart by its words: this person cannot be graded there.",
    ),
    Quirk(
        "B4",
        "A copied link names its history in resource_link_id_history (1.1) or custom_ResourceLink.id.history (1.3).",
        "hypothesis/lms#2262, #5380",
        "All spellings are read, and the whole chain is walked, newest first.",
    ),
    Quirk(
        "B5",
        "In the roster of a link, a member's message is an object and not a list.",
        "celtic-project/LTI-PHP Service/Membership.php",
        "Both are read.",
    ),
    Quirk(
        "B6",
        "The login request comes by GET.",
        "celtic-project/LTI-PHP#59",
        "GET and POST begin a launch alike.",
    ),
    Quirk(
        "B7",
        "A tool is registered once for all schools; the deployment id tells which one it is.",
        "oli-torus#1979; numbas documentation",
        "Deployments are known one by one; of a registration by Blackboard only those count that somebody approved.",
    ),
    Quirk(
        "B8",
        "The issuer is https://blackboard.com; older set-ups have the developer host.",
        "numbas forms.py",
        harmless="The issuer is what the registration says, as text; an owner adds one for each that is in use.",
    ),
    Quirk(
        "B9",
        "Adding LTI 1.3 takes over the 1.1 links without the migration claim; people keep their ids.",
        "hypothesis/lms#3691; numbas upgrade guide",
        "An owner says that both platforms are one LMS, and people, links and grades come over by equal ids.",
    ),
    Quirk(
        "B10",
        "What the platform's storage can do has to be asked of the parent, not of the target frame.",
        "celtic-project/LTI-PHP 22f2e24",
        "The parent is asked first.",
    ),
    Quirk(
        "B11",
        "A chosen link without a line item can never be graded.",
        "hypothesis/lms#5973",
        "Every assignment with points comes with its line item.",
    ),
    Quirk(
        "B12",
        "Outcome requests fail at times as HTTP 200.",
        "hypothesis product-backlog#1305",
        "The answer's own word decides, not its status, and passing failures are tried again.",
    ),
    Quirk(
        "B13",
        "The sourcedid of a person at a link changes: the old one is refused as incorrect, and previews have none.",
        "hypothesis/lms services/lti_grading/_v11.py",
        "The newest one counts, and a launch without one leaves the known one.",
    ),
    Quirk(
        "B14",
        "User names may begin with cuid:.",
        "numbas documentation",
        harmless="User names identify nobody here; they are shown only where an owner chose them as the LTI ID.",
    ),
    Quirk(
        "B15",
        "Results and rosters come in pages.",
        "hypothesis/lms services/lti_grading/_v13.py",
        "The Link header is followed, as it is written, on the same host.",
    ),
)
