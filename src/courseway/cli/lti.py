"""registration-link create, keys rotate, keys list, keys retire."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from django.utils import timezone

from courseway.cli.answers import Answer, RefusedError, draw_table, list_facts
from courseway.cli.organizations import get_organization
from courseway.lms import tool_keys
from courseway.lms.registration_links import make_registration_link


def create_registration_link(wish: Namespace) -> Answer:
    link, url = make_registration_link(get_organization(wish.org), made_by=None, now=timezone.now())
    expires_at = link.expires_at.isoformat(timespec="seconds")
    facts = [("Registration URL, for the LMS", url), ("Works once, until", expires_at)]
    return Answer({"url": url, "expires_at": expires_at}, list_facts(facts))


def rotate_keys(wish: Namespace) -> Answer:
    try:
        made = tool_keys.rotate(now=timezone.now(), at_once=wish.at_once)
    except tool_keys.KeyChangeError as error:
        raise RefusedError(str(error)) from None
    document = _show(made)
    facts = [
        ("Key", document["kid"]),
        ("Signs from", document["signs_from"]),
        (
            "LMSs with a pasted public key",
            "give them the new one by then (LTI integrations); others read it by themselves",
        ),
    ]
    return Answer(document, list_facts(facts))


def retire_key(wish: Namespace) -> Answer:
    try:
        retired = tool_keys.retire(wish.kid, now=timezone.now())
    except tool_keys.KeyChangeError as error:
        raise RefusedError(str(error)) from None
    document = _show(retired)
    return Answer(document, f"{document['kid']} is no longer published.")


def list_keys(wish: Namespace) -> Answer:
    documents = [_show(key) for key in tool_keys.list_keys(timezone.now())]
    rows = [(one["kid"], one["state"], one["signs_from"], one["until"] or "–") for one in documents]
    return Answer(
        documents, draw_table(("Key", "State", "Signs from", "Published until"), rows, empty="No key was made yet.")
    )


def _show(key: tool_keys.KeyState) -> dict[str, Any]:
    return {
        "kid": key.row.kid,
        "state": key.state.value,
        "created_at": key.row.created_at.isoformat(timespec="seconds"),
        "signs_from": key.signs_from.isoformat(timespec="seconds"),
        "until": key.until.isoformat(timespec="seconds") if key.until else None,
    }
