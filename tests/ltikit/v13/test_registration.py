"""Dynamic Registration: what platforms say about themselves, what the tool offers, and what it is registered as."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit import vocabulary
from ltikit.canvas_placements import list_placements
from ltikit.errors import ForeignIssuerError, PlatformConfigurationError, RegistrationRefusedError
from ltikit.http import Response
from ltikit.v13.registration import (
    CANVAS,
    PlatformConfiguration,
    ToolDescription,
    build_registration,
    choose_keyset_url,
    configuration_request,
    parse_platform_configuration,
    parse_registration_response,
    registration_request,
)

LMS = "https://lms.example"
URL = f"{LMS}/.well-known/openid-configuration"
TOOL = "https://tool.example:8443/base"
PLATFORM, OWN = vocabulary.PLATFORM_CONFIGURATION, vocabulary.TOOL_CONFIGURATION
WANTED = (vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM, vocabulary.SCOPE_NOTICE_HANDLERS)
DESCRIPTION = ToolDescription(
    title="Courseway",
    description="Courses",
    login_url=f"{TOOL}/lti/login",
    launch_url=f"{TOOL}/lti/launch",
    keyset_url=f"{TOOL}/lti/keys",
    deep_linking_url=f"{TOOL}/lti/resource_selection",
    tool_id="courseway",
    placements=list_placements(
        selection_url=f"{TOOL}/lti/resource_selection",
        editor_url=f"{TOOL}/lti/editor_button",
        navigation_url=f"{TOOL}/lti/course_navigation",
        text="Courseway",
    ),
)


def document(**changes: Any) -> dict[str, Any]:
    members = {
        "issuer": LMS,
        "authorization_endpoint": f"{LMS}/auth",
        "token_endpoint": f"{LMS}/token",
        "jwks_uri": f"{LMS}/keys",
        "registration_endpoint": f"{LMS}/register",
        "scopes_supported": ["openid", vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM],
        "claims_supported": ["sub", "iss", "name", "email"],
        PLATFORM: {
            "product_family_code": "practice",
            "version": "1",
            "messages_supported": [{"type": "LtiResourceLinkRequest"}, {"type": "LtiDeepLinkingRequest"}],
        },
        **changes,
    }
    return {name: value for name, value in members.items() if value is not None}


def read(members: Any, *, url: str = URL, status: int = 200) -> PlatformConfiguration:
    body = members if isinstance(members, bytes) else json.dumps(members).encode()
    return parse_platform_configuration(Response(status, {}, body), configuration_url=url)


def family(code: str, **own: Any) -> dict[str, Any]:
    return {PLATFORM: {"product_family_code": code, **own}}


def test_configuration_is_read() -> None:
    """Addresses, family, offered scopes and messages stand in the configuration; assertions name the token URL."""
    found = read(document())
    assert (found.issuer, found.authentication_url, found.token_url) == (LMS, f"{LMS}/auth", f"{LMS}/token")
    assert (found.keyset_url, found.registration_url, found.audience) == (f"{LMS}/keys", f"{LMS}/register", "")
    assert (found.family, found.version) == ("practice", "1")
    assert set(found.messages) == {"LtiResourceLinkRequest", "LtiDeepLinkingRequest"}


@pytest.mark.parametrize(
    "name", ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint"]
)
@pytest.mark.parametrize(
    "value", [None, "", 7, "ftp://lms.example/x", "http://lms.example/x", "https://", "lms.example"]
)
def test_every_address_is_needed_and_is_https(name: str, value: Any) -> None:
    """Without one of its addresses, or with one that is no https address, a configuration cannot be used."""
    if name == "issuer" and value == "http://lms.example/x":
        return  # an issuer is a name that nothing is sent to
    with pytest.raises(PlatformConfigurationError):
        read(document(**{name: value}))


def test_http_only_where_the_configuration_came_by_http() -> None:
    """In a private network that the operator allowed everything may be http; https never leads to http."""
    plain = {name: value.replace("https", "http") for name, value in document().items() if isinstance(value, str)}
    assert read(document(**plain), url=URL.replace("https", "http")).token_url == "http://lms.example/token"


@pytest.mark.parametrize(
    "asked", ["https://evil.example/c", "https://lms.example.evil.example/c", "https://x.lms.example/c"]
)
def test_a_configuration_speaks_for_its_own_host_alone(asked: str) -> None:
    """The issuer's host is the one that was asked: nobody registers in another LMS's name."""
    with pytest.raises(ForeignIssuerError):
        read(document(), url=asked)


@pytest.mark.quirk("C12")
@pytest.mark.parametrize(
    ("issuer", "url", "is_good"),
    [
        ("https://canvas.instructure.com", "https://school.instructure.com/c", True),
        ("https://canvas.instructure.com", "https://sso.canvaslms.com/c", True),
        ("https://canvas.beta.instructure.com", "https://school.beta.instructure.com/c", True),
        ("https://blackboard.com", "https://developer.blackboard.com/c", True),
        ("https://blackboard.com", "https://developer.anthology.com/c", True),
        ("https://blackboard.com", "https://blackboard.com.evil.example/c", False),
        ("https://canvas.instructure.com", "https://evilinstructure.com/c", False),
        ("https://school.instructure.com", "https://canvas.instructure.com/c", False),
        ("https://lms.example", "https://school.instructure.com/c", False),
    ],
)
def test_hosted_schools_share_an_issuer(issuer: str, url: str, is_good: bool) -> None:
    """Canvas (C12) and Blackboard (B7) serve their configuration from other hosts of their own, and from no others."""
    if is_good:
        assert read(document(issuer=issuer), url=url).issuer == issuer
    else:
        with pytest.raises(ForeignIssuerError):
            read(document(issuer=issuer), url=url)


def test_old_moodles_are_understood() -> None:
    """Moodle 3.10 puts a blank behind the name of its configuration and leaves the authorization endpoint out."""
    own = {"product_family_code": "moodle", "messages_supported": ["LtiResourceLink", "LtiDeepLinkingRequest"]}
    found = read(document(**{"authorization_endpoint": None, PLATFORM: None, f"{PLATFORM} ": own}))
    assert (found.family, found.authentication_url) == ("moodle", f"{LMS}/mod/lti/auth.php")
    assert set(found.messages) == {"LtiResourceLinkRequest", "LtiDeepLinkingRequest"}


def test_placements_may_be_one_text() -> None:
    """Some platforms write their placements as a text instead of a list."""
    messages = [{"type": "LtiDeepLinkingRequest", "placements": "ContentArea"}]
    assert read(document(**family("x", messages_supported=messages))).messages == {
        "LtiDeepLinkingRequest": ("ContentArea",)
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_configuration_is_refused(body: bytes) -> None:
    """A page, a list or nothing at all is refused as a configuration, and so is an answer of failure."""
    with pytest.raises(PlatformConfigurationError):
        read(body)
    with pytest.raises(PlatformConfigurationError, match="HTTP 401"):
        read(document(), status=401)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(value=_json, name=st.sampled_from([*document(), "authorization_server"]))
def test_any_value_is_read_or_refused(value: Any, name: str) -> None:
    """Whatever stands in a member, the configuration is read or refused with a reason, and a request can be built."""
    try:
        found = read(document(**{name: value}))
    except PlatformConfigurationError:
        return
    json.dumps(build_registration(DESCRIPTION, found, scopes=WANTED))


@pytest.mark.quirk("C26")
def test_scopes_are_those_wanted_and_offered() -> None:
    """Asked for is what both sides want; `openid` is offered by all and must not be asked for (C26)."""
    asked = build_registration(DESCRIPTION, read(document()), scopes=("openid", *WANTED))
    assert asked["scope"].split() == [vocabulary.SCOPE_SCORE, vocabulary.SCOPE_LINEITEM]
    silent = build_registration(DESCRIPTION, read(document(scopes_supported=None)), scopes=WANTED)
    assert silent["scope"].split() == list(WANTED)
    assert build_registration(DESCRIPTION, read(document(scopes_supported=[])), scopes=WANTED)["scope"] == ""


def test_the_tool_is_described() -> None:
    """The request holds what Moodle insists on: addresses, the domain of the target with its port, both messages."""
    asked = build_registration(DESCRIPTION, read(document()), scopes=WANTED)
    assert asked["initiate_login_uri"] == f"{TOOL}/lti/login"
    assert (asked["redirect_uris"], asked["jwks_uri"]) == ([f"{TOOL}/lti/launch"], f"{TOOL}/lti/keys")
    assert set(asked["grant_types"]) == {"implicit", "client_credentials"}
    assert (asked["response_types"], asked["token_endpoint_auth_method"]) == (["id_token"], "private_key_jwt")
    own = asked[OWN]
    assert (own["domain"], own["target_link_uri"]) == ("tool.example:8443", f"{TOOL}/lti/launch")
    assert own["claims"] == ["iss", "sub", "name", "email"]
    assert [message["type"] for message in own["messages"]] == ["LtiResourceLinkRequest", "LtiDeepLinkingRequest"]
    assert own["custom_parameters"]["context_id_history"] == "$Context.id.history"


@pytest.mark.quirk("C8", "C28")
def test_canvas_alone_gets_what_is_canvas_own() -> None:
    """Privacy and the four placements go to Canvas (C28); no other platform sees a word of them (C8)."""
    plain = json.dumps(build_registration(DESCRIPTION, read(document()), scopes=WANTED))
    assert "instructure" not in plain
    own = build_registration(DESCRIPTION, read(document(**family("canvas"))), scopes=WANTED)[OWN]
    assert (own[CANVAS + "privacy_level"], own[CANVAS + "tool_id"]) == ("public", "courseway")
    by_place = {message["placements"][0].removeprefix(CANVAS): message for message in own["messages"]}
    assert set(by_place) == {"link_selection", "assignment_selection", "editor_button", "course_navigation"}
    assert by_place["assignment_selection"]["type"] == "LtiDeepLinkingRequest"
    navigation = by_place["course_navigation"]
    assert navigation["type"] == "LtiResourceLinkRequest"
    assert navigation[CANVAS + "course_navigation/default_enabled"] is False
    assert navigation[CANVAS + "visibility"] == "members"


def test_placements_in_the_spelling_that_is_offered() -> None:
    """A Canvas that lists its placements by short names is answered by short names."""
    messages = [{"type": "LtiDeepLinkingRequest", "placements": ["link_selection", CANVAS + "editor_button"]}]
    configuration = read(document(**family("canvas", messages_supported=messages)))
    own = build_registration(DESCRIPTION, configuration, scopes=WANTED)[OWN]
    places = {message["placements"][0] for message in own["messages"]}
    assert {"link_selection", CANVAS + "editor_button"} <= places


def test_the_registration_token_goes_with_both_requests() -> None:
    """Canvas wants the token for the configuration too; Brightspace sends none (D8), and none is sent then."""
    asked = registration_request(read(document()), {}, registration_token="t.o-k_en")
    assert asked.headers["Authorization"] == "Bearer t.o-k_en"
    assert (asked.method, asked.url, asked.headers["Content-Type"]) == ("POST", f"{LMS}/register", "application/json")
    assert configuration_request(URL, registration_token="t.o-k_en").headers["Authorization"] == "Bearer t.o-k_en"
    for token in ("", "two words", "line\r\nX-Evil: 1"):
        assert "Authorization" not in configuration_request(URL, registration_token=token).headers


def answer(members: Any, status: int = 200) -> Response:
    return Response(status, {}, members if isinstance(members, bytes) else json.dumps(members).encode())


@pytest.mark.parametrize(
    ("own", "deployment"), [({"deployment_id": "3"}, "3"), ({"deployment_id": 3}, "3"), ({}, ""), (None, "")]
)
def test_the_answer_names_the_client(own: Any, deployment: str) -> None:
    """Client ID, scopes granted - more than asked for, in a Moodle - and the deployment where the answer has one."""
    members = {"client_id": "abc", "scope": f"{vocabulary.SCOPE_SCORE} other", OWN: own}
    found = parse_registration_response(answer(members, 201), requested=WANTED)
    assert (found.client_id, found.deployment_id) == ("abc", deployment)
    assert found.scopes == (vocabulary.SCOPE_SCORE, "other")


def test_an_answer_that_names_no_scopes_granted_all() -> None:
    """As for access tokens (RFC 6749 §5.1)."""
    assert parse_registration_response(answer({"client_id": 12}), requested=WANTED).scopes == WANTED


@pytest.mark.quirk("C26", "M11")
@pytest.mark.parametrize(
    ("members", "status", "words"),
    [
        ({"errors": ["scopes cannot contain openid"]}, 422, "scopes cannot contain openid"),
        ({"errors": [{"message": "no domain"}]}, 422, "no domain"),
        ({"error": "invalid_token", "error_description": "used"}, 401, "invalid_token: used"),
        (b"<h1>Gone</h1>", 410, "Gone"),
        ({"client_id": ""}, 200, "client_id"),
        ({"client_id": "x" * 256}, 200, "client_id"),
        (b"ok", 200, "JSON"),
    ],
)
def test_a_refusal_keeps_the_platforms_words(members: Any, status: int, words: str) -> None:
    """Canvas answers 422 with a list of errors (C26), Moodle 401 for a used token (M11): their words are told."""
    with pytest.raises(RegistrationRefusedError, match=words):
        parse_registration_response(answer(members, status), requested=WANTED)


@given(st.binary(max_size=200), st.sampled_from([200, 201, 302, 400, 401, 422, 500]))
def test_any_answer_is_read_or_refused(body: bytes, status: int) -> None:
    """Whatever bytes come, there is a client or a refusal."""
    try:
        found = parse_registration_response(Response(status, {}, body), requested=WANTED)
    except RegistrationRefusedError:
        return
    assert found.client_id


def test_blackboard_has_keys_for_each_application() -> None:
    """Blackboard's portal names an address of keys that is not the application's; everybody else is believed."""
    host = "https://developer.blackboard.com"
    changes = {"issuer": "https://blackboard.com", "jwks_uri": f"{host}/.well-known/jwks.json"}
    configuration = read(document(**changes, **family("BlackboardLearn")), url=f"{host}/c")
    assert choose_keyset_url(configuration, "abc") == f"{host}/api/v1/management/applications/abc/jwks.json"
    assert choose_keyset_url(read(document()), "abc") == f"{LMS}/keys"
    own = read(document(jwks_uri=f"{LMS}/.well-known/jwks.json", **family("BlackboardLearn")))
    assert choose_keyset_url(own, "abc") == f"{LMS}/.well-known/jwks.json"
