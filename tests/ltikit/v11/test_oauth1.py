from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_AUTH_HEADER, Client
from oauthlib.oauth1.rfc5849 import signature as oauthlib_signature

from ltikit.errors import BadSignatureError, LtiError, MalformedMessageError
from ltikit.v11.oauth1 import Pairs, authorization_header, compute_signature, sign_form, verify_form_signature
from tests.ltikit.v11.signed_forms import KEY, NOW, SECRET, URL, Form, sign

METHODS = [SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256]

# What a form can carry: any text but NUL, and surrogates, which UTF-8 has not.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = texts.filter(lambda name: bool(name) and not name.startswith("oauth_"))
forms = st.lists(st.tuples(names, texts), max_size=8)
queries = st.lists(st.tuples(names, texts), max_size=3).map(urlencode)
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(forms, queries, secrets, st.sampled_from(METHODS))
def test_what_oauthlib_signs_is_verified(form: Form, query: str, secret: str, method: str) -> None:
    """Any form with repeated, empty and non-ASCII fields, posted to any query, verifies as oauthlib signed it."""
    url = f"{URL}?{query}" if query else URL
    verify_form_signature(sign(form, url=url, secret=secret, method=method), url=url, secret=secret)


def verify_with_oauthlib(form: Pairs, *, url: str, secret: str) -> bool:
    """oauthlib's own answer to the question whether the form is signed right."""
    fields = [pair for pair in form if pair[0] != "oauth_signature"]
    request = SimpleNamespace(
        uri=url,
        http_method="POST",
        params=[*parse_qsl(urlsplit(url).query, keep_blank_values=True), *fields],
        signature=dict(form)["oauth_signature"],
    )
    method = dict(form)["oauth_signature_method"]
    verify = {"HMAC-SHA1": oauthlib_signature.verify_hmac_sha1, "HMAC-SHA256": oauthlib_signature.verify_hmac_sha256}
    return bool(verify[method](request, client_secret=secret))


@given(forms, queries, secrets, st.sampled_from(METHODS))
def test_what_is_signed_here_oauthlib_verifies(form: Form, query: str, secret: str, method: str) -> None:
    """oauthlib accepts every form signed here, and so does the own verifier."""
    url = f"{URL}?{query}" if query else URL
    signed = sign_form(form, url=url, consumer_key=KEY, secret=secret, nonce="n", now=NOW, signature_method=method)
    assert verify_with_oauthlib(signed, url=url, secret=secret)
    verify_form_signature(signed, url=url, secret=secret)


@given(forms, st.data())
def test_any_changed_field_refuses(form: Form, data: st.DataObject) -> None:
    """One changed character in any name or value, the signature included, makes the signature wrong."""
    signed = sign(form)
    index = data.draw(st.integers(0, len(signed) - 1))
    part = data.draw(st.sampled_from([0, 1]))
    text = signed[index][part]
    place = data.draw(st.integers(0, len(text)))
    changed = text[:place] + data.draw(st.sampled_from(["x", " ", "é", "%"])) + text[place:]
    pair = (changed, signed[index][1]) if part == 0 else (signed[index][0], changed)
    forged = [*signed[:index], pair, *signed[index + 1 :]]
    with pytest.raises(LtiError):
        verify_form_signature(forged, url=URL, secret=SECRET)


@given(forms.filter(bool), st.data())
def test_a_dropped_or_repeated_field_refuses(form: Form, data: st.DataObject) -> None:
    """A field left out, or one more of it, makes the signature wrong."""
    signed = sign(form)
    index = data.draw(st.integers(0, len(form) - 1))
    for forged in ([*signed[:index], *signed[index + 1 :]], [*signed, signed[index]]):
        with pytest.raises(BadSignatureError):
            verify_form_signature(forged, url=URL, secret=SECRET)


@given(forms)
def test_the_order_of_fields_does_not_count(form: Form) -> None:
    """Parameters are sorted before they are signed (RFC 5849 §3.4.1.3.2)."""
    verify_form_signature(list(reversed(sign(form))), url=URL, secret=SECRET)


