"""The claim by which an LMS says what a launch was under LTI 1.1."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ltikit.launch import Context, Launch, Message, Person, ResourceLink, Role
from ltikit.v13.migration import is_signed, read_former_ids, sign_consumer_key

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
SECRET = "my-lti11-secret"


def make_launch(claim: Any = None, **raw: Any) -> Launch:
    """The launch of the migration guide's example."""
    members = {"exp": 1551290856, **raw}
    if claim is not None:
        members[CLAIM + "lti1p1"] = claim
    return Launch(
        version="1.3",
        message=Message.RESOURCE_LINK,
        issuer="https://lmsvendor.com",
        client_id="PM48OJSfGDTAzAo",
        consumer_key="",
        deployment_id="689302",
        person=Person("new-user"),
        role=Role.STUDENT,
        roles=(),
        nonce="172we8671fd8z",
        issued_at=datetime(2019, 2, 27, tzinfo=UTC),
        context=Context("new-context"),
        resource_link=ResourceLink("new-link"),
        raw=MappingProxyType(members),
    )


def sign(**changes: Any) -> str:
    values: dict[str, Any] = {
        "secret": SECRET,
        "deployment_id": "689302",
        "issuer": "https://lmsvendor.com",
        "client_id": "PM48OJSfGDTAzAo",
        "expires_at": 1551290856,
        "nonce": "172we8671fd8z",
        **changes,
    }
    return sign_consumer_key("179248902", **values)


def test_the_example_of_the_guide() -> None:
    """Key, deployment, issuer, client, expiry and nonce of the guide's example give its signature."""
    assert sign() == "lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps="


@pytest.mark.quirk("G10")
def test_a_good_signature_is_one_over_this_very_token() -> None:
    """Any other value that the signature covers, or another secret, makes it bad; so does the digest in hex."""
    former = read_former_ids(make_launch({"oauth_consumer_key": "179248902", "oauth_consumer_key_sign": sign()}))
    assert former is not None
    launch = make_launch()
    assert is_signed(former, launch, secret=SECRET)
    assert not is_signed(former, launch, secret="another")
    for change in (
        {"nonce": "x"},
        {"deployment_id": "x"},
        {"issuer": "x"},
        {"client_id": "x"},
        {"raw": MappingProxyType({"exp": 1})},
    ):
        assert not is_signed(former, replace(launch, **change), secret=SECRET)  # type: ignore[arg-type]
    base = "179248902&689302&https://lmsvendor.com&PM48OJSfGDTAzAo&1551290856&172we8671fd8z"
    hexed = base64.b64encode(hmac.new(SECRET.encode(), base.encode(), hashlib.sha256).hexdigest().encode()).decode()
    assert not is_signed(replace(former, signature=hexed), launch, secret=SECRET)


@pytest.mark.parametrize("missing", ["consumer_key", "signature"])
def test_nothing_is_signed_without_key_and_signature(missing: str) -> None:
    """A claim without one of the two proves nothing, and an empty secret fits nothing."""
    former = read_former_ids(make_launch({"oauth_consumer_key": "179248902", "oauth_consumer_key_sign": sign()}))
    assert former is not None
    assert not is_signed(replace(former, **{missing: ""}), make_launch(), secret=SECRET)
    assert not is_signed(former, make_launch(), secret="")


def test_what_is_left_out_is_as_today() -> None:
    """Ids that the claim leaves out are those of the launch; numbers count as their digits."""
    former = read_former_ids(make_launch({"oauth_consumer_key": "k", "user_id": 34212, "context_id": "old"}))
    assert former is not None
    assert (former.user_id, former.context_id, former.resource_link_id) == ("34212", "old", "new-link")


def test_canvas_names_the_user_alone() -> None:
    """The older claim of Canvas is understood, and the newer one goes before it."""
    former = read_former_ids(make_launch(**{CLAIM + "lti11_legacy_user_id": "opaque"}))
    assert former is not None
    assert (former.user_id, former.consumer_key) == ("opaque", "")
    both = read_former_ids(make_launch({"user_id": "newer"}, **{CLAIM + "lti11_legacy_user_id": "opaque"}))
    assert both is not None
    assert both.user_id == "newer"
    assert read_former_ids(make_launch()) is None


@pytest.mark.quirk("G10")
@given(claim=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["oauth_consumer_key", "oauth_consumer_key_sign", "user_id", "context_id", "resource_link_id"]), inner)))  # fmt: skip  # noqa: E501
def test_junk_breaks_nothing(claim: Any) -> None:
    """Whatever an LMS fills the claim with is read without an error and proves nothing (G10)."""
    launch = make_launch(claim)
    former = read_former_ids(launch)
    assert former is None or not is_signed(former, launch, secret=SECRET)
