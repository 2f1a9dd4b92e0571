"""Profiles of other LMSs: where they are chosen, their quirks on and off, and what their launches say."""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from oauthlib.oauth1 import SignatureOnlyEndpoint

from tests.practice_lms.running import SOURCE, KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.test_launch_11 import _Secrets, is_signed_right
from tests.practice_lms.tool_side import CLAIM, ENDPOINT, finish_login, launch, launch_11, launch_13

NAMES = ("practice", "canvas", "moodle", "blackboard", "brightspace", "schoology", "sakai")
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
URN = "urn:lti:role:ims/lis/"


def test_every_quirk_has_its_place_in_the_code(lms: PracticeLms) -> None:
    """Each quirk that can be switched is asked for by its number somewhere in the code, and belongs to a profile."""
    code = "".join(path.read_text() for path in (SOURCE / "practice_lms").glob("*.py") if path.name != "quirks.py")
    asked = set(re.findall(r'has\(\s*"([A-Z]\d+)"', code)) | {"C11", "M5"}
    profiles = {one["name"]: one["quirks"] for one in lms.get("profiles")["profiles"]}
    assert tuple(profiles) == NAMES
    known = {number: one for quirks in profiles.values() for number, one in quirks.items()}
    assert {number for number, one in known.items() if not one["is_fixed"]} == asked


def test_nearest_profile_counts(lms: PracticeLms, course: str, student: str, quirks: Any) -> None:
    """A tool's profile counts before its course's, that before the installation's; taking it back uncovers the next."""
    tool = Tool11(lms)
    link = tool.place_link(course)["id"]

    def read_family() -> str:
        return launch_11(lms, student, link=link)["tool_consumer_info_product_family_code"]

    assert read_family() == "practice_lms"
    lms.post("profiles", use="sakai")
    assert read_family() == "sakai"
    lms.post("profiles", use="moodle", course=course)
    assert read_family() == "moodle"
    lms.post("profiles", use="canvas", tool=tool.id)
    assert read_family() == "canvas"
    lms.post("profiles", use="", tool=tool.id)
    assert read_family() == "moodle"
    for wrong in (
        {"use": "edx"},
        {"use": "canvas", "course": "no-such"},
        {"profile": "moodle", "quirks": {"C3": True}},
    ):
        assert lms.http.post("/api/profiles", json=wrong).status_code in (400, 404)


@pytest.mark.parametrize("profile", NAMES)
@pytest.mark.parametrize("url", ["https://tool.example/a", "https://tool.example/a?b=1&b=2&c=%C3%A4+x"])
def test_every_profile_signs(lms: PracticeLms, course: str, student: str, profile: str, url: str) -> None:
    """An LTI 1.1 launch of each profile verifies; a Canvas counts the query of the URL once (C23)."""
    tool = Tool11(lms, profile=profile)
    begun = lms.post("launch", person=student, link=tool.place_link(course, url=url)["id"])
    assert begun["url"] == url
    if profile != "canvas" or "?" not in url:
        assert is_signed_right(tool, begun)
        return
    assert not is_signed_right(tool, begun), "by the rule, query and form together, it does not verify"
    assert dict(begun["fields"])["c"] == "ä x"
    endpoint = SignatureOnlyEndpoint(_Secrets(tool))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert endpoint.validate_request(
        url.partition("?")[0], "POST", urlencode([(name, value) for name, value in begun["fields"]]), headers
    )[0]
    compliant = Tool11(lms, profile=profile, options={"oauth_compliant": True})
    assert is_signed_right(
        compliant, lms.post("launch", person=student, link=compliant.place_link(course, url=url)["id"])
    )


@pytest.mark.parametrize("profile", NAMES)
def test_every_profile_logs_in(lms: PracticeLms, course: str, student: str, keyset: KeysetServer, profile: str) -> None:
    """An LTI 1.3 launch of each profile ends in a complete id_token."""
    tool = Tool13(lms, keyset, profile=profile)
    claims = launch_13(lms, student, link=tool.place_link(course)["id"])
    assert claims["aud"] == ([tool.client_id] if profile == "schoology" else tool.client_id)
    assert claims["iss"] == lms.url
    assert claims[f"{CLAIM}message_type"] == "LtiResourceLinkRequest"
    assert claims[f"{CLAIM}resource_link"]["id"]
    family = claims[f"{CLAIM}tool_platform"]["product_family_code"]
    assert family == {"practice": "practice_lms", "blackboard": "BlackboardLearn", "brightspace": "desire2learn"}.get(
        profile, profile
    )