@pytest.mark.parametrize("secret", ["", "A secret & more", SECRET + " ", "other"])
def test_another_secret_refuses(secret: str) -> None:
    """Another secret is refused, and an empty one cannot even be tried."""
    with pytest.raises(BadSignatureError if secret else ValueError):
        verify_form_signature(sign([("a", "1")]), url=URL, secret=secret)


@pytest.mark.parametrize("url", ["https://tool.example.org:x/lti", "not a url", "https:///lti"])
def test_an_address_that_cannot_be_signed_is_refused(url: str) -> None:
    """An address without a host or with a broken port gives a named error."""
    with pytest.raises(MalformedMessageError):
        verify_form_signature(sign([("a", "1")]), url=url, secret=SECRET)


@pytest.mark.parametrize("query", ["a=%00", "%00=a", "a=%FF", "&".join(["a="] * 257)])
def test_a_query_that_cannot_be_kept_is_refused(query: str) -> None:
    """A query that is not UTF-8, holds NUL or has no end gives a named error."""
    with pytest.raises(MalformedMessageError, match="query"):
        verify_form_signature(sign([("a", "1")]), url=f"{URL}?{query}", secret=SECRET)


def test_errors_tell_no_signature() -> None:
    """A refusal shows neither the expected signature nor the secret, which would be an oracle."""
    signed = sign([("a", "1")])
    expected = dict(signed)["oauth_signature"]
    forged = [(name, "AAAA" if name == "oauth_signature" else value) for name, value in signed]
    with pytest.raises(BadSignatureError) as caught:
        verify_form_signature(forged, url=URL, secret=SECRET)
    shown = f"{caught.value!r} {caught.value.detail}"
    assert expected not in shown
    assert SECRET not in shown


def read_authorization(header: str) -> dict[str, str]:
    """The parameters of an OAuth Authorization header."""
    pairs = (part.strip().partition("=") for part in header.removeprefix("OAuth ").split(","))
    return {unquote(name): unquote(value.strip('"')) for name, _, value in pairs}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("url", ["https://lms.example.edu/outcomes", "https://lms.example.edu/o?course=1&a=&a=%20"])
def test_authorization_headers_are_those_of_oauthlib(method: str, url: str) -> None:
    """For the same body and query, the header holds the same parameters and signature as oauthlib's."""
    body = '<?xml version="1.0"?><a>é &amp; ü</a>'
    client = Client(
        KEY,
        client_secret=SECRET,
        signature_method=method,
        signature_type=SIGNATURE_TYPE_AUTH_HEADER,
        timestamp=str(int(NOW.timestamp())),
        nonce="n-1",
    )
    _, headers, _ = client.sign(url, "POST", body=body, headers={"Content-Type": "application/xml"})
    ours = authorization_header(
        "POST",
        url,
        body.encode(),
        consumer_key=KEY,
        secret=SECRET,
        nonce="n-1",
        now=NOW,
        signature_method=method,
    )
    assert read_authorization(headers["Authorization"]) == read_authorization(ours)


def test_requests_without_a_body_have_no_body_hash() -> None:
    """A GET carries no oauth_body_hash."""
    header = authorization_header("GET", URL, b"", consumer_key=KEY, secret=SECRET, nonce="n", now=NOW)
    assert "oauth_body_hash" not in read_authorization(header)


def test_a_time_without_zone_is_refused() -> None:
    """A naive time would be signed in the zone of the machine, so it is a mistake of the caller."""
    with pytest.raises(ValueError, match="aware"):
        sign_form([], url=URL, consumer_key=KEY, secret=SECRET, nonce="n", now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_only_known_methods_are_computed() -> None:
    """No signature is made with a method outside the list."""
    with pytest.raises(BadSignatureError, match="PLAINTEXT"):
        compute_signature("POST&a&b", secret=SECRET, method="PLAINTEXT")
