"""The sign-in: what is read, what is sealed into the state, and whose browser may open it."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.errors import LtiError, MalformedMessageError, MissingParameterError, PlatformRefusedError, StateError
from ltikit.v13.login import (
    BegunLogin,
    LoginRequest,
    begin_login,
    build_authentication_url,
    open_attempt,
    parse_launch_form,
    parse_login,
    peek_attempt_id,
    seal_attempt,
)

NOW = datetime(2026, 3, 2, 9, 30, 15, 250_000, tzinfo=UTC)
SECRET = b"the tool's own secret, 32 bytes."
OLD_SECRET = b"the secret of last year, also 32"
LOGIN = LoginRequest("https://lms.example", "hint-7", "https://tool.example/lti/a/x1", deployment_id="d-1")
PAIRS = [
    ("iss", "https://lms.example"),
    ("login_hint", "hint-7"),
    ("target_link_uri", "https://tool.example/lti/a/x1"),
]


def begin(login: LoginRequest = LOGIN, now: datetime = NOW) -> BegunLogin:
    return begin_login(registration_id="r-1", login=login, now=now, random_bytes=secrets.token_bytes)


def seal(begun: BegunLogin, secret: bytes = SECRET) -> str:
    return seal_attempt(begun.attempt, secret=secret, browser_secret=begun.browser_secret)


def reopen(state: str, browser_secret: str | None, **changes: Any) -> Any:
    return open_attempt(state, **{"secrets": [SECRET], "browser_secret": browser_secret, "now": NOW, **changes})


def test_login_request_is_read() -> None:
    """All parameters of a login request are read, in any order, and unknown ones are ignored."""
    extra = [
        ("lti_message_hint", '{"cmid":3}'),
        ("client_id", "c-1"),
        ("lti_deployment_id", "d-1"),
        ("lti_storage_target", "_parent"),
        ("canvas_region", "eu"),
    ]
    expected = LoginRequest(
        "https://lms.example", "hint-7", "https://tool.example/lti/a/x1", '{"cmid":3}', "c-1", "d-1", "_parent"
    )
    assert parse_login([*reversed(extra), *PAIRS]) == expected
    assert parse_login(PAIRS) == LoginRequest("https://lms.example", "hint-7", "https://tool.example/lti/a/x1")


def test_deployment_id_under_its_older_name() -> None:
    """Canvas also sends `deployment_id`; the name of the specification wins."""
    assert parse_login([*PAIRS, ("deployment_id", "canvas")]).deployment_id == "canvas"
    both = [*PAIRS, ("deployment_id", "canvas"), ("lti_deployment_id", "lti")]
    assert parse_login(both).deployment_id == "lti"


@pytest.mark.parametrize("name", ["iss", "login_hint", "target_link_uri"])
def test_login_request_without_a_required_parameter(name: str) -> None:
    """A required parameter that is missing or empty is named in the refusal."""
    others = [pair for pair in PAIRS if pair[0] != name]
    for pairs in (others, [*others, (name, "")]):
        with pytest.raises(MissingParameterError, match=name):
            parse_login(pairs)


@pytest.mark.parametrize(
    "pair",
    [
        ("iss", "https://other.example"),
        ("client_id", "x" * 256),
        ("lti_deployment_id", "x" * 256),
        ("lti_message_hint", "x" * 9000),
        ("client_id", "a\x00b"),
        ("lti_deployment_id", "a\nb"),
        ("lti_message_hint", "\ud800"),
    ],
)
def test_login_request_that_cannot_be_used(pair: tuple[str, str]) -> None:
    """A parameter repeated with another value, too long, or with control characters is refused."""
    with pytest.raises(MalformedMessageError, match=pair[0]):
        parse_login([*PAIRS, pair])


def test_parameter_repeated_with_the_same_value() -> None:
    """A parameter sent twice alike does no harm."""
    assert parse_login([*PAIRS, *PAIRS]) == parse_login(PAIRS)


def test_attempt_comes_back_as_it_was_sealed() -> None:
    """In the same browser the state opens to the attempt it was made of."""
    begun = begin()
    state = seal(begun)
    assert reopen(state, begun.browser_secret) == begun.attempt
    assert peek_attempt_id(state) == begun.attempt.id
    assert begun.attempt.issued_at == NOW.replace(microsecond=0)
    assert (begun.attempt.registration_id, begun.attempt.deployment_id) == ("r-1", "d-1")


def test_state_is_short_and_url_safe() -> None:
    """A usual state fits into a URL; a very long target is left out of it rather than making it longer."""
    usual = LoginRequest("https://lms.example", "h", "https://tool.example/" + "p" * 90, deployment_id="d" * 40)
    begun = begin_login(
        registration_id="0198c0de-1111-7222-8333-444455556666",
        login=usual,
        now=NOW,
        random_bytes=secrets.token_bytes,
    )
    state = seal(begun)
    assert len(state) <= 500
    assert set(state) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    long = begin(LoginRequest("https://lms.example", "h", "https://tool.example/" + "p" * 5000))
    assert len(seal(long)) <= 500
    assert long.attempt.target_link_uri == ""


def test_every_attempt_is_another() -> None:
    """Ids, nonces and browser secrets never repeat and have at least 128 bits."""
    begun = [begin() for _ in range(50)]
    for values in ({b.attempt.id for b in begun}, {b.attempt.nonce for b in begun}, {b.browser_secret for b in begun}):
        assert len(values) == 50
        assert min(map(len, values)) >= 22


def test_state_shows_no_secret() -> None:
    """Neither the browser's nor the tool's secret can be read in the state."""
    begun = begin()
    state = seal(begun)
    assert begun.browser_secret not in state
    assert SECRET.decode() not in state


@pytest.mark.parametrize("browser_secret", [None, ""])
def test_browser_that_holds_nothing(browser_secret: str | None) -> None:
    """A browser without the attempt's cookie cannot go on."""
    with pytest.raises(StateError, match="holds nothing"):
        reopen(seal(begin()), browser_secret)


