"""The LTI integrations page: owners connect an LMS; nobody else sees a key, a secret or a switch."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from lxml import etree

from courseway.courses.models import Role
from courseway.lms.integration_errors import IntegrationError
from courseway.lms.keys import create_consumer_key, reset_secret, reveal_secret, revoke_platform
from courseway.lms.models import ConsumerKey, Deployment, Platform
from courseway.secrets_box import SecretUnreadableError
from tests.cast import Cast
from tests.visits import Lms11, make_lms11, open_launch

PAGE = "/o/acme/lti"
SECRET = "s3cret-of-the-tests-0123456789"


@pytest.fixture
def key(cast: Cast) -> ConsumerKey:
    return create_consumer_key(cast.acme, name="Canvas", key="acme-canvas", secret=SECRET)[0]


@pytest.fixture
def owner(cast: Cast) -> Client:
    client = Client()
    client.force_login(cast.olive)
    return client


def address(key: ConsumerKey, act: str) -> str:
    kind = "keys" if act in ("secret", "reset") else "platforms"
    return f"{PAGE}/{kind}/{key.platform.public_id}/{act}"


@pytest.mark.parametrize("page", [PAGE, "/o/acme/launches", f"{PAGE}/registrations/new"])
def test_owners_alone(cast: Cast, key: ConsumerKey, page: str) -> None:
    """Owner 200; teacher, owner of another organization, every launch 403; nobody signs in first (A1)."""
    for account, status in {cast.olive: 200, cast.tom: 403, cast.oscar: 403}.items():
        client = Client()
        client.force_login(account)
        assert client.get(page).status_code == status, account
    assert Client().get(page)["Location"] == f"/account/login/?next={page}"
    people = {cast.tom_person: Role.TEACHER, cast.mia: Role.MENTOR, cast.sam: Role.STUDENT}
    for person, role in people.items():
        client = Client()
        prefix = open_launch(client, person, cast.course, role, cast.operators, covers_whole_course=True)
        assert client.get(prefix + page).status_code == 403, role


@pytest.mark.parametrize("act", ["secret", "reset", "revoke", "reinstate", "name"])
def test_acts_of_owners_alone(cast: Cast, key: ConsumerKey, act: str) -> None:
    """Nobody but an owner of the organization shows, resets, renames or revokes, not even by guessing the address."""
    for account in (cast.tom, cast.oscar):
        client = Client()
        client.force_login(account)
        response = client.post(address(key, act), {"name": "Mine"})
        assert response.status_code == 403
        assert SECRET not in response.content.decode()
    assert Client().post(address(key, act), {"name": "Mine"}).status_code == 302
    key.refresh_from_db()
    assert reveal_secret(key) == SECRET
    assert (key.platform.name, key.platform.revoked_at, key.platform.config_version) == ("Canvas", None, 1)


def test_an_owner_cannot_reach_into_another_organization(cast: Cast, key: ConsumerKey) -> None:
    """The own organization in the address does not open another one's key."""
    client = Client()
    client.force_login(cast.oscar)
    path = address(key, "secret").replace("/o/acme/", "/o/umbrella/")
    response = client.post(path)
    assert response.status_code == 404
    assert SECRET not in response.content.decode()


@pytest.mark.parametrize("act", ["secret", "reset", "revoke", "reinstate", "name"])
def test_acts_need_a_post(key: ConsumerKey, owner: Client, act: str) -> None:
    """An address that is typed or linked changes and shows nothing."""
    assert owner.get(address(key, act)).status_code == 405


