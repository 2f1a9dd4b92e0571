"""Our own key pairs: the newest signs, all that are not retired stand in our keyset."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from courseway import secrets_box
from courseway.lms.models import ToolKey
from ltikit.v13.keys import PrivateKey, build_keyset, generate_private_key


def signing_key() -> PrivateKey:
    """The key that signs, made when it is first needed."""
    row = ToolKey.objects.filter(retired_at=None).order_by("-pk").first() or _make_first_key()
    return PrivateKey.from_pem(secrets_box.unlock(row.private_pem_encrypted, place=_place(row.kid)))


def published_keyset() -> bytes:
    """The JSON document of our public keys; there is always at least one."""
    rows = list(ToolKey.objects.filter(retired_at=None).order_by("-pk")) or [_make_first_key()]
    keys = [PrivateKey.from_pem(secrets_box.unlock(row.private_pem_encrypted, place=_place(row.kid))) for row in rows]
    return build_keyset([key.public_key() for key in keys])


def _make_first_key() -> ToolKey:
    """Two processes may both come here: each stores a key of its own, and the newest signs for both."""
    key = generate_private_key()
    locked = secrets_box.lock(key.to_pem(), place=_place(key.kid))
    try:
        with transaction.atomic():
            return ToolKey.objects.create(kid=key.kid, private_pem_encrypted=locked)
    except IntegrityError:
        return ToolKey.objects.get(kid=key.kid)


def _place(kid: str) -> str:
    return f"tool_key:{kid}"