SOURCEDIDS = {"offering": "$CourseOffering.sourcedId", "section": "$CourseSection.sourcedId"}


@pytest.mark.parametrize(
    ("profile", "fields", "variables"),
    [
        ("practice", {"offering": "sis:GEO", "section": ""}, {"offering": "sis:GEO", "section": ""}),
        ("canvas", {"offering": "sis:GEO"}, {"offering": "sis:GEO", "section": SOURCEDIDS["section"]}),
        ("moodle", {"section": "sis:GEO"}, {"offering": SOURCEDIDS["offering"], "section": "sis:GEO"}),
        ("blackboard", {"offering": "sis:GEO", "section": ""}, {"offering": "sis:GEO", "section": ""}),
        ("schoology", {}, SOURCEDIDS),
    ],
)
def test_sis_ids_stand_where_the_profile_puts_them(
    lms: PracticeLms, course: str, student: str, profile: str, fields: dict[str, str], variables: dict[str, str]
) -> None:
    """The course's SIS id comes as that of the offering or the section, by itself and by variable, or not at all."""
    tool = Tool11(lms, profile=profile, custom=SOURCEDIDS)
    sent = launch_11(lms, student, link=tool.place_link(course)["id"])
    own = {
        name: sent[f"lis_course_{name}_sourcedid"]
        for name in ("offering", "section")
        if f"lis_course_{name}_sourcedid" in sent
    }
    assert own == fields
    assert {name: sent[f"custom_{name}"] for name in SOURCEDIDS} == variables


def test_canvas_without_sis_id(lms: PracticeLms, student: str, keyset: KeysetServer, quirks: Any) -> None:
    """A Canvas sends the variable's name for a SIS id that is not there, and leaves it out in LTI 1.1 (C4)."""
    course = lms.post("courses", title="No SIS")["id"]
    person = lms.add_person(course)
    custom = {"a": "$CourseOffering.sourcedId"}
    old, new = Tool11(lms, profile="canvas", custom=custom), Tool13(lms, keyset, profile="canvas", custom=custom)
    sent = launch_11(lms, person, link=old.place_link(course)["id"])
    assert "lis_course_offering_sourcedid" not in sent
    assert sent["custom_a"] == "$CourseOffering.sourcedId"
    link = new.place_link(course)["id"]
    claims = launch_13(lms, person, link=link)
    assert claims[f"{CLAIM}lis"]["course_offering_sourcedid"] == "$CourseOffering.sourcedId"
    quirks("canvas", C4=False)
    assert launch_13(lms, person, link=link)[f"{CLAIM}lis"]["course_offering_sourcedid"] == ""


def test_canvas_ids_are_numbers_in_one_version(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, quirks: Any
) -> None:
    """$Canvas ids are numbers in LTI 1.3 and text in LTI 1.1 (C3); nobody else knows them (C4)."""
    custom = {"canvas_course_id": "$Canvas.course.id", "canvas_user_id": "$Canvas.user.id"}
    old, new = Tool11(lms, profile="canvas", custom=custom), Tool13(lms, keyset, profile="canvas", custom=custom)
    link = new.place_link(course)["id"]
    assert launch(lms, new, student, link=link)["canvas_course_id"] == int(course)
    assert launch(lms, old, student, link=old.place_link(course)["id"])["canvas_course_id"] == course
    quirks("canvas", C3=False)
    assert launch(lms, new, student, link=link)["canvas_user_id"] == student
    other = Tool13(lms, keyset, profile="sakai", custom=custom)
    assert launch(lms, other, student, link=other.place_link(course)["id"])["canvas_course_id"] == "$Canvas.course.id"


