"""Guides: an LMS is connected step by step, with real values, and what is done is ticked (K4)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.test import Client
from lxml import etree

from courseway.courses.models import Role
from courseway.grades.models import Delivery
from courseway.lms.guide_parts import Who
from courseway.lms.guide_text import write_guide
from courseway.lms.keys import create_consumer_key
from courseway.lms.lms_guides import LMS_GUIDES
from courseway.lms.models import ConsumerKey
from tests.cast import Cast
from tests.end_to_end.recipes import RECIPES, Recipe
from tests.visits import make_lms11, open_launch

GUIDES = "/o/acme/lti/guides"
SECRET = "s3cret-of-the-tests-0123456789"
DOCUMENTS = Path(__file__).parents[3] / "docs" / "guides"
KEYS = [guide.key for guide in LMS_GUIDES]


@pytest.fixture
def key(cast: Cast) -> ConsumerKey:
    return create_consumer_key(cast.acme, name="Canvas of the law school", key="acme-canvas", secret=SECRET)[0]


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def read(client: Client, path: str) -> str:
    return " ".join("".join(etree.HTML(client.get(path).content.decode()).itertext()).split())


def list_values(client: Client, path: str) -> dict[str, str]:
    """The fields to copy, by their labels."""
    html = etree.HTML(client.get(path).content.decode())
    found = {}
    for field in html.iter("input", "textarea"):
        if field.get("data-copy-value") is not None:
            (label,) = html.xpath(f"//label[@for='{field.get('id')}']")
            found[label.text] = field.text if field.tag == "textarea" else field.get("value")
    return found


@pytest.mark.parametrize("lms", KEYS)
def test_owners_and_teachers_read_guides(cast: Cast, key: ConsumerKey, lms: str) -> None:
    """An owner sees everything, a teacher no key; outsiders and launches nothing of the organization's guide."""
    for account, status in {cast.olive: 200, cast.tom: 200, cast.oscar: 403}.items():
        client = Client()
        client.force_login(account)
        for end in ("", "/progress"):
            assert client.get(f"{GUIDES}/{lms}{end}").status_code == status, (account, end)
        if account == cast.tom:
            page = client.get(f"{GUIDES}/{lms}?platform={key.platform.public_id}").content.decode()
            assert "acme-canvas" not in page
    assert Client().get(f"{GUIDES}/{lms}")["Location"].startswith("/account/login/")
    client = Client()
    prefix = open_launch(client, cast.tom_person, cast.course, Role.TEACHER, cast.operators, covers_whole_course=True)
    assert client.get(f"{prefix}{GUIDES}/{lms}").status_code == 403


@pytest.mark.parametrize("lms", KEYS)
def test_a_launched_teacher_reads_the_guide_of_the_course(cast: Cast, key: ConsumerKey, lms: str) -> None:
    """Teachers find the steps from the course's own page, without key or secret; students and mentors do not."""
    path = f"/courses/{cast.course.public_id}/lti/guides/{lms}"
    for person, role, status in (
        (cast.tom_person, Role.TEACHER, 200),
        (cast.mia, Role.MENTOR, 403),
        (cast.sam, Role.STUDENT, 403),
    ):
        client = Client()
        prefix = open_launch(client, person, cast.course, role, cast.operators, covers_whole_course=True)
        for end in ("", "/progress"):
            assert client.get(prefix + path + end).status_code == status
        page = client.get(f"{prefix}{path}?platform={key.platform.public_id}").content.decode()
        assert "acme-canvas" not in page
        assert "keys/" not in page


def test_canvas_by_lti_11(cast: Cast, key: ConsumerKey, owner: Client) -> None:
    """The original's order: a test course, + App by URL, key and secret by their Canvas names, Course LMS URL, then an
    assignment with points, External Tool, Find or the integration URL, in a new tab, saved and published."""
    values = list_values(owner, f"{GUIDES}/canvas-1.1")
    assert values["Consumer Key"] == "acme-canvas"
    assert values["Config URL"] == "https://tool.example/lti/config.xml?key=acme-canvas"
    page = read(owner, f"{GUIDES}/canvas-1.1")
    order = [
        *("test course", "+ App", "By URL", "Consumer Key", "Shared Secret", "Course LMS URL", "points"),
        *("External Tool", "Find", "LTI integration URL", "Load This Tool In A New Tab", "Save & Publish"),
    ]
    places = [page.index(words) for words in order]
    assert places == sorted(places)
    assert SECRET not in page
    for who in (Who.ADMINISTRATOR, Who.OWNER, Who.TEACHER):
        assert str(who.words) in page


def test_canvas_by_lti_13_gives_the_addresses_of_this_installation(cast: Cast, owner: Client) -> None:
    """The JSON URL and the redirect URI are those of PUBLIC_URL."""
    assert list_values(owner, f"{GUIDES}/canvas") == {
        "Redirect URIs": "https://tool.example/lti/launch",
        "JSON URL": "https://tool.example/lti/canvas.json",
    }


def test_every_value_of_every_guide_is_there(cast: Cast, key: ConsumerKey, owner: Client) -> None:
    """With a key chosen no field of any guide stays empty, and the secret is never among them."""
    for guide in LMS_GUIDES:
        wanted = [label for step in guide.steps for given, label in step.values]
        values = list_values(owner, f"{GUIDES}/{guide.key}?platform={key.platform.public_id}")
        assert len(values) == len(wanted)
        assert all(values.values())
        assert SECRET not in str(values)


