"""The short form over real HTTP: the operator registers a Blackboard once, an owner enters a deployment ID."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from lxml import html

from tests.end_to_end.plain_browser import PlainBrowser
from tests.end_to_end.servers import OWNER, PASSWORD, Stand

pytestmark = pytest.mark.slow


@contextmanager
def sign_in(stand: Stand) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=stand.courseway.url, follow_redirects=True, trust_env=False, timeout=30) as client:
        fields = read_fields(client.get("/account/login/").text, "contains(@action, 'login')")
        client.post("/account/login/", data={**fields, "login": OWNER, "password": PASSWORD})
        yield client


def read_fields(page: str, form: str) -> dict[str, str]:
    fields = html.fromstring(page).xpath(f"//form[{form}]")[0].xpath(".//input[@name]")
    return {str(one.get("name")): one.get("value") or "" for one in fields}


def share_tool(stand: Stand, **values: Any) -> dict[str, Any]:
    """A tool of a Blackboard, and its registration by the operator."""
    client_id = f"client-{secrets.token_hex(4)}"
    urls = [word for one in ("auth", "token", "keyset") for word in (f"--{one}-url", stand.info[f"{one}_url"])]
    words = ("--issuer", stand.info["issuer"], "--client-id", client_id, "--name", "Blackboard")
    added = stand.courseway.run("platform", "add", "--shared", *words, *urls)
    ours = {one: added[one] for one in ("login_url", "keyset_url", "launch_url")}
    wanted = {"title": "Courseway", "redirect_urls": [added["redirect_url"]], "profile": "blackboard", **ours, **values}
    return dict(stand.lms.post("tools", version="1.3", client_id=client_id, **wanted))


def test_an_owner_enters_only_the_deployment_id(stand: Stand) -> None:
    """From one typed value to a grade in the gradebook: the page says what comes next, a teacher confirms nothing, an
    administrator does, and the page then shows the deployment as connected."""
    course = stand.import_example("release_grades_automatically=true")
    deployment = f"bb-{secrets.token_hex(4)}"
    tool = share_tool(stand, deployment_id=deployment)
    page = f"/o/{stand.org}/lti"
    with sign_in(stand) as owner:
        form = "contains(@action, '/lti/deployments')"
        fields = read_fields(owner.get(page).text, form)
        entered = owner.post(
            f"{page}/deployments",
            data={**fields, "deployment_id": deployment},
            headers={"Referer": stand.courseway.url},
        )
        assert entered.status_code == 200
        assert "let an administrator of the LMS open it once" in entered.text

    lms = stand.lms
    made = lms.post("courses", title="Python in a Blackboard", profile="blackboard")["id"]
    assignment = course["assignments"][0]
    link = lms.post("links", course=made, tool=tool["id"], title="First", url=assignment["url"], points=10)["id"]
    teacher = lms.add_person(made, "teacher", given_name="Tea", family_name="Cher")
    admin = lms.add_person(made, "teacher", given_name="Ad", family_name="Min", is_admin=True)
    student = lms.add_person(made, "learner", given_name="Stu", family_name="Dent")
    for person, code in ((teacher, "deployment_not_confirmed"), (student, "deployment_not_confirmed"), (admin, None)):
        with PlainBrowser(lms, person) as browser:
            assert browser.launch(link).marks.get("code") == code
    with PlainBrowser(lms, student) as browser:
        assert browser.launch(link).marks["launch"] == "ok"

    words = ("--assignment", assignment["id"], "--person", student, "--percent", "70", "--complete", "--release")
    stand.courseway.run("grade", "set", *words)
    stand.wait_for_percent(made, student, "First", Decimal(70))
    log = stand.courseway.run("launches", "--org", stand.org, "--limit", "4")
    assert [one["outcome"] for one in log] == ["ok", "ok", "refused", "refused"]
    with sign_in(stand) as owner:
        shown = html.fromstring(owner.get(page).text)
        assert deployment in shown.xpath("string(//section[@id='lti-1-3'])")
        assert not shown.xpath("//form[contains(@action, '/lti/deployments/')]")
