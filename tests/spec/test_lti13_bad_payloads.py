"""LTI Advantage certification of tools, 6.1.1: known bad payloads. Each must be refused, and for its own reason."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from ltikit.errors import (
    BadSignatureError,
    ExpiredError,
    LtiError,
    MalformedMessageError,
    MissingParameterError,
    MissingResourceLinkError,
    PlatformRefusedError,
    StateError,
    UnknownDeploymentError,
    UnknownKeyError,
    UnsupportedAlgorithmError,
    UnsupportedMessageError,
    UnsupportedVersionError,
    WrongAudienceError,
    WrongIssuerError,
    WrongNonceError,
)
from ltikit.v13.keys import Keyset
from ltikit.v13.launch import Registration, verify_launch
from ltikit.v13.login import parse_launch_form
from tests.ltikit.v13.platform import (
    CLIENT_ID,
    ISSUER,
    KID,
    NONCE,
    NOW,
    REGISTRATION,
    RETURN_URL,
    keyset,
    launch,
    make_claims,
    public_pem,
    rsa_jwk,
    rsa_key,
    sign,
)


class LockedKeyset(Keyset):
    """A keyset that must not be asked."""

    def find(self, kid: str) -> Any:
        raise AssertionError(f"a key was looked up: {kid!r}")


def refuse(error: type[LtiError], claims: Any = None, **options: Any) -> LtiError:
    """The error with which exactly this launch is refused."""
    with pytest.raises(error) as caught:
        launch(claims, **options)
    assert type(caught.value) is error
    assert 400 <= caught.value.status < 500
    return caught.value


def test_b01_no_kid_sent_in_jwt_header() -> None:
    """A header without kid is refused before any key is looked up."""
    for kid in ({}, {"kid": ""}, {"kid": None}, {"kid": 7}, {"kid": [KID]}):
        header = {"badtestonly": "12345", "alg": "RS256", **kid}
        assert "kid" in refuse(MissingParameterError, header=header, keys=LockedKeyset()).detail


def test_b02_incorrect_kid_in_jwt_header() -> None:
    """A kid that the keyset does not hold is refused as unknown, though the signature would fit another key."""
    error = refuse(UnknownKeyError, header={"alg": "RS256", "kid": "imstester_66067"})
    assert "imstester_66067" in error.detail


@pytest.mark.parametrize("version", ["11.3", "2.3", "not-1.3", "1.3", "1.3.0 ", "LTI-1p0"])
def test_b03_wrong_lti_version(version: str) -> None:
    """Only the version 1.3.0, exactly, is accepted."""
    refuse(UnsupportedVersionError, make_claims(version=version))


def test_b04_no_lti_version() -> None:
    """A launch without a version is refused, naming the claim."""
    assert "version" in refuse(MissingParameterError, make_claims("version")).detail


def test_b05_invalid_lti_message() -> None:
    """A signed token that is no LTI message at all is refused."""
    refuse(MissingParameterError, {"name": "badltilaunch"})


@pytest.mark.parametrize("without", ["iss", "aud", "sub", "deployment_id", "roles", "message_type", "target_link_uri"])
def test_b06_missing_lti_claims(without: str) -> None:
    """Each required claim that is left out is named in the refusal; so it is when several are."""
    assert without in refuse(MissingParameterError, make_claims(without)).detail
    others = {"aud", "sub", "deployment_id", "roles"} - {without}
    refuse(MissingParameterError, make_claims(without, *others))


def test_b07_timestamps_incorrect() -> None:
    """Times far in the past are refused as expired."""
    refuse(ExpiredError, make_claims(iat=11111, exp=22222))


def test_b08_message_type_claim_missing() -> None:
    """A launch without a message type is refused."""
    assert "message_type" in refuse(MissingParameterError, make_claims("message_type")).detail


def test_b09_role_claim_missing() -> None:
    """Missing roles are refused; an empty list is not (T5)."""
    assert "roles" in refuse(MissingParameterError, make_claims("roles")).detail


def test_b10_deployment_id_claim_missing() -> None:
    """A launch without a deployment is refused, even where any deployment is accepted."""
    anywhere = Registration(ISSUER, CLIENT_ID, None)
    assert "deployment_id" in refuse(MissingParameterError, make_claims("deployment_id"), registration=anywhere).detail


@pytest.mark.parametrize("link", [None, {}, [], {"title": "x"}, {"id": ""}, {"id": None}])
def test_b11_resource_link_id_claim_missing(link: Any) -> None:
    """A resource link launch without the link's id is refused with a code of its own."""
    error = refuse(MissingResourceLinkError, make_claims(resource_link=link))
    assert error.code == "missing_resource_link"


