"""How a sign-in stays bound to its browser where a frame keeps no cookies, and how a launch goes on in a new tab."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core import signing
from django.test import Client
from lxml import html

from courseway.lms import new_tab, platforms
from courseway.lms.clearing import clear_used_codes
from courseway.lms.models import Launch, UsedTabCode
from tests.cast import Cast
from tests.visits import TOOL, Lms11, Lms13, make_lms11, make_lms13

FRAMED = {"HTTP_SEC_FETCH_DEST": "iframe", "HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "https://lms.example"}
OURS = {"HTTP_SEC_FETCH_DEST": "iframe", "HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": TOOL}


@pytest.fixture(autouse=True)
def _forget_platforms() -> None:
    platforms.forget_all()


@pytest.fixture
def lms11(cast: Cast) -> Lms11:
    return make_lms11(cast.acme)


@pytest.fixture
def lms13(cast: Cast) -> Lms13:
    return make_lms13(cast.acme)


def post(client: Client, path: str, fields: list[tuple[str, str]] | dict[str, str], **headers: Any) -> Any:
    kind = "application/x-www-form-urlencoded"
    return client.post(path, urlencode(fields), content_type=kind, secure=True, HTTP_HOST="tool.example", **headers)


def read_form(response: Any, mark: str = "data-continue") -> tuple[str, dict[str, str]]:
    """Address and fields of a form of the page."""
    document = html.document_fromstring(response.content.decode())
    (form,) = document.xpath(f"//form[@{mark}]")
    return form.action, dict(form.form_values())


def begin_in_frame(client: Client, lms: Lms13, **changes: str) -> tuple[Any, dict[str, str], str]:
    """The page of the login in a frame: the page, the authentication request, and the secret to be stored."""
    parameters = {
        "iss": lms.issuer,
        "client_id": lms.client_id,
        "login_hint": "hint",
        "lti_message_hint": '{"launch": 1}',
        "target_link_uri": TOOL + "/lti/launch",
        "lti_storage_target": "_parent",
        **changes,
    }
    page = post(client, "/lti/login", parameters, **FRAMED)
    assert page.status_code == 200
    _, asked = read_form(page)
    found = re.search(r'data-storage-value="([^"]+)"', page.content.decode())
    return page, asked, found[1] if found else ""


def answer(lms: Lms13, cast: Cast, asked: dict[str, str], **claims: Any) -> dict[str, str]:
    token = lms.token(lms.claims(cast.operators, asked["nonce"], **claims))
    return {"id_token": token, "state": asked["state"]}


def test_only_frames_that_may_lose_cookies_get_a_page(cast: Cast, lms13: Lms13) -> None:
    """A window, a client that says nothing, and a frame that showed its cookies before are redirected at once."""
    client = Client()
    parameters = {
        "iss": lms13.issuer,
        "client_id": lms13.client_id,
        "login_hint": "hint",
        "target_link_uri": TOOL + "/lti/launch",
        "lti_storage_target": "_parent",
    }
    assert post(client, "/lti/login", parameters).status_code == 302
    assert post(client, "/lti/login", parameters, **{**FRAMED, "HTTP_SEC_FETCH_DEST": "document"}).status_code == 302
    assert post(client, "/lti/login", parameters, **FRAMED).status_code == 200
    assert post(client, "/lti/login", parameters, **FRAMED).status_code == 302  # its cookie came back
    kept = client.get("/lti/kept", secure=True, HTTP_HOST="tool.example")
    assert kept.json() == {"kept": True}
    assert Client().get("/lti/kept", secure=True, HTTP_HOST="tool.example").json() == {"kept": False}


@pytest.mark.quirk("G17", "M15")
def test_all_cookies_are_partitioned(cast: Cast, lms13: Lms13) -> None:
    """Every cookie of the way in is Secure, HttpOnly, SameSite=None and Partitioned; over https there is no other."""
    page, asked, _ = begin_in_frame(client := Client(), lms13)
    landed = post(client, "/lti/launch", answer(lms13, cast, asked), **FRAMED)
    for response in (page, landed):
        assert response.cookies
        for morsel in response.cookies.values():
            said = {part.strip() for part in morsel.OutputString().split(";")}
            assert {"Secure", "HttpOnly", "SameSite=None", "Partitioned"} <= said, said


def test_the_page_of_the_login_works_without_script(cast: Cast, lms13: Lms13) -> None:
    """Its first form goes to the platform with the authentication request, and the launch that answers it opens."""
    client = Client()
    page, asked, _ = begin_in_frame(client, lms13)
    action, fields = read_form(page)
    assert action == "https://lms.example/auth"
    assert fields["lti_message_hint"] == '{"launch": 1}'
    assert fields["redirect_uri"] == TOOL + "/lti/launch"
    assert "<script>" not in page.content.decode()
    action, again = read_form(page, "data-new-tab")
    assert (action, again["login_hint"], again["lti_message_hint"]) == ("/lti/login", "hint", '{"launch": 1}')
    assert post(client, "/lti/launch", answer(lms13, cast, asked), **FRAMED).status_code == 303


@pytest.mark.quirk("O2", "C41")
def test_the_storage_of_the_platform_stands_for_the_cookie(cast: Cast, lms13: Lms13) -> None:
    """Without a cookie a page asks for the secret, and with it our own page's form opens the launch in a new tab."""
    _, asked, secret = begin_in_frame(Client(), lms13)
    blocked = Client()  # keeps nothing of what the login set
    page = post(blocked, "/lti/launch", answer(lms13, cast, asked), **FRAMED)
    assert page.status_code == 200
    assert 'data-authentication-url="https://lms.example/auth"' in page.content.decode()
    action, fields = read_form(page)
    fields["platform_storage"] = secret
    blocked.cookies.clear()
    page = post(blocked, action, fields, **OURS)
    assert page.status_code == 200
    action, fields = read_form(page, "data-new-tab")
    assert action == "/lti/continue"
    tab = Client()
    landing = post(tab, action, fields, **{**OURS, "HTTP_SEC_FETCH_DEST": "document"})
    assert landing.status_code == 303
    opened = tab.get(landing["Location"], secure=True, HTTP_HOST="tool.example")
    assert f'data-assignment="{cast.operators.public_id}"' in opened.content.decode()


