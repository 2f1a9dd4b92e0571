"""OAuth 1.0a signatures of LTI 1.x: RFC 5849 §3, published examples, and what platforms do differently."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import quote

import pytest

from ltikit.errors import BadSignatureError, MalformedMessageError, MissingParameterError, UnsupportedAlgorithmError
from ltikit.parameters import parse_form
from ltikit.v11.oauth1 import authorization_header, build_base_string, read_query, verify_form_signature
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET, STUDENT_LAUNCH, URL, Form, sign


def sign_with_token(base_string: str, secret: str, token_secret: str, digest: str = "sha1") -> str:
    """The signature of the published examples, most of which use a token secret; LTI has none."""
    key = f"{quote(secret, safe='')}&{quote(token_secret, safe='')}"
    return base64.b64encode(hmac.new(key.encode(), base_string.encode(), digest).digest()).decode()


def oauth(key: str, timestamp: str, nonce: str, **more: str) -> Form:
    """OAuth parameters of an example, without a version."""
    fields = {"oauth_consumer_key": key, "oauth_signature_method": "HMAC-SHA1", "oauth_timestamp": timestamp}
    return [*{**fields, "oauth_nonce": nonce, **more}.items()]


TWITTER_STATUS = ("status", "Hello Ladies + Gentlemen, a signed OAuth request!")
TWITTER_OAUTH = oauth(
    "xvz1evFS4wEEPTGEFPHBog",
    "1318622958",
    "kYjzVBB8Y0ZFabxSWbWovY3uYSQ2pTgmZeNu2VS4cg",
    oauth_token="370773112-GmHxMAgYyLbNEtIKZeRNFsMKPR9EyMZeS9weJAEb",
    oauth_version="1.0",
)
TWITTER_SECRETS = ("kAcSOqF21Fu85e7zjz7ZN2U4ZRhfV3WpwPAoE3Z7kBw", "LswwdoUaIvS8ltyTt5jkRh4J50vUPVVHtR2YPi5kE")
PHOTO = "http://photos.example.net/photos?file=vacation.jpg&size=original"


@pytest.mark.parametrize(
    ("method", "url", "parameters", "secrets", "signature"),
    [
        pytest.param(
            "GET",
            PHOTO,
            oauth(
                "dpf43f3p2l4k3l03",
                "1191242096",
                "kllo9940pd9333jh",
                oauth_token="nnch734d00sl2jdk",
                oauth_version="1.0",
            ),
            ("kd94hf93k423kf44", "pfkkdhi9sl3r4s00"),
            "tR3+Ty81lMeYAr/Fid0kMTYa/WM=",
            id="OAuth Core 1.0 A.5",
        ),
        pytest.param(
            "POST",
            "https://photos.example.net/initiate",
            oauth("dpf43f3p2l4k3l03", "137131200", "wIjqoS", oauth_callback="http://printer.example.com/ready"),
            ("kd94hf93k423kf44", ""),
            "74KNZJeDHnMBp0EMJ9ZHt/XKycU=",
            id="RFC 5849 1.2 initiate",
        ),
        pytest.param(
            "POST",
            "https://photos.example.net/token",
            oauth(
                "dpf43f3p2l4k3l03",
                "137131201",
                "walatlh",
                oauth_token="hh5s93j4hdidpola",
                oauth_verifier="hfdp7dh39dks9884",
            ),
            ("kd94hf93k423kf44", "hdhd0244k9j7ao03"),
            "gKgrFCywp7rO0OXSjdot/IHF7IU=",
            id="RFC 5849 1.2 token",
        ),
        pytest.param(
            "GET",
            PHOTO,
            oauth("dpf43f3p2l4k3l03", "137131202", "chapoH", oauth_token="nnch734d00sl2jdk"),
            ("kd94hf93k423kf44", "pfkkdhi9sl3r4s00"),
            "MdpQcU8iPSUjWoN/UDMsK2sui9I=",
            id="RFC 5849 1.2 photos",
        ),
        pytest.param(
            "POST",
            "https://api.twitter.com/1/statuses/update.json?include_entities=true",
            [TWITTER_STATUS, *TWITTER_OAUTH],
            TWITTER_SECRETS,
            "tnnArxj06cWHq44gCs1OSKk/jLY=",
            id="Twitter API 1",
        ),
        pytest.param(
            "POST",
            "https://api.twitter.com/1.1/statuses/update.json?include_entities=true",
            [TWITTER_STATUS, *TWITTER_OAUTH],
            TWITTER_SECRETS,
            "hCtSmYh+iHYCEqBWrE7C7hYmtUk=",
            id="Twitter API 1.1",
        ),
    ],
)
def test_published_signatures(
    method: str, url: str, parameters: Form, secrets: tuple[str, str], signature: str
) -> None:
    """The base strings lead to the signatures that OAuth Core, RFC 5849 and Twitter printed."""
    base_string = build_base_string(method, url, [*read_query(url), *parameters])
    assert signature == sign_with_token(base_string, *secrets)


RFC_URL = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
RFC_BODY = b"c2&a3=2+q"
RFC_BASE_STRING = (
    "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D"
    "%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
    "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
)


@pytest.mark.quirk("G14")
def test_rfc5849_3_4_1_base_string() -> None:
    """Query, body and header give the base string of RFC 5849 §3.4.1.1: empty and repeated names included."""
    header = oauth("9djdj82h48djs9d2", "137131201", "7d8f3e4a", oauth_token="kkk9d7dh3k39sjv7")
    parameters = [*read_query(RFC_URL), *parse_form(RFC_BODY), *header, ("oauth_signature", "y")]
    assert build_base_string("post", RFC_URL, parameters) == RFC_BASE_STRING


@pytest.mark.parametrize(
    ("url", "base_uri"),
    [
        ("HTTP://EXAMPLE.COM/", "http://example.com/"),
        ("http://example.com", "http://example.com/"),
        ("http://example.com:80/a", "http://example.com/a"),
        ("https://example.com:443/a", "https://example.com/a"),
        ("http://example.com:443/a", "http://example.com:443/a"),
        ("https://example.com:80/a", "https://example.com:80/a"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://example.com/A/b%2fc/~d", "https://example.com/A/b%2fc/~d"),
        ("https://example.com/a;b=1", "https://example.com/a;b=1"),
        ("https://example.com/a?b=1#c", "https://example.com/a"),
        ("https://example.com/a/?", "https://example.com/a/"),
        ("https://[::1]:8080/a", "https://[::1]:8080/a"),
    ],
)
def test_rfc5849_3_4_1_2_base_uri(url: str, base_uri: str) -> None:
    """Scheme and host in lower case, default ports dropped for their own scheme only, path as sent."""
    assert f"POST&{quote(base_uri, safe='~')}&" == build_base_string("POST", url, [])


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_both_hmac_methods_are_accepted(method: str) -> None:
    """HMAC-SHA1 and HMAC-SHA256 verify."""
    verify_form_signature(sign(STUDENT_LAUNCH, method=method), url=URL, secret=SECRET)


@pytest.mark.parametrize("method", ["PLAINTEXT", "RSA-SHA1", "HMAC-SHA512", "hmac-sha1", "", None])
def test_other_methods_are_refused(method: str | None) -> None:
    """PLAINTEXT, RSA-SHA1, an unknown method and none at all are refused, even with the secret as signature."""
    fields = [("oauth_consumer_key", KEY), ("oauth_nonce", "n"), ("oauth_signature", f"{quote(SECRET)}&")]
    if method is not None:
        fields.append(("oauth_signature_method", method))
    with pytest.raises(UnsupportedAlgorithmError):
        verify_form_signature([*STUDENT_LAUNCH, *fields], url=URL, secret=SECRET)


def test_a_signature_of_the_other_method_is_refused() -> None:
    """A SHA-1 signature does not pass under the name of SHA-256."""
    signed = sign(STUDENT_LAUNCH)
    swapped = [(n, "HMAC-SHA256" if n == "oauth_signature_method" else v) for n, v in signed]
    with pytest.raises(BadSignatureError):
        verify_form_signature(swapped, url=URL, secret=SECRET)


def test_a_missing_signature_is_named() -> None:
    """A form without oauth_signature is refused as incomplete."""
    unsigned = [pair for pair in sign(STUDENT_LAUNCH) if pair[0] != "oauth_signature"]
    with pytest.raises(MissingParameterError, match="oauth_signature"):
        verify_form_signature(unsigned, url=URL, secret=SECRET)


@pytest.mark.parametrize("name", ["oauth_signature", "oauth_signature_method"])
def test_protocol_parameters_must_not_repeat(name: str) -> None:
    """RFC 5849 §3.1: a protocol parameter sent twice, or in the address, is refused."""
    signed = sign(STUDENT_LAUNCH)
    value = dict(signed)[name]
    with pytest.raises(MalformedMessageError, match=name):
        verify_form_signature([*signed, (name, value)], url=URL, secret=SECRET)
    with pytest.raises(MalformedMessageError, match=name):
        verify_form_signature(signed, url=f"{URL}?{name}={quote(value)}", secret=SECRET)


@pytest.mark.parametrize(
    "query",
    ["page=2", "page=2&page=1", "page=", "a=1&roles=Instructor", "%C3%A9=%20+", "page=2&PAGE=2"],
)
def test_query_parameters_are_signed(query: str) -> None:
    """The query of the launch address belongs to the signature: another, none or a longer one is refused."""
    url = f"{URL}?{query}"
    signed = sign(STUDENT_LAUNCH, url=url)
    verify_form_signature(signed, url=url, secret=SECRET)
    for other in (URL, f"{url}&more=1", f"{URL}?page=3"):
        with pytest.raises(BadSignatureError):
            verify_form_signature(signed, url=other, secret=SECRET)


def test_a_field_named_realm_is_signed() -> None:
    """Only the realm of an Authorization header stays out of the signature, not a form field of that name."""
    signed = sign([*STUDENT_LAUNCH, ("realm", "x")])
    verify_form_signature(signed, url=URL, secret=SECRET)
    with pytest.raises(BadSignatureError):
        verify_form_signature([pair for pair in signed if pair[0] != "realm"], url=URL, secret=SECRET)


@pytest.mark.quirk("C23")
def test_canvas_counts_copied_query_parameters_once() -> None:
    """Canvas copies the query into the body, keeps it in the address and signs it once: accepted."""
    signed = sign([*STUDENT_LAUNCH, ("page", "2"), ("page", "3"), ("x", "")], url=URL)
    verify_form_signature(signed, url=f"{URL}?page=3&page=2&x=", secret=SECRET)
    verify_form_signature(signed, url=f"{URL}?page=2", secret=SECRET)


@pytest.mark.parametrize("query", ["page=4", "page=2&page=2", "page=2&extra=1", "roles=Instructor"])
def test_a_query_outside_the_body_is_never_ignored(query: str) -> None:
    """A signature over the body alone is refused once one pair of the query is not in the body."""
    signed = sign([*STUDENT_LAUNCH, ("page", "2")], url=URL)
    with pytest.raises(BadSignatureError):
        verify_form_signature(signed, url=f"{URL}?{query}", secret=SECRET)


@pytest.mark.quirk("G14")
def test_query_and_body_with_the_same_pair_count_twice() -> None:
    """By the rule, a pair in the query and in the body is signed twice: also accepted (oauth_compliant Canvas)."""
    url = f"{URL}?page=2"
    verify_form_signature(sign([*STUDENT_LAUNCH, ("page", "2")], url=url), url=url, secret=SECRET)


@pytest.mark.quirk("G13")
def test_behind_a_proxy_the_public_address_counts() -> None:
    """The signature was made over https and the public host; the address seen inside does not verify."""
    signed = sign(STUDENT_LAUNCH)
    for inside in ("http://tool.example.org/lti/launch", "https://10.0.0.5:8000/lti/launch", f"{URL}/"):
        with pytest.raises(BadSignatureError):
            verify_form_signature(signed, url=inside, secret=SECRET)


def test_body_hash_is_sha1_of_the_bytes() -> None:
    """OAuth Request Body Hash, draft 4, §3.2: base64 of SHA-1, as platforms compare it."""
    body = "<a>é</a>".encode()
    header = authorization_header(
        "POST", URL, body, consumer_key=KEY, secret=SECRET, nonce="n", now=NOW, signature_method="HMAC-SHA256"
    )
    expected = quote(base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()), safe="")
    assert f'oauth_body_hash="{expected}"' in header