@pytest.mark.parametrize(
    ("profile", "names_11", "names_13"),
    [
        ("practice", {"page_nr"}, {"page_nr", "Page-Nr"}),
        ("canvas", {"page_nr"}, {"Page-Nr"}),
        ("moodle", {"page_nr"}, {"page_nr", "Page-Nr"}),
        ("sakai", {"page_nr", "Page-Nr"}, {"Page-Nr"}),
    ],
)
def test_names_of_custom_parameters(
    lms: PracticeLms,
    course: str,
    student: str,
    keyset: KeysetServer,
    profile: str,
    names_11: set[str],
    names_13: set[str],
) -> None:
    """Custom names are mangled, kept, or sent both ways, as each LMS does; a link's value goes over its tool's."""
    custom = {"Page-Nr": "1", "only": "tool"}
    old, new = Tool11(lms, profile=profile, custom=custom), Tool13(lms, keyset, profile=profile, custom=custom)
    for tool, names in ((old, names_11), (new, names_13)):
        link = tool.place_link(course, custom={"Page-Nr": "2"})["id"]
        sent = launch(lms, tool, student, link=link)
        assert {name for name in sent if name.lower().startswith("page")} == names
        assert {sent[name] for name in names} == {"2"}
        assert sent["only"] == "tool"


def test_canvas_does_not_double_a_prefix(lms: PracticeLms, course: str, student: str) -> None:
    """A name that begins with custom_ already gets no second one in a Canvas."""
    tool = Tool11(lms, profile="canvas", custom={"custom_codio_page": "x"})
    assert launch_11(lms, student, link=tool.place_link(course)["id"])["custom_codio_page"] == "x"


@pytest.mark.parametrize(
    ("profile", "roles_11", "role_13"),
    [
        ("practice", f"{URN}Mentor", f"{MEMBERSHIP}#Mentor"),
        ("canvas", f"{URN}Learner/NonCreditLearner,{URN}Mentor", f"{MEMBERSHIP}#Mentor"),
        ("moodle", "Learner", f"{MEMBERSHIP}#Learner"),
        ("sakai", f"{URN}Mentor", f"{MEMBERSHIP}#Mentor"),
    ],
)
def test_observers(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, profile: str, roles_11: str, role_13: str
) -> None:
    """An observer has the roles and the scope that the imitated LMS gives: a Canvas's two, a Moodle's none (C48)."""
    mentor = lms.add_person(course, "observer", mentor_for=[student])
    lonely = lms.add_person(course, "observer")
    old, new = Tool11(lms, profile=profile), Tool13(lms, keyset, profile=profile)
    old_link, new_link = old.place_link(course)["id"], new.place_link(course)["id"]
    sent, claims = launch_11(lms, mentor, link=old_link), launch_13(lms, mentor, link=new_link)
    assert sent["roles"] == roles_11
    assert role_13 in claims[f"{CLAIM}roles"]
    expected = None if profile == "moodle" else student
    assert sent.get("role_scope_mentor") == expected
    assert claims.get(f"{CLAIM}role_scope_mentor") == ([student] if expected else None)
    alone = launch_13(lms, lonely, link=new_link)
    assert (f"{CLAIM}role_scope_mentor" in alone) == (profile not in ("moodle", "canvas"))
    if profile == "canvas":
        assert f"{MEMBERSHIP}/Learner#NonCreditLearner" in claims[f"{CLAIM}roles"]
        assert "urn:lti:instrole:ims/lis/Observer" in sent["ext_roles"]


@pytest.mark.parametrize(
    ("privacy", "name", "email", "account"),
    [
        ("public", True, True, True),
        ("name_only", True, False, True),
        ("email_only", False, True, True),
        ("anonymous", False, False, False),
    ],
)
def test_privacy_of_a_tool(
    lms: PracticeLms,
    course: str,
    student: str,
    keyset: KeysetServer,
    privacy: str,
    name: bool,
    email: bool,
    account: bool,
) -> None:
    """A tool learns names, e-mail and account names only as its privacy setting says, by variable too; ids always."""
    custom = {"mail": "$Person.email.primary", "who": "$Person.name.full", "login": "$User.username"}
    values: dict[str, Any] = {"options": {"privacy": privacy}, "custom": custom}
    old, new = Tool11(lms, **values), Tool13(lms, keyset, **values)
    sent = launch_11(lms, student, link=old.place_link(course)["id"])
    claims = launch_13(lms, student, link=new.place_link(course)["id"])
    assert sent["user_id"] == claims["sub"] == student
    assert ("lis_person_name_full" in sent, "name" in claims) == (name, name)
    assert ("lis_person_contact_email_primary" in sent, "email" in claims) == (email, email)
    assert ("lis_person_sourcedid" in sent, "person_sourcedid" in claims[f"{CLAIM}lis"]) == (account, account)
    shown = claims[f"{CLAIM}custom"]
    assert [shown[one].startswith("$") for one in ("who", "mail", "login")] == [not name, not email, not account]
    text = str({**sent, **claims})
    assert ("zoe@practice.example" in text) == email
    assert ("O'Hara" in text) == name


