"""How roles are spelled: by version, and by the LMS that is imitated."""

from collections.abc import Sequence

from practice_lms.people import Person
from practice_lms.profiles import Profile

MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person"
SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
URN = "urn:lti:role:ims/lis/"
INSTITUTION_URN = "urn:lti:instrole:ims/lis/"

ROLES_11 = {
    "teacher": ("Instructor",),
    "assistant": (f"{URN}TeachingAssistant",),
    "learner": ("Learner",),
    "observer": (f"{URN}Mentor",),
    "": (),
}
ROLES_13 = {
    "teacher": (f"{INSTITUTION}#Faculty", f"{MEMBERSHIP}#Instructor"),
    "assistant": (f"{MEMBERSHIP}#Instructor", f"{MEMBERSHIP}/Instructor#TeachingAssistant"),
    "learner": (f"{INSTITUTION}#Student", f"{MEMBERSHIP}#Learner"),
    "observer": (f"{MEMBERSHIP}#Mentor",),
    "": (),
}
_LOCAL_11: dict[str, dict[str, tuple[str, ...]]] = {
    # A Moodle knows who may manage activities and who may not; a parent is no more than a learner to it.
    "moodle": {"assistant": ("Instructor",), "observer": ("Learner",)},
    "blackboard": {
        "teacher": (f"{URN}Instructor",),
        "learner": (f"{URN}Learner",),
    },
    "brightspace": {
        "teacher": (f"{INSTITUTION_URN}Faculty", "Faculty", f"{URN}Instructor", "Instructor"),
        "learner": (f"{INSTITUTION_URN}Student", "Student", f"{URN}Learner", "Learner"),
    },
    "sakai": {"assistant": ("Instructor", f"{URN}TeachingAssistant")},
}
_LOCAL_13: dict[str, dict[str, tuple[str, ...]]] = {
    "moodle": {"assistant": (f"{MEMBERSHIP}#Instructor",), "observer": (f"{MEMBERSHIP}#Learner",)},
    "schoology": {
        "teacher": (f"{MEMBERSHIP}#Instructor", f"{INSTITUTION}#Faculty"),
        "learner": (f"{MEMBERSHIP}#Learner", f"{INSTITUTION}#Student"),
    },
}
_CANVAS_13 = {
    "teacher": (f"{INSTITUTION}#Instructor", f"{MEMBERSHIP}#Instructor", f"{SYSTEM}#User"),
    "learner": (f"{INSTITUTION}#Student", f"{MEMBERSHIP}#Learner", f"{SYSTEM}#User"),
}
_EDX = {"teacher": "Instructor", "assistant": "Staff", "learner": "Student", "observer": "Observer", "": ""}


def list_roles_11(profile: Profile, person: Person, role: str) -> list[str]:
    """The roles of an LTI 1.1 launch; an empty role means that the launch is outside of a course."""
    roles = list(_LOCAL_11.get(profile.name, {}).get(role, ROLES_11[role]))
    if profile.has("C48") and role == "observer":
        roles = [f"{URN}Learner/NonCreditLearner", f"{URN}Mentor"]
    if not role:
        roles = [f"{INSTITUTION_URN}Staff" if person.is_admin else f"{INSTITUTION_URN}Member"]
    if person.is_admin:
        roles += [f"{INSTITUTION_URN}Administrator", "urn:lti:sysrole:ims/lis/SysAdmin"]
    if profile.has("O6"):
        roles = [_EDX[role] or "Student"]
    return _spell_oddly(roles) if profile.has("G1") else roles


def list_roles_13(profile: Profile, person: Person, role: str) -> list[str]:
    """The roles of an LTI 1.3 launch."""
    roles = list(_LOCAL_13.get(profile.name, {}).get(role, ROLES_13[role]))
    if profile.name == "canvas":
        roles = list(_CANVAS_13.get(role, roles))
    if profile.has("C35") and role == "assistant":
        institution = f"{INSTITUTION}#Instructor"
        roles = [institution, f"{MEMBERSHIP}#Instructor", f"{MEMBERSHIP}/Instructor#TeachingAssistant"]
    if profile.has("C48") and role == "observer":
        roles = [f"{INSTITUTION}#Observer", f"{MEMBERSHIP}/Learner#NonCreditLearner", f"{MEMBERSHIP}#Mentor"]
    if not role:
        roles = [] if person.is_admin else [f"{INSTITUTION}#Member"]
    if person.is_admin:
        roles += [f"{INSTITUTION}#Administrator", f"{SYSTEM}#SysAdmin"]
    if person.is_test:
        roles.append(TEST_USER)
    if profile.has("O6"):
        roles = [_EDX[role] or "Student"]
    return _spell_oddly(roles) if profile.has("G1") else roles


def list_extended_roles(person: Person, role: str) -> list[str]:
    """Canvas's `ext_roles`: context, institution and system roles in one list."""
    institution = {"teacher": "Instructor", "assistant": "Instructor", "learner": "Student", "observer": "Observer"}
    context = {
        "teacher": [f"{URN}Instructor"],
        "assistant": [f"{URN}TeachingAssistant"],
        "learner": [f"{URN}Learner"],
        "observer": [f"{URN}Learner/NonCreditLearner", f"{URN}Mentor"],
    }
    roles = [f"{INSTITUTION_URN}{institution[role]}"] if role else []
    admin = [f"{INSTITUTION_URN}Administrator"] if person.is_admin else []
    return [*admin, *roles, *context.get(role, []), "urn:lti:sysrole:ims/lis/User"]


def _spell_oddly(roles: Sequence[str]) -> list[str]:
    """The same roles with a blank before each, and the short ones in capitals (G1)."""
    return [f" {role.upper() if ':' not in role else role}" for role in roles]
