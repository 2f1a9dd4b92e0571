"""Who is in a course: NRPS with pages, differences and groups, and the three membership services of LTI 1.1."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree

import httpx2
import pytest
from oauthlib.oauth1 import Client

from tests.practice_lms.running import KeysetServer, PracticeLms, Tool11, Tool13
from tests.practice_lms.tool_side import launch_11, launch_13

ROSTER = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
LIS = "application/vnd.ims.lis.v2.membershipcontainer+json"
GROUPS = "application/vnd.ims.lti-gs.v1.contextgroupcontainer+json"
SCOPES = (
    "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
    "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly",
)
NRPS_CLAIM = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
GROUPS_CLAIM = "https://purl.imsglobal.org/spec/lti-gs/claim/groupsservice"


@pytest.fixture
def reader(lms: PracticeLms, keyset: KeysetServer) -> Tool13:
    """A tool by LTI 1.3 that may read people and groups."""
    return Tool13(lms, keyset, options={"shares_roster": True, "shares_groups": True})


def read(lms: PracticeLms, url: str, tool: Tool13, accept: str = ROSTER) -> httpx2.Response:
    path = url.removeprefix(lms.public_url).removeprefix(lms.url)
    answer = lms.http.get(path, headers={"Accept": accept, **tool.get_token(*SCOPES)})
    assert answer.status_code == 200, answer.text
    return answer


def test_differences(lms: PracticeLms, course: str, student: str, reader: Tool13) -> None:
    """The last page names where changes are listed: who came, who changed, and who is gone, as deleted."""
    claims = launch_13(lms, student, link=reader.place_link(course)["id"])
    url = claims[NRPS_CLAIM]["context_memberships_url"]
    first = read(lms, f"{url}?limit=1", reader)
    assert first.headers["link"].endswith('rel="differences"')
    since = first.headers["link"].partition("<")[2].partition(">")[0]
    assert read(lms, since, reader).json()["members"] == []
    newcomer = lms.add_person(course)
    lms.post("people", id=student, course=course, leaves=True)
    changes = {one["user_id"]: one["status"] for one in read(lms, since, reader).json()["members"]}
    assert changes == {newcomer: "Active", student: "Deleted"}


def test_groups(lms: PracticeLms, course: str, student: str, reader: Tool13) -> None:
    """Launches name the groups service; members say their groups when asked, and sets have names."""
    lms.post("groups", course=course, name="Red", set="Teams", people=[student])
    claims = launch_13(lms, student, link=reader.place_link(course)["id"])
    service = claims[GROUPS_CLAIM]
    (group,) = read(lms, service["context_groups_url"], reader, GROUPS).json()["groups"]
    assert (group["name"], group["set_id"]) == ("Red", "set-teams")
    members = read(lms, claims[NRPS_CLAIM]["context_memberships_url"] + "?groups=true", reader).json()["members"]
    assert members[0]["group_enrollments"] == [{"group_id": group["id"]}]
    other = lms.add_person(course)
    path = service["context_groups_url"].removeprefix(lms.public_url).removeprefix(lms.url)
    mine = read(lms, f"{path}?user_id={other}", reader, GROUPS).json()["groups"]
    assert mine == []


def sign_get(tool: Tool11, url: str, **wish: str) -> dict[str, str]:
    client = Client(tool.key, client_secret=wish.get("secret", tool.secret))
    _, headers, _ = client.sign(url, "GET", headers={})
    return {str(name): str(value) for name, value in headers.items()}


def test_signed_memberships(lms: PracticeLms, course: str, student: str) -> None:
    """By LTI 1.1 one address lists members in two ways, by what is accepted, for a request that is signed well."""
    tool = Tool11(lms, options={"shares_roster": True})
    fields = launch_11(lms, student, link=tool.place_link(course)["id"])
    url = fields["custom_context_memberships_v2_url"]
    path = url.removeprefix(lms.public_url).removeprefix(lms.url)
    new = lms.http.get(path, headers={"Accept": ROSTER, **sign_get(tool, url)}).json()
    assert [one["user_id"] for one in new["members"]] == [student]
    older = lms.http.get(path, headers={"Accept": LIS, **sign_get(tool, url)}).json()
    (membership,) = older["pageOf"]["membershipSubject"]["membership"]
    assert (membership["member"]["userId"], membership["status"]) == (student, "liss:Active")
    refused = lms.http.get(path, headers={"Accept": ROSTER, **sign_get(tool, url, secret="wrong")})
    assert refused.status_code == 401
    private = Tool11(lms)
    assert lms.http.get(path, headers={"Accept": ROSTER, **sign_get(private, url)}).status_code == 403


def test_the_oldest_service(lms: PracticeLms, course: str, student: str) -> None:
    """A signed form with the id of the launch is answered by XML; another tool's id, or a changed one, by a failure."""
    tool = Tool11(lms, options={"shares_roster": True})
    fields = launch_11(lms, student, link=tool.place_link(course)["id"])
    url = fields["ext_ims_lis_memberships_url"]

    def ask(signer: Tool11, roster_id: str) -> ElementTree.Element:
        form = {
            "lti_message_type": "basic-lis-readmembershipsforcontext",
            "id": roster_id,
            "note": secrets.token_hex(2),
        }
        client = Client(signer.key, client_secret=signer.secret, signature_type="BODY")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        _, _, body = client.sign(url, "POST", body=urlencode(form), headers=headers)
        answer = lms.http.post("/lti/memberships", data=dict(parse_qsl(str(body))), headers=headers)
        assert answer.status_code == 200
        return ElementTree.fromstring(answer.content)

    good = ask(tool, fields["ext_ims_lis_memberships_id"])
    assert good.findtext("statusinfo/codemajor") == "Success"
    assert [one.findtext("user_id") for one in good.iter("member")] == [student]
    for signer, roster_id in ((Tool11(lms), fields["ext_ims_lis_memberships_id"]), (tool, "x" + course)):
        assert ask(signer, roster_id).findtext("statusinfo/codemajor") == "Failure"


def test_an_administrator_changes_a_course(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """On the page of courses people are taken out, columns doubled and removed, groups made and links given a date."""
    link = tool13.place_link(course)
    page = lms.http.get("/admin/courses")
    token = lms.http.cookies["practice_csrf"]
    assert page.status_code == 200

    def act(act: str, **values: str) -> None:
        form = {"csrfmiddlewaretoken": token, "act": act, **values}
        assert lms.http.post("/admin/courses", data=form).status_code == 302

    column = link["line_item"]["id"]
    act("double_column", column=column)
    assert len(lms.get("gradebook", course=course)["columns"]) == 2
    act("remove_column", column=column)
    assert [one["label"] for one in lms.get("gradebook", course=course)["columns"]] == ["Quiz (2)"]
    act("due", link=link["id"], due_at="2026-12-01T23:59:00+01:00")
    assert lms.get("links", course=course)[0]["due_at"] == "2026-12-01T23:59:00+01:00"
    act("group", course=course, name="Red", people=student)
    (group,) = lms.get("groups", course=course)
    assert group["people"] == [student]
    act("ungroup", group=group["id"])
    act("take_out", course=course, person=student)
    assert lms.get("people", course=course) == []
    bad = lms.http.post(
        "/admin/courses", data={"csrfmiddlewaretoken": token, "act": "due", "link": link["id"], "due_at": "soon"}
    )
    assert bad.status_code == 400
