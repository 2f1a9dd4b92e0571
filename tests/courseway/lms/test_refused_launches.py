"""Every bad launch is refused with a 4xx page, a code, a reference and a row in the log - and leaves nothing else."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from joserfc.jwk import RSAKey

from courseway.courses.models import Assignment
from courseway.lms import platforms
from courseway.lms.keys import reset_secret, revoke_platform
from courseway.lms.models import Deployment, Launch
from tests.cast import Cast
from tests.visits import CLAIM, Lms11, Lms13, make_lms11, make_lms13, post_form


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


COUNTING = " UNION ALL ".join(
    f"SELECT '{model._meta.label}', count(*) FROM {model._meta.db_table}"
    for model in apps.get_models()
    if model is not Launch and model.__module__.startswith("courseway.")
)


def count_rows() -> dict[str, int]:
    """All rows of all our tables but the launch log, counted by one statement."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTING)
        return dict(cursor.fetchall())


def expect_refusal(response: Any, before: dict[str, int], *codes: str) -> Launch:
    """A page a person can read, with code and reference; the reference is in the log; nothing else was stored."""
    html = response.content.decode()
    assert 400 <= response.status_code < 500, response.status_code
    assert 'data-launch="refused"' in html
    code = html.partition('data-code="')[2].partition('"')[0]
    reference = html.partition('data-reference="')[2].partition('"')[0]
    assert code in codes, (code, html)
    row = Launch.objects.get(reference=reference)
    assert (row.outcome, row.code) == ("refused", code)
    assert row.step
    assert "Traceback" not in html
    assert count_rows() == before
    return row


BAD_11: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "wrong secret": ({}, {"secret": "wrong"}, ("bad_signature",)),
    "unknown key": ({}, {"key": "nobody"}, ("unknown_platform",)),
    "stale timestamp": ({}, {"timestamp": str(int(time.time()) - 3600)}, ("expired",)),
    "future timestamp": ({}, {"timestamp": str(int(time.time()) + 3600)}, ("expired",)),
    "plain text signature": ({}, {"method": "PLAINTEXT"}, ("unsupported_algorithm",)),
    "no link": ({"resource_link_id": None}, {}, ("missing_resource_link",)),
    "no person": ({"user_id": None}, {}, ("missing_user",)),
    "wrong version": ({"lti_version": "LTI-2p0"}, {}, ("unsupported_version",)),
    "no version": ({"lti_version": None}, {}, ("missing_parameter", "unsupported_version")),
    "wrong message": ({"lti_message_type": "nonsense"}, {}, ("unsupported_message",)),
    "no message": ({"lti_message_type": None}, {}, ("missing_parameter", "unsupported_message")),
    "content item": ({"lti_message_type": "ContentItemSelectionRequest"}, {}, ("not_offered", "missing_parameter")),
}


@pytest.mark.parametrize("case", BAD_11)
def test_bad_lti_11_launches(client: Client, cast: Cast, lms11: Lms11, case: str) -> None:
    """Each LTI 1.1 launch that breaks one rule is refused by the name of that rule."""
    changes, signing, codes = BAD_11[case]
    before = count_rows()
    response = lms11.launch(client, f"/lti/a/{cast.operators.public_id}", signing=signing, **changes)
    row = expect_refusal(response, before, *codes)
    assert row.organization == cast.acme


def test_a_replayed_lti_11_launch(client: Client, cast: Cast, lms11: Lms11) -> None:
    """The same signed form opens once; the second time it is refused, also with a new timestamp and the old nonce."""
    path = f"/lti/a/{cast.operators.public_id}"
    url = "https://tool.example" + path
    form = lms11.sign(url, lms11.form(), nonce="used-twice")
    assert post_form(client, path, form).status_code == 303
    before = count_rows()
    expect_refusal(post_form(client, path, form), before, "replayed")
    again = lms11.sign(url, lms11.form(), nonce="used-twice", timestamp=str(int(time.time()) + 1))
    expect_refusal(post_form(client, path, again), before, "replayed")