def test_other_browser() -> None:
    """The secret of another attempt, of this or another browser, does not fit."""
    with pytest.raises(StateError, match="another browser"):
        reopen(seal(begin()), begin().browser_secret)


def test_forged_state_is_refused_before_anything_else() -> None:
    """A state that another secret sealed is refused as forged, whoever brings it."""
    begun = begin()
    for browser_secret in (begun.browser_secret, None):
        with pytest.raises(StateError, match="forged"):
            reopen(seal(begun, OLD_SECRET), browser_secret)


def test_secrets_can_be_changed() -> None:
    """A state of the older secret opens while that one is still listed."""
    begun = begin()
    state = seal(begun, OLD_SECRET)
    assert reopen(state, begun.browser_secret, secrets=[SECRET, OLD_SECRET]) == begun.attempt
    with pytest.raises(StateError):
        reopen(state, begun.browser_secret, secrets=[])


def test_lifetime() -> None:
    """A state is good for ten minutes, or for as long as asked; one of the future is refused."""
    begun = begin()
    state = seal(begun)
    assert reopen(state, begun.browser_secret, now=NOW + timedelta(minutes=9, seconds=59))
    with pytest.raises(StateError, match="began 60"):
        reopen(state, begun.browser_secret, now=NOW + timedelta(minutes=10, seconds=1))
    with pytest.raises(StateError, match="began"):
        reopen(state, begun.browser_secret, now=NOW + timedelta(minutes=2), lifetime=timedelta(minutes=1))
    assert reopen(state, begun.browser_secret, now=NOW - timedelta(seconds=50))
    with pytest.raises(StateError, match="future"):
        reopen(state, begun.browser_secret, now=NOW - timedelta(seconds=90))


def test_careless_callers_are_stopped() -> None:
    """A short secret, an unbound attempt and a time without zone are mistakes of the program."""
    begun = begin()
    with pytest.raises(ValueError, match="16 bytes"):
        seal(begun, b"short")
    with pytest.raises(ValueError, match="browser"):
        seal_attempt(begun.attempt, secret=SECRET, browser_secret="")
    with pytest.raises(ValueError, match="time zone"):
        reopen(seal(begun), begun.browser_secret, now=datetime(2026, 3, 2))  # noqa: DTZ001


@given(st.data())
def test_any_changed_character_of_a_state_refuses(data: st.DataObject) -> None:
    """Whatever character of a state is changed, added or removed, it does not open any more."""
    begun = begin()
    state = seal(begun)
    place = data.draw(st.integers(0, len(state) - 1))
    character = data.draw(st.sampled_from("ABCabc019-_.=+/ \n"))
    changes = [state[:place] + state[place + 1 :], state[:place] + character + state[place:]]
    if state[place] != character:
        changes.append(state[:place] + character + state[place + 1 :])
    for changed in changes:
        if changed != state:
            with pytest.raises(StateError):
                reopen(changed, begun.browser_secret)


@given(st.text(max_size=200), st.one_of(st.none(), st.text(max_size=60)))
def test_garbage_for_a_state(state: str, browser_secret: str | None) -> None:
    """Any text for a state is refused as a wrong state, never by a crash."""
    with pytest.raises(StateError):
        reopen(state, browser_secret)


@given(st.text(max_size=40) | st.text(alphabet="Ab9_-.", min_size=20, max_size=26))
def test_attempt_id_can_always_name_a_cookie(state: str) -> None:
    """What is read from an unverified state is 22 URL-safe characters, or the state is refused."""
    try:
        attempt_id = peek_attempt_id(state)
    except StateError:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", state.split(".")[0]) is None
    else:
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", attempt_id)