@pytest.mark.parametrize("sub", [None, ""])
def test_b12_user_claim_missing(sub: str | None) -> None:
    """A launch without a person is refused unless the registration allows anonymous ones."""
    refuse(MissingParameterError, make_claims(sub=sub))
    allowing = Registration(ISSUER, CLIENT_ID, None, allows_anonymous=True)
    assert launch(make_claims(sub=sub), registration=allowing).person.user_id is None


# Beyond the public list.


def test_x_wrong_audience() -> None:
    """A launch for another client is refused with 401, as Security Framework 5.1.3 says."""
    assert refuse(WrongAudienceError, make_claims(aud="somebody-else")).status == 401


def test_x_audience_list_without_us() -> None:
    """A list of audiences that does not hold our client id is refused."""
    refuse(WrongAudienceError, make_claims(aud=["a", "b"]))
    refuse(WrongAudienceError, make_claims(aud=[]))


@pytest.mark.quirk("G7")
def test_x_audience_list_with_others() -> None:
    """Further audiences are refused unless azp says that we are meant; a list of one is normal (Schoology)."""
    refuse(WrongAudienceError, make_claims(aud=[CLIENT_ID, "other"]))
    assert launch(make_claims(aud=[CLIENT_ID, "other"], azp=CLIENT_ID)).client_id == CLIENT_ID
    assert launch(make_claims(aud=[CLIENT_ID])).client_id == CLIENT_ID


@pytest.mark.parametrize("audience", [CLIENT_ID, [CLIENT_ID], [CLIENT_ID, "other"]])
def test_x_foreign_authorized_party(audience: Any) -> None:
    """An azp that is not us is refused, whatever aud says."""
    refuse(WrongAudienceError, make_claims(aud=audience, azp="other"))


@pytest.mark.parametrize("audience", [7, {"id": CLIENT_ID}, [CLIENT_ID, 7], True])
def test_x_audience_of_another_type(audience: Any) -> None:
    """An audience that is neither text nor a list of texts is refused."""
    refuse(MalformedMessageError, make_claims(aud=audience))


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "https://evil.example"])
def test_x_wrong_issuer(issuer: str) -> None:
    """The issuer is compared as it stands: a slash or another case makes another issuer."""
    refuse(WrongIssuerError, make_claims(iss=issuer))


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "HS512", "RS1", "RS384", "dir", "", None, 7, ["RS256"]])
def test_x_algorithm_not_accepted(alg: Any) -> None:
    """Any algorithm that is not on the list is refused, signed or not, before a key is looked up."""
    refuse(UnsupportedAlgorithmError, header={"alg": alg, "kid": KID}, keys=LockedKeyset())


def test_x_algorithm_none_with_empty_signature() -> None:
    """The classic unsigned token is refused."""
    unsigned = sign(make_claims(), header={"alg": "none", "kid": KID}).rpartition(".")[0] + "."
    with pytest.raises(LtiError):
        verify_launch(unsigned, registration=REGISTRATION, keys=keyset(), expected_nonce=NONCE, now=NOW)


def test_x_hs256_with_the_public_key_as_secret() -> None:
    """A token signed with HMAC over the public key is refused, in each spelling of the key."""
    for secret in (public_pem(rsa_key()), public_pem(rsa_key()).strip(), rsa_jwk()["n"].encode()):
        refuse(UnsupportedAlgorithmError, header={"alg": "HS256", "kid": KID}, key=secret)
        refuse(BadSignatureError, header={"alg": "RS256", "kid": KID}, key=secret)


def test_x_token_of_two_parts() -> None:
    """A token without its signature, or with more parts than three, is refused."""
    good = sign(make_claims())
    header, payload, signature = good.split(".")
    for bad in (f"{header}.{payload}", f"{header}.{payload}.", f"{good}.{signature}", f"{header}..{signature}", ""):
        with pytest.raises(MalformedMessageError):
            verify_launch(bad, registration=REGISTRATION, keys=keyset(), expected_nonce=NONCE, now=NOW)


def test_x_payload_changed() -> None:
    """A payload of somebody else under a good signature is refused."""
    header, _, signature = sign(make_claims()).split(".")
    _, other, _ = sign(make_claims(sub="user-2")).split(".")
    with pytest.raises(BadSignatureError):
        verify_launch(
            f"{header}.{other}.{signature}",
            registration=REGISTRATION,
            keys=keyset(),
            expected_nonce=NONCE,
            now=NOW,
        )


@pytest.mark.parametrize("nonce", [None, "", "another", 7, [NONCE]])
def test_x_nonce_missing_or_of_another_sign_in(nonce: Any) -> None:
    """The nonce must be the one of this sign-in."""
    refuse(WrongNonceError, make_claims(nonce=nonce))