def test_a_changed_lti_11_field(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A form whose role was changed after signing is refused."""
    path = f"/lti/a/{cast.operators.public_id}"
    form = lms11.sign("https://tool.example" + path, lms11.form())
    changed = [(name, "Instructor" if name == "roles" else value) for name, value in form]
    expect_refusal(post_form(client, path, changed), count_rows(), "bad_signature")


def test_a_form_signed_for_another_address(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A launch of one assignment cannot be replayed at another one's address."""
    form = lms11.sign(f"https://tool.example/lti/a/{cast.loops.public_id}", lms11.form())
    response = post_form(client, f"/lti/a/{cast.operators.public_id}", form)
    expect_refusal(response, count_rows(), "bad_signature")


def test_the_old_secret_is_refused_at_once(client: Client, cast: Cast, lms11: Lms11) -> None:
    """After a reset the old secret is refused though it is still in memory, and the new one works."""
    path = f"/lti/a/{cast.operators.public_id}"
    assert lms11.launch(client, path).status_code == 303
    secret = reset_secret(lms11.platform.consumer_key)
    before = count_rows()
    expect_refusal(lms11.launch(client, path), before, "bad_signature")
    expect_refusal(lms11.launch(client, path, user_id="somebody-new"), before, "bad_signature")
    assert lms11.launch(client, path, signing={"secret": secret}).status_code == 303


def test_a_revoked_key_is_refused_at_once(client: Client, cast: Cast, lms11: Lms11, lms13: Lms13) -> None:
    """Launches of a revoked platform are refused although this process still remembers it."""
    path = f"/lti/a/{cast.operators.public_id}"
    assert lms11.launch(client, path).status_code == 303
    assert lms13.launch(client, cast.operators).status_code == 303
    asked = lms13.begin(client)
    revoke_platform(lms11.platform)
    revoke_platform(lms13.platform)
    before = count_rows()
    expect_refusal(lms11.launch(client, path), before, "unknown_platform")
    token = lms13.token(lms13.claims(cast.operators, asked["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
    expect_refusal(response, before, "unknown_platform")


def test_another_organizations_assignment(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A platform opens only its own organization's assignments, and cannot even learn that others exist."""
    before = count_rows()
    foreign = lms11.launch(client, f"/lti/a/{cast.foreign_assignment.public_id}")
    expect_refusal(foreign, before, "unknown_target")
    expect_refusal(lms11.launch(client, "/lti/a/bcdfghjkmnpqrstvwxz2"), before, "unknown_target")


def _disable_lti(cast: Cast) -> None:
    cast.course.lti_enabled = False
    cast.course.save()


def _archive(cast: Cast) -> None:
    from django.utils import timezone

    cast.course.archived_at = timezone.now()
    cast.course.save()


def _delete(cast: Cast) -> None:
    from django.utils import timezone

    cast.operators.deleted_at = timezone.now()
    cast.operators.save()


def _unpublish_course(cast: Cast) -> None:
    cast.course.published = False
    cast.course.save()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (_disable_lti, "lti_disabled"),
        (_archive, "course_archived"),
        (_delete, "deleted_target"),
        (_unpublish_course, "not_published"),
    ],
)
def test_targets_that_cannot_be_opened(
    client: Client, cast: Cast, lms11: Lms11, change: Callable[[Cast], None], code: str
) -> None:
    """Disabled, archived, deleted, unpublished: each has its own answer (B10), also for people who were in before."""
    path = f"/lti/a/{cast.operators.public_id}"
    assert lms11.launch(client, path, user_id="known").status_code == 303
    change(cast)
    before = count_rows()
    expect_refusal(lms11.launch(client, path, user_id="known"), before, code)
    expect_refusal(lms11.launch(client, path, user_id="new"), before, code)


def test_the_way_back_carries_the_reason(client: Client, cast: Cast, lms11: Lms11) -> None:
    """A correctly signed launch gets a link back with lti_errormsg and no redirect; a forged one gets no link."""
    path = f"/lti/a/{cast.operators.public_id}"
    _disable_lti(cast)
    signed = lms11.launch(client, path).content.decode()
    assert "https://lms.example/course/1?tab=2&amp;lti_errormsg=" in signed
    no_link = lms11.launch(client, path, resource_link_id=None).content.decode()
    assert "lti_errormsg=" in no_link
    forged = lms11.launch(client, path, signing={"secret": "wrong"}).content.decode()
    assert "lms.example" not in forged


BAD_CLAIMS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "wrong audience": ({"aud": "somebody-else"}, ("wrong_audience",)),
    "audience list without us": ({"aud": ["a", "b"]}, ("wrong_audience",)),
    "foreign authorized party": ({"aud": ["client-1", "b"], "azp": "b"}, ("wrong_audience",)),
    "wrong issuer": ({"iss": "https://other.example"}, ("wrong_issuer",)),
    "old": ({"iat": 11111, "exp": 22222}, ("expired",)),
    "of the future": ({"iat": int(time.time()) + 9999, "exp": int(time.time()) + 19999}, ("expired",)),
    "no expiry": ({"exp": None}, ("expired", "missing_parameter")),
    "dates as text": ({"exp": "tomorrow"}, ("expired", "malformed_message")),
    "wrong nonce": ({"nonce": "another"}, ("wrong_nonce",)),
    "no nonce": ({"nonce": None}, ("wrong_nonce",)),
    "wrong version": ({CLAIM + "version": "11.3"}, ("unsupported_version",)),
    "no version": ({CLAIM + "version": None}, ("missing_parameter", "unsupported_version")),
    "no message type": ({CLAIM + "message_type": None}, ("missing_parameter", "unsupported_message")),
    "unknown message type": ({CLAIM + "message_type": "LtiEulaRequest"}, ("unsupported_message",)),
    "no roles": ({CLAIM + "roles": None}, ("missing_parameter",)),
    "no deployment": ({CLAIM + "deployment_id": None}, ("missing_parameter",)),
    "no link": ({CLAIM + "resource_link": None}, ("missing_resource_link",)),
    "link without id": ({CLAIM + "resource_link": {"title": "x"}}, ("missing_resource_link",)),
    "no person": ({"sub": None}, ("missing_parameter", "missing_user")),
    "foreign target": ({CLAIM + "target_link_uri": "https://evil.example/lti/launch"}, ("foreign_target",)),
    "target that is no launch address": (
        {CLAIM + "target_link_uri": "https://tool.example/o/acme"},
        ("foreign_target",),
    ),
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_bad_lti_13_claims(client: Client, cast: Cast, lms13: Lms13, case: str) -> None:
    """Each correctly signed id_token that breaks one rule is refused by the name of that rule."""
    changes, codes = BAD_CLAIMS[case]
    before = count_rows()
    row = expect_refusal(lms13.launch(client, cast.operators, **changes), before, *codes)
    assert row.organization == cast.acme


def _sign_with_stranger(lms: Lms13, claims: dict[str, Any]) -> str:
    stranger = RSAKey.generate_key(2048, auto_kid=True)
    return lms.token(claims, key=stranger, kid=lms.key.kid)


def _unsigned(lms: Lms13, claims: dict[str, Any]) -> str:
    _, body, _ = lms.token(claims).split(".")
    return f"{_base64(json.dumps({'alg': 'none', 'kid': lms.key.kid}).encode())}.{body}."


def _hmac_with_public_key(lms: Lms13, claims: dict[str, Any]) -> str:
    public = lms.key.as_pem(private=False)
    header = _base64(json.dumps({"alg": "HS256", "kid": lms.key.kid}).encode())
    signed = f"{header}.{_base64(json.dumps(claims).encode())}"
    return f"{signed}.{_base64(hmac.digest(public, signed.encode(), 'sha256'))}"


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


BAD_TOKENS: dict[str, tuple[Callable[[Lms13, dict[str, Any]], str], tuple[str, ...]]] = {
    "no kid": (lambda lms, claims: lms.token(claims, kid=None), ("missing_parameter",)),
    "unknown kid": (lambda lms, claims: lms.token(claims, kid="imstester_1"), ("unknown_key",)),
    "a stranger's key": (_sign_with_stranger, ("bad_signature",)),
    "alg none": (_unsigned, ("unsupported_algorithm", "malformed_message")),
    "HS256 with the public key": (_hmac_with_public_key, ("unsupported_algorithm",)),
    "two parts": (lambda lms, claims: lms.token(claims).rpartition(".")[0], ("malformed_message",)),
    "not a token": (lambda lms, claims: "hello", ("malformed_message",)),
    "changed payload": (
        lambda lms, claims: lms.token(claims).replace(".", ".A", 1),
        ("bad_signature", "malformed_message"),
    ),
}


@pytest.mark.parametrize("case", BAD_TOKENS)
def test_bad_lti_13_tokens(client: Client, cast: Cast, lms13: Lms13, case: str) -> None:
    """Tricks with keys and algorithms are refused before any claim is believed."""
    make, codes = BAD_TOKENS[case]
    asked = lms13.begin(client)
    before = count_rows()
    token = make(lms13, lms13.claims(cast.operators, asked["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
    expect_refusal(response, before, *codes)


def test_the_key_of_another_registration(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A token signed by another registration's key is refused, though that key is known here."""
    other = make_lms13(cast.umbrella, client_id="client-2")
    asked = lms13.begin(client)
    before = count_rows()
    token = lms13.token(lms13.claims(cast.operators, asked["nonce"]), key=other.key)
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", asked["state"])])
    expect_refusal(response, before, "unknown_key", "bad_signature")


def test_the_state_of_another_platform(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A token of one platform with the state of a sign-in to another one is refused."""
    other = make_lms13(cast.umbrella, client_id="client-2")
    mine, theirs = lms13.begin(client), other.begin(client)
    before = count_rows()
    token = lms13.token(lms13.claims(cast.operators, mine["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", theirs["state"])])
    expect_refusal(response, before, "unknown_key", "bad_signature", "wrong_audience")


def test_states_of_one_browser_swapped(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Two sign-ins in one browser: the token of one with the state of the other is refused."""
    first, second = lms13.begin(client), lms13.begin(client)
    before = count_rows()
    token = lms13.token(lms13.claims(cast.operators, first["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", second["state"])])
    expect_refusal(response, before, "wrong_nonce")


@pytest.mark.parametrize("state", ["", "nonsense", "x" * 5000, "AAAAAAAAAAAAAAAAAAAAAA.e30.AAAA"])
def test_a_state_that_is_not_ours(client: Client, cast: Cast, lms13: Lms13, state: str) -> None:
    """A missing, garbled or forged state is refused."""
    asked = lms13.begin(client)
    before = count_rows()
    token = lms13.token(lms13.claims(cast.operators, asked["nonce"]))
    response = post_form(client, "/lti/launch", [("id_token", token), ("state", state)])
    row = expect_refusal(response, before, "wrong_state")
    assert row.organization == cast.acme


def test_the_state_of_another_browser(client: Client, cast: Cast, lms13: Lms13) -> None:
    """A sign-in begun in one browser cannot be finished in another (login CSRF)."""
    asked = lms13.begin(client)
    before = count_rows()
    token = lms13.token(lms13.claims(cast.operators, asked["nonce"]))
    response = post_form(Client(), "/lti/launch", [("id_token", token), ("state", asked["state"])])
    expect_refusal(response, before, "wrong_state")


def test_a_replayed_lti_13_launch(client: Client, cast: Cast, lms13: Lms13) -> None:
    """The same id_token and state open once."""
    asked = lms13.begin(client)
    form = [("id_token", lms13.token(lms13.claims(cast.operators, asked["nonce"]))), ("state", asked["state"])]
    assert post_form(client, "/lti/launch", form).status_code == 303
    before = count_rows()
    expect_refusal(post_form(client, "/lti/launch", form), before, "replayed")


@pytest.mark.quirk("C39")
def test_the_platform_answers_with_an_error(client: Client, cast: Cast, lms13: Lms13) -> None:
    """`login_required` and the like become a page that says what to do."""
    asked = lms13.begin(client)
    form = [("error", "login_required"), ("error_description", "nobody"), ("state", asked["state"])]
    expect_refusal(post_form(client, "/lti/launch", form), count_rows(), "platform_refused")


def test_an_unknown_deployment_waits_for_approval(client: Client, cast: Cast) -> None:
    """Where the owner wants approval, a new deployment is listed and refused; approved, it opens."""
    lms = make_lms13(cast.acme, client_id="client-3", policy="approved")
    response = lms.launch(client, cast.operators, **{CLAIM + "deployment_id": "2"})
    assert (response.status_code, 'data-code="unknown_deployment"' in response.content.decode()) == (403, True)
    deployment = Deployment.objects.get(platform=lms.platform, deployment_id="2")
    assert not deployment.approved
    Deployment.objects.filter(pk=deployment.pk).update(approved=True)
    assert lms.launch(client, cast.operators, **{CLAIM + "deployment_id": "2"}).status_code == 303


@pytest.mark.quirk("C14")
def test_any_deployment_is_recorded(client: Client, cast: Cast, lms13: Lms13) -> None:
    """Where any deployment is accepted, a new one opens and is listed."""
    assert lms13.launch(client, cast.operators, **{CLAIM + "deployment_id": "77"}).status_code == 303
    assert Deployment.objects.get(platform=lms13.platform, deployment_id="77").approved


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"iss": "https://lms.example"},
        {"iss": "https://unknown.example", "login_hint": "x", "target_link_uri": "https://tool.example/"},
        {"iss": "https://lms.example", "client_id": "?", "login_hint": "x", "target_link_uri": "https://tool.example/"},
    ],
)
def test_a_login_that_names_nobody(client: Client, cast: Cast, lms13: Lms13, parameters: dict[str, str]) -> None:
    """A sign-in without its required parameters, or of an unknown platform, is refused and never redirected."""
    before = count_rows()
    for send in (client.get, client.post):
        response = send("/lti/login", parameters, secure=True, HTTP_HOST="tool.example")
        expect_refusal(response, before, "missing_parameter", "unknown_platform")


@pytest.mark.parametrize("path", ["/lti/launch", "/lti/a/bcdfghjkmnpqrstvwxz2"])
def test_a_launch_address_typed_into_a_browser(client: Client, cast: Cast, path: str) -> None:
    """A GET explains itself."""
    expect_refusal(client.get(path, secure=True, HTTP_HOST="tool.example"), count_rows(), "not_a_launch")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"a=%", "application/x-www-form-urlencoded"),
        (b"a=1&" * 5000, "application/x-www-form-urlencoded"),
        (b"x" * 100_000, "application/x-www-form-urlencoded"),
        (b'{"a": 1}', "application/json"),
        (b"", "application/x-www-form-urlencoded"),
        (b"oauth_consumer_key=%00", "application/x-www-form-urlencoded"),
        (b"id_token=%00&state=%00", "application/x-www-form-urlencoded"),
    ],
)
def test_garbage_is_refused(client: Client, cast: Cast, body: bytes, content_type: str) -> None:
    """Whatever is posted, the answer is a 4xx page that explains, never a 500."""
    response = client.post("/lti/launch", body, content_type=content_type, secure=True, HTTP_HOST="tool.example")
    expect_refusal(response, count_rows(), "malformed_message", "missing_parameter", "wrong_state")


def test_role_claims_that_real_lms_send(client: Client, cast: Cast, lms13: Lms13) -> None:
    """`[""]`, `[]` and an empty list of custom parameters open the assignment with the least rights."""
    for roles in ([""], []):
        response = lms13.launch(client, cast.operators, **{CLAIM + "roles": roles, CLAIM + "custom": []})
        assert response.status_code == 303
    assert Launch.objects.latest("pk").role == "student"


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"published": False}, "not_published", "Your teacher has not opened this assignment yet"),
        ({"deleted_at": datetime(2026, 1, 1, tzinfo=UTC)}, "deleted_target", "This assignment was taken away"),
    ],
)
def test_a_student_reads_what_happened(cast: Cast, change: dict[str, Any], code: str, words: str) -> None:
    """In one sentence without technical words; what a teacher has to do stands folded below."""
    lms = make_lms11(cast.acme)
    Assignment.objects.filter(pk=cast.operators.pk).update(**change)
    page = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}").content.decode()
    assert f'data-code="{code}"' in page
    first, below = page.split("notice-warning")[1].split("<details")
    assert words in first
    assert code not in first
    assert code in below
    assert " open>" not in below.partition(">")[0] + ">"


def test_a_teacher_reads_what_to_do(cast: Cast) -> None:
    """The same page tells a teacher the technical half at once, and not the student's sentence."""
    Assignment.objects.filter(pk=cast.operators.pk).update(deleted_at=datetime(2026, 1, 1, tzinfo=UTC))
    lms = make_lms11(cast.acme)
    page = lms.launch(Client(), f"/lti/a/{cast.operators.public_id}", roles="Instructor").content.decode()
    assert "Remove the link from the LMS" in page.split("notice-warning")[1].split("<details")[0]
    assert "Your teacher knows" not in page
