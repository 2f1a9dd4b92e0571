"""LTI 1.3 launches: the login, what the authorization endpoint refuses, and the id_token, read with joserfc."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tests.practice_lms.running import FormReader, KeysetServer, PracticeLms, Tool13

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"


def begin(lms: PracticeLms, link: str, person: str, **overrides: Any) -> dict[str, str]:
    """Begin a launch; the answer is a good authentication request for it."""
    login = dict(lms.post("launch", link=link, person=person, overrides=overrides)["fields"])
    return {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": login["client_id"],
        "redirect_uri": "https://tool.example/launch",
        "login_hint": login["login_hint"],
        "lti_message_hint": login["lti_message_hint"],
        "state": "state-1",
        "nonce": "nonce-1",
    }


def authorize(lms: PracticeLms, request: Mapping[str, str], person: str) -> httpx2.Response:
    """Send an authentication request as this person's browser would."""
    headers = {"X-Practice-Person": person, "Accept": "application/json"}
    return lms.http.get("/lti/auth", params=dict(request), headers=headers)


def read_token(lms: PracticeLms, token: str) -> dict[str, Any]:
    """The claims of an id_token whose signature is good."""
    keys = KeySet.import_key_set(lms.http.get("/lti/keys").json())
    return dict(jwt.decode(token, keys, algorithms=["RS256"]).claims)


def launch(lms: PracticeLms, link: str, person: str, **overrides: Any) -> str:
    """The id_token of a launch."""
    answer = authorize(lms, begin(lms, link, person, **overrides), person)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["fields"]["id_token"])


def read_header(token: str) -> dict[str, Any]:
    """The header of a token, unverified."""
    text = token.split(".")[0]
    return dict(json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))