def test_acts_need_the_token_of_the_page(cast: Cast, key: ConsumerKey) -> None:
    """A form on another site can neither reset nor show a secret."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.olive)
    for act in ("secret", "reset", "revoke"):
        assert client.post(address(key, act)).status_code == 403
    assert reveal_secret(ConsumerKey.objects.get()) == SECRET


def test_page_shows_what_an_lms_needs(key: ConsumerKey, owner: Client) -> None:
    """Both headings, and under the first the four values of a key, each in a field that copies (A2)."""
    page = owner.get(PAGE).content.decode()
    html = etree.HTML(page)
    headings = ["".join(heading.itertext()) for heading in html.iter("h2")]
    assert [heading for heading in headings if heading.startswith("LTI")] == ["LTI 1.0/1.1", "LTI 1.3"]
    card = html.find(f".//article[@id='{key.platform.public_id}']")
    labels = [label.text for label in card.iter("label")]
    assert labels[:4] == ["LTI Consumer", "LTI Secret", "LTI URL", "XML Configuration URL"]
    values = [field.get("value") for field in card.iter("input") if field.get("data-copy-value") is not None]
    assert values[0] == "acme-canvas"
    assert values[2:] == ["https://tool.example/lti/launch", "https://tool.example/lti/config.xml?key=acme-canvas"]
    assert len(card.findall(".//button[@data-copy-button]")) == 4


def test_page_shows_our_values_for_lti13(key: ConsumerKey, owner: Client) -> None:
    """Under LTI 1.3 stand our login, redirect, launch and keyset URLs and the public key (A3)."""
    page = owner.get(PAGE).content.decode()
    for path in ("login", "launch", "keys"):
        assert f'value="https://tool.example/lti/{path}"' in page
    assert "-----BEGIN PUBLIC KEY-----" in page
    assert "PRIVATE KEY" not in page


def test_empty_page_teaches(cast: Cast, owner: Client) -> None:
    """Without any key the page asks which LMS it is, and leads to the steps of each."""
    page = owner.get(PAGE).content.decode()
    assert "Connect your LMS" in page
    for key in ("canvas", "canvas-1.1", "moodle", "blackboard", "brightspace", "schoology"):
        assert f'href="{PAGE}/guides/{key}"' in page


def test_secret_is_masked_until_asked_for(key: ConsumerKey, owner: Client) -> None:
    """The page does not hold the secret; one POST shows it, once, and no cache keeps that."""
    assert SECRET not in owner.get(PAGE).content.decode()
    shown = owner.post(address(key, "secret"))
    assert SECRET in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert SECRET not in owner.get(PAGE).content.decode()


def test_copy_button_gets_the_secret_as_json(key: ConsumerKey, owner: Client) -> None:
    """The copy button takes the secret without showing it on the screen."""
    answer = owner.post(address(key, "secret"), headers={"Accept": "application/json"})
    assert answer.json() == {"secret": SECRET}
    assert "no-store" in answer["Cache-Control"]


def test_only_the_asked_secret_is_shown(cast: Cast, key: ConsumerKey, owner: Client) -> None:
    """With several keys, showing one leaves the others masked."""
    _other, other_secret = create_consumer_key(cast.acme, name="Moodle")
    page = owner.post(address(key, "secret")).content.decode()
    assert SECRET in page
    assert other_secret not in page


def test_key_is_added(cast: Cast, owner: Client) -> None:
    """A key needs a name alone; key and secret are made, unlike any other, and a deployment stands ready."""
    for name in ("Canvas", "Moodle"):
        assert owner.post(f"{PAGE}/keys", {"name": name}).status_code == 302
    first, second = ConsumerKey.objects.select_related("platform").order_by("pk")
    assert {first.platform.name, second.platform.name} == {"Canvas", "Moodle"}
    assert first.key != second.key
    assert reveal_secret(first) != reveal_secret(second)
    assert len(reveal_secret(first)) >= 32
    assert Deployment.objects.filter(platform=first.platform, deployment_id="").exists()


def test_key_of_another_tool_is_taken_over(cast: Cast, owner: Client) -> None:
    """A key and secret that the LMS has already are kept as they are."""
    owner.post(f"{PAGE}/keys", {"name": "Sakai", "key": "old-key", "secret": "old-secret"})
    assert reveal_secret(ConsumerKey.objects.get(key="old-key")) == "old-secret"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"name": "", "key": "typed-key", "secret": "typed-secret"}, "This field is required"),
        ({"name": "Typed name", "key": "taken", "secret": "typed-secret"}, "in use already"),
        ({"name": "Typed name", "key": "with blank", "secret": "typed-secret"}, "no blanks"),
    ],
)
def test_refused_key_keeps_what_was_typed(cast: Cast, owner: Client, data: dict[str, str], words: str) -> None:
    """A key that cannot be stored says why; every typed value, the secret too, is still in the form."""
    create_consumer_key(cast.umbrella, name="Other", key="taken")
    response = owner.post(f"{PAGE}/keys", data)
    page = response.content.decode()
    assert response.status_code == 400
    assert words in page
    for value in filter(None, data.values()):
        assert f'value="{value}"' in page
    assert not Platform.objects.filter(organization=cast.acme).exists()


def test_reset_asks_naming_the_consequence(key: ConsumerKey, owner: Client) -> None:
    """The question names the key and what stops."""
    page = owner.get(PAGE).content.decode()
    assert "Reset the secret of Canvas? Launches and grades signed with the old one stop at once" in page


def test_after_a_reset_the_old_secret_is_refused(cast: Cast, owner: Client) -> None:
    """The old secret stops and the new one works, for the very next launch (A2)."""
    lms = make_lms11(cast.acme)
    path = f"/lti/a/{cast.operators.public_id}"
    assert lms.launch(Client(), path).status_code == 303
    consumer_key = ConsumerKey.objects.get(key=lms.key)
    owner.post(address(consumer_key, "reset"))
    refused = lms.launch(Client(), path)
    assert 400 <= refused.status_code < 500
    consumer_key.refresh_from_db()
    renewed = Lms11(lms.key, reveal_secret(consumer_key), lms.platform)
    assert renewed.secret != lms.secret
    assert renewed.launch(Client(), path).status_code == 303


def test_a_revoked_key_is_refused_until_it_is_taken_back(cast: Cast, owner: Client) -> None:
    """Revoking stops launches at once; 'Use again' brings back the same key with its people."""
    lms = make_lms11(cast.acme)
    path = f"/lti/a/{cast.operators.public_id}"
    assert lms.launch(Client(), path).status_code == 303
    consumer_key = ConsumerKey.objects.get(key=lms.key)
    owner.post(address(consumer_key, "revoke"))
    assert 400 <= lms.launch(Client(), path).status_code < 500
    page = owner.get(PAGE).content.decode()
    assert "1 revoked" in page
    owner.post(address(consumer_key, "reinstate"))
    assert lms.launch(Client(), path).status_code == 303


def test_rename(key: ConsumerKey, owner: Client) -> None:
    """A key is renamed; an empty name changes nothing and says so."""
    owner.post(address(key, "name"), {"name": "Canvas of law"})
    refused = owner.post(address(key, "name"), {"name": " "}, follow=True)
    assert "Nothing was changed" in refused.content.decode()
    key.platform.refresh_from_db()
    assert key.platform.name == "Canvas of law"


def test_every_change_raises_the_version(key: ConsumerKey) -> None:
    """A cached copy of a platform can be seen to be stale after each change."""
    versions = [key.platform.config_version]
    reset_secret(key)
    versions.append(Platform.objects.get().config_version)
    revoke_platform(key.platform)
    versions.append(Platform.objects.get().config_version)
    assert versions == [1, 2, 3]


def test_database_holds_no_clear_secret(cast: Cast, key: ConsumerKey) -> None:
    """No column of any table holds a secret in clear, before or after a reset (A2)."""
    secrets = [SECRET, reset_secret(key)]
    rows = list(chain.from_iterable(_raw_rows()))
    assert any("acme-canvas" in repr(row) for row in rows), "the search must be able to find something"
    for secret in secrets:
        assert not any(secret in repr(row) for row in rows)


@pytest.mark.django_db(transaction=True)
def test_database_file_holds_no_clear_secret(tmp_path: Path) -> None:
    """The SQLite file itself, byte by byte, holds no secret (A2)."""
    if connection.vendor != "sqlite":
        pytest.skip("there is no database file to search: PostgreSQL is in use")
    from courseway.orgs.models import Organization

    organization = Organization.objects.create(slug="acme", name="Acme")
    create_consumer_key(organization, key="acme-canvas", secret=SECRET)
    copy = tmp_path / "copy.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    content = copy.read_bytes()
    assert b"acme-canvas" in content
    assert SECRET.encode() not in content


def test_a_secret_opens_only_in_its_own_row(cast: Cast, key: ConsumerKey) -> None:
    """A ciphertext that is moved to another key does not open there."""
    other, _secret = create_consumer_key(cast.umbrella)
    other.secret_encrypted = key.secret_encrypted
    with pytest.raises(SecretUnreadableError):
        reveal_secret(other)


def test_a_key_is_unique_in_the_installation(cast: Cast, key: ConsumerKey) -> None:
    """Two organizations cannot hold the same LTI Consumer; nothing half-made stays behind."""
    with pytest.raises(IntegrationError, match="in use already"):
        create_consumer_key(cast.umbrella, key="acme-canvas")
    assert not Platform.objects.filter(organization=cast.umbrella).exists()


def test_xml_configuration(db: None, client: Client) -> None:
    """The XML names the launch URL, once plain and once as secure, and is the same for known and unknown keys."""
    response = client.get("/lti/config.xml", {"key": "acme-canvas"})
    assert response["Content-Type"] == "application/xml"
    root = etree.fromstring(response.content)
    blti = "{http://www.imsglobal.org/xsd/imsbasiclti_v1p0}"
    assert root.tag == "{http://www.imsglobal.org/xsd/imslticc_v1p0}cartridge_basiclti_link"
    assert root.findtext(f"{blti}launch_url") == "https://tool.example/lti/launch"
    assert root.findtext(f"{blti}secure_launch_url") == "https://tool.example/lti/launch"
    assert client.get("/lti/config.xml").content == response.content


def _raw_rows() -> list[list[tuple[object, ...]]]:
    tables = [model._meta.db_table for model in apps.get_models(include_auto_created=True)]
    with connection.cursor() as cursor:
        found = []
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}"')
            found.append(cursor.fetchall())
    return found
