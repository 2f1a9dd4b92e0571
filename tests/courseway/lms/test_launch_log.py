"""The launch log: found by the reference on the page of a refusal, explained step by step."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils.html import escape

from courseway.lms.launch_log import hint_of, list_launches, list_steps
from courseway.lms.models import Launch
from courseway.lms.rule_words import say_rule
from courseway.orgs.models import Organization
from tests.cast import Cast
from tests.visits import make_lms11, make_lms13, post_form


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def refuse(cast: Cast) -> str:
    """A launch with a wrong secret; returns the reference that its page shows."""
    lms = make_lms11(cast.acme)
    response = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", signing={"secret": "wrong"})
    reference = re.search(r'data-reference="([^"]+)"', response.content.decode())
    assert reference is not None
    return reference.group(1)


def test_refusal_is_found_by_its_reference(cast: Cast, owner: Client) -> None:
    """The reference leads to one row, and from there to the step, the code and what to do."""
    reference = refuse(cast)
    make_lms11(cast.acme).launch(Client(), f"/lti/a/{cast.operators.public_id}")
    listed = owner.get("/o/acme/launches", {"q": reference.upper()}).content.decode()
    assert listed.count("/o/acme/launches/") == 1
    page = owner.get(f"/o/acme/launches/{reference}").content.decode()
    launch = Launch.objects.get(reference=reference)
    assert launch.code in page
    assert hint_of(launch.code)[:40] in page
    assert 'class="line-refused"' in page


def test_launch_of_another_organization_is_not_found(cast: Cast) -> None:
    """A reference of another organization is 404, and its launches are in no list of ours."""
    reference = refuse(cast)
    client = Client()
    client.force_login(cast.oscar)
    assert client.get(f"/o/umbrella/launches/{reference}").status_code == 404
    assert client.get(f"/o/acme/launches/{reference}").status_code == 403
    assert reference not in client.get("/o/umbrella/launches").content.decode()


def test_accepted_launch_names_its_rule(cast: Cast, owner: Client) -> None:
    """An accepted launch shows who came, what was opened and why that."""
    assert make_lms13(cast.acme).launch(Client(), cast.operators).status_code == 303
    launch = Launch.objects.get(outcome="ok")
    page = owner.get(f"/o/acme/launches/{launch.reference}").content.decode()
    for words in ("Sally Learner", "Operators", escape(say_rule(launch.rule)), "course-1"):
        assert words in page
    assert {step.state for step in list_steps(launch)} == {"ok"}


@pytest.mark.parametrize("text", ["sally", "COURSE-1", "introduction", "python", "moodle"])
def test_search(cast: Cast, text: str) -> None:
    """Launches are found by person, LMS course, its title, course and LMS, whatever the case."""
    make_lms11(cast.acme).launch(Client(), f"/lti/a/{cast.operators.public_id}")
    assert list_launches(cast.acme, text=text).count() == 1
    assert list_launches(cast.acme, text="nothing like it").count() == 0


def test_filter_and_order(cast: Cast, owner: Client) -> None:
    """The newest stands first; a filter shows one outcome alone."""
    refuse(cast)
    make_lms11(cast.acme).launch(Client(), f"/lti/a/{cast.operators.public_id}")
    outcomes = list(list_launches(cast.acme).values_list("outcome", flat=True))
    assert outcomes == ["ok", "refused"]
    assert list(list_launches(cast.acme, outcome="refused").values_list("outcome", flat=True)) == ["refused"]
    page = owner.get("/o/acme/launches", {"outcome": "refused"}).content.decode()
    assert page.count('data-state="refused"') == 1
    assert 'data-state="ok"' not in page


def test_steps_stop_where_the_launch_stopped() -> None:
    """What came before the failed step is done, what comes after was not reached."""
    launch = Launch(outcome="refused", version="1.1", step="target")
    assert [step.state for step in list_steps(launch)] == ["ok", "ok", "ok", "refused", "not_started", "not_started"]


def test_every_code_has_a_hint(db: None) -> None:
    """Codes of ltikit and of our own refusals are explained; one that is forgotten is no error."""
    for code in ("bad_signature", "unknown_target", "lti_disabled", "unknown_deployment"):
        assert hint_of(code)
    assert hint_of("of_long_ago") == ""


def test_list_is_paged(cast: Cast, owner: Client) -> None:
    """A long log comes in pages that keep the search."""
    organization = Organization.objects.get(slug="acme")
    Launch.objects.bulk_create(Launch(organization=organization, outcome="refused", code="replay") for _ in range(60))
    first = owner.get("/o/acme/launches", {"q": "replay"}).content.decode()
    assert "1–50 of 60" in first
    assert "q=replay&amp;page=2" in first
    assert owner.get("/o/acme/launches", {"q": "replay", "page": "2"}).content.decode().count("/o/acme/launches/") == 10


@pytest.mark.parametrize("query", ["q=%00", "page=nothing", "outcome=%27", "q=" + "x" * 5000])
def test_odd_queries_are_no_errors(cast: Cast, owner: Client, query: str) -> None:
    """Whatever is typed into the address gives a page."""
    assert owner.get(f"/o/acme/launches?{query}").status_code == 200


def sent_of(page: str) -> str:
    return page.split('id="sent"')[1]


def test_what_the_lms_sent_is_shown_without_the_person(cast: Cast, owner: Client) -> None:
    """Parameters and claims stand on the page of the launch by name; values about people and secrets are masked."""
    old, new = make_lms11(cast.acme), make_lms13(cast.acme)
    assert old.launch(Client(), f"/lti/a/{cast.operators.public_id}", custom_page="finish").status_code == 303
    assert new.launch(Client(), cast.operators).status_code == 303
    first, second = Launch.objects.order_by("pk")
    for launch, told in ((first, ("custom_page", "finish", "Learner")), (second, ("deployment_id", "client-1"))):
        sent = sent_of(owner.get(f"/o/acme/launches/{launch.reference}").content.decode())
        for words in (*told, "Introduction to programming", "••••"):
            assert words in sent
        for private in ("Sally", "sally@lms.example", "user-1", "oauth_signature</code></th><td>b"):
            assert private not in sent + launch.message
        assert "Nobody proved" not in sent


def test_a_message_that_says_the_same_is_kept_once(cast: Cast, owner: Client) -> None:
    """A returning person's launch leads to the one that was kept, and shows it."""
    lms = make_lms11(cast.acme)
    for _ in range(3):
        assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}").status_code == 303
    first, _second, third = Launch.objects.order_by("pk")
    assert [bool(one.message) for one in Launch.objects.order_by("pk")] == [True, False, False]
    sent = sent_of(owner.get(f"/o/acme/launches/{third.reference}").content.decode())
    assert f"/o/acme/launches/{first.reference}" in sent
    assert "Introduction to programming" in sent