@pytest.mark.parametrize("how", ["nothing stored", "another secret", "another site's form", "no origin"])
def test_the_binding_is_never_skipped(cast: Cast, lms13: Lms13, how: str) -> None:
    """Whoever began a sign-in elsewhere knows its secret: only our own page may bring it, and it has to fit."""
    _, asked, secret = begin_in_frame(Client(), lms13)
    stored = {"nothing stored": "", "another secret": secret[::-1]}.get(how, secret)
    headers = {"another site's form": FRAMED, "no origin": {"HTTP_SEC_FETCH_DEST": "iframe"}}.get(how, OURS)
    response = post(Client(), "/lti/launch", {**answer(lms13, cast, asked), "platform_storage": stored}, **headers)
    assert response.status_code == 401
    assert 'data-code="wrong_state"' in response.content.decode()
    assert Launch.objects.get().outcome == "refused"


@pytest.mark.parametrize("how", ["forged", "old", "no storage", "revoked"])
def test_nothing_is_asked_for_a_state_that_is_not_good(
    cast: Cast, lms13: Lms13, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forged or old state, and one whose platform stores nothing, are refused at once and logged."""
    _, asked, _ = begin_in_frame(Client(), lms13, **({"lti_storage_target": ""} if how == "no storage" else {}))
    fields = answer(lms13, cast, asked)
    if how == "forged":
        fields["state"] = fields["state"][:-4] + "AAAA"
    if how == "old":
        later = datetime.now(UTC) + timedelta(minutes=11)
        monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    if how == "revoked":
        type(lms13.platform).objects.update(revoked_at=datetime.now(UTC))
        platforms.forget_all()
    response = post(Client(), "/lti/launch", fields, **FRAMED)
    assert response.status_code >= 400
    assert Launch.objects.get().outcome == "refused"


def test_a_framed_launch_by_lti_11_finds_out_whether_cookies_stay(cast: Cast, lms11: Lms11) -> None:
    """First a page in the frame, whose cookie works for those who keep it; from then on the redirect itself."""
    client, path = Client(), f"/lti/a/{cast.operators.public_id}"
    page = post(client, path, lms11.sign(TOOL + path, lms11.form()), **FRAMED)
    assert page.status_code == 200
    landing = html.document_fromstring(page.content.decode()).xpath("string(//a[@data-continue]/@href)")
    assert 'data-launch="ok"' in client.get(landing, secure=True, HTTP_HOST="tool.example").content.decode()
    assert client.get("/lti/kept", secure=True, HTTP_HOST="tool.example").json() == {"kept": True}
    assert post(client, path, lms11.sign(TOOL + path, lms11.form()), **FRAMED).status_code == 303


def make_code(cast: Cast, lms11: Lms11) -> dict[str, str]:
    path = f"/lti/a/{cast.operators.public_id}"
    page = post(Client(), path, lms11.sign(TOOL + path, lms11.form()), **FRAMED)
    return read_form(page, "data-new-tab")[1]


def test_a_code_is_good_once(cast: Cast, lms11: Lms11) -> None:
    """The second tab with the same code is refused, whoever opens it, and gets no cookie."""
    code = make_code(cast, lms11)
    assert post(Client(), "/lti/continue", code, **OURS).status_code == 303
    second = post(Client(), "/lti/continue", code, **OURS)
    assert (second.status_code, len(second.cookies)) == (410, 0)
    assert 'data-code="tab_code_over"' in second.content.decode()


def test_a_code_lives_two_minutes(cast: Cast, lms11: Lms11, monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards it opens nothing, and what was kept of used ones is forgotten in the next night."""
    code, other = make_code(cast, lms11), make_code(cast, lms11)
    assert post(Client(), "/lti/continue", other, **OURS).status_code == 303
    monkeypatch.setattr(new_tab, "LIFETIME", timedelta(seconds=-1))
    assert post(Client(), "/lti/continue", code, **OURS).status_code == 410
    monkeypatch.undo()
    UsedTabCode.objects.update(used_at=datetime.now(UTC) - timedelta(days=2))
    assert post(Client(), "/lti/continue", code, **OURS).status_code == 303
    assert clear_used_codes(now=datetime.now(UTC)) == 1
    assert UsedTabCode.objects.count() == 1


@pytest.mark.parametrize("how", ["another site", "no origin", "made up", "a session's ticket", "a get"])
def test_a_code_opens_nothing_else(cast: Cast, lms11: Lms11, how: str) -> None:
    """Not from another site, which could plant its own launch; nothing that we did not sign as a code; no GET."""
    code = make_code(cast, lms11)
    headers = {"another site": FRAMED, "no origin": {}}.get(how, OURS)
    if how == "made up":
        code = {"code": "x:y:z"}
    if how == "a session's ticket":
        code = {"code": signing.dumps(["cw-x", "v", "/", "/"], salt="courseway.lms.sessions")}
    if how == "a get":
        response = Client().get("/lti/continue", code, secure=True, HTTP_HOST="tool.example", **OURS)
    else:
        response = post(Client(), "/lti/continue", code, **headers)
    assert response.status_code in (405, 410)
    assert not response.cookies
    assert not UsedTabCode.objects.exists()