def test_x_no_nonce_expected() -> None:
    """A caller that expects nothing gets nothing: an empty expectation never fits."""
    refuse(WrongNonceError, make_claims(nonce=""), nonce="")


@pytest.mark.quirk("G16")
def test_x_iat_in_the_future() -> None:
    """An iat beyond the leeway of a minute is refused; within it, it is accepted."""
    later = int(NOW.timestamp())
    refuse(ExpiredError, make_claims(iat=later + 61, exp=later + 600))
    assert launch(make_claims(iat=later + 59, exp=later + 600))


def test_x_expired() -> None:
    """A token is accepted until a minute after exp, and refused from then on."""
    now = int(NOW.timestamp())
    refuse(ExpiredError, make_claims(exp=now - 60))
    assert launch(make_claims(exp=now - 59))


def test_x_issued_too_long_ago() -> None:
    """A token of more than a day ago is refused however late it expires."""
    now = int(NOW.timestamp())
    refuse(ExpiredError, make_claims(iat=now - 86_401, exp=now + 10_000_000))
    assert launch(make_claims(iat=now - 86_399, exp=now + 10_000_000))


@pytest.mark.parametrize("name", ["exp", "iat"])
def test_x_time_missing(name: str) -> None:
    """A token without exp or iat is refused: it would be good for ever."""
    assert refuse(ExpiredError, make_claims(name)).detail == f"{name} is missing"


@pytest.mark.quirk("G16")
def test_x_times_say_how_far_off_they_are() -> None:
    """The refusal gives the difference in seconds, from which a wrong clock can be told."""
    now = int(NOW.timestamp())
    assert refuse(ExpiredError, make_claims(exp=now - 61)).detail == "exp was 61 s ago"
    assert refuse(ExpiredError, make_claims(iat=now + 7200)).detail == "iat is 7200 s in the future"
    assert refuse(ExpiredError, make_claims(exp=-1e300)).detail == "exp was very many s ago"


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1772443800", "soon", True, [], {}, 10**400])
def test_x_times_that_are_no_numbers(name: str, value: Any) -> None:
    """Times must be JSON numbers within range (Security Framework 5.1.3)."""
    refuse(ExpiredError, make_claims(**{name: value}))


def test_x_not_yet_valid() -> None:
    """An nbf in the future is refused, one in the past is accepted (Brightspace sends it)."""
    now = int(NOW.timestamp())
    refuse(ExpiredError, make_claims(nbf=now + 61))
    assert launch(make_claims(nbf=now))


def test_x_fractional_times() -> None:
    """Times with a fraction of a second are numbers too."""
    issued_at = NOW.timestamp() - 3.5
    assert isinstance(launch(make_claims(iat=issued_at, exp=issued_at + 60.25)).issued_at, datetime)


def test_x_key_of_another_registration() -> None:
    """A token signed by another platform's key under our platform's kid is refused."""
    refuse(BadSignatureError, key=rsa_key("another platform"))


def test_x_unknown_deployment() -> None:
    """A deployment that the registration does not list is refused with a code of its own, 403."""
    error = refuse(UnknownDeploymentError, make_claims(deployment_id="elsewhere"))
    assert (error.code, error.status) == ("unknown_deployment", 403)
    assert launch(make_claims(deployment_id="elsewhere"), registration=Registration(ISSUER, CLIENT_ID, None))


def test_x_deployment_of_another_login() -> None:
    """When the login request named a deployment, the launch must be of that one."""
    anywhere = Registration(ISSUER, CLIENT_ID, None)
    refuse(UnknownDeploymentError, registration=anywhere, login_deployment_id="deployment-2")
    assert launch(registration=anywhere, login_deployment_id="deployment-1")


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
def test_x_key_offered_by_the_header(name: str) -> None:
    """A key that the header brings along is never used; beside a good signature it does no harm."""
    attacker = rsa_key("attacker")
    offers: dict[str, Any] = {
        "jku": "https://evil.example/keys",
        "x5u": "https://evil.example/cert",
        "jwk": rsa_jwk(attacker),
        "x5c": ["AAAA"],
    }
    header = {"alg": "RS256", "kid": KID, name: offers[name]}
    refuse(BadSignatureError, header=header, key=attacker)
    assert launch(header=header)


def test_x_malformed_offers_in_the_header_are_ignored() -> None:
    """Header members that are not used may hold anything."""
    assert launch(header={"alg": "RS256", "kid": KID, "jku": 7, "jwk": "x", "x5c": None, "typ": 1, "extra": [1]})


