"""What an LMS sends to have links chosen, and how it reads the answer: signed and verified by oauthlib and joserfc."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth1.rfc5849 import signature

from courseway.courses.models import Enrollment
from courseway.lms.models import Context, LmsIdentity
from tests.cast import Cast
from tests.visits import CLAIM, MEMBERSHIP, Lms11, Lms13

LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"
RETURN_13 = "https://lms.example/deep-links?modal=true&id=a%2Fb"
RETURN_11 = "https://lms.example/items?modal=true&id=a%2Fb"
DATA = 'opaque é "&<+%20>'
HOST = {"secure": True, "HTTP_HOST": "tool.example"}


def ask_by_deep_linking(client: Client, lms: Lms13, *, settings: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A teacher's LtiDeepLinkingRequest, as Canvas sends it: without a resource link."""
    wanted: dict[str, Any] = {
        "deep_link_return_url": RETURN_13,
        "accept_types": ["link", "file", "html", "ltiResourceLink", "image"],
        "accept_presentation_document_targets": ["embed", "iframe", "window"],
        "accept_multiple": True,
        "accept_lineitem": True,
        "data": DATA,
    }
    wanted.update(settings or {})
    claims = {
        CLAIM + "message_type": "LtiDeepLinkingRequest",
        CLAIM + "resource_link": None,
        CLAIM + "roles": [MEMBERSHIP + "Instructor"],
        CLAIM + "target_link_uri": "https://tool.example/lti/resource_selection",
        LINKING + "deep_linking_settings": {n: v for n, v in wanted.items() if v is not None},
        "sub": "teacher-1",
        "name": "Tom Teacher",
        "email": "tom@acme.example",
    }
    return lms.launch(client, None, **{**claims, **changes})


def ask_by_content_item(client: Client, lms: Lms11, path: str = "/lti/resource_selection", **changes: Any) -> Any:
    """A teacher's ContentItemSelectionRequest."""
    form = {
        "lti_message_type": "ContentItemSelectionRequest",
        "resource_link_id": None,
        "resource_link_title": None,
        "lis_outcome_service_url": None,
        "lis_result_sourcedid": None,
        "accept_media_types": "application/vnd.ims.lti.v1.ltilink",
        "accept_presentation_document_targets": "frame,iframe,window",
        "accept_multiple": "true",
        "content_item_return_url": RETURN_11,
        "data": DATA,
        **AS_TEACHER,
    }
    return lms.launch(client, path, **{**form, **changes})


AS_TEACHER = {
    "roles": "Instructor",
    "user_id": "teacher-1",
    "lis_person_name_full": "Tom Teacher",
    "lis_person_contact_email_primary": "tom@acme.example",
}


def know_teacher(cast: Cast, lms: Lms11 | Lms13, user_id: str = "teacher-1") -> None:
    """Tom is known behind this LMS user, and teaches the whole course."""
    LmsIdentity.objects.create(platform=lms.platform, lms_user_id=user_id, person=cast.tom_person)
    assert Enrollment.objects.filter(person=cast.tom_person, covers_whole_course=True).exists()


def open_picker(client: Client, response: Any) -> tuple[str, str]:
    """The picker's address and page."""
    assert response.status_code == 303, response.content.decode()
    path = urlsplit(response["Location"]).path
    page = client.get(path, **HOST)
    return path, page.content.decode()


def press(client: Client, path: str, go: str, **fields: Any) -> Any:
    return client.post(path, {"go": go, **fields}, **HOST)


def read_form(response: Any) -> tuple[str, dict[str, str]]:
    """The form that carries the answer to the LMS: its address and its fields."""
    html = response.content.decode()
    assert response.status_code == 200, html
    form = re.search(r'<form[^>]*action="([^"]*)"[^>]*data-auto-submit>(.*?)</form>', html, re.DOTALL)
    assert form is not None, html
    pairs = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', form[2])
    return unescape(form[1]), {unescape(name): unescape(value) for name, value in pairs}


def read_deep_links(client: Client, lms: Lms13, response: Any) -> dict[str, Any]:
    """The verified claims of the answer, checked as a strict platform does."""
    url, fields = read_form(response)
    assert url == RETURN_13
    assert set(fields) == {"JWT"}
    keyset = KeySet.import_key_set(json.loads(client.get("/lti/keys", **HOST).content))
    token = jwt.decode(fields["JWT"], keyset, algorithms=["RS256"])
    claims: dict[str, Any] = token.claims
    assert token.header["kid"] in {key.kid for key in keyset.keys}
    assert (claims["iss"], claims["aud"]) == (lms.client_id, lms.issuer)
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims["nonce"]
    assert claims[CLAIM + "message_type"] == "LtiDeepLinkingResponse"
    assert (claims[CLAIM + "version"], claims[CLAIM + "deployment_id"]) == ("1.3.0", "1")
    return claims


def read_content_items(lms: Lms11, response: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The verified form of a Content-Item answer and its items."""
    url, fields = read_form(response)
    assert url == RETURN_11
    pairs = [(n, v) for n, v in fields.items() if n != "oauth_signature"]
    signed = signature.normalize_parameters([*parse_qsl(urlsplit(url).query), *pairs])
    base = signature.signature_base_string("POST", signature.base_string_uri(url), signed)
    assert signature.sign_hmac_sha1_with_client(base, _Secrets(lms.secret)) == fields["oauth_signature"]
    assert fields["oauth_consumer_key"] == lms.key
    assert fields["lti_message_type"] == "ContentItemSelection"
    graph = json.loads(fields["content_items"])["@graph"] if "content_items" in fields else []
    return fields, graph


class _Secrets:
    """What oauthlib asks a client for."""

    def __init__(self, secret: str) -> None:
        self.client_secret, self.resource_owner_secret = secret, None


def context_of(lms: Lms11 | Lms13) -> Context:
    return Context.objects.get(deployment__platform=lms.platform, context_id="course-1")