def test_person_without_email(lms: PracticeLms, course: str, keyset: KeysetServer, quirks: Any) -> None:
    """Who has no e-mail address is launched without one; switched on, names and e-mail are there and empty (G3)."""
    person = lms.post("people", course=course, given_name="Noor")["id"]
    old, new = Tool11(lms), Tool13(lms, keyset)
    old_link, new_link = old.place_link(course)["id"], new.place_link(course)["id"]
    assert "lis_person_contact_email_primary" not in launch_11(lms, person, link=old_link)
    assert "email" not in launch_13(lms, person, link=new_link)
    quirks("practice", G3=True)
    assert launch_11(lms, person, link=old_link)["lis_person_name_full"] == ""
    claims = launch_13(lms, person, link=new_link)
    assert [claims[one] for one in ("name", "given_name", "family_name", "email")] == [None] * 4


def test_test_student_and_administrator(lms: PracticeLms, course: str, keyset: KeysetServer) -> None:
    """A test student is marked as one; an administrator opens links everywhere, without a course role."""
    tool = Tool13(lms, keyset, profile="canvas")
    link = tool.place_link(course)["id"]
    tester = lms.add_person(course, is_test=True)
    roles = launch_13(lms, tester, link=link)[f"{CLAIM}roles"]
    assert "http://purl.imsglobal.org/vocab/lti/system/person#TestUser" in roles
    assert f"{MEMBERSHIP}#Learner" in roles
    admin = lms.post("people", given_name="Root", is_admin=True)["id"]
    roles = launch_13(lms, admin, link=link)[f"{CLAIM}roles"]
    assert "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator" in roles
    assert not [one for one in roles if one.startswith(MEMBERSHIP)]


@pytest.mark.parametrize("version", ["1.1", "1.3"])
def test_placements_without_a_link(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, version: str
) -> None:
    """Course navigation launches with the course and the tool's address; an account launch has no course (G5)."""
    placements = {"course_navigation": "https://tool.example/nav", "account_navigation": ""}
    tool = Tool11(lms, placements=placements) if version == "1.1" else Tool13(lms, keyset, placements=placements)

    def read(**wish: Any) -> tuple[Any, Any, str]:
        begun = lms.post("launch", person=student, tool=tool.id, **wish)
        if version == "1.1":
            sent = dict(begun["fields"])
            return sent.get("context_id"), sent["resource_link_id"], begun["url"]
        claims = finish_login(lms, begun, student)
        context = claims.get(f"{CLAIM}context") or {}
        return context.get("id"), claims[f"{CLAIM}resource_link"]["id"], claims[f"{CLAIM}target_link_uri"]

    context, link, url = read(course=course, placement="course_navigation")
    assert (context, url) == (course, "https://tool.example/nav")
    assert link == read(course=course, placement="course_navigation")[1], "the same id each time"
    context, _, url = read(placement="account_navigation")
    assert (context, url) == (None, tool.record["launch_url"])
    for wrong in ({"placement": "course_navigation"}, {"placement": "editor_button", "course": course}, {}):
        answer = lms.http.post("/api/launch", json={"person": student, "tool": tool.id, **wrong})
        assert answer.status_code in (400, 404)


def test_smaller_quirks_of_launches(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer, quirks: Any
) -> None:
    """Login hint, document target, audience, guid and issuer change with C40, C21, G7, G6, C12 and B6."""
    tool = Tool13(lms, keyset, profile="canvas")
    link = tool.place_link(course)["id"]
    begun = lms.post("launch", person=student, link=link, **{"in": "tab"})
    assert dict(begun["fields"])["login_hint"] != student
    claims = finish_login(lms, begun, student)
    assert claims[f"{CLAIM}launch_presentation"]["document_target"] == "iframe"
    quirks("canvas", C12=True, C13=True, G7=True, G6=True)
    begun = lms.post("launch", person=student, link=link)
    assert dict(begun["fields"])["iss"] == "https://canvas.instructure.com"
    assert "client_id" not in dict(begun["fields"])
    claims = finish_login(lms, begun, student, tool.client_id)
    assert (claims["iss"], claims["aud"]) == ("https://canvas.instructure.com", [tool.client_id])
    assert "guid" not in claims[f"{CLAIM}tool_platform"]
    blackboard = Tool13(lms, keyset, profile="blackboard")
    assert lms.post("launch", person=student, link=blackboard.place_link(course)["id"])["method"] == "GET"