@pytest.mark.parametrize("extra", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"crit": ["b64"], "b64": False}])
def test_x_critical_header(extra: dict[str, Any]) -> None:
    """A header that demands to be understood is refused (RFC 7515 4.1.11)."""
    refuse(UnsupportedAlgorithmError, header={"alg": "RS256", "kid": KID, **extra})


def test_x_rsa_key_too_short() -> None:
    """A key of 1024 bits is not used, and the refusal says why."""
    short = rsa_key("short", 1024)
    error = refuse(UnknownKeyError, keys=keyset(rsa_jwk(short)), key=short)
    assert "1024 bits" in error.detail


@pytest.mark.parametrize(
    "name", ["LtiEulaRequest", "DataPrivacyLaunchRequest", "ltiresourcelinkrequest", "basic-lti-launch-request"]
)
def test_x_unknown_message_type(name: str) -> None:
    """Messages that are not offered are refused politely, with the way back."""
    assert refuse(UnsupportedMessageError, make_claims(message_type=name)).return_url == RETURN_URL


@pytest.mark.parametrize("target", ["javascript:alert(1)", "/lti/a/x1", "data:text/html,x", "https://"])
def test_x_target_that_is_no_web_address(target: str) -> None:
    """A target that is no absolute http address is refused."""
    refuse(MalformedMessageError, make_claims(target_link_uri=target))


def test_x_error_response() -> None:
    """A platform that answers with an error is not taken for a launch, and its words are kept."""
    pairs = [("error", "login_required"), ("error_description", "no session"), ("state", "s"), ("id_token", "x.y.z")]
    with pytest.raises(PlatformRefusedError, match="login_required: no session"):
        parse_launch_form(pairs)


def test_x_state_missing() -> None:
    """An id_token that comes without a state is refused."""
    with pytest.raises(StateError):
        parse_launch_form([("id_token", "x.y.z")])


def test_x_duplicate_json_members() -> None:
    """A member that occurs twice is refused: two readers might see two persons."""
    refuse(MalformedMessageError, b'{"sub": "user-1", "sub": "user-2"}')
    nested = b'{"a": [{"id": "1", "id": "2"}]}'
    refuse(MalformedMessageError, nested)


@pytest.mark.parametrize(
    "payload",
    [
        b"[]",
        b'"text"',
        b"7",
        b"",
        b"{",
        b"\xff\xfe",
        b'{"exp": NaN}',
        b'{"exp": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"a": ["\\u0000"]}',
        b'{"a\\u0000": 1}',
        b"[" * 30_000,
    ],
)
def test_x_payload_that_is_no_json_object(payload: bytes) -> None:
    """A signed payload that is no clean JSON object is refused."""
    refuse(MalformedMessageError, payload)


def test_x_token_too_long() -> None:
    """A token beyond 128 KiB is refused before it is looked at."""
    refuse(MalformedMessageError, make_claims(name="x" * 200_000), keys=LockedKeyset())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sub", 7),
        ("sub", "x" * 256),
        ("deployment_id", 7),
        ("deployment_id", "x" * 256),
        ("resource_link", {"id": "x" * 256}),
        ("resource_link", {"id": ["x"]}),
        ("resource_link", "link-1"),
        ("context", {"id": "x" * 256}),
        ("context", "course"),
        ("roles", "Instructor"),
        ("custom", "a=b"),
        ("custom", ["a"]),
        ("lis", "x"),
        ("launch_presentation", "x"),
        ("version", 1.3),
        ("message_type", ["LtiResourceLinkRequest"]),
    ],
)
def test_x_claims_of_another_shape(name: str, value: Any) -> None:
    """A claim of the wrong type, or an id that is too long, is refused and never crashes."""
    refuse(MalformedMessageError, make_claims(**{name: value}))


def test_x_way_back_only_after_a_good_signature() -> None:
    """The way back to the LMS is given when the token was rightly signed, and only if it is a web address."""
    assert refuse(ExpiredError, make_claims(exp=1)).return_url == RETURN_URL
    assert refuse(BadSignatureError, key=rsa_key("attacker")).return_url == ""
    odd = {"return_url": "javascript:alert(1)"}
    assert refuse(ExpiredError, make_claims(exp=1, launch_presentation=odd)).return_url == ""
    assert refuse(ExpiredError, make_claims(exp=1, launch_presentation=[7])).return_url == ""


def test_x_refusals_do_not_show_the_token() -> None:
    """What goes into a log holds neither the token nor the person."""
    for error in (refuse(ExpiredError, make_claims(exp=1)), refuse(BadSignatureError, key=rsa_key("attacker"))):
        text = f"{error} {error.detail} {error.hint}"
        assert "eyJ" not in text
        assert "ada" not in text.lower()