def test_what_a_refused_launch_sent(cast: Cast, owner: Client) -> None:
    """With a wrong signature the message is shown too, and it is said that nobody proved where it comes from."""
    sent = sent_of(owner.get(f"/o/acme/launches/{refuse(cast)}").content.decode())
    assert "Nobody proved that this comes from the LMS" in sent
    assert "resource_link_id" in sent
    assert "sally@lms.example" not in sent
    lms13 = make_lms13(cast.acme)
    asked = lms13.begin(client := Client())
    token = lms13.token(lms13.claims(cast.operators, "another nonce"))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
    assert response.status_code >= 400
    launch = Launch.objects.order_by("pk").last()
    assert launch is not None
    sent = sent_of(owner.get(f"/o/acme/launches/{launch.reference}").content.decode())
    assert "Introduction to programming" in sent
    assert "sally@lms.example" not in sent


def test_a_message_without_end_is_not_kept(cast: Cast, owner: Client) -> None:
    """A form of thousands of parameters does not fill the launch log, and its page says that nothing was kept."""
    lms = make_lms11(cast.acme)
    endless = {f"custom_{n}": "x" * 40 for n in range(900)}
    assert lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", **endless).status_code in (303, 400, 413)
    launch = Launch.objects.get()
    assert len(launch.message) <= 20_000
    assert owner.get(f"/o/acme/launches/{launch.reference}").status_code == 200