def test_making_a_key_comes_back_to_the_guide(cast: Cast, owner: Client) -> None:
    """The button of the first step makes a key with the LMS's name, and the guide then shows its values."""
    assert "Add a key" in read(owner, f"{GUIDES}/schoology")
    answer = owner.post("/o/acme/lti/keys", {"name": "Schoology", "guide": "schoology"})
    made = ConsumerKey.objects.get()
    assert answer["Location"] == f"{GUIDES}/schoology?platform={made.platform.public_id}"
    assert list_values(owner, answer["Location"])["Consumer Key"] == made.key


def test_a_key_of_another_lms_is_not_taken_for_this_one(cast: Cast, key: ConsumerKey, owner: Client) -> None:
    """The guide to Sakai does not show Canvas's key as if it were made for it, but lets it be chosen."""
    assert "acme-canvas" not in list_values(owner, f"{GUIDES}/sakai").values()
    assert "Canvas of the law school" in read(owner, f"{GUIDES}/sakai")
    assert "acme-canvas" in list_values(owner, f"{GUIDES}/canvas-1.1").values()


def ticks(client: Client, path: str) -> list[bool]:
    html = etree.HTML(client.get(path).content.decode())
    return ["state-good" in item.find(".//span").get("class") for item in html.xpath("//section[@id='progress']//li")]


def test_the_checklist_ticks_itself(client: Client, cast: Cast, owner: Client) -> None:
    """Key, course, first launch and first grade are ticked as they happen; until then the page looks again."""
    cast.course.lti_enabled = False
    cast.course.save()
    path = f"{GUIDES}/canvas-1.1"
    assert ticks(owner, path) == [False, False, False, False]
    lms = make_lms11(cast.acme)
    path += f"?platform={lms.platform.public_id}"
    assert ticks(owner, path) == [True, False, False, False]
    link = f"/lti/a/{cast.operators.public_id}"
    assert lms.launch(client, link).status_code >= 400
    assert ticks(owner, path) == [True, False, False, False]
    assert "it was refused: " in read(owner, path)
    cast.course.lti_enabled = True
    cast.course.save()
    assert lms.launch(client, link).status_code == 303
    assert ticks(owner, path) == [True, True, True, False]
    assert 'hx-trigger="every 3s"' in owner.get(path).content.decode()
    arrival = lms.platform.arrivals.get()
    Delivery.objects.create(
        organization=cast.acme, platform=lms.platform, person=arrival.person, resource_link=arrival.resource_link,
        assignment=cast.operators, wanted_maximum=10, sent_at=arrival.arrived_at,
    )  # fmt: skip
    assert ticks(owner, path) == [True, True, True, True]
    assert "hx-trigger" not in owner.get(path).content.decode()


def test_both_lti_pages_lead_to_the_guides(cast: Cast, owner: Client) -> None:
    """From LTI integrations each LMS is one click away, from the course's tab the guide for its teacher."""
    page = owner.get("/o/acme/lti").content.decode()
    assert all(f'href="{GUIDES}/{lms}"' in page for lms in KEYS)
    tab = owner.get(f"/courses/{cast.course.public_id}/lti/").content.decode()
    assert f'href="/courses/{cast.course.public_id}/lti/guides/' in tab


def test_a_course_with_constant_urls_gives_its_custom_parameter(cast: Cast, owner: Client) -> None:
    """What has to be typed into Schoology stands in the guide of the course."""
    cast.course.constant_urls = True
    cast.course.save()
    values = list_values(owner, f"/courses/{cast.course.public_id}/lti/guides/schoology")
    assert f"course_target_id={cast.course.public_id}" in values.values()


@pytest.mark.parametrize("recipe", [one for one in RECIPES if one.version == "1.3"], ids=lambda one: one.name)
def test_what_a_new_term_needs_is_told(owner: Client, cast: Cast, recipe: Recipe) -> None:
    """Each guide says what to do when its course is copied; what the roll-over of a term sets up by hand, its guide
    gives to copy, or the configuration that it names brings along."""
    guide = next((one for one in LMS_GUIDES if (one.key, one.version) == (recipe.profile, recipe.version)), None)
    if guide is None:
        pytest.skip("the guide to this LMS is for LTI 1.1")
    page, values = read(owner, f"{GUIDES}/{guide.key}"), list_values(owner, f"{GUIDES}/{guide.key}")
    assert "For a new term" in page
    assert "Enable LTI course copy" in page
    wanted = {f"{name}={value}" for name, value in recipe.custom.items()}
    given = {line for value in values.values() for line in value.splitlines()}
    if "JSON URL" in values:
        brought = json.loads(owner.get("/lti/canvas.json").content)["custom_fields"]
        given |= {f"{name}={value}" for name, value in brought.items()}
    assert wanted <= given


def test_an_unknown_guide_is_not_there(cast: Cast, owner: Client) -> None:
    """An address that was guessed gets 404, no error."""
    assert owner.get(f"{GUIDES}/nowhere").status_code == 404


def test_documents_are_the_same_words() -> None:
    """docs/guides holds each guide as the product shows it; `make guides` writes them anew."""
    assert {path.stem for path in DOCUMENTS.glob("*.md")} == set(KEYS)
    for guide in LMS_GUIDES:
        assert (DOCUMENTS / f"{guide.key}.md").read_text(encoding="utf-8") == write_guide(guide), guide.key