def test_login_names_all_that_a_tool_needs(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A login is initiated by POST with issuer, hints, client and deployment."""
    link = tool13.place_link(course)
    login = lms.post("launch", link=link["id"], person=student)
    fields = dict(login["fields"])
    assert (login["version"], login["method"], login["url"]) == ("1.3", "POST", "https://tool.example/login?a=1")
    assert fields["iss"] == lms.url
    assert fields["target_link_uri"] == "https://tool.example/launch"
    assert fields["client_id"] == tool13.client_id
    assert fields["lti_deployment_id"] == tool13.record["deployment_id"]
    assert json.loads(fields["lti_message_hint"])["launch"]


def test_login_by_get_keeps_the_query(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """A tool may ask for its login by GET; the query of its login URL stays."""
    tool = Tool13(lms, keyset, options={"login_method": "get"})
    link = tool.place_link(course)
    answer = lms.http.get(f"/courses/{course}/links/{link['id']}/open", headers={"X-Practice-Person": student})
    assert answer.status_code == 302
    query = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert query["a"] == "1"
    assert query["iss"] == lms.url


def test_id_token_is_signed_and_complete(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """The id_token verifies with the keyset, lives a minute, and holds the claims of a graded learner launch."""
    link = tool13.place_link(course, custom={"pageNr": "2"})
    token = launch(lms, link["id"], student)
    assert read_header(token)["alg"] == "RS256"
    claims = read_token(lms, token)
    assert claims["iss"] == lms.url
    assert claims["aud"] == tool13.client_id
    assert claims["sub"] == student
    assert claims["nonce"] == "nonce-1"
    assert claims["exp"] - claims["iat"] == 60
    assert abs(claims["iat"] - time.time()) < 5
    assert claims[f"{CLAIM}deployment_id"] == tool13.record["deployment_id"]
    assert claims[f"{CLAIM}message_type"] == "LtiResourceLinkRequest"
    assert claims[f"{CLAIM}version"] == "1.3.0"
    assert claims[f"{CLAIM}target_link_uri"] == "https://tool.example/launch"
    assert claims[f"{CLAIM}context"]["id"] == course
    assert claims[f"{CLAIM}resource_link"]["id"] == link["id"]
    assert "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner" in claims[f"{CLAIM}roles"]
    assert claims[f"{CLAIM}custom"] == {"pagenr": "2", "pageNr": "2"}
    assert claims[ENDPOINT]["lineitem"] == link["line_item"]["url"]
    assert f"?type_id={tool13.id}" in claims[ENDPOINT]["lineitem"]
    assert claims["email"] == "zoe@practice.example"


def test_browser_is_sent_by_a_form(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """Without asking for JSON, the answer is a form with a button that posts id_token and state to the redirect URI."""
    request = begin(lms, tool13.place_link(course)["id"], student)
    for answer in (
        lms.http.get("/lti/auth", params=request, headers={"X-Practice-Person": student}),
        lms.http.post("/lti/auth", data=request, headers={"X-Practice-Person": student}),
    ):
        form = FormReader(answer.text)
        assert form.action == "https://tool.example/launch"
        assert form.buttons == 1
        assert dict(form.fields)["state"] == "state-1"
        assert read_token(lms, dict(form.fields)["id_token"])["sub"] == student


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "unknown"},
        {"client_id": ""},
        {"redirect_uri": "https://tool.example/launch/"},
        {"redirect_uri": "https://tool.example/launch?x=1"},
        {"redirect_uri": "https://tool.example/LAUNCH"},
        {"redirect_uri": "https://evil.example/launch"},
        {"redirect_uri": ""},
    ],
    ids=str,
)
def test_unknown_client_or_redirect_goes_nowhere(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, change: dict[str, str]
) -> None:
    """With an unknown client or a redirect URI that is not exactly a registered one, nothing is sent to any address."""
    request = {**begin(lms, tool13.place_link(course)["id"], student), **change}
    answer = authorize(lms, request, student)
    assert answer.status_code == 400
    assert "fields" not in answer.json()
    page = lms.http.get("/lti/auth", params=request, headers={"X-Practice-Person": student})
    assert page.status_code == 400
    assert "<form" not in page.text.partition("<main")[2]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scope": "openid profile"}, "invalid_scope"),
        ({"scope": ""}, "invalid_scope"),
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"prompt": "login"}, "invalid_request"),
        ({"nonce": ""}, "invalid_request"),
        ({"state": ""}, "invalid_request"),
        ({"login_hint": "somebody"}, "invalid_request"),
        ({"login_hint": ""}, "invalid_request"),
        ({"lti_message_hint": ""}, "invalid_request"),
        ({"lti_message_hint": "changed"}, "invalid_request"),
        ({"lti_message_hint": '{"launch": "0"}'}, "invalid_request"),
    ],
    ids=str,
)
def test_wrong_request_gets_an_error_and_no_token(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, change: dict[str, str], code: str
) -> None:
    """Whatever else is wrong with the request is told to the tool at its redirect URI, without an id_token."""
    answer = authorize(lms, {**begin(lms, tool13.place_link(course)["id"], student), **change}, student).json()
    assert answer["url"] == "https://tool.example/launch"
    assert answer["fields"]["error"] == code
    assert "id_token" not in answer["fields"]


def test_launch_belongs_to_one_person(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A launch that one person began is not finished by another, nor by nobody."""
    other = lms.add_person(course, "teacher")
    request = begin(lms, tool13.place_link(course)["id"], student)
    for person in (other, "", "no-such-person"):
        fields = authorize(lms, request, person).json()["fields"]
        assert fields["error"] == "login_required"


def test_launch_belongs_to_one_session(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A launch that began in one browser is not finished in another, not even by the same person."""
    link = tool13.place_link(course)["id"]

    with (
        httpx2.Client(base_url=lms.url, trust_env=False, timeout=30) as first,
        httpx2.Client(base_url=lms.url, trust_env=False, timeout=30) as second,
    ):
        for browser in (first, second):
            browser.get("/")
            browser.post("/be", data={"person": student, "csrfmiddlewaretoken": browser.cookies["practice_csrf"]})
        login = dict(FormReader(first.get(f"/courses/{course}/links/{link}/open").text).fields)
        request = {**begin(lms, link, student), "lti_message_hint": login["lti_message_hint"]}
        assert "id_token" in dict(FormReader(first.get("/lti/auth", params=request).text).fields)
        refused = dict(FormReader(second.get("/lti/auth", params=request).text).fields)
        assert refused["error"] == "login_required"


def test_client_of_another_link_is_refused(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, keyset: KeysetServer
) -> None:
    """One tool cannot finish the launch of another tool's link."""
    other = Tool13(lms, keyset)
    request = {**begin(lms, tool13.place_link(course)["id"], student), "client_id": other.client_id}
    assert authorize(lms, request, student).status_code == 400


@pytest.mark.parametrize("role", ["teacher", "assistant", "observer"])
def test_roles_are_uris(lms: PracticeLms, course: str, tool13: Tool13, role: str) -> None:
    """Each role has its context role, an observer also the people observed."""
    person = lms.add_person(course, role, mentor_for=["5"] if role == "observer" else [])
    claims = read_token(lms, launch(lms, tool13.place_link(course)["id"], person))
    membership = "http://purl.imsglobal.org/vocab/lis/v2/membership"
    expected = {
        "teacher": f"{membership}#Instructor",
        "assistant": f"{membership}/Instructor#TeachingAssistant",
        "observer": f"{membership}#Mentor",
    }
    assert expected[role] in claims[f"{CLAIM}roles"]
    assert claims.get(f"{CLAIM}role_scope_mentor") == (["5"] if role == "observer" else None)


def test_line_item_may_be_left_to_the_tool(lms: PracticeLms, course: str, student: str, keyset: KeysetServer) -> None:
    """With the option off, a launch names the list of line items only; without points it names none."""
    tool = Tool13(lms, keyset, options={"sends_line_item": False, "id_token_lifetime": 300})
    claims = read_token(lms, launch(lms, tool.place_link(course)["id"], student))
    assert set(claims[ENDPOINT]) == {"scope", "lineitems"}
    assert claims["exp"] - claims["iat"] == 300
    ungraded = read_token(lms, launch(lms, tool.place_link(course, points=None)["id"], student))
    assert ENDPOINT not in ungraded


def test_keys_rotate(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """After a rotation new tokens have a new kid and old ones verify, until the old key is no longer published."""
    link = tool13.place_link(course)["id"]
    old = launch(lms, link, student)
    new_kid = lms.post("keys", action="rotate")["kid"]
    new = launch(lms, link, student)
    assert read_header(new)["kid"] == new_kid != read_header(old)["kid"]
    assert read_token(lms, old)["sub"] == read_token(lms, new)["sub"] == student
    lms.post("keys", action="retire")
    assert [key["kid"] for key in lms.http.get("/lti/keys").json()["keys"]] == [new_kid]
    with pytest.raises((JoseError, ValueError)):
        read_token(lms, old)


def test_keyset_holds_no_private_half(lms: PracticeLms) -> None:
    """The keyset publishes modulus, exponent and names, nothing else."""
    for key in lms.http.get("/lti/keys").json()["keys"]:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}


@pytest.mark.parametrize(
    "overrides",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"foreign_key": True},
        {"kid": "WRONG"},
        {"tamper": {"sub": "1"}},
        {"payload": '{"name": "badltilaunch"}', "tamper": {"name": "other"}},
    ],
    ids=str,
)
def test_forged_token_does_not_verify(
    lms: PracticeLms, course: str, student: str, tool13: Tool13, overrides: dict[str, Any]
) -> None:
    """A token that a test asked to be forged has three parts and does not verify with the keyset."""
    token = launch(lms, tool13.place_link(course)["id"], student, **overrides)
    assert token.count(".") == 2
    with pytest.raises((JoseError, ValueError)):
        read_token(lms, token)


