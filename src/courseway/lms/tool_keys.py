"""Our own key pairs: the newest signs, all that are not retired stand in the keyset that platforms read."""

from __future__ import annotations

from functools import lru_cache

from django.db import connection, transaction

from courseway import secrets_box
from courseway.lms.models import ToolKey
from ltikit.v13.keys import PrivateKey, build_keyset, generate_private_key, public_pem

# Any number will do, as long as nothing else of ours locks the same one.
_MAKING_A_KEY = 7_105_121


def signing_key() -> PrivateKey:
    """The key that signs now; made on first need."""
    row = _newest() or _make_first()
    return _open(row.kid, row.private_pem_encrypted)


def published_keyset() -> bytes:
    """The document at our keyset URL."""
    signing_key()
    return build_keyset(_open(row.kid, row.private_pem_encrypted).public_key() for row in _published())


def public_key_pem() -> str:
    """The public half of the signing key, for platforms that take a pasted key instead of a keyset URL."""
    return public_pem(signing_key().public_key())


def add_key() -> ToolKey:
    """A new key pair, which signs from now on."""
    key = generate_private_key()
    return ToolKey.objects.create(
        kid=key.kid, private_pem_encrypted=secrets_box.lock(key.to_pem(), place=_place_of(key.kid))
    )


def _published() -> list[ToolKey]:
    return list(ToolKey.objects.filter(retired_at=None).order_by("-pk"))


def _newest() -> ToolKey | None:
    return ToolKey.objects.filter(retired_at=None).order_by("-pk").first()


def _make_first() -> ToolKey:
    """Two processes may come here at once: one makes the key, the other waits and takes it.

    On SQLite a transaction that may write is alone from its start (IMMEDIATE); PostgreSQL needs to be told.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_MAKING_A_KEY])
        return _newest() or add_key()


@lru_cache(maxsize=8)
def _open(kid: str, encrypted: str) -> PrivateKey:
    return PrivateKey.from_pem(secrets_box.unlock(encrypted, place=_place_of(kid)))


def _place_of(kid: str) -> str:
    return f"tool_key:{kid}"