def test_state_that_is_far_too_long() -> None:
    """A state of many kilobytes is refused without a look at its seal."""
    begun = begin_login(registration_id="r" * 5000, login=LOGIN, now=NOW, random_bytes=secrets.token_bytes)
    with pytest.raises(StateError, match="not made here"):
        reopen(seal(begun), begun.browser_secret)


@given(st.lists(st.tuples(st.sampled_from(["iss", "login_hint", "target_link_uri", "client_id", "x"]), st.text())))
def test_garbage_for_a_login_request(pairs: list[tuple[str, str]]) -> None:
    """Any parameters give a login request or a refusal, and what is accepted can be sent on."""
    try:
        login = parse_login(pairs)
    except LtiError:
        return
    url = build_authentication_url(
        login, authentication_url="https://lms.example/auth", client_id="c", redirect_uri="r", state="s", nonce="n"
    )
    assert dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))["login_hint"] == login.login_hint


def authentication_query(login: LoginRequest, url: str = "https://lms.example/auth") -> list[tuple[str, str]]:
    built = build_authentication_url(
        login,
        authentication_url=url,
        client_id="c-1",
        redirect_uri="https://tool.example/lti/launch",
        state="s-1",
        nonce="n-1",
    )
    assert built.startswith("https://lms.example/auth?")
    return parse_qsl(urlsplit(built).query, keep_blank_values=True)


@pytest.mark.quirk("G42")
def test_authentication_request() -> None:
    """The platform is asked with exactly the parameters of Security Framework 5.1.1.2, scope openid alone."""
    assert dict(authentication_query(LOGIN)) == {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": "c-1",
        "redirect_uri": "https://tool.example/lti/launch",
        "login_hint": "hint-7",
        "state": "s-1",
        "nonce": "n-1",
    }


@pytest.mark.parametrize("hint", ["", '{"cmid":3,"a":"b c"}', "a+b&c=d%20e", "ü"])
def test_message_hint_is_echoed_unaltered(hint: str) -> None:
    """The message hint goes back character by character, even an empty one; without one none is sent."""
    with_hint = LoginRequest("https://lms.example", "h", "https://tool.example/", lti_message_hint=hint)
    assert ("lti_message_hint", hint) in authentication_query(with_hint)
    assert "lti_message_hint" not in dict(authentication_query(LOGIN))


def test_query_of_the_authentication_url_is_kept() -> None:
    """A query that the registered address has stays, a fragment does not."""
    query = authentication_query(LOGIN, "https://lms.example/auth?tenant=7&x=#top")
    assert query[:2] == [("tenant", "7"), ("x", "")]
    assert query[-1][0] == "nonce"


def test_launch_form() -> None:
    """The platform's answer is an id_token and a state."""
    form = parse_launch_form([("state", "s"), ("id_token", "t"), ("lti_storage_target", "_parent")])
    assert (form.id_token, form.state) == ("t", "s")


@pytest.mark.parametrize(
    ("pairs", "error"),
    [
        ([], MalformedMessageError),
        ([("state", "s")], MalformedMessageError),
        ([("id_token", ""), ("state", "s")], MalformedMessageError),
        ([("id_token", "t")], StateError),
        ([("id_token", "t"), ("id_token", "u"), ("state", "s")], MalformedMessageError),
        ([("id_token", "t"), ("state", "s"), ("state", "r")], MalformedMessageError),
        ([("error", "access_denied")], PlatformRefusedError),
    ],
)
def test_incomplete_launch_form(pairs: list[tuple[str, str]], error: type[LtiError]) -> None:
    """An answer that is incomplete, ambiguous or an error is refused."""
    with pytest.raises(error):
        parse_launch_form(pairs)


def test_words_of_the_platform_are_shortened() -> None:
    """The platform's own words fit into one line of a log."""
    with pytest.raises(PlatformRefusedError) as caught:
        parse_launch_form([("error", "server_error"), ("error_description", "a\r\nb\x00" + "x" * 5000)])
    assert caught.value.detail.startswith("server_error: a b x")
    assert len(caught.value.detail) <= 300


def test_hints_that_no_address_can_carry() -> None:
    """A hint as long as Canvas's is sent back; hints that make an address no server takes are refused by name."""
    told = {"authentication_url": "https://lms.example/auth", "client_id": "c", "redirect_uri": "r", "state": "s"}

    def build(hint: str) -> str:
        fields = [("iss", "https://lms.example"), ("login_hint", "7"), ("target_link_uri", "https://tool.example/")]
        login = parse_login([*fields, ("lti_message_hint", hint)])
        return build_authentication_url(login, **told, nonce="n")

    assert "a" * 8192 in build("a" * 8192)
    with pytest.raises(MalformedMessageError, match="lti_message_hint"):
        build("Ä" * 8192)