def test_wrong_claims_are_signed_right(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """Claims that a test changed, added or removed are in a token whose signature is good."""
    wish: dict[str, Any] = {
        "claims": {f"{CLAIM}version": "11.3", "aud": ["a", "b"], "azp": "a"},
        "remove_claims": [f"{CLAIM}roles", "sub"],
        "iat_offset": -7200,
        "exp_offset": -3600,
        "fields": {"state": "other"},
    }
    link = tool13.place_link(course)["id"]
    answer = authorize(lms, begin(lms, link, student, **wish), student).json()
    assert answer["fields"]["state"] == "other"
    claims = read_token(lms, answer["fields"]["id_token"])
    assert claims[f"{CLAIM}version"] == "11.3"
    assert claims["aud"] == ["a", "b"]
    assert not {"sub", f"{CLAIM}roles"} & set(claims)
    assert claims["exp"] < time.time() - 3000
    exact = launch(lms, link, student, payload='{"sub": "1", "sub": "2"}')
    assert read_token(lms, exact) == {"sub": "2"}
    assert "kid" not in read_header(launch(lms, link, student, kid=None))
    assert read_header(launch(lms, link, student, header={"crit": ["x"], "x": 1}))["crit"] == ["x"]


def test_login_can_be_bent(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """A test may change the login itself, and ask for an error instead of a token."""
    link = tool13.place_link(course)["id"]
    wish = {"login": {"set": {"iss": "https://other.example"}, "remove": ["client_id"]}}
    fields = dict(lms.post("launch", link=link, person=student, overrides=wish)["fields"])
    assert fields["iss"] == "https://other.example"
    assert "client_id" not in fields
    answer = authorize(lms, begin(lms, link, student, error="login_required"), student).json()
    assert answer["fields"]["error"] == "login_required"


def test_api_finishes_a_launch(lms: PracticeLms, course: str, student: str, tool13: Tool13) -> None:
    """Given the address that the tool redirected to, the API answers what the browser would post, bent if wanted."""
    request = begin(lms, tool13.place_link(course)["id"], student)
    address = f"{lms.url}/lti/auth?{urlencode(request)}"
    wish = {"claims": {"name": "Changed"}}
    answer = lms.post("launch", person=student, authorization_request=address, overrides=wish)
    assert answer["url"] == "https://tool.example/launch"
    assert read_token(lms, answer["fields"]["id_token"])["name"] == "Changed"


def test_openid_configuration_is_complete(lms: PracticeLms) -> None:
    """The configuration page names the same addresses as `info`."""
    page, info = lms.http.get("/.well-known/openid-configuration").json(), lms.get("info")
    assert page["issuer"] == info["issuer"] == lms.url
    assert page["authorization_endpoint"] == info["auth_url"]
    assert page["token_endpoint"] == info["token_url"]
    assert page["jwks_uri"] == info["keyset_url"]