def test_link_may_wait_for_its_column(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """In a Brightspace points make no column (D7), and a launch names the list of columns alone (G41)."""
    tool = Tool13(lms, keyset, profile="brightspace")
    link = tool.place_link(course)
    assert link["line_item"] is None
    assert set(launch_13(lms, student, link=link["id"])[ENDPOINT]) == {"scope", "lineitems"}
    lms.post("links", id=link["id"], points=10)
    assert set(launch_13(lms, student, link=link["id"])[ENDPOINT]) == {"scope", "lineitems"}


def test_roles_and_names_of_an_open_edx(lms: PracticeLms, course: str, student: str, quirks: Any) -> None:
    """With O6 a student is just Student and a name has + for a blank; with G1 roles have odd blanks and capitals."""
    tool = Tool11(lms)
    link = tool.place_link(course)["id"]
    quirks("practice", O6=True)
    sent = launch_11(lms, student, link=link)
    assert sent["roles"] == "Student"
    assert sent["lis_person_name_full"].startswith("Zo%C3%AB+O%27Hara+")
    quirks("practice", O6=False, G1=True)
    assert launch_11(lms, student, link=link)["roles"] == " LEARNER"


def test_link_from_a_module(lms: PracticeLms, course: str, student: str) -> None:
    """ext_lti_assignment_id is empty when a Canvas link was opened from its module (C6)."""
    tool = Tool11(lms, profile="canvas")
    link = tool.place_link(course)["id"]
    assert launch_11(lms, student, link=link)["ext_lti_assignment_id"] == link
    assert launch_11(lms, student, link=link, placement="module")["ext_lti_assignment_id"] == ""


def test_speedgrader_opens_the_work_with_wrong_ids(
    lms: PracticeLms, course: str, student: str, keyset: KeysetServer
) -> None:
    """SpeedGrader opens the submission's address, its query encoded twice, with the course's id as link (C1, C2)."""
    tool = Tool13(lms, keyset, profile="canvas")
    link = tool.place_link(course)
    teacher, other = lms.add_person(course, "teacher"), lms.add_person(course)
    work = "https://tool.example/launch?url=https%3A%2F%2Ftool.example%2Fa&b=1"
    extension = {"submission_type": "basic_lti_launch", "submission_data": work}
    score = {"https://canvas.instructure.com/lti/submission": extension}
    assert tool.post_score(link["line_item"]["url"], tool.get_token(), userId=student, **score).status_code == 200
    wish = {"link": link["id"], "placement": "speedgrader", "for": student}
    claims = launch_13(lms, teacher, **wish)
    assert claims[f"{CLAIM}resource_link"]["id"] == course
    query = dict(parse_qsl(claims[f"{CLAIM}target_link_uri"].partition("?")[2]))
    assert query == {"url": "https%3A%2F%2Ftool.example%2Fa", "b": "1"}
    for person, status in ((other, 403), (teacher, 404)):
        body = {"person": person, **wish, **({"for": other} if person == teacher else {})}
        assert lms.http.post("/api/launch", json=body).status_code == status


def test_submission_review(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A review message names the person whose work it is, and goes to the address that the column asks for."""
    from tests.practice_lms.running import ITEM_TYPE

    link = tool13.place_link(course)
    review = {"reviewableStatus": ["Submitted"], "url": "https://tool.example/review"}
    document = {"label": "Quiz", "scoreMaximum": 25, "resourceLinkId": link["id"], "submissionReview": review}
    answer = lms.http.put(
        link["line_item"]["url"], json=document, headers={**tool13.get_token(), "Content-Type": ITEM_TYPE}
    )
    assert answer.json()["submissionReview"] == review
    teacher = lms.add_person(course, "teacher")
    wish = {"link": link["id"], "placement": "review", "for": student}
    claims = launch_13(lms, teacher, **wish)
    assert claims[f"{CLAIM}message_type"] == "LtiSubmissionReviewRequest"
    assert claims[f"{CLAIM}for_user"]["user_id"] == student
    assert claims[f"{CLAIM}target_link_uri"] == "https://tool.example/review"
    assert claims[ENDPOINT]["lineitem"] == link["line_item"]["url"]
    assert lms.http.post("/api/launch", json={"person": lms.add_person(course), **wish}).status_code == 403
