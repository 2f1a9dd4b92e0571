"""What a tool does with launches and selections, on top of `running`: reads id_tokens, answers requests for links."""

import json
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx2
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth1 import Client

from tests.practice_lms.running import PracticeLms, Tool11, Tool13

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
LINKING = "https://purl.imsglobal.org/spec/lti-dl/claim/"
ENDPOINT = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
LINK_TYPE = "application/vnd.ims.lti.v1.ltilink"
FORM_TYPE = "application/x-www-form-urlencoded"


def finish_login(lms: PracticeLms, begun: Mapping[str, Any], person: str, client_id: str = "") -> dict[str, Any]:
    """Ask for the id_token of a launch that was begun, and read its claims."""
    login = dict(begun["fields"])
    request = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": login.get("client_id", client_id),
        "redirect_uri": "https://tool.example/launch",
        "login_hint": login["login_hint"],
        "lti_message_hint": login["lti_message_hint"],
        "state": "state-1",
        "nonce": secrets.token_hex(8),
    }
    headers = {"X-Practice-Person": person, "Accept": "application/json"}
    answer = lms.http.get("/lti/auth", params=request, headers=headers)
    assert answer.status_code == 200, answer.text
    fields = answer.json()["fields"]
    assert "id_token" in fields, fields
    keys = KeySet.import_key_set(
        {"keys": [{"alg": "RS256", **key} for key in lms.http.get("/lti/keys").json()["keys"]]}
    )
    return dict(jwt.decode(fields["id_token"], keys, algorithms=["RS256"]).claims)


def launch_13(lms: PracticeLms, person: str, **wish: Any) -> dict[str, Any]:
    """The claims of a launch."""
    return finish_login(lms, lms.post("launch", person=person, **wish), person)


def launch_11(lms: PracticeLms, person: str, **wish: Any) -> dict[str, str]:
    """The fields of a launch."""
    return dict(lms.post("launch", person=person, **wish)["fields"])


def launch(lms: PracticeLms, tool: Tool11 | Tool13, person: str, **wish: Any) -> dict[str, Any]:
    """The custom parameters of a launch, by either version, without the prefix of LTI 1.1."""
    if isinstance(tool, Tool13):
        return dict(launch_13(lms, person, **wish)[f"{CLAIM}custom"])
    fields = launch_11(lms, person, **wish)
    return {name.removeprefix("custom_"): value for name, value in fields.items() if name.startswith("custom_")}


def answer_deep_linking(
    tool: Tool13, request: Mapping[str, Any], person: str, items: Any, *, url: str = "", **wish: Any
) -> httpx2.Response:
    """Post the tool's answer; `claims` changes claims (None leaves one out), `header` and `key` the signature."""
    settings = request[f"{LINKING}deep_linking_settings"]
    now = int(time.time())
    claims = {
        "iss": tool.client_id,
        "aud": request["iss"],
        "iat": now,
        "exp": now + 300,
        "nonce": secrets.token_hex(8),
        f"{CLAIM}message_type": "LtiDeepLinkingResponse",
        f"{CLAIM}version": "1.3.0",
        f"{CLAIM}deployment_id": request[f"{CLAIM}deployment_id"],
        f"{LINKING}data": settings["data"],
        f"{LINKING}content_items": items,
        **wish.get("claims", {}),
    }
    header = {"alg": "RS256", "kid": tool.key.kid, **wish.get("header", {})}
    token = jwt.encode(
        {name: value for name, value in header.items() if value is not None},
        {name: value for name, value in claims.items() if value is not None},
        wish.get("key", tool.key),
    )
    headers = {"X-Practice-Person": wish.get("by", person), "Accept": "application/json"}
    form = {"JWT": token, **wish.get("form", {})}
    return tool.lms.http.post(url or settings["deep_link_return_url"], data=form, headers=headers)


def answer_content_items(
    tool: Tool11, request: Mapping[str, str], person: str, items: list[Any] | None, **wish: Any
) -> httpx2.Response:
    """Post the tool's answer; `set` changes fields before signing, `after` afterwards, `secret` the signature."""
    form: dict[str, str] = {
        "lti_message_type": "ContentItemSelection",
        "lti_version": "LTI-1p0",
        "data": request["data"],
    }
    if items is not None:
        context = wish.get("context", "http://purl.imsglobal.org/ctx/lti/v1/ContentItem")
        form["content_items"] = json.dumps({"@context": context, "@graph": items})
    form |= wish.get("set", {})
    url = wish.get("url", request["content_item_return_url"])
    client = Client(
        tool.key,
        client_secret=wish.get("secret", tool.secret),
        callback_uri="about:blank",
        signature_type="BODY",
        timestamp=wish.get("timestamp"),
        nonce=wish.get("nonce"),
    )
    _, _, body = client.sign(url, "POST", body=urlencode(form), headers={"Content-Type": FORM_TYPE})
    fields = {**dict(parse_qsl(str(body), keep_blank_values=True)), **wish.get("after", {})}
    headers = {
        "X-Practice-Person": wish.get("by", person),
        "Accept": "application/json",
        "Content-Type": FORM_TYPE,
    }
    return tool.lms.http.post(url, content=urlencode(fields), headers=headers)
